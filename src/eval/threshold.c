/* threshold.c - warnings about a threshold that flags nothing, or less than was asked for. */
#include "detect/calibrate.h"
#include "eval/run.h"

/* OOD pictures that could be read, and how many of them are below the threshold. */
static void count_flagged(size_t *pictures, size_t *flagged, const mm_evaluation *e,
                          double threshold) {
    *pictures = *flagged = 0;
    for (size_t s = 1; s < e->set_count; s++)
        for (size_t i = 0; i < e->sets[s].count; i++) {
            const mm_eval_item *item = &e->sets[s].items[i];
            *pictures += !item->error;
            *flagged += !item->error && item->scores[e->own] < threshold;
        }
}

mmood_status mm_eval_check_threshold(mm_evaluation *evaluation, mmood_error *error) {
    mmood_calibration_info calibration;
    char warning[512];
    size_t pictures, flagged;
    if (!mmood_detector_calibration(evaluation->detector, &calibration))
        return MMOOD_OK;
    mmood_status status = MMOOD_OK;
    if (mm_calibration_warning(warning, sizeof warning, evaluation->detector))
        status = mm_eval_warn(evaluation, error, "%s", warning);
    count_flagged(&pictures, &flagged, evaluation, calibration.threshold);
    if (status == MMOOD_OK && pictures > 0 && flagged == 0)
        status = mm_eval_warn(evaluation, error,
                              "the threshold, %.9g, flags none of the %zu pictures of the OOD sets",
                              calibration.threshold, pictures);
    return status;
}
