/* worker.h - the talk between bench/compare/run.py and the programs it compares that are written in
 * C. Each peer is a process that has its model loaded and waits for its turn, so that turns can
 * alternate and the memory of one is not another's. bench/compare/worker.py does the same.
 *
 * The program says "ready LOAD_SECONDS PEAK_KIB", then answers lines on standard input:
 *   run N SECONDS   embeds the first N items again and again, for SECONDS at least, after one
 *                   warm-up when N is new; answers "ITEMS ELAPSED PEAK_KIB"
 *   write N PATH    embeds the first N items into a file of floats; answers "ok DIMENSION PEAK_KIB"
 */
#ifndef MM_BENCH_WORKER_H
#define MM_BENCH_WORKER_H

#include <stddef.h>

typedef struct bench_worker {
    size_t count;     /* items there are */
    size_t dimension; /* of an embedding */
    /* Unit-length embeddings of the first `n` items to out [n, dimension]; 0 if it failed, having
     * said why on stderr. */
    int (*embed)(struct bench_worker *self, size_t n, float *out);
    void *state;
} bench_worker;

/* Seconds of a clock that never goes back. */
double bench_worker_now(void);

/* Answers until standard input ends; `started` is when loading began. Returns an exit code. */
int bench_worker_serve(bench_worker *worker, double started);

/* The lines of a file, with their ends cut off; NULL if it cannot be read. Never freed. */
char **bench_worker_lines(const char *path, size_t *count);

/* `size` bytes of a file at most; NULL if it cannot be read. Never freed. */
void *bench_worker_bytes(const char *path, size_t *size);

#endif
