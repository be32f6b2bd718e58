/* run.h - an evaluation: pictures of an ID set and of OOD sets to scores, metrics and warnings. */
#ifndef MM_EVAL_RUN_H
#define MM_EVAL_RUN_H

#include "eval/evaluation.h"

typedef struct mm_eval_options {
    mmood_image_options image;
    int threads;       /* 0 = all CPUs */
    size_t window;     /* pictures at a time */
    size_t resamples;  /* of the bootstrap; 0: no intervals */
    uint64_t seed;     /* of the bootstrap */
    const char *cache; /* folder for embeddings; NULL: none are kept */
    /* NULL, or told now and then how many pictures are done, and how many of them the cache had. */
    void (*progress)(void *context, size_t done, size_t total, size_t cached);
    void *context;
} mm_eval_options;

/* Fills in what follows from `detector`, `fpr`, `scores`, `own` and the sets with their pictures
 * and classes, which the caller has set: results of the pictures, metrics, accuracy, warnings. A
 * picture that cannot be read has its error and costs the others nothing; a set of which none can
 * be read is an error. Scores that the detector's labels do not allow are ARGUMENT errors. */
mmood_status mm_eval_run(mm_evaluation *evaluation, mmood_session *session,
                         const mm_eval_options *options, mmood_error *error);

/* The figures that follow from the pictures' scores: metrics, means, intervals, accuracy.
 * (figures.c) */
mmood_status mm_eval_measure(mm_evaluation *evaluation, const mm_eval_options *options,
                             mmood_error *error);

/* Appends a warning. */
mmood_status mm_eval_warn(mm_evaluation *evaluation, mmood_error *error, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* Looks for what makes figures too good or wrong: files that are in two sets or twice in one, OOD
 * classes with the name of an ID label, files that took part in the calibration. (leaks.c) */
mmood_status mm_eval_find_leaks(mm_evaluation *evaluation, mmood_error *error);

/* Warns about a threshold that flags nothing, or fewer pictures than was asked for. (threshold.c)
 */
mmood_status mm_eval_check_threshold(mm_evaluation *evaluation, mmood_error *error);

#endif
