/* test_calibrate.c - the conformal threshold and its promise, p-values, intervals, the false
 * discovery rate, and a calibrated detector's file. */
#include "test.h"

#include "base/file.h"
#include "detect/calibrate.h"
#include "made.h"

#include <stdlib.h>
#include <unistd.h>

static uint32_t seed = 1;

/* Uniform in 0 .. 1. */
static double draw(void) {
    seed ^= seed << 13;
    seed ^= seed >> 17;
    seed ^= seed << 5;
    return (double)seed / 4294967296.0;
}

static mm_calibration *calibrate(const double *scores, size_t count, double keep) {
    mm_calibration *calibration = mm_calibration_create(count, 0);
    mmood_error error;
    assert_non_null(calibration);
    memcpy(calibration->scores, scores, count * sizeof *scores);
    calibration->info.keep = keep;
    assert_ok(mm_calibration_finish(calibration, &error), error);
    return calibration;
}

static void test_threshold(void **unused) {
    (void)unused;
    double scores[19];
    for (size_t i = 0; i < 19; i++)
        scores[i] = (double)((i * 7) % 19);          /* 0 .. 18, mixed */
    mm_calibration *c = calibrate(scores, 19, 0.95); /* ceil(20 * 0.95) = 19: all of them */
    assert_true(c->info.threshold == 0 && c->info.kept == 19);
    assert_true(mm_calibration_p_value(c, -1) == 1.0 / 20);
    assert_true(mm_calibration_p_value(c, 0) == 2.0 / 20);
    assert_true(mm_calibration_p_value(c, 0.5) == 2.0 / 20);
    assert_true(mm_calibration_p_value(c, 18) == 1);
    mm_calibration_free(c);
    c = calibrate(scores, 19, 0.5); /* ceil(20 * 0.5) = 10: the tenth from above */
    assert_true(c->info.threshold == 9 && c->info.kept == 10);
    mm_calibration_free(c);
    static const double tied[] = {1, 1, 1, 1, 2};
    c = calibrate(tied, 5, 0.5); /* ceil(6 * 0.5) = 3: a 1, which all reach */
    assert_true(c->info.threshold == 1 && c->info.kept == 5);
    mm_calibration_free(c);
}

/* Over 2,000 repetitions the share of new pictures kept is what is promised, ceil((n+1) q) / (n+1),
 * within five standard errors: and so at least q. */
static void test_promise(void **unused) {
    (void)unused;
    static const struct {
        size_t count;
        double keep;
    } cases[] = {{19, 0.95}, {20, 0.9}, {50, 0.8}, {100, 0.95}, {333, 0.99}, {7, 0.5}};
    double scores[333];
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        double n = (double)cases[i].count, sum = 0, squares = 0;
        double promise = ceil((n + 1) * cases[i].keep - 1e-9) / (n + 1);
        for (int r = 0; r < 2000; r++) {
            for (size_t j = 0; j < cases[i].count; j++)
                scores[j] = draw();
            mm_calibration *c = calibrate(scores, cases[i].count, cases[i].keep);
            double kept = 1 - c->info.threshold; /* of new uniform scores */
            sum += kept;
            squares += kept * kept;
            mm_calibration_free(c);
        }
        double mean = sum / 2000, error = sqrt((squares / 2000 - mean * mean) / 2000);
        if (fabs(mean - promise) > 5 * error)
            fail_msg("n = %g, q = %g: kept %g +- %g, promised %g", n, cases[i].keep, mean, error,
                     promise);
    }
}

/* Clopper-Pearson, against scipy.stats.beta.ppf. */
static void test_interval(void **unused) {
    (void)unused;
    static const double cases[][4] = {{19, 19, 0.823533088193, 1},
                                      {95, 100, 0.887165088895, 0.983568120818},
                                      {9, 10, 0.554983882972, 0.997471421456},
                                      {951, 1000, 0.93573394686, 0.963532940828},
                                      {1, 5, 0.00505076337947, 0.716417936118},
                                      {4750, 5000, 0.943591086758, 0.95587675602}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        double k = cases[i][0], n = cases[i][1];
        assert_true(fabs(mm_beta_quantile(0.025, k, n - k + 1) - cases[i][2]) < 1e-11);
        if (k < n)
            assert_true(fabs(mm_beta_quantile(0.975, k + 1, n - k) - cases[i][3]) < 1e-11);
    }
}

