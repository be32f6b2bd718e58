/* burst_avx512.c - register-only multiply-adds in f32, 16 lanes. */
#define BENCH_LANES 16
#define BENCH_BURST bench_burst_avx512
#include "burst_body.h"
