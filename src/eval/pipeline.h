/* pipeline.h - pictures from files to embeddings: while a window of them is embedded and used, the
 * next one is decoded by threads of the pipeline's own. Order is kept, and memory is bounded: two
 * windows of crops, and a decoded picture a thread. */
#ifndef MM_EVAL_PIPELINE_H
#define MM_EVAL_PIPELINE_H

#include "base/pool.h"
#include "mmood.h"

typedef struct mm_pipeline_options {
    mmood_image_options image;
    size_t window; /* pictures at a time */
    int threads;   /* that decode; 0 = all CPUs */
    int hashes;    /* 1: SHA-256 of each file */
    int patches;   /* 1: patch features too */
    /* NULL, or: 1 and fills `embedding` if a file with this hash was embedded before; then it is
     * neither decoded nor embedded, and its patches are unset. Called from several threads, at any
     * time between start and the end. */
    int (*find)(void *context, const uint8_t hash[32], float *embedding);
    void *context;
} mm_pipeline_options;

/* What becomes of one window's files before they are embedded. */
typedef struct mm_pipeline_slot {
    uint8_t *crops; /* [window, crop_size] */
    float *known;   /* [window, dimension]: what `find` gave */
    mmood_status *status;
    mmood_error *errors;
    uint8_t (*hashes)[32];
    int *found;
    size_t left; /* pictures that are not ready */
} mm_pipeline_slot;

typedef struct mm_pipeline {
    /* The window, as mm_pipeline_next leaves it until its next call. */
    size_t first; /* of its pictures, in the list of paths */
    size_t count;
    size_t good;                 /* pictures that could be read */
    const float *embeddings;     /* [good, dimension]: those of the readable pictures, in order */
    const float *patches;        /* [good, patch_count, dimension] if asked for; rows alike */
    const mmood_status *status;  /* [count] */
    const mmood_error *errors;   /* [count]; set where status is not MMOOD_OK */
    const uint8_t (*hashes)[32]; /* [count]; set if asked for and the file could be read */
    const int *found;            /* [count]: 1 if `find` knew the picture */
    size_t dimension;
    size_t patch_count;

    /* The pipeline's own. */
    mm_pipeline_options options;
    mmood_session *session;
    mmood_preprocess preprocess;
    size_t crop_size; /* bytes */
    float *rows;      /* [window, dimension] */
    float *patch_rows;
    mm_pool *pool;
    struct mm_pipeline_queue *queue;
} mm_pipeline;

/* `session` is used by mm_pipeline_next only. */
mmood_status mm_pipeline_create(mm_pipeline *out, mmood_session *session,
                                const mm_pipeline_options *options, mmood_error *error);

/* Begins to read paths [0, count), which must stay until mm_pipeline_stop, the next start or the
 * pipeline's end. What was begun before is given up. */
void mm_pipeline_start(mm_pipeline *p, char *const *paths, size_t count);

/* Embeds the next window; `count` is 0 when all pictures have been. A picture that fails has its
 * status and error set and costs the others nothing; the call itself fails only if the session
 * does. */
mmood_status mm_pipeline_next(mm_pipeline *p, mmood_error *error);

/* Gives up what was begun, in the midst of pictures or after the last: once the decoding threads
 * have finished what they have in hand, paths are read no more. */
void mm_pipeline_stop(mm_pipeline *p);

/* Stops, too. Also after a failed creation. */
void mm_pipeline_free(mm_pipeline *p);

#endif
