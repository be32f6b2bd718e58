/* shrink.c - smaller copies of pictures, in their proportions. */
#include "image/image.h"
#include "image/resize.h"

/* `n` scaled by to / from, rounded, at least 1. */
static size_t scaled(size_t n, size_t to, size_t from) {
    size_t result = (size_t)((double)n * (double)to / (double)from + 0.5);
    return result > 0 ? result : 1;
}

mmood_status mm_image_shrink(mmood_image **out, const mmood_image *image, size_t side,
                             mmood_error *error) {
    size_t width = image->full_width, height = image->full_height;
    size_t longer = width > height ? width : height;
    width = scaled(width, side, longer);
    height = scaled(height, side, longer);
    mmood_status status = mm_image_create(out, width, height, error);
    if (status != MMOOD_OK)
        return status;
    status = mm_resize((*out)->pixels, width * 3, image, width, height, MMOOD_FILTER_BICUBIC,
                       (mm_window){0, 0, width, height}, error);
    if (status != MMOOD_OK) {
        mmood_image_free(*out);
        *out = NULL;
    }
    return status;
}
