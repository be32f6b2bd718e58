/* outliers.h - outlier labels as they are found: each with where it came from, the dropped ones
 * with the reason, what failed, and the "mmood-outliers/1" document of it all. */
#ifndef MM_ENVISION_OUTLIERS_H
#define MM_ENVISION_OUTLIERS_H

#include "base/buffer.h"
#include "envision/filter.h"

#include <jansson.h>

/* Where a label came from. NULL and 0: does not apply. */
typedef struct mm_origin {
    const char *branch;     /* "near", "far", "text-near", "text-far", "import" */
    const char *class_name; /* the ID class that was asked about */
    const char *picture;    /* what the generated picture was asked to show */
    const char *file;       /* an imported file's name */
    const char *model;
    const char *exchange; /* its name in the cache */
    size_t round;         /* of the conversation, from 1 */
} mm_origin;

/* Fields may be read. */
typedef struct mm_outliers {
    mm_filter *filter;
    json_t *labels;   /* objects */
    json_t *dropped;  /* objects */
    json_t *notes;    /* strings */
    json_t *failures; /* objects: "step", "subject", "error" */
    json_t *steps;    /* an object: what was made on the way */
    int failed;       /* memory ran out */
} mm_outliers;

mmood_status mm_outliers_create(mm_outliers **out, const char *const *ids, size_t count,
                                const mm_filter_options *options, mmood_error *error);
void mm_outliers_free(mm_outliers *outliers);

/* Adds a label if the filter keeps it, else to those dropped. `*kept` becomes 1 or 0. */
mmood_status mm_outliers_add(mm_outliers *outliers, const char *label, const mm_origin *origin,
                             int *kept, mmood_error *error);
void mm_outliers_drop(mm_outliers *outliers, const char *text, const char *reason,
                      const mm_origin *origin);

/* Something that the reader should know; something that did not work. */
void mm_outliers_note(mm_outliers *outliers, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
void mm_outliers_fail(mm_outliers *outliers, const char *step, const char *subject,
                      const mmood_error *problem);

/* Keeps a result on the way under a name; takes `value`. */
void mm_outliers_step(mm_outliers *outliers, const char *name, json_t *value);

size_t mm_outliers_count(const mm_outliers *outliers);

/* A text as JSON; bytes that are not UTF-8 become U+FFFD. NULL gives null. */
json_t *mm_text_value(const char *text);

/* Appends the document. `settings` is an object. */
mmood_status mm_outliers_write(mm_buffer *out, const mm_outliers *outliers, const json_t *settings,
                               mmood_error *error);

#endif
