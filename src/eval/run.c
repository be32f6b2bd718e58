/* run.c - the pictures of all sets through the model (or out of the cache) to scores. Embeddings
 * are scored window by window and not kept in memory but by the cache. */
#include "eval/run.h"

#include "base/error.h"
#include "base/sha256.h"
#include "detect/detector.h"
#include "detect/scorer.h"
#include "detect/scores.h"
#include "eval/cache.h"
#include "eval/dataset.h"
#include "eval/pipeline.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* GL-MCM = mcm + lambda * the best patch. What the patches say is one number a picture, which is
 * cached like the embedding, since patch features themselves are too large to keep. */
typedef struct runner {
    mm_evaluation *evaluation;
    const mm_eval_options *options;
    mmood_detector *detector;       /* a copy that scores nothing but what is asked for */
    mmood_score_settings *settings; /* [score_count], with mcm in gl-mcm's place */
    size_t patch_score;             /* which is gl-mcm; SIZE_MAX: none */
    mm_pipeline pipeline;
    mmood_scorer *scorer;
    mm_cache *embeddings; /* NULL: nothing is kept */
    mm_cache *patches;
    pthread_mutex_t lock; /* for the caches: pictures are looked up while others are added */
    /* Only so many records are found, those from before the set: what is found does not depend on
     * who is faster. */
    size_t known;
    size_t known_patches;
    mmood_verdict *verdicts; /* [window]: what the scorer says of the readable pictures, */
    double *scores;          /* and their scores [window, score_count] */
    size_t done;
    size_t total;
    size_t cached;
} runner;

/* ---- Setting up ---------------------------------------------------------------------------- */

/* What an embedding depends on besides the file; with `labels`, what the best patch does. */
static void make_key(char out[65], const runner *r, mmood_session *session, int labels) {
    mmood_model_info info;
    mm_sha256 hash;
    char text[256];
    mmood_model_describe(mmood_session_model(session), &info);
    mm_sha256_init(&hash);
    int n = snprintf(text, sizeof text, "%s %s orient %d alpha %d%s", info.fingerprint,
                     mmood_precision_name(info.precision), r->options->image.apply_orientation != 0,
                     (int)r->options->image.alpha, r->options->image.fast_decode ? " fast" : "");
    mm_sha256_update(&hash, text, (size_t)n);
    if (labels) {
        char labels_hash[65];
        double t = mmood_score_temperature(&r->evaluation->scores[r->patch_score]);
        mm_detector_hash_labels(labels_hash, r->detector);
        n = snprintf(text, sizeof text, " best patch, labels %s temperature %.17g", labels_hash, t);
        mm_sha256_update(&hash, text, (size_t)n);
    }
    mm_sha256_finish(out, &hash);
}

/* The scorer's lookup: an embedding, and the best patch if it is wanted. */
static int find(void *context, const uint8_t hash[32], float *embedding) {
    runner *r = context;
    pthread_mutex_lock(&r->lock);
    const void *record = mm_cache_find(r->embeddings, hash, r->known);
    int found = record && (!r->patches || mm_cache_find(r->patches, hash, r->known_patches));
    if (found)
        memcpy(embedding, record, r->detector->dimension * sizeof *embedding);
    pthread_mutex_unlock(&r->lock);
    return found;
}

/* Keeps a record while other threads look for theirs. */
static mmood_status keep(runner *r, mm_cache *cache, const uint8_t hash[32], const void *record,
                         mmood_error *error) {
    pthread_mutex_lock(&r->lock);
    mmood_status status = mm_cache_add(cache, hash, record, error);
    pthread_mutex_unlock(&r->lock);
    return status;
}

static mmood_status open_caches(runner *r, mmood_session *session, mmood_error *error) {
    char key[65];
    if (!r->options->cache)
        return MMOOD_OK;
    make_key(key, r, session, 0);
    mmood_status status = mm_cache_open(&r->embeddings, r->options->cache, "embeddings", key,
                                        r->detector->dimension * sizeof(float), error);
    if (status == MMOOD_OK && r->patch_score != SIZE_MAX) {
        make_key(key, r, session, 1);
        status =
            mm_cache_open(&r->patches, r->options->cache, "patches", key, sizeof(double), error);
    }
    return status;
}

