/* fuzz_labels.c - files of labels on arbitrary bytes. */
#include "mmood.h"

#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    mmood_labels *labels;
    mmood_error error;
    if (mmood_labels_parse(&labels, data, size, &error) == MMOOD_OK)
        mmood_labels_free(labels);
    return 0;
}
