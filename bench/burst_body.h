/* burst_body.h - one burst of multiply-adds on vectors of BENCH_LANES floats, all in registers.
 * Included with BENCH_LANES and BENCH_BURST (the function's name) defined. */
#include "peak.h"

enum { ROUNDS = 100000, CHAINS = 12 };

typedef float vec __attribute__((vector_size(BENCH_LANES * 4)));

double BENCH_BURST(void) {
    vec sums[CHAINS], x = (vec){0} + 0.999f, y = (vec){0} + 0.001f;
    for (int c = 0; c < CHAINS; c++)
        sums[c] = (vec){0} + (float)c;
    for (int i = 0; i < ROUNDS; i++) {
#pragma GCC unroll 12
        for (int c = 0; c < CHAINS; c++)
            sums[c] = sums[c] * x + y;
        __asm__ volatile(""); /* the rounds are not folded into one */
    }
    for (int c = 1; c < CHAINS; c++)
        sums[0] += sums[c];
    volatile float sink = sums[0][0];
    (void)sink;
    return 2.0 * ROUNDS * CHAINS * BENCH_LANES;
}
