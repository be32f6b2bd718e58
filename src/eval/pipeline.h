/* pipeline.h - pictures from files to embeddings, decoded by several threads, a window of them at a
 * time, so that memory stays bounded and order is kept. */
#ifndef MM_EVAL_PIPELINE_H
#define MM_EVAL_PIPELINE_H

#include "base/pool.h"
#include "mmood.h"

typedef struct mm_pipeline_options {
    mmood_image_options image;
    size_t window; /* pictures at a time */
    int threads;   /* 0 = all CPUs */
    int hashes;    /* 1: SHA-256 of each file */
    int patches;   /* 1: patch features too */
    /* NULL, or: 1 and fills `embedding` if a file with this hash was embedded before; then it is
     * neither decoded nor embedded, and its patches are unset. Called from several threads. */
    int (*find)(void *context, const uint8_t hash[32], float *embedding);
    void *context;
} mm_pipeline_options;

typedef struct mm_pipeline {
    mm_pipeline_options options;
    mm_pool *pool;
    mmood_preprocess preprocess;
    mmood_session *session;
    size_t dimension;
    size_t crop_size;  /* bytes */
    uint8_t *crops;    /* [window, crop_size] */
    size_t good;       /* pictures that could be read */
    float *embeddings; /* [window, dimension]: the first `good` rows are those of the readable
                          pictures, in order */
    size_t patch_count;
    float *patches; /* [window, patch_count, dimension] if asked for; rows as of embeddings */
    mmood_status *status;
    mmood_error *errors;   /* [window] */
    uint8_t (*hashes)[32]; /* [window]; set if asked for and the file could be read */
    int *found;            /* [window]: 1 if `find` knew the picture */
} mm_pipeline;

mmood_status mm_pipeline_create(mm_pipeline *out, mmood_session *session,
                                const mm_pipeline_options *options, mmood_error *error);

/* Decodes and embeds paths[0 .. count), count <= window. A picture that fails has its status and
 * error set and costs the others nothing; the call itself fails only if the session does. */
mmood_status mm_pipeline_run(mm_pipeline *p, char *const *paths, size_t count, mmood_error *error);

void mm_pipeline_free(mm_pipeline *p);

#endif
