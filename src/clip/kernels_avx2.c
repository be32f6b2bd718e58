/* kernels_avx2.c - the kernels for x86 with AVX2 and FMA. */
#define MM_LANES 8
#define MM_KERNELS mm_kernels_avx2
#define MM_ATTENTION_BF16 NULL
#define MM_QUANTIZE NULL
#define MM_FINISH NULL
#include "clip/kernels_table.h"

#include "clip/kernels_body.h"
