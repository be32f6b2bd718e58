/* labels.c - the list of labels with its findings, and the text format: one label a line. A line
 * that begins with "#" is a label like any other. */
#include "detect/labels.h"

#include "base/buffer.h"
#include "base/entities.h"
#include "base/error.h"
#include "base/file.h"
#include "clip/normalize.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <utf8proc.h>

enum {
    MAX_FILE = 64 << 20,
    MAX_LABEL = 4096,
    MAX_LABELS = 10000000,
    MAX_FINDINGS = 100000,
    LONG_LABEL = 200
};

typedef struct label {
    char *text;
    char
        *key; /* the text as the tokenizer sees it: equal keys, equal tokens; often `text` itself */
    char *source;
    size_t line;
    size_t templates; /* number of its own list of templates; 0: it has none */
} label;

/* Finds labels by text or by key: open addressing, index + 1 of the label, or 0. */
typedef struct table {
    size_t *slots;
    size_t size; /* a power of two */
    int by_key;
} table;

struct mmood_labels {
    label *items;
    size_t count;
    size_t room;
    mmood_finding *findings;
    size_t finding_count;
    size_t finding_room;
    table texts;
    table keys; /* the first label with each key */
    mm_template_sets sets;
};

mmood_labels *mm_labels_create(void) {
    mmood_labels *labels = calloc(1, sizeof *labels);
    if (labels)
        labels->keys.by_key = 1;
    return labels;
}

static void free_label(label l) {
    if (l.key != l.text)
        free(l.key);
    free(l.text);
    free(l.source);
}

