/* fuzz_download_head.c - arbitrary bytes as the headers of a server that a file is downloaded from,
 * line by line: what is believed of them has the form that it must have. */
#include "envision/download_head.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void need(int holds) {
    if (!holds)
        abort();
}

static int is_hex(const char *text) {
    return strspn(text, "0123456789abcdef") == strlen(text);
}

static int is_printable(const char *text) {
    while (*text >= 0x20 && *text < 0x7f)
        text++;
    return *text == 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    mm_download_reply reply = {.size = -1};
    mm_head head;
    int at_home = size % 2 == 0;
    mm_head_begin(&head);
    while (size > 0) {
        const uint8_t *end = memchr(data, '\n', size);
        size_t line = end ? (size_t)(end - data) + 1 : size;
        mm_head_take(&head, (const char *)data, line);
        data += line;
        size -= line;
    }
    mm_head_tell(&reply, &head, at_home);
    need(head.length >= -1 && head.linked_size >= -1);
    need(head.range_start >= -1 && head.range_total >= -1);
    need(is_printable(head.etag) && is_printable(reply.said) && is_printable(reply.error_code));
    size_t hash = strlen(reply.sha256), commit = strlen(reply.commit);
    need(reply.size >= -1);
    need(hash == 0 || (at_home && hash == 64 && is_hex(reply.sha256)));
    need(commit == 0 || (at_home && (commit == 40 || commit == 64) && is_hex(reply.commit)));
    return 0;
}
