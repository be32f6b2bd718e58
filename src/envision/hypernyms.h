/* hypernyms.h - which things are kinds of which, by WordNet's data.noun and index.noun. */
#ifndef MM_ENVISION_HYPERNYMS_H
#define MM_ENVISION_HYPERNYMS_H

#include "mmood.h"

enum { MM_HYPERNYMS_MAX_SENSES = 16, MM_HYPERNYMS_MAX_ANCESTORS = 256 };

/* Immutable once made: any number of threads may use one. */
typedef struct mm_hypernyms mm_hypernyms;

/* Reads both files (WordNet 3.0 and relatives). FORMAT with the file and the line number, LIMIT
 * over 64 MB. */
mmood_status mm_hypernyms_parse(mm_hypernyms **out, const void *data, size_t data_size,
                                const void *index, size_t index_size, mmood_error *error);

/* The senses in which a label is taken, as numbers of synsets: its most frequent one or, where
 * WordNet has no counts, every one; proper names such as the writer Crane only if there is nothing
 * else. Letter case, spaces and a plural at the end do not matter. Returns how many were written to
 * `senses`: 0 for a label that WordNet does not know. */
size_t mm_hypernyms_senses(const mm_hypernyms *hypernyms, const char *label,
                           size_t senses[MM_HYPERNYMS_MAX_SENSES]);

/* The synset and everything that it is a kind or an instance of, nearest first. Returns how many
 * were written. */
size_t mm_hypernyms_ancestors(const mm_hypernyms *hypernyms, size_t synset,
                              size_t ancestors[MM_HYPERNYMS_MAX_ANCESTORS]);

void mm_hypernyms_free(mm_hypernyms *hypernyms);

#endif
