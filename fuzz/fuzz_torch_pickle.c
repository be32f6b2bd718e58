/* fuzz_torch_pickle.c - files of torch.save, zip archive and pickle; every element of what parses
 * is read. */
#include "clip/torch.h"

#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static volatile uint8_t sink;
    mm_safetensors *set;
    mmood_error error;
    if (mm_torch_parse(&set, data, size, &error) != MMOOD_OK)
        return 0;
    for (size_t i = 0; i < mm_safetensors_count(set); i++) {
        const mm_tensor *tensor = mm_safetensors_at(set, i);
        size_t bytes = tensor->elements * mm_dtype_size(tensor->dtype);
        for (size_t at = 0; at < bytes; at++)
            sink = (uint8_t)(sink ^ tensor->data[at]);
    }
    mm_safetensors_free(set);
    return 0;
}
