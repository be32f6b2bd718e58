/* metrics.h - AUROC, AUPR and FPR95 from scores; pure functions. ID is the positive class, higher
 * scores mean ID. */
#ifndef MM_EVAL_METRICS_H
#define MM_EVAL_METRICS_H

#include "mmood.h"

/* The definitions of "false positive rate at 95 %" that the field's code bases use. */
typedef enum mm_fpr {
    MM_FPR_NEAREST,     /* MCM, EOE, NegLabel: at the score whose recall of ID is nearest to 0.95 */
    MM_FPR_FIRST,       /* scikit-learn's roc_curve: at the first score with recall >= 0.95 */
    MM_FPR_OOD_POSITIVE /* OpenOOD, pytorch-ood: share of ID flagged when 95 % of OOD is caught */
} mm_fpr;

typedef struct mm_metrics {
    double auroc;    /* Mann-Whitney, ties counted half */
    double aupr_in;  /* average precision with ID as the positive class, as scikit-learn's */
    double aupr_out; /* with OOD as the positive class, scores negated */
    double fpr95;
    size_t id_count;
    size_t ood_count;
} mm_metrics;

/* "nearest", "first", "ood-positive"; static. */
const char *mm_fpr_name(mm_fpr fpr);
mmood_status mm_fpr_parse(mm_fpr *out, const char *name, mmood_error *error);

/* A 95 % bootstrap interval. */
typedef struct mm_interval {
    double low;
    double high;
} mm_interval;

typedef struct mm_metric_intervals {
    mm_interval auroc;
    mm_interval aupr_in;
    mm_interval aupr_out;
    mm_interval fpr95;
} mm_metric_intervals;

/* The scores of one set. */
typedef struct mm_sample {
    const double *scores;
    size_t count;
} mm_sample;

/* Both classes need at least one score (ARGUMENT); NaN is NUMERIC and named by class and position.
 */
mmood_status mm_metrics_compute(mm_metrics *out, const double *id, size_t id_count,
                                const double *ood, size_t ood_count, mm_fpr fpr,
                                mmood_error *error);

/* Percentile intervals (Efron 1979) of the metrics of ID against each of `set_count` OOD sets, to
 * out[0 .. set_count), and of their plain means, to out[set_count]: `resamples` times ID and every
 * set are drawn anew with replacement, ID once for all sets. The same for the same `seed`. Scores
 * as mm_metrics_compute takes them, fewer than 2^32 a set. */
mmood_status mm_metrics_bootstrap(mm_metric_intervals *out, mm_sample id, const mm_sample *sets,
                                  size_t set_count, mm_fpr fpr, size_t resamples, uint64_t seed,
                                  mmood_error *error);

#endif
