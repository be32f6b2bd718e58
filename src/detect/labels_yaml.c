/* labels_yaml.c - labels from the "names" of a data.yaml, as detectors of objects are trained with:
 * a list or a map to labels, in block or flow style. The rest of the file is not read, and what is
 * no plain or quoted text is refused. */
#include "detect/labels.h"

#include "base/buffer.h"
#include "base/error.h"

#include <string.h>

/* A place in the file, and where its line, or the file in flow style, ends. */
typedef struct place {
    const char *at;
    const char *limit;
    const char *end;
    size_t line;
    int flow;
} place;

static int is_break(char c) {
    return c == '\n' || c == '\r';
}

static int is_space(char c) {
    return c == ' ' || c == '\t';
}

/* At the beginning of a line: finds its end. */
static void enter_line(place *p) {
    p->limit = p->at;
    while (p->limit < p->end && !is_break(*p->limit))
        p->limit++;
}

/* To the beginning of the next line; 0 if there is none. */
static int next_line(place *p) {
    p->at = p->limit;
    if (p->at < p->end && *p->at++ == '\r' && p->at < p->end && *p->at == '\n')
        p->at++;
    p->line++;
    enter_line(p);
    return p->at < p->end;
}

/* Past spaces and comments, in flow style past line ends too. */
static void skip_space(place *p) {
    for (; p->at < p->limit; p->at++) {
        if (*p->at == '#') {
            while (p->at < p->limit && !is_break(*p->at))
                p->at++;
            p->at--;
        } else if (is_break(*p->at)) {
            p->line += *p->at == '\n' || p->at + 1 == p->end || p->at[1] != '\n';
        } else if (!is_space(*p->at)) {
            return;
        }
    }
}

/* 1 if a key ends at `at`: a colon, and then a space or nothing. */
static int ends_key(const place *p, const char *at) {
    return *at == ':' && (at + 1 == p->limit || is_space(at[1]) || is_break(at[1]));
}

/* ---- Finding the names --------------------------------------------------------------------- */

static size_t key_length(const place *p) {
    static const char letters[] =
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-";
    const char *at = p->at;
    while (at < p->limit && memchr(letters, *at, sizeof letters - 1))
        at++;
    return at < p->limit && ends_key(p, at) ? (size_t)(at - p->at) : 0;
}

/* To what follows "names:", which only keys, what belongs to them, and comments stand before; 0 if
 * this is no such file. */
static int find_names(place *p) {
    int keys = 0, more = p->at < p->end;
    for (enter_line(p); more; more = next_line(p)) {
        size_t size = (size_t)(p->limit - p->at), key = key_length(p);
        if (size == 0 || *p->at == '#' || (size >= 3 && memcmp(p->at, "---", 3) == 0))
            continue;
        if (key == 5 && memcmp(p->at, "names", key) == 0) {
            p->at += key + 1;
            return 1;
        }
        if (key == 0 && !(keys && (is_space(*p->at) || *p->at == '-')))
            return 0;
        keys = 1;
    }
    return 0;
}

int mm_labels_is_yaml(const char *text, size_t size) {
    place p = {.at = text, .end = text + size, .line = 1};
    return find_names(&p);
}

/* ---- Texts --------------------------------------------------------------------------------- */

static mmood_status refuse(const place *p, mmood_error *error, const char *what) {
    return mm_error_set(error, MMOOD_ERROR_FORMAT,
                        "line %zu, \"names\" in YAML: %s; expected a list of labels or a map to "
                        "labels, such as \"0: dog\"",
                        p->line, what);
}

static mmood_status read_quoted(mm_buffer *out, place *p, mmood_error *error) {
    char quote = *p->at++;
    for (; p->at < p->limit && !is_break(*p->at); p->at++) {
        char c = *p->at;
        if (c == quote && quote == '\'' && p->at + 1 < p->limit && p->at[1] == quote) {
            p->at++; /* two stand for one */
        } else if (c == quote) {
            p->at++;
            return MMOOD_OK;
        } else if (c == '\\' && quote == '"') {
            p->at++;
            if (p->at == p->limit || !memchr("\"\\/", *p->at, 3))
                return refuse(p, error, "an escape other than \\\", \\\\ and \\/");
            c = *p->at;
        }
        mm_buffer_append(out, &c, 1);
    }
    return refuse(p, error, "a quotation mark without its partner on the line");
}

