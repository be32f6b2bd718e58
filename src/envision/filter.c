/* filter.c - keeps an outlier label or drops it with a reason, by rules in this order: it must be a
 * label at all, be no ID label in any form, be new, contain no ID label where that is asked for,
 * and be no kind of an ID label. */
#include "envision/filter.h"

#include "base/buffer.h"
#include "base/error.h"
#include "envision/reply.h"
#include "envision/word_forms.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <utf8proc.h>

enum { SHOWN = 160 };

typedef struct entry {
    char *label;
    char *source;
    char *reason;
} entry;

typedef struct list {
    entry *items;
    size_t count;
    size_t room;
} list;

/* Finds a number by a text: open addressing, with the texts in one buffer. */
typedef struct table {
    struct {
        size_t text; /* in `texts`, + 1; 0 for a free slot */
        size_t value;
    } * slots;
    size_t size; /* a power of two */
    size_t count;
    mm_buffer texts;
} table;

struct mm_filter {
    mm_filter_options options;
    list ids; /* the labels, clean */
    list kept;
    list dropped;
    table id_keys;    /* to the number of the ID label */
    table id_words;   /* the same, by each word; only for MM_FILTER_PHRASES_WORD */
    table kept_keys;  /* to the number of the kept label */
    table id_synsets; /* the same as id_keys, by the number of a synset as text */
};

/* ---- Lists and tables ---------------------------------------------------------------------- */

static void free_entry(entry e) {
    free(e.label);
    free(e.source);
    free(e.reason);
}

static void free_list(list *l) {
    for (size_t i = 0; i < l->count; i++)
        free_entry(l->items[i]);
    free(l->items);
}

/* Takes ownership of `e`; 0 if memory is out. */
static int append(list *l, entry e) {
    int room = l->count < l->room;
    if (!room) {
        size_t wanted = l->room ? 2 * l->room : 64;
        entry *items = realloc(l->items, wanted * sizeof *items);
        if (items) {
            l->items = items;
            l->room = wanted;
            room = 1;
        }
    }
    if (!room || !e.label || !e.source) {
        free_entry(e);
        return 0;
    }
    l->items[l->count++] = e;
    return 1;
}

static size_t *slot_of(const table *t, const char *text, size_t size, size_t *slot) {
    uint64_t hash = 14695981039346656037u; /* FNV-1a */
    for (size_t i = 0; i < size; i++)
        hash = (hash ^ (uint8_t)text[i]) * 1099511628211u;
    *slot = (size_t)hash & (t->size - 1);
    while (t->slots[*slot].text) {
        const char *other = t->texts.data + t->slots[*slot].text - 1;
        if (strlen(other) == size && memcmp(other, text, size) == 0)
            return &t->slots[*slot].value;
        *slot = (*slot + 1) & (t->size - 1);
    }
    return NULL;
}

/* The value of a text, or SIZE_MAX. */
static size_t find(const table *t, const char *text, size_t size) {
    size_t slot, *value = t->size ? slot_of(t, text, size, &slot) : NULL;
    return value ? *value : SIZE_MAX;
}

static int enlarge(table *t) {
    table old = *t;
    size_t slot, size = old.size ? 2 * old.size : 64;
    t->slots = calloc(size, sizeof *t->slots);
    if (!t->slots) {
        t->slots = old.slots;
        return 0;
    }
    t->size = size;
    for (size_t i = 0; i < old.size; i++) {
        if (!old.slots[i].text)
            continue;
        const char *text = t->texts.data + old.slots[i].text - 1;
        slot_of(t, text, strlen(text), &slot);
        t->slots[slot] = old.slots[i];
    }
    free(old.slots);
    return 1;
}

/* Puts a text in if it is new; 0 if memory is out. */
static int insert(table *t, const char *text, size_t size, size_t value) {
    if (2 * (t->count + 1) > t->size && !enlarge(t))
        return 0;
    size_t slot;
    if (slot_of(t, text, size, &slot))
        return 1;
    size_t at = t->texts.size;
    mm_buffer_append(&t->texts, text, size);
    mm_buffer_append(&t->texts, "", 1);
    if (t->texts.failed)
        return 0;
    t->slots[slot].text = at + 1;
    t->slots[slot].value = value;
    t->count++;
    return 1;
}

static void free_table(table *t) {
    free(t->slots);
    mm_buffer_free(&t->texts);
}

/* ---- ID labels ----------------------------------------------------------------------------- */

