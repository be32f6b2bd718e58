/* kernels_avx512_bf16.c - the kernels for x86 with AVX-512 and its bf16 instructions, and attention
 * in bf16: the dot product instruction takes pairs of neighbours, so keys are laid out as pairs of
 * dimensions and values as pairs of tokens. One head's keys, values and a tile of scores stay in
 * the inner caches. */
#include "clip/kernels.h"

static void attention_bf16(const mm_attention *a);

#define MM_LANES 16
#define MM_KERNELS mm_kernels_avx512_bf16
#define MM_ATTENTION_BF16 attention_bf16
#define MM_QUANTIZE quantize
#define MM_FINISH finish
#include "clip/int8_avx512.h"
#include "clip/kernels_table.h"

#include "clip/kernels_body.h"

/* Sizes of one head's layout, in pairs of bf16 (or vectors of MM_LANES of them). */
typedef struct layout {
    size_t tokens;      /* padded to whole vectors */
    size_t token_pairs; /* of which some lie before the end */
    size_t head_pairs;  /* padded to whole vectors */
    uint32_t *keys;     /* [head_pairs, tokens] */
    uint32_t *values;   /* [token_pairs, 2 * head_pairs] */
    uint32_t *queries;  /* [MM_TILE_ROWS, head_pairs] */
    float *scores;      /* [MM_TILE_ROWS, tokens] */
    uint16_t *weights;  /* [MM_TILE_ROWS, tokens] exp of the scores */
    float *result;      /* [MM_TILE_ROWS, 2 * head_pairs] */
} layout;

static layout lay_out(const mm_attention *a) {
    layout l = {.tokens = round_up(a->tokens, MM_LANES),
                .token_pairs = (a->tokens + 1) / 2,
                .head_pairs = round_up(a->head_size, 2 * MM_LANES) / 2};
    l.scores = a->scratch;
    l.result = l.scores + MM_TILE_ROWS * l.tokens;
    l.keys = (uint32_t *)(void *)(l.result + MM_TILE_ROWS * 2 * l.head_pairs);
    l.values = l.keys + l.head_pairs * l.tokens;
    l.queries = l.values + l.token_pairs * 2 * l.head_pairs;
    l.weights = (uint16_t *)(void *)(l.queries + MM_TILE_ROWS * l.head_pairs);
    return l;
}

/* The first `count` of 32 bf16 values from `p` on, zeros after them. */
static inline __m512i load_half(const uint16_t *p, size_t count) {
    __mmask32 mask = count >= 32 ? 0xffffffffu : (1u << count) - 1;
    return _mm512_maskz_loadu_epi16(mask, p);
}

/* Turns rows of 16 words into columns. */
static inline void transpose(__m512i rows[16]) {
    __m512i t[16];
#pragma GCC unroll 8
    for (int i = 0; i < 16; i += 2) {
        t[i] = _mm512_unpacklo_epi32(rows[i], rows[i + 1]);
        t[i + 1] = _mm512_unpackhi_epi32(rows[i], rows[i + 1]);
    }
#pragma GCC unroll 4
    for (int i = 0; i < 16; i += 4) {
        rows[i] = _mm512_unpacklo_epi64(t[i], t[i + 2]);
        rows[i + 1] = _mm512_unpackhi_epi64(t[i], t[i + 2]);
        rows[i + 2] = _mm512_unpacklo_epi64(t[i + 1], t[i + 3]);
        rows[i + 3] = _mm512_unpackhi_epi64(t[i + 1], t[i + 3]);
    }
#pragma GCC unroll 4
    for (int i = 0; i < 4; i++) {
        t[i] = _mm512_shuffle_i32x4(rows[i], rows[i + 4], 0x88);
        t[i + 4] = _mm512_shuffle_i32x4(rows[i], rows[i + 4], 0xdd);
        t[i + 8] = _mm512_shuffle_i32x4(rows[i + 8], rows[i + 12], 0x88);
        t[i + 12] = _mm512_shuffle_i32x4(rows[i + 8], rows[i + 12], 0xdd);
    }
#pragma GCC unroll 4
    for (int i = 0; i < 4; i++) {
        rows[i] = _mm512_shuffle_i32x4(t[i], t[i + 8], 0x88);
        rows[i + 4] = _mm512_shuffle_i32x4(t[i + 4], t[i + 12], 0x88);
        rows[i + 8] = _mm512_shuffle_i32x4(t[i], t[i + 8], 0xdd);
        rows[i + 12] = _mm512_shuffle_i32x4(t[i + 4], t[i + 12], 0xdd);
    }
}

