/* kernels.c - picks the kernels for the CPU at hand. */
#include "clip/kernels.h"

#include "clip/kernels_table.h"

const mm_kernels *mm_kernels_at(size_t index) {
#if defined(__x86_64__)
    if (index == MM_LEVEL_AVX2 && __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma"))
        return &mm_kernels_avx2;
    if (index == MM_LEVEL_AVX512 && __builtin_cpu_supports("avx512f") &&
        __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512dq") &&
        __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("fma"))
        return &mm_kernels_avx512;
    if (index == MM_LEVEL_AVX512_BF16 && mm_kernels_at(MM_LEVEL_AVX512) &&
        __builtin_cpu_supports("avx512bf16"))
        return &mm_kernels_avx512_bf16;
#endif
    return index == MM_LEVEL_BASE ? &mm_kernels_base : NULL;
}

const mm_kernels *mm_kernels_get(void) {
    const mm_kernels *best = &mm_kernels_base;
    for (size_t i = 1; i <= (size_t)mm_engine_level() && mm_kernels_at(i); i++)
        best = mm_kernels_at(i);
    return best;
}

const char *mm_kernels_name(const mm_kernels *kernels) {
    static const char *const names[] = {"plain C", "AVX2", "AVX-512", "AVX-512 with bf16"};
    size_t level = 0;
    while (mm_kernels_at(level) && mm_kernels_at(level) != kernels)
        level++;
    return level < sizeof names / sizeof *names ? names[level] : "";
}

static size_t most(size_t a, size_t b) {
    return a > b ? a : b;
}

size_t mm_attention_scratch(size_t tokens, size_t head_size) {
    size_t padded = (tokens + MM_MOST_LANES - 1) / MM_MOST_LANES * MM_MOST_LANES;
    size_t head_padded = (head_size + MM_MOST_LANES - 1) / MM_MOST_LANES * MM_MOST_LANES;
    size_t f32 = head_size * padded + tokens * head_padded + MM_TILE_ROWS * (padded + head_padded);
    /* in bf16 two numbers share a float's place, but all is padded to whole pairs of vectors */
    size_t head_pairs = (head_size + 2 * MM_MOST_LANES - 1) / (2 * MM_MOST_LANES) * MM_MOST_LANES;
    size_t bf16 = head_pairs * padded + padded * head_pairs +
                  MM_TILE_ROWS * (padded + padded + head_pairs + 2 * head_pairs);
    return most(f32, bf16);
}

size_t mm_depth_scratch(size_t side, size_t kernel) {
    return kernel * side * MM_MOST_LANES;
}
