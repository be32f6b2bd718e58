/* detector_prune.c - a detector without the outlier labels that mean nearly what an ID label does.
 */
#include "base/error.h"
#include "detect/detector.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Unit vectors in float: the cosine of a vector with itself may be this much over 1. */
static const double ROUNDING = 1e-6;

/* For each outlier label the largest cosine with an ID label, and which. */
static mmood_status find_nearest(double *nearest, size_t *id, const mmood_detector *d,
                                 mmood_error *error) {
    double *cosines = malloc(d->count * sizeof *cosines);
    mmood_status status =
        cosines ? MMOOD_OK
                : mm_error_set(error, MMOOD_ERROR_MEMORY, "no memory for %zu cosines", d->count);
    for (size_t k = 0; k < d->id_count && status == MMOOD_OK; k++) {
        status = mmood_detector_cosines(cosines, d, d->embeddings + k * d->dimension, error);
        for (size_t i = d->id_count; i < d->count && status == MMOOD_OK; i++)
            if (k == 0 || cosines[i] > nearest[i - d->id_count]) {
                nearest[i - d->id_count] = cosines[i];
                id[i - d->id_count] = k;
            }
    }
    free(cosines);
    return status;
}

/* Takes the too similar ones out of a detector of one's own. */
static void compact(mmood_detector *d, const double *nearest, const size_t *id, double limit,
                    mmood_detector_dropped *dropped, void *context) {
    size_t kept = d->id_count;
    for (size_t i = d->id_count; i < d->count; i++) {
        size_t n = i - d->id_count;
        if (nearest[n] > limit + ROUNDING) {
            if (dropped)
                dropped(context, d->labels[i], d->labels[id[n]], nearest[n]);
            free(d->labels[i]);
            free(d->sources[i]);
            continue;
        }
        d->labels[kept] = d->labels[i];
        d->sources[kept] = d->sources[i];
        d->own[kept] = d->own[i];
        memmove(d->embeddings + kept * d->dimension, d->embeddings + i * d->dimension,
                d->dimension * sizeof *d->embeddings);
        kept++;
    }
    d->count = kept;
}

mmood_status mmood_detector_prune(mmood_detector **out, const mmood_detector *detector,
                                  double max_similarity, mmood_detector_dropped *dropped,
                                  void *context, mmood_error *error) {
    *out = NULL;
    if (!(max_similarity > -1 && max_similarity <= 1))
        return mm_error_set(error, MMOOD_ERROR_ARGUMENT,
                            "the largest similarity is %g, expected a cosine over -1 up to 1",
                            max_similarity);
    if (detector->calibration)
        return mm_error_set(error, MMOOD_ERROR_ARGUMENT,
                            "the detector is calibrated for all its labels; prune it before");
    size_t outliers = detector->count - detector->id_count;
    double *nearest = malloc((outliers + 1) * sizeof *nearest);
    size_t *id = malloc((outliers + 1) * sizeof *id);
    mmood_detector *copy = mm_detector_copy(detector);
    mmood_status status = MMOOD_OK;
    if (!nearest || !id || !copy)
        status = mm_error_set(error, MMOOD_ERROR_MEMORY, "no memory for a detector's copy");
    if (status == MMOOD_OK)
        status = find_nearest(nearest, id, detector, error);
    if (status == MMOOD_OK)
        compact(copy, nearest, id, max_similarity, dropped, context);
    if (status == MMOOD_OK && copy->count == copy->id_count && outliers > 0 &&
        mmood_score_needs_outliers(copy->score.kind))
        status = mm_error_set(error, MMOOD_ERROR_ARGUMENT,
                              "all %zu outlier labels have a cosine over %g to an ID label, and %s "
                              "needs some",
                              outliers, max_similarity, mmood_score_name(copy->score.kind));
    free(nearest);
    free(id);
    if (status == MMOOD_OK)
        *out = copy;
    else
        mmood_detector_free(copy);
    return status;
}