static mmood_status set_up(runner *r, mmood_session *session, mmood_error *error) {
    mm_evaluation *e = r->evaluation;
    r->patch_score = SIZE_MAX;
    r->detector = mm_detector_copy(e->detector);
    r->settings = calloc(e->score_count + 1, sizeof *r->settings);
    r->verdicts = calloc(r->options->window, sizeof *r->verdicts);
    r->scores = calloc(r->options->window * e->score_count + 1, sizeof *r->scores);
    if (!r->detector || !r->settings || !r->verdicts || !r->scores)
        return mm_error_set(error, MMOOD_ERROR_MEMORY, "no memory for an evaluation");
    r->detector->score.kind = MMOOD_SCORE_MAX_LOGIT;
    for (size_t i = 0; i < e->score_count; i++) {
        r->settings[i] = e->scores[i];
        if (mmood_score_needs_patches(e->scores[i].kind)) {
            r->patch_score = i;
            r->settings[i].kind = MMOOD_SCORE_MCM;
            r->settings[i].temperature = mmood_score_temperature(&e->scores[i]);
        }
    }
    const mmood_scorer_options scoring = {
        .scores = r->settings, .score_count = e->score_count, .threads = r->options->threads};
    mmood_status status = mmood_scorer_create(&r->scorer, r->detector, &scoring, error);
    if (status == MMOOD_OK)
        status = open_caches(r, session, error);
    const mm_pipeline_options options = {.image = r->options->image,
                                         .window = r->options->window,
                                         .threads = r->options->threads,
                                         .hashes = 1,
                                         .patches = r->patch_score != SIZE_MAX,
                                         .find = r->embeddings ? find : NULL,
                                         .context = r};
    if (status == MMOOD_OK)
        status = mm_pipeline_create(&r->pipeline, session, &options, error);
    return status;
}

static void tear_down(runner *r) {
    mm_pipeline_free(&r->pipeline);
    mmood_scorer_free(r->scorer);
    mm_cache_close(r->embeddings);
    mm_cache_close(r->patches);
    pthread_mutex_destroy(&r->lock);
    mmood_detector_free(r->detector);
    free(r->settings);
    free(r->verdicts);
    free(r->scores);
}

/* ---- Pictures ------------------------------------------------------------------------------ */

/* What the patches of picture `i` of the window say, whose rows are number `row`: out of the cache,
 * or computed. */
static mmood_status find_best_patch(double *out, runner *r, size_t i, size_t row,
                                    mmood_error *error) {
    mm_pipeline *p = &r->pipeline;
    if (p->found[i]) {
        memcpy(out, mm_cache_find(r->patches, p->hashes[i], SIZE_MAX), sizeof *out);
        return MMOOD_OK;
    }
    mmood_status status = mm_scorer_best_patch(
        out, r->scorer, p->patches + row * p->patch_count * p->dimension, p->patch_count,
        mmood_score_temperature(&r->evaluation->scores[r->patch_score]), error);
    if (status == MMOOD_OK && r->patches)
        status = keep(r, r->patches, p->hashes[i], out, error);
    return status;
}

/* Scores the readable pictures of the window, all in one call, and keeps what was computed. */
static mmood_status score_window(runner *r, mm_eval_item *items, mmood_error *error) {
    const mm_evaluation *e = r->evaluation;
    const mm_pipeline *p = &r->pipeline;
    size_t row = 0;
    const mmood_results out = {.verdicts = r->verdicts, .scores = r->scores};
    mmood_status status = mmood_scorer_run(&out, r->scorer, p->embeddings, NULL, 0, p->good, error);
    for (size_t i = 0; i < p->count && status == MMOOD_OK; i++) {
        mm_eval_item *item = &items[i];
        if (item->error)
            continue;
        const mmood_verdict *verdict = &r->verdicts[row];
        item->scores = malloc((e->score_count + 1) * sizeof *item->scores);
        if (!item->scores)
            return mm_error_set(error, MMOOD_ERROR_MEMORY, "no memory for the scores of a picture");
        memcpy(item->scores, r->scores + row * e->score_count,
               e->score_count * sizeof *item->scores);
        item->label = verdict->label;
        item->outlier = verdict->outlier;
        item->label_cosine = verdict->label_cosine;
        item->outlier_cosine = verdict->outlier_cosine;
        if (r->patch_score != SIZE_MAX) {
            double best = 0;
            status = find_best_patch(&best, r, i, row, error);
            double *score = &item->scores[r->patch_score];
            *score = mm_score_gl_mcm(*score, best, e->scores[r->patch_score].lambda);
        }
        if (status == MMOOD_OK && r->embeddings && !p->found[i])
            status =
                keep(r, r->embeddings, p->hashes[i], p->embeddings + row * p->dimension, error);
        row++;
    }
    return status;
}

