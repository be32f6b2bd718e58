/* fuzz_safetensors.c - safetensors files; what parses is read through on arbitrary bytes. */
#include "clip/safetensors.h"

#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    mm_safetensors *set;
    mmood_error error;
    if (mm_safetensors_parse(&set, data, size, &error) != MMOOD_OK)
        return 0;
    for (size_t i = 0; i < mm_safetensors_count(set); i++) {
        const mm_tensor *tensor = mm_safetensors_at(set, i);
        float values[16];
        size_t count = tensor->elements < 16 ? tensor->elements : 16;
        mm_tensor_to_f32(values, tensor, tensor->elements - count, count, &error);
    }
    mm_safetensors_free(set);
    return 0;
}
