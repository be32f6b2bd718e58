/* orient.c - the eight EXIF orientations. */
#include "image/image.h"

#include <string.h>

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
