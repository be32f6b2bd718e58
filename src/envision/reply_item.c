/* reply_item.c - one item of a list: its marker, its emphasis and quotes, where the label ends and
 * an explanation begins; and enumerations on one line. */
#include "base/entities.h"
#include "envision/reply_internal.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* ---- Spans --------------------------------------------------------------------------------- */

size_t mm_code(utf8proc_int32_t *code, mm_span text) {
    *code = 0;
    utf8proc_ssize_t n = text.size == 0 ? 0
                                        : utf8proc_iterate((const utf8proc_uint8_t *)text.text,
                                                           (utf8proc_ssize_t)text.size, code);
    return n > 0 ? (size_t)n : 0;
}

mm_span mm_from(mm_span text, size_t at) {
    at = at < text.size ? at : text.size;
    return (mm_span){text.text + at, text.size - at};
}

static int is_space(char c) {
    return c == ' ' || c == '\t' || c == '\n';
}

static int is_digit(char c) {
    return c >= '0' && c <= '9';
}

static int is_letter(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static char at_or_zero(mm_span text, size_t at) {
    return at < text.size ? text.text[at] : 0;
}

static size_t spaces(mm_span text, size_t at) {
    size_t n = 0;
    while (at + n < text.size && is_space(text.text[at + n]))
        n++;
    return n;
}

mm_span mm_trim(mm_span text) {
    text = mm_from(text, spaces(text, 0));
    while (text.size > 0 && is_space(text.text[text.size - 1]))
        text.size--;
    return text;
}

int mm_starts(mm_span text, const char *with) {
    size_t n = strlen(with);
    return text.size >= n && strncasecmp(text.text, with, n) == 0;
}

size_t mm_words(mm_span text) {
    size_t count = 0;
    for (size_t i = 0; i < text.size; i++)
        count += !is_space(text.text[i]) && (i == 0 || is_space(text.text[i - 1]));
    return count;
}

/* ---- Markers ------------------------------------------------------------------------------- */

static int is_bullet_code(utf8proc_int32_t c) {
    static const utf8proc_int32_t codes[] = {
        0xb7,   0xbb,   0x2022, 0x2023, 0x2027, 0x203a, 0x2043, 0x204c,  0x2192,  0x21d2, 0x2219,
        0x22c5, 0x25a0, 0x25a1, 0x25aa, 0x25ab, 0x25b6, 0x25b8, 0x25ba,  0x25c6,  0x25c7, 0x25cb,
        0x25cf, 0x25e6, 0x25fd, 0x25fe, 0x2605, 0x2606, 0x2610, 0x2611,  0x2612,  0x2705, 0x2713,
        0x2714, 0x2756, 0x2794, 0x27a4, 0x2b1c, 0x2b50, 0x30fb, 0x1f449, 0x1f538, 0x1f539};
    for (size_t i = 0; i < sizeof codes / sizeof *codes; i++)
        if (codes[i] == c)
            return 1;
    return 0;
}

static size_t bullet(mm_span text) {
    utf8proc_int32_t c, next;
    size_t n = mm_code(&c, text);
    if (n == 0)
        return 0;
    if (is_bullet_code(c)) {
        if (mm_code(&next, mm_from(text, n)) && next == 0xfe0f) /* "as an emoji" */
            n += 3;
        return n + spaces(text, n);
    }
    if (c > 0x7f ? c != 0x2013 && c != 0x2014 && c != 0x2212 : !strchr("-*+>~", (char)c))
        return 0;
    if (c > 0x7f || c == '-')
        while (n < 9 && mm_code(&next, mm_from(text, n)) && next == c)
            n += c > 0x7f ? 3 : 1;
    size_t gap = spaces(text, n), size = mm_code(&next, mm_from(text, n));
    int glued = c != '*' && c != '+' && c != '>' && c != '~' && size > 0 &&
                (next > 0x7f || is_letter((char)next) || strchr("\"'*`", (char)next));
    return gap > 0 && n + gap < text.size ? n + gap : glued ? n : 0;
}

static size_t checkbox(mm_span text) {
    int box =
        text.size > 3 && text.text[0] == '[' && strchr(" xX", text.text[1]) && text.text[2] == ']';
    return box ? 3 + spaces(text, 3) : 0;
}

/* What ends a number, from `at`: ". " and relatives. */
static size_t number_end(mm_span text, size_t at) {
    int bold = at + 2 < text.size && mm_starts(mm_from(text, at), "**"); /* "**1**. owl" */
    size_t stars = bold ? 2 : 0;
    at += stars;
    char c = at_or_zero(text, at), next = at_or_zero(text, at + 1);
    mm_span rest = mm_from(text, at);
    if (c == '.' && next == ')')
        return stars + 2;
    if (c == ')' || c == ']' || c == '\t' || ((c == '.' || c == ':') && !is_digit(next)))
        return stars + 1;
    if (mm_starts(rest, "\xe3\x80\x81") || mm_starts(rest, "\xe3\x80\x82") || /* CJK marks */
        mm_starts(rest, " - ") || mm_starts(rest, " : "))
        return stars + 3;
    return mm_starts(rest, " \xe2\x80\x93 ") ? stars + 5 : 0;
}

static size_t plain_number(mm_span text, int *number) {
    size_t at = text.text[0] == '#', first = at;
    int value = 0;
    for (; is_digit(at_or_zero(text, at)) && at < first + 4; at++)
        value = 10 * value + (text.text[at] - '0');
    if (at == first)
        return 0;
    size_t end = number_end(text, at);
    if (end == 0 && first == 1 && at_or_zero(text, at) == ' ')
        end = 1;
    *number = value;
    return end ? at + end : 0;
}

/* "(1)", "[2]", "(a)" */
static size_t bracketed(mm_span text, int *number) {
    char close = text.text[0] == '(' ? ')' : text.text[0] == '[' ? ']' : 0;
    size_t at = 1;
    int value = 0;
    for (; is_digit(at_or_zero(text, at)) && at < 5; at++)
        value = 10 * value + (text.text[at] - '0');
    if (at == 1 && is_letter(at_or_zero(text, at))) {
        value = (text.text[at] | 0x20) - 'a' + 1;
        at++;
    }
    *number = value;
    return close && at > 1 && at_or_zero(text, at) == close ? at + 1 : 0;
}

/* Circled digits and digits on keys. */
static size_t pictured(mm_span text, int *number) {
    utf8proc_int32_t c, next;
    size_t n = mm_code(&c, text);
    int circled = c >= 0x2460 && c <= 0x2473   ? c - 0x2460 + 1
                  : c >= 0x2776 && c <= 0x277f ? c - 0x2776 + 1
                                               : 0;
    *number = circled ? circled : c == 0x1f51f ? 10 : c - '0';
    if (circled || c == 0x1f51f)
        return n;
    if (c > 0x7f || !is_digit((char)c))
        return 0;
    size_t more = mm_code(&next, mm_from(text, n));
    if (next == 0xfe0f)
        n += more, more = mm_code(&next, mm_from(text, n));
    return next == 0x20e3 ? n + more : 0;
}

/* "a)", and "a." where it is the letter expected; "ii." */
static size_t lettered(mm_span text, int *number, char *letter) {
    char c = text.text[0], end = at_or_zero(text, 1);
    if (is_letter(c) && (end == ')' || (end == '.' && (c | 0x20) == *letter)) &&
        at_or_zero(text, 2) == ' ') {
        *letter = (char)((c | 0x20) + 1);
        *number = (c | 0x20) - 'a' + 1;
        return 2;
    }
    size_t n = 0;
    while (n < text.size && n < 5 && strchr("ivx", text.text[n]))
        n++;
    *number = (int)n;
    int ends = at_or_zero(text, n) == '.' || at_or_zero(text, n) == ')';
    return n > 0 && ends && at_or_zero(text, n + 1) == ' ' ? n + 1 : 0;
}

/* "Label 3:", "No. 4" */
static size_t worded(mm_span text, int *number) {
    size_t at = 0;
    int value = 0;
    while (at < 24 && (is_letter(at_or_zero(text, at)) || strchr(" ._#", at_or_zero(text, at))) &&
           at < text.size)
        at++;
    size_t first = at;
    for (; is_digit(at_or_zero(text, at)) && at < first + 4; at++)
        value = 10 * value + (text.text[at] - '0');
    *number = value;
    if (first == 0 || at == first || mm_key_of((mm_span){text.text, at}, NULL) != MM_KEY_NUMBER)
        return 0;
    size_t end = number_end(text, at);
    return end ? at + end : 0;
}

size_t mm_marker(mm_span text, int *number, char *letter) {
    *number = 0;
    if (text.size == 0)
        return 0;
    size_t n = bullet(text);
    if (n)
        return n + checkbox(mm_from(text, n));
    size_t emphasis = 0; /* "**1. owl**" */
    while (emphasis < 3 && strchr("*_", at_or_zero(text, emphasis)) && emphasis + 1 < text.size)
        emphasis++;
    mm_span rest = mm_from(text, emphasis);
    if (!n)
        n = pictured(rest, number);
    if (!n)
        n = plain_number(rest, number);
    if (!n)
        n = bracketed(rest, number);
    if (!n)
        n = lettered(rest, number, letter);
    if (!n)
        n = worded(rest, number);
    if (!n)
        return *number = 0, 0;
    n += emphasis;
    return n + spaces(text, n);
}

/* ---- Where the label ends ------------------------------------------------------------------ */

static const struct {
    const char *open, *close;
} pairs[] = {{"***", "***"},
             {"**", "**"},
             {"__", "__"},
             {"*", "*"},
             {"_", "_"},
             {"`", "`"},
             {"~~", "~~"},
             {"\"", "\""},
             {"'", "'"},
             {"''", "''"},
             {"\xe2\x80\x9c", "\xe2\x80\x9d"},  /* English double quotes */
             {"\xe2\x80\x98", "\xe2\x80\x99"},  /* English single quotes */
             {"\xe2\x80\x9e", "\xe2\x80\x9c"},  /* German */
             {"\xe2\x80\x9e", "\xe2\x80\x9d"},  /* Polish */
             {"\xc2\xab", "\xc2\xbb"},          /* French */
             {"\xe3\x80\x8c", "\xe3\x80\x8d"},  /* Japanese */
             {"\xe3\x80\x8e", "\xe3\x80\x8f"},  /* Japanese */
             {"\xe3\x80\x8a", "\xe3\x80\x8b"}}; /* Chinese */

/* What may follow a label in quotes or in bold. */
static int is_after_label(mm_span rest) {
    mm_span next = mm_trim(rest);
    return next.size == 0 || strchr("-:(,;=|[.<", *next.text) || mm_starts(next, "\xe2\x80\x93") ||
           mm_starts(next, "\xe2\x80\x94") || mm_starts(next, "\xe2\x86\x92") ||
           (is_space(*rest.text) && mm_words(next) > 2);
}

/* Takes a label out of the quotes or emphasis that it begins with. `*tail` becomes 1 if anything
 * followed. 0 if it is in none. */
static int take_out(mm_span *text, int *tail) {
    for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++) {
        size_t open = strlen(pairs[i].open), close = strlen(pairs[i].close);
        if (!mm_starts(*text, pairs[i].open))
            continue;
        for (size_t at = open + 1; at + close <= text->size; at++) {
            mm_span rest = mm_from(*text, at + close);
            if (memcmp(text->text + at, pairs[i].close, close) != 0 || !is_after_label(rest))
                continue;
            *tail |= rest.size > 0;
            *text = mm_trim((mm_span){text->text + open, at - open});
            return 1;
        }
    }
    return 0;
}

