/* calibrate.h - what a calibration keeps, and its statistics as pure functions. */
#ifndef MM_DETECT_CALIBRATE_H
#define MM_DETECT_CALIBRATE_H

#include "mmood.h"

typedef struct mm_calibration {
    mmood_calibration_info info;
    double *scores;  /* [info.count], rising */
    uint8_t *hashes; /* [hash_count][32], rising */
    size_t hash_count;
} mm_calibration;

/* With room for its arrays, unset; NULL if memory is out. */
mm_calibration *mm_calibration_create(size_t count, size_t hash_count);
mm_calibration *mm_calibration_copy(const mm_calibration *calibration);
void mm_calibration_free(mm_calibration *calibration);

/* Sorts the scores and hashes, whose order means nothing, and fills in threshold, kept and interval
 * from keep; fails as mmood_detector_calibrate says. */
mmood_status mm_calibration_finish(mm_calibration *calibration, mmood_error *error);

/* How many of `count` scores have to reach a threshold that keeps the share `keep`: more than there
 * are if they are too few; and the least count that is enough. */
double mm_calibration_needed(size_t count, double keep);
double mm_calibration_least(double keep);

/* What is wrong with a calibrated detector's threshold, as a sentence without its end, to `out` of
 * `size` bytes: that it can flag nothing, or less than was asked for. 0 if there is nothing to say.
 */
int mm_calibration_warning(char *out, size_t size, const mmood_detector *detector);

/* (1 + the number of calibration scores <= score) / (count + 1). */
double mm_calibration_p_value(const mm_calibration *calibration, double score);

/* SHA-256 in hex of what besides the score settings and the model a threshold depends on. */
void mm_detector_hash_labels(char out[65], const mmood_detector *detector);
void mm_detector_hash_templates(char out[65], const mmood_detector *detector);

/* The x in 0 .. 1 with regularised incomplete beta function I_x(a, b) = p. */
double mm_beta_quantile(double p, double a, double b);

#endif
