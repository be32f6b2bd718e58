/* peak.h - how many FLOP/s this machine can do at most: multiply-adds on registers only, without a
 * single load. What a benchmark reaches is given as a share of it, measured in the same run. */
#ifndef MM_BENCH_PEAK_H
#define MM_BENCH_PEAK_H

/* FLOP/s of `threads` threads together, with the fastest instruction for it that the CPU has (AMX,
 * AVX-512, AVX2); 0 if it has none. */
double bench_peak_f32(int threads);
double bench_peak_bf16(int threads);
double bench_peak_int8(int threads);

/* Runs some multiply-adds on registers and returns how many FLOPs that was. */
typedef double bench_burst(void);
bench_burst bench_burst_base, bench_burst_avx2, bench_burst_avx512, bench_burst_bf16,
    bench_burst_vnni, bench_burst_amx_bf16, bench_burst_amx_int8;

/* 1 if this process may use AMX's tiles; asks the system for them. */
int bench_amx_allowed(void);

/* Seconds of a clock that never goes back. */
double bench_now(void);

#endif
