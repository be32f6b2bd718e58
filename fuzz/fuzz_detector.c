/* fuzz_detector.c - detector files on arbitrary bytes; one that opens is also used. */
#include "mmood.h"

#include <stdint.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Judges the picture whose embedding, and that of its only patch, is that of the first axis; what
 * opens must give numbers. */
static void use(const mmood_detector *detector) {
    mmood_detector_info info;
    mmood_detector_describe(detector, &info);
    const mmood_scorer_options options = {.top = 3, .threads = 1};
    float *embedding = calloc(info.dimension, sizeof *embedding);
    mmood_match matches[3];
    mmood_verdict verdict;
    const mmood_results out = {.verdicts = &verdict, .top = matches};
    mmood_scorer *scorer = NULL;
    mmood_error error;
    if (embedding) {
        embedding[0] = 1;
        if (mmood_scorer_create(&scorer, detector, &options, &error) != MMOOD_OK ||
            mmood_scorer_run(&out, scorer, embedding, embedding, 1, 1, &error) != MMOOD_OK ||
            verdict.score != verdict.score || verdict.label >= info.id_count ||
            (info.calibrated && !(verdict.p_value > 0 && verdict.p_value <= 1)))
            abort();
    }
    mmood_scorer_free(scorer);
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