static void test_fdr(void **unused) {
    (void)unused;
    /* Benjamini and Hochberg's own example: 15 p-values, rate 0.05, four are flagged */
    static const double p[] = {0.0344, 0.0001, 0.0004, 0.0019, 0.0095, 0.0201, 0.0278, 0.0298,
                               0.0459, 0.3240, 0.4262, 0.5719, 0.6528, 0.7590, 1.0000};
    unsigned char flagged[15];
    mmood_error error = {0};
    assert_ok(mmood_fdr_select(flagged, p, 15, 0.05, &error), error);
    for (size_t i = 0; i < 15; i++)
        assert_int_equal(flagged[i], i >= 1 && i <= 4);
    assert_ok(mmood_fdr_select(flagged, p, 0, 0.05, &error), error);
    assert_ok(mmood_fdr_select(flagged, p, 15, 1, &error), error);
    assert_int_equal(flagged[14], 1);
    assert_int_equal(mmood_fdr_select(flagged, p, 15, NAN, &error), MMOOD_ERROR_ARGUMENT);
    static const double bad[] = {0.5, NAN};
    assert_int_equal(mmood_fdr_select(flagged, bad, 2, 0.1, &error), MMOOD_ERROR_ARGUMENT);
    assert_non_null(strstr(error.message, "p-value 1"));
}

/* Flags in a batch of which `small` have the p-value top / (n + 1) and the others have 1. */
static size_t flagged_of(uint64_t top, uint64_t n, size_t small, size_t count, double rate) {
    double *p = malloc(count * sizeof *p);
    unsigned char *flags = malloc(count);
    mmood_error error = {0};
    size_t flagged = 0;
    for (size_t i = 0; i < count; i++)
        p[i] = i < small ? (double)top / ((double)n + 1) : 1;
    assert_ok(mmood_fdr_select(flags, p, count, rate, &error), error);
    for (size_t i = 0; i < count; i++)
        flagged += flags[i];
    free(p);
    free(flags);
    return flagged;
}

/* Every p-value of a grid against every bound, at, below and above equality; the expected answer
 * is from integers: top / (n + 1) <= small / count * a / b. */
static void check_boundaries(uint64_t n, size_t count, uint64_t a, uint64_t b) {
    for (size_t small = 1; small < count; small++) {
        uint64_t equal = small * a * (n + 1) / (count * b); /* rounded down: the last within */
        for (uint64_t top = equal > 2 ? equal - 2 : 1; top <= equal + 2 && top <= n; top++) {
            int within = top * count * b <= small * a * (n + 1);
            size_t flagged = flagged_of(top, n, small, count, (double)a / (double)b);
            if (flagged != (within ? small : 0))
                fail_msg("%zu of %zu with p = %llu / %llu at rate %llu / %llu: %zu flagged", small,
                         count, (unsigned long long)top, (unsigned long long)(n + 1),
                         (unsigned long long)a, (unsigned long long)b, flagged);
        }
    }
}

