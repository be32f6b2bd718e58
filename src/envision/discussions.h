/* discussions.h - a Hugging Face hub's list of a repository's discussions: whether its bot opened a
 * pull request with the weights as safetensors. Pure: what is asked for is in cli/. */
#ifndef MM_ENVISION_DISCUSSIONS_H
#define MM_ENVISION_DISCUSSIONS_H

#include "mmood.h"

#include <stddef.h>

/* One page of the list. */
typedef struct mm_discussions {
    int conversion; /* number of the first open pull request that transformers would take: by
                       SFconvertbot, "Adding `safetensors` variant of this model"; 0: none here */
    int is_last;    /* no page follows */
} mm_discussions;

/* Parses a page of at most 16 MB. Entries that are not what the hub's are, which a later version of
 * the hub may have, are skipped; FORMAT if the page is no list. */
mmood_status mm_discussions_parse(mm_discussions *out, const void *data, size_t size,
                                  mmood_error *error);

#endif
