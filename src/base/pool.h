/* pool.h - a fixed set of worker threads that run one function together (SPMD). */
#ifndef MM_BASE_POOL_H
#define MM_BASE_POOL_H

#include "mmood.h"

typedef struct mm_pool mm_pool;

/* Runs on each worker, `worker` from 0 to count - 1. */
typedef void mm_pool_job(void *context, int worker);

/* Starts `threads` workers (at least 1). The caller's own thread never runs jobs, so per-thread
 * settings that jobs make (OpenMP's thread count) never reach it. */
mmood_status mm_pool_create(mm_pool **out, int threads, mmood_error *error);
int mm_pool_size(const mm_pool *pool);

/* Calls job(context, w) on workers 0 .. count - 1 (count <= size) and waits for all of them. One
 * caller at a time. */
void mm_pool_run(mm_pool *pool, int count, mm_pool_job *job, void *context);

/* The same in two steps, for work of the caller's own in between. Each start needs its wait, which
 * returns at once if nothing was started. */
void mm_pool_start(mm_pool *pool, int count, mm_pool_job *job, void *context);
void mm_pool_wait(mm_pool *pool);
void mm_pool_free(mm_pool *pool);

#endif
