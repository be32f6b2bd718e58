/* image.c - the decoded picture, and decoding by what the bytes are. */
#include "image/image.h"

#include "base/error.h"
#include "base/file.h"
#include "image/sniff.h"

#include <stdlib.h>
#include <string.h>

mmood_image_options mmood_image_options_default(void) {
    mmood_image_options options = {
        .apply_orientation = 1, .alpha = MMOOD_ALPHA_DROP, .max_pixels = 178956970u};
    return options;
}

mmood_status mm_image_create(mmood_image **out, size_t width, size_t height, mmood_error *error) {
    *out = NULL;
    if (width == 0 || height == 0)
        return mm_error_set(error, MMOOD_ERROR_FORMAT,
                            "the picture is %zu x %zu pixels; both sides must be at least 1", width,
                            height);
    mmood_image *image = NULL;
    if (width <= (SIZE_MAX - sizeof *image - MM_IMAGE_SLACK) / 3 / height)
        image = malloc(sizeof *image + width * height * 3 + MM_IMAGE_SLACK);
    if (!image)
        return mm_error_set(error, MMOOD_ERROR_MEMORY,
                            "no memory for a picture of %zu x %zu pixels", width, height);
    *image = (mmood_image){
        .width = width, .height = height, .shrink = 1, .full_width = width, .full_height = height};
    memset(image->pixels + width * height * 3, 0, MM_IMAGE_SLACK);
    *out = image;
    return MMOOD_OK;
}

mmood_status mm_image_check_size(uint64_t width, uint64_t height,
                                 const mmood_image_options *options, mmood_error *error) {
    if (options->max_pixels == 0 || width == 0 || height <= options->max_pixels / width)
        return MMOOD_OK;
    return mm_error_set(error, MMOOD_ERROR_LIMIT,
                        "the picture claims %llu x %llu = %.0f million pixels; the limit is %llu "
                        "pixels (--max-pixels raises it)",
                        (unsigned long long)width, (unsigned long long)height,
                        (double)width * (double)height / 1e6,
                        (unsigned long long)options->max_pixels);
}

/* What the shorter side of a picture decoded at reduced size has at least: twice what it is resized
 * to, so that the filter still does the last halving. libvips and Pillow's thumbnails leave as
 * much.
 */
static size_t least_side(const mmood_preprocess *p) {
    int side = p->shortest_edge;
    if (side <= 0)
        side = p->resize_width > p->resize_height ? p->resize_width : p->resize_height;
    return p->resize && side > 0 ? (size_t)side * 2 : 0;
}

mmood_status mmood_image_decode_for(mmood_image **out, const void *data, size_t size,
                                    const mmood_preprocess *preprocess,
                                    const mmood_image_options *options, mmood_error *error) {
    *out = NULL;
    mmood_image_options chosen = options ? *options : mmood_image_options_default();
    if (chosen.fast_decode && !preprocess)
        return mm_error_set(error, MMOOD_ERROR_ARGUMENT,
                            "fast_decode is asked for without the preprocessing that says how far "
                            "pictures may be reduced: call mmood_image_decode_for with it");
    size_t least = chosen.fast_decode ? least_side(preprocess) : 0;
    mm_format format = mm_sniff(data, size);
    int orientation = 1;
    mmood_status status;
    switch (format.kind) {
    case MM_FORMAT_JPEG:
        status = mm_decode_jpeg(out, &orientation, data, size, least, &chosen, error);
        break;
    case MM_FORMAT_PNG:
        status = mm_decode_png(out, &orientation, data, size, &chosen, error);
        break;
    case MM_FORMAT_WEBP:
        status = mm_decode_webp(out, &orientation, data, size, &chosen, error);
        break;
    case MM_FORMAT_GIF:
        status = mm_decode_gif(out, &orientation, data, size, &chosen, error);
        break;
    default:
        return mm_error_set(error, format.is_picture ? MMOOD_ERROR_UNSUPPORTED : MMOOD_ERROR_FORMAT,
                            "this is %s; JPEG, PNG, WebP and GIF pictures can be read",
                            format.name);
    }
    if (status == MMOOD_OK && chosen.apply_orientation)
        status = mm_image_orient(out, orientation, error);
    if (status != MMOOD_OK) {
        mmood_image_free(*out);
        *out = NULL;
    }
    return status;
}

mmood_status mmood_image_decode(mmood_image **out, const void *data, size_t size,
                                const mmood_image_options *options, mmood_error *error) {
    return mmood_image_decode_for(out, data, size, NULL, options, error);
}

mmood_status mmood_image_load_for(mmood_image **out, const char *path,
                                  const mmood_preprocess *preprocess,
                                  const mmood_image_options *options, mmood_error *error) {
    mm_map map;
    *out = NULL;
    mmood_status status = mm_map_open(&map, path, error);
    if (status != MMOOD_OK)
        return status;
    status = mmood_image_decode_for(out, map.data, map.size, preprocess, options, error);
    mm_map_close(&map);
    return status;
}

mmood_status mmood_image_load(mmood_image **out, const char *path,
                              const mmood_image_options *options, mmood_error *error) {
    return mmood_image_load_for(out, path, NULL, options, error);
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
