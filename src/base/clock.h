/* clock.h - seconds since some moment, never going back. */
#ifndef MM_BASE_CLOCK_H
#define MM_BASE_CLOCK_H

#include <time.h>

static inline double mm_now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

/* The moment `when` of mm_now for pthread_cond_timedwait on the same clock. */
static inline struct timespec mm_until(double when) {
    struct timespec t = {.tv_sec = (time_t)when};
    t.tv_nsec = (long)(1e9 * (when - (double)t.tv_sec));
    return t;
}

#endif
