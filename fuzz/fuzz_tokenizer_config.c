/* fuzz_tokenizer_config.c - tokenizer.json; a tokenizer that parses is used on arbitrary bytes. */
#include "clip/tokenizer.h"

#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    mm_tokenizer *tokenizer;
    mmood_error error;
    uint32_t ids[16];
    size_t count;
    if (mm_tokenizer_parse_json(&tokenizer, data, size, &error) != MMOOD_OK)
        return 0;
    mm_tokenizer_encode(ids, &count, NULL, tokenizer, "a photo, it's 1", 16, 16, &error);
    mm_tokenizer_free(tokenizer);
    return 0;
}
