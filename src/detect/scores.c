/* scores.c - OOD scores from cosines, in double precision. Higher = in-distribution. p are softmax
 * probabilities of s / T, lse is the logarithm of a sum of exponentials.
 *
 * mm-ood          max p(ID) - beta max p(outlier), p over all labels (EOE, Cao et al., ICML 2024;
 *                 MM-OOD, arXiv 2601.14052)
 * mcm             max p over the ID labels alone (Ming et al., NeurIPS 2022)
 * max-logit       max s(ID) (Hendrycks et al., ICML 2022)
 * energy          T lse(s(ID) / T) (Liu et al., NeurIPS 2020)
 * msp, sum        max and sum of p(ID), p over all labels
 * energy-diff     T lse(s(ID) / T) - T lse(s(outlier) / T)
 * max-logit-diff  max s(ID) - max s(outlier)
 * max             mcm, but 1 / K when the most similar label is an outlier (these five: baselines
 *                 in the code of EOE)
 * neglabel        mean over groups of outliers of the sum of p(ID), p over ID and the group (Jiang
 *                 et al., ICLR 2024)
 * csp             the same formula, on CSP's bank of labels (Chen et al., NeurIPS 2024)
 * gl-mcm          mcm + lambda max over patches of their mcm (Miyai et al., IJCV 2025) */
#include "detect/scores.h"

#include "base/error.h"
#include "base/random.h"
#include "detect/similarity.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

static const struct {
    const char *name;
    double temperature;
    int needs_outliers;
} kinds[MM_SCORE_KINDS] = {
    [MMOOD_SCORE_MM_OOD] = {"mm-ood", 1, 0},
    [MMOOD_SCORE_MCM] = {"mcm", 1, 0},
    [MMOOD_SCORE_MAX_LOGIT] = {"max-logit", 1, 0},
    [MMOOD_SCORE_ENERGY] = {"energy", 0.01, 0},
    [MMOOD_SCORE_MSP] = {"msp", 1, 0},
    [MMOOD_SCORE_SUM] = {"sum", 0.01, 1},
    [MMOOD_SCORE_ENERGY_DIFF] = {"energy-diff", 0.01, 1},
    [MMOOD_SCORE_MAX_LOGIT_DIFF] = {"max-logit-diff", 1, 1},
    [MMOOD_SCORE_MAX] = {"max", 1, 0},
    [MMOOD_SCORE_NEGLABEL] = {"neglabel", 0.01, 1},
    [MMOOD_SCORE_GL_MCM] = {"gl-mcm", 1, 0},
    [MMOOD_SCORE_CSP] = {"csp", 0.01, 1},
};

static const char names[] = "mm-ood (or eoe), mcm, max-logit, energy, msp, sum, energy-diff, "
                            "max-logit-diff, max, neglabel, gl-mcm and csp";

mmood_score_settings mmood_score_settings_default(void) {
    mmood_score_settings settings = {
        .kind = MMOOD_SCORE_MM_OOD, .beta = 0.25, .lambda = 0.5, .groups = 100};
    return settings;
}

const char *mmood_score_name(mmood_score_kind kind) {
    return (unsigned)kind < MM_SCORE_KINDS ? kinds[kind].name : NULL;
}

int mmood_score_needs_outliers(mmood_score_kind kind) {
    return (unsigned)kind < MM_SCORE_KINDS && kinds[kind].needs_outliers;
}

int mmood_score_needs_patches(mmood_score_kind kind) {
    return kind == MMOOD_SCORE_GL_MCM;
}

int mmood_score_uses_outliers(mmood_score_kind kind) {
    return mmood_score_needs_outliers(kind) || kind == MMOOD_SCORE_MM_OOD ||
           kind == MMOOD_SCORE_MSP || kind == MMOOD_SCORE_MAX;
}

