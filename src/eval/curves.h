/* curves.h - what a report draws from scores: ROC and precision-recall curves, histograms, and what
 * thresholds would do; pure functions. Higher scores mean ID; no score may be NaN, infinite ones
 * are allowed. */
#ifndef MM_EVAL_CURVES_H
#define MM_EVAL_CURVES_H

#include "mmood.h"

enum { MM_CURVE_POINTS = 204 };

typedef struct mm_curve_point {
    double x;
    double y;
} mm_curve_point;

/* Points in the order of falling thresholds: x, then y where it is the same, never falls back. Of
 * very many points those that keep the shape are there. */
typedef struct mm_curve {
    mm_curve_point points[MM_CURVE_POINTS];
    size_t count;
} mm_curve;

/* The ROC curve: x the share of OOD at or above a threshold, y that of ID; from (0, 0) to (1, 1).
 * And precision (y) over recall of ID (x), from recall 0. ARGUMENT for an empty class. */
mmood_status mm_curves_compute(mm_curve *roc, mm_curve *precision, const double *id,
                               size_t id_count, const double *ood, size_t ood_count,
                               mmood_error *error);

/* A range that shows most of the finite scores: their 0.5 % and 99.5 % quantiles together, never
 * empty; 0 .. 1 if none is finite. MEMORY. */
typedef struct mm_range {
    double low;
    double high;
} mm_range;

mmood_status mm_range_robust(mm_range *out, const double *scores, size_t count, mmood_error *error);

/* The share of the range below `score`: 0 .. 1, and those ends for what lies outside. */
double mm_range_place(const mm_range *range, double score);

/* Shares of the scores in `bins` parts of the range; what lies outside is in the outermost. */
void mm_histogram(double *out, size_t bins, const mm_range *range, const double *scores,
                  size_t count);

/* The largest t that at least ceil((n + 1) keep) of the scores reach, as a calibration on them
 * would choose it. NaN if they are too few for that. `rising` is sorted. */
double mm_conformal_threshold(const double *rising, size_t count, double keep);

/* The share of the scores at or above a threshold; NaN of none. */
double mm_share_reaching(const double *scores, size_t count, double threshold);

/* Sorts scores to rise. */
void mm_scores_sort(double *scores, size_t count);

#endif
