/* fuzz_jpeg.c - the JPEG decoder on arbitrary bytes, in full and at reduced size. */
#include "picture.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static mmood_status in_full(mmood_image **out, int *orientation, const uint8_t *data, size_t size,
                            const mmood_image_options *options, mmood_error *error) {
    return mm_decode_jpeg(out, orientation, data, size, 0, options, error);
}

static mmood_status reduced(mmood_image **out, int *orientation, const uint8_t *data, size_t size,
                            const mmood_image_options *options, mmood_error *error) {
    return mm_decode_jpeg(out, orientation, data, size, 1 + size % 16, options, error);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    fuzz_picture(in_full, data, size);
    return fuzz_picture(reduced, data, size);
}
