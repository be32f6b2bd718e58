/* text.c - escaping for JSON, CSV and terminals. */
#include "base/text.h"

#include <math.h>
#include <stdint.h>
#include <string.h>
#include <utf8proc.h>

/* Length of the valid UTF-8 character at `text`, or 0. */
static size_t character(const char *text) {
    utf8proc_int32_t c;
    utf8proc_ssize_t n =
        utf8proc_iterate((const utf8proc_uint8_t *)text, (utf8proc_ssize_t)strnlen(text, 4), &c);
    return n > 0 ? (size_t)n : 0;
}

void mm_json_text(mm_buffer *out, const char *text) {
    if (!text) {
        mm_buffer_puts(out, "null");
        return;
    }
    mm_buffer_puts(out, "\"");
    for (const char *p = text; *p;) {
        unsigned char c = (unsigned char)*p;
        size_t n = character(p);
        if (c == '"' || c == '\\')
            mm_buffer_printf(out, "\\%c", c);
        else if (c == '\n')
            mm_buffer_puts(out, "\\n");
        else if (c < 0x20 || c == 0x7f)
            mm_buffer_printf(out, "\\u%04x", c);
        else if (n == 0)
            mm_buffer_puts(out, "\\ufffd");
        else
            mm_buffer_append(out, p, n);
        p += n ? n : 1;
    }
    mm_buffer_puts(out, "\"");
}

static int is_utf8(const char *text) {
    for (size_t n; *text; text += n)
        if (!(n = character(text)))
            return 0;
    return 1;
}

void mm_base64(mm_buffer *out, const void *data, size_t size) {
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    const uint8_t *bytes = data;
    for (size_t i = 0; i < size; i += 3) {
        size_t left = size - i;
        uint32_t bits = (uint32_t)bytes[i] << 16;
        bits |= left > 1 ? (uint32_t)bytes[i + 1] << 8 : 0;
        bits |= left > 2 ? (uint32_t)bytes[i + 2] : 0;
        char group[4] = {digits[bits >> 18], digits[bits >> 12 & 63],
                         left > 1 ? digits[bits >> 6 & 63] : '=',
                         left > 2 ? digits[bits & 63] : '='};
        mm_buffer_append(out, group, 4);
    }
}

void mm_json_path(mm_buffer *out, const char *path) {
    mm_buffer_puts(out, "\"path\":");
    mm_json_text(out, path);
    if (!is_utf8(path)) {
        mm_buffer_puts(out, ",\"path_bytes\":\"");
        mm_base64(out, path, strlen(path));
        mm_buffer_puts(out, "\"");
    }
}

void mm_json_number(mm_buffer *out, double value) {
    if (isfinite(value))
        mm_buffer_printf(out, "%.9g", value);
    else
        mm_buffer_puts(out, "null");
}

void mm_json_exact(mm_buffer *out, double value) {
    if (isfinite(value))
        mm_buffer_printf(out, "%.17g", value);
    else
        mm_buffer_puts(out, "null");
}

void mm_csv_text(mm_buffer *out, const char *text) {
    if (!text)
        return;
    if (!strpbrk(text, ",\"\r\n")) {
        mm_buffer_puts(out, text);
        return;
    }
    mm_buffer_puts(out, "\"");
    for (; *text; text++) {
        if (*text == '"')
            mm_buffer_puts(out, "\"");
        mm_buffer_append(out, text, 1);
    }
    mm_buffer_puts(out, "\"");
}

void mm_csv_number(mm_buffer *out, double value) {
    if (isfinite(value))
        mm_buffer_printf(out, "%.9g", value);
}

/* What a terminal would act on: C0, DEL and C1. */
static int is_control(utf8proc_int32_t code) {
    return code < 0x20 || (code >= 0x7f && code < 0xa0);
}

/* What stands in a table for the bytes at `p`. */
typedef struct cell {
    size_t size;    /* bytes */
    size_t columns; /* 0 for a mark on the character before */
    int shown;      /* 0: a question mark is */
} cell;

static cell cell_at(const char *p) {
    utf8proc_int32_t code = 0;
    size_t n = character(p);
    if (n)
        utf8proc_iterate((const utf8proc_uint8_t *)p, (utf8proc_ssize_t)n, &code);
    if (n == 0 || is_control(code))
        return (cell){n ? n : 1, 1, 0};
    int wide = utf8proc_charwidth(code);
    return (cell){n, wide > 0 ? (size_t)wide : 0, 1};
}

void mm_table_text(mm_buffer *out, const char *text, size_t width) {
    size_t used = 0;
    for (const char *p = text; *p && used < width;) {
        cell c = cell_at(p);
        if (used + c.columns > width)
            break;
        if (c.shown)
            mm_buffer_append(out, p, c.size);
        else
            mm_buffer_puts(out, "?");
        used += c.columns;
        p += c.size;
    }
    while (used++ < width)
        mm_buffer_puts(out, " ");
}

size_t mm_table_width(const char *text) {
    size_t columns = 0;
    while (*text) {
        cell c = cell_at(text);
        columns += c.columns;
        text += c.size;
    }
    return columns;
}

size_t mm_table_skip(const char *text, size_t columns) {
    const char *p = text;
    for (size_t skipped = 0; *p && skipped < columns;) {
        cell c = cell_at(p);
        skipped += c.columns;
        p += c.size;
    }
    while (*p && cell_at(p).columns == 0)
        p += cell_at(p).size; /* marks belong to what was skipped */
    return (size_t)(p - text);
}
