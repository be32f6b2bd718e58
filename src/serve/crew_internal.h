/* crew_internal.h - what crew.c (queues, decoding) and batch.c (the model) share. */
#ifndef MM_SERVE_CREW_INTERNAL_H
#define MM_SERVE_CREW_INTERNAL_H

#include "base/pool.h"
#include "serve/crew.h"

typedef struct mm_queue {
    pthread_mutex_t lock;
    pthread_cond_t filled; /* or the end */
    mm_item *first, *last;
    size_t count;
    int stopping;
} mm_queue;

struct mm_crew {
    mm_crew_options options;
    mm_metrics *metrics;
    mmood_session *session;
    mmood_preprocess preprocess;
    size_t dimension, patch_count, crop_size;
    mm_queue decode; /* jobs to read and pictures to decode */
    mm_queue batch;  /* crops and embeddings */
    pthread_t *decoders;
    int decoder_count;
    pthread_t batcher;
    int has_batcher;
    atomic_size_t taken;
    atomic_size_t coming; /* bodies and pictures on their way to `batch` */
    atomic_int abandoned;
    /* The batch thread's, each for `options.batch` pictures: */
    mm_item **items;
    const uint8_t **crops;
    float *embeddings; /* [batch, dimension], row i of items[i] */
    float *patches;    /* [batch, patch_count, dimension], made when first needed */
    int *state;
    float *rows;       /* the rows of a call, packed */
    float *patch_rows; /* the same of patches */
    size_t *places;
    mmood_verdict *verdicts;
    double *scores; /* [batch, MM_MOST_SCORES] */
    double *chosen; /* [MM_MOST_SCORES] */
    mmood_match *top;
    size_t top_room; /* of `top`, labels a picture */
};

/* The first item; the queue is locked and not empty. */
mm_item *mm_queue_take(mm_queue *queue);

/* Writes an item's row and, with its job's last one, ends the job: neither may be looked at
 * afterwards. */
void mm_item_finish(mm_crew *crew, mm_item *item, const mm_row *row, const mm_row_style *style);
void mm_item_fail(mm_crew *crew, mm_item *item, mmood_status status, const char *message);

/* Ends an item that nobody waits for any more; 1 if so. */
int mm_item_dropped(mm_crew *crew, mm_item *item);

mmood_status mm_batch_reserve(mm_crew *crew, mmood_error *error);
void mm_batch_release(mm_crew *crew);
void *mm_batch_main(void *crew);

#endif
