/* kernels_body.h - the kernels, written once with GCC's vector types for a vector of MM_LANES
 * floats. Included by one file an instruction set, which defines MM_LANES, MM_KERNELS (the table's
 * name) and MM_ATTENTION_BF16, MM_QUANTIZE, MM_FINISH (functions that only some have, else NULL).
 * Every row is computed with the same operations in the same order wherever it stands, so a result
 * does not depend on its neighbours. Compiled with -ffp-contract=fast (fused multiply-add), without
 * -ffast-math. */
#include "clip/kernels.h"
#include "clip/vectors.h"

#include <math.h>

_Static_assert(MM_LANES <= MM_MOST_LANES, "attention's scratch is too small");

static void layer_norm_row(void *out, int out_bf16, const float *x, const float *weight,
                           const float *bias, size_t width, float eps) {
    size_t whole = width / MM_LANES * MM_LANES;
    vec total = {0};
    float rest = 0;
    for (size_t i = 0; i < whole; i += MM_LANES)
        total += load(x + i);
    for (size_t i = whole; i < width; i++)
        rest += x[i];
    float mean = (sum(total) + rest) / (float)width;
    vec squares = {0};
    rest = 0;
    for (size_t i = 0; i < whole; i += MM_LANES) {
        vec d = load(x + i) - mean;
        squares += d * d;
    }
    for (size_t i = whole; i < width; i++)
        rest += (x[i] - mean) * (x[i] - mean);
    float scale = 1.0f / sqrtf((sum(squares) + rest) / (float)width + eps);
    float *out_f32 = out;
    uint16_t *out_half = out;
    for (size_t i = 0; i < whole; i += MM_LANES) {
        vec y = (load(x + i) - mean) * scale * load(weight + i) + load(bias + i);
        if (out_bf16)
            store_bf16(out_half + i, y);
        else
            store(out_f32 + i, y);
    }
    for (size_t i = whole; i < width; i++) {
        float y = (x[i] - mean) * scale * weight[i] + bias[i];
        if (out_bf16)
            out_half[i] = mm_bf16_from_f32(y);
        else
            out_f32[i] = y;
    }
}

static void layer_norm(void *out, int out_bf16, const float *x, const float *weight,
                       const float *bias, size_t rows, size_t width, float eps) {
    size_t size = mm_activation_size(out_bf16);
    for (size_t i = 0; i < rows; i++)
        layer_norm_row((char *)out + i * width * size, out_bf16, x + i * width, weight, bias, width,
                       eps);
}

/* c [MM_TILE_ROWS, vectors * MM_LANES] = a b: row r of `a` at a[r], b [depth, ldb]. `vectors` is a
 * constant 1 or 2, so that the sums stay in registers. */
static inline __attribute__((always_inline)) void tile(float *c, size_t ldc,
                                                       const float *const a[MM_TILE_ROWS],
                                                       const float *b, size_t ldb, size_t depth,
                                                       const int vectors) {
    vec sums[MM_TILE_ROWS][2] = {{{0}}};
    for (size_t k = 0; k < depth; k++) {
        vec b0 = load(b + k * ldb);
        vec b1 = vectors == 2 ? load(b + k * ldb + MM_LANES) : b0;
        for (int r = 0; r < MM_TILE_ROWS; r++) {
            vec x = splat(a[r][k]);
            sums[r][0] += x * b0;
            if (vectors == 2)
                sums[r][1] += x * b1;
        }
    }
    for (int r = 0; r < MM_TILE_ROWS; r++) {
        store(c + (size_t)r * ldc, sums[r][0]);
        if (vectors == 2)
            store(c + (size_t)r * ldc + MM_LANES, sums[r][1]);
    }
}

/* c [MM_TILE_ROWS, columns] = a b, `columns` a multiple of MM_LANES. */
static void multiply(float *c, size_t ldc, const float *const a[MM_TILE_ROWS], const float *b,
                     size_t ldb, size_t depth, size_t columns) {
    size_t j = 0;
    for (; j + 2 * MM_LANES <= columns; j += 2 * MM_LANES)
        tile(c + j, ldc, a, b + j, ldb, depth, 2);
    if (j < columns)
        tile(c + j, ldc, a, b + j, ldb, depth, 1);
}

