/* calibrate.c - a threshold from in-distribution scores by split conformal prediction, with its
 * interval; p-values. */
#include "detect/calibrate.h"

#include "base/error.h"
#include "base/sha256.h"
#include "detect/describe.h"
#include "detect/detector.h"
#include "detect/scores.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- Statistics ---------------------------------------------------------------------------- */

/* The continued fraction of the incomplete beta function (NIST DLMF 8.17.22), by Lentz's method. */
static double beta_fraction(double x, double a, double b) {
    const double tiny = 1e-300;
    double c = 1, d = 1 - (a + b) * x / (a + 1);
    d = 1 / (fabs(d) < tiny ? tiny : d);
    double h = d;
    for (int m = 1; m <= 100000; m++) {
        double even = m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m));
        double odd = -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1));
        for (int i = 0; i < 2; i++) {
            double step = i ? odd : even;
            d = 1 + step * d;
            d = 1 / (fabs(d) < tiny ? tiny : d);
            c = 1 + step / c;
            c = fabs(c) < tiny ? tiny : c;
            h *= d * c;
        }
        if (fabs(d * c - 1) < 1e-15)
            break;
    }
    return h;
}

/* The regularised incomplete beta function I_x(a, b). */
static double beta_cdf(double x, double a, double b) {
    if (x <= 0 || x >= 1)
        return x <= 0 ? 0 : 1;
    double front = exp(lgamma(a + b) - lgamma(a) - lgamma(b) + a * log(x) + b * log1p(-x));
    if (x < (a + 1) / (a + b + 2)) /* where the fraction converges fast */
        return front * beta_fraction(x, a, b) / a;
    return 1 - front * beta_fraction(1 - x, b, a) / b;
}

double mm_beta_quantile(double p, double a, double b) {
    double low = 0, high = 1;
    for (int i = 0; i < 100; i++) {
        double middle = (low + high) / 2;
        if (beta_cdf(middle, a, b) < p)
            low = middle;
        else
            high = middle;
    }
    return (low + high) / 2;
}

static int compare_doubles(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* A product or quotient that should be whole may be above it by rounding. */
double mm_calibration_needed(size_t count, double keep) {
    return ceil(((double)count + 1) * keep * (1 - 4e-16));
}

double mm_calibration_least(double keep) {
    return ceil(keep / (1 - keep) * (1 - 4e-16));
}

static mmood_status check_sample(const double *scores, size_t count, double keep,
                                 mmood_error *error) {
    if (!(keep > 0 && keep < 1))
        return mm_error_set(error, MMOOD_ERROR_ARGUMENT,
                            "the share to keep is %g; a number above 0 and below 1 is needed",
                            keep);
    for (size_t i = 0; i < count; i++)
        if (!isfinite(scores[i]))
            return mm_error_set(error, MMOOD_ERROR_NUMERIC,
                                "calibration score %zu is %g; finite ones are needed", i + 1,
                                scores[i]);
    if (mm_calibration_needed(count, keep) > (double)count) {
        return mm_error_set(
            error, MMOOD_ERROR_ARGUMENT,
            "%zu pictures are too few to keep %g of the in-distribution ones with a "
            "guarantee: at least %.0f are needed; give more, or keep less",
            count, keep, mm_calibration_least(keep));
    }
    return MMOOD_OK;
}

mmood_status mm_calibration_finish(mm_calibration *calibration, mmood_error *error) {
    mmood_calibration_info *info = &calibration->info;
    size_t n = info->count, kept = 0;
    mmood_status status = check_sample(calibration->scores, n, info->keep, error);
    if (status != MMOOD_OK)
        return status;
    qsort(calibration->scores, n, sizeof *calibration->scores, compare_doubles);
    if (calibration->hash_count)
        qsort(calibration->hashes, calibration->hash_count, 32, mm_hash_compare);
    info->threshold = calibration->scores[n - (size_t)mm_calibration_needed(n, info->keep)];
    while (kept < n && calibration->scores[n - 1 - kept] >= info->threshold)
        kept++;
    double k = (double)kept, rest = (double)(n - kept);
    info->kept = kept;
    info->keep_low = mm_beta_quantile(0.025, k, rest + 1); /* kept is 1 at least */
    info->keep_high = kept < n ? mm_beta_quantile(0.975, k + 1, rest) : 1;
    return MMOOD_OK;
}

int mm_calibration_warning(char *out, size_t size, const mmood_detector *detector) {
    if (!detector->calibration)
        return 0;
    const mmood_calibration_info *c = &detector->calibration->info;
    const double *scores = detector->calibration->scores;
    const mmood_score_settings *score = &detector->score;
    double lowest =
        mm_score_lowest(score, detector->id_count, detector->count - detector->id_count);
    size_t needed = (size_t)mm_calibration_needed(c->count, c->keep), ties = 0;
    for (size_t i = c->count - c->kept; i < c->count && scores[i] == c->threshold; i++)
        ties++;
    if (c->threshold <= lowest * (1 + 1e-12)) /* a bound that is computed differently */
        snprintf(out, size,
                 "the threshold, %.9g, is the lowest score that %s can have with %zu ID labels: no "
                 "picture can be flagged; build with another --score, or calibrate with a smaller "
                 "--keep",
                 c->threshold, mmood_score_name(score->kind), detector->id_count);
    else if (c->kept > needed + c->count / 20)
        snprintf(out, size,
                 "%zu of the %zu calibration pictures score exactly the threshold, so that %zu "
                 "reach it instead of %zu: it flags fewer pictures than --keep %g asks for",
                 ties, c->count, c->kept, needed, c->keep);
    else if (c->kept == c->count)
        snprintf(out, size,
                 "no calibration score is below the threshold: only a picture that scores below "
                 "all %zu is flagged; calibrate with more pictures, or with a smaller --keep",
                 c->count);
    else
        return 0;
    return 1;
}

double mm_calibration_p_value(const mm_calibration *calibration, double score) {
    size_t low = 0, high = calibration->info.count; /* the first score above `score` */
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (calibration->scores[middle] <= score)
            low = middle + 1;
        else
            high = middle;
    }
    return (1 + (double)low) / ((double)calibration->info.count + 1);
}

