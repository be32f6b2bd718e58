/* measure.c - timing a detector's work on pictures: the whole of it, and its parts. */
#include "cli/measure.h"

#include "base/clock.h"
#include "base/error.h"
#include "detect/mine.h"
#include "eval/pipeline.h"

#include <math.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

enum {
    MOST_PICTURES = 4096, /* so that looking at each before anything is timed takes seconds */
    LEAST_WINDOWS = 1024, /* that the pipeline is given at once: what ending and beginning cost is
                             then in one window of 1024 */
    LABELS_SHOWN = 3      /* as many as mmood score shows */
};

mmood_status measure_create(measure *out, const opened_detector *opened,
                            const measure_options *options, mmood_error *error) {
    size_t batch = options->batch, threads = (size_t)options->threads;
    const mmood_scorer_options scoring = {.top = LABELS_SHOWN, .threads = options->threads};
    *out = (measure){.opened = opened, .options = *options};
    mmood_model_describe(opened->model, &out->model);
    mmood_status status = mmood_scorer_create(&out->scorer, opened->detector, &scoring, error);
    if (status == MMOOD_OK)
        status = mm_pool_create(&out->pool, options->threads, error);
    if (status != MMOOD_OK)
        return status;
    const mmood_preprocess *p = &out->model.preprocess;
    size_t dimension = (size_t)out->model.dimension;
    out->crop_size = (size_t)p->crop_width * (size_t)p->crop_height * 3;
    out->verdicts = calloc(batch, sizeof *out->verdicts);
    out->top = calloc(batch * mmood_scorer_top(out->scorer), sizeof *out->top);
    out->crops = malloc((batch > threads ? batch : threads) * out->crop_size);
    out->rows = malloc(batch * dimension * sizeof *out->rows);
    int needs_patches = mmood_score_needs_patches(opened->info.score.kind);
    if (needs_patches)
        out->patches =
            malloc(batch * (size_t)out->model.patches * dimension * sizeof *out->patches);
    if (!out->verdicts || !out->top || !out->crops || !out->rows ||
        (needs_patches && !out->patches))
        return mm_error_set(error, MMOOD_ERROR_MEMORY, "no memory for batches of %zu pictures",
                            batch);
    return MMOOD_OK;
}

void measure_free(measure *m) {
    mm_pool_free(m->pool);
    mmood_scorer_free(m->scorer);
    free(m->paths);
    free(m->verdicts);
    free(m->top);
    free(m->crops);
    free(m->rows);
    free(m->patches);
    *m = (measure){0};
}

/* ---- Decoding on all threads --------------------------------------------------------------- */

typedef struct decoder {
    double rate; /* pictures a second of this thread */
    mmood_status status;
    mmood_error error; /* begins with the path */
} decoder;

/* Pictures from the first on, and again from the first after the last. */
typedef struct decoding {
    const measure *m;
    char *const *paths;
    size_t count;
    size_t end;   /* how many pictures to take, */
    size_t least; /*   or after so many */
    double until; /*   when to take no more: whichever is first */
    double begin;
    int keep;            /* 1: picture i's crop goes to place i */
    char **failures;     /* [count], NULL at first: gets the messages of those that fail. NULL: a
                            thread ends at its first failure */
    decoder *decoders;   /* one a thread */
    atomic_size_t taken; /* next picture */
} decoding;

static mmood_status load(const measure *m, uint8_t *crop, const char *path, mmood_error *error) {
    mmood_image *image;
    mmood_status status =
        mmood_image_load_for(&image, path, &m->model.preprocess, &m->opened->image, error);
    if (status == MMOOD_OK)
        status = mmood_image_preprocess(crop, m->crop_size, image, &m->model.preprocess, error);
    mmood_image_free(image);
    return status == MMOOD_OK ? status : mm_error_prefix(error, status, "%s", path);
}

static void decode(void *context, int worker) {
    decoding *d = context;
    decoder *self = &d->decoders[worker];
    size_t done = 0;
    do {
        size_t i = atomic_fetch_add(&d->taken, 1);
        if (i >= d->end)
            break;
        uint8_t *crop = d->m->crops + (d->keep ? i : (size_t)worker) * d->m->crop_size;
        mmood_status status = load(d->m, crop, d->paths[i % d->count], &self->error);
        if (status != MMOOD_OK && d->failures)
            d->failures[i] = strdup(self->error.message);
        else
            self->status = status;
        done++;
    } while (self->status == MMOOD_OK &&
             (atomic_load(&d->taken) < d->least || mm_now() < d->until));
    self->rate = (double)done / (mm_now() - d->begin);
}

/* The threads' rates are added up: each ends with the picture that it has in hand, and does not
 * count the time in which it waits for the others to end. They count that from the beginning, or
 * threads that take turns on one core would each have it for themselves. */
