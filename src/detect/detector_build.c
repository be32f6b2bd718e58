/* detector_build.c - making a detector from labels. */
#include "base/error.h"
#include "detect/bank.h"
#include "detect/detector.h"
#include "detect/labels.h"
#include "detect/scores.h"
#include "detect/templates.h"

#include <stdlib.h>
#include <string.h>
#include <utf8proc.h>

mmood_detector_options mmood_detector_options_default(void) {
    mmood_detector_options options = {NULL, 0, mmood_score_settings_default()};
    return options;
}

/* A label under construction, for finding equal ones by sorting. */
typedef struct entry {
    const char *text;
    const char *source;
    char *key; /* the text without the difference of cases, which CLIP's tokenizer does not see */
    size_t order;               /* ID labels first, then the sets in turn */
    const mm_template_set *own; /* its own templates, or NULL */
    int is_id;
} entry;

static int by_order(const void *a, const void *b) {
    const entry *x = a, *y = b;
    return (x->order > y->order) - (x->order < y->order);
}

/* ID labels have the lower order, so they come first among equals. */
static int by_key(const void *a, const void *b) {
    int difference = strcmp(((const entry *)a)->key, ((const entry *)b)->key);
    return difference ? difference : by_order(a, b);
}

char *mm_fold_case(const char *text) {
    utf8proc_uint8_t *folded = NULL;
    utf8proc_map((const utf8proc_uint8_t *)text, 0, &folded,
                 UTF8PROC_NULLTERM | UTF8PROC_STABLE | UTF8PROC_COMPOSE | UTF8PROC_CASEFOLD);
    return (char *)folded;
}

static void add(entry *out, size_t *count, const mmood_labels *labels, int is_id) {
    for (size_t i = 0; i < mmood_labels_count(labels); i++, ++*count)
        out[*count] = (entry){mmood_labels_text(labels, i),
                              mmood_labels_source(labels, i),
                              mm_fold_case(mmood_labels_text(labels, i)),
                              *count,
                              mm_labels_templates(labels, i),
                              is_id};
}

/* Drops outlier labels that come twice (they would count double in the softmax), keeping the first;
 * refuses one that is an ID label: which of the two was meant, only the user knows. */
static mmood_status merge(entry *entries, size_t *count, mmood_error *error) {
    for (size_t i = 0; i < *count; i++)
        if (!entries[i].key)
            return mm_error_set(error, MMOOD_ERROR_MEMORY, "no memory for %zu labels", *count);
    qsort(entries, *count, sizeof *entries, by_key);
    size_t kept = 0;
    for (size_t i = 0; i < *count; i++) {
        entry *e = &entries[i];
        const entry *first = kept > 0 ? &entries[kept - 1] : NULL;
        if (!e->is_id && first && strcmp(first->key, e->key) == 0) {
            if (first->is_id)
                return mm_error_set(
                    error, MMOOD_ERROR_ARGUMENT,
                    "the outlier label \"%s\" is the ID label \"%s\"; take it out of one of "
                    "the lists",
                    e->text, first->text);
            continue;
        }
        entry swap = entries[kept]; /* dropped entries stay in the array, for their keys' sake */
        entries[kept++] = *e;
        *e = swap;
    }
    *count = kept;
    qsort(entries, kept, sizeof *entries, by_order);
    return MMOOD_OK;
}

/* Copies texts into the detector. */
static mmood_status fill(mmood_detector *detector, const entry *entries,
                         const char *const *templates, const mmood_model *model,
                         mmood_error *error) {
    mmood_model_info info;
    mmood_model_describe(model, &info);
    int ok = 1;
    for (size_t i = 0; i < detector->count; i++) {
        detector->labels[i] = strdup(entries[i].text);
        detector->sources[i] = strdup(entries[i].source);
        ok = ok && detector->labels[i] && detector->sources[i];
        const mm_template_set *own = entries[i].own;
        mmood_status status =
            own ? mm_template_sets_add(&detector->own_templates, &detector->own[i],
                                       (const char *const *)own->items, own->count, error)
                : MMOOD_OK;
        if (status != MMOOD_OK)
            return status;
    }
    for (size_t i = 0; i < detector->template_count; i++)
        ok = (detector->templates[i] = strdup(templates[i])) != NULL && ok;
    detector->model_path = strdup(mmood_model_path(model));
    detector->model_fingerprint = strdup(info.fingerprint);
    detector->precision = info.text_precision;
    return ok && detector->model_path && detector->model_fingerprint
               ? MMOOD_OK
               : mm_error_set(error, MMOOD_ERROR_MEMORY, "no memory for %zu labels",
                              detector->count);
}