/* Words that, after a comma, begin an explanation. */
static int begins_explanation(mm_span text) {
    static const char *const words[] = {
        "a",         "an",      "the",     "which",     "that",    "with",  "known", "such",
        "including", "often",   "similar", "because",   "as",      "for",   "not",   "e.g.",
        "it",        "its",     "has",     "have",      "is",      "are",   "looks", "used",
        "found",     "usually", "they",    "resembles", "sharing", "shares"};
    text = mm_trim(text);
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (mm_starts(text, words[i]) && is_space(at_or_zero(text, strlen(words[i]))))
            return 1;
    return 0;
}

/* A full stop that ends a sentence, not the word "St." */
static int ends_sentence(mm_span text, size_t at) {
    char c = text.text[at];
    if (mm_starts(mm_from(text, at), "\xe3\x80\x82"))
        return at > 0;
    if ((c != '.' && c != '!' && c != '?') || at_or_zero(text, at + 1) != ' ')
        return 0;
    size_t word = 0;
    while (word < at && !is_space(text.text[at - 1 - word]))
        word++;
    char next = at_or_zero(text, at + 1 + spaces(text, at + 1));
    return c != '.' || (word > 2 && !(next >= 'a' && next <= 'z'));
}

/* A dash with a space on one side, an arrow, a colon, a parenthesis: 1 if the label ends at `at`.
 */
