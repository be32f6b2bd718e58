/* rows.h - rows of embeddings: near to a reference, and independent of what is computed with them.
 */
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

/* `count` unit-length rows against a reference: the cosine, and in f32 every element too, within
 * `most`, which is stricter. */
static inline void assert_near_rows(const mmood_model *model, const char *what, const float *rows,
                                    const float *expected, size_t count, mmood_precision precision,
                                    double most) {
    mmood_model_info info;
    mmood_model_describe(model, &info);
    size_t dimension = (size_t)info.dimension;
    int f32 = precision == MMOOD_PRECISION_F32;
    double least = f32 ? 0.999999 : precision == MMOOD_PRECISION_BF16 ? 0.999 : 0.998;
    for (size_t i = 0; i < count; i++) {
        double dot = 0, a = 0, b = 0, off = 0;
        for (size_t d = 0; d < dimension; d++) {
            double x = (double)rows[i * dimension + d], y = (double)expected[i * dimension + d];
            dot += x * y;
            a += x * x;
            b += y * y;
            off = fmax(off, fabs(x - y));
        }
        assert_true(fabs(a - 1) < 1e-5);
        if (!(dot / sqrt(a * b) >= least) || (f32 && !(off <= most)))
            fail_msg("%s: %s %zu has the cosine %.8f to the reference and is off by %.2g; %.6f is "
                     "needed, and in f32 at most %g",
                     mmood_model_path(model), what, i, dot / sqrt(a * b), off, least, most);
    }
}

#endif
