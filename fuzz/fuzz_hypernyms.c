/* fuzz_hypernyms.c - WordNet's data.noun and index.noun on arbitrary bytes, with a line "===="
 * between them: whatever is read, questions end and answers are in range. */
#include "envision/hypernyms.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void ask(const mm_hypernyms *hypernyms, const char *label) {
    size_t senses[MM_HYPERNYMS_MAX_SENSES], ancestors[MM_HYPERNYMS_MAX_ANCESTORS];
    size_t count = mm_hypernyms_senses(hypernyms, label, senses);
    if (count > MM_HYPERNYMS_MAX_SENSES)
        abort();
    for (size_t i = 0; i < count; i++) {
        size_t n = mm_hypernyms_ancestors(hypernyms, senses[i], ancestors);
        if (n == 0 || n > MM_HYPERNYMS_MAX_ANCESTORS || ancestors[0] != senses[i])
            abort();
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static const char between[] = "\n====\n";
    size_t cut = 0, gap = sizeof between - 1;
    while (cut + gap <= size && memcmp(data + cut, between, gap) != 0)
        cut++;
    size_t index = cut + gap <= size ? cut + gap : size;
    mm_hypernyms *hypernyms;
    mmood_error error;
    if (mm_hypernyms_parse(&hypernyms, data, cut < size ? cut : size, data + index, size - index,
                           &error) != MMOOD_OK)
        return 0;
    ask(hypernyms, "dogs");
    ask(hypernyms, "Tabby_cat");
    ask(hypernyms, "entity");
    mm_hypernyms_free(hypernyms);
    return 0;
}