static int ends_label(mm_span text, size_t at) {
    char c = text.text[at], before = text.text[at - 1], next = at_or_zero(text, at + 1);
    mm_span rest = mm_from(text, at);
    if (c == '-')
        return is_space(before) || is_space(next) || next == '>' || (next == '-' && before != '-');
    if (mm_starts(rest, "\xe2\x80\x93") || mm_starts(rest, "\xe2\x88\x92")) /* en dash, minus */
        return is_space(before) || is_space(at_or_zero(text, at + 3));
    if (mm_starts(rest, "\xe2\x80\x94") || mm_starts(rest, "\xe2\x80\x95") || /* em dash, bar */
        mm_starts(rest, "\xe2\x86\x92") || mm_starts(rest, "\xe2\x87\x92") || /* arrows */
        mm_starts(rest, "\xe3\x80\x90"))                                      /* CJK bracket */
        return 1;
    if (c == ':')
        return !is_digit(next) && next != '/';
    if (c == ',')
        return is_space(next) && begins_explanation(mm_from(rest, 1));
    return (c && strchr("([;\t\n|=", c)) || ends_sentence(text, at);
}

static mm_span cut_explanation(mm_span text, int *tail) {
    for (size_t at = 1; at < text.size; at++)
        if (ends_label(text, at)) {
            *tail = 1;
            return mm_trim((mm_span){text.text, at});
        }
    return text;
}

