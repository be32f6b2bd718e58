/* image.h - the decoded picture inside the library, and the decoders, each a function of bytes. */
#ifndef MM_IMAGE_IMAGE_H
#define MM_IMAGE_IMAGE_H

#include "mmood.h"

struct mmood_image {
    size_t width;
    size_t height;
    /* A picture decoded at 1 / shrink of its size: that in the file, and where its edges are. Sizes
     * are rounded up, so it covers full_width / shrink of the columns, from `left` on, not the
     * whole of the last one (of the first, once mirrored); rows alike. */
    unsigned shrink; /* 1: in full */
    size_t full_width;
    size_t full_height;
    double left;
    double top;
    uint8_t pixels[]; /* [height, width, 3], and MM_IMAGE_SLACK bytes that may be read, not used */
};

enum { MM_IMAGE_SLACK = 4 };

/* A picture whose pixels are not yet set. FORMAT if a side is 0. */
mmood_status mm_image_create(mmood_image **out, size_t width, size_t height, mmood_error *error);

/* LIMIT if a picture of this size has more pixels than the options allow. Decoders call it as soon
 * as they know the size, before they allocate. */
mmood_status mm_image_check_size(uint64_t width, uint64_t height,
                                 const mmood_image_options *options, mmood_error *error);

/* One pixel over a plain background: drop, white or black. */
void mm_alpha_blend(uint8_t out[3], const uint8_t rgba[4], mmood_alpha alpha);

/* [count, 4] to [count, 3]. */
void mm_alpha_flatten(uint8_t *out, const uint8_t *rgba, size_t count, mmood_alpha alpha);

/* The decoders. `*orientation` is EXIF's, 1 if there is none. `options` is not NULL. A JPEG is
 * decoded at the smallest size whose shorter side has `least` pixels still; 0: in full. */
mmood_status mm_decode_jpeg(mmood_image **out, int *orientation, const uint8_t *data, size_t size,
                            size_t least, const mmood_image_options *options, mmood_error *error);
mmood_status mm_decode_png(mmood_image **out, int *orientation, const uint8_t *data, size_t size,
                           const mmood_image_options *options, mmood_error *error);
mmood_status mm_decode_webp(mmood_image **out, int *orientation, const uint8_t *data, size_t size,
                            const mmood_image_options *options, mmood_error *error);
mmood_status mm_decode_gif(mmood_image **out, int *orientation, const uint8_t *data, size_t size,
                           const mmood_image_options *options, mmood_error *error);

/* The orientation (1 to 8) that an EXIF block says, which begins with a TIFF header ("II" or "MM"),
 * after "Exif\0\0" or not; 1 if it says none or nonsense. */
int mm_exif_orientation(const uint8_t *data, size_t size);

/* Turns and mirrors `*image` so that orientation 1 is right; replaces it if anything changes. */
mmood_status mm_image_orient(mmood_image **image, int orientation, mmood_error *error);

/* A copy of `image` whose longer side is `side` pixels; the shorter one has at least 1. */
mmood_status mm_image_shrink(mmood_image **out, const mmood_image *image, size_t side,
                             mmood_error *error);

#endif
