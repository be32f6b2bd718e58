/* fuzz_reply.c - replies of chat models on arbitrary bytes: what is read are labels as promised. */
#include "envision/reply.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <utf8proc.h>

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

static void check_label(const char *text) {
    size_t length = strlen(text), spaces = 0;
    for (size_t i = 0; i < length; i++) {
        spaces += text[i] == ' ';
        if ((unsigned char)text[i] < 0x20 || (text[i] == ' ' && text[i + 1] == ' '))
            abort();
    }
    if (length == 0 || text[0] == ' ' || text[length - 1] == ' ' || spaces >= MM_LABEL_MAX_WORDS ||
        characters(text) > MM_LABEL_MAX_CHARACTERS)
        abort();
}

static void check(const uint8_t *data, size_t size, int truncated) {
    mm_reply reply;
    mmood_error error;
    if (mm_reply_parse(&reply, (const char *)data, size, truncated, &error) != MMOOD_OK) {
        characters(error.message);
        return;
    }
    if (reply.count == 0 || reply.count + reply.dropped_count > MM_REPLY_MAX_ITEMS)
        abort();
    for (size_t i = 0; i < reply.count; i++)
        check_label(reply.labels[i]);
    for (size_t i = 0; i < reply.dropped_count; i++)
        if (!reply.dropped[i].reason || characters(reply.dropped[i].text) > 160)
            abort();
    for (size_t i = 0; i < reply.note_count; i++)
        characters(reply.notes[i]);
    mm_reply_free(&reply);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    check(data, size, 0);
    check(data, size, 1);
    return 0;
}