/* ---- Cleaning ------------------------------------------------------------------------------ */

/* Removes the marks of emphasis, backslashes before punctuation, and the address of a link. */
static void remove_marks(mm_buffer *out, mm_span text) {
    for (size_t at = 0; at < text.size; at++) {
        char c = text.text[at], next = at_or_zero(text, at + 1);
        if (c == '*' || c == '`' || (c == '\\' && next && strchr("_*[]()#.-+!&`", next)))
            continue;
        if (c == '[' || (c == '!' && next == '[')) {
            const char *close = memchr(text.text + at, ']', text.size - at);
            size_t end = close ? (size_t)(close - text.text) : 0;
            const char *last = close && at_or_zero(text, end + 1) == '('
                                   ? memchr(close, ')', text.size - end)
                                   : NULL;
            if (last) {
                size_t first = at + (c == '!') + 1;
                mm_buffer_append(out, text.text + first, end - first);
                at = (size_t)(last - text.text);
                continue;
            }
        }
        mm_buffer_append(out, &c, 1);
    }
}

/* Punctuation, quotes and marks that are no part of a label, at both ends. */
static mm_span trim_marks(mm_span text) {
    static const char *const both[] = {"\"",
                                       "'",
                                       "*",
                                       "_",
                                       "`",
                                       "~",
                                       ",",
                                       ";",
                                       ":",
                                       " ",
                                       "\t",
                                       "\xe2\x80\x9c",
                                       "\xe2\x80\x9d",
                                       "\xe2\x80\x98",
                                       "\xe2\x80\x99",
                                       "\xc2\xab",
                                       "\xc2\xbb",
                                       "\xe3\x80\x82",
                                       "\xe3\x80\x81",
                                       "\xe3\x80\x8c",
                                       "\xe3\x80\x8d",
                                       "\xe2\x80\xa6"};
    static const char last[] = ".!?)]}-|\\", first[] = "([{#|-";
    for (size_t i = 0; i < sizeof both / sizeof *both; i++) {
        size_t n = strlen(both[i]);
        int begins = mm_starts(text, both[i]);
        if (begins)
            text = mm_from(text, n);
        int ends = text.size >= n && memcmp(text.text + text.size - n, both[i], n) == 0;
        text.size -= ends ? n : 0;
        if (begins || ends)
            i = (size_t)-1; /* from the start: any order */
        else if (text.size > 0 && strchr(last, text.text[text.size - 1]))
            text.size--, i = (size_t)-1;
        else if (text.size > 0 && strchr(first, *text.text))
            text = mm_from(text, 1), i = (size_t)-1;
    }
    return text;
}