static int next_word(const char **text, const char **word, size_t *size) {
    *text += strspn(*text, " ");
    *word = *text;
    *size = strcspn(*text, " ");
    *text += *size;
    return *size > 0;
}

static int insert_words(table *t, const char *clean, size_t value) {
    const char *word;
    size_t size;
    int done = 1;
    while (done && next_word(&clean, &word, &size)) {
        mm_buffer key = {0};
        done = mm_label_key(&key, word, size) && insert(t, key.data, key.size, value);
        mm_buffer_free(&key);
    }
    return done;
}

static int insert_synset(table *t, size_t synset, size_t value) {
    char text[24];
    snprintf(text, sizeof text, "%zu", synset);
    return insert(t, text, strlen(text), value);
}

static size_t find_synset(const table *t, size_t synset) {
    char text[24];
    snprintf(text, sizeof text, "%zu", synset);
    return find(t, text, strlen(text));
}

static int insert_synsets(mm_filter *f, const char *clean, size_t value) {
    size_t senses[MM_HYPERNYMS_MAX_SENSES];
    size_t count = mm_hypernyms_senses(f->options.hypernyms, clean, senses);
    int done = 1;
    for (size_t i = 0; i < count && done; i++)
        done = insert_synset(&f->id_synsets, senses[i], value);
    return done;
}

static mmood_status no_memory(mmood_error *error) {
    return mm_error_set(error, MMOOD_ERROR_MEMORY, "no memory for the labels of a filter");
}

static mmood_status add_id(mm_filter *f, const char *label, size_t number, mmood_error *error) {
    mm_buffer clean = {0}, key = {0};
    mmood_status status = MMOOD_OK;
    if (!mm_label_clean(&clean, label, strlen(label)))
        status = clean.failed
                     ? no_memory(error)
                     : mm_error_set(error, MMOOD_ERROR_FORMAT,
                                    "ID label %zu, \"%.60s\", is not UTF-8", number + 1, label);
    else if (clean.size == 0) /* only punctuation: as it is */
        mm_buffer_puts(&clean, label);
    if (status == MMOOD_OK && clean.size > 0 &&
        (!mm_label_key(&key, clean.data, clean.size) ||
         !insert(&f->id_keys, key.data, key.size, number) ||
         (f->options.phrases == MM_FILTER_PHRASES_WORD &&
          !insert_words(&f->id_words, clean.data, number)) ||
         (f->options.hypernyms && !insert_synsets(f, clean.data, number))))
        status = no_memory(error);
    if (status == MMOOD_OK &&
        !append(&f->ids, (entry){strdup(clean.size ? clean.data : ""), strdup(label), NULL}))
        status = no_memory(error);
    mm_buffer_free(&clean);
    mm_buffer_free(&key);
    return status;
}

mmood_status mm_filter_create(mm_filter **out, const char *const *ids, size_t count,
                              const mm_filter_options *options, mmood_error *error) {
    *out = NULL;
    if (count > MM_FILTER_MAX_LABELS)
        return mm_error_set(error, MMOOD_ERROR_LIMIT, "%zu ID labels; at most %d are possible",
                            count, (int)MM_FILTER_MAX_LABELS);
    mm_filter *f = calloc(1, sizeof *f);
    if (!f)
        return no_memory(error);
    if (options)
        f->options = *options;
    mmood_status status = MMOOD_OK;
    for (size_t i = 0; i < count && status == MMOOD_OK; i++)
        status = add_id(f, ids[i], i, error);
    if (status == MMOOD_OK)
        *out = f;
    else
        mm_filter_free(f);
    return status;
}

void mm_filter_free(mm_filter *f) {
    if (!f)
        return;
    free_list(&f->ids);
    free_list(&f->kept);
    free_list(&f->dropped);
    free_table(&f->id_keys);
    free_table(&f->id_words);
    free_table(&f->kept_keys);
    free_table(&f->id_synsets);
    free(f);
}

/* ---- Rules --------------------------------------------------------------------------------- */

