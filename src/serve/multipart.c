/* multipart.c - parts of a multipart/form-data body. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE /* memmem */
#endif
#include "serve/multipart.h"

#include "base/error.h"

#include <string.h>
#include <strings.h>

/* Copies the parameter `name` of a header's value, plain or quoted, cut to `room` - 1 bytes; 0 if
 * it is not there. The value ends at `end`. */
static int parameter(char *out, size_t room, const char *value, const char *end, const char *name) {
    size_t length = strlen(name);
    const char *p = value;
    while (p < end) {
        const char *semicolon = memchr(p, ';', (size_t)(end - p));
        if (!semicolon)
            return 0;
        for (p = semicolon + 1; p < end && (*p == ' ' || *p == '\t');)
            p++;
        int found =
            (size_t)(end - p) > length && strncasecmp(p, name, length) == 0 && p[length] == '=';
        while (p < end && *p != '=' && *p != ';')
            p++;
        if (p == end || *p == ';')
            continue;
        int quoted = ++p < end && *p == '"';
        size_t n = 0;
        for (p += quoted; p < end && (quoted ? *p != '"' : *p != ';' && *p != ' '); p++) {
            if (quoted && *p == '\\' && p + 1 < end && (p[1] == '"' || p[1] == '\\'))
                p++;
            if (found && n + 1 < room && *p)
                out[n++] = *p;
        }
        if (found) {
            out[n] = '\0';
            return 1;
        }
    }
    return 0;
}

/* After a delimiter: 1 a part follows, 2 it was the last one, 0 it is text that looks alike. */
static int after_delimiter(const char **at, const char *end) {
    const char *p = *at;
    if (end - p >= 2 && p[0] == '-' && p[1] == '-')
        return 2;
    while (p < end && (*p == ' ' || *p == '\t'))
        p++;
    if (end - p < 2 || p[0] != '\r' || p[1] != '\n')
        return 0;
    *at = p + 2;
    return 1;
}

/* The next delimiter at or after `from`; NULL if there is none. `*kind` as above, `*behind` where
 * the part begins. */
static const char *find_delimiter(const mm_multipart *reader, const char *from, int *kind,
                                  const char **behind) {
    for (const char *p = from; p < reader->end; p++) {
        p = memmem(p, (size_t)(reader->end - p), reader->delimiter, reader->delimiter_size);
        if (!p)
            return NULL;
        *behind = p + reader->delimiter_size;
        *kind = after_delimiter(behind, reader->end);
        if (*kind)
            return p;
    }
    return NULL;
}

mmood_status mm_multipart_begin(mm_multipart *out, const char *content_type, const void *data,
                                size_t size, mmood_error *error) {
    const char *body = data;
    char boundary[MM_BOUNDARY_MAX + 2];
    *out = (mm_multipart){.at = body, .end = body + size};
    if (!parameter(boundary, sizeof boundary, content_type, content_type + strlen(content_type),
                   "boundary") ||
        !boundary[0])
        return mm_error_set(error, MMOOD_ERROR_FORMAT,
                            "the Content-Type multipart has no boundary; expected boundary=...");
    if (strlen(boundary) > MM_BOUNDARY_MAX)
        return mm_error_set(error, MMOOD_ERROR_FORMAT,
                            "the boundary of the multipart body is longer than 70 characters");
    memcpy(out->delimiter, "\r\n--", 4);
    memcpy(out->delimiter + 4, boundary, strlen(boundary));
    out->delimiter_size = 4 + strlen(boundary);
    int kind = 0;
    size_t first = out->delimiter_size - 2; /* at the beginning it needs no line break before it */
    if (size >= first && memcmp(body, out->delimiter + 2, first) == 0) {
        out->at = body + first;
        kind = after_delimiter(&out->at, out->end);
    }
    if (!kind && (size == 0 || !find_delimiter(out, body, &kind, &out->at)))
        return mm_error_set(error, MMOOD_ERROR_FORMAT,
                            "the multipart body does not contain its boundary \"%s\"", boundary);
    out->finished = kind == 2;
    return MMOOD_OK;
}

static void read_head(mm_part *out, const char *head, const char *end) {
    static const char wanted[] = "content-disposition:";
    while (head < end) {
        const char *line = memmem(head, (size_t)(end - head), "\r\n", 2);
        const char *stop = line ? line : end;
        if ((size_t)(stop - head) >= sizeof wanted - 1 &&
            strncasecmp(head, wanted, sizeof wanted - 1) == 0) {
            parameter(out->name, sizeof out->name, head, stop, "name");
            out->has_filename =
                parameter(out->filename, sizeof out->filename, head, stop, "filename");
        }
        head = line ? line + 2 : end;
    }
}

mmood_status mm_multipart_next(mm_part *out, int *found, mm_multipart *reader, mmood_error *error) {
    *out = (mm_part){0};
    *found = 0;
    if (reader->finished)
        return MMOOD_OK;
    const char *head = reader->at, *behind;
    size_t left = (size_t)(reader->end - head);
    const char *blank;
    const char *contents;
    if (left >= 2 && memcmp(head, "\r\n", 2) == 0) {
        blank = head;
        contents = head + 2;
    } else {
        blank = memmem(head, left < MM_PART_HEAD_MAX ? left : MM_PART_HEAD_MAX, "\r\n\r\n", 4);
        if (!blank)
            return mm_error_set(error, MMOOD_ERROR_FORMAT,
                                "a part of the multipart body has no head that ends in an empty "
                                "line within %d bytes",
                                MM_PART_HEAD_MAX);
        contents = blank + 4;
    }
    read_head(out, head, blank);
    int kind;
    /* A part without contents shares the line break of its head with the delimiter. */
    const char *end = find_delimiter(reader, contents - 2, &kind, &behind);
    if (!end)
        return mm_error_set(error, MMOOD_ERROR_FORMAT,
                            "the multipart body is cut off: its last boundary is missing");
    out->data = (const uint8_t *)contents;
    out->size = end > contents ? (size_t)(end - contents) : 0;
    reader->at = behind;
    reader->finished = kind == 2;
    *found = 1;
    return MMOOD_OK;
}
