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

/* Embeds the pictures that `find` did not know, `fresh` of them: in their places at once if it knew
 * none, else beside, to be merged with the rows that it gave. */
static mmood_status embed(mm_pipeline *p, const uint8_t *const *crops, size_t fresh, size_t count,
                          mmood_error *error) {
    size_t d = p->dimension, step = p->patch_count * d, row = 0, next = 0;
    int merge = fresh < p->good;
    float *rows = merge ? malloc((fresh + 1) * d * sizeof *rows) : p->embeddings;
    float *patches =
        merge && p->patches ? malloc((fresh + 1) * step * sizeof *patches) : p->patches;
    mmood_status status = MMOOD_OK;
    if (!rows || (p->patches && !patches))
        status = mm_error_set(error, MMOOD_ERROR_MEMORY, "no memory for %zu embeddings", fresh);
    else if (patches)
        status = mmood_session_embed_patches(rows, patches, p->session, crops, fresh, error);
    else
        status = mmood_session_embed_images(rows, p->session, crops, fresh, error);
    for (size_t i = 0; i < count && merge && status == MMOOD_OK; i++) {
        if (p->status[i] != MMOOD_OK)
            continue;
        /* a row moves forward or stays, so none that is still needed is overwritten */
        const float *from = p->found[i] ? p->embeddings + i * d : rows + next * d;
        memmove(p->embeddings + row * d, from, d * sizeof *rows);
        if (patches && !p->found[i])
            memcpy(p->patches + row * step, patches + next * step, step * sizeof *patches);
        next += !p->found[i];
        row++;
    }
    if (merge) {
        free(rows);
        free(patches);
    }
    return status;
}

mmood_status mm_pipeline_run(mm_pipeline *p, char *const *paths, size_t count, mmood_error *error) {
    job j = {.p = p, .paths = paths, .count = count};
    mm_pool_run(p->pool, mm_pool_size(p->pool), decode, &j);

    const uint8_t **crops = malloc((count + 1) * sizeof *crops);
    size_t fresh = 0;
    if (!crops)
        return mm_error_set(error, MMOOD_ERROR_MEMORY, "no memory for a list of pictures");
    p->good = 0;
    for (size_t i = 0; i < count; i++) {
        p->good += p->status[i] == MMOOD_OK;
        if (p->status[i] == MMOOD_OK && !p->found[i])
            crops[fresh++] = p->crops + i * p->crop_size;
    }
    mmood_status status = embed(p, crops, fresh, count, error);
    free(crops);
    return status;
}
