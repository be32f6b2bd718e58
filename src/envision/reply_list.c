/* reply_list.c - enumerations on one line: "owl, red fox and hyena". */
#include "envision/reply_internal.h"

#include <string.h>

/* In the order in which they are looked for: a list with semicolons may have commas in its items.
 */
typedef enum separator { SEMICOLON, COMMA, BAR, TAB, DOT, SLASH, SEPARATORS } separator;

static int is_digit(char c) {
    return c >= '0' && c <= '9';
}

/* Length of the separator at `at`, or 0. */
static size_t separator_at(mm_span text, size_t at, separator kind) {
    char c = text.text[at], before = at ? text.text[at - 1] : 0;
    char next = at + 1 < text.size ? text.text[at + 1] : 0;
    mm_span rest = mm_from(text, at);
    switch (kind) {
    case SEMICOLON:
        return c == ';';
    case COMMA:
        if (mm_starts(rest, "\xe3\x80\x81")) /* CJK enumeration comma */
            return 3;
        return c == ',' && !(is_digit(before) && is_digit(next));
    case BAR:
        return c == '|';
    case TAB:
        return c == '\t';
    case DOT:
        if (before != ' ')
            return 0;
        return mm_starts(rest, "\xe2\x80\xa2 ") ? 3 : mm_starts(rest, "\xc2\xb7 ") ? 2 : 0;
    case SLASH:
        return c == '/' && before == ' ' && next == ' ';
    default:
        return 0;
    }
}

/* Whether parentheses and double quotes come in pairs: else they do not protect commas. */
static int is_balanced(mm_span text) {
    int depth = 0, quotes = 0;
    for (size_t i = 0; i < text.size && depth >= 0; i++) {
        depth += (text.text[i] == '(') - (text.text[i] == ')');
        quotes += text.text[i] == '"';
    }
    return depth == 0 && quotes % 2 == 0;
}

typedef struct cursor {
    mm_span text;
    size_t at;
    separator kind;
    int balanced;
} cursor;

/* The next part, up to a separator outside of parentheses and quotes; 0 at the end. `*last`: no
 * separator followed. */
static int next_part(cursor *c, mm_span *part, int *last) {
    if (c->at > c->text.size)
        return 0;
    size_t first = c->at;
    int depth = 0, quoted = 0;
    for (size_t at = first; at < c->text.size; at++) {
        char b = c->text.text[at];
        if (c->balanced) {
            depth += (b == '(') - (b == ')');
            quoted ^= b == '"';
        }
        size_t n = depth || quoted ? 0 : separator_at(c->text, at, c->kind);
        if (n) {
            *part = (mm_span){c->text.text + first, at - first};
            c->at = at + n;
            *last = 0;
            return 1;
        }
    }
    *part = mm_from(c->text, first);
    c->at = c->text.size + 1;
    *last = 1;
    return 1;
}

static cursor start(mm_span text, separator kind) {
    return (cursor){text, 0, kind, is_balanced(text)};
}

/* The first kind of separator that the text has; SEPARATORS if none. */
static separator find_separator(mm_span text) {
    for (int kind = 0; kind < SEPARATORS; kind++) {
        cursor c = start(text, (separator)kind);
        mm_span part;
        int last = 0;
        if (next_part(&c, &part, &last) && !last)
            return (separator)kind;
    }
    return SEPARATORS;
}

int mm_has_separator(mm_span text) {
    return find_separator(text) != SEPARATORS;
}

/* Length of an "and" at the start of `text`, with the space after it, or 0. */
static size_t and_at(mm_span text) {
    static const char *const words[] = {"and ", "or ",   "& ", "as well as ", "et ",
                                        "und ", "oder ", "y ", "\xd0\xb8 "};
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (mm_starts(text, words[i]))
            return strlen(words[i]);
    return 0;
}