/* What is wrong with a cleaned label, or NULL. */
static const char *fault(const char *label) {
    mm_span text = {label, strlen(label)};
    size_t characters = 0;
    int letters = 0;
    for (size_t at = 0; at < text.size;) {
        utf8proc_int32_t c;
        at += mm_code(&c, mm_from(text, at));
        characters++;
        utf8proc_category_t kind = utf8proc_category(c);
        letters |= kind >= UTF8PROC_CATEGORY_LU && kind <= UTF8PROC_CATEGORY_LO;
        if (c == 0xfffd)
            return "it holds bytes that are not UTF-8";
        if (kind == UTF8PROC_CATEGORY_CC)
            return "it holds control characters";
    }
    if (strstr(label, "://") || mm_starts(text, "www."))
        return "an address";
    if (!letters)
        return "no letters";
    if (mm_is_refusal(text) || mm_is_apology(text))
        return "a refusal";
    if (mm_words(text) > MM_LABEL_MAX_WORDS)
        return "more than 6 words";
    if (characters > MM_LABEL_MAX_CHARACTERS)
        return "more than 60 characters";
    if (strpbrk(label, "{}[]<>\\|=\""))
        return "marks that no label has";
    return mm_has_verb(text) ? "a sentence" : NULL;
}

/* The value of "Label: owl", or the text itself; 0 for "Reason: ...". */
static int take_value(mm_span *text) {
    const char *colon = memchr(text->text, ':', text->size < 40 ? text->size : 40);
    if (!colon)
        return 1;
    mm_buffer name = {0};
    remove_marks(&name, (mm_span){text->text, (size_t)(colon - text->text)});
    mm_key key =
        name.size ? mm_key_of(trim_marks((mm_span){name.data, name.size}), NULL) : MM_KEY_OTHER;
    mm_buffer_free(&name);
    mm_span value = mm_trim(mm_from(*text, (size_t)(colon - text->text) + 1));
    while (value.size > 2 && (mm_starts(value, "**") || mm_starts(value, "__")) &&
           is_space(value.text[2])) /* "**Label:** owl" */
        value = mm_trim(mm_from(value, 2));
    if (value.size > 0 && (key == MM_KEY_LABEL || key == MM_KEY_LABELS || key == MM_KEY_NUMBER))
        *text = value;
    return key != MM_KEY_SKIP;
}

/* Collapses runs of white space. */
static void one_space(char *text) {
    char *to = text;
    for (const char *from = text; *from; from++)
        if (!is_space(*from))
            *to++ = *from;
        else if (to > text && to[-1] != ' ')
            *to++ = ' ';
    *to = 0;
}

static void finish(mm_reply *reply, mm_span original, mm_span text, int cut) {
    mm_buffer marks = {0}, plain = {0};
    remove_marks(&marks, text);
    mm_span clean = trim_marks(marks.size ? (mm_span){marks.data, marks.size} : (mm_span){"", 0});
    mm_buffer_append(&plain, clean.text, clean.size);
    utf8proc_uint8_t *label =
        plain.failed ? NULL : utf8proc_NFC((const utf8proc_uint8_t *)plain.data);
    if (!label) {
        reply->failed = 1;
    } else if (*label) {
        one_space((char *)label);
        const char *reason = cut ? "cut off in the middle" : fault((const char *)label);
        if (reason)
            mm_reply_drop(reply, original, reason);
        else
            mm_reply_keep(reply, (const char *)label);
    } else if (mm_trim(original).size > 0) {
        mm_reply_drop(reply, original, "no letters");
    }
    free(label);
    mm_buffer_free(&marks);
    mm_buffer_free(&plain);
}

void mm_reply_item(mm_reply *reply, mm_span original, int cut) {
    enum { LONGEST = 2000 }; /* bytes in which a label must have ended */
    mm_buffer unescaped = {0};
    int tail = original.size > LONGEST, number;
    char letter = 'a';
    if (tail) {
        original.size = LONGEST;
        while ((original.text[original.size] & 0xc0) == 0x80)
            original.size--;
    }
    mm_unescape_html(&unescaped, original.text, original.size);
    mm_span text = mm_trim(unescaped.size ? (mm_span){unescaped.data, unescaped.size} : original);
    for (int i = 0; i < 3; i++)
        text = mm_trim(mm_from(text, mm_marker(text, &number, &letter)));
    if (!take_value(&text)) {
        mm_reply_drop(reply, original, "an explanation");
    } else {
        for (int i = 0; i < 3 && take_out(&text, &tail); i++)
            ;
        text = cut_explanation(text, &tail);
        finish(reply, original, text, cut && !tail);
    }
    reply->failed |= unescaped.failed;
    mm_buffer_free(&unescaped);
}
