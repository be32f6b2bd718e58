/* reply_json.c - JSON as models write it, anywhere in a reply: with trailing commas, single or
 * curly quotes, comments, missing brackets, or cut in the middle. */
#include "envision/reply_internal.h"

#include <string.h>

typedef struct reader {
    mm_span text;
    size_t at;
    mm_reply *reply;
    size_t strings; /* met so far that could be labels */
    int depth;
    int quiet; /* inside a field that holds no labels */
    int cut;   /* the text ended before the value did */
    int deep;
} reader;

static char peek(const reader *r) {
    return r->at < r->text.size ? r->text.text[r->at] : 0;
}

static mm_span rest_of(const reader *r) {
    return mm_from(r->text, r->at);
}

static int is_space(char c) {
    return c == ' ' || c == '\t' || c == '\n';
}

/* Over white space, commas and comments. */
static void skip(reader *r) {
    for (;;) {
        while (r->at < r->text.size && (is_space(peek(r)) || peek(r) == ','))
            r->at++;
        if (!mm_starts(rest_of(r), "//") && peek(r) != '#')
            return;
        while (r->at < r->text.size && peek(r) != '\n')
            r->at++;
    }
}

/* Length of an opening quote at `text`, and the one that closes it. */
static size_t quote(mm_span text, const char **close) {
    static const struct {
        const char *open, *close;
    } quotes[] = {{"\"", "\""},
                  {"'", "'"},
                  {"\xe2\x80\x9c", "\xe2\x80\x9d"},
                  {"\xe2\x80\x9d", "\xe2\x80\x9d"},
                  {"\xe2\x80\x98", "\xe2\x80\x99"}};
    for (size_t i = 0; i < sizeof quotes / sizeof *quotes; i++)
        if (mm_starts(text, quotes[i].open)) {
            *close = quotes[i].close;
            return strlen(quotes[i].open);
        }
    return 0;
}

/* Whether a quote before `at` closes a string: what follows must fit, so that an apostrophe or a
 * quote inside a label does not. */
static int closes(mm_span text, size_t at) {
    int gap = at < text.size && is_space(text.text[at]);
    while (at < text.size && (text.text[at] == ' ' || text.text[at] == '\t'))
        at++;
    return at == text.size || strchr(",]}:\n#", text.text[at]) ||
           mm_starts(mm_from(text, at), "//") || (gap && strchr("\"'", text.text[at]));
}

static int hex4(mm_span text, uint32_t *value) {
    *value = 0;
    if (text.size < 4)
        return 0;
    for (int i = 0; i < 4; i++) {
        char c = text.text[i];
        uint32_t digit = c >= '0' && c <= '9'   ? (uint32_t)(c - '0')
                         : c >= 'a' && c <= 'f' ? (uint32_t)(c - 'a') + 10
                         : c >= 'A' && c <= 'F' ? (uint32_t)(c - 'A') + 10
                                                : 16;
        if (digit == 16)
            return 0;
        *value = *value << 4 | digit;
    }
    return 1;
}

/* Appends what the escape at a backslash stands for and returns its length. */
static size_t escape(mm_buffer *out, mm_span text) {
    uint32_t code, low;
    char c = text.size > 1 ? text.text[1] : 0;
    if (c == 'u' && hex4(mm_from(text, 2), &code)) {
        size_t n = 6;
        utf8proc_uint8_t bytes[4];
        if (code >= 0xd800 && code < 0xdc00 && mm_starts(mm_from(text, 6), "\\u") &&
            hex4(mm_from(text, 8), &low) && low >= 0xdc00 && low < 0xe000) {
            code = 0x10000 + ((code - 0xd800) << 10) + (low - 0xdc00);
            n = 12;
        }
        if (!utf8proc_codepoint_valid((utf8proc_int32_t)code))
            code = 0xfffd;
        if (code >= 0x20)
            mm_buffer_append(out, bytes,
                             (size_t)utf8proc_encode_char((utf8proc_int32_t)code, bytes));
        return n;
    }
    if (c == 'n' || c == 'r')
        mm_buffer_puts(out, "\n");
    else if (c == 't' || c == 'b' || c == 'f')
        mm_buffer_puts(out, " ");
    else
        return 1; /* the character itself comes next */
    return 2;
}

