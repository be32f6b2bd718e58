/* reply.c - one reply of a chat model, as labels: the order of the steps, and the result. */
#include "envision/reply.h"

#include "base/buffer.h"
#include "base/error.h"
#include "envision/reply_internal.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { SHOWN = 160, LEAD = 300, MAX_NOTES = 20 };

/* ---- The result ---------------------------------------------------------------------------- */

/* Makes room for one more element; 0 if memory is out. */
static int grow(void **items, size_t *room, size_t count, size_t size) {
    if (count < *room)
        return 1;
    size_t wanted = *room ? 2 * *room : 16;
    void *grown = realloc(*items, wanted * size);
    if (!grown)
        return 0;
    *items = grown;
    *room = wanted;
    return 1;
}

/* A copy of at most SHOWN bytes, cut between characters. */
static char *copy_start(mm_span text) {
    size_t n = text.size < SHOWN ? text.size : SHOWN;
    while (n > 0 && n < text.size && ((unsigned char)text.text[n] & 0xc0) == 0x80)
        n--;
    char *copy = malloc(n + 1);
    if (copy) {
        memcpy(copy, text.text, n);
        copy[n] = 0;
    }
    return copy;
}

static int is_full(mm_reply *reply) {
    if (reply->count + reply->dropped_count < MM_REPLY_MAX_ITEMS)
        return 0;
    if (reply->count + reply->dropped_count == MM_REPLY_MAX_ITEMS && !reply->failed)
        mm_reply_note(reply, "the reply has more than %d items; the rest is left out",
                      (int)MM_REPLY_MAX_ITEMS);
    return 1;
}

void mm_reply_drop(mm_reply *reply, mm_span text, const char *reason) {
    if (is_full(reply))
        return;
    void *items = reply->dropped;
    char *copy = copy_start(mm_trim(text));
    if (!copy || !grow(&items, &reply->room[0], reply->dropped_count, sizeof *reply->dropped)) {
        free(copy);
        reply->failed = 1;
        return;
    }
    reply->dropped = items;
    reply->dropped[reply->dropped_count++] = (mm_reply_dropped){copy, reason};
}

void mm_reply_keep(mm_reply *reply, const char *label) {
    if (is_full(reply))
        return;
    void *items = reply->labels;
    char *copy = strdup(label);
    if (!copy || !grow(&items, &reply->room[1], reply->count, sizeof *reply->labels)) {
        free(copy);
        reply->failed = 1;
        return;
    }
    reply->labels = items;
    reply->labels[reply->count++] = copy;
}

void mm_reply_note(mm_reply *reply, const char *format, ...) {
    char text[256];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    for (size_t i = 0; i < reply->note_count; i++)
        if (strcmp(reply->notes[i], text) == 0)
            return;
    void *items = reply->notes;
    char *copy = reply->note_count < MAX_NOTES ? strdup(text) : NULL;
    if (!copy || !grow(&items, &reply->room[2], reply->note_count, sizeof *reply->notes)) {
        reply->failed |= reply->note_count < MAX_NOTES;
        free(copy);
        return;
    }
    reply->notes = items;
    reply->notes[reply->note_count++] = copy;
}

void mm_reply_free(mm_reply *reply) {
    for (size_t i = 0; i < reply->count; i++)
        free(reply->labels[i]);
    for (size_t i = 0; i < reply->dropped_count; i++)
        free(reply->dropped[i].text);
    for (size_t i = 0; i < reply->note_count; i++)
        free(reply->notes[i]);
    free(reply->labels);
    free(reply->dropped);
    free(reply->notes);
    *reply = (mm_reply){0};
}

/* ---- Parsing ------------------------------------------------------------------------------- */

/* What comes before the list: up to the first line with a marker or a bracket. */
static mm_span lead_of(mm_span text) {
    size_t end = text.size < LEAD ? text.size : LEAD;
    for (size_t at = 0; at < end;) {
        const char *stop = memchr(text.text + at, '\n', end - at);
        size_t n = stop ? (size_t)(stop - text.text) - at : end - at;
        mm_span line = mm_trim((mm_span){text.text + at, n});
        int number;
        char letter = 'a';
        if (line.size > 0 && (strchr("[{|", *line.text) || mm_marker(line, &number, &letter) > 0))
            return (mm_span){text.text, at};
        at += n + 1;
    }
    return (mm_span){text.text, end};
}