mmood_status mmood_score_parse(mmood_score_kind *out, const char *name, mmood_error *error) {
    for (unsigned i = 0; i < MM_SCORE_KINDS; i++)
        if (strcasecmp(name, kinds[i].name) == 0) {
            *out = (mmood_score_kind)i;
            return MMOOD_OK;
        }
    if (strcasecmp(name, "eoe") == 0) {
        *out = MMOOD_SCORE_MM_OOD;
        return MMOOD_OK;
    }
    return mm_error_set(error, MMOOD_ERROR_ARGUMENT, "unknown score \"%s\"; %s are known", name,
                        names);
}

double mmood_score_temperature(const mmood_score_settings *settings) {
    return settings->temperature > 0 ? settings->temperature : kinds[settings->kind].temperature;
}

size_t mm_score_groups(const mmood_score_settings *settings, size_t outlier_count) {
    size_t groups = settings->groups > 0 ? settings->groups : 100;
    return groups < outlier_count ? groups : outlier_count;
}

double mm_score_lowest(const mmood_score_settings *settings, size_t id_count,
                       size_t outlier_count) {
    /* The largest of K probabilities is at least 1 / K. */
    double ids = (double)id_count;
    switch (settings->kind) {
    case MMOOD_SCORE_MCM:
    case MMOOD_SCORE_MAX: /* which is 1 / K when an outlier label is the most similar one */
        return 1 / ids;
    case MMOOD_SCORE_GL_MCM:
        return (1 + settings->lambda) / ids;
    case MMOOD_SCORE_MM_OOD:
    case MMOOD_SCORE_MSP:
        return outlier_count == 0 ? 1 / ids : -INFINITY;
    case MMOOD_SCORE_MAX_LOGIT:
    case MMOOD_SCORE_ENERGY:
    case MMOOD_SCORE_SUM:
    case MMOOD_SCORE_ENERGY_DIFF:
    case MMOOD_SCORE_MAX_LOGIT_DIFF:
    case MMOOD_SCORE_NEGLABEL:
    case MMOOD_SCORE_CSP:
        break;
    }
    return -INFINITY;
}

int mm_score_is_grouped(mmood_score_kind kind) {
    return kind == MMOOD_SCORE_NEGLABEL || kind == MMOOD_SCORE_CSP;
}

mmood_status mm_score_check(const mmood_score_settings *settings, mmood_error *error) {
    if ((unsigned)settings->kind >= MM_SCORE_KINDS)
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
    if (!isfinite(settings->lambda) || settings->lambda < 0)
        return mm_error_set(error, MMOOD_ERROR_ARGUMENT, "lambda is %g; a number >= 0 is needed",
                            settings->lambda);
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
    const mm_similarity *loops = mm_similarity_get();
    double best = loops->maximum(s, count);
    return best / t + log(loops->sum_exp(s, count, best, 1 / t));
}

/* ---- Groups of outliers -------------------------------------------------------------------- */

void mm_score_deal(uint32_t *group, size_t count, size_t groups, uint32_t seed) {
    size_t size = count / groups;
    uint64_t state = seed;
    for (size_t i = 0; i < count; i++)
        group[i] = i < size * groups ? (uint32_t)(i / size) : UINT32_MAX;
    for (size_t i = count - 1; i > 0; i--) { /* Fisher and Yates; the modulo's bias is 2^-40 */
        size_t j = (size_t)(mm_random_next(&state) % (i + 1));
        uint32_t swap = group[i];
        group[i] = group[j];
        group[j] = swap;
    }
}

void mm_score_scratch_free(mm_score_scratch *scratch) {
    free(scratch->terms);
    free(scratch->group);
    *scratch = (mm_score_scratch){0};
}

static mmood_status prepare(mm_score_scratch *scratch, size_t outliers, size_t groups,
                            uint32_t seed, mmood_error *error) {
    if (scratch->terms && scratch->outliers == outliers && scratch->groups == groups &&
        scratch->seed == seed)
        return MMOOD_OK;
    mm_score_scratch_free(scratch);
    scratch->terms = malloc((outliers + groups) * sizeof *scratch->terms);
    scratch->group = malloc(outliers * sizeof *scratch->group);
    if (!scratch->terms || !scratch->group) {
        mm_score_scratch_free(scratch);
        return mm_error_set(error, MMOOD_ERROR_MEMORY, "no memory for groups of %zu labels",
                            outliers);
    }
    scratch->outliers = outliers;
    scratch->groups = groups;
    scratch->seed = seed;
    mm_score_deal(scratch->group, outliers, groups, seed);
    return MMOOD_OK;
}

