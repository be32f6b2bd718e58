/* scorer.c - verdicts on many pictures: blocks of pictures against all labels, a block a worker. A
 * block's cosines are the only matrix there is. */
#include "detect/scorer.h"

#include "base/cpus.h"
#include "base/error.h"
#include "base/pool.h"
#include "detect/adaptive.h"
#include "detect/detector.h"
#include "detect/scores.h"
#include "detect/similarity.h"

#include <math.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

/* Pictures of a block: so many that a panel of labels, once in the cache, serves many pictures, but
 * cosines of at most this size. */
enum { MOST_PICTURES = 96, BLOCK_BYTES = 8 << 20 };

struct mmood_scorer {
    const mmood_detector *detector;
    const mm_similarity *loops;
    mm_pool *pool;
    float *packed; /* [panels, dimension, MM_PANEL] */
    size_t panels;
    size_t id_panels; /* the first ones, which hold all ID labels */
    size_t block;     /* pictures */
    size_t top;
    mmood_score_settings *settings; /* the detector's own, then the further ones */
    size_t count;                   /* of settings */
    int needs_patches;
    mm_adaptive *adaptive; /* NULL: plain */
    int workers;
    struct scorer_worker {
        double *pictures; /* [block, dimension] */
        double *cosines;  /* [block, panels * MM_PANEL] */
        double *scores;   /* [count] */
        double *patches;  /* grown when needed */
        size_t patch_room;
        mm_score_scratch scratch;
        mm_score_scratch changed; /* of proxies */
    } * worker;
};

mmood_scorer_options mmood_scorer_options_default(void) {
    mmood_scorer_options options = {0};
    return options;
}

size_t mmood_scorer_top(const mmood_scorer *scorer) {
    return scorer->top;
}

/* ---- Memory -------------------------------------------------------------------------------- */

void mmood_scorer_free(mmood_scorer *scorer) {
    if (!scorer)
        return;
    mm_pool_free(scorer->pool);
    for (int i = 0; scorer->worker && i < scorer->workers; i++) {
        struct scorer_worker *worker = &scorer->worker[i];
        free(worker->pictures);
        free(worker->cosines);
        free(worker->scores);
        free(worker->patches);
        mm_score_scratch_free(&worker->scratch);
        mm_score_scratch_free(&worker->changed);
    }
    mm_adaptive_free(scorer->adaptive);
    free(scorer->worker);
    free(scorer->packed);
    free(scorer->settings);
    free(scorer);
}

static mmood_status check_settings(const mmood_scorer *scorer, int adaptive, mmood_error *error) {
    int grouped = 0;
    size_t outliers = scorer->detector->count - scorer->detector->id_count;
    for (size_t i = 0; i < scorer->count; i++) {
        mmood_status status = mm_score_check(&scorer->settings[i], error);
        if (status != MMOOD_OK)
            return status;
        if (outliers == 0 && mmood_score_needs_outliers(scorer->settings[i].kind))
            return mm_error_set(error, MMOOD_ERROR_ARGUMENT,
                                "%s compares with outlier labels, and the detector has none: build "
                                "it with some, or choose another score",
                                mmood_score_name(scorer->settings[i].kind));
        grouped = grouped || mm_score_is_grouped(scorer->settings[i].kind);
    }
    if (adaptive && !grouped)
        return mm_error_set(error, MMOOD_ERROR_ARGUMENT,
                            "an adaptive memory changes neglabel and csp only; none of the scores "
                            "asked for is one of them");
    return MMOOD_OK;
}

static mmood_status reserve(mmood_scorer *scorer, int threads, mmood_error *error) {
    const mmood_detector *detector = scorer->detector;
    size_t row = scorer->panels * MM_PANEL;
    scorer->block = BLOCK_BYTES / (row * sizeof(double));
    scorer->block = scorer->block < 1 ? 1 : scorer->block;
    scorer->block = scorer->block > MOST_PICTURES ? MOST_PICTURES : scorer->block;
    scorer->workers = threads;
    scorer->worker = calloc((size_t)threads, sizeof *scorer->worker);
    if (row * detector->dimension <= SIZE_MAX / sizeof(float))
        scorer->packed = malloc(row * detector->dimension * sizeof *scorer->packed);
    int ok = scorer->worker && scorer->packed;
    for (int i = 0; i < threads && ok; i++) {
        struct scorer_worker *worker = &scorer->worker[i];
        worker->pictures = malloc(scorer->block * detector->dimension * sizeof(double));
        worker->cosines = malloc(scorer->block * row * sizeof(double));
        worker->scores = malloc(scorer->count * sizeof(double));
        ok = worker->pictures && worker->cosines && worker->scores;
    }
    return ok ? MMOOD_OK
              : mm_error_set(error, MMOOD_ERROR_MEMORY, "no memory to score with %zu labels",
                             detector->count);
}

