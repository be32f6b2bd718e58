/* similarity.c - picks the loops for the CPU at hand, and packs labels for them. */
#include "detect/similarity.h"

#include "detect/similarity_table.h"

const mm_similarity *mm_similarity_at(size_t index) {
#if defined(__x86_64__)
    if (index == 1 && __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma"))
        return &mm_similarity_avx2;
    if (index == 2 && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512dq"))
        return &mm_similarity_avx512;
#endif
    return index == 0 ? &mm_similarity_base : NULL;
}

const mm_similarity *mm_similarity_get(void) {
    const mm_similarity *best = &mm_similarity_base;
    for (size_t i = 1; mm_similarity_at(i); i++)
        best = mm_similarity_at(i);
    return best;
}

size_t mm_panel_count(size_t labels) {
    return (labels + MM_PANEL - 1) / MM_PANEL;
}

void mm_panel_pack(float *out, const float *rows, size_t labels, size_t dimension) {
    for (size_t panel = 0; panel < mm_panel_count(labels); panel++)
        for (size_t lane = 0; lane < MM_PANEL; lane++) {
            size_t label = panel * MM_PANEL + lane;
            float *to = out + panel * dimension * MM_PANEL + lane;
            for (size_t d = 0; d < dimension; d++)
                to[d * MM_PANEL] = label < labels ? rows[label * dimension + d] : 0;
        }
}
