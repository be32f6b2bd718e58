/* barrier.c - a barrier that spins first and sleeps then. */
#include "base/barrier.h"

/* Some 10 to 40 microseconds: longer than lanes of a team usually differ, short enough to cost
 * little where more threads run than there are CPUs. */
enum { MM_SPINS = 1000 };

static void relax(void) {
#if defined(__x86_64__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    __asm__ volatile("yield");
#endif
}

void mm_barrier_init(mm_barrier *barrier) {
    atomic_init(&barrier->arrived, 0);
    atomic_init(&barrier->round, 0);
    barrier->size = 1;
    pthread_mutex_init(&barrier->lock, NULL);
    pthread_cond_init(&barrier->met, NULL);
}

void mm_barrier_resize(mm_barrier *barrier, unsigned size) {
    barrier->size = size;
}

void mm_barrier_wait(mm_barrier *barrier) {
    unsigned round = atomic_load(&barrier->round);
    if (atomic_fetch_add(&barrier->arrived, 1) + 1 == barrier->size) {
        atomic_store(&barrier->arrived, 0); /* before anyone can come again */
        pthread_mutex_lock(&barrier->lock);
        atomic_store(&barrier->round, round + 1);
        pthread_cond_broadcast(&barrier->met);
        pthread_mutex_unlock(&barrier->lock);
        return;
    }
    for (int i = 0; i < MM_SPINS; i++) {
        if (atomic_load(&barrier->round) != round)
            return;
        relax();
    }
    pthread_mutex_lock(&barrier->lock);
    while (atomic_load(&barrier->round) == round)
        pthread_cond_wait(&barrier->met, &barrier->lock);
    pthread_mutex_unlock(&barrier->lock);
}

void mm_barrier_destroy(mm_barrier *barrier) {
    pthread_mutex_destroy(&barrier->lock);
    pthread_cond_destroy(&barrier->met);
}