static void gather_keys(const layout *l, const mm_attention *a) {
    const uint16_t *keys = (const uint16_t *)a->qkv + a->width + a->head * a->head_size;
    size_t stride = 3 * a->width;
    for (size_t d = 0; d < l->head_pairs; d += 16) {
        size_t left = a->head_size > 2 * d ? a->head_size - 2 * d : 0;
        for (size_t j = 0; j < l->tokens; j += 16) {
            __m512i rows[16];
#pragma GCC unroll 16
            for (size_t r = 0; r < 16; r++)
                rows[r] = j + r < a->tokens ? load_half(keys + (j + r) * stride + 2 * d, left)
                                            : _mm512_setzero_si512();
            transpose(rows);
#pragma GCC unroll 16
            for (size_t r = 0; r < 16; r++)
                _mm512_storeu_si512(l->keys + (d + r) * l->tokens + j, rows[r]);
        }
    }
}

static void gather_values(const layout *l, const mm_attention *a) {
    const uint16_t *values = (const uint16_t *)a->qkv + 2 * a->width + a->head * a->head_size;
    size_t stride = 3 * a->width;
    uint16_t first[32], second[32]; /* where the halves of two rows go: row 2 is from 32 on */
    for (uint16_t i = 0; i < 32; i++) {
        first[i] = (uint16_t)(i / 2 + i % 2 * 32);
        second[i] = (uint16_t)(first[i] + 16);
    }
    __m512i low = _mm512_loadu_si512(first), high = _mm512_loadu_si512(second);
    for (size_t j = 0; j < l->token_pairs; j++) {
        uint32_t *to = l->values + j * 2 * l->head_pairs;
        for (size_t d = 0; d < a->head_size; d += 32) {
            const uint16_t *from = values + 2 * j * stride + d;
            __m512i x = load_half(from, a->head_size - d), y = _mm512_setzero_si512();
            if (2 * j + 1 < a->tokens)
                y = load_half(from + stride, a->head_size - d);
            _mm512_storeu_si512(to + d, _mm512_permutex2var_epi16(x, low, y));
            _mm512_storeu_si512(to + d + 16, _mm512_permutex2var_epi16(x, high, y));
        }
    }
}

/* c [MM_TILE_ROWS, vectors * MM_LANES] = a b over `depth` pairs: row r of `a` at a + r * lda, b
 * [depth, ldb]. `vectors` is a constant, so that the sums stay in registers. */
static inline __attribute__((always_inline)) void tile_bf16(float *c, size_t ldc, const uint32_t *a,
                                                            size_t lda, const uint32_t *b,
                                                            size_t ldb, size_t depth,
                                                            const int vectors) {
    __m512 sums[MM_TILE_ROWS][4];
#pragma GCC unroll 6
    for (int r = 0; r < MM_TILE_ROWS; r++)
#pragma GCC unroll 4
        for (int v = 0; v < vectors; v++)
            sums[r][v] = _mm512_setzero_ps();
    for (size_t k = 0; k < depth; k++) {
        __m512i columns[4];
#pragma GCC unroll 4
        for (int v = 0; v < vectors; v++)
            columns[v] = _mm512_loadu_si512(b + k * ldb + v * MM_LANES);
#pragma GCC unroll 6
        for (int r = 0; r < MM_TILE_ROWS; r++) {
            __m512i x = _mm512_set1_epi32((int)a[(size_t)r * lda + k]);
#pragma GCC unroll 4
            for (int v = 0; v < vectors; v++)
                sums[r][v] = _mm512_dpbf16_ps(sums[r][v], (__m512bh)x, (__m512bh)columns[v]);
        }
    }
#pragma GCC unroll 6
    for (int r = 0; r < MM_TILE_ROWS; r++)
#pragma GCC unroll 4
        for (int v = 0; v < vectors; v++)
            _mm512_storeu_ps(c + (size_t)r * ldc + v * MM_LANES, sums[r][v]);
}

/* c [MM_TILE_ROWS, columns] = a b, `columns` a multiple of MM_LANES. */
static void multiply_bf16(float *c, size_t ldc, const uint32_t *a, size_t lda, const uint32_t *b,
                          size_t ldb, size_t depth, size_t columns) {
    size_t j = 0;
    for (; j + 4 * MM_LANES <= columns; j += 4 * MM_LANES)
        tile_bf16(c + j, ldc, a, lda, b + j, ldb, depth, 4);
    switch ((columns - j) / MM_LANES) {
    case 3:
        tile_bf16(c + j, ldc, a, lda, b + j, ldb, depth, 3);
        break;
    case 2:
        tile_bf16(c + j, ldc, a, lda, b + j, ldb, depth, 2);
        break;
    case 1:
        tile_bf16(c + j, ldc, a, lda, b + j, ldb, depth, 1);
        break;
    default:
        break;
    }
}

