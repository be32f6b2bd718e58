/* peaks.c - what the machine's registers can do at most, for bench/compare.
 *   bench_peaks [THREADS]
 * Prints FLOP/s in f32, bf16 and int8, one a line; 0 where the CPU has no such instruction. */
#include "peak.h"

#include <stdio.h>
#include <stdlib.h>

int main(int argc, char **argv) {
    int threads = argc > 1 ? atoi(argv[1]) : 1;
    if (threads < 1)
        return 2;
    printf("f32 %.0f\n", bench_peak_f32(threads));
    printf("bf16 %.0f\n", bench_peak_bf16(threads));
    printf("int8 %.0f\n", bench_peak_int8(threads));
    return 0;
}
