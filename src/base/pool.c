/* pool.c - worker threads on pthreads. */
#include "base/pool.h"

#include "base/error.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

struct mm_pool {
    pthread_mutex_t lock;
    pthread_cond_t start; /* a new job, or the end */
    pthread_cond_t done;  /* the last worker of a job has finished */
    int size;
    int count;   /* workers that take part in the current job */
    int running; /* of those, how many have not finished */
    int stopping;
    unsigned long generation; /* number of the current job */
    mm_pool_job *job;
    void *context;
    struct worker {
        mm_pool *pool;
        pthread_t thread;
        int index;
    } workers[];
};

static void *worker_main(void *argument) {
    struct worker *self = argument;
    mm_pool *pool = self->pool;
    unsigned long seen = 0;
    pthread_mutex_lock(&pool->lock);
    for (;;) {
        while (!pool->stopping && pool->generation == seen)
            pthread_cond_wait(&pool->start, &pool->lock);
        if (pool->stopping)
            break;
        seen = pool->generation;
        if (self->index >= pool->count)
            continue;
        mm_pool_job *job = pool->job;
        void *context = pool->context;
        pthread_mutex_unlock(&pool->lock);
        job(context, self->index);
        pthread_mutex_lock(&pool->lock);
        if (--pool->running == 0)
            pthread_cond_signal(&pool->done);
    }
    pthread_mutex_unlock(&pool->lock);
    return NULL;
}

mmood_status mm_pool_create(mm_pool **out, int threads, mmood_error *error) {
    *out = NULL;
    if (threads < 1 || threads > 4096)
        return mm_error_set(error, MMOOD_ERROR_ARGUMENT, "%d threads, expected 1 to 4096", threads);
    mm_pool *pool = calloc(1, sizeof *pool + (size_t)threads * sizeof pool->workers[0]);
    if (!pool)
        return mm_error_set(error, MMOOD_ERROR_MEMORY, "no memory for %d threads", threads);
    pthread_mutex_init(&pool->lock, NULL);
    pthread_cond_init(&pool->start, NULL);
    pthread_cond_init(&pool->done, NULL);
    for (int i = 0; i < threads; i++) {
        pool->workers[i].pool = pool;
        pool->workers[i].index = i;
        int code = pthread_create(&pool->workers[i].thread, NULL, worker_main, &pool->workers[i]);
        if (code != 0) {
            mm_pool_free(pool);
            return mm_error_set(error, MMOOD_ERROR_MEMORY, "thread %d of %d cannot be started: %s",
                                i + 1, threads, strerror(code));
        }
        pool->size = i + 1;
    }
    *out = pool;
    return MMOOD_OK;
}

int mm_pool_size(const mm_pool *pool) {
    return pool->size;
}

void mm_pool_start(mm_pool *pool, int count, mm_pool_job *job, void *context) {
    pthread_mutex_lock(&pool->lock);
    pool->job = job;
    pool->context = context;
    pool->count = count < pool->size ? count : pool->size;
    pool->running = pool->count;
    pool->generation++;
    pthread_cond_broadcast(&pool->start);
    pthread_mutex_unlock(&pool->lock);
}

void mm_pool_wait(mm_pool *pool) {
    pthread_mutex_lock(&pool->lock);
    while (pool->running > 0)
        pthread_cond_wait(&pool->done, &pool->lock);
    pthread_mutex_unlock(&pool->lock);
}

void mm_pool_run(mm_pool *pool, int count, mm_pool_job *job, void *context) {
    mm_pool_start(pool, count, job, context);
    mm_pool_wait(pool);
}

void mm_pool_free(mm_pool *pool) {
    if (!pool)
        return;
    pthread_mutex_lock(&pool->lock);
    pool->stopping = 1;
    pthread_cond_broadcast(&pool->start);
    pthread_mutex_unlock(&pool->lock);
    for (int i = 0; i < pool->size; i++)
        pthread_join(pool->workers[i].thread, NULL);
    pthread_cond_destroy(&pool->done);
    pthread_cond_destroy(&pool->start);
    pthread_mutex_destroy(&pool->lock);
    free(pool);
}
