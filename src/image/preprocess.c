/* preprocess.c - from a picture to the 8-bit crop that the model sees, in Hugging Face's order:
 * resize, then cut out the middle. */
#include "base/error.h"
#include "image/image.h"
#include "image/resize.h"

#include <math.h>
#include <string.h>

/* A side of more pixels than this after resizing is refused: weights are kept for what is cut out
 * only, but positions must stay exact in a double. */
static const size_t max_side = (size_t)1 << 31;

/* The size after resizing. */
static mmood_status target_size(size_t *width, size_t *height, const mmood_image *image,
                                const mmood_preprocess *p, mmood_error *error) {
    *width = image->full_width;
    *height = image->full_height;
    if (!p->resize)
        return MMOOD_OK;
    if (p->shortest_edge > 0) {
        size_t edge = (size_t)p->shortest_edge;
        int wide = *width > *height;
        size_t shorter = wide ? *height : *width;
        size_t longer = wide ? *width : *height;
        double scaled =
            (double)edge * (double)longer / (double)shorter; /* truncated, as int() does */
        if (scaled >= (double)max_side)
            return mm_error_set(error, MMOOD_ERROR_LIMIT,
                                "a picture of %zu x %zu pixels would be over %zu pixels long after "
                                "resizing",
                                *width, *height, max_side);
        *width = wide ? (size_t)scaled : edge;
        *height = wide ? edge : (size_t)scaled;
        return MMOOD_OK;
    }
    if (p->longest_edge > 0) {
        size_t longer = *width > *height ? *width : *height;
        double ratio = (double)longer / (double)p->longest_edge;
        *width = (size_t)rint((double)*width / ratio); /* half to even, as Python's round() */
        *height = (size_t)rint((double)*height / ratio);
        if (*width == 0 || *height == 0)
            return mm_error_set(error, MMOOD_ERROR_LIMIT,
                                "an image of %zu x %zu pixels would have a side of none after "
                                "resizing its longer side to %d",
                                image->full_width, image->full_height, p->longest_edge);
        return MMOOD_OK;
    }
    *width = (size_t)p->resize_width;
    *height = (size_t)p->resize_height;
    return MMOOD_OK;
}

/* Where `crop` pixels of a side of `side` pixels lie: from `from` on in the picture, from `to` on
 * in the crop, `count` of them. The rest of the crop is padding. */
static void center(size_t *from, size_t *to, size_t *count, size_t side, size_t crop,
                   mmood_crop_rule rule) {
    if (side >= crop) {
        *from = (side - crop) / 2;
        if (rule == MMOOD_CROP_TORCHVISION && (side - crop) % 2 && *from % 2)
            ++*from; /* a half is rounded to even */
        *to = 0;
        *count = crop;
    } else {
        *from = 0;
        *to = (crop - side + (rule == MMOOD_CROP_TRANSFORMERS)) / 2;
        *count = side;
    }
}

mmood_status mmood_image_preprocess(uint8_t *out, size_t out_size, const mmood_image *image,
                                    const mmood_preprocess *preprocess, mmood_error *error) {
    const mmood_preprocess *p = preprocess;
    if (p->crop_width < 1 || p->crop_height < 1 || p->crop_width > 1 << 14 ||
        p->crop_height > 1 << 14 ||
        (p->resize && p->shortest_edge <= 0 && p->longest_edge <= 0 &&
         (p->resize_width < 1 || p->resize_height < 1)) ||
        p->fill < 0 || p->fill > 255 ||
        (p->filter != MMOOD_FILTER_BILINEAR && p->filter != MMOOD_FILTER_BICUBIC))
        return mm_error_set(error, MMOOD_ERROR_ARGUMENT,
                            "the preprocessing settings are not valid: crop %d x %d, shortest edge "
                            "%d, filter %d",
                            p->crop_width, p->crop_height, p->shortest_edge, (int)p->filter);
    size_t crop_width = (size_t)p->crop_width, crop_height = (size_t)p->crop_height;
    size_t width, height;
    if (out_size != crop_width * crop_height * 3)
        return mm_error_set(error, MMOOD_ERROR_ARGUMENT,
                            "the crop needs %zu bytes; the buffer has %zu",
                            crop_width * crop_height * 3, out_size);
    mmood_status status = target_size(&width, &height, image, p, error);
    if (status != MMOOD_OK)
        return status;
    if (!p->center_crop && (width != crop_width || height != crop_height))
        return mm_error_set(
            error, MMOOD_ERROR_MISMATCH,
            "the model's preprocessing does not crop, and makes this picture %zu x %zu "
            "pixels; the model takes %zu x %zu",
            width, height, crop_width, crop_height);
    mm_window window;
    size_t to_x, to_y;
    center(&window.x, &to_x, &window.width, width, crop_width, p->crop_rule);
    center(&window.y, &to_y, &window.height, height, crop_height, p->crop_rule);
    if (window.width < crop_width || window.height < crop_height)
        memset(out, p->fill, out_size);
    return mm_resize(out + (to_y * crop_width + to_x) * 3, crop_width * 3, image, width, height,
                     p->filter, window, error);
}
