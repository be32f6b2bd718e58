/* sample.h - evaluations made by hand, for the tests of what is written from them. */
#ifndef MM_TESTS_EVAL_SAMPLE_H
#define MM_TESTS_EVAL_SAMPLE_H

#include "eval/evaluation.h"

typedef struct sample_shape {
    size_t id_labels;
    size_t outliers;
    size_t score_count; /* at most 3 */
    size_t ood_sets;
    size_t pictures; /* a set */
    size_t groups;   /* of every set; 0: flat */
    int intervals;
} sample_shape;

/* An evaluation with random scores, reproducible; picture i of a set is named after set and number.
 * Its strings are the caller's to replace (free and strdup). */
void sample_make(mm_evaluation *out, const sample_shape *shape);

/* Metrics again, after scores were changed. Sets without readable pictures get NaN and 0. */
void sample_measure(mm_evaluation *evaluation, int intervals);

/* Frees the detector too. */
void sample_free(mm_evaluation *evaluation);

/* Replaces one string of an evaluation. */
void sample_set(char **text, const char *value);

#endif