/* What models write where a label should be. */
static int is_no_thing(const char *clean) {
    static const char *const texts[] = {"none",
                                        "n/a",
                                        "na",
                                        "nil",
                                        "null",
                                        "nan",
                                        "undefined",
                                        "unknown",
                                        "other",
                                        "others",
                                        "etc",
                                        "et cetera",
                                        "and so on",
                                        "and more",
                                        "more",
                                        "nothing",
                                        "anything",
                                        "something",
                                        "everything",
                                        "thing",
                                        "things",
                                        "various",
                                        "miscellaneous",
                                        "misc",
                                        "label",
                                        "labels",
                                        "class",
                                        "classes",
                                        "category",
                                        "categories",
                                        "outlier",
                                        "outliers",
                                        "object",
                                        "objects",
                                        "item",
                                        "items",
                                        "example",
                                        "examples",
                                        "answer",
                                        "not applicable",
                                        "no label",
                                        "none of the above",
                                        "none of these",
                                        "true",
                                        "false",
                                        "yes",
                                        "no",
                                        "tbd"};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        if (strcmp(texts[i], clean) == 0)
            return 1;
    return 0;
}

/* Why a clean text is no label, or NULL. */
static const char *fault(const char *clean) {
    size_t characters = 0, words = 0;
    int letters = 0, control = 0;
    const char *p = clean, *word;
    for (utf8proc_int32_t c; *p; characters++) {
        p += utf8proc_iterate((const utf8proc_uint8_t *)p, -1, &c);
        utf8proc_category_t kind = utf8proc_category(c);
        letters |= kind >= UTF8PROC_CATEGORY_LU && kind <= UTF8PROC_CATEGORY_LO;
        control |= kind == UTF8PROC_CATEGORY_CC || c == 0xfffd;
    }
    p = clean;
    for (size_t size; next_word(&p, &word, &size);)
        words++;
    if (is_no_thing(clean))
        return "no thing that a picture could show";
    if (!letters)
        return "no letters";
    if (control)
        return "holds control or broken characters";
    if (strstr(clean, "://") || strncmp(clean, "www.", 4) == 0)
        return "an address";
    if (words > MM_LABEL_MAX_WORDS)
        return "more than 6 words";
    return characters > MM_LABEL_MAX_CHARACTERS ? "more than 60 characters" : NULL;
}

/* The ID label that the phrase ends in, or SIZE_MAX. */
static size_t find_head(const mm_filter *f, const char *clean) {
    size_t found = SIZE_MAX;
    for (const char *space = strchr(clean, ' '); space && found == SIZE_MAX;
         space = strchr(space + 1, ' ')) {
        mm_buffer key = {0};
        if (mm_label_key(&key, space + 1, strlen(space + 1)) && key.size > 0)
            found = find(&f->id_keys, key.data, key.size);
        mm_buffer_free(&key);
    }
    return found;
}

/* The ID label that has a word of the phrase, or SIZE_MAX. */
static size_t find_word(const mm_filter *f, const char *clean) {
    size_t found = SIZE_MAX, size;
    for (const char *word; found == SIZE_MAX && next_word(&clean, &word, &size);) {
        mm_buffer key = {0};
        if (mm_label_key(&key, word, size) && key.size > 0)
            found = find(&f->id_words, key.data, key.size);
        mm_buffer_free(&key);
    }
    return found;
}

/* The ID label that the label is a kind of, or SIZE_MAX; `*same` becomes 1 for a synonym. */
static size_t find_kind(const mm_filter *f, const char *clean, int *same) {
    size_t senses[MM_HYPERNYMS_MAX_SENSES], ancestors[MM_HYPERNYMS_MAX_ANCESTORS];
    size_t count = mm_hypernyms_senses(f->options.hypernyms, clean, senses), found = SIZE_MAX;
    for (size_t i = 0; i < count; i++) {
        size_t n = mm_hypernyms_ancestors(f->options.hypernyms, senses[i], ancestors);
        for (size_t k = 0; k < n && found == SIZE_MAX; k++) {
            found = find_synset(&f->id_synsets, ancestors[k]);
            *same = k == 0;
        }
    }
    return found;
}

