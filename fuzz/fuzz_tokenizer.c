/* fuzz_tokenizer.c - texts: any bytes end in ids between BOS and EOT, or in an error. */
#include "clip/tokenizer.h"

#include <stdint.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static mm_tokenizer *tokenizer; /* lives as long as the program */
    uint32_t ids[77];
    size_t count;
    mmood_error error;
    if (!tokenizer && mm_tokenizer_open(&tokenizer, "../tests/golden/p16-gelu", &error) != MMOOD_OK)
        abort();
    if (mm_tokenizer_encode(ids, &count, NULL, tokenizer, (const char *)data, size, 77, &error) ==
            MMOOD_OK &&
        (count < 2 || count > 77 || ids[0] != mm_tokenizer_bos(tokenizer) ||
         ids[count - 1] != mm_tokenizer_eot(tokenizer)))
        abort();
    return 0;
}