/* Splits the last part at an "and" inside: 0 if there is none. */
static int split_and(mm_span part, mm_span *left, mm_span *right, int chinese) {
    static const char *const signs[] = {"\xe4\xbb\xa5\xe5\x8f\x8a", "\xe5\x92\x8c", "\xe5\x8f\x8a",
                                        "\xe3\x81\xa8"};
    for (size_t at = part.size; at-- > 1;) {
        mm_span rest = mm_from(part, at);
        size_t n = part.text[at - 1] == ' ' ? and_at(rest) : 0;
        for (size_t i = 0; chinese && i < sizeof signs / sizeof *signs && n == 0; i++)
            n = mm_starts(rest, signs[i]) ? strlen(signs[i]) : 0;
        if (n && n < rest.size) {
            *left = (mm_span){part.text, at};
            *right = mm_from(rest, n);
            return 1;
        }
    }
    return 0;
}

/* Without the brackets around it and without a sentence after the list. */
static mm_span only_list(mm_span text) {
    text = mm_trim(text);
    if (text.size > 1 && strchr("[{(", *text.text) && strchr("]})", text.text[text.size - 1]))
        text = mm_trim((mm_span){text.text + 1, text.size - 2});
    for (size_t at = 4; at + 2 < text.size; at++) {
        char next = text.text[at + 2];
        int stop = text.text[at] == '!' || text.text[at] == '?' ||
                   (text.text[at] == '.' && !memchr(text.text + at - 3, ' ', 3));
        if (stop && text.text[at + 1] == ' ' && next >= 'A' && next <= 'Z')
            text.size = at;
    }
    return text;
}

void mm_reply_list(mm_reply *reply, mm_span text, int cut) {
    mm_span whole = only_list(text);
    cut = cut && whole.text + whole.size == text.text + text.size;
    separator kind = find_separator(whole);
    cursor c = start(whole, kind);
    mm_span part, left, right;
    int last = 0;
    while (next_part(&c, &part, &last)) {
        mm_span item = mm_trim(part);
        size_t conjunction = kind == COMMA || kind == SEMICOLON ? and_at(item) : 0;
        item = mm_trim(mm_from(item, conjunction));
        if (last && !conjunction && (kind == COMMA || kind == SEPARATORS) &&
            split_and(item, &left, &right, kind == COMMA && !memchr(whole.text, ' ', whole.size))) {
            mm_reply_item(reply, left, 0);
            item = right;
        }
        if (item.size > 0)
            mm_reply_item(reply, item, cut && last);
    }
}

/* Whether a marked item with commas is a list, not a label and what it is: no part is long or
 * begins as an explanation does. */
static int is_list(mm_span text) {
    enum { MOST_WORDS = 3 };
    static const char *const begins[] = {"a ",     "an ", "the ",   "which ",   "that ",   "with ",
                                         "known ", "it ", "often ", "usually ", "similar "};
    cursor c = start(text, COMMA);
    mm_span part;
    int last = 0, first = 1;
    while (next_part(&c, &part, &last)) {
        mm_span item = mm_trim(part);
        item = mm_trim(mm_from(item, and_at(item)));
        if (mm_words(item) > MOST_WORDS || mm_has_verb(item))
            return 0;
        for (size_t i = 0; !first && i < sizeof begins / sizeof *begins; i++)
            if (mm_starts(item, begins[i]))
                return 0;
        if (first && (memchr(item.text, ':', item.size) || memchr(item.text, '(', item.size)))
            return 0;
        first = 0;
    }
    return 1;
}

void mm_reply_marked(mm_reply *reply, mm_span text, int cut) {
    cursor c = start(text, COMMA);
    const char *colon = memchr(text.text, ':', text.size);
    mm_span first, value = colon ? mm_trim(mm_from(text, (size_t)(colon - text.text) + 1)) : text;
    int last = 0;
    if (value.size > 1 && *value.text == '[' && value.text[value.size - 1] == ']')
        mm_reply_list(reply, value, cut); /* "birds: [owl, eagle]" */
    else if (!next_part(&c, &first, &last) || last)
        mm_reply_item(reply, text, cut);
    else if (is_list(text))
        mm_reply_list(reply, text, cut);
    else
        mm_reply_item(reply, first, 0); /* "owl, a bird of the night" */
}