mmood_status mmood_scorer_create(mmood_scorer **out, const mmood_detector *detector,
                                 const mmood_scorer_options *options, mmood_error *error) {
    mmood_scorer_options chosen = options ? *options : mmood_scorer_options_default();
    *out = NULL;
    if (chosen.threads < 0 || chosen.threads > 1024)
        return mm_error_set(error, MMOOD_ERROR_ARGUMENT,
                            "%d threads; 1 to 1024 are possible, 0 means all CPUs", chosen.threads);
    int threads = chosen.adaptive ? 1 : chosen.threads ? chosen.threads : mm_cpu_count();
    mmood_scorer *scorer = calloc(1, sizeof *scorer);
    if (scorer)
        scorer->settings = calloc(1 + chosen.score_count, sizeof *scorer->settings);
    if (!scorer || !scorer->settings) {
        mmood_scorer_free(scorer);
        return mm_error_set(error, MMOOD_ERROR_MEMORY, "no memory for a scorer");
    }
    scorer->detector = detector;
    scorer->loops = mm_similarity_get();
    scorer->panels = mm_panel_count(detector->count);
    scorer->id_panels = mm_panel_count(detector->id_count);
    scorer->top = chosen.top < detector->count ? chosen.top : detector->count;
    scorer->count = 1 + chosen.score_count;
    scorer->settings[0] = detector->score;
    for (size_t i = 0; i < chosen.score_count; i++)
        scorer->settings[1 + i] = chosen.scores[i];
    for (size_t i = 0; i < scorer->count; i++)
        scorer->needs_patches |= mmood_score_needs_patches(scorer->settings[i].kind);
    mmood_status status = check_settings(scorer, chosen.adaptive, error);
    if (status == MMOOD_OK)
        status = reserve(scorer, threads, error);
    if (status == MMOOD_OK)
        status = mm_pool_create(&scorer->pool, threads, error);
    if (status == MMOOD_OK && chosen.adaptive)
        status = mm_adaptive_create(&scorer->adaptive, detector, error);
    if (status != MMOOD_OK) {
        mmood_scorer_free(scorer);
        return status;
    }
    mm_panel_pack(scorer->packed, detector->embeddings, detector->count, detector->dimension);
    *out = scorer;
    return MMOOD_OK;
}

/* ---- Work ---------------------------------------------------------------------------------- */

typedef struct scoring {
    mmood_scorer *scorer;
    const mmood_results *out;
    const float *embeddings;
    const float *patches;
    size_t patch_count;
    size_t count;
    size_t block;
    atomic_size_t next; /* block */
    atomic_int failed;
    struct failure {
        mmood_status status;
        mmood_error error;
    } * failures; /* [workers] */
} scoring;

/* Cosines [patch_count, id_count] of a picture's `patches`, in the worker's memory. */
static mmood_status patch_cosines(const double **out, struct scorer_worker *worker,
                                  const mmood_scorer *scorer, const float *patches,
                                  size_t patch_count, mmood_error *error) {
    size_t dimension = scorer->detector->dimension, ids = scorer->detector->id_count;
    size_t row = scorer->id_panels * MM_PANEL, size = patch_count * (dimension + row);
    if (size > worker->patch_room) {
        double *more = realloc(worker->patches, size * sizeof *more);
        if (!more)
            return mm_error_set(error, MMOOD_ERROR_MEMORY, "no memory for a picture's patches");
        worker->patches = more;
        worker->patch_room = size;
    }
    double *wide = worker->patches, *cosines = wide + patch_count * dimension;
    scorer->loops->pack(wide, patches, patch_count, dimension);
    scorer->loops->dot(cosines, row, wide, patch_count, dimension, scorer->packed,
                       scorer->id_panels);
    for (size_t p = 1; p < patch_count; p++) /* rows close up */
        memmove(cosines + p * ids, cosines + p * row, ids * sizeof *cosines);
    *out = cosines;
    return MMOOD_OK;
}

mmood_status mm_scorer_best_patch(double *out, mmood_scorer *scorer, const float *patches,
                                  size_t patch_count, double t, mmood_error *error) {
    const double *cosines;
    mmood_status status =
        patch_cosines(&cosines, &scorer->worker[0], scorer, patches, patch_count, error);
    if (status != MMOOD_OK)
        return status;
    size_t ids = scorer->detector->id_count;
    for (size_t i = 0; i < patch_count * ids; i++)
        if (!isfinite(cosines[i]))
            return mm_error_set(error, MMOOD_ERROR_NUMERIC,
                                "patch %zu has a cosine of %g; finite ones are needed", i / ids,
                                cosines[i]);
    *out = mm_score_best_patch(cosines, patch_count, ids, t);
    return MMOOD_OK;
}

