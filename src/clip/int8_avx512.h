/* int8_avx512.h - the two ends of a dense layer in int8: rows to 8 bits, and 32-bit sums back to
 * numbers. Included by the AVX-512 files alone, since int8 needs AVX512-VNNI. */
#include "clip/kernels.h"
#include "clip/vectors.h"

#include <immintrin.h>
#include <math.h>

/* 16 values from `at` on, zeros from `end` on. */
static inline __m512 load_some(const void *row, int bf16, size_t at, size_t end) {
    __mmask16 mask = lanes_before(end, at);
    if (!bf16)
        return _mm512_maskz_loadu_ps(mask, (const float *)row + at);
    __m256i half = _mm256_maskz_loadu_epi16(mask, (const uint16_t *)row + at);
    return _mm512_castsi512_ps(_mm512_slli_epi32(_mm512_cvtepu16_epi32(half), 16));
}

static void quantize_row(uint8_t *out, float *scale, const void *x, int bf16, size_t width) {
    /* as integers, so that infinity and NaN come out largest */
    __m512i largest = _mm512_setzero_si512();
    const __m512i no_sign = _mm512_set1_epi32(0x7fffffff);
    for (size_t i = 0; i < width; i += 16) {
        __m512i bits = _mm512_castps_si512(load_some(x, bf16, i, width));
        largest = _mm512_max_epu32(largest, _mm512_and_si512(bits, no_sign));
    }
    union {
        uint32_t bits;
        float value;
    } most = {_mm512_reduce_max_epu32(largest)};
    if (most.bits >= 0x7f800000u) {
        memset(out, MM_INT8_ZERO, width);
        *scale = NAN; /* not a number that looks right */
        return;
    }
    *scale = most.value / 127.0f;
    /* below, 127 / most would overflow: such a row counts as zero */
    const __m512 inverse = splat(most.value > 1e-35f ? 127.0f / most.value : 0.0f);
    for (size_t i = 0; i < width; i += 16) {
        __m512i q = _mm512_cvtps_epi32(load_some(x, bf16, i, width) * inverse);
        q = _mm512_add_epi32(q, _mm512_set1_epi32(MM_INT8_ZERO));
        _mm_mask_storeu_epi8(out + i, lanes_before(width, i), _mm512_cvtusepi32_epi8(q));
    }
}

static void quantize(uint8_t *out, float *scales, const void *x, int bf16, size_t rows,
                     size_t width) {
    size_t size = mm_activation_size(bf16);
    for (size_t i = 0; i < rows; i++)
        quantize_row(out + i * width, scales + i, (const char *)x + i * width * size, bf16, width);
}

/* exp(x) for x <= 0 with a relative error below 5e-5, which 8 bits do not see. */
static inline __m512 rough_exponential(__m512 x) {
    __m512 t = x * 1.44269504f;
    __m512 n = _mm512_roundscale_ps(t, 0), f = t - n;
    __m512 y = f * 9.6181291e-3f + 5.5504109e-2f;
    y = y * f + 2.4022651e-1f;
    y = y * f + 6.9314718e-1f;
    y = y * f + 1.0f;
    return _mm512_scalef_ps(y, n);
}

/* 1 / (1 + exp(-x)) */
static inline __m512 sigmoid(__m512 x) {
    __m512 magnitude = _mm512_abs_ps(x);
    __m512 e = rough_exponential(-magnitude);
    __m512 above = 1.0f / (1.0f + e); /* for x >= 0; for x < 0 it is 1 less this */
    return _mm512_mask_sub_ps(above, _mm512_movepi32_mask(_mm512_castps_si512(x)), splat(1.0f),
                              above);
}

/* Phi(x), the normal distribution: Abramowitz and Stegun, Handbook of Mathematical Functions,
 * 7.1.26 (absolute error below 1.5e-7), of x / sqrt(2). */
static inline __m512 normal(__m512 x) {
    __m512 z = _mm512_abs_ps(x) * 0.70710678f;
    __m512 t = 1.0f / (1.0f + 0.3275911f * z);
    __m512 p = t * 1.061405429f - 1.453152027f;
    p = p * t + 1.421413741f;
    p = p * t - 0.284496736f;
    p = p * t + 0.254829592f;
    __m512 tail = 0.5f * p * t * rough_exponential(-(z * z)); /* 1 - Phi(|x|) */
    return _mm512_mask_sub_ps(tail, _mm512_cmp_ps_mask(x, _mm512_setzero_ps(), _CMP_GE_OQ),
                              splat(1.0f), tail);
}

static inline __attribute__((always_inline)) __m512 after(__m512 y, mm_post post) {
    if (post == MM_POST_QUICK_GELU)
        return y * sigmoid(y * 1.702f);
    if (post == MM_POST_GELU)
        return y * normal(y);
    if (post == MM_POST_GELU_NEW) /* (1 + tanh(z)) / 2 = sigmoid(2 z) */
        return y * sigmoid(1.59576912f * (y + 0.044715f * y * y * y));
    if (post == MM_POST_RELU6)
        return _mm512_min_ps(_mm512_max_ps(y, _mm512_setzero_ps()), splat(6.0f));
    return y;
}

static inline __m256i to_bf16(__m512 y) {
    uint16_t half[16];
    store_bf16(half, y);
    return _mm256_loadu_si256((const __m256i *)(const void *)half);
}

/* One row; `post` is a constant, so that each has a loop of its own. */
static inline __attribute__((always_inline)) void finish_row(const mm_finish *f, size_t row,
                                                             mm_post post) {
    const int32_t *products = f->products + row * f->outputs;
    const __m512 row_scale = splat(f->row_scales[row]);
    float *y_f32 = (float *)f->y + row * f->stride;
    uint16_t *y_half = (uint16_t *)f->y + row * f->stride;
    for (size_t j = 0; j < f->outputs; j += 16) {
        __mmask16 mask = lanes_before(f->outputs, j);
        __m512i sum = _mm512_sub_epi32(_mm512_maskz_loadu_epi32(mask, products + j),
                                       _mm512_maskz_loadu_epi32(mask, f->offsets + j));
        __m512 y = _mm512_cvtepi32_ps(sum) * row_scale * _mm512_maskz_loadu_ps(mask, f->scales + j);
        if (f->bias)
            y += _mm512_maskz_loadu_ps(mask, f->bias + j);
        if (post == MM_POST_ADD)
            y += _mm512_maskz_loadu_ps(mask, y_f32 + j);
        y = after(y, post);
        if (f->y_bf16)
            _mm256_mask_storeu_epi16(y_half + j, mask, to_bf16(y));
        else
            _mm512_mask_storeu_ps(y_f32 + j, mask, y);
    }
}

static void finish(const mm_finish *f) {
    for (size_t row = 0; row < f->rows; row++)
        switch (f->post) {
        case MM_POST_NONE:
            finish_row(f, row, MM_POST_NONE);
            break;
        case MM_POST_ADD:
            finish_row(f, row, MM_POST_ADD);
            break;
        case MM_POST_QUICK_GELU:
            finish_row(f, row, MM_POST_QUICK_GELU);
            break;
        case MM_POST_GELU:
            finish_row(f, row, MM_POST_GELU);
            break;
        case MM_POST_GELU_NEW:
            finish_row(f, row, MM_POST_GELU_NEW);
            break;
        case MM_POST_RELU6:
            finish_row(f, row, MM_POST_RELU6);
            break;
        }
}
