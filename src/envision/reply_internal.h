/* reply_internal.h - what the files that parse replies share. */
#ifndef MM_ENVISION_REPLY_INTERNAL_H
#define MM_ENVISION_REPLY_INTERNAL_H

#include "base/buffer.h"
#include "envision/reply.h"

#include <utf8proc.h>

/* A part of a text; not terminated. */
typedef struct mm_span {
    const char *text;
    size_t size;
} mm_span;

/* ---- reply.c: the result ------------------------------------------------------------------- */

void mm_reply_drop(mm_reply *reply, mm_span text, const char *reason);
void mm_reply_keep(mm_reply *reply, const char *label);
void mm_reply_note(mm_reply *reply, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* ---- reply_text.c: what is not the answer goes --------------------------------------------- */

/* Cleans the characters: valid UTF-8 without control characters, one kind of line end, ASCII for
 * full-width forms. */
void mm_reply_characters(mm_buffer *out, mm_reply *reply, mm_span text);

/* Removes reasoning, special tokens and markup. `*thinking` becomes 1 if the reasoning never ends.
 */
void mm_reply_markup(mm_buffer *out, mm_span text, int *thinking);

/* Removes fenced blocks of shell code, and with `programs` of other programs too; the fences
 * themselves always. */
void mm_reply_fences(mm_buffer *out, mm_span text, int programs);

/* ---- reply_words.c: what words say --------------------------------------------------------- */

/* What the name of a field says about its value. */
typedef enum mm_key {
    MM_KEY_OTHER = 0,
    MM_KEY_LABEL,  /* "label", "class_name", "Outlier 3" */
    MM_KEY_LABELS, /* "labels", "similar categories" */
    MM_KEY_NUMBER, /* "1" */
    MM_KEY_SKIP    /* "reason", "id_class" */
} mm_key;

/* `*rank` orders the MM_KEY_LABEL names: of several in one object the lowest holds the label.
 * `rank` may be NULL. */
mm_key mm_key_of(mm_span name, int *rank);

/* "Sure! Here are ...", "Let me know ...": a sentence to the reader. */
int mm_is_prose(mm_span text);

/* "I cannot help with that" */
int mm_is_refusal(mm_span text);

/* "Sorry", "As an AI": a refusal if there is no list. */
int mm_is_apology(mm_span text);

/* A word such as "is", "are", "because": a part of a sentence. */
int mm_has_verb(mm_span text);

/* ---- reply_item.c: one item ---------------------------------------------------------------- */

/* How long the list marker at the start of `text` is, such as "- ", "1. ", "(2) ", and its number:
 * 0 for a bullet. `*letter` is the one expected next in an "a. b. c." list; moved on when met. */
size_t mm_marker(mm_span text, int *number, char *letter);

/* Keeps an item as a label, without its marker, emphasis, quotes and explanation, or drops it with
 * a reason. `cut`: the text ends in this item. */
void mm_reply_item(mm_reply *reply, mm_span text, int cut);

/* The items of an enumeration: "a, b and c". */
void mm_reply_list(mm_reply *reply, mm_span text, int cut);

/* An item with a marker before it, which may hold "owl, fox" or "owl, a bird of the night". */
void mm_reply_marked(mm_reply *reply, mm_span text, int cut);

/* 1 if there is something that mm_reply_list would split. */
int mm_has_separator(mm_span text);

mm_span mm_trim(mm_span text);
mm_span mm_from(mm_span text, size_t at);      /* empty from its end on */
int mm_starts(mm_span text, const char *with); /* letter case of ASCII does not matter */
size_t mm_words(mm_span text);
size_t mm_code(utf8proc_int32_t *code, mm_span text); /* the first character of valid UTF-8 */

/* ---- reply_json.c, reply_lines.c: lists ---------------------------------------------------- */

/* Adds the strings of every JSON value in the text; returns how many strings there were. */
size_t mm_reply_json(mm_reply *reply, mm_span text);

/* Adds the items of a text that is not JSON. `*marked` becomes 1 if they are bullets, numbers or
 * rows of a table. */
void mm_reply_lines(mm_reply *reply, mm_span text, int cut, int *marked);

#endif
