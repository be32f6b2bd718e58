/* rows.h - results that must not depend on what was computed beside them. */
#ifndef TESTS_CLIP_ROWS_H
#define TESTS_CLIP_ROWS_H

#include "test.h"

#include "clip/onednn.h"

#include <math.h>

/* The same bits, or the same up to rounding where oneDNN promises no more. */
static inline void assert_same(const float *a, const float *b, size_t count, float absolute,
                               float relative) {
    if (mm_engine_is_exact())
        assert_memory_equal(a, b, count * sizeof *a);
    for (size_t i = 0; i < count; i++)
        assert_true(fabsf(a[i] - b[i]) <= absolute + relative * fabsf(b[i]));
}

/* Embeddings and features, which have unit length. In bf16 a different order of adding may round an
 * activation to its neighbour, 2^-8 away: in the smallest models, single numbers of features then
 * differ by up to 0.00101 (seen on AMX, before products were cut so that they add alike). */
static inline void assert_same_rows(const float *a, const float *b, size_t count,
                                    mmood_precision precision) {
    int bf16 = precision != MMOOD_PRECISION_F32;
    assert_same(a, b, count, bf16 ? 2e-3f : 1e-5f, 0);
}

#endif
