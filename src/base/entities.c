/* entities.c - the entities that occur in plain text: the five of XML, &nbsp; and numeric ones. */
#include "base/entities.h"

#include <stdint.h>
#include <string.h>
#include <utf8proc.h>

/* Parses an entity at `text`, which begins with '&': its code point and length, or 0. */
static size_t parse_entity(int32_t *code, const char *text, size_t size) {
    static const struct {
        const char *name;
        int32_t code;
    } names[] = {{"&amp;", '&'},  {"&lt;", '<'},    {"&gt;", '>'},
                 {"&quot;", '"'}, {"&apos;", '\''}, {"&nbsp;", ' '}};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        size_t n = strlen(names[i].name);
        if (size >= n && memcmp(text, names[i].name, n) == 0) {
            *code = names[i].code;
            return n;
        }
    }
    if (size < 4 || text[1] != '#')
        return 0;
    int hex = text[2] == 'x' || text[2] == 'X';
    int32_t value = 0;
    size_t at = hex ? 3 : 2, first = at;
    for (; at < size && at < first + 7; at++) {
        char c = text[at];
        int digit = c >= '0' && c <= '9'          ? c - '0'
                    : hex && c >= 'a' && c <= 'f' ? c - 'a' + 10
                    : hex && c >= 'A' && c <= 'F' ? c - 'A' + 10
                                                  : -1;
        if (digit < 0)
            break;
        value = value * (hex ? 16 : 10) + digit;
    }
    if (at == first || at >= size || text[at] != ';' || value < 32 ||
        !utf8proc_codepoint_valid(value))
        return 0;
    *code = value;
    return at + 1;
}

int mm_unescape_html(mm_buffer *out, const char *text, size_t size) {
    int changed = 0;
    for (size_t at = 0; at < size;) {
        int32_t code;
        size_t n = text[at] == '&' ? parse_entity(&code, text + at, size - at) : 0;
        if (n) {
            utf8proc_uint8_t bytes[4];
            mm_buffer_append(out, bytes, (size_t)utf8proc_encode_char(code, bytes));
            changed = 1;
        } else {
            mm_buffer_append(out, text + at, n = 1);
        }
        at += n;
    }
    return changed;
}
