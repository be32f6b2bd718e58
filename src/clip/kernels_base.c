/* kernels_base.c - the kernels for any CPU of this architecture (SSE2, NEON). */
#define MM_LANES 4
#define MM_KERNELS mm_kernels_base
#define MM_ATTENTION_BF16 NULL
#define MM_QUANTIZE NULL
#define MM_FINISH NULL
#include "clip/kernels_table.h"

#include "clip/kernels_body.h"
