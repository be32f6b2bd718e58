/* fuzz_webp.c - the WebP decoder on arbitrary bytes, with a small pixel limit; what decodes is
 * cropped too. */
#include "image/image.h"

#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    mmood_image *image;
    mmood_error error;
    int orientation;
    uint8_t crop[8 * 8 * 3];
    mmood_image_options options = mmood_image_options_default();
    options.max_pixels = 1 << 16;
    options.alpha = size % 2 ? MMOOD_ALPHA_WHITE : MMOOD_ALPHA_DROP;
    if (mm_decode_webp(&image, &orientation, data, size, &options, &error) != MMOOD_OK)
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
