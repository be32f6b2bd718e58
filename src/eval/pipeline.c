/* pipeline.c - decoding in parallel, then one embedding call for the pictures that decoded. */
#include "eval/pipeline.h"

#include "base/error.h"
#include "base/file.h"
#include "base/sha256.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

mmood_status mm_pipeline_create(mm_pipeline *out, mmood_session *session,
                                const mm_pipeline_options *options, mmood_error *error) {
    mmood_model_info info;
    mmood_model_describe(mmood_session_model(session), &info);
    size_t window = options->window;
    size_t crop_size = (size_t)info.preprocess.crop_width * (size_t)info.preprocess.crop_height * 3;
    *out = (mm_pipeline){.options = *options,
                         .preprocess = info.preprocess,
                         .session = session,
                         .dimension = (size_t)info.dimension,
                         .crop_size = crop_size};
    out->crops = malloc(window * crop_size);
    out->embeddings = malloc(window * out->dimension * sizeof *out->embeddings);
    out->status = calloc(window, sizeof *out->status);
    out->errors = calloc(window, sizeof *out->errors);
    out->hashes = calloc(window, sizeof *out->hashes);
    out->found = calloc(window, sizeof *out->found);
    if (options->patches) {
        out->patch_count = (size_t)info.patches;
        out->patches = malloc(window * out->patch_count * out->dimension * sizeof *out->patches);
    }
    if ((options->patches && !out->patches) || !out->crops || !out->embeddings || !out->status ||
        !out->errors || !out->hashes || !out->found) {
        mm_pipeline_free(out);
        return mm_error_set(error, MMOOD_ERROR_MEMORY, "no memory for %zu pictures at a time",
                            window);
    }
    mmood_status status =
        mm_pool_create(&out->pool, options->threads > 0 ? options->threads : mm_cpu_count(), error);
    if (status != MMOOD_OK)
        mm_pipeline_free(out);
    return status;
}

void mm_pipeline_free(mm_pipeline *p) {
    mm_pool_free(p->pool);
    free(p->crops);
    free(p->embeddings);
    free(p->status);
    free(p->errors);
    free(p->hashes);
    free(p->found);
    free(p->patches);
    *p = (mm_pipeline){0};
}

typedef struct job {
    mm_pipeline *p;
    char *const *paths;
    size_t count;
    atomic_size_t next;
} job;

static mmood_status hash_file(mm_pipeline *p, size_t i, const char *path) {
    mm_map map;
    char hex[65];
    mmood_status status = mm_map_open(&map, path, &p->errors[i]);
    if (status != MMOOD_OK)
        return status;
    mm_sha256_of(hex, map.data, map.size);
    mm_map_close(&map);
    mm_hash_parse(p->hashes[i], hex);
    return MMOOD_OK;
}

static mmood_status load(mm_pipeline *p, size_t i, const char *path) {
    mmood_image *image;
    mmood_status status = mmood_image_load(&image, path, &p->options.image, &p->errors[i]);
    if (status == MMOOD_OK)
        status = mmood_image_preprocess(p->crops + i * p->crop_size, p->crop_size, image,
                                        &p->preprocess, &p->errors[i]);
    mmood_image_free(image);
    return status;
}

static void decode(void *context, int worker) {
    job *j = context;
    mm_pipeline *p = j->p;
    (void)worker;
    for (size_t i; (i = atomic_fetch_add(&j->next, 1)) < j->count;) {
        p->status[i] = p->options.hashes ? hash_file(p, i, j->paths[i]) : MMOOD_OK;
        p->found[i] =
            p->status[i] == MMOOD_OK && p->options.find &&
            p->options.find(p->options.context, p->hashes[i], p->embeddings + i * p->dimension);
        if (p->status[i] == MMOOD_OK && !p->found[i])
            p->status[i] = load(p, i, j->paths[i]);
    }
}

/* Embeds `count` crops, each to the row of its place. */
static mmood_status embed(mm_pipeline *p, const uint8_t *const *crops, const size_t *places,
                          size_t count, mmood_error *error) {
    size_t step = p->patch_count * p->dimension;
    float *rows = malloc((count + 1) * p->dimension * sizeof *rows);
    float *patches = p->patches ? malloc((count + 1) * step * sizeof *patches) : NULL;
    mmood_status status = MMOOD_OK;
    if (!rows || (p->patches && !patches))
        status = mm_error_set(error, MMOOD_ERROR_MEMORY, "no memory for %zu embeddings", count);
    else if (patches)
        status = mmood_session_embed_patches(rows, patches, p->session, crops, count, error);
    else
        status = mmood_session_embed_images(rows, p->session, crops, count, error);
    for (size_t i = 0; i < count && status == MMOOD_OK; i++) {
        memcpy(p->embeddings + places[i] * p->dimension, rows + i * p->dimension,
               p->dimension * sizeof *rows);
        if (patches)
            memcpy(p->patches + places[i] * step, patches + i * step, step * sizeof *patches);
    }
    free(rows);
    free(patches);
    return status;
}

mmood_status mm_pipeline_run(mm_pipeline *p, char *const *paths, size_t count, mmood_error *error) {
    job j = {.p = p, .paths = paths, .count = count};
    mm_pool_run(p->pool, mm_pool_size(p->pool), decode, &j);

    const uint8_t **crops = malloc((count + 1) * sizeof *crops);
    size_t *places = malloc((count + 1) * sizeof *places), fresh = 0;
    mmood_status status = MMOOD_OK;
    if (!crops || !places)
        status = mm_error_set(error, MMOOD_ERROR_MEMORY, "no memory for a list of pictures");
    for (size_t i = 0; i < count && status == MMOOD_OK; i++)
        if (p->status[i] == MMOOD_OK && !p->found[i]) {
            places[fresh] = i;
            crops[fresh++] = p->crops + i * p->crop_size;
        }
    if (status == MMOOD_OK)
        status = embed(p, crops, places, fresh, error);
    free(places);
    free(crops);
    return status;
}