/* Turns row[0 .. valid) into exp(scale (x - max)) and the rest up to `padded` into 0; returns the
 * sum. The vectors are the same for every `valid`: lanes past it are masked, not skipped. */
static float soften(float *row, size_t valid, size_t padded, float scale) {
    for (size_t j = valid; j < padded; j++)
        row[j] = -INFINITY;
    vec largest = load(row);
    for (size_t j = MM_LANES; j < padded; j += MM_LANES) {
        vec x = load(row + j);
        ivec more = x > largest;
        largest = (vec)(((ivec)x & more) | ((ivec)largest & ~more));
    }
    float best = maximum(largest);
    vec total = {0};
    for (size_t j = 0; j < padded; j += MM_LANES) {
        vec x = load(row + j);
        ivec seen = x > -INFINITY;
        vec y = exponential((x - best) * scale);
        y = (vec)((ivec)y & seen);
        store(row + j, y);
        total += y;
    }
    return sum(total);
}

/* Keys transposed to [head_size, padded] and values copied to [tokens, head_padded], zeros after.
 */
static void gather(float *keys, float *values, const mm_attention *a, size_t padded,
                   size_t head_padded) {
    const float *k = (const float *)a->qkv + a->width + a->head * a->head_size;
    const float *v = k + a->width;
    size_t stride = 3 * a->width;
    memset(keys, 0, a->head_size * padded * sizeof *keys);
    for (size_t d0 = 0; d0 < a->head_size; d0 += 16) { /* a cache line of each row at a time */
        size_t d1 = d0 + 16 < a->head_size ? d0 + 16 : a->head_size;
        for (size_t j = 0; j < a->tokens; j++)
            for (size_t d = d0; d < d1; d++)
                keys[d * padded + j] = k[j * stride + d];
    }
    for (size_t j = 0; j < a->tokens; j++) {
        memcpy(values + j * head_padded, v + j * stride, a->head_size * sizeof *values);
        for (size_t d = a->head_size; d < head_padded; d++)
            values[j * head_padded + d] = 0;
    }
}

static void attention(const mm_attention *a) {
    size_t padded = round_up(a->tokens, MM_LANES);
    size_t head_padded = round_up(a->head_size, MM_LANES);
    size_t stride = 3 * a->width;
    float scale = 1.0f / sqrtf((float)a->head_size);
    float *keys = a->scratch;
    float *values = keys + a->head_size * padded;
    float *scores = values + a->tokens * head_padded;
    float *result = scores + MM_TILE_ROWS * padded;
    gather(keys, values, a, padded, head_padded);

    for (size_t i0 = 0; i0 < a->queries; i0 += MM_TILE_ROWS) {
        size_t rows = a->queries - i0 < MM_TILE_ROWS ? a->queries - i0 : MM_TILE_ROWS;
        const float *q[MM_TILE_ROWS], *p[MM_TILE_ROWS];
        for (size_t r = 0; r < MM_TILE_ROWS; r++) { /* a short last tile repeats its last row */
            size_t i = a->first_query + i0 + (r < rows ? r : rows - 1);
            q[r] = (const float *)a->qkv + i * stride + a->head * a->head_size;
            p[r] = scores + r * padded;
        }
        size_t last = a->first_query + i0 + rows;
        size_t depth = a->causal ? last : a->tokens;
        multiply(scores, padded, q, keys, padded, a->head_size, round_up(depth, MM_LANES));
        float sums[MM_TILE_ROWS];
        for (size_t r = 0; r < MM_TILE_ROWS; r++) {
            size_t i = a->first_query + i0 + (r < rows ? r : rows - 1);
            sums[r] = soften(scores + r * padded, a->causal ? i + 1 : a->tokens,
                             round_up(depth, MM_LANES), scale);
        }
        multiply(result, head_padded, p, values, head_padded, depth, head_padded);
        for (size_t r = 0; r < rows; r++) {
            size_t offset = (i0 + r) * a->width + a->head * a->head_size;
            const float *y = result + r * head_padded;
            float norm = 1.0f / sums[r];
            for (size_t d = 0; d < a->head_size; d++)
                ((float *)a->out)[offset + d] = y[d] * norm;
        }
    }
}

#include "clip/kernels_depth.h"

const mm_kernels MM_KERNELS = {layer_norm,        convert,     depth,    attention,
                               MM_ATTENTION_BF16, MM_QUANTIZE, MM_FINISH};
