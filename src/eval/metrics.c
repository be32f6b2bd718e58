/* metrics.c - both classes sorted together by falling score, and one walk over groups of equal
 * scores. */
#include "eval/metrics.h"

#include "base/error.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

typedef struct sample {
    double score;
    int positive;
} sample;

/* Counts of samples with a score at least that of a distinct one. */
typedef struct point {
    double positives;
    double negatives;
} point;

const char *mm_fpr_name(mm_fpr fpr) {
    static const char *const names[] = {"nearest", "first", "ood-positive"};
    return names[fpr];
}

mmood_status mm_fpr_parse(mm_fpr *out, const char *name, mmood_error *error) {
    for (int i = 0; i < 3; i++)
        if (strcmp(name, mm_fpr_name((mm_fpr)i)) == 0) {
            *out = (mm_fpr)i;
            return MMOOD_OK;
        }
    return mm_error_set(
        error, MMOOD_ERROR_ARGUMENT,
        "unknown FPR95 definition \"%s\"; nearest, first and ood-positive are known", name);
}

static int by_falling_score(const void *a, const void *b) {
    double x = ((const sample *)a)->score, y = ((const sample *)b)->score;
    return (x < y) - (x > y);
}

/* The curve over distinct scores in falling order; returns the number of points. `sign` -1 turns
 * the classes round: OOD positive, low scores first. */
static size_t make_curve(point *curve, sample *samples, const double *id, size_t id_count,
                         const double *ood, size_t ood_count, int sign) {
    size_t n = id_count + ood_count, points = 0;
    for (size_t i = 0; i < id_count; i++)
        samples[i] = (sample){sign * id[i], sign > 0};
    for (size_t i = 0; i < ood_count; i++)
        samples[id_count + i] = (sample){sign * ood[i], sign < 0};
    qsort(samples, n, sizeof *samples, by_falling_score);
    point at = {0, 0};
    for (size_t i = 0; i < n; i++) {
        if (samples[i].positive)
            at.positives++;
        else
            at.negatives++;
        if (i + 1 == n || samples[i + 1].score != samples[i].score)
            curve[points++] = at;
    }
    return points;
}

/* Area under the ROC curve by trapezoids: equal to Mann-Whitney with ties counted half. */
static double area(const point *curve, size_t points) {
    double sum = 0;
    point last = {0, 0};
    for (size_t i = 0; i < points; i++) {
        sum += (curve[i].negatives - last.negatives) * (curve[i].positives + last.positives) / 2;
        last = curve[i];
    }
    return sum / last.positives / last.negatives;
}

/* Sum of precision times the step in recall. */
static double average_precision(const point *curve, size_t points) {
    double sum = 0, last = 0, total = curve[points - 1].positives;
    for (size_t i = 0; i < points; i++) {
        sum += (curve[i].positives - last) / total * curve[i].positives /
               (curve[i].positives + curve[i].negatives);
        last = curve[i].positives;
    }
    return sum;
}

/* Scans from recall 1 downwards and keeps the first minimum of |recall - 0.95|, as the MCM code
 * does; points before the last that reaches full recall are not looked at. */
static double fpr_nearest(const point *curve, size_t points) {
    double total = curve[points - 1].positives, best = INFINITY, fpr = 1;
    size_t end = 0;
    while (end < points && curve[end].positives < total)
        end++;
    for (size_t i = end + 1; i-- > 0;) {
        double distance = fabs(curve[i].positives / total - 0.95);
        if (distance < best) {
            best = distance;
            fpr = curve[i].negatives / curve[points - 1].negatives;
        }
    }
    return fpr;
}

static double fpr_first(const point *curve, size_t points) {
    double total = curve[points - 1].positives;
    size_t i = 0;
    while (curve[i].positives / total < 0.95)
        i++;
    return curve[i].negatives / curve[points - 1].negatives;
}

static mmood_status check(const char *name, const double *scores, size_t count,
                          mmood_error *error) {
    if (count == 0)
        return mm_error_set(error, MMOOD_ERROR_ARGUMENT,
                            "there is no %s score; both classes are needed", name);
    for (size_t i = 0; i < count; i++)
        if (isnan(scores[i]))
            return mm_error_set(error, MMOOD_ERROR_NUMERIC, "%s score %zu is NaN", name, i + 1);
    return MMOOD_OK;
}

mmood_status mm_metrics_compute(mm_metrics *out, const double *id, size_t id_count,
                                const double *ood, size_t ood_count, mm_fpr fpr,
                                mmood_error *error) {
    mmood_status status = check("ID", id, id_count, error);
    if (status == MMOOD_OK)
        status = check("OOD", ood, ood_count, error);
    if (status != MMOOD_OK)
        return status;
    size_t n = id_count + ood_count;
    sample *samples = malloc(n * sizeof *samples);
    point *curve = malloc(n * sizeof *curve);
    if (samples && curve) {
        *out = (mm_metrics){.id_count = id_count, .ood_count = ood_count};
        size_t points = make_curve(curve, samples, id, id_count, ood, ood_count, 1);
        out->auroc = area(curve, points);
        out->aupr_in = average_precision(curve, points);
        out->fpr95 = fpr == MM_FPR_NEAREST ? fpr_nearest(curve, points) : fpr_first(curve, points);
        points = make_curve(curve, samples, id, id_count, ood, ood_count, -1);
        out->aupr_out = average_precision(curve, points);
        if (fpr == MM_FPR_OOD_POSITIVE)
            out->fpr95 = fpr_first(curve, points);
    } else {
        status = mm_error_set(error, MMOOD_ERROR_MEMORY, "no memory for %zu scores", n);
    }
    free(samples);
    free(curve);
    return status;
}
