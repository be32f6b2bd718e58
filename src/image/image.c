/* image.c - the decoded picture: an RGB buffer with its size. */
#include "image/image.h"

#include "base/error.h"

#include <stdlib.h>
#include <string.h>

mmood_image_options mmood_image_options_default(void) {
    mmood_image_options options = {1, MMOOD_ALPHA_DROP, 178956970u};
    return options;
}

mmood_status mm_image_create(mmood_image **out, size_t width, size_t height, mmood_error *error) {
    *out = NULL;
    if (width == 0 || height == 0)
        return mm_error_set(error, MMOOD_ERROR_FORMAT,
                            "the picture is %zu x %zu pixels; both sides must be at least 1", width,
                            height);
    mmood_image *image = NULL;
    if (width <= (SIZE_MAX - sizeof *image) / 3 / height)
        image = malloc(sizeof *image + width * height * 3);
    if (!image)
        return mm_error_set(error, MMOOD_ERROR_MEMORY,
                            "no memory for a picture of %zu x %zu pixels", width, height);
    image->width = width;
    image->height = height;
    *out = image;
    return MMOOD_OK;
}

mmood_status mmood_image_from_rgb(mmood_image **out, const uint8_t *rgb, size_t width,
                                  size_t height, mmood_error *error) {
    mmood_status status = mm_image_create(out, width, height, error);
    if (status == MMOOD_OK)
        memcpy((*out)->pixels, rgb, width * height * 3);
    return status;
}

size_t mmood_image_width(const mmood_image *image) {
    return image->width;
}

size_t mmood_image_height(const mmood_image *image) {
    return image->height;
}

const uint8_t *mmood_image_pixels(const mmood_image *image) {
    return image->pixels;
}

void mmood_image_free(mmood_image *image) {
    free(image);
}
