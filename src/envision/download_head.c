/* download_head.c - the headers of a reply that a download looks at. */
#include "envision/download_head.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

void mm_head_begin(mm_head *head) {
    *head = (mm_head){.length = -1, .range_start = -1, .range_total = -1, .linked_size = -1};
}

/* A number of bytes from the beginning of `text`, -1 if there is none; *end is after it. */
static int64_t parse_size(const char *text, const char **end) {
    int64_t size = 0;
    size_t n = strspn(text, "0123456789");
    *end = text + n;
    if (n == 0 || n > 18)
        return -1;
    for (size_t i = 0; i < n; i++)
        size = 10 * size + (text[i] - '0');
    return size;
}

static int64_t whole_size(const char *text) {
    const char *end;
    int64_t size = parse_size(text, &end);
    return *end ? -1 : size;
}

/* "bytes 5-9/10" or "bytes 5-9/" and a star. */
static void parse_range(mm_head *head, const char *text) {
    const char *end;
    if (strncasecmp(text, "bytes ", 6) != 0)
        return;
    int64_t start = parse_size(text + 6, &end);
    if (start < 0 || *end != '-' || parse_size(end + 1, &end) < start || *end != '/')
        return;
    head->range_start = start;
    head->range_total = whole_size(end + 1);
}

void mm_head_take(mm_head *head, const char *line, size_t size) {
    char text[512];
    size_t n = 0;
    for (size_t i = 0; i < size && n + 1 < sizeof text; i++)
        text[n++] = line[i] >= 0x20 && line[i] < 0x7f ? line[i] : ' ';
    while (n > 0 && text[n - 1] == ' ')
        n--;
    text[n] = 0;
    if (strncmp(text, "HTTP/", 5) == 0) {
        const char *code = strchr(text, ' ');
        mm_head_begin(head);
        head->code = code ? strtol(code, NULL, 10) : 0;
        return;
    }
    char *value = strchr(text, ':');
    if (!value)
        return;
    *value++ = 0;
    value += strspn(value, " ");
    const struct {
        const char *name;
        char *to;
        size_t room;
    } texts[] = {{"ETag", head->etag, sizeof head->etag},
                 {"X-Linked-ETag", head->linked_etag, sizeof head->linked_etag},
                 {"X-Repo-Commit", head->commit, sizeof head->commit},
                 {"X-Error-Code", head->error_code, sizeof head->error_code},
                 {"X-Error-Message", head->error_message, sizeof head->error_message}};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        if (strcasecmp(text, texts[i].name) == 0)
            snprintf(texts[i].to, texts[i].room, "%s", value);
    if (strcasecmp(text, "Content-Length") == 0)
        head->length = whole_size(value);
    else if (strcasecmp(text, "X-Linked-Size") == 0)
        head->linked_size = whole_size(value);
    else if (strcasecmp(text, "Content-Range") == 0)
        parse_range(head, value);
    else if (strcasecmp(text, "Content-Encoding") == 0)
        head->encoded = strcasecmp(value, "identity") != 0;
}

/* Hex digits, as many as one of two counts, in lower case; "" for anything else. */
static void copy_hex(char *out, const char *text, size_t size, size_t one, size_t other) {
    out[0] = 0;
    if ((size != one && size != other) || strspn(text, "0123456789abcdefABCDEF") < size)
        return;
    for (size_t i = 0; i < size; i++)
        out[i] = (char)tolower((unsigned char)text[i]);
    out[size] = 0;
}

/* The SHA-256 that an ETag is at the hub: "HEX", HEX or W/"HEX". */
static void copy_hash(char out[65], const char *etag) {
    etag += strncmp(etag, "W/", 2) == 0 ? 2 : 0;
    etag += *etag == '"';
    copy_hex(out, etag, strcspn(etag, "\""), 64, 64);
}

int mm_head_tell(mm_download_reply *reply, const mm_head *head, int at_home) {
    int redirects = head->code >= 300 && head->code <= 399;
    if (at_home && !reply->sha256[0])
        copy_hash(reply->sha256, head->linked_etag);
    if (at_home && !reply->sha256[0] && head->code == 200 && !head->encoded)
        copy_hash(reply->sha256, head->etag);
    if (at_home && reply->size < 0)
        reply->size = head->linked_size;
    int linked = redirects && (reply->sha256[0] || reply->size >= 0);
    if (reply->size < 0 && head->code == 200 && !head->encoded)
        reply->size = head->length;
    if (at_home && !reply->commit[0])
        copy_hex(reply->commit, head->commit, strlen(head->commit), 40, 64);
    if (head->code >= 400) {
        snprintf(reply->error_code, sizeof reply->error_code, "%.63s", head->error_code);
        snprintf(reply->said, sizeof reply->said, "%s", head->error_message);
    }
    return linked;
}

int mm_head_is_strong(const char *etag) {
    return etag[0] == '"' && strlen(etag) < MM_HEAD_TEXT - 1;
}
