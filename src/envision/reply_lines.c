/* reply_lines.c - replies that are lines of text: bullets and numbers at one or two levels, tables,
 * and lists without any marker between sentences to the reader. */
#include "envision/reply_internal.h"

#include <stdlib.h>
#include <string.h>

typedef enum kind { PLAIN, HEADING, BULLET, NUMBER, ROW, RULE, TITLE } kind;

typedef struct line {
    mm_span text; /* without its marker */
    size_t indent;
    kind kind;
    int number;
    int nested;   /* below another item */
    int children; /* items below this one */
    size_t parent;
} line;

typedef struct lines {
    line *items;
    size_t count;
    size_t room;
    int failed;
} lines;

static const char around[] = "text around the list";

static void push(lines *l, line item) {
    if (l->count == l->room) {
        size_t room = l->room ? 2 * l->room : 64;
        line *items = realloc(l->items, room * sizeof *items);
        if (!items) {
            l->failed = 1;
            return;
        }
        l->items = items;
        l->room = room;
    }
    l->items[l->count++] = item;
}

static int is_item(const line *l) {
    return l->kind == BULLET || l->kind == NUMBER || l->kind == ROW;
}

/* ---- Reading lines ------------------------------------------------------------------------- */

/* Nothing but punctuation: "---", "|---|:--|". */
static int is_rule(mm_span text) {
    for (size_t i = 0; i < text.size; i++)
        if (!strchr("-=*_|: +", text.text[i]))
            return 0;
    return 1;
}

static size_t heading(mm_span text) {
    size_t n = 0;
    while (n < text.size && n < 6 && text.text[n] == '#')
        n++;
    return n > 0 && n < text.size && text.text[n] == ' ' ? n + 1 : 0;
}

/* Where the number after `number` stands in a line that lists several, or the size. */
static size_t next_number(mm_span text, size_t at, int number) {
    for (; at < text.size; at++) {
        char before = text.text[at - 1], c = text.text[at];
        int found;
        char letter = 0;
        if (!strchr(" ,;:", before) || !((c >= '0' && c <= '9') || c == '('))
            continue;
        mm_span rest = mm_from(text, at);
        size_t n = mm_marker(rest, &found, &letter);
        if (n > 0 && found == number + 1 && n < rest.size && strchr(" ).", rest.text[n - 1]))
            return at;
    }
    return text.size;
}

/* Adds "1. owl 2. fox" as two lines; 0 if the line is not of that kind. */
static int push_numbers(lines *l, line whole) {
    mm_span text = whole.text;
    size_t first = 0;
    int number = whole.number;
    if (whole.kind != NUMBER) {
        const char *colon = memchr(text.text, ':', text.size);
        first = colon ? next_number(text, (size_t)(colon - text.text) + 1, 0) : text.size;
        number = 1;
    }
    size_t next = first + 1 < text.size ? next_number(text, first + 1, number) : text.size;
    if (next >= text.size)
        return 0;
    if (first > 0)
        push(l, (line){.text = {text.text, first}, .indent = whole.indent, .kind = PLAIN});
    while (first < text.size) {
        line part = {.text = {text.text + first, next - first}, .indent = whole.indent};
        char letter = 0;
        part.kind = NUMBER;
        part.text = mm_from(part.text, mm_marker(part.text, &part.number, &letter));
        push(l, part);
        first = next;
        next = first < text.size ? next_number(text, first + 1, ++number) : text.size;
    }
    return 1;
}

/* Adds a line with round bullets in the middle as several; 0 if it has none. */
static int push_bullets(lines *l, line whole) {
    static const char dot[] = " \xe2\x80\xa2 ";
    size_t first = 0, found = 0;
    for (size_t at = 0; whole.kind == BULLET && at < whole.text.size; at++) {
        if (!mm_starts(mm_from(whole.text, at), dot))
            continue;
        line part = whole;
        part.text = (mm_span){whole.text.text + first, at - first};
        push(l, part);
        first = at + sizeof dot - 1;
        at = first - 1; /* two bullets do not share a space */
        found++;
    }
    if (found) {
        whole.text = mm_from(whole.text, first);
        push(l, whole);
    }
    return found > 0;
}

static void push_line(lines *l, mm_span raw, char *letter) {
    line new = {.text = mm_trim(raw)};
    if (new.text.size == 0)
        return;
    for (size_t i = 0; raw.text + i < new.text.text; i++)
        new.indent += raw.text[i] == '\t' ? 4 : 1;
    if (is_rule(new.text)) {
        new.kind = RULE;
        push(l, new);
        return;
    }
    size_t title = heading(new.text);
    mm_span text = mm_trim(mm_from(new.text, title));
    size_t marker = mm_marker(text, &new.number, letter);
    if (title && (marker == 0 || new.number == 0)) {
        new.kind = HEADING;
    } else if (marker > 0) {
        new.kind = new.number ? NUMBER : BULLET;
        new.text = text;
    }
    if (push_numbers(l, new))
        return;
    if (is_item(&new))
        new.text = mm_from(new.text, marker);
    if (!push_bullets(l, new))
        push(l, new);
}

