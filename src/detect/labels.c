/* labels.c - the list of labels with its findings, and the text format: one label a line. A line
 * that begins with "#" is a label like any other. */
#include "detect/labels.h"

#include "base/buffer.h"
#include "base/error.h"
#include "base/file.h"
#include "detect/entities.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <utf8proc.h>

enum { MAX_FILE = 64 << 20, MAX_LABEL = 4096, MAX_LABELS = 10000000, LONG_LABEL = 200 };

typedef struct label {
    char *text;
    char *source;
    size_t line;
} label;

struct mmood_labels {
    label *items;
    size_t count;
    size_t room;
    mmood_finding *findings;
    size_t finding_count;
    size_t finding_room;
    size_t *slots; /* open addressing over items by text: index + 1, or 0 */
    size_t slot_count;
};

mmood_labels *mm_labels_create(void) {
    return calloc(1, sizeof(mmood_labels));
}

void mmood_labels_free(mmood_labels *labels) {
    if (!labels)
        return;
    for (size_t i = 0; i < labels->count; i++) {
        free(labels->items[i].text);
        free(labels->items[i].source);
    }
    for (size_t i = 0; i < labels->finding_count; i++)
        free((void *)(uintptr_t)labels->findings[i].message);
    free(labels->items);
    free(labels->findings);
    free(labels->slots);
    free(labels);
}

size_t mmood_labels_count(const mmood_labels *labels) {
    return labels->count;
}

const char *mmood_labels_text(const mmood_labels *labels, size_t index) {
    return labels->items[index].text;
}

const char *mmood_labels_source(const mmood_labels *labels, size_t index) {
    return labels->items[index].source ? labels->items[index].source : "";
}

size_t mmood_labels_finding_count(const mmood_labels *labels) {
    return labels->finding_count;
}

mmood_finding mmood_labels_finding(const mmood_labels *labels, size_t index) {
    return labels->findings[index];
}

/* Makes room for one more element; 0 if memory is out. */
static int grow(void **items, size_t *room, size_t count, size_t size) {
    if (count < *room)
        return 1;
    size_t wanted = *room ? 2 * *room : 64;
    void *grown = realloc(*items, wanted * size);
    if (!grown)
        return 0;
    *items = grown;
    *room = wanted;
    return 1;
}

mmood_status mm_labels_note(mmood_labels *labels, mmood_finding_kind kind, size_t line,
                            mmood_error *error, const char *format, ...) {
    char text[512];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    char *copy = strdup(text);
    void *findings = labels->findings;
    if (!copy ||
        !grow(&findings, &labels->finding_room, labels->finding_count, sizeof *labels->findings)) {
        free(copy);
        return mm_error_set(error, MMOOD_ERROR_MEMORY, "no memory for a finding");
    }
    labels->findings = findings;
    labels->findings[labels->finding_count++] = (mmood_finding){kind, line, copy};
    return MMOOD_OK;
}

/* ---- One label ----------------------------------------------------------------------------- */

static uint64_t hash_text(const char *text) {
    uint64_t hash = 14695981039346656037u; /* FNV-1a */
    for (; *text; text++)
        hash = (hash ^ (uint8_t)*text) * 1099511628211u;
    return hash;
}

/* The slot of `text`: taken by an equal label, or free. */
static size_t find_slot(const mmood_labels *labels, const char *text) {
    size_t slot = (size_t)hash_text(text) & (labels->slot_count - 1);
    while (labels->slots[slot] && strcmp(labels->items[labels->slots[slot] - 1].text, text) != 0)
        slot = (slot + 1) & (labels->slot_count - 1);
    return slot;
}

static int grow_slots(mmood_labels *labels) {
    if (2 * (labels->count + 1) <= labels->slot_count)
        return 1;
    size_t *old = labels->slots;
    size_t wanted = labels->slot_count ? 2 * labels->slot_count : 256;
    labels->slots = calloc(wanted, sizeof *labels->slots);
    if (!labels->slots) {
        labels->slots = old;
        return 0;
    }
    labels->slot_count = wanted;
    for (size_t i = 0; i < labels->count; i++)
        labels->slots[find_slot(labels, labels->items[i].text)] = i + 1;
    free(old);
    return 1;
}

/* Length of the white space (Unicode's, and a stray byte-order mark) that begins or ends `text`. */
static size_t space_at_start(const char *text, size_t size) {
    size_t at = 0;
    while (at < size) {
        utf8proc_int32_t c;
        utf8proc_ssize_t n = utf8proc_iterate((const utf8proc_uint8_t *)text + at,
                                              (utf8proc_ssize_t)(size - at), &c);
        utf8proc_category_t kind = n > 0 ? utf8proc_category(c) : UTF8PROC_CATEGORY_LO;
        if (!(kind == UTF8PROC_CATEGORY_ZS || kind == UTF8PROC_CATEGORY_ZL ||
              kind == UTF8PROC_CATEGORY_ZP || (c >= 9 && c <= 13) || c == 0x85 || c == 0xfeff))
            break;
        at += (size_t)n;
    }
    return at;
}

