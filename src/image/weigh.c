/* weigh.c - sums of weighted 8-bit values. Every x86-64 CPU multiplies 16-bit numbers in pairs
 * (pmaddwd) but not 32-bit ones, so there a weight is cut in two parts of 12 bits and more, whose
 * sums are put together: high * 2^12 + low. */
#include "image/weigh.h"

#include <string.h>

#if defined(__SSE2__)

#include <emmintrin.h>

enum { LOW_BITS = 12, LOW_MASK = (1 << LOW_BITS) - 1 };

/* Two 16-bit numbers in one of 32. */
static int32_t pair(int32_t first, int32_t second) {
    return (int32_t)(((uint32_t)first & 0xffff) | (uint32_t)second << 16);
}

static int32_t high_pair(int32_t first, int32_t second) {
    return pair(first >> LOW_BITS, second >> LOW_BITS);
}

static int32_t low_pair(int32_t first, int32_t second) {
    return pair(first & LOW_MASK, second & LOW_MASK);
}

static __m128i put_together(__m128i high, __m128i low) {
    return _mm_add_epi32(_mm_slli_epi32(high, LOW_BITS), low);
}

void mm_weigh_prepare(int32_t *weights, size_t count) {
    for (size_t i = 0; i + 1 < count; i += 2) {
        int32_t first = weights[i], second = weights[i + 1];
        weights[i] = high_pair(first, second);
        weights[i + 1] = low_pair(first, second);
    }
}

static __m128i load4(const void *from) {
    int32_t bytes;
    memcpy(&bytes, from, sizeof bytes);
    return _mm_cvtsi32_si128(bytes);
}

void mm_weigh_pixels(uint8_t *out, const uint8_t *from, const int32_t *weights, size_t count) {
    const __m128i zero = _mm_setzero_si128();
    __m128i high = zero, low = zero;
    for (size_t i = 0; i < count; i += 2) {
        /* red, red of the next, green, green, blue, blue, and one more that is left alone */
        __m128i bytes = _mm_unpacklo_epi8(load4(from + 3 * i), load4(from + 3 * i + 3));
        __m128i values = _mm_unpacklo_epi8(bytes, zero);
        high = _mm_add_epi32(high, _mm_madd_epi16(values, _mm_set1_epi32(weights[i])));
        low = _mm_add_epi32(low, _mm_madd_epi16(values, _mm_set1_epi32(weights[i + 1])));
    }
    int32_t sums[4];
    _mm_storeu_si128((__m128i *)(void *)sums,
                     _mm_add_epi32(put_together(high, low), _mm_set1_epi32(MM_WEIGHT_HALF)));
    for (size_t c = 0; c < 3; c++)
        out[c] = mm_weigh_clip(sums[c]);
}

static void add4(int32_t *sums, __m128i values, __m128i high, __m128i low) {
    __m128i *at = (__m128i *)(void *)sums;
    __m128i products = put_together(_mm_madd_epi16(values, high), _mm_madd_epi16(values, low));
    _mm_storeu_si128(at, _mm_add_epi32(_mm_loadu_si128(at), products));
}

/* The first bytes, whole eights; how many. */
static size_t weigh_eights(int32_t *sums, const uint8_t *row, const uint8_t *next, int32_t weight,
                           int32_t next_weight, size_t size) {
    const __m128i zero = _mm_setzero_si128();
    const __m128i high = _mm_set1_epi32(high_pair(weight, next_weight));
    const __m128i low = _mm_set1_epi32(low_pair(weight, next_weight));
    size_t x = 0;
    for (; x + 8 <= size; x += 8) {
        __m128i a = _mm_loadl_epi64((const __m128i *)(const void *)(row + x));
        __m128i b = _mm_loadl_epi64((const __m128i *)(const void *)(next + x));
        __m128i bytes = _mm_unpacklo_epi8(a, b);
        add4(sums + x, _mm_unpacklo_epi8(bytes, zero), high, low);
        add4(sums + x + 4, _mm_unpackhi_epi8(bytes, zero), high, low);
    }
    return x;
}

#else

typedef int32_t quad __attribute__((vector_size(16)));
typedef uint8_t bytes __attribute__((vector_size(4)));

void mm_weigh_prepare(int32_t *weights, size_t count) {
    (void)weights;
    (void)count;
}

void mm_weigh_pixels(uint8_t *out, const uint8_t *from, const int32_t *weights, size_t count) {
    quad sums = {MM_WEIGHT_HALF, MM_WEIGHT_HALF, MM_WEIGHT_HALF, 0};
    for (size_t i = 0; i < count; i++) {
        bytes pixel;
        memcpy(&pixel, from + 3 * i, sizeof pixel);
        sums += __builtin_convertvector(pixel, quad) * weights[i];
    }
    for (int c = 0; c < 3; c++)
        out[c] = mm_weigh_clip(sums[c]);
}

/* Compilers make vectors of the loop below. */
static size_t weigh_eights(int32_t *sums, const uint8_t *row, const uint8_t *next, int32_t weight,
                           int32_t next_weight, size_t size) {
    (void)sums, (void)row, (void)next, (void)weight, (void)next_weight, (void)size;
    return 0;
}

#endif

void mm_weigh_rows(int32_t *restrict sums, const uint8_t *restrict row,
                   const uint8_t *restrict next, int32_t weight, int32_t next_weight, size_t size) {
    for (size_t x = weigh_eights(sums, row, next, weight, next_weight, size); x < size; x++)
        sums[x] += row[x] * weight + next[x] * next_weight;
}
