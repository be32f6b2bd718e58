/* jobs.c - many exchanges, a few at a time, on a pool of threads that mostly wait. */
#include "envision/jobs.h"

#include "base/error.h"
#include "base/pool.h"

#include <pthread.h>
#include <stdlib.h>

typedef struct run {
    mm_job *results;
    size_t count;
    const mm_jobs_options *options;
    mm_jobs_work *work;
    void *context;
    pthread_mutex_t lock; /* of all below */
    size_t next;
    size_t done;
    int in_row; /* failures since the last success */
} run;

static int gives_up(const run *r) {
    return r->options->give_up > 0 && r->in_row >= r->options->give_up;
}

static void work_off(void *context, int worker) {
    run *r = context;
    (void)worker;
    pthread_mutex_lock(&r->lock);
    while (r->next < r->count && !gives_up(r)) {
        size_t index = r->next++;
        mm_job *job = &r->results[index];
        pthread_mutex_unlock(&r->lock);
        job->tried = 1;
        job->status = r->work(r->context, index, &job->error);
        pthread_mutex_lock(&r->lock);
        r->in_row = job->status == MMOOD_OK ? 0 : r->in_row + 1;
        r->done++;
        if (r->options->progress)
            r->options->progress(r->context, r->done, r->count);
    }
    pthread_mutex_unlock(&r->lock);
}

/* Marks what was given up, and says how it went. */
static mmood_status sum_up(const run *r, mmood_error *error) {
    const mm_job *first = NULL;
    size_t failed = 0, untried = 0;
    for (size_t i = 0; i < r->count; i++) {
        mm_job *job = &r->results[i];
        if (!job->tried) {
            job->status = mm_error_set(&job->error, MMOOD_ERROR_IO,
                                       "was not tried after %d failures in a row", r->in_row);
            untried++;
        } else if (job->status != MMOOD_OK) {
            first = first ? first : job;
            failed++;
        }
    }
    if (!first)
        return MMOOD_OK;
    if (error)
        *error = first->error;
    if (untried > 0)
        return mm_error_prefix(error, first->status, "%zu of %zu failed and %zu were not tried",
                               failed, r->count, untried);
    return r->count > 1
               ? mm_error_prefix(error, first->status, "%zu of %zu failed", failed, r->count)
               : first->status;
}

mmood_status mm_jobs_run(mm_job *results, size_t count, const mm_jobs_options *options,
                         mm_jobs_work *work, void *context, mmood_error *error) {
    if (options->jobs < 1 || options->jobs > 256)
        return mm_error_set(error, MMOOD_ERROR_ARGUMENT, "%d jobs at a time, expected 1 to 256",
                            options->jobs);
    for (size_t i = 0; i < count; i++)
        results[i] = (mm_job){0};
    if (count == 0)
        return MMOOD_OK;
    int threads = count < (size_t)options->jobs ? (int)count : options->jobs;
    run r = {
        .results = results, .count = count, .options = options, .work = work, .context = context};
    mm_pool *pool;
    mmood_status status = mm_pool_create(&pool, threads, error);
    if (status != MMOOD_OK)
        return status;
    pthread_mutex_init(&r.lock, NULL);
    mm_pool_run(pool, threads, work_off, &r);
    pthread_mutex_destroy(&r.lock);
    mm_pool_free(pool);
    return sum_up(&r, error);
}
