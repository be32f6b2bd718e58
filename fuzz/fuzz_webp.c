/* fuzz_webp.c - the WebP decoder on arbitrary bytes. */
#include "picture.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    return fuzz_picture(mm_decode_webp, data, size);
}
