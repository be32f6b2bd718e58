/* labels.h - building a list of labels: what the text and the JSON reader both use. */
#ifndef MM_DETECT_LABELS_H
#define MM_DETECT_LABELS_H

#include "detect/template_sets.h"
#include "mmood.h"

/* FORMAT, with what it is, for bytes that cannot be meant as labels. */
mmood_status mm_labels_refuse(const void *data, size_t size, mmood_error *error);

/* An empty list; NULL if memory is out. */
mmood_labels *mm_labels_create(void);

/* Adds one label as read: unescapes, trims, and drops what is blank or a duplicate, with findings.
 * `line` is for these; `source` may be NULL. FORMAT for invalid UTF-8 or a NUL byte, LIMIT over
 * 4,096 bytes. */
mmood_status mm_labels_add(mmood_labels *labels, const char *text, size_t size, const char *source,
                           size_t line, mmood_error *error);

/* Adds a finding with a formatted message; not after 100,000, the last of which says so. */
mmood_status mm_labels_note(mmood_labels *labels, mmood_finding_kind kind, size_t line,
                            mmood_error *error, const char *format, ...)
    __attribute__((format(printf, 5, 6)));

/* Gives the last label templates of its own, from the "template" of its JSON; NULL gives none. */
mmood_status mm_labels_give_templates(mmood_labels *labels, const json_t *value,
                                      mmood_error *error);

/* The templates of its own that a label has; NULL if it has none. */
const mm_template_set *mm_labels_templates(const mmood_labels *labels, size_t index);

/* Reads a JSON document into `labels`. */
mmood_status mm_labels_read_json(mmood_labels *labels, const void *data, size_t size,
                                 mmood_error *error);

/* YAML with a key "names", as a data.yaml has it: is this one, and its labels. */
int mm_labels_is_yaml(const char *text, size_t size);
mmood_status mm_labels_read_yaml(mmood_labels *labels, const char *text, size_t size,
                                 mmood_error *error);

/* A table (CSV, with commas, semicolons or tabs) whose first line names one column of labels. */
int mm_labels_is_csv(const char *text, size_t size);
mmood_status mm_labels_read_csv(mmood_labels *labels, const char *text, size_t size,
                                mmood_error *error);

/* FORMAT for text of which every line is a label and its number. */
mmood_status mm_labels_refuse_tables(const char *text, size_t size, mmood_error *error);

#endif