static mmood_status fail(const char *what, mm_span text, int truncated, mmood_error *error) {
    char *start = copy_start(mm_trim(text));
    mmood_status status =
        mm_error_set(error, start ? MMOOD_ERROR_FORMAT : MMOOD_ERROR_MEMORY, "%s: \"%s%s\"%s", what,
                     start ? start : "", start && strlen(start) < mm_trim(text).size ? "..." : "",
                     truncated ? "; it was cut at the token limit: raise it" : "");
    free(start);
    return status;
}

/* Finds the labels in a reply that is cleaned already. */
static mmood_status read_answer(mm_reply *reply, mm_span answer, int truncated,
                                mmood_error *error) {
    if (mm_is_refusal(lead_of(answer)))
        return fail("the model refuses", answer, 0, error);
    size_t strings = mm_reply_json(reply, answer);
    int marked = strings > 0;
    if (strings == 0) {
        mm_buffer prose = {0};
        mm_reply_fences(&prose, answer, 1);
        if (prose.size)
            mm_reply_lines(reply, (mm_span){prose.data, prose.size}, truncated, &marked);
        reply->failed |= prose.failed;
        mm_buffer_free(&prose);
    }
    if (reply->failed)
        return mm_error_set(error, MMOOD_ERROR_MEMORY, "no memory for the labels of a reply");
    if (!marked && mm_is_apology(answer))
        return fail("the model refuses", answer, 0, error);
    if (reply->count == 0)
        return fail("the reply holds no label; a list is expected, one label a line", answer,
                    truncated, error);
    return MMOOD_OK;
}

mmood_status mm_reply_parse(mm_reply *out, const char *text, size_t size, int truncated,
                            mmood_error *error) {
    *out = (mm_reply){0};
    if (size > MM_REPLY_MAX_SIZE)
        return mm_error_set(error, MMOOD_ERROR_LIMIT,
                            "the reply has %zu bytes; at most %d are read as labels", size,
                            (int)MM_REPLY_MAX_SIZE);
    mm_buffer clean = {0}, answer = {0}, blocks = {0};
    int thinking = 0;
    mm_reply_characters(&clean, out, (mm_span){text, size});
    mm_reply_markup(&answer, (mm_span){clean.size ? clean.data : "", clean.size}, &thinking);
    mm_reply_fences(&blocks, (mm_span){answer.size ? answer.data : "", answer.size}, 0);
    mm_span whole = {clean.size ? clean.data : "", clean.size};
    mm_span rest = {blocks.size ? blocks.data : "", blocks.size};
    mmood_status status;
    if (clean.failed || answer.failed || blocks.failed)
        status =
            mm_error_set(error, MMOOD_ERROR_MEMORY, "no memory for a reply of %zu bytes", size);
    else if (mm_trim(whole).size == 0)
        status = mm_error_set(error, MMOOD_ERROR_FORMAT, "the reply is empty%s",
                              truncated ? ": the model spent its tokens before it answered; raise "
                                          "their limit"
                                        : "; a list of labels is expected");
    else if (thinking && mm_trim(rest).size == 0)
        status = fail("the reply ends in the model's reasoning; raise the limit of its tokens",
                      whole, 0, error);
    else if (mm_trim(rest).size == 0)
        status = fail("the reply holds no label; a list is expected, one label a line", whole,
                      truncated, error);
    else
        status = read_answer(out, rest, truncated, error);
    if (status == MMOOD_OK && truncated)
        mm_reply_note(out, "the reply was cut at its token limit");
    mm_buffer_free(&clean);
    mm_buffer_free(&answer);
    mm_buffer_free(&blocks);
    if (status != MMOOD_OK)
        mm_reply_free(out);
    return status;
}