static mmood_status run_window(runner *r, mm_eval_set *set, mmood_error *error) {
    const mm_pipeline *p = &r->pipeline;
    mm_eval_item *items = set->items + p->first;
    mmood_status status = MMOOD_OK;
    for (size_t i = 0; i < p->count && status == MMOOD_OK; i++) {
        if (p->status[i] == MMOOD_OK) {
            memcpy(items[i].hash, p->hashes[i], sizeof items[i].hash);
            r->cached += (size_t)p->found[i];
            continue;
        }
        items[i].error = strdup(p->errors[i].message);
        set->bad++;
        if (!items[i].error)
            status = mm_error_set(error, MMOOD_ERROR_MEMORY, "no memory for an error");
    }
    if (status == MMOOD_OK)
        status = score_window(r, items, error);
    if (status == MMOOD_OK && r->embeddings)
        status = mm_cache_flush(r->embeddings, error);
    if (status == MMOOD_OK && r->patches)
        status = mm_cache_flush(r->patches, error);
    r->done += p->count;
    if (r->options->progress)
        r->options->progress(r->options->context, r->done, r->total, r->cached);
    return status;
}

static mmood_status run_set(runner *r, mm_eval_set *set, mmood_error *error) {
    mm_pipeline *p = &r->pipeline;
    char **paths = malloc((set->count + 1) * sizeof *paths);
    if (!paths)
        return mm_error_set(error, MMOOD_ERROR_MEMORY, "no memory for a list of %zu pictures",
                            set->count);
    for (size_t i = 0; i < set->count; i++)
        paths[i] = set->items[i].path;
    r->known = r->embeddings ? mm_cache_count(r->embeddings) : 0;
    r->known_patches = r->patches ? mm_cache_count(r->patches) : 0;
    mm_pipeline_start(p, paths, set->count);
    mmood_status status = mm_pipeline_next(p, error);
    while (status == MMOOD_OK && p->count > 0) {
        status = run_window(r, set, error);
        if (status == MMOOD_OK)
            status = mm_pipeline_next(p, error);
    }
    mm_pipeline_stop(p);
    free(paths);
    if (status == MMOOD_OK && set->bad == set->count)
        status =
            mm_error_set(error, MMOOD_ERROR_FORMAT,
                         "none of the %zu pictures of \"%s\" (%s) can be read; the first, %s: %s",
                         set->count, set->name, set->path, set->items[0].path, set->items[0].error);
    return status;
}

mmood_status mm_eval_run(mm_evaluation *evaluation, mmood_session *session,
                         const mm_eval_options *options, mmood_error *error) {
    runner r = {.evaluation = evaluation, .options = options};
    pthread_mutex_init(&r.lock, NULL);
    mmood_status status = set_up(&r, session, error);
    for (size_t s = 0; s < evaluation->set_count; s++)
        r.total += evaluation->sets[s].count;
    for (size_t s = 0; s < evaluation->set_count && status == MMOOD_OK; s++) {
        status = mm_dataset_find_labels(&evaluation->sets[s], evaluation->detector, error);
        if (status == MMOOD_OK)
            status = run_set(&r, &evaluation->sets[s], error);
    }
    tear_down(&r);
    if (status == MMOOD_OK)
        status = mm_eval_measure(evaluation, options, error);
    if (status == MMOOD_OK)
        status = mm_eval_find_leaks(evaluation, error);
    return status == MMOOD_OK ? mm_eval_check_threshold(evaluation, error) : status;
}
