/* scores.h - OOD scores from cosines; pure functions. */
#ifndef MM_DETECT_SCORES_H
#define MM_DETECT_SCORES_H

#include "mmood.h"

/* Number of kinds. */
enum { MM_SCORE_KINDS = MMOOD_SCORE_CSP + 1 };

/* The number of groups that applies: the settings' own, or the default, at most one an outlier. */
size_t mm_score_groups(const mmood_score_settings *settings, size_t outlier_count);

/* A value that the score cannot fall below whatever the picture, for scores for which such a bound
 * is ever reached; else -infinity. */
double mm_score_lowest(const mmood_score_settings *settings, size_t id_count, size_t outlier_count);

/* 1 if the score is neglabel's: outliers in groups. */
int mm_score_is_grouped(mmood_score_kind kind);

/* ARGUMENT unless kind, temperature, beta, lambda and groups are possible. */
mmood_status mm_score_check(const mmood_score_settings *settings, mmood_error *error);

/* The group of each of `count` outliers for `groups` <= count groups of equal size, drawn with
 * `seed`; UINT32_MAX for the remainder, which is dropped. */
void mm_score_deal(uint32_t *group, size_t count, size_t groups, uint32_t seed);

/* Memory that computing scores needs, kept from picture to picture. Zero-initialise to start. */
typedef struct mm_score_scratch {
    double *terms;   /* [outliers], then [groups] */
    uint32_t *group; /* [outliers]: as dealt for */
    size_t outliers;
    size_t groups;
    uint32_t seed;
} mm_score_scratch;

void mm_score_scratch_free(mm_score_scratch *scratch);

/* The neglabel score at temperature t of cosines with other embeddings of the same labels. */
mmood_status mm_score_grouped(double *out, mm_score_scratch *scratch,
                              const mmood_similarities *similarities,
                              const mmood_score_settings *settings, mmood_error *error);

/* What a picture's patches say: the largest probability at temperature `t` that one of them gives
 * an ID label, from their cosines [patch_count, id_count]. */
double mm_score_best_patch(const double *cosines, size_t patch_count, size_t id_count, double t);

/* GL-MCM from its two terms. */
double mm_score_gl_mcm(double mcm, double best_patch, double lambda);

/* mmood_scores_compute with memory that is kept. */
mmood_status mm_scores_run(double *out, mm_score_scratch *scratch,
                           const mmood_similarities *similarities,
                           const mmood_score_settings *settings, size_t count, mmood_error *error);

/* The position of the largest of `count` values; the first of equals. `count` >= 1. */
size_t mm_argmax(const double *values, size_t count);

/* log of the sum of exp(s / t), without overflow. */
double mm_log_sum_exp(const double *s, size_t count, double t);

#endif
