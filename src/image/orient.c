/* orient.c - the eight EXIF orientations. */
#include "image/image.h"

#include <string.h>

/* Where the picture begins on an axis of `side` pixels, if it did at `begin` before. */
static double mirrored(double begin, size_t side, size_t full, unsigned shrink, int flip) {
    return flip ? (double)side - (double)full / shrink - begin : begin;
}

mmood_status mm_image_orient(mmood_image **image, int orientation, mmood_error *error) {
    if (orientation <= 1 || orientation > 8)
        return MMOOD_OK;
    const mmood_image *from = *image;
    int swap = orientation >= 5; /* rows become columns */
    int flip_x = orientation == 2 || orientation == 3 || orientation == 7 || orientation == 8;
    int flip_y = orientation == 3 || orientation == 4 || orientation == 6 || orientation == 7;
    mmood_image *to;
    mmood_status status = mm_image_create(&to, swap ? from->height : from->width,
                                          swap ? from->width : from->height, error);
    if (status != MMOOD_OK)
        return status;
    to->shrink = from->shrink;
    to->full_width = swap ? from->full_height : from->full_width;
    to->full_height = swap ? from->full_width : from->full_height;
    to->left = mirrored(swap ? from->top : from->left, to->width, to->full_width, to->shrink,
                        swap ? flip_y : flip_x);
    to->top = mirrored(swap ? from->left : from->top, to->height, to->full_height, to->shrink,
                       swap ? flip_x : flip_y);
    for (size_t y = 0; y < to->height; y++)
        for (size_t x = 0; x < to->width; x++) {
            size_t sx = swap ? y : x, sy = swap ? x : y;
            if (flip_x)
                sx = from->width - 1 - sx;
            if (flip_y)
                sy = from->height - 1 - sy;
            memcpy(to->pixels + (y * to->width + x) * 3, from->pixels + (sy * from->width + sx) * 3,
                   3);
        }
    mmood_image_free(*image);
    *image = to;
    return MMOOD_OK;
}
