/* weigh.h - the inner loops of resize.c: sums of 8-bit values times weights with 22 fractional
 * bits, exact in 32-bit integers, so the same on every CPU. */
#ifndef MM_IMAGE_WEIGH_H
#define MM_IMAGE_WEIGH_H

#include <stddef.h>
#include <stdint.h>

enum { MM_WEIGHT_BITS = 22 };

/* The weights of outputs along an axis: output i is made of `length[i]` values from `first[i]` on,
 * with the weights at weights + i * taps; `taps` is even, and zeros follow the weights. */
typedef struct mm_weights {
    size_t taps;
    size_t *first;
    size_t *length;
    int32_t *weights;
} mm_weights;

/* Brings the weights of `count` outputs into the order that mm_weigh_row wants. Each is less than
 * 32 in size. */
void mm_weigh_prepare(mm_weights *weights, size_t count);

/* `count` outputs of three bytes from a row of pixels of three bytes. The weights are prepared. Up
 * to four bytes past the last pixel used are read, of which nothing comes, and one past the last
 * output is written. */
void mm_weigh_row(uint8_t *out, const uint8_t *row, const mm_weights *weights, size_t count);

/* Sets `size` sums to what they begin with, so that they are rounded. */
void mm_weigh_begin(int32_t *sums, size_t size);

/* Adds two rows of `size` bytes to `sums`, times a weight each, which is not prepared. */
void mm_weigh_add(int32_t *sums, const uint8_t *row, const uint8_t *next, int32_t weight,
                  int32_t next_weight, size_t size);

/* The 8-bit values of `size` sums, clipped. */
void mm_weigh_end(uint8_t *out, const int32_t *sums, size_t size);

#endif