/* ---- A calibration ------------------------------------------------------------------------- */

mm_calibration *mm_calibration_create(size_t count, size_t hash_count) {
    mm_calibration *calibration = calloc(1, sizeof *calibration);
    if (!calibration)
        return NULL;
    calibration->info.count = count;
    calibration->hash_count = hash_count;
    calibration->scores = calloc(count + 1, sizeof *calibration->scores);
    calibration->hashes = calloc(hash_count + 1, 32);
    if (!calibration->scores || !calibration->hashes) {
        mm_calibration_free(calibration);
        return NULL;
    }
    return calibration;
}

mm_calibration *mm_calibration_copy(const mm_calibration *calibration) {
    mm_calibration *copy = mm_calibration_create(calibration->info.count, calibration->hash_count);
    if (!copy)
        return NULL;
    copy->info = calibration->info;
    memcpy(copy->scores, calibration->scores, calibration->info.count * sizeof *copy->scores);
    memcpy(copy->hashes, calibration->hashes, calibration->hash_count * 32);
    return copy;
}

void mm_calibration_free(mm_calibration *calibration) {
    if (!calibration)
        return;
    free(calibration->scores);
    free(calibration->hashes);
    free(calibration);
}

mmood_calibration_options mmood_calibration_options_default(void) {
    mmood_calibration_options options = {
        .keep = 0.95, .image = mmood_image_options_default(), .precision = MMOOD_PRECISION_F32};
    return options;
}