static void read_lines(lines *l, mm_span text) {
    char letter = 'a';
    for (size_t at = 0; at < text.size;) {
        const char *end = memchr(text.text + at, '\n', text.size - at);
        size_t n = end ? (size_t)(end - text.text) - at : text.size - at;
        push_line(l, (mm_span){text.text + at, n}, &letter);
        at += n + 1;
    }
}

/* ---- Tables -------------------------------------------------------------------------------- */

/* The cell of a row; 0 past the last. */
static int cell_at(mm_span row, char delimiter, size_t index, mm_span *cell) {
    if (delimiter == '|' && row.size > 0 && *row.text == '|')
        row = mm_from(row, 1);
    if (delimiter == '|' && row.size > 0 && row.text[row.size - 1] == '|')
        row.size--;
    size_t first = 0;
    int quoted = 0;
    for (size_t at = 0; at <= row.size; at++) {
        if (at < row.size && row.text[at] == '"')
            quoted = !quoted;
        if (at < row.size && (row.text[at] != delimiter || quoted))
            continue;
        *cell = mm_trim((mm_span){row.text + first, at - first});
        if (index-- == 0)
            return 1;
        first = at + 1;
    }
    return 0;
}

static mm_key cell_key(mm_span cell, int *rank) {
    while (cell.size > 0 && strchr("*_`\"", *cell.text))
        cell = mm_from(cell, 1);
    while (cell.size > 0 && strchr("*_`\".", cell.text[cell.size - 1]))
        cell.size--;
    return mm_key_of(cell, rank);
}

/* The column with the labels: the best name in the header, else the first that is no number. */
static size_t label_column(mm_span header, char delimiter, int *named, int *all_keys) {
    size_t best = SIZE_MAX, other = SIZE_MAX, column = 0;
    int best_rank = 0, rank = 0;
    *all_keys = 1;
    for (mm_span cell; column < 64 && cell_at(header, delimiter, column, &cell); column++) {
        mm_key key = cell_key(cell, &rank);
        if ((key == MM_KEY_LABEL || key == MM_KEY_LABELS) &&
            (best == SIZE_MAX || rank < best_rank)) {
            best = column;
            best_rank = rank;
        }
        if (key == MM_KEY_OTHER && other == SIZE_MAX && cell.size > 0)
            other = column;
        *all_keys &= key != MM_KEY_OTHER;
    }
    *all_keys &= column > 1;
    *named = best != SIZE_MAX;
    return *named ? best : other != SIZE_MAX ? other : 0;
}

static int has_pipe(const line *l) {
    return memchr(l->text.text, '|', l->text.size) != NULL;
}

/* Turns the rows from `first` on into items; returns the line after the table. */
static size_t read_table(lines *l, size_t first, int ruled) {
    int named, all_keys;
    size_t column = label_column(l->items[first].text, '|', &named, &all_keys), i = first;
    for (; i < l->count && has_pipe(&l->items[i]); i++) {
        line *row = &l->items[i];
        mm_span cell;
        int is_title = i == first && (ruled || named);
        if (row->kind == RULE)
            continue;
        row->kind = is_title || !cell_at(row->text, '|', column, &cell) ? TITLE : ROW;
        if (row->kind == ROW)
            row->text = cell;
    }
    return i;
}

static void find_tables(lines *l) {
    for (size_t i = 0; i + 1 < l->count; i++) {
        const line *here = &l->items[i], *next = &l->items[i + 1];
        int ruled = has_pipe(here) && next->kind == RULE &&
                    (has_pipe(next) || memchr(next->text.text, '-', next->text.size));
        if (here->kind != RULE && has_pipe(here) &&
            (ruled || (mm_starts(here->text, "|") && mm_starts(next->text, "|"))))
            i = read_table(l, i, ruled) - 1;
    }
    int named, all_keys;
    if (l->count > 1 && l->items[0].kind == PLAIN) { /* CSV with a header */
        size_t column = label_column(l->items[0].text, ',', &named, &all_keys);
        for (size_t i = 0; named && all_keys && i < l->count; i++) {
            mm_span cell;
            l->items[i].kind = i > 0 && cell_at(l->items[i].text, ',', column, &cell) ? ROW : TITLE;
            if (l->items[i].kind == ROW)
                l->items[i].text = cell;
        }
    }
}

/* ---- Levels -------------------------------------------------------------------------------- */

/* Whether bullets explain the numbered items that they follow, at the same indent. */
static int numbers_are_parents(const lines *l) {
    size_t pairs = 0;
    const line *before = NULL;
    for (size_t i = 0; i < l->count; i++) {
        const line *here = &l->items[i];
        if (!is_item(here))
            continue;
        if (!before && here->kind != NUMBER)
            return 0;
        pairs += before && before->kind == NUMBER && here->kind == BULLET;
        before = here;
    }
    return pairs > 1;
}

