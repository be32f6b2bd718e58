/* fuzz_wordnet.c - WordNet database files on arbitrary bytes: words are clean and there once. The
 * first byte chooses the kind, and with a capital letter all lemmas. */
#include "envision/wordnet.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    if (size == 0)
        return 0;
    mm_wordnet wordnet = {.all_lemmas = (data[0] & 0x20) == 0, .left_out = data[0] & 0x80};
    mm_wordnet_kind kind = (data[0] & 1) != 0 ? MM_WORDNET_ADJECTIVE : MM_WORDNET_NOUN;
    mmood_error error;
    mmood_status status = mm_wordnet_add(&wordnet, data + 1, size - 1, kind, &error);
    if (status != MMOOD_OK && (status != error.status || !error.message[0]))
        abort();
    for (size_t i = 0; i < wordnet.count; i++) {
        const char *text = mm_wordnet_text(&wordnet, i);
        if (!text[0] || strlen(text) > 255 || strchr(text, '_') || strchr(text, '\n') ||
            mm_wordnet_find(&wordnet, text) != i || wordnet.words[i].kind != kind ||
            !mm_wordnet_file_name(wordnet.words[i].file))
            abort();
    }
    mm_wordnet_free(&wordnet);
    return 0;
}
