/* clip_cpp_worker.c - monatis/clip.cpp as one of the peers; built by clip_cpp.sh, not by CMake.
 *   clip_cpp_worker MODEL.gguf THREADS images|texts FILE
 * FILE has crops as bytes, or token ids, one text a line. Pictures go through one by one: the
 * library's scratch memory is sized for one, and a batch of several overruns it. Texts as well: it
 * has no call for more. */
#include "clip.h"
#include "worker.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct state {
    struct clip_ctx *clip;
    int threads;
    struct clip_image_f32 *pictures;
    struct clip_tokens *texts;
} state;

static int embed(bench_worker *worker, size_t n, float *out) {
    state *s = worker->state;
    for (size_t i = 0; i < n; i++) {
        float *to = out + i * worker->dimension;
        int ok = s->pictures ? clip_image_encode(s->clip, s->threads, &s->pictures[i], to, true)
                             : clip_text_encode(s->clip, s->threads, &s->texts[i], to, true);
        if (!ok)
            return 0;
    }
    return 1;
}

static int read_texts(bench_worker *worker, state *s, const char *path) {
    char **lines = bench_worker_lines(path, &worker->count);
    s->texts = lines ? calloc(worker->count + 1, sizeof *s->texts) : NULL;
    for (size_t i = 0; s->texts && i < worker->count; i++) {
        s->texts[i].data = malloc(strlen(lines[i]) * sizeof *s->texts[i].data + 8);
        if (!s->texts[i].data)
            return 0;
        for (char *at = lines[i], *end;; at = end) {
            long id = strtol(at, &end, 10);
            if (end == at)
                break;
            s->texts[i].data[s->texts[i].size++] = (clip_vocab_id)id;
        }
    }
    return s->texts != NULL;
}

/* The library takes floats that are normalised already, interleaved as the bytes are. */
static int read_pictures(bench_worker *worker, state *s, const char *path) {
    static const float mean[3] = {0.48145466f, 0.4578275f, 0.40821073f};
    static const float std[3] = {0.26862954f, 0.26130258f, 0.27577711f};
    int side = clip_get_vision_hparams(s->clip)->image_size;
    size_t size, crop = (size_t)side * (size_t)side * 3;
    const unsigned char *bytes = bench_worker_bytes(path, &size);
    worker->count = size / crop;
    s->pictures = bytes ? calloc(worker->count + 1, sizeof *s->pictures) : NULL;
    for (size_t i = 0; s->pictures && i < worker->count; i++) {
        float *data = malloc(crop * sizeof *data);
        if (!data)
            return 0;
        for (size_t j = 0; j < crop; j++)
            data[j] = ((float)bytes[i * crop + j] / 255 - mean[j % 3]) / std[j % 3];
        s->pictures[i] = (struct clip_image_f32){side, side, data, crop};
    }
    return s->pictures != NULL;
}

int main(int argc, char **argv) {
    double started = bench_worker_now();
    state s = {0};
    bench_worker worker = {.embed = embed, .state = &s};
    if (argc != 5)
        return 2;
    s.threads = atoi(argv[2]);
    s.clip = clip_model_load(argv[1], 0);
    if (!s.clip)
        return 1;
    int texts = strcmp(argv[3], "texts") == 0;
    worker.dimension = (size_t)(texts ? clip_get_text_hparams(s.clip)->projection_dim
                                      : clip_get_vision_hparams(s.clip)->projection_dim);
    if (!(texts ? read_texts(&worker, &s, argv[4]) : read_pictures(&worker, &s, argv[4]))) {
        fprintf(stderr, "clip_cpp_worker: %s cannot be read\n", argv[4]);
        return 1;
    }
    return bench_worker_serve(&worker, started);
}
