/* adaptive.h - AdaNeg's memory: embeddings of confident pictures join the label they resemble. */
#ifndef MM_DETECT_ADAPTIVE_H
#define MM_DETECT_ADAPTIVE_H

#include "mmood.h"

typedef struct mm_adaptive mm_adaptive;

mmood_status mm_adaptive_create(mm_adaptive **out, const mmood_detector *detector,
                                mmood_error *error);
void mm_adaptive_free(mm_adaptive *adaptive);

/* Replaces the cosines [labels] of labels that have taken pictures in by those with their changed
 * embeddings. */
void mm_adaptive_apply(const mm_adaptive *adaptive, double *cosines, const float *embedding);

/* Takes a picture in if its plain neglabel score says confidently what it is: then under `label`,
 * the most similar ID label, or `outlier`. */
void mm_adaptive_learn(mm_adaptive *adaptive, const float *embedding, double score, size_t label,
                       size_t outlier);

#endif
