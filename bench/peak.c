/* peak.c - runs register-only bursts on several threads for a fixed time. */
#include "peak.h"

#include <pthread.h>
#include <stddef.h>
#include <time.h>
#if defined(__x86_64__)
#include <cpuid.h>
#endif

enum { BENCH_MAX_THREADS = 256 };

double bench_now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

typedef struct runner {
    pthread_t thread;
    bench_burst *burst;
    double end;
    double flops;
} runner;

static void *run(void *argument) {
    runner *self = argument;
    while (bench_now() < self->end)
        self->flops += self->burst();
    return NULL;
}

/* The best of several rounds: other programs can only slow a round down. */
static double measure(bench_burst *burst, int threads) {
    static const double round = 0.25;
    double best = 0;
    if (threads > BENCH_MAX_THREADS)
        threads = BENCH_MAX_THREADS;
    for (int i = 0; i < 6; i++) {
        runner runners[BENCH_MAX_THREADS];
        double begin = bench_now(), flops = 0;
        for (int t = 0; t < threads; t++) {
            runners[t] = (runner){.burst = burst, .end = begin + round};
            if (pthread_create(&runners[t].thread, NULL, run, &runners[t]) != 0)
                return 0;
        }
        for (int t = 0; t < threads; t++) {
            pthread_join(runners[t].thread, NULL);
            flops += runners[t].flops;
        }
        double rate = flops / (bench_now() - begin);
        best = rate > best ? rate : best;
    }
    return best;
}

#if defined(__x86_64__)
/* Bits of leaf 7's edx, which compilers' __builtin_cpu_supports does not know yet. */
enum { AMX_BF16 = 1 << 22, AMX_INT8 = 1 << 25 };

static int has_amx(unsigned kind) {
    unsigned a, b, c, d;
    return __get_cpuid_count(7, 0, &a, &b, &c, &d) && (d & kind) && bench_amx_allowed();
}
#endif

double bench_peak_f32(int threads) {
#if defined(__x86_64__)
    if (__builtin_cpu_supports("avx512f"))
        return measure(bench_burst_avx512, threads);
    if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma"))
        return measure(bench_burst_avx2, threads);
#endif
    return measure(bench_burst_base, threads);
}

double bench_peak_bf16(int threads) {
#if defined(__x86_64__)
    if (has_amx(AMX_BF16))
        return measure(bench_burst_amx_bf16, threads);
    if (__builtin_cpu_supports("avx512bf16"))
        return measure(bench_burst_bf16, threads);
#endif
    (void)threads;
    return 0;
}

double bench_peak_int8(int threads) {
#if defined(__x86_64__)
    if (has_amx(AMX_INT8))
        return measure(bench_burst_amx_int8, threads);
    if (__builtin_cpu_supports("avx512vnni"))
        return measure(bench_burst_vnni, threads);
#endif
    (void)threads;
    return 0;
}
