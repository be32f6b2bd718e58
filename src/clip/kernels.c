/* kernels.c - picks the kernels for the CPU at hand. */
#include "clip/kernels.h"

#include "clip/kernels_table.h"

const mm_kernels *mm_kernels_at(size_t index) {
#if defined(__x86_64__)
    if (index == 1 && __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma"))
        return &mm_kernels_avx2;
    if (index == 2 && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
        __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl") &&
        __builtin_cpu_supports("fma"))
        return &mm_kernels_avx512;
#endif
    return index == 0 ? &mm_kernels_base : NULL;
}

const mm_kernels *mm_kernels_get(void) {
    const mm_kernels *best = &mm_kernels_base;
    for (size_t i = 1; mm_kernels_at(i); i++)
        best = mm_kernels_at(i);
    return best;
}

size_t mm_attention_scratch(size_t tokens, size_t head_size) {
    enum { WIDEST = 16, TILE_ROWS = 6 };
    size_t padded = (tokens + WIDEST - 1) / WIDEST * WIDEST;
    size_t head_padded = (head_size + WIDEST - 1) / WIDEST * WIDEST;
    return head_size * padded + tokens * head_padded + TILE_ROWS * (padded + head_padded);
}