static void test_fdr_boundaries(void **unused) {
    (void)unused;
    assert_int_equal(flagged_of(7, 99, 7, 10, 0.1), 7); /* in floating point .07 > .7 * .1 */
    static const uint64_t sizes[] = {19, 49, 59, 99, 199, 316, 999, 4999};
    static const uint64_t rates[][2] = {{1, 10}, {1, 20}, {1, 5},      {3, 10},
                                        {1, 3},  {2, 7},  {123, 1000}, {999, 1000}};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++)
        for (size_t k = 0; k < sizeof rates / sizeof *rates; k++)
            for (size_t count = 2; count <= 30; count += 7)
                check_boundaries(sizes[i], count, rates[k][0], rates[k][1]);
    /* calibrations that are as large as the grid may be fine: one step more is above the bound */
    assert_int_equal(flagged_of(999999, 29999999, 1, 3, 0.1), 1);
    assert_int_equal(flagged_of(1000000, 29999999, 1, 3, 0.1), 1);
    assert_int_equal(flagged_of(1000001, 29999999, 1, 3, 0.1), 0);
    /* numbers that no fraction of that size stands for, and extremes */
    assert_int_equal(flagged_of(1, 99, 5, 5, nextafter(0.01, 0)), 0);
    assert_int_equal(flagged_of(1, 99, 5, 5, nextafter(0.01, 1)), 5);
    assert_int_equal(flagged_of(1, 99, 5, 5, 0), 0);
    assert_int_equal(flagged_of(0, 99, 5, 5, 0), 5);
    assert_int_equal(flagged_of(1, 99, 5, 5, 1e-300), 0);
    double tiny[] = {1e-300, 0x1p-34, 1};
    unsigned char flags[3];
    mmood_error error = {0};
    assert_ok(mmood_fdr_select(flags, tiny, 3, 1e-9, &error), error);
    assert_true(flags[0] && flags[1] && !flags[2]);
}

/* Calibrates a detector of 4 ID labels and `outliers` others for a score; 1 and `text` if its
 * threshold deserves a warning. */
static int warns(char text[512], mmood_score_kind kind, size_t outliers, const double *scores,
                 size_t count, double keep) {
    mmood_detector *detector = made_detector(4, outliers, 8), *calibrated;
    mmood_calibration_options options = mmood_calibration_options_default();
    mmood_error error = {0};
    options.keep = keep;
    detector->score.kind = kind;
    assert_false(mm_calibration_warning(text, 512, detector));
    assert_ok(mmood_detector_calibrate(&calibrated, detector, scores, count, &options, &error),
              error);
    int found = mm_calibration_warning(text, 512, calibrated);
    mmood_detector_free(calibrated);
    mmood_detector_free(detector);
    return found;
}

static void test_warnings(void **unused) {
    (void)unused;
    char text[512];
    double scores[100];
    for (size_t i = 0; i < 100; i++)
        scores[i] = 0.25 + (double)i * 0.001;
    assert_false(warns(text, MMOOD_SCORE_MCM, 2, scores, 100, 0.95));
    assert_false(warns(text, MMOOD_SCORE_MAX, 2, scores, 30, 0.9));
    /* all 19 are needed for 0.95: right, but the threshold is the lowest of them */
    assert_true(warns(text, MMOOD_SCORE_MCM, 2, scores + 1, 19, 0.95));
    assert_non_null(strstr(text, "no calibration score is below the threshold"));
    assert_non_null(strstr(text, "below all 19"));
    /* a seventh of the pictures look like an outlier, and max is 1 / 4 for them */
    for (size_t i = 0; i < 14; i++)
        scores[i] = 0.25;
    static const struct {
        mmood_score_kind kind;
        size_t outliers;
        double factor;
    } bounded[] = {{MMOOD_SCORE_MAX, 2, 1},        {MMOOD_SCORE_MAX, 0, 1},
                   {MMOOD_SCORE_MCM, 2, 1},        {MMOOD_SCORE_MM_OOD, 0, 1},
                   {MMOOD_SCORE_MSP, 0, 1},        {MMOOD_SCORE_GL_MCM, 2, 1.5},
                   {MMOOD_SCORE_MAX, 2, 1 + 1e-15}};
    for (size_t k = 0; k < sizeof bounded / sizeof *bounded; k++) {
        double scaled[100];
        for (size_t i = 0; i < 100; i++)
            scaled[i] = scores[i] * bounded[k].factor;
        assert_true(warns(text, bounded[k].kind, bounded[k].outliers, scaled, 100, 0.9));
        assert_non_null(strstr(text, "no picture can be flagged"));
        assert_non_null(strstr(text, mmood_score_name(bounded[k].kind)));
        assert_false(warns(text, bounded[k].kind, bounded[k].outliers, scaled, 100, 0.8));
    }
    /* the same scores of kinds without such a bound are ties */
    assert_true(warns(text, MMOOD_SCORE_MSP, 2, scores, 100, 0.9));
    assert_non_null(strstr(text, "14 of the 100 calibration pictures score exactly the threshold"));
    assert_non_null(strstr(text, "100 reach it instead of 91"));
    assert_true(warns(text, MMOOD_SCORE_ENERGY, 2, scores, 100, 0.9));
}