static size_t space_at_end(const char *text, size_t size) {
    size_t end = size;
    while (end > 0) {
        size_t last = end - 1;
        while (last > 0 && ((uint8_t)text[last] & 0xc0) == 0x80)
            last--;
        if (space_at_start(text + last, end - last) != end - last)
            break;
        end = last;
    }
    return size - end;
}

static mmood_status check_text(const char *text, size_t size, size_t line, mmood_error *error) {
    if (memchr(text, 0, size))
        return mm_error_set(error, MMOOD_ERROR_FORMAT,
                            "label %zu holds a NUL byte; a text file or JSON in UTF-8 is needed",
                            line);
    for (size_t at = 0; at < size;) {
        utf8proc_int32_t c;
        utf8proc_ssize_t n = utf8proc_iterate((const utf8proc_uint8_t *)text + at,
                                              (utf8proc_ssize_t)(size - at), &c);
        if (n <= 0)
            return mm_error_set(
                error, MMOOD_ERROR_FORMAT,
                "line %zu is not UTF-8: byte 0x%02x at column %zu; save the file as "
                "UTF-8",
                line, (unsigned)(uint8_t)text[at], at + 1);
        at += (size_t)n;
    }
    if (size > MAX_LABEL)
        return mm_error_set(error, MMOOD_ERROR_LIMIT,
                            "line %zu has %zu bytes; a label has at most %d", line, size,
                            (int)MAX_LABEL);
    return MMOOD_OK;
}

/* Letters of a script other than Latin, Greek or Common, as far as blocks tell: above U+0250 except
 * combining marks, Greek, and additions to Latin. */
static int is_non_latin(const char *text) {
    const utf8proc_uint8_t *p = (const utf8proc_uint8_t *)text;
    while (*p) {
        utf8proc_int32_t c;
        utf8proc_ssize_t n = utf8proc_iterate(p, -1, &c);
        utf8proc_category_t kind = utf8proc_category(c);
        if (kind >= UTF8PROC_CATEGORY_LU && kind <= UTF8PROC_CATEGORY_LO && c >= 0x250 &&
            !(c >= 0x370 && c < 0x400) && !(c >= 0x1d00 && c < 0x2000) &&
            !(c >= 0x2100 && c < 0x2190) && !(c >= 0xff21 && c <= 0xff5a))
            return 1;
        p += n;
    }
    return 0;
}

/* Findings about a label that is kept. */
static mmood_status note_kept(mmood_labels *labels, const char *text, size_t line,
                              mmood_error *error) {
    mmood_status status = MMOOD_OK;
    if (strlen(text) > LONG_LABEL)
        status = mm_labels_note(labels, MMOOD_FINDING_LONG, line, error,
                                "\"%.60s...\" has %zu bytes: a model with 77 tokens may cut it",
                                text, strlen(text));
    if (status == MMOOD_OK && is_non_latin(text))
        status =
            mm_labels_note(labels, MMOOD_FINDING_NON_LATIN, line, error,
                           "\"%.120s\" has letters outside Latin: an English CLIP model hardly "
                           "knows them",
                           text);
    return status;
}

/* Takes ownership of `text`, trimmed already. */
static mmood_status keep(mmood_labels *labels, char *text, const char *source, size_t line,
                         mmood_error *error) {
    if (!grow_slots(labels)) {
        free(text);
        return mm_error_set(error, MMOOD_ERROR_MEMORY, "no memory for %zu labels",
                            labels->count + 1);
    }
    size_t slot = find_slot(labels, text);
    if (labels->slots[slot]) {
        const label *first = &labels->items[labels->slots[slot] - 1];
        mmood_status status =
            mm_labels_note(labels, MMOOD_FINDING_DUPLICATE, line, error,
                           "\"%.200s\" is already on line %zu; it counts once", text, first->line);
        free(text);
        return status;
    }
    void *items = labels->items;
    char *origin = source && source[0] ? strdup(source) : NULL;
    if ((source && source[0] && !origin) ||
        !grow(&items, &labels->room, labels->count, sizeof *labels->items)) {
        free(text);
        free(origin);
        return mm_error_set(error, MMOOD_ERROR_MEMORY, "no memory for %zu labels",
                            labels->count + 1);
    }
    labels->items = items;
    labels->items[labels->count++] = (label){text, origin, line};
    labels->slots[slot] = labels->count;
    return note_kept(labels, text, line, error);
}

