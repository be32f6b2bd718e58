/* probe.h - can the model see? Text-only models behind an endpoint often take pictures and ignore
 * them. */
#ifndef MM_ENVISION_PROBE_H
#define MM_ENVISION_PROBE_H

#include "envision/ask.h"
#include "envision/outliers.h"
#include "envision/prompts.h"

/* Shows the model a picture of known contents and asks what is on it. UNSUPPORTED, with what to do,
 * when the answer does not fit. `*record` (may be NULL) receives what was answered, for the
 * outliers file. */
mmood_status mm_probe_run(json_t **record, const mm_asker *asker, const mm_prompts *prompts,
                          mmood_error *error);

/* The picture, as a JPEG: an orange triangle, a purple circle, and the number 47. */
mmood_status mm_probe_picture(mm_buffer *out, mmood_error *error);

/* 1 if a reply tells enough of what is on the picture, and not more of what is not. */
int mm_probe_is_right(const char *reply);

#endif