mmood_status mm_score_grouped(double *out, mm_score_scratch *scratch,
                              const mmood_similarities *similarities,
                              const mmood_score_settings *settings, mmood_error *error) {
    size_t count = similarities->outlier_count, groups = mm_score_groups(settings, count);
    mmood_status status = prepare(scratch, count, groups, settings->seed, error);
    if (status != MMOOD_OK)
        return status;
    const mm_similarity *loops = mm_similarity_get();
    const double *outliers = similarities->cosines + similarities->id_count;
    double t = mmood_score_temperature(settings), best = loops->maximum(outliers, count), sum = 0;
    double id = mm_log_sum_exp(similarities->cosines, similarities->id_count, t);
    double *terms = scratch->terms, *totals = terms + count;
    loops->each_exp(terms, outliers, count, best, 1 / t);
    memset(totals, 0, groups * sizeof *totals);
    for (size_t i = 0; i < count; i++)
        if (scratch->group[i] != UINT32_MAX)
            totals[scratch->group[i]] += terms[i];
    /* A / (A + B) as 1 / (1 + B / A), with B / A = exp(best / t - id) * total */
    double ratio = exp(best / t - id);
    for (size_t g = 0; g < groups; g++)
        sum += totals[g] > 0 ? 1 / (1 + ratio * totals[g]) : 1;
    *out = sum / (double)groups;
    return MMOOD_OK;
}

/* ---- All scores ---------------------------------------------------------------------------- */

/* What most scores are made of, at one temperature. */
typedef struct sums {
    double t;       /* 0: not computed yet */
    double id;      /* lse of the ID labels */
    double outlier; /* lse of the outlier labels; -infinity if there are none */
    double all;
} sums;

static void compute_sums(sums *out, const mmood_similarities *s, double t) {
    if (out->t == t)
        return;
    out->t = t;
    out->id = mm_log_sum_exp(s->cosines, s->id_count, t);
    out->outlier = s->outlier_count ? mm_log_sum_exp(s->cosines + s->id_count, s->outlier_count, t)
                                    : -INFINITY;
    out->all = out->id > out->outlier ? out->id + log1p(exp(out->outlier - out->id))
                                      : out->outlier + log1p(exp(out->id - out->outlier));
}

double mm_score_best_patch(const double *cosines, size_t patch_count, size_t id_count, double t) {
    double best = 0;
    for (size_t p = 0; p < patch_count; p++) {
        const double *row = cosines + p * id_count;
        double most = mm_similarity_get()->maximum(row, id_count);
        double probability = exp(most / t - mm_log_sum_exp(row, id_count, t));
        best = probability > best ? probability : best;
    }
    return best;
}

double mm_score_gl_mcm(double mcm, double best_patch, double lambda) {
    return mcm + lambda * best_patch;
}

/* One score from what is known at its temperature; `id` and `outlier` are the largest cosines. */
static double one_score(const mmood_score_settings *settings, const mmood_similarities *s,
                        const sums *at, double id, double outlier) {
    double t = at->t;
    switch (settings->kind) {
    case MMOOD_SCORE_MM_OOD:
        return exp(id / t - at->all) - settings->beta * exp(outlier / t - at->all);
    case MMOOD_SCORE_MSP:
        return exp(id / t - at->all);
    case MMOOD_SCORE_MAX_LOGIT:
        return id;
    case MMOOD_SCORE_ENERGY:
        return t * at->id;
    case MMOOD_SCORE_SUM:
        return exp(at->id - at->all);
    case MMOOD_SCORE_ENERGY_DIFF:
        return t * (at->id - at->outlier);
    case MMOOD_SCORE_MAX_LOGIT_DIFF:
        return id - outlier;
    case MMOOD_SCORE_GL_MCM:
        return mm_score_gl_mcm(exp(id / t - at->id),
                               mm_score_best_patch(s->patches, s->patch_count, s->id_count, t),
                               settings->lambda);
    case MMOOD_SCORE_MAX:
        return outlier > id ? 1 / (double)s->id_count : exp(id / t - at->id);
    case MMOOD_SCORE_MCM:
    case MMOOD_SCORE_NEGLABEL:
    case MMOOD_SCORE_CSP:
        break;
    }
    return exp(id / t - at->id); /* mcm; grouped scores never come here */
}

