/* weigh.h - the inner loops of resize.c: sums of 8-bit values times weights with 22 fractional
 * bits, exact in 32-bit integers, so the same on every CPU. */
#ifndef MM_IMAGE_WEIGH_H
#define MM_IMAGE_WEIGH_H

#include <stddef.h>
#include <stdint.h>

enum { MM_WEIGHT_BITS = 22 };

/* What a sum of weighted values is to begin with, so that it is rounded. */
enum { MM_WEIGHT_HALF = 1 << (MM_WEIGHT_BITS - 1) };

/* The 8-bit value of a sum. */
static inline uint8_t mm_weigh_clip(int32_t sum) {
    int32_t value = sum >> MM_WEIGHT_BITS;
    return (uint8_t)(value < 0 ? 0 : value > 255 ? 255 : value);
}

/* Brings `count` weights, an even number, into the order that mm_weigh_pixels wants. Each is less
 * than 32 in size. */
void mm_weigh_prepare(int32_t *weights, size_t count);

/* The three sums of `count` pixels of three bytes, one after another from `from` on, clipped, to
 * `out`. `weights` are prepared; where `count` is odd one more follows, which is 0. Up to four
 * bytes past the last pixel are read, of which nothing comes. */
void mm_weigh_pixels(uint8_t *out, const uint8_t *from, const int32_t *weights, size_t count);

/* Adds two rows of `size` bytes to `sums`, times a weight each, which is not prepared. */
void mm_weigh_rows(int32_t *sums, const uint8_t *row, const uint8_t *next, int32_t weight,
                   int32_t next_weight, size_t size);

#endif
