/* burst_base.c - register-only multiply-adds in f32, 4 lanes. */
#define BENCH_LANES 4
#define BENCH_BURST bench_burst_base
#include "burst_body.h"
