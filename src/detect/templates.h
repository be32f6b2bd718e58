/* templates.h - texts with one "{}" for a label. */
#ifndef MM_DETECT_TEMPLATES_H
#define MM_DETECT_TEMPLATES_H

#include "base/buffer.h"
#include "mmood.h"

/* ARGUMENT unless `text` holds "{}" exactly once. */
mmood_status mm_template_check(const char *text, mmood_error *error);

/* Appends a checked template with `label` in its place. */
void mm_template_expand(mm_buffer *out, const char *text, const char *label);

#endif
