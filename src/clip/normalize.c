/* normalize.c - Unicode's composed form (NFC), runs of white space to one space, lower case.
 * utf8proc has the tables and composes; marks are put in order here, since utf8proc sorts them in
 * quadratic time: a text of a megabyte of marks would take it minutes. */
#include "clip/normalize.h"

#include "base/error.h"

#include <stdlib.h>
#include <string.h>

enum { MAX_DECOMPOSED = 18 }; /* code points that one becomes; canonically 4 at most */

/* Decomposed code points, with room for as many again, which sorting needs. */
typedef struct points {
    utf8proc_int32_t *items;
    size_t count;
    size_t room;
} points;

static int reserve(points *p) {
    if (p->count + MAX_DECOMPOSED <= p->room)
        return 1;
    size_t room = 2 * p->room + MAX_DECOMPOSED;
    utf8proc_int32_t *grown = realloc(p->items, 2 * room * sizeof *grown);
    if (!grown)
        return 0;
    p->items = grown;
    p->room = room;
    return 1;
}

static uint8_t class_of(utf8proc_int32_t c) {
    return (uint8_t)utf8proc_get_property(c)->combining_class;
}

/* A stable counting sort of one run of marks by combining class. */
static void sort_marks(utf8proc_int32_t *marks, size_t count, utf8proc_int32_t *spare) {
    size_t next[257] = {0};
    for (size_t i = 0; i < count; i++)
        next[class_of(marks[i]) + 1]++;
    for (size_t class = 1; class < 257; class ++)
        next[class] += next[class - 1];
    memcpy(spare, marks, count * sizeof *marks);
    for (size_t i = 0; i < count; i++)
        marks[next[class_of(spare[i])]++] = spare[i];
}

/* The canonical ordering algorithm (The Unicode Standard, D109). */
static void order_marks(points *p) {
    for (size_t at = 0; at < p->count;) {
        size_t end = at;
        while (end < p->count && class_of(p->items[end]) != 0)
            end++;
        if (end - at > 1)
            sort_marks(p->items + at, end - at, p->items + p->room);
        at = end + 1;
    }
}

/* The composed form of `text`, as `*count` code points that the caller frees. */
static mmood_status compose(utf8proc_int32_t **out, size_t *count, const char *text, size_t size,
                            mmood_error *error) {
    points p = {0};
    utf8proc_ssize_t length = 0;
    *out = NULL;
    for (size_t at = 0; at < size && length >= 0;) {
        utf8proc_int32_t c;
        int boundary = 0; /* utf8proc wants it, for grapheme clusters alone */
        utf8proc_ssize_t n = utf8proc_iterate((const utf8proc_uint8_t *)text + at,
                                              (utf8proc_ssize_t)(size - at), &c);
        length = n < 0 ? n
                 : !reserve(&p)
                     ? UTF8PROC_ERROR_NOMEM
                     : utf8proc_decompose_char(c, p.items + p.count, MAX_DECOMPOSED,
                                               UTF8PROC_STABLE | UTF8PROC_DECOMPOSE, &boundary);
        if (length >= 0) {
            p.count += (size_t)length;
            at += (size_t)n;
        }
    }
    if (length >= 0) {
        order_marks(&p);
        length = utf8proc_normalize_utf32(p.items, (utf8proc_ssize_t)p.count,
                                          UTF8PROC_STABLE | UTF8PROC_COMPOSE);
    }
    if (length < 0) {
        free(p.items);
        return mm_error_set(
            error, length == UTF8PROC_ERROR_NOMEM ? MMOOD_ERROR_MEMORY : MMOOD_ERROR_FORMAT,
            "the text cannot be normalised: %s", utf8proc_errmsg(length));
    }
    *out = p.items;
    *count = (size_t)length;
    return MMOOD_OK;
}

int mm_is_space(utf8proc_int32_t c) {
    return (c >= 9 && c <= 13) || c == 0x20 || c == 0x85 || c == 0xa0 || c == 0x1680 ||
           (c >= 0x2000 && c <= 0x200a) || c == 0x2028 || c == 0x2029 || c == 0x202f ||
           c == 0x205f || c == 0x3000;
}

/* Appends the lower case of `c`, which is two characters for one letter alone (as the simple
 * mapping, without context, has it: a final sigma stays a sigma). */
static void append_lower(mm_buffer *to, utf8proc_int32_t c) {
    utf8proc_uint8_t bytes[8];
    if (c == 0x130) {
        mm_buffer_append(to, "i\xcc\x87", 3);
        return;
    }
    utf8proc_ssize_t n = utf8proc_encode_char(utf8proc_tolower(c), bytes);
    mm_buffer_append(to, bytes, (size_t)n);
}

mmood_status mm_normalize(mm_buffer *out, const char *text, size_t size, mmood_error *error) {
    utf8proc_int32_t *composed;
    size_t count = 0;
    mmood_status status = compose(&composed, &count, text, size, error);
    if (status != MMOOD_OK)
        return status;
    for (size_t i = 0; i < count; i++)
        if (!mm_is_space(composed[i]))
            append_lower(out, composed[i]);
        else if (i == 0 || !mm_is_space(composed[i - 1]))
            mm_buffer_append(out, " ", 1);
    free(composed);
    return out->failed ? mm_error_set(error, MMOOD_ERROR_MEMORY, "no memory for a text") : MMOOD_OK;
}