/* Finds which items stand below another. */
static void find_levels(lines *l) {
    int numbers = numbers_are_parents(l);
    size_t parent = SIZE_MAX;
    for (size_t i = 0; i < l->count; i++) {
        line *here = &l->items[i];
        if (!is_item(here))
            continue;
        const line *top = parent == SIZE_MAX ? NULL : &l->items[parent];
        here->nested = top && (here->indent >= top->indent + 2 ||
                               (numbers && top->kind == NUMBER && here->kind == BULLET));
        if (here->nested) {
            here->parent = parent;
            l->items[parent].children++;
        } else {
            parent = i;
        }
    }
}

static int ends_in_colon(mm_span text) {
    while (text.size > 0 && strchr("*_ ", text.text[text.size - 1]))
        text.size--;
    return text.size > 0 && text.text[text.size - 1] == ':';
}

/* An item that names a group of those below it. */
static int is_group(const line *l) {
    return l->children > 0 && ends_in_colon(l->text);
}

static void add_marked(mm_reply *reply, lines *l, size_t count, int cut) {
    size_t group_indent = 0;
    for (size_t i = 0; i < l->count; i++) {
        const line *here = &l->items[i];
        int here_cut = cut && i + 1 == l->count;
        if (here->kind == RULE || here->kind == TITLE)
            continue;
        int first_unmarked = here->kind == PLAIN && i == 0 && l->count > 1 &&
                             l->items[1].kind == NUMBER && l->items[1].number == 2 &&
                             !mm_is_prose(here->text); /* the prompt ended in "1." */
        if (!is_item(here) && !first_unmarked) {
            mm_reply_drop(reply, here->text, around);
            continue;
        }
        if (is_group(here)) {
            mm_reply_drop(reply, here->text, "a heading");
            group_indent = SIZE_MAX;
            continue;
        }
        if (here->nested && group_indent == SIZE_MAX)
            group_indent = here->indent;
        if (here->nested &&
            (!is_group(&l->items[here->parent]) || here->indent >= group_indent + 2)) {
            mm_reply_drop(reply, here->text, "an item below another one");
            continue;
        }
        if (here->kind == ROW)
            mm_reply_item(reply, here->text, here_cut);
        else if (count == 1)
            mm_reply_list(reply, here->text, here_cut);
        else
            mm_reply_marked(reply, here->text, here_cut);
    }
}

/* ---- Lists without markers ----------------------------------------------------------------- */

/* Where a list begins after an introduction on the same line, or 0. */
static size_t after_introduction(mm_span text, int only) {
    for (size_t at = text.size; at-- > 1;) {
        char next = at + 1 < text.size ? text.text[at + 1] : 0;
        mm_span before = {text.text, at}, after = mm_from(text, at + 1);
        if (text.text[at] != ':' || next == '/' || (next >= '0' && next <= '9'))
            continue;
        mm_key key = cell_key(mm_trim(before), NULL);
        if (mm_has_separator(after) && (only || mm_is_prose(before) || key == MM_KEY_LABELS))
            return at + 1;
        return 0;
    }
    return 0;
}

static int is_sentence(mm_span text) {
    const char *comma = memchr(text.text, ',', text.size);
    mm_span first = {text.text, comma ? (size_t)(comma - text.text) : text.size};
    return mm_is_prose(first) || (comma && mm_words(first) > MM_LABEL_MAX_WORDS) ||
           mm_has_verb(first);
}

static void add_plain(mm_reply *reply, const line *here, int only, int cut) {
    size_t list = after_introduction(here->text, only);
    if (list)
        mm_reply_list(reply, mm_from(here->text, list), cut);
    else if (ends_in_colon(here->text) || is_sentence(here->text))
        mm_reply_drop(reply, here->text, around);
    else if (only)
        mm_reply_list(reply, here->text, cut);
    else
        mm_reply_marked(reply, here->text, cut);
}

static void add_unmarked(mm_reply *reply, const lines *l, kind wanted, int cut) {
    size_t candidates = 0;
    for (size_t i = 0; i < l->count; i++)
        candidates += l->items[i].kind == wanted && !ends_in_colon(l->items[i].text) &&
                      (!is_sentence(l->items[i].text) || after_introduction(l->items[i].text, 1));
    for (size_t i = 0; i < l->count; i++) {
        line here = l->items[i];
        if (here.kind != wanted)
            continue;
        here.text = mm_trim(mm_from(here.text, heading(here.text)));
        add_plain(reply, &here, candidates == 1, cut && i + 1 == l->count);
    }
}

void mm_reply_lines(mm_reply *reply, mm_span text, int cut, int *marked) {
    lines l = {0};
    size_t count = 0;
    read_lines(&l, text);
    cut = cut && text.size > 0 && text.text[text.size - 1] != '\n';
    find_tables(&l);
    for (size_t i = 0; i < l.count; i++)
        count += (size_t)is_item(&l.items[i]);
    *marked = count > 0;
    find_levels(&l);
    if (count > 0) {
        add_marked(reply, &l, count, cut);
    } else {
        size_t before = reply->count + reply->dropped_count;
        add_unmarked(reply, &l, PLAIN, cut);
        if (reply->count + reply->dropped_count == before)
            add_unmarked(reply, &l, HEADING, cut);
    }
    reply->failed |= l.failed;
    free(l.items);
}
