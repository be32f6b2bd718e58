/* fuzz_detector.c - detector files on arbitrary bytes. */
#include "mmood.h"

#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    mmood_detector *detector;
    mmood_error error;
    if (mmood_detector_parse(&detector, data, size, &error) == MMOOD_OK)
        mmood_detector_free(detector);
    return 0;
}