mmood_status mmood_detector_calibrate(mmood_detector **out, const mmood_detector *detector,
                                      const double *scores, size_t count,
                                      const mmood_calibration_options *options,
                                      mmood_error *error) {
    mmood_calibration_options chosen = options ? *options : mmood_calibration_options_default();
    mmood_status status = MMOOD_OK;
    *out = NULL;
    mm_calibration *calibration = mm_calibration_create(count, chosen.hashes ? count : 0);
    mmood_detector *copy = calibration ? mm_detector_copy(detector) : NULL;
    if (!copy) {
        mm_calibration_free(calibration);
        return mm_error_set(error, MMOOD_ERROR_MEMORY, "no memory for a calibrated detector");
    }
    mm_calibration_free(copy->calibration);
    copy->calibration = calibration;
    calibration->info.keep = chosen.keep;
    calibration->info.image = chosen.image;
    calibration->info.precision = chosen.precision;
    if (count > 0)
        memcpy(calibration->scores, scores, count * sizeof *scores);
    for (size_t i = 0; i < calibration->hash_count && status == MMOOD_OK; i++)
        if (!mm_hash_parse(calibration->hashes + i * 32, chosen.hashes[i]))
            status = mm_error_set(error, MMOOD_ERROR_ARGUMENT,
                                  "hash %zu is \"%s\"; 64 lower-case hex digits are needed", i,
                                  chosen.hashes[i]);
    if (status == MMOOD_OK)
        status = mm_calibration_finish(calibration, error);
    if (status == MMOOD_OK)
        *out = copy;
    else
        mmood_detector_free(copy);
    return status;
}

int mmood_detector_calibration(const mmood_detector *detector, mmood_calibration_info *out) {
    if (detector->calibration)
        *out = detector->calibration->info;
    return detector->calibration != NULL;
}

int mmood_detector_calibrated_on(const mmood_detector *detector, const char *hash) {
    const mm_calibration *calibration = detector->calibration;
    uint8_t bytes[32];
    return calibration && mm_hash_parse(bytes, hash) &&
           bsearch(bytes, calibration->hashes, calibration->hash_count, 32, mm_hash_compare) !=
               NULL;
}

/* ---- What a threshold belongs to ----------------------------------------------------------- */

mmood_status mmood_detector_check_pictures(const mmood_detector *detector,
                                           const mmood_image_options *image,
                                           mmood_precision precision, mmood_error *error) {
    if (!detector->calibration)
        return MMOOD_OK;
    const mmood_calibration_info *info = &detector->calibration->info;
    if (info->image.alpha != image->alpha)
        return mm_error_set(error, MMOOD_ERROR_MISMATCH,
                            "the threshold was made with transparent pixels as --alpha %s, not %s: "
                            "use that, or calibrate again",
                            mm_alpha_name(info->image.alpha), mm_alpha_name(image->alpha));
    if (!info->image.apply_orientation != !image->apply_orientation)
        return mm_error_set(
            error, MMOOD_ERROR_MISMATCH,
            "the threshold was made %s --no-orient: do the same, or calibrate again",
            info->image.apply_orientation ? "without" : "with");
    if (!info->image.fast_decode != !image->fast_decode)
        return mm_error_set(
            error, MMOOD_ERROR_MISMATCH,
            "the threshold was made %s --fast-decode: do the same, or calibrate again",
            info->image.fast_decode ? "with" : "without");
    if (info->precision != precision && !mmood_precision_available(info->precision))
        return mm_error_set(error, MMOOD_ERROR_MISMATCH,
                            "the threshold was made with pictures embedded in %s, which this CPU "
                            "lacks: calibrate again here, or with --precision f32 for all CPUs",
                            mmood_precision_name(info->precision));
    if (info->precision != precision)
        return mm_error_set(error, MMOOD_ERROR_MISMATCH,
                            "the threshold was made with pictures embedded in %s, not %s: use "
                            "--precision %s, or calibrate again",
                            mmood_precision_name(info->precision), mmood_precision_name(precision),
                            mmood_precision_name(info->precision));
    return MMOOD_OK;
}

static void add_text(mm_sha256 *hash, const char *text) {
    mm_sha256_update(hash, text, strlen(text) + 1);
}

void mm_detector_hash_labels(char out[65], const mmood_detector *detector) {
    mm_sha256 hash;
    mm_sha256_init(&hash);
    for (size_t i = 0; i < detector->count; i++) {
        add_text(&hash, i < detector->id_count ? "id" : "outlier");
        add_text(&hash, detector->labels[i]);
    }
    mm_sha256_update(&hash, detector->embeddings,
                     detector->count * detector->dimension * sizeof *detector->embeddings);
    mm_sha256_finish(out, &hash);
}

void mm_detector_hash_templates(char out[65], const mmood_detector *detector) {
    mm_sha256 hash;
    mm_sha256_init(&hash);
    for (size_t i = 0; i < detector->template_count; i++)
        add_text(&hash, detector->templates[i]);
    mm_sha256_finish(out, &hash);
}
