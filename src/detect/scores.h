/* scores.h - what the formulas share; pure functions of cosines. */
#ifndef MM_DETECT_SCORES_H
#define MM_DETECT_SCORES_H

#include "mmood.h"

/* The temperature that applies: the settings' own, or the kind's default. */
double mm_score_temperature(const mmood_score_settings *settings);

/* ARGUMENT unless kind, temperature and beta are possible. */
mmood_status mm_score_check(const mmood_score_settings *settings, mmood_error *error);

/* The position of the largest of `count` values; the first of equals. `count` >= 1. */
size_t mm_argmax(const double *values, size_t count);

/* log of the sum of exp(s / t), without overflow. */
double mm_log_sum_exp(const double *s, size_t count, double t);

#endif
