/* burst_vnni.c - register-only int8 dot products (AVX512-VNNI's vpdpbusd). */
#include "peak.h"

#include <immintrin.h>

enum { ROUNDS = 100000, CHAINS = 12 };

double bench_burst_vnni(void) {
    __m512i sums[CHAINS];
    __m512i x = _mm512_set1_epi8(3), y = _mm512_set1_epi8(-1);
    for (int c = 0; c < CHAINS; c++)
        sums[c] = _mm512_set1_epi32(c);
    for (int i = 0; i < ROUNDS; i++) {
#pragma GCC unroll 12
        for (int c = 0; c < CHAINS; c++)
            sums[c] = _mm512_dpbusd_epi32(sums[c], x, y);
        __asm__ volatile(""); /* the rounds are not folded into one */
    }
    for (int c = 1; c < CHAINS; c++)
        sums[0] = _mm512_add_epi32(sums[0], sums[c]);
    volatile int sink = _mm512_reduce_add_epi32(sums[0]);
    (void)sink;
    return 2.0 * ROUNDS * CHAINS * 64;
}