static mmood_status run_decoding(double *rate, decoding *d, mmood_error *error) {
    int threads = d->m->options.threads;
    mmood_status status = MMOOD_OK;
    d->decoders = calloc((size_t)threads, sizeof *d->decoders);
    if (!d->decoders)
        return mm_error_set(error, MMOOD_ERROR_MEMORY, "no memory for %d threads", threads);
    atomic_init(&d->taken, 0);
    d->begin = mm_now();
    mm_pool_run(d->m->pool, threads, decode, d);
    *rate = 0;
    for (int i = 0; i < threads && status == MMOOD_OK; i++) {
        *rate += d->decoders[i].rate;
        status = d->decoders[i].status;
        if (status != MMOOD_OK)
            *error = d->decoders[i].error;
    }
    free(d->decoders);
    return status;
}

mmood_status measure_pictures(measure *m, const mm_path_list *paths, cli_talk talk,
                              mmood_error *error) {
    size_t count = paths->count < MOST_PICTURES ? paths->count : MOST_PICTURES;
    double rate;
    m->paths = malloc(count * sizeof *m->paths);
    char **failures = calloc(count, sizeof *failures);
    if (!m->paths || !failures) {
        free(failures);
        return mm_error_set(error, MMOOD_ERROR_MEMORY, "no memory for %zu paths", count);
    }
    if (count < paths->count)
        cli_note(talk, "of %zu pictures %zu are used, evenly spread", paths->count, count);
    for (size_t i = 0; i < count; i++)
        m->paths[i] = paths->items[i * paths->count / count];
    decoding d = {.m = m,
                  .paths = m->paths,
                  .count = count,
                  .end = count,
                  .until = INFINITY,
                  .failures = failures};
    mmood_status status = run_decoding(&rate, &d, error);
    m->count = m->failed = 0;
    for (size_t i = 0; i < count; i++) {
        if (failures[i])
            cli_note(talk, "%s", failures[i]);
        else
            m->paths[m->count++] = m->paths[i];
        free(failures[i]);
    }
    m->failed = count - m->count;
    free(failures);
    return status;
}

/* ---- Turns --------------------------------------------------------------------------------- */

/* Works for `seconds` or one batch, whichever is longer, and says how fast it was. */
typedef mmood_status turn(double *rate, void *context, double seconds, mmood_error *error);

static mmood_status take_turns(measured_rate *out, turn *take, void *context, double seconds,
                               mmood_error *error) {
    double rates[MEASURE_TURNS], warming;
    mmood_status status = take(&warming, context, 0, error);
    for (int i = 0; i < MEASURE_TURNS && status == MMOOD_OK; i++)
        status = take(&rates[i], context, seconds / MEASURE_TURNS, error);
    if (status != MMOOD_OK)
        return status;
    *out = (measured_rate){.median = mm_quantile(rates, MEASURE_TURNS, 0.5),
                           .lowest = mm_quantile(rates, MEASURE_TURNS, 0),
                           .highest = mm_quantile(rates, MEASURE_TURNS, 1)};
    return MMOOD_OK;
}

static mmood_status decode_turn(double *rate, void *context, double seconds, mmood_error *error) {
    measure *m = context;
    decoding d = {.m = m,
                  .paths = m->paths,
                  .count = m->count,
                  .end = SIZE_MAX,
                  .least = m->options.batch,
                  .until = mm_now() + seconds};
    return run_decoding(rate, &d, error);
}

mmood_status measure_decode(measured_rate *out, measure *m, mmood_error *error) {
    return take_turns(out, decode_turn, m, m->options.seconds, error);
}

static mmood_status embed(measure *m, const uint8_t *const *crops, size_t count,
                          mmood_error *error) {
    mmood_session *session = m->opened->session;
    if (m->patches)
        return mmood_session_embed_patches(m->rows, m->patches, session, crops, count, error);
    return mmood_session_embed_images(m->rows, session, crops, count, error);
}

static mmood_status score(measure *m, const float *rows, const float *patches, size_t count,
                          mmood_error *error) {
    const mmood_results out = {.verdicts = m->verdicts, .top = m->top};
    return mmood_scorer_run(&out, m->scorer, rows, patches, patches ? (size_t)m->model.patches : 0,
                            count, error);
}

typedef struct crop_batch {
    measure *m;
    const uint8_t **crops; /* [batch] */
} crop_batch;

static mmood_status model_turn(double *rate, void *context, double seconds, mmood_error *error) {
    const crop_batch *b = context;
    size_t batch = b->m->options.batch, done = 0;
    double begin = mm_now(), spent = 0;
    mmood_status status;
    do {
        status = embed(b->m, b->crops, batch, error);
        done += batch;
        spent = mm_now() - begin;
    } while (status == MMOOD_OK && spent < seconds);
    *rate = (double)done / spent;
    return status;
}