/* Adds what the adaptive memory says to the grouped scores, and shows it the picture. */
static mmood_status adapt(struct scorer_worker *worker, mmood_scorer *scorer, double *cosines,
                          const float *embedding, mmood_error *error) {
    const mmood_detector *detector = scorer->detector;
    mmood_similarities changed = {.cosines = cosines,
                                  .id_count = detector->id_count,
                                  .outlier_count = detector->count - detector->id_count};
    double plain = NAN;
    size_t label = mm_argmax(cosines, detector->id_count);
    size_t outlier =
        detector->id_count + mm_argmax(cosines + detector->id_count, changed.outlier_count);
    mm_adaptive_apply(scorer->adaptive, cosines, embedding);
    for (size_t i = 0; i < scorer->count; i++) {
        double score;
        if (!mm_score_is_grouped(scorer->settings[i].kind))
            continue;
        mmood_status status =
            mm_score_grouped(&score, &worker->changed, &changed, &scorer->settings[i], error);
        if (status != MMOOD_OK)
            return status;
        plain = worker->scores[i];
        worker->scores[i] = score + 0.1 * plain;
    }
    mm_adaptive_learn(scorer->adaptive, embedding, plain, label, outlier);
    return MMOOD_OK;
}

/* One picture, from its cosines with all labels. */
static mmood_status judge(struct scorer_worker *worker, const scoring *job, size_t picture,
                          double *cosines, mmood_error *error) {
    mmood_scorer *scorer = job->scorer;
    const mmood_detector *detector = scorer->detector;
    mmood_similarities similarities = {.cosines = cosines,
                                       .id_count = detector->id_count,
                                       .outlier_count = detector->count - detector->id_count};
    mmood_status status = MMOOD_OK;
    if (scorer->needs_patches) {
        size_t size = job->patch_count * detector->dimension;
        similarities.patch_count = job->patch_count;
        status = patch_cosines(&similarities.patches, worker, scorer, job->patches + picture * size,
                               job->patch_count, error);
    }
    if (status == MMOOD_OK)
        status = mm_scores_run(worker->scores, &worker->scratch, &similarities, scorer->settings,
                               scorer->count, error);
    if (status != MMOOD_OK)
        return mm_error_prefix(error, status, "picture %zu", picture);
    mmood_verdict verdict;
    mm_detector_decide(&verdict, detector, cosines, worker->scores[0], scorer->adaptive == NULL);
    if (job->out->top)
        mm_detector_best(job->out->top + picture * scorer->top, scorer->top, detector, cosines);
    if (scorer->adaptive)
        status =
            adapt(worker, scorer, cosines, job->embeddings + picture * detector->dimension, error);
    verdict.score = worker->scores[0];
    if (job->out->verdicts)
        job->out->verdicts[picture] = verdict;
    if (job->out->scores && scorer->count > 1)
        memcpy(job->out->scores + picture * (scorer->count - 1), worker->scores + 1,
               (scorer->count - 1) * sizeof *worker->scores);
    return status;
}

static void work(void *context, int index) {
    scoring *job = context;
    mmood_scorer *scorer = job->scorer;
    struct scorer_worker *worker = &scorer->worker[index];
    struct failure *failure = &job->failures[index];
    size_t dimension = scorer->detector->dimension, row = scorer->panels * MM_PANEL, first;
    while (!job->failed && (first = atomic_fetch_add(&job->next, 1) * job->block) < job->count) {
        size_t n = job->count - first < job->block ? job->count - first : job->block;
        scorer->loops->pack(worker->pictures, job->embeddings + first * dimension, n, dimension);
        scorer->loops->dot(worker->cosines, row, worker->pictures, n, dimension, scorer->packed,
                           scorer->panels);
        for (size_t i = 0; i < n && failure->status == MMOOD_OK; i++)
            failure->status =
                judge(worker, job, first + i, worker->cosines + i * row, &failure->error);
        if (failure->status != MMOOD_OK)
            job->failed = 1;
    }
}

mmood_status mmood_scorer_run(const mmood_results *out, mmood_scorer *scorer,
                              const float *embeddings, const float *patches, size_t patch_count,
                              size_t count, mmood_error *error) {
    scoring job = {.scorer = scorer,
                   .out = out,
                   .embeddings = embeddings,
                   .patches = patches,
                   .patch_count = patch_count,
                   .count = count};
    if (scorer->needs_patches && (!patches || patch_count == 0))
        return mm_error_set(error, MMOOD_ERROR_ARGUMENT,
                            "gl-mcm needs patch features: embed with mmood_session_embed_patches");
    job.failures = calloc((size_t)scorer->workers, sizeof *job.failures);
    if (!job.failures)
        return mm_error_set(error, MMOOD_ERROR_MEMORY, "no memory to score %zu pictures", count);
    size_t share = (count + (size_t)scorer->workers - 1) / (size_t)scorer->workers;
    job.block = share < scorer->block ? share : scorer->block;
    if (count > 0)
        mm_pool_run(scorer->pool, scorer->workers, work, &job);
    mmood_status status = MMOOD_OK;
    for (int i = 0; i < scorer->workers && status == MMOOD_OK; i++) {
        status = job.failures[i].status;
        if (status != MMOOD_OK && error)
            *error = job.failures[i].error;
    }
    free(job.failures);
    return status;
}
