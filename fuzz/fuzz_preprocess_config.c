/* fuzz_preprocess_config.c - preprocessor_config.json on arbitrary bytes. */
#include "image/preprocess_config.h"

#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    mmood_preprocess out;
    mmood_error error;
    mm_preprocess_parse(&out, data, size, &error);
    return 0;
}
