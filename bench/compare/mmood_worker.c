/* mmood_worker.c - mmood as one of the peers of bench/compare.
 *   bench_worker MODEL PRECISION THREADS images|texts FILE CACHE
 * FILE has the crops as bytes, one after another, or the texts, one a line; packed weights are kept
 * in CACHE. Exits with 3 if the precision is not known or is not what the model then runs in. */
#include "mmood.h"
#include "worker.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct state {
    mmood_model *model;
    mmood_session *session;
    const uint8_t **crops;
    const char *const *texts;
} state;

static int embed(bench_worker *worker, size_t n, float *out) {
    state *s = worker->state;
    mmood_error error;
    mmood_status status =
        s->crops ? mmood_session_embed_images(out, s->session, s->crops, n, &error)
                 : mmood_session_embed_texts(out, NULL, s->session, s->texts, n, &error);
    if (status != MMOOD_OK)
        fprintf(stderr, "bench_worker: %s\n", error.message);
    return status == MMOOD_OK;
}

static int open_model(state *s, const char *path, const char *precision, int threads,
                      const char *cache) {
    mmood_model_options options = mmood_model_options_default();
    int p = 0;
    while (mmood_precision_name((mmood_precision)p) &&
           strcmp(mmood_precision_name((mmood_precision)p), precision) != 0)
        p++;
    if (!mmood_precision_name((mmood_precision)p)) {
        fprintf(stderr, "bench_worker: precision %s is not known\n", precision);
        return 3;
    }
    options.precision = (mmood_precision)p;
    options.fast_texts = 1;
    options.threads = threads;
    options.cache = cache;
    mmood_session_options session = mmood_session_options_default();
    session.threads = threads;
    mmood_error error;
    if (mmood_model_open(&s->model, path, &options, &error) != MMOOD_OK ||
        mmood_session_create(&s->session, s->model, &session, &error) != MMOOD_OK) {
        fprintf(stderr, "bench_worker: %s\n", error.message);
        return 1;
    }
    mmood_model_info info;
    mmood_model_describe(s->model, &info);
    if (options.precision != MMOOD_PRECISION_AUTO && info.precision != options.precision) {
        fprintf(stderr, "bench_worker: asked for %s, runs in %s\n", precision,
                mmood_precision_name(info.precision));
        return 3;
    }
    return 0;
}

static int read_items(bench_worker *worker, state *s, const char *task, const char *path) {
    mmood_model_info info;
    mmood_model_describe(s->model, &info);
    worker->dimension = (size_t)info.dimension;
    if (strcmp(task, "texts") == 0) {
        s->texts = (const char *const *)bench_worker_lines(path, &worker->count);
        return s->texts != NULL;
    }
    size_t size, crop = (size_t)info.image_size * (size_t)info.image_size * 3;
    const uint8_t *bytes = bench_worker_bytes(path, &size);
    worker->count = size / crop;
    s->crops = bytes ? malloc((worker->count + 1) * sizeof *s->crops) : NULL;
    for (size_t i = 0; s->crops && i < worker->count; i++)
        s->crops[i] = bytes + i * crop;
    return s->crops != NULL;
}

int main(int argc, char **argv) {
    double started = bench_worker_now();
    state s = {0};
    bench_worker worker = {.embed = embed, .state = &s};
    if (argc != 7)
        return 2;
    int code = open_model(&s, argv[1], argv[2], atoi(argv[3]), argv[6]);
    if (code == 0 && !read_items(&worker, &s, argv[4], argv[5])) {
        fprintf(stderr, "bench_worker: %s cannot be read\n", argv[5]);
        code = 1;
    }
    if (code == 0)
        code = bench_worker_serve(&worker, started);
    mmood_session_free(s.session);
    mmood_model_free(s.model);
    return code;
}
