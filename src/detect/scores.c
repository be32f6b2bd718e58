/* scores.c - OOD scores from cosines, in double precision. Higher = in-distribution.
 *
 * mm-ood      Envisioning Outlier Exposure (Cao et al., ICML 2024; MM-OOD, arXiv 2601.14052): p =
 * softmax of s / T over ID and outlier labels, max p(ID) - beta * max p(outlier), T = 1, beta =
 * 0.25 mcm         Maximum Concept Matching (Ming et al., NeurIPS 2022): max softmax of s / T over
 * ID labels max-logit   the largest ID cosine (Hendrycks et al., ICML 2022) energy      T * log sum
 * exp(s / T) over ID labels (Liu et al., NeurIPS 2020), T = 0.01 */
#include "detect/scores.h"

#include "base/error.h"

#include <math.h>
#include <string.h>

static const struct {
    const char *name;
    double temperature;
} kinds[] = {
    [MMOOD_SCORE_MM_OOD] = {"mm-ood", 1},
    [MMOOD_SCORE_MCM] = {"mcm", 1},
    [MMOOD_SCORE_MAX_LOGIT] = {"max-logit", 1},
    [MMOOD_SCORE_ENERGY] = {"energy", 0.01},
};

enum { KINDS = sizeof kinds / sizeof *kinds };

mmood_score_settings mmood_score_settings_default(void) {
    mmood_score_settings settings = {MMOOD_SCORE_MM_OOD, 0, 0.25};
    return settings;
}

const char *mmood_score_name(mmood_score_kind kind) {
    return (unsigned)kind < KINDS ? kinds[kind].name : NULL;
}

mmood_status mmood_score_parse(mmood_score_kind *out, const char *name, mmood_error *error) {
    for (unsigned i = 0; i < KINDS; i++)
        if (strcmp(name, kinds[i].name) == 0) {
            *out = (mmood_score_kind)i;
            return MMOOD_OK;
        }
    if (strcmp(name, "eoe") == 0) {
        *out = MMOOD_SCORE_MM_OOD;
        return MMOOD_OK;
    }
    return mm_error_set(error, MMOOD_ERROR_ARGUMENT,
                        "unknown score \"%s\"; mm-ood, mcm, max-logit and energy are known", name);
}

double mm_score_temperature(const mmood_score_settings *settings) {
    return settings->temperature > 0 ? settings->temperature : kinds[settings->kind].temperature;
}

mmood_status mm_score_check(const mmood_score_settings *settings, mmood_error *error) {
    if ((unsigned)settings->kind >= KINDS)
        return mm_error_set(error, MMOOD_ERROR_ARGUMENT, "unknown kind of score %d",
                            (int)settings->kind);
    if (!isfinite(settings->temperature) || settings->temperature < 0 ||
        (settings->temperature > 0 && settings->temperature < 1e-4))
        return mm_error_set(
            error, MMOOD_ERROR_ARGUMENT,
            "the temperature is %g; a number from 0.0001 up is needed, or 0 for the "
            "score's own",
            settings->temperature);
    if (!isfinite(settings->beta) || settings->beta < 0)
        return mm_error_set(error, MMOOD_ERROR_ARGUMENT, "beta is %g; a number >= 0 is needed",
                            settings->beta);
    return MMOOD_OK;
}

size_t mm_argmax(const double *values, size_t count) {
    size_t best = 0;
    for (size_t i = 1; i < count; i++)
        if (values[i] > values[best])
            best = i;
    return best;
}

double mm_log_sum_exp(const double *s, size_t count, double t) {
    double best = s[mm_argmax(s, count)] / t, sum = 0;
    for (size_t i = 0; i < count; i++)
        sum += exp(s[i] / t - best);
    return best + log(sum);
}

mmood_status mmood_score_compute(double *out, const double *cosines, size_t id_count,
                                 size_t outlier_count, const mmood_score_settings *settings,
                                 mmood_error *error) {
    mmood_status status = mm_score_check(settings, error);
    if (status != MMOOD_OK)
        return status;
    if (id_count == 0)
        return mm_error_set(error, MMOOD_ERROR_ARGUMENT, "a score needs at least one ID label");
    for (size_t i = 0; i < id_count + outlier_count; i++)
        if (!isfinite(cosines[i]))
            return mm_error_set(error, MMOOD_ERROR_NUMERIC,
                                "cosine %zu is %g; finite ones are needed", i, cosines[i]);
    double t = mm_score_temperature(settings);
    double id = cosines[mm_argmax(cosines, id_count)];
    switch (settings->kind) {
    case MMOOD_SCORE_MM_OOD: {
        double all = mm_log_sum_exp(cosines, id_count + outlier_count, t);
        const double *outliers = cosines + id_count;
        double p_out =
            outlier_count ? exp(outliers[mm_argmax(outliers, outlier_count)] / t - all) : 0;
        *out = exp(id / t - all) - settings->beta * p_out;
        break;
    }
    case MMOOD_SCORE_MCM:
        *out = exp(id / t - mm_log_sum_exp(cosines, id_count, t));
        break;
    case MMOOD_SCORE_MAX_LOGIT:
        *out = id;
        break;
    case MMOOD_SCORE_ENERGY:
        *out = t * mm_log_sum_exp(cosines, id_count, t);
        break;
    }
    return MMOOD_OK;
}
