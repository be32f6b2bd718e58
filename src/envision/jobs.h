/* jobs.h - many exchanges, a few at a time. */
#ifndef MM_ENVISION_JOBS_H
#define MM_ENVISION_JOBS_H

#include "mmood.h"

/* Does job `index`. Runs on a thread of its own beside other jobs. */
typedef mmood_status mm_jobs_work(void *context, size_t index, mmood_error *error);

/* Told after each job; one call at a time, on whatever thread. */
typedef void mm_jobs_progress(void *context, size_t done, size_t count);

typedef struct mm_jobs_options {
    int jobs;    /* at a time, 1 to 256 */
    int give_up; /* after so many failures in a row the rest is not tried; 0: never */
    mm_jobs_progress *progress; /* may be NULL */
} mm_jobs_options;

/* How job i ended. */
typedef struct mm_job {
    mmood_status status;
    int tried;         /* 0: given up before */
    mmood_error error; /* of a failure */
} mm_job;

/* Runs jobs 0 .. count - 1, begun in this order, and fills `results` [count]: what one job did is
 * not lost when another fails. OK if all were done; otherwise the status of the first failure in
 * the list, whose message says how many failed. */
mmood_status mm_jobs_run(mm_job *results, size_t count, const mm_jobs_options *options,
                         mm_jobs_work *work, void *context, mmood_error *error);

#endif