typedef enum string_end { CLOSED, BROKEN, CUT } string_end;

/* Reads a string at its opening quote. */
static string_end read_string(reader *r, mm_buffer *out) {
    const char *close = "";
    r->at += quote(rest_of(r), &close);
    while (r->at < r->text.size) {
        mm_span rest = rest_of(r);
        if (mm_starts(rest, close) && closes(r->text, r->at + strlen(close))) {
            r->at += strlen(close);
            return CLOSED;
        }
        if (*rest.text == '\n')
            return BROKEN;
        size_t n = *rest.text == '\\' ? escape(out, rest) : 0;
        if (n == 1 && rest.size > 1 && rest.text[1] != '\n')
            mm_buffer_append(out, rest.text + (n++), 1);
        else if (n == 0)
            mm_buffer_append(out, rest.text, n = 1);
        r->at += n;
    }
    return CUT;
}

static void add_string(reader *r, const mm_buffer *string, string_end end, mm_key key) {
    mm_span text = string->size ? (mm_span){string->data, string->size} : (mm_span){"", 0};
    r->reply->failed |= string->failed;
    r->strings++;
    if (end == BROKEN)
        mm_reply_drop(r->reply, text, "a quote is not closed");
    else if (end == CLOSED && key == MM_KEY_OTHER)
        mm_reply_drop(r->reply, text, "the value of an unknown field");
    else if (end == CLOSED && text.size && memchr(text.text, '\n', text.size)) {
        int marked;
        mm_reply_lines(r->reply, text, 0, &marked);
    } else if (end == CLOSED && key == MM_KEY_LABELS) {
        mm_reply_list(r->reply, text, 0);
    } else {
        mm_reply_item(r->reply, text, end == CUT);
    }
}

/* Over a number, a word or a stray character. */
static void skip_bare(reader *r) {
    r->at++;
    while (r->at < r->text.size && !strchr(" \t\n,:]}[{\"'", peek(r)))
        r->at++;
}

static void read_value(reader *r, mm_key key);

static void read_array(reader *r, mm_key key) {
    const char *close;
    for (;;) {
        skip(r);
        if (r->at >= r->text.size || r->deep) {
            r->cut = 1;
            return;
        }
        if (peek(r) == ']') {
            r->at++;
            return;
        }
        if (peek(r) == '}' || peek(r) == ':') { /* a bracket is missing */
            if (r->depth > 1)
                return;
            r->at++;
        } else if (quote(rest_of(r), &close) || peek(r) == '[' || peek(r) == '{') {
            read_value(r, key);
        } else {
            skip_bare(r);
        }
    }
}

static void read_key(reader *r, mm_buffer *name) {
    const char *close;
    if (quote(rest_of(r), &close)) {
        if (read_string(r, name) == CUT)
            r->cut = 1;
        return;
    }
    size_t first = r->at;
    skip_bare(r);
    mm_buffer_append(name, r->text.text + first, r->at - first);
}

/* The label of an object is its field with the best name; it is added when the object ends. */
typedef struct best {
    mm_buffer text;
    string_end end;
    int rank;
    int group; /* other fields hold labels: this is their heading */
} best;

/* A list in an object is the labels of a group; one of an unknown name beside a label describes it.
 */
static void read_field(reader *r, mm_key key, int rank, best *found) {
    const char *close;
    if (key == MM_KEY_LABEL && quote(rest_of(r), &close)) {
        mm_buffer text = {0};
        string_end end = read_string(r, &text);
        r->cut |= end == CUT;
        if (found->rank < 0 || rank < found->rank) {
            mm_buffer_free(&found->text);
            *found = (best){text, end, rank, found->group};
        } else {
            mm_buffer_free(&text);
        }
        return;
    }
    int quiet = r->quiet;
    size_t before = r->strings;
    r->quiet |= key == MM_KEY_SKIP || (key == MM_KEY_OTHER && found->rank >= 0);
    read_value(r, key);
    r->quiet = quiet;
    found->group |= r->strings > before;
}