static mmood_status check_options(const mmood_detector_options *options, mmood_error *error) {
    mmood_status status = mm_score_check(&options->score, error);
    for (size_t i = 0; i < options->template_count && status == MMOOD_OK; i++)
        status = mm_template_check(options->templates[i], error);
    return status;
}

/* Embeds the labels that have list `own` of templates, in `templates`; `rows` and `labels` have
 * room for all. */
static mmood_status embed_own(mmood_detector *detector, float *rows, const char **labels,
                              mmood_session *session, size_t own, const char *const *templates,
                              size_t template_count, size_t *truncated, mmood_error *error) {
    size_t count = 0, cut;
    for (size_t i = 0; i < detector->count; i++)
        if (detector->own[i] == own)
            labels[count++] = detector->labels[i];
    mmood_status status = mm_bank_embed(rows, &cut, session, detector->dimension, labels, count,
                                        templates, template_count, error);
    if (status != MMOOD_OK)
        return status;
    *truncated += cut;
    for (size_t i = 0, row = 0; i < detector->count; i++)
        if (detector->own[i] == own)
            memcpy(detector->embeddings + i * detector->dimension,
                   rows + row++ * detector->dimension, detector->dimension * sizeof *rows);
    return MMOOD_OK;
}

static mmood_status embed(mmood_detector *detector, mmood_session *session, size_t *truncated,
                          mmood_error *error) {
    float *rows = malloc(detector->count * detector->dimension * sizeof *rows);
    const char **labels = malloc(detector->count * sizeof *labels);
    mmood_status status = MMOOD_OK;
    *truncated = 0;
    if (!rows || !labels)
        status = mm_error_set(error, MMOOD_ERROR_MEMORY, "no memory for label embeddings");
    else
        status =
            embed_own(detector, rows, labels, session, 0, (const char *const *)detector->templates,
                      detector->template_count, truncated, error);
    for (size_t own = 1; own <= detector->own_templates.count && status == MMOOD_OK; own++) {
        const mm_template_set *set = mm_template_sets_get(&detector->own_templates, own);
        status = embed_own(detector, rows, labels, session, own, (const char *const *)set->items,
                           set->count, truncated, error);
    }
    free(rows);
    free(labels);
    return status;
}

mmood_status mmood_detector_build(mmood_detector **out, size_t *truncated, mmood_session *session,
                                  const mmood_labels *id, const mmood_labels *const *outliers,
                                  size_t outlier_sets, const mmood_detector_options *options,
                                  mmood_error *error) {
    static const char *const plain[] = {"a photo of a {}"};
    *out = NULL;
    mmood_detector_options chosen = options ? *options : mmood_detector_options_default();
    if (!chosen.templates || chosen.template_count == 0) {
        chosen.templates = plain;
        chosen.template_count = 1;
    }
    mmood_status status = check_options(&chosen, error);
    if (status != MMOOD_OK)
        return status;
    size_t room = mmood_labels_count(id), count = 0, cut;
    for (size_t i = 0; i < outlier_sets; i++)
        room += mmood_labels_count(outliers[i]);
    if (room == mmood_labels_count(id) && mmood_score_needs_outliers(chosen.score.kind))
        return mm_error_set(error, MMOOD_ERROR_ARGUMENT,
                            "%s compares with outlier labels, and there are none: give some, or "
                            "choose another score",
                            mmood_score_name(chosen.score.kind));
    entry *entries = malloc(room * sizeof *entries);
    if (!entries)
        return mm_error_set(error, MMOOD_ERROR_MEMORY, "no memory for %zu labels", room);
    add(entries, &count, id, 1);
    for (size_t i = 0; i < outlier_sets; i++)
        add(entries, &count, outliers[i], 0);
    status = merge(entries, &count, error);
    const mmood_model *model = mmood_session_model(session);
    mmood_model_info info;
    mmood_model_describe(model, &info);
    mmood_detector *detector = NULL;
    if (status == MMOOD_OK) {
        detector = mm_detector_create(count, mmood_labels_count(id), (size_t)info.dimension,
                                      chosen.template_count);
        status = detector
                     ? fill(detector, entries, chosen.templates, model, error)
                     : mm_error_set(error, MMOOD_ERROR_MEMORY, "no memory for %zu labels", count);
    }
    for (size_t i = 0; i < room; i++)
        free(entries[i].key);
    free(entries);
    if (status == MMOOD_OK) {
        detector->score = chosen.score;
        status = embed(detector, session, truncated ? truncated : &cut, error);
    }
    if (status == MMOOD_OK)
        *out = detector;
    else
        mmood_detector_free(detector);
    return status;
}
