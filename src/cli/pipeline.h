/* pipeline.h - pictures from files to crops, decoded by several threads, a window of them at a
 * time, so that memory stays bounded and order is kept. */
#ifndef MM_CLI_PIPELINE_H
#define MM_CLI_PIPELINE_H

#include "base/pool.h"
#include "mmood.h"

typedef struct pipeline {
    mm_pool *pool;
    mmood_image_options image;
    mmood_preprocess preprocess;
    mmood_session *session;
    size_t dimension;
    size_t window;     /* pictures at a time */
    size_t crop_size;  /* bytes */
    uint8_t *crops;    /* [window, crop_size] */
    float *embeddings; /* [window, dimension]; rows of failed pictures are unset */
    mmood_status *status;
    mmood_error *errors; /* [window] */
} pipeline;

/* `threads` 0 = all CPUs. */
mmood_status pipeline_create(pipeline *out, mmood_session *session,
                             const mmood_image_options *image, size_t window, int threads,
                             mmood_error *error);

/* Decodes and embeds paths[0 .. count), count <= window. A picture that fails has its status and
 * error set and costs the others nothing; the call itself fails only if the session does. */
mmood_status pipeline_run(pipeline *p, char *const *paths, size_t count, mmood_error *error);

void pipeline_free(pipeline *p);

#endif