static void read_object(reader *r) {
    best found = {{0}, CLOSED, -1, 0};
    for (;;) {
        skip(r);
        if (r->at >= r->text.size || r->deep) {
            r->cut = 1;
            break;
        }
        if (peek(r) == '}') {
            r->at++;
            break;
        }
        if (peek(r) == ']' && r->depth > 1)
            break; /* a bracket is missing */
        mm_buffer name = {0};
        int rank = -1;
        read_key(r, &name);
        skip(r);
        if (peek(r) == ':') {
            r->at++;
            skip(r);
            mm_key key =
                name.size ? mm_key_of((mm_span){name.data, name.size}, &rank) : MM_KEY_OTHER;
            if (r->at < r->text.size && !strchr("}]", peek(r)))
                read_field(r, key, rank, &found);
        }
        mm_buffer_free(&name);
    }
    if (found.rank >= 0 && found.group && found.text.size && !r->quiet)
        mm_reply_drop(r->reply, (mm_span){found.text.data, found.text.size}, "a heading");
    else if (found.rank >= 0 && !r->quiet)
        add_string(r, &found.text, found.end, MM_KEY_LABEL);
    mm_buffer_free(&found.text);
}

static void read_value(reader *r, mm_key key) {
    const char *close;
    char c = peek(r);
    if (quote(rest_of(r), &close)) {
        mm_buffer text = {0};
        string_end end = read_string(r, &text);
        r->cut |= end == CUT;
        if (!r->quiet)
            add_string(r, &text, end, key);
        mm_buffer_free(&text);
    } else if (c == '[' || c == '{') {
        if (r->depth == MM_REPLY_MAX_DEPTH) {
            r->deep = 1;
            return;
        }
        r->at++;
        r->depth++;
        if (c == '[') /* whatever the list is called, it is what was asked for */
            read_array(r, key == MM_KEY_OTHER || key == MM_KEY_NUMBER ? MM_KEY_LABEL : key);
        else
            read_object(r);
        r->depth--;
    } else {
        skip_bare(r);
    }
}

/* Whether JSON may begin here: a bracket before a quote or another bracket, at the start of a line
 * or after something that introduces it. The line begins at `line`. */
static int begins_value(mm_span text, size_t at, size_t line) {
    const char *close;
    if (text.text[at] != '[' && text.text[at] != '{')
        return 0;
    size_t next = at + 1;
    while (next < text.size && is_space(text.text[next]))
        next++;
    mm_span inner = mm_from(text, next);
    if (inner.size == 0 || !(quote(inner, &close) || strchr("[{", *inner.text)))
        return 0;
    size_t before = at;
    while (before > line && is_space(text.text[before - 1]))
        before--;
    if (before == line || strchr(":=`,}", text.text[before - 1]))
        return 1;
    mm_span start = {text.text + line, at - line + 1};
    int number;
    char letter = 'a';
    return mm_starts(start, "```json") ||
           (start.size < 64 && mm_marker(start, &number, &letter) == at - line);
}

size_t mm_reply_json(mm_reply *reply, mm_span text) {
    reader r = {.text = text, .reply = reply};
    size_t line = 0;
    while (r.at < text.size && !r.deep) {
        size_t before = r.strings;
        if (begins_value(text, r.at, line)) {
            read_value(&r, MM_KEY_LABEL);
            line = r.at; /* what follows a value may be another */
        } else {
            line = text.text[r.at] == '\n' ? r.at + 1 : line;
            r.at++;
        }
        if (r.cut && !r.deep && r.strings > before)
            mm_reply_note(reply, "the JSON of the reply ends in the middle; what is whole is kept");
    }
    if (r.deep)
        mm_reply_note(reply, "the JSON of the reply has more than %d levels; the rest is left out",
                      (int)MM_REPLY_MAX_DEPTH);
    return r.strings;
}
