/* barrier.h - where threads that share a piece of work wait for each other, thousands of times a
 * second: the wait is mostly shorter than falling asleep and waking up takes, so they first turn in
 * a loop for some microseconds. */
#ifndef MM_BASE_BARRIER_H
#define MM_BASE_BARRIER_H

#include <pthread.h>
#include <stdatomic.h>

typedef struct mm_barrier {
    atomic_uint arrived;
    atomic_uint round; /* how many times all have met */
    unsigned size;
    pthread_mutex_t lock; /* for those who sleep */
    pthread_cond_t met;
} mm_barrier;

/* Before anyone waits. */
void mm_barrier_init(mm_barrier *barrier);
/* How many threads meet from now on. Nobody may be waiting. */
void mm_barrier_resize(mm_barrier *barrier, unsigned size);
/* Returns when all have come; what each wrote before is seen by all. */
void mm_barrier_wait(mm_barrier *barrier);
void mm_barrier_destroy(mm_barrier *barrier);

#endif
