/* drift.h - do recent scores still look like those of the calibration? Pure functions. */
#ifndef MM_SERVE_DRIFT_H
#define MM_SERVE_DRIFT_H

#include <stddef.h>

enum { MM_PSI_BINS = 10 };

/* The two-sample Kolmogorov-Smirnov statistic, the largest distance between the distribution
 * functions of two rising lists, and its asymptotic p-value. Ties are allowed; NaN for an empty
 * list. */
double mm_drift_ks(double *p_value, const double *a, size_t a_count, const double *b,
                   size_t b_count);

/* Population stability index of `recent` against `reference`, both rising: sum of
 * (q - p) ln(q / p) over the reference's ten deciles, half a score added to each so that an empty
 * one is no infinity. NaN for an empty list. */
double mm_drift_psi(const double *reference, size_t reference_count, const double *recent,
                    size_t recent_count);

#endif
