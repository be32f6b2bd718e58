/* image.h - the decoded picture inside the library. */
#ifndef MM_IMAGE_IMAGE_H
#define MM_IMAGE_IMAGE_H

#include "mmood.h"

struct mmood_image {
    size_t width;
    size_t height;
    uint8_t pixels[]; /* [height, width, 3] */
};

/* A picture whose pixels are not yet set. FORMAT if a side is 0. */
mmood_status mm_image_create(mmood_image **out, size_t width, size_t height, mmood_error *error);

#endif
