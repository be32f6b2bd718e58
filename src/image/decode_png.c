/* decode_png.c - PNG by libspng: all colour types and depths, interlaced or not; the first image of
 * an animated one. 16-bit samples keep their high byte. */
#include "base/error.h"
#include "image/image.h"

#include <stdlib.h>

#include <spng.h>

/* Text and colour profiles larger than this are skipped or refused by libspng. */
enum { MAX_CHUNK = 64 << 20 };

static mmood_status png_error(mmood_error *error, int code) {
    if (code == SPNG_EMEM)
        return mm_error_set(error, MMOOD_ERROR_MEMORY, "no memory to decode the PNG");
    if (code == SPNG_IO_EOF || code == SPNG_EIDAT_TOO_SHORT || code == SPNG_IO_ERROR)
        return mm_error_set(error, MMOOD_ERROR_FORMAT,
                            "the PNG is truncated: its data end too early");
    return mm_error_set(error, MMOOD_ERROR_FORMAT, "the PNG is broken: %s", spng_strerror(code));
}

static uint32_t read32(const uint8_t *p) {
    return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

static mmood_status decode(mmood_image **out, int *orientation, spng_ctx *png, const uint8_t *data,
                           size_t size, const mmood_image_options *options, mmood_error *error) {
    /* The size first, by hand: libspng gives up on absurd ones without saying what they are. */
    if (size >= 24) {
        mmood_status fits =
            mm_image_check_size(read32(data + 16), read32(data + 20), options, error);
        if (fits != MMOOD_OK)
            return fits;
    }
    struct spng_ihdr header;
    int code = spng_set_png_buffer(png, data, size);
    if (!code)
        code = spng_set_image_limits(png, 0x7fffffff, 0x7fffffff);
    if (!code)
        code = spng_set_chunk_limits(png, MAX_CHUNK, MAX_CHUNK);
    if (!code)
        code = spng_get_ihdr(png, &header);
    if (code)
        return png_error(error, code);
    mmood_status status = mm_image_create(out, header.width, header.height, error);
    if (status != MMOOD_OK)
        return status;
    size_t count = (*out)->width * (*out)->height;
    if (options->alpha == MMOOD_ALPHA_DROP) {
        code = spng_decode_image(png, (*out)->pixels, count * 3, SPNG_FMT_RGB8, 0);
    } else {
        uint8_t *rgba = count <= SIZE_MAX / 4 ? malloc(count * 4) : NULL;
        if (!rgba)
            return mm_error_set(error, MMOOD_ERROR_MEMORY, "no memory for %zu pixels", count);
        code = spng_decode_image(png, rgba, count * 4, SPNG_FMT_RGBA8, SPNG_DECODE_TRNS);
        if (!code)
            mm_alpha_flatten((*out)->pixels, rgba, count, options->alpha);
        free(rgba);
    }
    if (code)
        return png_error(error, code);
    struct spng_exif exif;
    if (spng_decode_chunks(png) == 0 && spng_get_exif(png, &exif) == 0)
        *orientation = mm_exif_orientation((const uint8_t *)exif.data, exif.length);
    return MMOOD_OK;
}

mmood_status mm_decode_png(mmood_image **out, int *orientation, const uint8_t *data, size_t size,
                           const mmood_image_options *options, mmood_error *error) {
    *out = NULL;
    *orientation = 1;
    spng_ctx *png = spng_ctx_new(0);
    if (!png)
        return mm_error_set(error, MMOOD_ERROR_MEMORY, "no memory for a PNG decoder");
    mmood_status status = decode(out, orientation, png, data, size, options, error);
    spng_ctx_free(png);
    if (status != MMOOD_OK) {
        mmood_image_free(*out);
        *out = NULL;
    }
    return status;
}
