/* curves.c - ROC and precision-recall curves thinned for drawing, histograms, thresholds. */
#include "eval/curves.h"

#include "base/error.h"
#include "detect/calibrate.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* A curve is thinned by slices of its length; in each the first and the last point stay and those
 * that stray the most to either side. */
enum { SLICES = 50 };
_Static_assert(4 * (SLICES + 1) <= MM_CURVE_POINTS, "slices 0 .. SLICES, four points each");

static int by_value(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

void mm_scores_sort(double *scores, size_t count) {
    if (count > 0)
        qsort(scores, count, sizeof *scores, by_value);
}

typedef double measure_point(const mm_curve_point *point);

static double roc_progress(const mm_curve_point *p) {
    return (p->x + p->y) / 2;
}

static double roc_side(const mm_curve_point *p) {
    return p->y - p->x;
}

static double recall_progress(const mm_curve_point *p) {
    return p->x;
}

static double precision_side(const mm_curve_point *p) {
    return p->y;
}

static void add_point(mm_curve *out, const mm_curve_point *all, size_t index, size_t *last) {
    if (out->count > 0 && *last == index)
        return;
    out->points[out->count++] = all[index];
    *last = index;
}

static void thin(mm_curve *out, const mm_curve_point *all, size_t count, measure_point *progress,
                 measure_point *side) {
    size_t last = 0;
    out->count = 0;
    for (size_t begin = 0, end; begin < count; begin = end) {
        double slice = floor(progress(&all[begin]) * SLICES);
        size_t low = begin, high = begin;
        for (end = begin; end < count && floor(progress(&all[end]) * SLICES) == slice; end++) {
            low = side(&all[end]) < side(&all[low]) ? end : low;
            high = side(&all[end]) > side(&all[high]) ? end : high;
        }
        add_point(out, all, begin, &last);
        add_point(out, all, low < high ? low : high, &last);
        add_point(out, all, low < high ? high : low, &last);
        add_point(out, all, end - 1, &last);
    }
}

/* Both curves at every distinct score, falling, of sorted scores. `roc` and `precision` have room
 * for one point more than there are scores. */
static size_t all_points(mm_curve_point *roc, mm_curve_point *precision, const double *id,
                         size_t id_count, const double *ood, size_t ood_count) {
    size_t points = 0, i = id_count, o = ood_count;
    roc[points++] = (mm_curve_point){0, 0};
    while (i > 0 || o > 0) {
        double score = o == 0 || (i > 0 && id[i - 1] > ood[o - 1]) ? id[i - 1] : ood[o - 1];
        while (i > 0 && id[i - 1] == score)
            i--;
        while (o > 0 && ood[o - 1] == score)
            o--;
        double hits = (double)(id_count - i), misses = (double)(ood_count - o);
        roc[points] = (mm_curve_point){misses / (double)ood_count, hits / (double)id_count};
        precision[points++] = (mm_curve_point){hits / (double)id_count, hits / (hits + misses)};
    }
    precision[0] = (mm_curve_point){0, precision[1].y};
    return points;
}

static double *sorted_copy(const double *scores, size_t count) {
    double *copy = malloc((count + 1) * sizeof *copy);
    if (copy && count > 0)
        memcpy(copy, scores, count * sizeof *copy);
    if (copy)
        mm_scores_sort(copy, count);
    return copy;
}

mmood_status mm_curves_compute(mm_curve *roc, mm_curve *precision, const double *id,
                               size_t id_count, const double *ood, size_t ood_count,
                               mmood_error *error) {
    mmood_status status = MMOOD_OK;
    if (id_count == 0 || ood_count == 0)
        return mm_error_set(error, MMOOD_ERROR_ARGUMENT,
                            "a curve needs scores of both classes; %zu of ID and %zu of OOD are "
                            "there",
                            id_count, ood_count);
    size_t room = id_count + ood_count + 1;
    double *a = sorted_copy(id, id_count), *b = sorted_copy(ood, ood_count);
    mm_curve_point *points = malloc(2 * room * sizeof *points);
    if (a && b && points) {
        size_t count = all_points(points, points + room, a, id_count, b, ood_count);
        thin(roc, points, count, roc_progress, roc_side);
        thin(precision, points + room, count, recall_progress, precision_side);
    } else {
        status = mm_error_set(error, MMOOD_ERROR_MEMORY, "no memory for a curve of %zu scores",
                              id_count + ood_count);
    }
    free(a);
    free(b);
    free(points);
    return status;
}

mmood_status mm_range_robust(mm_range *out, const double *scores, size_t count,
                             mmood_error *error) {
    double *finite = malloc((count + 1) * sizeof *finite);
    size_t n = 0;
    if (!finite)
        return mm_error_set(error, MMOOD_ERROR_MEMORY, "no memory for %zu scores", count);
    for (size_t i = 0; i < count; i++)
        if (isfinite(scores[i]))
            finite[n++] = scores[i];
    mm_scores_sort(finite, n);
    *out = (mm_range){0, 1};
    if (n > 0) {
        size_t cut = n / 200;
        *out = (mm_range){finite[cut], finite[n - 1 - cut]};
    }
    free(finite);
    if (out->high - out->low <= fabs(out->high) * 1e-12) {
        double more = out->low == 0 ? 0.5 : fabs(out->low) * 0.01;
        out->low = fmax(out->low - more, -1e308);
        out->high = fmin(out->high + more, 1e308);
    }
    return MMOOD_OK;
}

double mm_range_place(const mm_range *range, double score) {
    if (score <= range->low)
        return 0;
    if (score >= range->high)
        return 1;
    /* Halves, since the difference of two large numbers may overflow. */
    return (score / 2 - range->low / 2) / (range->high / 2 - range->low / 2);
}

void mm_histogram(double *out, size_t bins, const mm_range *range, const double *scores,
                  size_t count) {
    for (size_t i = 0; i < bins; i++)
        out[i] = 0;
    for (size_t i = 0; i < count; i++) {
        size_t bin = (size_t)(mm_range_place(range, scores[i]) * (double)bins);
        out[bin < bins ? bin : bins - 1] += 1 / (double)count;
    }
}

double mm_conformal_threshold(const double *rising, size_t count, double keep) {
    double needed = mm_calibration_needed(count, keep);
    if (needed < 1 || needed > (double)count)
        return NAN;
    return rising[count - (size_t)needed];
}

double mm_share_reaching(const double *scores, size_t count, double threshold) {
    size_t reaching = 0;
    for (size_t i = 0; i < count; i++)
        reaching += scores[i] >= threshold;
    return count > 0 ? (double)reaching / (double)count : NAN;
}
