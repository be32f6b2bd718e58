/* kernels_table.h - the tables that the kernels_*.c files define. */
#ifndef MM_CLIP_KERNELS_TABLE_H
#define MM_CLIP_KERNELS_TABLE_H

#include "clip/kernels.h"

extern const mm_kernels mm_kernels_base;
extern const mm_kernels mm_kernels_avx2;
extern const mm_kernels mm_kernels_avx512;
extern const mm_kernels mm_kernels_avx512_bf16;

#endif
