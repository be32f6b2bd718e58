/* batch.c - the thread that gathers pictures of all requests and runs the model and the scorers on
 * them. A picture's row does not depend on its batch. */
#include "base/clock.h"
#include "base/error.h"
#include "serve/crew_internal.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { STATE_OPEN, STATE_PATCHED, STATE_ENDED }; /* of an item in the batch */

mmood_status mm_batch_reserve(mm_crew *e, mmood_error *error) {
    size_t n = e->options.batch;
    e->items = calloc(n, sizeof(mm_item *));
    e->crops = calloc(n, sizeof(uint8_t *));
    e->embeddings = malloc(n * e->dimension * sizeof *e->embeddings);
    e->rows = malloc(n * e->dimension * sizeof *e->rows);
    e->state = calloc(n, sizeof *e->state);
    e->places = calloc(n, sizeof *e->places);
    e->verdicts = calloc(n, sizeof *e->verdicts);
    e->scores = calloc(n * MM_MOST_SCORES, sizeof *e->scores);
    e->chosen = calloc(MM_MOST_SCORES, sizeof *e->chosen);
    if (e->items && e->crops && e->embeddings && e->rows && e->state && e->places && e->verdicts &&
        e->scores && e->chosen)
        return MMOOD_OK;
    return mm_error_set(error, MMOOD_ERROR_MEMORY, "no memory for batches of %zu pictures", n);
}

void mm_batch_release(mm_crew *e) {
    free(e->items);
    free(e->crops);
    free(e->embeddings);
    free(e->patches);
    free(e->patch_rows);
    free(e->rows);
    free(e->state);
    free(e->places);
    free(e->verdicts);
    free(e->scores);
    free(e->chosen);
    free(e->top);
}

/* Until when the batch may fill: `wait` from its first picture, or, if none is on its way, a lull
 * after its last. A lull ends it early because clients that were answered together come together:
 * after the last of them, waiting gains nothing. */
static double fills_until(mm_crew *e) {
    const mm_queue *queue = &e->batch;
    double until = queue->first->queued + e->options.wait;
    double lull = queue->last->queued + e->options.wait / 8;
    return lull < until && atomic_load(&e->coming) == 0 ? lull : until;
}

/* Waits for pictures, and then for a batch to fill; how many were taken, 0 at the end. */
static size_t gather(mm_crew *e) {
    mm_queue *queue = &e->batch;
    size_t count = 0;
    pthread_mutex_lock(&queue->lock);
    while (!queue->first && !queue->stopping)
        pthread_cond_wait(&queue->filled, &queue->lock);
    while (queue->first && queue->count < e->options.batch && !queue->stopping) {
        double until = fills_until(e);
        struct timespec moment = mm_until(until);
        if (mm_now() >= until)
            break;
        pthread_cond_timedwait(&queue->filled, &queue->lock, &moment);
    }
    while (queue->first && count < e->options.batch)
        e->items[count++] = mm_queue_take(queue);
    pthread_mutex_unlock(&queue->lock);
    return count;
}

static void fail(mm_crew *e, size_t i, mmood_status status, const char *message) {
    mm_item_fail(e, e->items[i], status, message);
    e->state[i] = STATE_ENDED;
}

/* ---- Embeddings ---------------------------------------------------------------------------- */

static int patches_reserve(mm_crew *e) {
    size_t size = e->options.batch * e->patch_count * e->dimension * sizeof *e->patches;
    if (!e->patches)
        e->patches = malloc(size);
    if (!e->patch_rows)
        e->patch_rows = malloc(size);
    return e->patches && e->patch_rows;
}

/* Embeds those crops of the batch that need patches, or those that do not. */
static void embed(mm_crew *e, size_t count, int patches) {
    size_t n = 0, step = e->patch_count * e->dimension;
    mmood_error error;
    mmood_status status = MMOOD_OK;
    for (size_t i = 0; i < count; i++)
        if (e->state[i] == STATE_OPEN && e->items[i]->crop &&
            e->items[i]->job->needs_patches == patches) {
            e->crops[n] = e->items[i]->crop;
            e->places[n++] = i;
        }
    if (n == 0)
        return;
    double begun = mm_now();
    if (patches && !patches_reserve(e))
        status = mm_error_set(&error, MMOOD_ERROR_MEMORY, "no memory for features of patches");
    else if (patches)
        status =
            mmood_session_embed_patches(e->rows, e->patch_rows, e->session, e->crops, n, &error);
    else
        status = mmood_session_embed_images(e->rows, e->session, e->crops, n, &error);
    mm_metrics_stage(e->metrics, MM_STAGE_MODEL, mm_now() - begun);
    mm_metrics_batch(e->metrics, n);
    for (size_t k = 0; k < n; k++) {
        size_t i = e->places[k];
        if (status != MMOOD_OK) {
            fail(e, i, status, error.message);
            continue;
        }
        memcpy(e->embeddings + i * e->dimension, e->rows + k * e->dimension,
               e->dimension * sizeof *e->rows);
        if (patches) {
            memcpy(e->patches + i * step, e->patch_rows + k * step, step * sizeof *e->patches);
            e->state[i] = STATE_PATCHED;
        }
    }
}

/* ---- Scores -------------------------------------------------------------------------------- */

