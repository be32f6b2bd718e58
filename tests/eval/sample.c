/* sample.c - evaluations made by hand: random scores, shifted for ID, and metrics of them. */
#include "test.h"

#include "sample.h"

#include "detect/detector.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static char *text_of(const char *format, const char *name, size_t number) {
    char text[256];
    snprintf(text, sizeof text, format, name, number);
    char *copy = strdup(text);
    assert_non_null(copy);
    return copy;
}

static mmood_detector *make_detector(const sample_shape *shape) {
    mmood_detector *d =
        mm_detector_create(shape->id_labels + shape->outliers, shape->id_labels, 2, 1);
    assert_non_null(d);
    for (size_t i = 0; i < d->count; i++) {
        int id = i < d->id_count;
        d->embeddings[2 * i] = 1;
        d->embeddings[2 * i + 1] = 0;
        d->labels[i] = text_of("%s %zu", id ? "label" : "outlier", id ? i : i - d->id_count);
        d->sources[i] = strdup(id ? "" : i % 2 ? "far" : "near/label 0");
    }
    d->templates[0] = strdup("a photo of a {}");
    d->score = mmood_score_settings_default();
    d->model_path = strdup("models/demo");
    d->model_fingerprint =
        strdup("00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff");
    d->precision = MMOOD_PRECISION_F32;
    return d;
}

static double uniform(uint32_t *state) {
    *state = *state * 1664525u + 1013904223u;
    return (*state >> 8) / 16777216.0;
}

/* Near enough to a normal distribution. */
static double normal(uint32_t *state) {
    double sum = -6;
    for (int i = 0; i < 12; i++)
        sum += uniform(state);
    return sum;
}

static void fill_set(mm_eval_set *set, const sample_shape *shape, size_t index, uint32_t *state) {
    static const double middle[] = {0.004, 0.26, 0.31}, spread[] = {0.002, 0.01, 0.02};
    set->name = index ? text_of("%s%zu", "far-", index) : strdup("id");
    set->path = text_of("%s/%zu", "pictures", index);
    set->count = shape->pictures;
    set->items = calloc(set->count + 1, sizeof *set->items);
    set->group_count = shape->groups;
    set->groups = calloc(set->group_count + 1, sizeof *set->groups);
    assert_true(set->name && set->path && set->items && set->groups);
    for (size_t i = 0; i < set->group_count; i++)
        set->groups[i] = (mm_eval_group){text_of("%s %zu", index ? "thing" : "label", i),
                                         index || i >= shape->id_labels ? SIZE_MAX : i};
    for (size_t i = 0; i < set->count; i++) {
        mm_eval_item *item = &set->items[i];
        double z = normal(state) + (index ? -0.5 * (double)index : 2);
        item->path = text_of("pictures/%s/%zu.png", set->name, i);
        item->group = set->group_count ? i % set->group_count : SIZE_MAX;
        item->scores = calloc(3, sizeof *item->scores);
        assert_non_null(item->scores);
        for (size_t k = 0; k < shape->score_count; k++)
            item->scores[k] = middle[k] + spread[k] * (z + 0.5 * normal(state));
        item->label = index == 0 && uniform(state) < 0.8 && item->group < shape->id_labels
                          ? item->group
                          : (size_t)(uniform(state) * (double)shape->id_labels);
        item->outlier = shape->outliers
                            ? shape->id_labels + (size_t)(uniform(state) * (double)shape->outliers)
                            : SIZE_MAX;
        item->label_cosine = 0.25 + 0.02 * z;
        item->outlier_cosine = 0.27 - 0.01 * z;
    }
}

void sample_make(mm_evaluation *out, const sample_shape *shape) {
    uint32_t state = 7;
    static const mmood_score_kind kinds[] = {MMOOD_SCORE_MM_OOD, MMOOD_SCORE_MCM,
                                             MMOOD_SCORE_MAX_LOGIT};
    *out = (mm_evaluation){.detector = make_detector(shape),
                           .score_count = shape->score_count,
                           .set_count = shape->ood_sets + 1,
                           .accuracy = shape->groups ? 0.8 : NAN,
                           .accuracy_count = shape->pictures};
    out->scores = calloc(3, sizeof *out->scores);
    out->sets = calloc(out->set_count, sizeof *out->sets);
    out->means = calloc(out->score_count, sizeof *out->means);
    out->results = calloc(out->score_count * out->set_count, sizeof *out->results);
    assert_true(out->scores && out->sets && out->means && out->results);
    for (size_t i = 0; i < 3; i++) {
        out->scores[i] = mmood_score_settings_default();
        out->scores[i].kind = kinds[i];
        out->scores[i].temperature = 1;
    }
    for (size_t i = 0; i < out->set_count; i++)
        fill_set(&out->sets[i], shape, i, &state);
    sample_measure(out, shape->intervals);
}

static size_t readable(double *out, mm_eval_set *set, size_t score) {
    size_t count = 0;
    set->bad = 0;
    for (size_t i = 0; i < set->count; i++)
        if (set->items[i].error)
            set->bad++;
        else
            out[count++] = set->items[i].scores[score];
    return count;
}

static mm_interval around(double value) {
    return (mm_interval){value - 0.025 > 0 ? value - 0.025 : 0,
                         value + 0.025 < 1 ? value + 0.025 : 1};
}

static void measure_one(mm_evaluation *e, size_t score, size_t set, int intervals) {
    double *id = malloc((e->sets[0].count + 1) * sizeof *id);
    double *ood = malloc((e->sets[set].count + 1) * sizeof *ood);
    assert_true(id && ood);
    size_t id_count = readable(id, &e->sets[0], score),
           ood_count = readable(ood, &e->sets[set], score);
    mm_eval_result *r = &e->results[score * (e->set_count - 1) + set - 1];
    mm_metrics none = {NAN, NAN, NAN, NAN, id_count, ood_count};
    if (mm_metrics_compute(&r->value, id, id_count, ood, ood_count, e->fpr, NULL) != MMOOD_OK)
        r->value = none;
    r->has_intervals = intervals;
    r->auroc = around(r->value.auroc);
    r->aupr_in = around(r->value.aupr_in);
    r->aupr_out = around(r->value.aupr_out);
    r->fpr95 = around(r->value.fpr95);
    free(id);
    free(ood);
}

void sample_measure(mm_evaluation *e, int intervals) {
    for (size_t score = 0; score < e->score_count; score++) {
        mm_eval_result mean = {.has_intervals = intervals};
        for (size_t set = 1; set < e->set_count; set++) {
            measure_one(e, score, set, intervals);
            const mm_metrics *m = &e->results[score * (e->set_count - 1) + set - 1].value;
            double n = (double)e->set_count - 1;
            mean.value.auroc += m->auroc / n;
            mean.value.aupr_in += m->aupr_in / n;
            mean.value.aupr_out += m->aupr_out / n;
            mean.value.fpr95 += m->fpr95 / n;
            mean.value.id_count += m->id_count;
            mean.value.ood_count += m->ood_count;
        }
        mean.auroc = around(mean.value.auroc);
        mean.aupr_in = around(mean.value.aupr_in);
        mean.aupr_out = around(mean.value.aupr_out);
        mean.fpr95 = around(mean.value.fpr95);
        e->means[score] = mean;
    }
}

void sample_free(mm_evaluation *evaluation) {
    mmood_detector_free((mmood_detector *)(uintptr_t)evaluation->detector);
    mm_evaluation_free(evaluation);
}

void sample_set(char **text, const char *value) {
    free(*text);
    *text = strdup(value);
    assert_non_null(*text);
}
