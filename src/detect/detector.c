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
    detector->own = calloc(count, sizeof *detector->own);
    if (!detector->embeddings || !detector->labels || !detector->sources || !detector->templates ||
        !detector->own) {
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
    mm_template_sets_free(&detector->own_templates);
    free(detector->own);
    free(detector->embeddings);
    free(detector->model_path);
    free(detector->model_fingerprint);
    mm_calibration_free(detector->calibration);
    free(detector);
}

/* Copies texts; 0 if memory is out. */
static int copy_texts(char **out, char *const *texts, size_t count) {
    int ok = 1;
    for (size_t i = 0; i < count; i++)
        ok = (out[i] = strdup(texts[i])) != NULL && ok;
    return ok;
}

mmood_detector *mm_detector_copy(const mmood_detector *detector) {
    mmood_detector *copy = mm_detector_create(detector->count, detector->id_count,
                                              detector->dimension, detector->template_count);
    if (!copy)
        return NULL;
    memcpy(copy->embeddings, detector->embeddings,
           copy->count * copy->dimension * sizeof *copy->embeddings);
    int ok = copy_texts(copy->labels, detector->labels, copy->count) &&
             copy_texts(copy->sources, detector->sources, copy->count) &&
             copy_texts(copy->templates, detector->templates, copy->template_count) &&
             copy_texts(&copy->model_path, &detector->model_path, 1) &&
             copy_texts(&copy->model_fingerprint, &detector->model_fingerprint, 1) &&
             mm_template_sets_copy(&copy->own_templates, &detector->own_templates);
    memcpy(copy->own, detector->own, copy->count * sizeof *copy->own);
    copy->score = detector->score;
    copy->precision = detector->precision;
    if (detector->calibration)
        ok = (copy->calibration = mm_calibration_copy(detector->calibration)) != NULL && ok;
    if (!ok) {
        mmood_detector_free(copy);
        return NULL;
    }
    return copy;
}

void mmood_detector_describe(const mmood_detector *detector, mmood_detector_info *out) {
    memset(out, 0, sizeof *out);
    out->dimension = detector->dimension;
    out->id_count = detector->id_count;
    out->outlier_count = detector->count - detector->id_count;
    out->template_count = detector->template_count;
    out->score = detector->score;
    out->score.temperature = mmood_score_temperature(&detector->score);
    out->score.groups = (uint32_t)mm_score_groups(&detector->score, out->outlier_count);
    out->calibrated = detector->calibration != NULL;
    out->threshold = detector->calibration ? detector->calibration->info.threshold : NAN;
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

const char *mmood_detector_label_template(const mmood_detector *detector, size_t label,
                                          size_t number) {
    const mm_template_set *own =
        mm_template_sets_get(&detector->own_templates, detector->own[label]);
    if (own)
        return number < own->count ? own->items[number] : NULL;
    return number < detector->template_count ? detector->templates[number] : NULL;
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

void mm_detector_decide(mmood_verdict *out, const mmood_detector *detector, const double *cosines,
                        double score, int calibrated) {
    size_t outliers = detector->count - detector->id_count;
    *out = (mmood_verdict){.is_id = 1,
                           .score = score,
                           .threshold = NAN,
                           .p_value = NAN,
                           .label = mm_argmax(cosines, detector->id_count),
                           .outlier = SIZE_MAX,
                           .outlier_cosine = NAN};
    out->label_cosine = cosines[out->label];
    if (outliers > 0) {
        out->outlier = detector->id_count + mm_argmax(cosines + detector->id_count, outliers);
        out->outlier_cosine = cosines[out->outlier];
        out->is_id = out->label_cosine >= out->outlier_cosine;
    }
    if (calibrated && detector->calibration) {
        out->calibrated = 1;
        out->threshold = detector->calibration->info.threshold;
        out->p_value = mm_calibration_p_value(detector->calibration, score);
        out->is_id = score >= out->threshold;
    }
}

mmood_status mmood_detector_judge(mmood_verdict *out, const mmood_detector *detector,
                                  const double *cosines, const mmood_score_settings *settings,
                                  mmood_error *error) {
    double score = 0;
    mmood_status status = mmood_score_compute(&score, cosines, detector->id_count,
                                              detector->count - detector->id_count,
                                              settings ? settings : &detector->score, error);
    if (status == MMOOD_OK)
        mm_detector_decide(out, detector, cosines, score, settings == NULL);
    return status;
}

void mm_detector_best(mmood_match *out, size_t count, const mmood_detector *detector,
                      const double *cosines) {
    size_t have = 0;
    if (count == 0)
        return;
    for (size_t i = 0; i < detector->count; i++) {
        if (have == count && cosines[i] <= out[count - 1].cosine)
            continue;
        size_t at = have < count ? have++ : count - 1; /* a place, then up past smaller ones */
        for (; at > 0 && out[at - 1].cosine < cosines[i]; at--)
            out[at] = out[at - 1];
        out[at] = (mmood_match){.label = i, .cosine = cosines[i]};
    }
    double t = mmood_score_temperature(&detector->score);
    double all = mm_log_sum_exp(cosines, detector->count, t);
    for (size_t n = 0; n < count; n++)
        out[n].probability = exp(out[n].cosine / t - all);
}

mmood_status mmood_detector_rank(mmood_match *out, size_t *count, const mmood_detector *detector,
                                 const double *cosines, mmood_error *error) {
    for (size_t i = 0; i < detector->count; i++)
        if (!isfinite(cosines[i]))
            return mm_error_set(error, MMOOD_ERROR_NUMERIC,
                                "cosine %zu is %g; finite ones are needed", i, cosines[i]);
    if (*count > detector->count)
        *count = detector->count;
    mm_detector_best(out, *count, detector, cosines);
    return MMOOD_OK;
}