static mm_score_class class_of(const mm_crew *e, size_t i) {
    const mm_job *job = e->items[i]->job;
    if (job->scores.count == 0)
        return MM_CLASS_PLAIN;
    return job->scores.needs_patches && e->state[i] == STATE_PATCHED ? MM_CLASS_FULL
                                                                     : MM_CLASS_FLAT;
}

static void finish(mm_crew *e, size_t i, const struct mm_class_scorer *c, size_t row, size_t step) {
    mm_item *item = e->items[i];
    mm_job *job = item->job;
    size_t all = c->scores.count;
    for (size_t k = 0; k < job->scores.count; k++) {
        e->chosen[k] = NAN; /* stays so for gl-mcm of a ready embedding, which has no patches */
        for (size_t s = 0; s < all; s++)
            if (c->scores.settings[s].kind == job->scores.settings[k].kind)
                e->chosen[k] = e->scores[row * all + s];
    }
    const mm_row result = {
        .verdict = e->verdicts[row], .scores = e->chosen, .top = e->top + row * step};
    const mm_row_style style = {.detector = job->served->detector,
                                .scores = job->scores.settings,
                                .score_count = job->scores.count,
                                .top = job->body.top < step ? job->body.top : step,
                                .fdr = NAN};
    e->state[i] = STATE_ENDED;
    mm_item_finish(e, item, &result, &style);
}

/* Scores `n` items of one detector and class, whose places are in `places`. */
static mmood_status score_places(mm_crew *e, size_t n, struct mm_class_scorer *c, int patched,
                                 mmood_error *error) {
    size_t step = e->patch_count * e->dimension, top = mmood_scorer_top(c->scorer);
    if (top > e->top_room) {
        mmood_match *grown = realloc(e->top, e->options.batch * top * sizeof *grown);
        if (!grown)
            return mm_error_set(error, MMOOD_ERROR_MEMORY, "no memory for %zu labels", top);
        e->top = grown;
        e->top_room = top;
    }
    for (size_t k = 0; k < n; k++) {
        memcpy(e->rows + k * e->dimension, e->embeddings + e->places[k] * e->dimension,
               e->dimension * sizeof *e->rows);
        if (patched)
            memcpy(e->patch_rows + k * step, e->patches + e->places[k] * step,
                   step * sizeof *e->patches);
    }
    const mmood_results out = {e->verdicts, e->scores, e->top};
    return mmood_scorer_run(&out, c->scorer, e->rows, patched ? e->patch_rows : NULL,
                            patched ? e->patch_count : 0, n, error);
}

/* Scores the items that belong with item `first`: of its detector and with its scores. */
static void score_group(mm_crew *e, size_t count, size_t first) {
    mm_served *served = e->items[first]->job->served;
    mm_score_class score_class = class_of(e, first);
    int patched = e->state[first] == STATE_PATCHED;
    size_t n = 0, top = 0;
    struct mm_class_scorer *c;
    mmood_error error;
    for (size_t i = first; i < count; i++)
        if (e->state[i] == e->state[first] && e->items[i]->job->served == served &&
            class_of(e, i) == score_class) {
            e->places[n++] = i;
            top = e->items[i]->job->body.top > top ? e->items[i]->job->body.top : top;
        }
    double begun = mm_now();
    mmood_status status =
        mm_served_scorer(&c, served, score_class, top, e->options.threads, &error);
    if (status == MMOOD_OK && !patched && mmood_score_needs_patches(served->info.score.kind))
        status = mm_error_set(&error, MMOOD_ERROR_ARGUMENT,
                              "the detector's score %s needs the picture, an embedding is not "
                              "enough",
                              mmood_score_name(served->info.score.kind));
    if (status == MMOOD_OK)
        status = score_places(e, n, c, patched, &error);
    mm_metrics_stage(e->metrics, MM_STAGE_SCORE, mm_now() - begun);
    /* Ending the last item of a job may free its detector: what is needed of it is taken before. */
    size_t step = status == MMOOD_OK ? mmood_scorer_top(c->scorer) : 0;
    mm_served_keep(served);
    for (size_t k = 0; k < n; k++) {
        if (status == MMOOD_OK)
            finish(e, e->places[k], c, k, step);
        else
            fail(e, e->places[k], status, error.message);
    }
    mm_served_release(served);
}

static void run(mm_crew *e, size_t count) {
    for (size_t i = 0; i < count; i++) {
        mm_item *item = e->items[i];
        e->state[i] = STATE_OPEN;
        mm_metrics_stage(e->metrics, MM_STAGE_QUEUE, mm_now() - item->queued);
        const float *ready = item->job->body.inputs[item->index].embedding;
        if (mm_item_dropped(e, item))
            e->state[i] = STATE_ENDED;
        else if (ready)
            memcpy(e->embeddings + i * e->dimension, ready, e->dimension * sizeof *ready);
    }
    embed(e, count, 0);
    embed(e, count, 1);
    for (size_t i = 0; i < count; i++)
        if (e->state[i] != STATE_ENDED)
            score_group(e, count, i);
}

void *mm_batch_main(void *argument) {
    mm_crew *crew = argument;
    for (size_t count; (count = gather(crew)) > 0;)
        run(crew, count);
    return NULL;
}
