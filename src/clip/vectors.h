/* vectors.h - GCC's vector types of MM_LANES floats and what the kernels compute on them. Included
 * by kernels_*.c, each for one instruction set, after MM_LANES is defined. */
#ifndef MM_CLIP_VECTORS_H
#define MM_CLIP_VECTORS_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#ifdef __AVX512F__
#include <immintrin.h>
#endif

typedef float vec __attribute__((vector_size(MM_LANES * 4)));
typedef int32_t ivec __attribute__((vector_size(MM_LANES * 4)));
typedef uint32_t uvec __attribute__((vector_size(MM_LANES * 4)));
typedef uint16_t hvec __attribute__((vector_size(MM_LANES * 2)));

static inline vec load(const float *p) {
    vec v;
    memcpy(&v, p, sizeof v);
    return v;
}

static inline void store(float *p, vec v) {
    memcpy(p, &v, sizeof v);
}

static inline vec splat(float x) {
    return x - (vec){0}; /* not 0 + x, which turns -0 into 0 and so costs an addition */
}

/* Sum of the lanes, always in the same order. */
static inline float sum(vec v) {
    float lanes[MM_LANES];
    memcpy(lanes, &v, sizeof v);
    for (int n = MM_LANES / 2; n > 0; n /= 2)
        for (int i = 0; i < n; i++)
            lanes[i] += lanes[i + n];
    return lanes[0];
}

static inline float maximum(vec v) {
    float lanes[MM_LANES];
    memcpy(lanes, &v, sizeof v);
    for (int n = MM_LANES / 2; n > 0; n /= 2)
        for (int i = 0; i < n; i++)
            lanes[i] = lanes[i + n] > lanes[i] ? lanes[i + n] : lanes[i];
    return lanes[0];
}

static inline vec load_bf16(const uint16_t *p) {
    hvec half;
    memcpy(&half, p, sizeof half);
    return (vec)(__builtin_convertvector(half, uvec) << 16);
}

/* Finite values only; the rounding of mm_bf16_from_f32 (but the instruction takes denormal numbers
 * as 0). */
static inline void store_bf16(uint16_t *p, vec v) {
#ifdef __AVX512BF16__
    _Static_assert(MM_LANES == 16, "one whole register");
    __m256bh half = _mm512_cvtneps_pbh((__m512)v);
    memcpy(p, &half, sizeof half);
#else
    uvec bits = (uvec)v;
    bits = (bits + 0x7fffu + ((bits >> 16) & 1u)) >> 16;
    hvec half = __builtin_convertvector(bits, hvec);
    memcpy(p, &half, sizeof half);
#endif
}

/* exp(x) for x <= 0, to about 1 ulp: x = n ln 2 + r, |r| <= ln 2 / 2, Taylor's series of exp(r) to
 * r^7 / 7! (relative error below 6e-9). Below -87 the result is 0 or next to it. */
static inline vec exponential(vec x) {
    const float shift = 12582912.0f; /* 1.5 * 2^23: adding it rounds to an integer */
    ivec tiny = x < -87.0f;
    x = (vec)((ivec)splat(-87.0f) & tiny) + (vec)((ivec)x & ~tiny);
    vec n = x * 1.44269504f + shift;
    ivec power = ((ivec)n << 23) + (127 << 23);
    n = n - shift;
    vec r = x - n * 0.693359375f; /* ln 2 in two parts, the first exact in n * part */
    r = r + n * 2.12194440e-4f;
    vec y = r * (1.0f / 5040.0f) + (1.0f / 720.0f);
    y = y * r + (1.0f / 120.0f);
    y = y * r + (1.0f / 24.0f);
    y = y * r + (1.0f / 6.0f);
    y = y * r + 0.5f;
    y = y * r + 1.0f;
    y = y * r + 1.0f;
    return y * (vec)power;
}

#ifdef __AVX512F__
/* Which lanes of a vector that begins at `at` lie before `end`. */
static inline __mmask16 lanes_before(size_t end, size_t at) {
    return (__mmask16)(end >= at + 16 ? 0xffffu : end <= at ? 0 : (1u << (end - at)) - 1);
}
#endif

static inline size_t round_up(size_t n, size_t step) {
    return (n + step - 1) / step * step;
}

#endif