/* Writes the reason to drop a label to `reason`, which stays empty if there is none. */
static void judge(const mm_filter *f, const mm_buffer *clean, const mm_buffer *key,
                  mm_buffer *reason) {
    const char *text = clean->data, *problem = fault(text);
    size_t id;
    int same = 0;
    if (problem) {
        mm_buffer_puts(reason, problem);
    } else if ((id = find(&f->id_keys, key->data, key->size)) != SIZE_MAX) {
        const char *label = f->ids.items[id].label;
        mm_buffer_printf(reason, "%s \"%s\"",
                         strcmp(label, text) == 0 ? "is the ID label" : "is a form of the ID label",
                         label);
    } else if ((id = find(&f->kept_keys, key->data, key->size)) != SIZE_MAX) {
        const char *label = f->kept.items[id].label;
        if (strcmp(label, text) == 0)
            mm_buffer_puts(reason, "is there already");
        else
            mm_buffer_printf(reason, "is there already, as \"%s\"", label);
    } else if (f->options.phrases != MM_FILTER_PHRASES_KEEP &&
               (id = find_head(f, text)) != SIZE_MAX) {
        mm_buffer_printf(reason, "ends in the ID label \"%s\"", f->ids.items[id].label);
    } else if (f->options.phrases == MM_FILTER_PHRASES_WORD &&
               (id = find_word(f, text)) != SIZE_MAX) {
        mm_buffer_printf(reason, "shares a word with the ID label \"%s\"", f->ids.items[id].label);
    } else if (f->options.hypernyms && (id = find_kind(f, text, &same)) != SIZE_MAX &&
               (same || !f->options.keep_kinds)) {
        mm_buffer_printf(reason,
                         same ? "is another word for the ID label \"%s\", says WordNet"
                              : "is a kind of the ID label \"%s\", says WordNet",
                         f->ids.items[id].label);
    }
}

/* ---- Labels -------------------------------------------------------------------------------- */

/* At most SHOWN bytes of a label, valid UTF-8; the caller frees. */
static char *shown(const char *label) {
    mm_buffer out = {0};
    mm_buffer_puts(&out, "");
    while (*label && out.size < SHOWN) {
        utf8proc_int32_t c;
        utf8proc_ssize_t n = utf8proc_iterate((const utf8proc_uint8_t *)label,
                                              (utf8proc_ssize_t)strnlen(label, 4), &c);
        if (n > 0)
            mm_buffer_append(&out, label, (size_t)n);
        else
            mm_buffer_puts(&out, "\xef\xbf\xbd");
        label += n > 0 ? n : 1;
    }
    return out.data;
}

static mmood_status drop(mm_filter *f, const char *label, const char *source, const char *reason,
                         mmood_error *error) {
    char *why = strdup(reason);
    if (!why || !append(&f->dropped, (entry){shown(label), strdup(source), why}))
        return no_memory(error);
    return MMOOD_OK;
}

static mmood_status keep(mm_filter *f, const mm_buffer *clean, const mm_buffer *key,
                         const char *source, mmood_error *error) {
    if (!insert(&f->kept_keys, key->data, key->size, f->kept.count) ||
        !append(&f->kept, (entry){strdup(clean->data), strdup(source), NULL}))
        return no_memory(error);
    return MMOOD_OK;
}

mmood_status mm_filter_add(mm_filter *f, const char *label, const char *source, int *kept,
                           mmood_error *error) {
    mm_buffer clean = {0}, key = {0}, reason = {0};
    mmood_status status;
    source = source ? source : "";
    if (kept)
        *kept = 0;
    if (f->kept.count + f->dropped.count >= MM_FILTER_MAX_LABELS)
        return mm_error_set(error, MMOOD_ERROR_LIMIT,
                            "more than %d outlier labels, kept and dropped together",
                            (int)MM_FILTER_MAX_LABELS);
    int valid = mm_label_clean(&clean, label, strlen(label));
    if (valid && clean.size > 0 && mm_label_key(&key, clean.data, clean.size))
        judge(f, &clean, &key, &reason);
    else if (!clean.failed && !key.failed)
        mm_buffer_puts(&reason, valid ? "no letters" : "not UTF-8");
    if (clean.failed || key.failed || reason.failed || (key.size == 0 && reason.size == 0))
        status = no_memory(error);
    else if (reason.size > 0)
        status = drop(f, label, source, reason.data, error);
    else
        status = keep(f, &clean, &key, source, error);
    if (kept)
        *kept = status == MMOOD_OK && reason.size == 0;
    mm_buffer_free(&clean);
    mm_buffer_free(&key);
    mm_buffer_free(&reason);
    return status;
}

static mm_filter_entry entry_of(const list *l, size_t index) {
    const entry *e = &l->items[index];
    return (mm_filter_entry){e->label, e->source, e->reason};
}

size_t mm_filter_kept_count(const mm_filter *f) {
    return f->kept.count;
}

mm_filter_entry mm_filter_kept(const mm_filter *f, size_t index) {
    return entry_of(&f->kept, index);
}

size_t mm_filter_dropped_count(const mm_filter *f) {
    return f->dropped.count;
}

mm_filter_entry mm_filter_dropped(const mm_filter *f, size_t index) {
    return entry_of(&f->dropped, index);
}