static void test_refusals(void **unused) {
    (void)unused;
    mmood_detector *detector = made_detector(3, 2, 8), *out;
    static const double scores[20] = {1, 2, 3}, bad[] = {1, NAN};
    mmood_calibration_options options = mmood_calibration_options_default();
    mmood_error error = {0};
    assert_int_equal(mmood_detector_calibrate(&out, detector, scores, 10, &options, &error),
                     MMOOD_ERROR_ARGUMENT);
    assert_non_null(strstr(error.message, "at least 19"));
    assert_null(out);
    assert_int_equal(mmood_detector_calibrate(&out, detector, scores, 18, &options, &error),
                     MMOOD_ERROR_ARGUMENT);
    assert_ok(mmood_detector_calibrate(&out, detector, scores, 19, &options, &error), error);
    mmood_detector_free(out);
    assert_int_equal(mmood_detector_calibrate(&out, detector, scores, 0, &options, &error),
                     MMOOD_ERROR_ARGUMENT);
    options.keep = 0.4;
    assert_int_equal(mmood_detector_calibrate(&out, detector, bad, 2, &options, &error),
                     MMOOD_ERROR_NUMERIC);
    options.keep = 1;
    assert_int_equal(mmood_detector_calibrate(&out, detector, scores, 20, &options, &error),
                     MMOOD_ERROR_ARGUMENT);
    options.keep = 0.99; /* 0.99 * 100 = 99 */
    assert_int_equal(mmood_detector_calibrate(&out, detector, scores, 20, &options, &error),
                     MMOOD_ERROR_ARGUMENT);
    assert_non_null(strstr(error.message, "at least 99"));
    static const char *const hashes[] = {"xyz", "xyz"};
    options.keep = 0.4;
    options.hashes = hashes;
    assert_int_equal(mmood_detector_calibrate(&out, detector, scores, 2, &options, &error),
                     MMOOD_ERROR_ARGUMENT);
    mmood_detector_free(detector);
}

static mmood_detector *calibrated(void) {
    static const char *const hashes[] = {
        "ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
        "00000000000000000000000000000000000000000000000000000000000000aa",
        "5555555555555555555555555555555555555555555555555555555555555555"};
    static const double scores[] = {.3, .1, .2};
    mmood_detector *plain = made_detector(3, 2, 8), *out;
    mmood_calibration_options options = mmood_calibration_options_default();
    mmood_error error;
    options.keep = 0.6;
    options.image.alpha = MMOOD_ALPHA_WHITE;
    options.hashes = hashes;
    assert_ok(mmood_detector_calibrate(&out, plain, scores, 3, &options, &error), error);
    mmood_detector_free(plain);
    return out;
}

