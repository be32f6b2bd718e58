/* kernels_avx512.c - the kernels for x86 with AVX-512 (F, BW, DQ, VL). */
#define MM_LANES 16
#define MM_KERNELS mm_kernels_avx512
#define MM_ATTENTION_BF16 NULL
#define MM_QUANTIZE quantize
#define MM_FINISH finish
#include "clip/int8_avx512.h"
#include "clip/kernels_table.h"

#include "clip/kernels_body.h"