mmood_status mm_labels_add(mmood_labels *labels, const char *text, size_t size, const char *source,
                           size_t line, mmood_error *error) {
    mmood_status status = check_text(text, size, line, error);
    if (status != MMOOD_OK)
        return status;
    if (labels->count == MAX_LABELS)
        return mm_error_set(error, MMOOD_ERROR_LIMIT, "more than %d labels", (int)MAX_LABELS);
    mm_buffer once = {0}, twice = {0};
    int escaped = mm_unescape_html(&once, text, size);
    mm_unescape_html(&twice, once.size ? once.data : "", once.size); /* "&amp;amp;" happens */
    mm_buffer_free(&once);
    size_t before = space_at_start(twice.size ? twice.data : "", twice.size);
    size_t after = before < twice.size ? space_at_end(twice.data + before, twice.size - before) : 0;
    size_t length = twice.size - before - after;
    char *clean = length ? strndup(twice.data + before, length) : NULL;
    mm_buffer_free(&twice);
    if (length == 0)
        return mm_labels_note(labels, MMOOD_FINDING_BLANK, line, error, "blank, skipped");
    if (!clean)
        return mm_error_set(error, MMOOD_ERROR_MEMORY, "no memory for a label");
    if (before || after)
        status = mm_labels_note(labels, MMOOD_FINDING_SPACES, line, error,
                                "spaces around \"%.200s\", trimmed", clean);
    if (status == MMOOD_OK && escaped)
        status = mm_labels_note(labels, MMOOD_FINDING_ENTITY, line, error,
                                "HTML entities replaced: \"%.200s\"", clean);
    if (status != MMOOD_OK) {
        free(clean);
        return status;
    }
    return keep(labels, clean, source, line, error);
}

/* ---- Files --------------------------------------------------------------------------------- */

/* Why bytes that are no text cannot be labels; NULL if they may. */
static const char *refuse(const uint8_t *data, size_t size) {
    if (size >= 2 && ((data[0] == 0xff && data[1] == 0xfe) || (data[0] == 0xfe && data[1] == 0xff)))
        return "the file is UTF-16 (it begins with its byte-order mark); save it as UTF-8";
    if (size >= 5 && (memcmp(data, "<!DOC", 5) == 0 || memcmp(data, "<html", 5) == 0))
        return "the file is an HTML page, not a list of labels";
    if (memchr(data, 0, size < 4096 ? size : 4096))
        return "the file is binary, not a list of labels: one a line, or JSON";
    return NULL;
}

static mmood_status read_text(mmood_labels *labels, const char *text, size_t size,
                              mmood_error *error) {
    size_t line = 0;
    mmood_status status = MMOOD_OK;
    for (size_t at = 0; at < size && status == MMOOD_OK;) {
        size_t length = 0;
        while (at + length < size && text[at + length] != '\n' && text[at + length] != '\r')
            length++;
        status = mm_labels_add(labels, text + at, length, NULL, ++line, error);
        at += length;
        if (at + 1 < size && text[at] == '\r' && text[at + 1] == '\n')
            at++;
        at++;
    }
    return status;
}

mmood_status mmood_labels_parse(mmood_labels **out, const void *data, size_t size,
                                mmood_error *error) {
    *out = NULL;
    const char *text = data;
    const char *reason = size ? refuse(data, size) : NULL;
    if (reason)
        return mm_error_set(error, MMOOD_ERROR_FORMAT, "%s", reason);
    if (size > MAX_FILE)
        return mm_error_set(error, MMOOD_ERROR_LIMIT,
                            "%zu bytes of labels; at most %d are possible", size, (int)MAX_FILE);
    mmood_labels *labels = mm_labels_create();
    if (!labels)
        return mm_error_set(error, MMOOD_ERROR_MEMORY, "no memory for labels");
    mmood_status status = MMOOD_OK;
    if (size >= 3 && memcmp(text, "\xef\xbb\xbf", 3) == 0) {
        status = mm_labels_note(labels, MMOOD_FINDING_BOM, 1, error, "byte-order mark, skipped");
        text += 3;
        size -= 3;
    }
    size_t start = space_at_start(size ? text : "", size);
    int json = start < size && (text[start] == '[' || text[start] == '{');
    if (status == MMOOD_OK)
        status = json ? mm_labels_read_json(labels, text, size, error)
                      : read_text(labels, text, size, error);
    if (status == MMOOD_OK && labels->count == 0)
        status = mm_error_set(error, MMOOD_ERROR_FORMAT,
                              "there is no label in it; one a line, or JSON, is expected");
    if (status == MMOOD_OK)
        *out = labels;
    else
        mmood_labels_free(labels);
    return status;
}

mmood_status mmood_labels_load(mmood_labels **out, const char *path, mmood_error *error) {
    uint8_t *data;
    size_t size;
    *out = NULL;
    mmood_status status = mm_file_read(&data, &size, path, MAX_FILE, error);
    if (status == MMOOD_OK) {
        status = mmood_labels_parse(out, data, size, error);
        free(data);
    }
    return status == MMOOD_OK ? status : mm_error_prefix(error, status, "%s", path);
}
