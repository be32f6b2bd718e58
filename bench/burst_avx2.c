/* burst_avx2.c - register-only multiply-adds in f32, 8 lanes. */
#define BENCH_LANES 8
#define BENCH_BURST bench_burst_avx2
#include "burst_body.h"
