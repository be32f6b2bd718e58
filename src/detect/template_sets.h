/* template_sets.h - lists of templates that labels have of their own, each distinct list stored
 * once: thousands of mined labels share one. */
#ifndef MM_DETECT_TEMPLATE_SETS_H
#define MM_DETECT_TEMPLATE_SETS_H

#include "mmood.h"

#include <jansson.h>

typedef struct mm_template_set {
    char **items;
    size_t count;
} mm_template_set;

/* Zero-initialise to start. */
typedef struct mm_template_sets {
    mm_template_set *items;
    size_t count;
} mm_template_sets;

/* Finds or adds a list; `*number` is its position + 1, so that 0 can mean none. ARGUMENT for a text
 * without a "{}", LIMIT over 100 templates in a list or 256 lists. */
mmood_status mm_template_sets_add(mm_template_sets *sets, size_t *number,
                                  const char *const *templates, size_t count, mmood_error *error);

/* The same from JSON: a string or a list of strings; NULL gives 0. FORMAT for anything else. */
mmood_status mm_template_sets_read(mm_template_sets *sets, size_t *number, const json_t *value,
                                   mmood_error *error);

/* The list with that number; NULL for 0. */
const mm_template_set *mm_template_sets_get(const mm_template_sets *sets, size_t number);

/* A string if it is one template, else a list; NULL if memory is out. */
json_t *mm_template_set_to_json(const mm_template_set *set);

/* Fills an empty `to` with the same lists under the same numbers; 0 if memory is out. */
int mm_template_sets_copy(mm_template_sets *to, const mm_template_sets *from);

void mm_template_sets_free(mm_template_sets *sets);

#endif
