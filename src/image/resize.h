/* resize.h - Pillow's antialiased resampling on 8-bit values, for the part of the result that is
 * needed. */
#ifndef MM_IMAGE_RESIZE_H
#define MM_IMAGE_RESIZE_H

#include "mmood.h"

/* A rectangle of the resized picture. */
typedef struct mm_window {
    size_t x;
    size_t y;
    size_t width;
    size_t height;
} mm_window;

/* Writes `window` of `image` resized to `width` x `height` to `out`, whose rows are `stride` bytes
 * apart. Equal to Pillow's Image.resize byte for byte. Works in memory for the weights (some 16
 * bytes for each row and column of the picture and 40 for each of the window) and for sums of the
 * size of the window at most, 12 bytes a pixel, and two rows: never for a whole picture between the
 * passes. `window` lies inside the resized picture. */
mmood_status mm_resize(uint8_t *out, size_t stride, const mmood_image *image, size_t width,
                       size_t height, mmood_filter filter, mm_window window, mmood_error *error);

#endif
