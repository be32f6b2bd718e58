/* filter.h - which outlier labels are kept: each once, none that is an ID label, and every dropped
 * one with the reason. */
#ifndef MM_ENVISION_FILTER_H
#define MM_ENVISION_FILTER_H

#include "envision/hypernyms.h"
#include "mmood.h"

enum { MM_FILTER_MAX_LABELS = 100000 }; /* kept and dropped together */

/* What becomes of a phrase that contains an ID label. */
typedef enum mm_filter_phrases {
    MM_FILTER_PHRASES_KEEP = 0, /* kept, unless WordNet says that it is a kind of the ID label: "hot
                                   dog" is no dog */
    MM_FILTER_PHRASES_HEAD,     /* dropped if it ends in an ID label: "tabby cat", and "hot dog" */
    MM_FILTER_PHRASES_WORD /* dropped if it shares a word with one, as EOE does: also "cat food" */
} mm_filter_phrases;

/* All zero is the default. */
typedef struct mm_filter_options {
    mm_filter_phrases phrases;
    int keep_kinds;                /* 1: "tabby cat" is kept though it is a cat */
    const mm_hypernyms *hypernyms; /* NULL: nothing is known of kinds; must outlive the filter */
} mm_filter_options;

typedef struct mm_filter mm_filter;

typedef struct mm_filter_entry {
    const char *label;  /* kept: lower-case, without article; dropped: as it came */
    const char *source; /* as given; "" for NULL */
    const char *reason; /* NULL for a kept one */
} mm_filter_entry;

/* FORMAT if an ID label is not UTF-8, LIMIT for more than 100,000. `options` may be NULL. */
mmood_status mm_filter_create(mm_filter **out, const char *const *ids, size_t count,
                              const mm_filter_options *options, mmood_error *error);

/* Adds a label in order. `*kept` (may be NULL) becomes 1 or 0. What is dropped is no failure; LIMIT
 * when the filter is full. */
mmood_status mm_filter_add(mm_filter *filter, const char *label, const char *source, int *kept,
                           mmood_error *error);

size_t mm_filter_kept_count(const mm_filter *filter);
mm_filter_entry mm_filter_kept(const mm_filter *filter, size_t index);
size_t mm_filter_dropped_count(const mm_filter *filter);
mm_filter_entry mm_filter_dropped(const mm_filter *filter, size_t index);

void mm_filter_free(mm_filter *filter);

#endif
