/* figures.c - from the pictures' scores to metrics, means, intervals and accuracy; a score a
 * worker. */
#include "base/cpus.h"
#include "base/error.h"
#include "base/pool.h"
#include "eval/run.h"

#include <math.h>
#include <stdatomic.h>
#include <stdlib.h>

/* The scores of the readable pictures of a set, to `out` [set->count]. */
static size_t collect(double *out, const mm_eval_set *set, size_t score) {
    size_t n = 0;
    for (size_t i = 0; i < set->count; i++)
        if (!set->items[i].error)
            out[n++] = set->items[i].scores[score];
    return n;
}

/* Metrics of one score against all sets, and their mean. `room` holds all scores. */
static mmood_status measure(mm_evaluation *e, size_t score, const mm_eval_options *options,
                            double *room, mm_sample *samples, mm_metric_intervals *intervals,
                            mmood_error *error) {
    size_t oods = e->set_count - 1;
    mm_eval_result *results = e->results + score * oods, *mean = &e->means[score];
    for (size_t s = 0; s < e->set_count; s++) {
        samples[s] = (mm_sample){room, collect(room, &e->sets[s], score)};
        room += samples[s].count;
    }
    *mean = (mm_eval_result){.value.id_count = samples[0].count};
    for (size_t s = 0; s < oods; s++) {
        mm_metrics *m = &results[s].value;
        mmood_status status =
            mm_metrics_compute(m, samples[0].scores, samples[0].count, samples[s + 1].scores,
                               samples[s + 1].count, e->fpr, error);
        if (status != MMOOD_OK)
            return status;
        mean->value.auroc += m->auroc / (double)oods;
        mean->value.aupr_in += m->aupr_in / (double)oods;
        mean->value.aupr_out += m->aupr_out / (double)oods;
        mean->value.fpr95 += m->fpr95 / (double)oods;
        mean->value.ood_count += m->ood_count;
    }
    if (options->resamples == 0)
        return MMOOD_OK;
    mmood_status status = mm_metrics_bootstrap(intervals, samples[0], samples + 1, oods, e->fpr,
                                               options->resamples, options->seed, error);
    for (size_t s = 0; s <= oods && status == MMOOD_OK; s++) {
        mm_eval_result *result = s < oods ? &results[s] : mean;
        result->has_intervals = 1;
        result->auroc = intervals[s].auroc;
        result->aupr_in = intervals[s].aupr_in;
        result->aupr_out = intervals[s].aupr_out;
        result->fpr95 = intervals[s].fpr95;
    }
    return status;
}

typedef struct measuring {
    mm_evaluation *evaluation;
    const mm_eval_options *options;
    size_t total;       /* pictures */
    atomic_size_t next; /* score */
    struct measured {
        mmood_status status;
        mmood_error error;
    } * measured; /* [score_count] */
} measuring;

static void work(void *context, int worker) {
    measuring *job = context;
    mm_evaluation *e = job->evaluation;
    (void)worker;
    double *room = malloc((job->total + 1) * sizeof *room);
    mm_sample *samples = malloc(e->set_count * sizeof *samples);
    mm_metric_intervals *intervals = malloc(e->set_count * sizeof *intervals);
    for (size_t i; (i = atomic_fetch_add(&job->next, 1)) < e->score_count;) {
        struct measured *m = &job->measured[i];
        if (room && samples && intervals)
            m->status = measure(e, i, job->options, room, samples, intervals, &m->error);
        else
            m->status = mm_error_set(&m->error, MMOOD_ERROR_MEMORY,
                                     "no memory for the metrics of %zu pictures", job->total);
    }
    free(room);
    free(samples);
    free(intervals);
}

static mmood_status measure_all(mm_evaluation *e, const mm_eval_options *options,
                                mmood_error *error) {
    measuring job = {.evaluation = e, .options = options};
    mm_pool *pool = NULL;
    for (size_t s = 0; s < e->set_count; s++)
        job.total += e->sets[s].count;
    e->results = calloc(e->score_count * (e->set_count - 1), sizeof *e->results);
    e->means = calloc(e->score_count, sizeof *e->means);
    job.measured = calloc(e->score_count, sizeof *job.measured);
    mmood_status status = MMOOD_OK;
    if (!job.measured || !e->results || !e->means)
        status = mm_error_set(error, MMOOD_ERROR_MEMORY, "no memory for the metrics of %zu scores",
                              e->score_count);
    if (status == MMOOD_OK)
        status = mm_pool_create(&pool, options->threads ? options->threads : mm_cpu_count(), error);
    if (status == MMOOD_OK)
        mm_pool_run(pool, mm_pool_size(pool), work, &job);
    for (size_t i = 0; i < e->score_count && status == MMOOD_OK; i++) {
        status = job.measured[i].status;
        if (status != MMOOD_OK && error)
            *error = job.measured[i].error;
    }
    mm_pool_free(pool);
    free(job.measured);
    return status;
}

/* Zero-shot accuracy over ID pictures whose folder has the name of an ID label. */
static void measure_accuracy(mm_evaluation *e) {
    const mm_eval_set *id = &e->sets[0];
    size_t right = 0;
    e->accuracy_count = 0;
    for (size_t i = 0; i < id->count; i++) {
        const mm_eval_item *item = &id->items[i];
        size_t label = item->group == SIZE_MAX ? SIZE_MAX : id->groups[item->group].label;
        if (item->error || label == SIZE_MAX)
            continue;
        e->accuracy_count++;
        right += item->label == label;
    }
    e->accuracy = e->accuracy_count ? (double)right / (double)e->accuracy_count : NAN;
}

mmood_status mm_eval_measure(mm_evaluation *evaluation, const mm_eval_options *options,
                             mmood_error *error) {
    mmood_status status = measure_all(evaluation, options, error);
    if (status == MMOOD_OK)
        measure_accuracy(evaluation);
    return status;
}
