/* picture.h - what the fuzz targets of all decoders do: decode arbitrary bytes with a small pixel
 * limit, turn and crop what decodes. */
#ifndef MM_FUZZ_PICTURE_H
#define MM_FUZZ_PICTURE_H

#include "image/image.h"

typedef mmood_status fuzz_decoder(mmood_image **out, int *orientation, const uint8_t *data,
                                  size_t size, const mmood_image_options *options,
                                  mmood_error *error);

static inline int fuzz_picture(fuzz_decoder *decode, const uint8_t *data, size_t size) {
    mmood_image *image;
    mmood_error error;
    int orientation;
    uint8_t crop[8 * 8 * 3];
    mmood_image_options options = mmood_image_options_default();
    options.max_pixels = 1 << 16;
    options.alpha = size % 2 ? MMOOD_ALPHA_WHITE : MMOOD_ALPHA_DROP;
    if (decode(&image, &orientation, data, size, &options, &error) != MMOOD_OK)
        return 0;
    mmood_preprocess settings = {.resize = 1,
                                 .shortest_edge = 8,
                                 .filter = MMOOD_FILTER_BICUBIC,
                                 .center_crop = 1,
                                 .crop_width = 8,
                                 .crop_height = 8};
    if (mm_image_orient(&image, orientation, &error) == MMOOD_OK)
        mmood_image_preprocess(crop, sizeof crop, image, &settings, &error);
    mmood_image_free(image);
    return 0;
}

#endif
