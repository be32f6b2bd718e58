/* fuzz_prompts.c - prompt templates from arbitrary bytes, filled in. The first byte picks the
 * prompt. */
#include "envision/prompts.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <utf8proc.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static const mm_prompt_values values = {.class_name = "polar_bear",
                                            .labels = "cat, {count}",
                                            .sample = "cat",
                                            .categories = "pets",
                                            .drafts = "broom",
                                            .label = "rug",
                                            .count = 7};
    mm_prompts *prompts;
    mmood_error error;
    if (size == 0 || mm_prompts_load(&prompts, NULL, &error) != MMOOD_OK)
        return 0;
    mm_prompt prompt = (mm_prompt)(data[0] % MM_PROMPTS);
    char *text = NULL;
    if (mm_prompts_set(prompts, prompt, data + 1, size - 1, &error) != MMOOD_OK) {
        if (error.message[0] == '\0' ||
            strcmp(mm_prompts_text(prompts, prompt), mm_prompt_default(prompt)) != 0)
            abort();
    } else if (mm_prompts_expand_with_examples(&text, prompts, prompt, &values, &error) !=
                   MMOOD_OK ||
               !*text) {
        abort();
    }
    for (const utf8proc_uint8_t *p = (const utf8proc_uint8_t *)text; p && *p;) {
        utf8proc_int32_t c;
        utf8proc_ssize_t n = utf8proc_iterate(p, -1, &c);
        if (n <= 0)
            abort();
        p += n;
    }
    free(text);
    mm_prompts_free(prompts);
    return 0;
}