/* A text: a key, which ends before its colon, or a label. */
static mmood_status read_text(mm_buffer *out, place *p, int is_key, mmood_error *error) {
    out->size = 0;
    if (p->at < p->limit && (*p->at == '"' || *p->at == '\''))
        return read_quoted(out, p, error);
    const char *start = p->at;
    if (start < p->limit && memchr("&*!|>%@`[{?", *start, 11))
        return refuse(p, error, "neither a plain nor a quoted text");
    for (; p->at < p->limit && !is_break(*p->at); p->at++) {
        if (p->flow && memchr(",]}", *p->at, 3))
            break;
        if (*p->at == '#' && p->at > start && is_space(p->at[-1]))
            break;
        if (ends_key(p, p->at)) {
            if (is_key)
                break;
            return refuse(p, error, "a map in a label's place (quote a label that has a colon)");
        }
    }
    size_t size = (size_t)(p->at - start);
    while (size > 0 && is_space(start[size - 1]))
        size--;
    if (size == 0)
        return refuse(p, error, "nothing in a label's place");
    mm_buffer_append(out, start, size);
    return MMOOD_OK;
}

/* "KEY:", which says nothing that is needed. */
static mmood_status skip_key(mm_buffer *scratch, place *p, mmood_error *error) {
    mmood_status status = read_text(scratch, p, 1, error);
    if (status != MMOOD_OK)
        return status;
    skip_space(p);
    if (p->at == p->limit || *p->at != ':')
        return refuse(p, error, "no colon after a key");
    p->at++;
    skip_space(p);
    return MMOOD_OK;
}

static mmood_status read_label(mmood_labels *labels, mm_buffer *scratch, place *p,
                               mmood_error *error) {
    size_t line = p->line;
    mmood_status status = read_text(scratch, p, 0, error);
    if (status != MMOOD_OK)
        return status;
    if (scratch->failed)
        return mm_error_set(error, MMOOD_ERROR_MEMORY, "no memory for a label");
    return mm_labels_add(labels, scratch->size ? scratch->data : "", scratch->size, NULL, line,
                         error);
}

/* ---- Lists and maps ------------------------------------------------------------------------ */

/* [a, b] or {0: a, 1: b}. */
static mmood_status read_flow(mmood_labels *labels, mm_buffer *scratch, place *p,
                              mmood_error *error) {
    char close = *p->at++ == '[' ? ']' : '}';
    p->flow = 1;
    p->limit = p->end;
    for (;;) {
        mmood_status status = MMOOD_OK;
        skip_space(p);
        if (p->at < p->limit && *p->at == close)
            return MMOOD_OK;
        if (p->at < p->limit && close == '}')
            status = skip_key(scratch, p, error);
        if (status == MMOOD_OK && p->at < p->limit)
            status = read_label(labels, scratch, p, error);
        if (status != MMOOD_OK)
            return status;
        skip_space(p);
        if (p->at == p->limit || (*p->at != ',' && *p->at != close))
            return refuse(p, error, "a list or map that does not end");
        p->at += *p->at == ',';
    }
}

/* Lines "- a" or "0: a", until one that begins another key. */
static mmood_status read_block(mmood_labels *labels, mm_buffer *scratch, place *p,
                               mmood_error *error) {
    mmood_status status = MMOOD_OK;
    while (status == MMOOD_OK && next_line(p)) {
        int indented = is_space(*p->at);
        skip_space(p);
        if (p->at == p->limit)
            continue;
        int item = *p->at == '-' && (p->at + 1 == p->limit || is_space(p->at[1]));
        if (!indented && !item)
            break;
        if (item) {
            p->at++;
            skip_space(p);
        } else {
            status = skip_key(scratch, p, error);
        }
        if (status == MMOOD_OK)
            status = read_label(labels, scratch, p, error);
        skip_space(p);
        if (status == MMOOD_OK && p->at < p->limit)
            status = refuse(p, error, "something behind a label");
    }
    return status;
}

mmood_status mm_labels_read_yaml(mmood_labels *labels, const char *text, size_t size,
                                 mmood_error *error) {
    place p = {.at = text, .end = text + size, .line = 1};
    mm_buffer scratch = {0};
    if (!find_names(&p))
        return mm_error_set(error, MMOOD_ERROR_FORMAT, "there is no \"names:\" in the YAML");
    mmood_status status = mm_labels_note(labels, MMOOD_FINDING_FORMAT, p.line, error,
                                         "read as YAML: only the labels of \"names\"");
    skip_space(&p);
    if (status != MMOOD_OK)
        return status;
    if (p.at == p.limit)
        status = read_block(labels, &scratch, &p, error);
    else if (*p.at == '[' || *p.at == '{')
        status = read_flow(labels, &scratch, &p, error);
    else
        status = refuse(&p, error, "a single value");
    mm_buffer_free(&scratch);
    return status;
}
