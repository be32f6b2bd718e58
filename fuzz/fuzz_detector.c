/* fuzz_detector.c - detector files on arbitrary bytes; one that opens is also used. */
#include "mmood.h"

#include <stdint.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Judges the picture whose embedding is that of the first axis; what opens must give numbers. */
static void use(const mmood_detector *detector) {
    mmood_detector_info info;
    mmood_detector_describe(detector, &info);
    size_t labels = info.id_count + info.outlier_count, count = 3;
    double *cosines = calloc(labels, sizeof *cosines);
    float *embedding = calloc(info.dimension, sizeof *embedding);
    mmood_match matches[3];
    mmood_verdict verdict;
    mmood_error error;
    if (cosines && embedding) {
        embedding[0] = 1;
        if (mmood_detector_cosines(cosines, detector, embedding, &error) != MMOOD_OK ||
            mmood_detector_judge(&verdict, detector, cosines, NULL, &error) != MMOOD_OK ||
            mmood_detector_rank(matches, &count, detector, cosines, &error) != MMOOD_OK ||
            verdict.score != verdict.score || verdict.label >= info.id_count || count > labels)
            abort();
    }
    free(cosines);
    free(embedding);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    mmood_detector *detector;
    mmood_error error;
    if (mmood_detector_parse(&detector, data, size, &error) == MMOOD_OK) {
        use(detector);
        mmood_detector_free(detector);
    }
    return 0;
}
