/* metrics.c - both classes ranked together by falling score, and one walk over groups of equal
 * scores. A bootstrap walks the same ranking with other weights. */
#include "eval/metrics.h"

#include "base/error.h"
#include "base/random.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* A score in its class. */
typedef struct ranked {
    double score;
    int is_id;
    uint32_t index; /* in its class */
} ranked;

/* How often each score of a class counts; NULL: once. */
typedef struct weights {
    const uint32_t *id;
    const uint32_t *ood;
} weights;

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
    double x = ((const ranked *)a)->score, y = ((const ranked *)b)->score;
    return (x < y) - (x > y);
}

static void rank(ranked *out, mm_sample id, mm_sample ood) {
    for (size_t i = 0; i < id.count; i++)
        out[i] = (ranked){id.scores[i], 1, (uint32_t)i};
    for (size_t i = 0; i < ood.count; i++)
        out[id.count + i] = (ranked){ood.scores[i], 0, (uint32_t)i};
    qsort(out, id.count + ood.count, sizeof *out, by_falling_score);
}

/* The curve over distinct scores; returns the number of points. In falling order with ID positive,
 * or `turned`: in rising order with OOD positive. */
static size_t make_curve(point *curve, const ranked *ranking, size_t n, weights w, int turned) {
    size_t points = 0;
    point at = {0, 0}, last = {0, 0};
    for (size_t i = 0; i < n; i++) {
        const ranked *r = &ranking[turned ? n - 1 - i : i];
        const uint32_t *weight = r->is_id ? w.id : w.ood;
        double count = weight ? weight[r->index] : 1;
        if (r->is_id != turned)
            at.positives += count;
        else
            at.negatives += count;
        int ends = i + 1 == n || ranking[turned ? n - 2 - i : i + 1].score != r->score;
        if (ends && (at.positives != last.positives || at.negatives != last.negatives))
            curve[points++] = last = at;
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

/* All metrics of a weighted ranking; `curve` is room for n points. */
static void measure(mm_metrics *out, point *curve, const ranked *ranking, size_t n, weights w,
                    mm_fpr fpr) {
    size_t points = make_curve(curve, ranking, n, w, 0);
    out->auroc = area(curve, points);
    out->aupr_in = average_precision(curve, points);
    out->fpr95 = fpr == MM_FPR_NEAREST ? fpr_nearest(curve, points) : fpr_first(curve, points);
    points = make_curve(curve, ranking, n, w, 1);
    out->aupr_out = average_precision(curve, points);
    if (fpr == MM_FPR_OOD_POSITIVE)
        out->fpr95 = fpr_first(curve, points);
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
    ranked *ranking = malloc(n * sizeof *ranking);
    point *curve = malloc(n * sizeof *curve);
    if (ranking && curve) {
        *out = (mm_metrics){.id_count = id_count, .ood_count = ood_count};
        rank(ranking, (mm_sample){id, id_count}, (mm_sample){ood, ood_count});
        measure(out, curve, ranking, n, (weights){NULL, NULL}, fpr);
    } else {
        status = mm_error_set(error, MMOOD_ERROR_MEMORY, "no memory for %zu scores", n);
    }
    free(ranking);
    free(curve);
    return status;
}

/* ---- Bootstrap ----------------------------------------------------------------------------- */

enum { METRICS = 4 };

typedef struct bootstrap {
    mm_sample id;
    const mm_sample *sets;
    size_t set_count;
    mm_fpr fpr;
    ranked **rankings;   /* [set_count] */
    uint32_t *id_weight; /* [id.count] */
    uint32_t *weight;    /* [the largest set] */
    point *curve;
    double *values; /* [set_count + 1][METRICS][resamples] */
    uint64_t state;
} bootstrap;

static void bootstrap_free(bootstrap *b) {
    for (size_t i = 0; b->rankings && i < b->set_count; i++)
        free(b->rankings[i]);
    free(b->rankings);
    free(b->id_weight);
    free(b->weight);
    free(b->curve);
    free(b->values);
}

static int bootstrap_reserve(bootstrap *b, size_t resamples) {
    size_t most = 0;
    b->rankings = calloc(b->set_count + 1, sizeof *b->rankings);
    int ok = b->rankings != NULL;
    for (size_t i = 0; i < b->set_count && ok; i++) {
        most = b->sets[i].count > most ? b->sets[i].count : most;
        b->rankings[i] = malloc((b->id.count + b->sets[i].count) * sizeof **b->rankings);
        ok = b->rankings[i] != NULL;
        if (ok)
            rank(b->rankings[i], b->id, b->sets[i]);
    }
    b->id_weight = malloc(b->id.count * sizeof *b->id_weight);
    b->weight = malloc((most + 1) * sizeof *b->weight);
    b->curve = malloc((b->id.count + most) * sizeof *b->curve);
    b->values = calloc((b->set_count + 1) * METRICS * resamples + 1, sizeof *b->values);
    return ok && b->id_weight && b->weight && b->curve && b->values;
}

/* `count` draws with replacement, as counts. */
static void resample(uint32_t *weight, size_t count, uint64_t *state) {
    memset(weight, 0, count * sizeof *weight);
    for (size_t i = 0; i < count; i++) {
        uint64_t x = mm_random_next(state);
        weight[(x >> 32) * count >> 32]++;
    }
}

static int compare_doubles(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* The quantiles 0.025 and 0.975, interpolated as numpy does. */
static mm_interval interval(double *values, size_t count) {
    double ends[2];
    qsort(values, count, sizeof *values, compare_doubles);
    for (int i = 0; i < 2; i++) {
        double at = (i ? 0.975 : 0.025) * (double)(count - 1);
        size_t below = (size_t)at, above = below + 1 < count ? below + 1 : below;
        ends[i] = values[below] + (at - (double)below) * (values[above] - values[below]);
    }
    return (mm_interval){ends[0], ends[1]};
}

mmood_status mm_metrics_bootstrap(mm_metric_intervals *out, mm_sample id, const mm_sample *sets,
                                  size_t set_count, mm_fpr fpr, size_t resamples, uint64_t seed,
                                  mmood_error *error) {
    bootstrap b = {.id = id, .sets = sets, .set_count = set_count, .fpr = fpr, .state = seed};
    mmood_status status = check("ID", id.scores, id.count, error);
    for (size_t i = 0; i < set_count && status == MMOOD_OK; i++)
        status = check("OOD", sets[i].scores, sets[i].count, error);
    if (status == MMOOD_OK && (resamples == 0 || set_count == 0))
        status = mm_error_set(error, MMOOD_ERROR_ARGUMENT,
                              "a bootstrap needs at least one resample and one OOD set");
    if (status != MMOOD_OK)
        return status;
    if (!bootstrap_reserve(&b, resamples)) {
        bootstrap_free(&b);
        return mm_error_set(error, MMOOD_ERROR_MEMORY, "no memory for a bootstrap of %zu scores",
                            id.count);
    }
    for (size_t r = 0; r < resamples; r++) {
        resample(b.id_weight, id.count, &b.state);
        for (size_t i = 0; i < set_count; i++) {
            mm_metrics m;
            resample(b.weight, sets[i].count, &b.state);
            measure(&m, b.curve, b.rankings[i], id.count + sets[i].count,
                    (weights){b.id_weight, b.weight}, fpr);
            const double values[METRICS] = {m.auroc, m.aupr_in, m.aupr_out, m.fpr95};
            for (size_t k = 0; k < METRICS; k++) {
                b.values[(i * METRICS + k) * resamples + r] = values[k];
                b.values[(set_count * METRICS + k) * resamples + r] +=
                    values[k] / (double)set_count;
            }
        }
    }
    for (size_t i = 0; i <= set_count; i++) {
        double *values = b.values + i * METRICS * resamples;
        out[i] = (mm_metric_intervals){.auroc = interval(values, resamples),
                                       .aupr_in = interval(values + resamples, resamples),
                                       .aupr_out = interval(values + 2 * resamples, resamples),
                                       .fpr95 = interval(values + 3 * resamples, resamples)};
    }
    bootstrap_free(&b);
    return MMOOD_OK;
}
