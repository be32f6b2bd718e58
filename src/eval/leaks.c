/* leaks.c - warnings about pictures and classes that should not be where they are. */
#include "base/error.h"
#include "base/sha256.h"
#include "eval/dataset.h"
#include "eval/run.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

mmood_status mm_eval_warn(mm_evaluation *evaluation, mmood_error *error, const char *format, ...) {
    char text[1024];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    char **grown = realloc(evaluation->warnings, (evaluation->warning_count + 1) * sizeof *grown);
    char *copy = strdup(text);
    if (grown)
        evaluation->warnings = grown;
    if (!grown || !copy) {
        free(copy);
        return mm_error_set(error, MMOOD_ERROR_MEMORY, "no memory for a warning");
    }
    evaluation->warnings[evaluation->warning_count++] = copy;
    return MMOOD_OK;
}

/* A readable picture and its set. */
typedef struct entry {
    const mm_eval_item *item;
    size_t set;
    size_t order;
} entry;

static int by_content(const void *a, const void *b) {
    const entry *x = a, *y = b;
    int difference = mm_hash_compare(x->item->hash, y->item->hash);
    return difference ? difference : (x->order > y->order) - (x->order < y->order);
}

/* Files shared by two sets (or twice in one, where they are the same), and an example. */
typedef struct overlap {
    size_t count;
    const char *first;
    const char *second;
} overlap;

static void count_overlaps(overlap *out, const entry *entries, size_t count, size_t sets) {
    for (size_t i = 0; i < count;) {
        size_t end = i + 1;
        while (end < count && mm_hash_compare(entries[i].item->hash, entries[end].item->hash) == 0)
            end++;
        for (size_t j = i + 1; j < end; j++) {
            /* against the first of the same set, or else the first of all */
            size_t k = i;
            while (k < j && entries[k].set != entries[j].set)
                k++;
            const entry *other = k < j ? &entries[k] : &entries[i];
            overlap *o = &out[other->set * sets + entries[j].set];
            if (o->count++ == 0) {
                o->first = other->item->path;
                o->second = entries[j].item->path;
            }
        }
        i = end;
    }
}

static mmood_status find_copies(mm_evaluation *e, mmood_error *error) {
    size_t total = 0, n = 0, sets = e->set_count;
    for (size_t s = 0; s < sets; s++)
        total += e->sets[s].count;
    entry *entries = malloc((total + 1) * sizeof *entries);
    overlap *overlaps = calloc(sets * sets, sizeof *overlaps);
    mmood_status status = MMOOD_OK;
    if (!entries || !overlaps)
        status =
            mm_error_set(error, MMOOD_ERROR_MEMORY, "no memory to compare %zu pictures", total);
    for (size_t s = 0; s < sets && status == MMOOD_OK; s++)
        for (size_t i = 0; i < e->sets[s].count; i++)
            if (!e->sets[s].items[i].error) {
                entries[n] = (entry){&e->sets[s].items[i], s, n};
                n++;
            }
    if (status == MMOOD_OK && n > 0) {
        qsort(entries, n, sizeof *entries, by_content);
        count_overlaps(overlaps, entries, n, sets);
    }
    for (size_t a = 0; a < sets && status == MMOOD_OK; a++)
        for (size_t b = 0; b < sets && status == MMOOD_OK; b++) {
            const overlap *o = &overlaps[a * sets + b];
            if (o->count == 0)
                continue;
            if (a == b)
                status =
                    mm_eval_warn(e, error,
                                 "%zu pictures of \"%s\" are copies of others there, such as %s "
                                 "of %s: each counts",
                                 o->count, e->sets[a].name, o->second, o->first);
            else
                status = mm_eval_warn(
                    e, error,
                    "%zu pictures are both in \"%s\" and in \"%s\", such as %s and %s: whatever a "
                    "score says of them is wrong once",
                    o->count, e->sets[a].name, e->sets[b].name, o->first, o->second);
        }
    free(entries);
    free(overlaps);
    return status;
}

static mmood_status find_classes(mm_evaluation *e, mmood_error *error) {
    mmood_status status = MMOOD_OK;
    for (size_t s = 1; s < e->set_count && status == MMOOD_OK; s++) {
        size_t count = 0;
        const mm_eval_group *first = NULL;
        for (size_t g = 0; g < e->sets[s].group_count; g++)
            if (e->sets[s].groups[g].label != SIZE_MAX) {
                count++;
                first = first ? first : &e->sets[s].groups[g];
            }
        if (count > 0)
            status =
                mm_eval_warn(e, error,
                             "%zu classes of the OOD set \"%s\" have the name of an ID label, "
                             "such as \"%s\": their pictures are in-distribution by their name",
                             count, e->sets[s].name, first->name);
    }
    return status;
}

static mmood_status find_reuse(mm_evaluation *e, mmood_error *error) {
    size_t count = 0;
    const char *first = NULL;
    for (size_t s = 0; s < e->set_count; s++)
        for (size_t i = 0; i < e->sets[s].count; i++) {
            const mm_eval_item *item = &e->sets[s].items[i];
            char hex[65];
            if (item->error)
                continue;
            mm_hash_print(hex, item->hash);
            if (mmood_detector_calibrated_on(e->detector, hex)) {
                count++;
                first = first ? first : item->path;
            }
        }
    if (count == 0)
        return MMOOD_OK;
    return mm_eval_warn(e, error,
                        "%zu pictures, such as %s, took part in the detector's calibration: the "
                        "threshold looks better on them than it is; evaluate on others",
                        count, first);
}

mmood_status mm_eval_find_leaks(mm_evaluation *evaluation, mmood_error *error) {
    mmood_status status = find_copies(evaluation, error);
    if (status == MMOOD_OK)
        status = find_classes(evaluation, error);
    if (status == MMOOD_OK)
        status = find_reuse(evaluation, error);
    return status;
}
