/* burst_bf16.c - register-only bf16 dot products (AVX512-BF16's vdpbf16ps). */
#include "peak.h"

#include <immintrin.h>

enum { ROUNDS = 100000, CHAINS = 12 };

double bench_burst_bf16(void) {
    __m512 sums[CHAINS];
    __m512bh x = _mm512_cvtne2ps_pbh(_mm512_set1_ps(0.5f), _mm512_set1_ps(-0.5f));
    for (int c = 0; c < CHAINS; c++)
        sums[c] = _mm512_set1_ps((float)c);
    for (int i = 0; i < ROUNDS; i++) {
#pragma GCC unroll 12
        for (int c = 0; c < CHAINS; c++)
            sums[c] = _mm512_dpbf16_ps(sums[c], x, x);
        __asm__ volatile(""); /* the rounds are not folded into one */
    }
    for (int c = 1; c < CHAINS; c++)
        sums[0] = _mm512_add_ps(sums[0], sums[c]);
    volatile float sink = _mm512_reduce_add_ps(sums[0]);
    (void)sink;
    return 2.0 * ROUNDS * CHAINS * 32;
}
