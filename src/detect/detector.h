/* detector.h - a detector inside the library: label embeddings with what they mean. */
#ifndef MM_DETECT_DETECTOR_H
#define MM_DETECT_DETECTOR_H

#include "mmood.h"

struct mmood_detector {
    size_t dimension;
    size_t id_count; /* labels 0 .. id_count are ID, the rest outliers */
    size_t count;
    float *embeddings; /* [count, dimension], rows of unit length */
    char **labels;     /* [count] */
    char **sources;    /* [count], never NULL */
    size_t template_count;
    char **templates;
    mmood_score_settings score;
    char *model_path;
    char *model_fingerprint;
    mmood_precision precision;
};

/* A detector with room for its arrays; embeddings are not set. NULL if memory is out. */
mmood_detector *mm_detector_create(size_t count, size_t id_count, size_t dimension,
                                   size_t template_count);

#endif
