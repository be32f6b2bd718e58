/* made.h - detectors of random embeddings, for tests that need no model. */
#ifndef MM_TESTS_DETECT_MADE_H
#define MM_TESTS_DETECT_MADE_H

#include "detect/detector.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

static inline void made_units(float *out, size_t rows, size_t dimension, uint32_t seed) {
    for (size_t i = 0; i < rows; i++) {
        float *row = out + i * dimension;
        double squares = 0;
        for (size_t d = 0; d < dimension; d++) {
            seed = seed * 1664525u + 1013904223u;
            row[d] = (float)(seed >> 8) / 16777216.0f - 0.4f;
            squares += (double)row[d] * (double)row[d];
        }
        for (size_t d = 0; d < dimension; d++)
            row[d] = (float)((double)row[d] / sqrt(squares));
    }
}

/* Labels "l0", "l1", ...; the caller frees it. */
static inline mmood_detector *made_detector(size_t ids, size_t outliers, size_t dimension) {
    mmood_detector *detector = mm_detector_create(ids + outliers, ids, dimension, 1);
    assert_non_null(detector);
    made_units(detector->embeddings, ids + outliers, dimension, 99);
    for (size_t i = 0; i < ids + outliers; i++) {
        char name[32];
        snprintf(name, sizeof name, "l%zu", i);
        detector->labels[i] = strdup(name);
        detector->sources[i] = strdup("");
    }
    detector->templates[0] = strdup("a photo of a {}");
    detector->score = mmood_score_settings_default();
    detector->model_path = strdup("model");
    detector->model_fingerprint =
        strdup("0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef");
    detector->precision = MMOOD_PRECISION_F32;
    return detector;
}

#endif