/* out[0 .. valid) = exp(scale (row - max)) in bf16, zeros up to `padded`; returns the sum before
 * rounding. exp is 2^n 2^f with |f| <= 1/2, the latter by Taylor's series to f^4 (relative error
 * below 5e-5; bf16 rounds by 2e-3). */
static float soften_bf16(uint16_t *out, const float *row, size_t valid, size_t padded,
                         float scale) {
    __m512 largest = _mm512_set1_ps(-INFINITY), total = _mm512_setzero_ps();
    for (size_t j = 0; j < padded; j += MM_LANES)
        largest = _mm512_mask_max_ps(largest, lanes_before(valid, j), largest, load(row + j));
    const __m512 factor = splat(scale * 1.44269504f);
    const __m512 best = splat(maximum(largest)); /* taken off first: exact for the largest */
    for (size_t j = 0; j < padded; j += MM_LANES) {
        __m512 x = (load(row + j) - best) * factor;
        __m512 n = _mm512_roundscale_ps(x, 0);
        __m512 f = x - n;
        __m512 y = f * 9.6181291e-3f + 5.5504109e-2f;
        y = y * f + 2.4022651e-1f;
        y = y * f + 6.9314718e-1f;
        y = y * f + 1.0f;
        y = _mm512_maskz_scalef_ps(lanes_before(valid, j), y, n);
        store_bf16(out + j, y);
        total += y;
    }
    return sum(total);
}

/* Stores one head's columns of a row of the output, scaled. */
static void store_row(uint16_t *out, const float *row, size_t size, float scale) {
    for (size_t d = 0; d < size; d += MM_LANES) {
        __m256bh half = _mm512_cvtneps_pbh((__m512)(load(row + d) * scale));
        _mm256_mask_storeu_epi16(out + d, lanes_before(size, d), (__m256i)half);
    }
}

static void attention_bf16(const mm_attention *a) {
    const uint16_t *qkv = a->qkv;
    layout l = lay_out(a);
    size_t stride = 3 * a->width;
    float scale = 1.0f / sqrtf((float)a->head_size);
    gather_keys(&l, a);
    gather_values(&l, a);
    for (size_t i0 = 0; i0 < a->queries; i0 += MM_TILE_ROWS) {
        size_t rows = a->queries - i0 < MM_TILE_ROWS ? a->queries - i0 : MM_TILE_ROWS;
        size_t last = a->first_query + i0 + rows;
        size_t depth = a->causal ? last : a->tokens;
        for (size_t r = 0; r < MM_TILE_ROWS; r++) { /* a short last tile repeats its last row */
            size_t i = a->first_query + i0 + (r < rows ? r : rows - 1);
            const uint16_t *q = qkv + i * stride + a->head * a->head_size;
            for (size_t d = 0; d < 2 * l.head_pairs; d += 32)
                _mm512_storeu_si512(l.queries + r * l.head_pairs + d / 2,
                                    load_half(q + d, a->head_size - d));
        }
        multiply_bf16(l.scores, l.tokens, l.queries, l.head_pairs, l.keys, l.tokens,
                      (a->head_size + 1) / 2, round_up(depth, MM_LANES));
        float sums[MM_TILE_ROWS];
        for (size_t r = 0; r < MM_TILE_ROWS; r++) {
            size_t i = a->first_query + i0 + (r < rows ? r : rows - 1);
            sums[r] = soften_bf16(l.weights + r * l.tokens, l.scores + r * l.tokens,
                                  a->causal ? i + 1 : a->tokens, round_up(depth, MM_LANES), scale);
        }
        multiply_bf16(l.result, 2 * l.head_pairs, (const uint32_t *)(const void *)l.weights,
                      l.tokens / 2, l.values, 2 * l.head_pairs, (depth + 1) / 2,
                      round_up(a->head_size, MM_LANES));
        for (size_t r = 0; r < rows; r++)
            store_row((uint16_t *)a->out + (i0 + r) * a->width + a->head * a->head_size,
                      l.result + r * 2 * l.head_pairs, a->head_size, 1.0f / sums[r]);
    }
}