static mmood_status check_similarities(const mmood_similarities *s, mmood_error *error) {
    if (s->id_count == 0)
        return mm_error_set(error, MMOOD_ERROR_ARGUMENT, "a score needs at least one ID label");
    for (size_t i = 0; i < s->id_count + s->outlier_count; i++)
        if (!isfinite(s->cosines[i]))
            return mm_error_set(error, MMOOD_ERROR_NUMERIC,
                                "cosine %zu is %g; finite ones are needed", i, s->cosines[i]);
    for (size_t i = 0; i < s->patch_count * s->id_count; i++)
        if (!isfinite(s->patches[i]))
            return mm_error_set(error, MMOOD_ERROR_NUMERIC,
                                "cosine %zu of the patches is %g; finite ones are needed", i,
                                s->patches[i]);
    return MMOOD_OK;
}

static mmood_status check_needs(const mmood_score_settings *settings, const mmood_similarities *s,
                                mmood_error *error) {
    mmood_status status = mm_score_check(settings, error);
    if (status == MMOOD_OK && s->outlier_count == 0 && mmood_score_needs_outliers(settings->kind))
        status = mm_error_set(error, MMOOD_ERROR_ARGUMENT,
                              "%s compares with outlier labels, and there are none",
                              mmood_score_name(settings->kind));
    if (status == MMOOD_OK && s->patch_count == 0 && mmood_score_needs_patches(settings->kind))
        status = mm_error_set(error, MMOOD_ERROR_ARGUMENT,
                              "%s needs the picture's patch features, and there are none",
                              mmood_score_name(settings->kind));
    return status;
}

mmood_status mm_scores_run(double *out, mm_score_scratch *scratch, const mmood_similarities *s,
                           const mmood_score_settings *settings, size_t count, mmood_error *error) {
    sums at[2] = {{.t = 0}, {.t = 0}}; /* the two temperatures in use last: 1 and 0.01, as a rule */
    mmood_status status = check_similarities(s, error);
    if (status != MMOOD_OK)
        return status;
    const mm_similarity *loops = mm_similarity_get();
    double id = loops->maximum(s->cosines, s->id_count);
    double outlier =
        s->outlier_count ? loops->maximum(s->cosines + s->id_count, s->outlier_count) : -INFINITY;
    for (size_t i = 0; i < count && status == MMOOD_OK; i++) {
        status = check_needs(&settings[i], s, error);
        if (status != MMOOD_OK)
            break;
        if (mm_score_is_grouped(settings[i].kind)) {
            status = mm_score_grouped(&out[i], scratch, s, &settings[i], error);
            continue;
        }
        double t = mmood_score_temperature(&settings[i]);
        if (at[0].t != t) {
            sums swap = at[0];
            at[0] = at[1];
            at[1] = swap;
        }
        compute_sums(&at[0], s, t);
        out[i] = one_score(&settings[i], s, &at[0], id, outlier);
    }
    return status;
}

mmood_status mmood_scores_compute(double *out, const mmood_similarities *similarities,
                                  const mmood_score_settings *settings, size_t count,
                                  mmood_error *error) {
    mm_score_scratch scratch = {0};
    mmood_status status = mm_scores_run(out, &scratch, similarities, settings, count, error);
    mm_score_scratch_free(&scratch);
    return status;
}

mmood_status mmood_score_compute(double *out, const double *cosines, size_t id_count,
                                 size_t outlier_count, const mmood_score_settings *settings,
                                 mmood_error *error) {
    mmood_similarities similarities = {
        .cosines = cosines, .id_count = id_count, .outlier_count = outlier_count};
    return mmood_scores_compute(out, &similarities, settings, 1, error);
}
