/* detector.h - a detector inside the library: label embeddings with what they mean. */
#ifndef MM_DETECT_DETECTOR_H
#define MM_DETECT_DETECTOR_H

#include "detect/calibrate.h"
#include "detect/template_sets.h"
#include "mmood.h"

struct mmood_detector {
    size_t dimension;
    size_t id_count; /* labels 0 .. id_count are ID, the rest outliers */
    size_t count;
    float *embeddings; /* [count, dimension], rows of unit length */
    char **labels;     /* [count] */
    char **sources;    /* [count], never NULL */
    size_t template_count;
    char **templates;
    mm_template_sets own_templates; /* of labels that do not use those above */
    size_t *own;                    /* [count], the number of a label's own list; 0: it has none */
    mmood_score_settings score;
    char *model_path;
    char *model_fingerprint;
    mmood_precision precision;
    mm_calibration *calibration; /* NULL: uncalibrated */
};

/* A detector with room for its arrays; embeddings are not set. NULL if memory is out. */
mmood_detector *mm_detector_create(size_t count, size_t id_count, size_t dimension,
                                   size_t template_count);

/* A copy that shares nothing; NULL if memory is out. */
mmood_detector *mm_detector_copy(const mmood_detector *detector);

/* Fills in what a verdict says beside the score: labels, threshold, p-value. `calibrated` 0: as if
 * there were no calibration. */
void mm_detector_decide(mmood_verdict *out, const mmood_detector *detector, const double *cosines,
                        double score, int calibrated);

/* The `count` <= labels most similar labels, best first, ties by index. */
void mm_detector_best(mmood_match *out, size_t count, const mmood_detector *detector,
                      const double *cosines);

/* Unicode's case folding of `text`, valid UTF-8, in memory that the caller frees; NULL if memory is
 * out. Labels with equal foldings are the same: CLIP's tokenizer does not see cases. */
char *mm_fold_case(const char *text);

#endif
