/* pipeline.c - decoding in parallel, then one embedding call for the pictures that decoded. */
#include "cli/pipeline.h"

#include "base/error.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

mmood_status pipeline_create(pipeline *out, mmood_session *session,
                             const mmood_image_options *image, size_t window, int threads,
                             mmood_error *error) {
    mmood_model_info info;
    mmood_model_describe(mmood_session_model(session), &info);
    size_t crop_size = (size_t)info.preprocess.crop_width * (size_t)info.preprocess.crop_height * 3;
    *out = (pipeline){.image = *image,
                      .preprocess = info.preprocess,
                      .session = session,
                      .dimension = (size_t)info.dimension,
                      .window = window,
                      .crop_size = crop_size};
    out->crops = malloc(window * crop_size);
    out->embeddings = malloc(window * out->dimension * sizeof *out->embeddings);
    out->status = calloc(window, sizeof *out->status);
    out->errors = calloc(window, sizeof *out->errors);
    if (!out->crops || !out->embeddings || !out->status || !out->errors) {
        pipeline_free(out);
        return mm_error_set(error, MMOOD_ERROR_MEMORY, "no memory for %zu pictures at a time",
                            window);
    }
    mmood_status status = mm_pool_create(&out->pool, threads > 0 ? threads : mm_cpu_count(), error);
    if (status != MMOOD_OK)
        pipeline_free(out);
    return status;
}

void pipeline_free(pipeline *p) {
    mm_pool_free(p->pool);
    free(p->crops);
    free(p->embeddings);
    free(p->status);
    free(p->errors);
    *p = (pipeline){0};
}

typedef struct job {
    pipeline *p;
    char *const *paths;
    size_t count;
    size_t next;
    pthread_mutex_t lock;
} job;

static void decode(void *context, int worker) {
    job *j = context;
    pipeline *p = j->p;
    (void)worker;
    for (;;) {
        pthread_mutex_lock(&j->lock);
        size_t i = j->next++;
        pthread_mutex_unlock(&j->lock);
        if (i >= j->count)
            return;
        mmood_image *image;
        p->status[i] = mmood_image_load(&image, j->paths[i], &p->image, &p->errors[i]);
        if (p->status[i] == MMOOD_OK)
            p->status[i] = mmood_image_preprocess(p->crops + i * p->crop_size, p->crop_size, image,
                                                  &p->preprocess, &p->errors[i]);
        mmood_image_free(image);
    }
}

mmood_status pipeline_run(pipeline *p, char *const *paths, size_t count, mmood_error *error) {
    job j = {.p = p, .paths = paths, .count = count};
    pthread_mutex_init(&j.lock, NULL);
    mm_pool_run(p->pool, mm_pool_size(p->pool), decode, &j);
    pthread_mutex_destroy(&j.lock);

    const uint8_t **crops = malloc(count * sizeof *crops);
    size_t good = 0;
    if (!crops)
        return mm_error_set(error, MMOOD_ERROR_MEMORY, "no memory for a list of pictures");
    for (size_t i = 0; i < count; i++)
        if (p->status[i] == MMOOD_OK)
            crops[good++] = p->crops + i * p->crop_size;
    mmood_status status = mmood_session_embed_images(p->embeddings, p->session, crops, good, error);
    free(crops);
    for (size_t i = count;
         i-- > 0 && status == MMOOD_OK;) /* back to front: to where each belongs */
        if (p->status[i] == MMOOD_OK)
            memmove(p->embeddings + i * p->dimension, p->embeddings + --good * p->dimension,
                    p->dimension * sizeof *p->embeddings);
    return status;
}
