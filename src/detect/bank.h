/* bank.h - the label bank: one unit-length embedding a label, averaged over templates. */
#ifndef MM_DETECT_BANK_H
#define MM_DETECT_BANK_H

#include "mmood.h"

/* Embeds `count` labels in each of `template_count` checked templates: unit embeddings averaged and
 * scaled to unit length, to out [count, dimension]. `*truncated` receives how
 * many texts were too long and were cut. */
mmood_status mm_bank_embed(float *out, size_t *truncated, mmood_session *session, size_t dimension,
                           const char *const *labels, size_t count, const char *const *templates,
                           size_t template_count, mmood_error *error);

#endif