void mmood_labels_free(mmood_labels *labels) {
    if (!labels)
        return;
    for (size_t i = 0; i < labels->count; i++)
        free_label(labels->items[i]);
    for (size_t i = 0; i < labels->finding_count; i++)
        free((void *)(uintptr_t)labels->findings[i].message);
    free(labels->items);
    free(labels->findings);
    free(labels->texts.slots);
    free(labels->keys.slots);
    mm_template_sets_free(&labels->sets);
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

const mm_template_set *mm_labels_templates(const mmood_labels *labels, size_t index) {
    return mm_template_sets_get(&labels->sets, labels->items[index].templates);
}

const char *mmood_labels_template(const mmood_labels *labels, size_t index, size_t number) {
    const mm_template_set *set = mm_labels_templates(labels, index);
    return set && number < set->count ? set->items[number] : NULL;
}

mmood_status mm_labels_give_templates(mmood_labels *labels, const json_t *value,
                                      mmood_error *error) {
    return mm_template_sets_read(&labels->sets, &labels->items[labels->count - 1].templates, value,
                                 error);
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

/* Labels are valid UTF-8, but "%.200s" may have cut one inside a character. */
static void drop_cut_characters(char *text) {
    char *to = text;
    for (size_t left = strlen(text); left > 0;) {
        utf8proc_int32_t c;
        utf8proc_ssize_t n =
            utf8proc_iterate((const utf8proc_uint8_t *)text, (utf8proc_ssize_t)left, &c);
        size_t length = n > 0 ? (size_t)n : 1;
        if (n > 0) {
            memmove(to, text, length);
            to += length;
        }
        text += length;
        left -= length;
    }
    *to = 0;
}

mmood_status mm_labels_note(mmood_labels *labels, mmood_finding_kind kind, size_t line,
                            mmood_error *error, const char *format, ...) {
    char text[512];
    if (labels->finding_count == MAX_FINDINGS)
        return MMOOD_OK;
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    if (labels->finding_count == MAX_FINDINGS - 1)
        snprintf(text, sizeof text, "from here on more than %d findings: the rest is left out",
                 (int)MAX_FINDINGS);
    drop_cut_characters(text);
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

static const char *entry_text(const mmood_labels *labels, const table *t, size_t entry) {
    return t->by_key ? labels->items[entry - 1].key : labels->items[entry - 1].text;
}

/* The slot of `text`: taken by an equal label, or free. */
static size_t *find_slot(const mmood_labels *labels, const table *t, const char *text) {
    size_t slot = (size_t)hash_text(text) & (t->size - 1);
    while (t->slots[slot] && strcmp(entry_text(labels, t, t->slots[slot]), text) != 0)
        slot = (slot + 1) & (t->size - 1);
    return &t->slots[slot];
}

/* Makes room for one more label; 0 if memory is out. */
static int grow_table(const mmood_labels *labels, table *t) {
    if (2 * (labels->count + 1) <= t->size)
        return 1;
    table old = *t;
    size_t wanted = old.size ? 2 * old.size : 256;
    size_t *slots = calloc(wanted, sizeof *slots);
    if (!slots)
        return 0;
    t->slots = slots;
    t->size = wanted;
    for (size_t i = 0; i < old.size; i++)
        if (old.slots[i])
            *find_slot(labels, t, entry_text(labels, t, old.slots[i])) = old.slots[i];
    free(old.slots);
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

/* Fills in the key of a label that has its text. */
static mmood_status find_key(label *l, mmood_error *error) {
    mm_buffer key = {0};
    mmood_status status = mm_normalize(&key, l->text, strlen(l->text), error);
    if (status != MMOOD_OK || !key.data || strcmp(key.data, l->text) == 0) {
        mm_buffer_free(&key);
        l->key = l->text;
    } else {
        l->key = key.data;
    }
    return status;
}

static mmood_status no_memory(const mmood_labels *labels, mmood_error *error) {
    return mm_error_set(error, MMOOD_ERROR_MEMORY, "no memory for %zu labels", labels->count + 1);
}

/* Puts a label into the list and the tables, and notes what is odd about it. Takes ownership,
 * unless it fails before that; then `*kept` stays 0. */
static mmood_status append(mmood_labels *labels, label l, int *kept, mmood_error *error) {
    void *items = labels->items;
    if (!grow_table(labels, &labels->keys) ||
        !grow(&items, &labels->room, labels->count, sizeof *labels->items))
        return no_memory(labels, error);
    labels->items = items;
    labels->items[labels->count++] = l;
    *find_slot(labels, &labels->texts, l.text) = labels->count;
    *kept = 1;
    size_t *twin = find_slot(labels, &labels->keys, l.key);
    mmood_status status = MMOOD_OK;
    if (*twin) {
        const label *first = &labels->items[*twin - 1];
        status = mm_labels_note(labels, MMOOD_FINDING_TWIN, l.line, error,
                                "\"%.100s\" has the same tokens as \"%.100s\" on line %zu: a model "
                                "cannot tell them apart",
                                l.text, first->text, first->line);
    } else {
        *twin = labels->count;
    }
    return status == MMOOD_OK ? note_kept(labels, l.text, l.line, error) : status;
}

/* Takes ownership of `text`, trimmed already. */
static mmood_status keep(mmood_labels *labels, char *text, const char *source, size_t line,
                         mmood_error *error) {
    label l = {text, text, NULL, line, 0};
    int kept = 0;
    mmood_status status = grow_table(labels, &labels->texts) ? MMOOD_OK : no_memory(labels, error);
    size_t twin = status == MMOOD_OK ? *find_slot(labels, &labels->texts, text) : 0;
    if (twin)
        status = mm_labels_note(labels, MMOOD_FINDING_DUPLICATE, line, error,
                                "\"%.200s\" is already on line %zu; it counts once", text,
                                labels->items[twin - 1].line);
    else if (status == MMOOD_OK && source && source[0] && !(l.source = strdup(source)))
        status = no_memory(labels, error);
    if (!twin && status == MMOOD_OK)
        status = find_key(&l, error);
    if (!twin && status == MMOOD_OK)
        status = append(labels, l, &kept, error);
    if (!kept)
        free_label(l);
    return status;
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
    int failed = once.failed || twice.failed;
    mm_buffer_free(&once);
    size_t before = space_at_start(twice.size ? twice.data : "", twice.size);
    size_t after = before < twice.size ? space_at_end(twice.data + before, twice.size - before) : 0;
    size_t length = twice.size - before - after;
    char *clean = length ? strndup(twice.data + before, length) : NULL;
    mm_buffer_free(&twice);
    if (failed) {
        free(clean);
        return mm_error_set(error, MMOOD_ERROR_MEMORY, "no memory for a label");
    }
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

static mmood_status read_text(mmood_labels *labels, const char *text, size_t size,
                              mmood_error *error) {
    if (mm_labels_is_yaml(text, size))
        return mm_labels_read_yaml(labels, text, size, error);
    if (mm_labels_is_csv(text, size))
        return mm_labels_read_csv(labels, text, size, error);
    size_t line = 0;
    mmood_status status = mm_labels_refuse_tables(text, size, error);
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
    if (status == MMOOD_OK)
        status = mm_labels_refuse(text, size, error);
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
