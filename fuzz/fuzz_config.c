/* fuzz_config.c - config.json on arbitrary bytes. */
#include "clip/config.h"

#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    mm_clip_config out;
    mmood_error error;
    mm_clip_config_parse(&out, data, size, &error);
    return 0;
}
