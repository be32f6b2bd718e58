/* detector.c - what a detector says about an embedding: cosines, the best labels, a verdict. */
#include "detect/detector.h"

#include "base/error.h"
#include "detect/scores.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

mmood_detector *mm_detector_create(size_t count, size_t id_count, size_t dimension,
                                   size_t template_count) {
    mmood_detector *detector = calloc(1, sizeof *detector);
    if (!detector)
        return NULL;
    detector->count = count;
    detector->id_count = id_count;
    detector->dimension = dimension;
    detector->template_count = template_count;
    if (count <= SIZE_MAX / sizeof(float) / dimension)
        detector->embeddings = malloc(count * dimension * sizeof(float));
    detector->labels = calloc(count, sizeof(char *));
    detector->sources = calloc(count, sizeof(char *));
    detector->templates = calloc(template_count, sizeof(char *));
    if (!detector->embeddings || !detector->labels || !detector->sources || !detector->templates) {
        mmood_detector_free(detector);
        return NULL;
    }
    return detector;
}

void mmood_detector_free(mmood_detector *detector) {
    if (!detector)
        return;
    for (size_t i = 0; detector->labels && i < detector->count; i++)
        free(detector->labels[i]);
    for (size_t i = 0; detector->sources && i < detector->count; i++)
        free(detector->sources[i]);
    for (size_t i = 0; detector->templates && i < detector->template_count; i++)
        free(detector->templates[i]);
    free(detector->labels);
    free(detector->sources);
    free(detector->templates);
    free(detector->embeddings);
    free(detector->model_path);
    free(detector->model_fingerprint);
    free(detector);
}

void mmood_detector_describe(const mmood_detector *detector, mmood_detector_info *out) {
    memset(out, 0, sizeof *out);
    out->dimension = detector->dimension;
    out->id_count = detector->id_count;
    out->outlier_count = detector->count - detector->id_count;
    out->template_count = detector->template_count;
    out->score = detector->score;
    out->score.temperature = mm_score_temperature(&detector->score);
    out->threshold = NAN;
    out->model_path = detector->model_path;
    out->model_fingerprint = detector->model_fingerprint;
    out->precision = detector->precision;
}

const char *mmood_detector_label(const mmood_detector *detector, size_t index) {
    return detector->labels[index];
}

const char *mmood_detector_source(const mmood_detector *detector, size_t index) {
    return detector->sources[index];
}

const char *mmood_detector_template(const mmood_detector *detector, size_t index) {
    return detector->templates[index];
}

mmood_status mmood_detector_check_model(const mmood_detector *detector, const mmood_model *model,
                                        mmood_error *error) {
    mmood_model_info info;
    mmood_model_describe(model, &info);
    if (strcmp(info.fingerprint, detector->model_fingerprint) == 0)
        return MMOOD_OK;
    return mm_error_set(
        error, MMOOD_ERROR_MISMATCH,
        "the detector was built with another model (%.12s..., from \"%s\") than the one "
        "given (%.12s..., \"%s\"); weights, config and preprocessing must be the same: "
        "use that model, or build the detector again",
        detector->model_fingerprint, detector->model_path, info.fingerprint,
        mmood_model_path(model));
}

mmood_status mmood_detector_cosines(double *out, const mmood_detector *detector,
                                    const float *embedding, mmood_error *error) {
    for (size_t d = 0; d < detector->dimension; d++)
        if (!isfinite(embedding[d]))
            return mm_error_set(error, MMOOD_ERROR_NUMERIC,
                                "the picture's embedding holds %g at position %zu",
                                (double)embedding[d], d);
    for (size_t i = 0; i < detector->count; i++) {
        const float *row = detector->embeddings + i * detector->dimension;
        double sum = 0;
        for (size_t d = 0; d < detector->dimension; d++)
            sum += (double)row[d] * (double)embedding[d];
        out[i] = sum;
    }
    return MMOOD_OK;
}

mmood_status mmood_detector_judge(mmood_verdict *out, const mmood_detector *detector,
                                  const double *cosines, const mmood_score_settings *settings,
                                  mmood_error *error) {
    size_t outliers = detector->count - detector->id_count;
    memset(out, 0, sizeof *out);
    mmood_status status = mmood_score_compute(&out->score, cosines, detector->id_count, outliers,
                                              settings ? settings : &detector->score, error);
    if (status != MMOOD_OK)
        return status;
    out->threshold = NAN;
    out->p_value = NAN;
    out->label = mm_argmax(cosines, detector->id_count);
    out->outlier = SIZE_MAX;
    out->is_id = 1;
    if (outliers > 0) {
        out->outlier = detector->id_count + mm_argmax(cosines + detector->id_count, outliers);
        out->is_id = cosines[out->label] >= cosines[out->outlier];
    }
    return MMOOD_OK;
}

mmood_status mmood_detector_rank(mmood_match *out, size_t *count, const mmood_detector *detector,
                                 const double *cosines, mmood_error *error) {
    double t = mm_score_temperature(&detector->score);
    if (*count > detector->count)
        *count = detector->count;
    char *taken = calloc(detector->count, 1);
    if (!taken)
        return mm_error_set(error, MMOOD_ERROR_MEMORY, "no memory to rank %zu labels",
                            detector->count);
    double all = mm_log_sum_exp(cosines, detector->count, t);
    for (size_t n = 0; n < *count; n++) {
        size_t best = SIZE_MAX;
        for (size_t i = 0; i < detector->count; i++)
            if (!taken[i] && (best == SIZE_MAX || cosines[i] > cosines[best]))
                best = i;
        taken[best] = 1;
        out[n] = (mmood_match){best, cosines[best], exp(cosines[best] / t - all)};
    }
    free(taken);
    return MMOOD_OK;
}
