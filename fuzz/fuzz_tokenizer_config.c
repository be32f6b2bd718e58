/* fuzz_tokenizer_config.c - tokenizer.json, or vocab.json and merges.txt with a NUL byte between
 * them; a tokenizer that parses must encode. */
#include "clip/tokenizer.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static const char text[] = "A photo, it's 1 <|endoftext|> dof <|STARTOFTEXT|>";
    const uint8_t *nul = size ? memchr(data, 0, size) : NULL;
    size_t vocab_size = nul ? (size_t)(nul - data) : size;
    mm_tokenizer *tokenizer;
    mmood_error error;
    uint32_t ids[16];
    size_t count;
    mmood_status status = nul ? mm_tokenizer_parse_files(&tokenizer, data, vocab_size, nul + 1,
                                                         size - vocab_size - 1, &error)
                              : mm_tokenizer_parse_json(&tokenizer, data, size, &error);
    if (status != MMOOD_OK)
        return 0;
    if (mm_tokenizer_encode(ids, &count, NULL, tokenizer, text, strlen(text), 16, &error) !=
            MMOOD_OK ||
        count < 2 || ids[count - 1] != mm_tokenizer_eot(tokenizer))
        abort();
    for (size_t i = 0; i < count; i++)
        if (ids[i] >= mm_tokenizer_vocabulary(tokenizer))
            abort();
    mm_tokenizer_free(tokenizer);
    return 0;
}