mmood_status measure_model(measured_rate *out, measure *m, mmood_error *error) {
    size_t batch = m->options.batch, different = m->count < batch ? m->count : batch;
    decoding d = {.m = m,
                  .paths = m->paths,
                  .count = m->count,
                  .end = different,
                  .until = INFINITY,
                  .keep = 1};
    double rate;
    crop_batch b = {.m = m, .crops = malloc(batch * sizeof *b.crops)};
    if (!b.crops)
        return mm_error_set(error, MMOOD_ERROR_MEMORY, "no memory for a batch of %zu", batch);
    for (size_t i = 0; i < batch; i++)
        b.crops[i] = m->crops + i % different * m->crop_size;
    mmood_status status = run_decoding(&rate, &d, error);
    if (status == MMOOD_OK)
        status = take_turns(out, model_turn, &b, m->options.seconds, error);
    free(b.crops);
    return status;
}

/* ---- The whole work ------------------------------------------------------------------------ */

typedef struct judging {
    measure *m;
    mm_pipeline pipeline;
    char **paths; /* [count]: the pictures over and over, in whole windows */
    size_t count;
} judging;

static mmood_status judge_window(judging *j, mmood_error *error) {
    mm_pipeline *p = &j->pipeline;
    mmood_status status = mm_pipeline_next(p, error);
    if (status == MMOOD_OK && p->count == 0) {
        mm_pipeline_start(p, j->paths, j->count);
        status = mm_pipeline_next(p, error);
    }
    if (status == MMOOD_OK)
        status = score(j->m, p->embeddings, p->patches, p->good, error);
    for (size_t i = 0; i < p->count && status == MMOOD_OK; i++)
        if (p->status[i] != MMOOD_OK) {
            *error = p->errors[i];
            status = mm_error_prefix(error, p->status[i], "%s", j->paths[p->first + i]);
        }
    return status;
}

/* A turn begins and ends with a window, while the next one is being decoded: what is decoded ahead
 * at the beginning makes up for what is at the end. */
static mmood_status judge_turn(double *rate, void *context, double seconds, mmood_error *error) {
    judging *j = context;
    double begin = mm_now(), spent = 0;
    size_t done = 0;
    mmood_status status;
    do {
        status = judge_window(j, error);
        done += j->pipeline.count;
        spent = mm_now() - begin;
    } while (status == MMOOD_OK && spent < seconds);
    *rate = (double)done / spent;
    return status;
}

mmood_status measure_judge(measured_rate *out, measure *m, mmood_error *error) {
    size_t batch = m->options.batch, windows = (m->count + batch - 1) / batch;
    const mm_pipeline_options options = {.image = m->opened->image,
                                         .window = batch,
                                         .threads = m->options.threads,
                                         .patches = m->patches != NULL};
    judging j = {.m = m, .count = (windows > LEAST_WINDOWS ? windows : LEAST_WINDOWS) * batch};
    j.paths = malloc(j.count * sizeof *j.paths);
    if (!j.paths)
        return mm_error_set(error, MMOOD_ERROR_MEMORY, "no memory for %zu paths", j.count);
    for (size_t i = 0; i < j.count; i++)
        j.paths[i] = m->paths[i % m->count];
    mmood_status status = mm_pipeline_create(&j.pipeline, m->opened->session, &options, error);
    if (status == MMOOD_OK) {
        mm_pipeline_start(&j.pipeline, j.paths, j.count);
        status = take_turns(out, judge_turn, &j, m->options.seconds, error);
    }
    mm_pipeline_free(&j.pipeline);
    free(j.paths);
    return status;
}

/* ---- One picture --------------------------------------------------------------------------- */

static mmood_status judge_one(double *seconds, measure *m, const char *path, mmood_error *error) {
    const uint8_t *crop = m->crops;
    double begin = mm_now();
    mmood_status status = load(m, m->crops, path, error);
    if (status == MMOOD_OK)
        status = embed(m, &crop, 1, error);
    if (status == MMOOD_OK)
        status = score(m, m->rows, m->patches, 1, error);
    *seconds = mm_now() - begin;
    return status;
}

mmood_status measure_one(measured_latency *out, measure *m, mmood_error *error) {
    size_t count = 0, room = 0;
    double *taken = NULL, warming;
    mmood_status status = judge_one(&warming, m, m->paths[0], error);
    double end = mm_now() + m->options.seconds;
    while (status == MMOOD_OK && (count == 0 || mm_now() < end)) {
        if (count == room) {
            room = room ? 2 * room : 1024;
            double *grown = realloc(taken, room * sizeof *grown);
            if (!grown) {
                status = mm_error_set(error, MMOOD_ERROR_MEMORY, "no memory for %zu times", room);
                break;
            }
            taken = grown;
        }
        status = judge_one(&taken[count], m, m->paths[count % m->count], error);
        count++;
    }
    if (status == MMOOD_OK)
        *out = (measured_latency){.p50 = 1e3 * mm_quantile(taken, count, 0.5),
                                  .p95 = 1e3 * mm_quantile(taken, count, 0.95),
                                  .p99 = 1e3 * mm_quantile(taken, count, 0.99),
                                  .count = count};
    free(taken);
    return status;
}
