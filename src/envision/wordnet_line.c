/* wordnet_line.c - the lines and fields of WordNet's database files. */
#include "envision/wordnet_line.h"

#include "base/error.h"

#include <string.h>

int mm_wordnet_next_line(mm_wordnet_line *line, const char **text, const char *end) {
    if (!*text || *text >= end)
        return 0;
    const char *stop = memchr(*text, '\n', (size_t)(end - *text));
    *line = (mm_wordnet_line){*text, stop ? stop : end, line->number + 1};
    *text = stop ? stop + 1 : end;
    if (line->end > line->at && line->end[-1] == '\r')
        line->end--;
    return 1;
}

int mm_wordnet_is_licence(const mm_wordnet_line *line) {
    return line->end - line->at >= 2 && memcmp(line->at, "  ", 2) == 0;
}

size_t mm_wordnet_field(mm_wordnet_line *line, const char **field) {
    while (line->at < line->end && *line->at == ' ')
        line->at++;
    *field = line->at;
    while (line->at < line->end && *line->at != ' ')
        line->at++;
    return (size_t)(line->at - *field);
}

int mm_wordnet_number(const char *field, size_t size, size_t digits, int base) {
    int value = 0;
    if (digits ? size != digits : size < 1 || size > 8)
        return -1;
    for (size_t i = 0; i < size; i++) {
        const char *all = "0123456789abcdef", *digit = memchr(all, field[i], (size_t)base);
        if (!digit)
            return -1;
        value = value * base + (int)(digit - all);
    }
    return value;
}

mmood_status mm_wordnet_wrong(const mm_wordnet_line *line, const char *field, size_t size,
                              const char *expected, mmood_error *error) {
    enum { SHOWN = 40 };
    char shown[SHOWN + 1];
    size_t n = size < SHOWN ? size : SHOWN;
    for (size_t i = 0; i < n; i++)
        shown[i] = (char)(field[i] > ' ' && field[i] < 0x7f ? field[i] : '?');
    shown[n] = '\0';
    return mm_error_set(error, MMOOD_ERROR_FORMAT,
                        "line %zu: \"%s\" where %s is expected; this is no WordNet database file, "
                        "or a damaged one",
                        line->number, shown, expected);
}
