/* weigh.c - sums of weighted 8-bit values. Every x86-64 CPU multiplies 16-bit numbers in pairs
 * (pmaddwd) but not 32-bit ones, so there a weight is cut in two parts of 12 bits and more, whose
 * sums are put together: high * 2^12 + low. */
#include "image/weigh.h"

#include <string.h>

enum { HALF = 1 << (MM_WEIGHT_BITS - 1) };

static uint8_t clip(int32_t sum) {
    int32_t value = sum >> MM_WEIGHT_BITS;
    return (uint8_t)(value < 0 ? 0 : value > 255 ? 255 : value);
}

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

void mm_weigh_prepare(mm_weights *weights, size_t count) {
    int32_t *w = weights->weights;
    for (size_t i = 0; i < count * weights->taps; i += 2) {
        int32_t first = w[i], second = w[i + 1];
        w[i] = high_pair(first, second);
        w[i + 1] = low_pair(first, second);
    }
}

static __m128i load4(const void *from) {
    int32_t bytes;
    memcpy(&bytes, from, sizeof bytes);
    return _mm_cvtsi32_si128(bytes);
}

/* The sums of one output, shifted to 8 bits but not clipped: red, green, blue, and anything. */
static __m128i weigh_pixels(const uint8_t *from, const int32_t *weights, size_t count) {
    const __m128i zero = _mm_setzero_si128();
    __m128i high = zero, low = _mm_set1_epi32(HALF);
    for (size_t i = 0; i < count; i += 2) {
        /* red, red of the next, green, green, blue, blue, and one more that is left alone */
        __m128i bytes = _mm_unpacklo_epi8(load4(from + 3 * i), load4(from + 3 * i + 3));
        __m128i values = _mm_unpacklo_epi8(bytes, zero);
        high = _mm_add_epi32(high, _mm_madd_epi16(values, _mm_set1_epi32(weights[i])));
        low = _mm_add_epi32(low, _mm_madd_epi16(values, _mm_set1_epi32(weights[i + 1])));
    }
    return _mm_srai_epi32(put_together(high, low), MM_WEIGHT_BITS);
}

void mm_weigh_row(uint8_t *out, const uint8_t *row, const mm_weights *weights, size_t count) {
    for (size_t i = 0; i < count; i++) {
        __m128i values = weigh_pixels(row + 3 * weights->first[i],
                                      weights->weights + i * weights->taps, weights->length[i]);
        __m128i words = _mm_packs_epi32(values, values);
        int32_t bytes = _mm_cvtsi128_si32(_mm_packus_epi16(words, words));
        memcpy(out + 3 * i, &bytes, sizeof bytes); /* the fourth is written over by the next */
    }
}

static void add4(int32_t *sums, __m128i values, __m128i high, __m128i low) {
    __m128i *at = (__m128i *)(void *)sums;
    __m128i products = put_together(_mm_madd_epi16(values, high), _mm_madd_epi16(values, low));
    _mm_storeu_si128(at, _mm_add_epi32(_mm_loadu_si128(at), products));
}

/* The first bytes, whole eights; how many. */
static size_t add_eights(int32_t *sums, const uint8_t *row, const uint8_t *next, int32_t weight,
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

static size_t end_eights(uint8_t *out, const int32_t *sums, size_t size) {
    size_t x = 0;
    for (; x + 8 <= size; x += 8) {
        const __m128i *at = (const __m128i *)(const void *)(sums + x);
        __m128i first = _mm_srai_epi32(_mm_loadu_si128(at), MM_WEIGHT_BITS);
        __m128i second = _mm_srai_epi32(_mm_loadu_si128(at + 1), MM_WEIGHT_BITS);
        __m128i words = _mm_packs_epi32(first, second);
        _mm_storel_epi64((__m128i *)(void *)(out + x), _mm_packus_epi16(words, words));
    }
    return x;
}

#else

typedef int32_t quad __attribute__((vector_size(16)));
typedef uint8_t bytes __attribute__((vector_size(4)));

void mm_weigh_prepare(mm_weights *weights, size_t count) {
    (void)weights, (void)count;
}

void mm_weigh_row(uint8_t *out, const uint8_t *row, const mm_weights *weights, size_t count) {
    for (size_t i = 0; i < count; i++) {
        const uint8_t *from = row + 3 * weights->first[i];
        const int32_t *w = weights->weights + i * weights->taps;
        quad sums = {HALF, HALF, HALF, 0};
        for (size_t j = 0; j < weights->length[i]; j++) {
            bytes pixel;
            memcpy(&pixel, from + 3 * j, sizeof pixel);
            sums += __builtin_convertvector(pixel, quad) * w[j];
        }
        for (int c = 0; c < 3; c++)
            out[3 * i + (size_t)c] = clip(sums[c]);
    }
}

/* Compilers make vectors of the loops below. */
static size_t add_eights(int32_t *sums, const uint8_t *row, const uint8_t *next, int32_t weight,
                         int32_t next_weight, size_t size) {
    (void)sums, (void)row, (void)next, (void)weight, (void)next_weight, (void)size;
    return 0;
}

static size_t end_eights(uint8_t *out, const int32_t *sums, size_t size) {
    (void)out, (void)sums, (void)size;
    return 0;
}

#endif

void mm_weigh_begin(int32_t *sums, size_t size) {
    for (size_t x = 0; x < size; x++)
        sums[x] = HALF;
}

void mm_weigh_add(int32_t *restrict sums, const uint8_t *restrict row, const uint8_t *restrict next,
                  int32_t weight, int32_t next_weight, size_t size) {
    for (size_t x = add_eights(sums, row, next, weight, next_weight, size); x < size; x++)
        sums[x] += row[x] * weight + next[x] * next_weight;
}

void mm_weigh_end(uint8_t *restrict out, const int32_t *restrict sums, size_t size) {
    for (size_t x = end_eights(out, sums, size); x < size; x++)
        out[x] = clip(sums[x]);
}