static void test_file(void **unused) {
    (void)unused;
    mmood_detector *detector = calibrated(), *again;
    mmood_calibration_info a, b;
    mmood_detector_info info;
    mmood_error error = {0};
    assert_ok(mmood_detector_save(detector, "calibrated-test.tmp", &error), error);
    assert_ok(mmood_detector_open(&again, "calibrated-test.tmp", &error), error);
    assert_true(mmood_detector_calibration(detector, &a) && mmood_detector_calibration(again, &b));
    assert_true(a.threshold == b.threshold && a.threshold == .1 && a.keep == b.keep);
    assert_true(a.kept == b.kept && a.count == b.count && a.keep_low == b.keep_low);
    assert_int_equal(b.image.alpha, MMOOD_ALPHA_WHITE);
    mmood_detector_describe(again, &info);
    assert_true(info.calibrated && info.threshold == .1);
    assert_true(mmood_detector_calibrated_on(
        again, "00000000000000000000000000000000000000000000000000000000000000aa"));
    assert_false(mmood_detector_calibrated_on(
        again, "00000000000000000000000000000000000000000000000000000000000000ab"));
    assert_false(mmood_detector_calibrated_on(again, "short"));
    mmood_image_options image = mmood_image_options_default();
    assert_int_equal(mmood_detector_check_pictures(again, &image, MMOOD_PRECISION_F32, &error),
                     MMOOD_ERROR_MISMATCH);
    assert_non_null(strstr(error.message, "--alpha white"));
    image.alpha = MMOOD_ALPHA_WHITE;
    assert_ok(mmood_detector_check_pictures(again, &image, MMOOD_PRECISION_F32, &error), error);
    assert_int_equal(mmood_detector_check_pictures(again, &image, MMOOD_PRECISION_BF16, &error),
                     MMOOD_ERROR_MISMATCH);
    image.fast_decode = 1;
    assert_int_equal(mmood_detector_check_pictures(again, &image, MMOOD_PRECISION_F32, &error),
                     MMOOD_ERROR_MISMATCH);
    assert_non_null(strstr(error.message, "without --fast-decode"));
    image.fast_decode = 0;
    image.apply_orientation = 0;
    assert_int_equal(mmood_detector_check_pictures(again, &image, MMOOD_PRECISION_F32, &error),
                     MMOOD_ERROR_MISMATCH);
    double cosines[5] = {.9, .1, .1, .2, .3};
    mmood_verdict verdict;
    assert_ok(mmood_detector_judge(&verdict, again, cosines, NULL, &error), error);
    assert_true(verdict.calibrated && verdict.threshold == .1);
    assert_true(verdict.is_id == (verdict.score >= .1) && verdict.p_value > 0);
    mmood_score_settings other = {.kind = MMOOD_SCORE_MCM};
    assert_ok(mmood_detector_judge(&verdict, again, cosines, &other, &error), error);
    assert_true(!verdict.calibrated && isnan(verdict.threshold) && isnan(verdict.p_value));
    mmood_detector_free(again);
    mmood_detector_free(detector);
    unlink("calibrated-test.tmp");
}

/* A file edited by hand: one text replaced by another of the same length. */
static void refuse_edited(const char *from, const char *to, const char *says) {
    uint8_t *data;
    size_t size, length = strlen(from);
    mmood_error error = {0};
    mmood_detector *detector;
    assert_int_equal(length, strlen(to));
    assert_ok(mm_file_read(&data, &size, "calibrated-test.tmp", 1 << 20, &error), error);
    size_t at = 0;
    while (at + length <= size && memcmp(data + at, from, length) != 0)
        at++;
    if (at + length > size)
        fail_msg("the file lacks %s", from);
    memcpy(data + at, to, length);
    if (mmood_detector_parse(&detector, data, size, &error) == MMOOD_OK)
        fail_msg("with %s for %s it was accepted", to, from);
    if (!strstr(error.message, says))
        fail_msg("\"%s\" does not say \"%s\"", error.message, says);
    free(data);
}

static void test_edited(void **unused) {
    (void)unused;
    mmood_detector *detector = calibrated();
    mmood_error error;
    assert_ok(mmood_detector_save(detector, "calibrated-test.tmp", &error), error);
    mmood_detector_free(detector);
    refuse_edited("\\\"beta\\\":0.25", "\\\"beta\\\":0.35", "score settings");
    refuse_edited("\\\"mm-ood\\\"", "\\\"energy\\\"", "score settings");
    refuse_edited("\\\"label\\\":\\\"l1\\\"", "\\\"label\\\":\\\"x1\\\"", "labels");
    refuse_edited("a photo of a {}", "b photo of a {}", "templates");
    refuse_edited("\\\"fingerprint\\\":\\\"01", "\\\"fingerprint\\\":\\\"11", "model");
    refuse_edited("\\\"keep\\\":0.5", "\\\"keep\\\":1.5", "keep");
    unlink("calibrated-test.tmp");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_threshold), cmocka_unit_test(test_promise),
        cmocka_unit_test(test_interval),  cmocka_unit_test(test_fdr),
        cmocka_unit_test(test_warnings),  cmocka_unit_test(test_fdr_boundaries),
        cmocka_unit_test(test_refusals),  cmocka_unit_test(test_file),
        cmocka_unit_test(test_edited),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
