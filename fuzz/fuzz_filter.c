/* fuzz_filter.c - outlier labels on arbitrary bytes: a line each, after the ID labels and an empty
 * line. The first byte picks the rule for phrases. */
#include "envision/filter.h"
#include "envision/reply.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <utf8proc.h>

enum { MAX_IDS = 32 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Counts characters; aborts at what is not UTF-8. */
static size_t characters(const char *text) {
    size_t count = 0;
    for (const utf8proc_uint8_t *p = (const utf8proc_uint8_t *)text; *p; count++) {
        utf8proc_int32_t c;
        utf8proc_ssize_t n = utf8proc_iterate(p, -1, &c);
        if (n <= 0)
            abort();
        p += n;
    }
    return count;
}

/* Takes a line off the text, in place. */
static char *next_line(char **text) {
    char *line = *text, *end = strchr(line, '\n');
    *text = end ? end + 1 : line + strlen(line);
    if (end)
        *end = 0;
    return line;
}

/* What is kept stays kept when it comes first in another filter, unchanged. */
static void check_again(const char *label, const char *const *ids, size_t count,
                        const mm_filter_options *options) {
    mm_filter *filter;
    int kept;
    if (mm_filter_create(&filter, ids, count, options, NULL) != MMOOD_OK ||
        mm_filter_add(filter, label, NULL, &kept, NULL) != MMOOD_OK || !kept ||
        strcmp(mm_filter_kept(filter, 0).label, label) != 0)
        abort();
    mm_filter_free(filter);
}

static void check(const mm_filter *filter, size_t added, const char *const *ids, size_t count,
                  const mm_filter_options *options) {
    if (mm_filter_kept_count(filter) + mm_filter_dropped_count(filter) != added)
        abort();
    for (size_t i = 0; i < mm_filter_kept_count(filter); i++) {
        const char *label = mm_filter_kept(filter, i).label;
        if (!*label || characters(label) > MM_LABEL_MAX_CHARACTERS)
            abort();
        if (i < 8)
            check_again(label, ids, count, options);
    }
    for (size_t i = 0; i < mm_filter_dropped_count(filter); i++) {
        characters(mm_filter_dropped(filter, i).label);
        if (characters(mm_filter_dropped(filter, i).reason) == 0)
            abort();
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    if (size == 0)
        return 0;
    mm_filter_options options = {.phrases = (mm_filter_phrases)(data[0] % 3)};
    char *copy = malloc(size), *text = copy;
    if (!copy)
        return 0;
    memcpy(copy, data + 1, size - 1);
    copy[size - 1] = 0;
    const char *ids[MAX_IDS];
    size_t count = 0, added = 0;
    for (char *line; count < MAX_IDS && *(line = next_line(&text));)
        ids[count++] = line;
    mm_filter *filter;
    mmood_error error;
    if (mm_filter_create(&filter, ids, count, &options, &error) == MMOOD_OK) {
        for (; *text && mm_filter_add(filter, next_line(&text), "x", NULL, &error) == MMOOD_OK;)
            added++;
        check(filter, added, ids, count, &options);
        mm_filter_free(filter);
    }
    free(copy);
    return 0;
}
