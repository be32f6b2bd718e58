/* test_scores.c - the formulas, with the test vectors of their papers' code and hostile input. */
#include "test.h"

#include "detect/scores.h"

#include <math.h>
#include <string.h>

static double score(mmood_score_kind kind, double temperature, double beta, const double *cosines,
                    size_t id_count, size_t outlier_count) {
    mmood_score_settings settings = {kind, temperature, beta};
    mmood_error error;
    double out;
    assert_ok(mmood_score_compute(&out, cosines, id_count, outlier_count, &settings, &error),
              error);
    return out;
}

#define assert_near(actual, expected, tolerance)                                                   \
    do {                                                                                           \
        double actual_ = (actual), expected_ = (expected);                                         \
        if (!(fabs(actual_ - expected_) <= (tolerance)))                                           \
            fail_msg("%s is %.15g, expected %.15g", #actual, actual_, expected_);                  \
    } while (0)

/* Three ID and two outlier cosines; the expected values were computed with 50 digits and have 12.
 */
static void test_vectors(void **state) {
    (void)state;
    static const double s[] = {.31, .22, .19, .27, .18};
    assert_near(score(MMOOD_SCORE_MM_OOD, 0, .25, s, 3, 2), .163759869017, 1e-12);
    assert_near(score(MMOOD_SCORE_MM_OOD, 0, 0, s, 3, 2), .215529481407, 1e-12); /* msp */
    assert_near(score(MMOOD_SCORE_MCM, 0, .25, s, 3, 2), .357034264918, 1e-12);
    assert_near(score(MMOOD_SCORE_ENERGY, 1, .25, s, 3, 2), 1.339923521647, 1e-12);
    assert_near(score(MMOOD_SCORE_MM_OOD, .01, .25, s, 3, 2), .977390720666, 1e-12);
    assert_near(score(MMOOD_SCORE_MM_OOD, .01, 0, s, 3, 2), .981886691183, 1e-12);
    assert_near(score(MMOOD_SCORE_MCM, .01, .25, s, 3, 2), .999870462766, 1e-12);
    assert_near(score(MMOOD_SCORE_ENERGY, 0, .25, s, 3, 2), .310001295456, 1e-12);
    assert_near(score(MMOOD_SCORE_MAX_LOGIT, 0, .25, s, 3, 2), .31, 0);
}

/* github.com/AtsuMiyai/LoCoOp#3, MCM#15: the same cosines at T = 1 and at logit scale 100. */
static void test_temperature(void **state) {
    (void)state;
    static const double s[] = {.28, .24, .22, .27, .20};
    assert_near(score(MMOOD_SCORE_MM_OOD, .01, .25, s, 3, 2), .653725, 1e-6);
    assert_near(score(MMOOD_SCORE_MM_OOD, 1, .25, s, 3, 2), .156256, 1e-6);
    mmood_score_settings settings = {MMOOD_SCORE_ENERGY, 0, 0};
    assert_true(mm_score_temperature(&settings) == 0.01);
    settings.kind = MMOOD_SCORE_MCM;
    assert_true(mm_score_temperature(&settings) == 1);
}

/* Without outliers mm-ood is MCM at the same temperature; one label has probability 1. */
static void test_few_labels(void **state) {
    (void)state;
    static const double s[] = {.31, .22, .19};
    assert_near(score(MMOOD_SCORE_MM_OOD, 0, .25, s, 3, 0), score(MMOOD_SCORE_MCM, 0, 0, s, 3, 0),
                0);
    assert_near(score(MMOOD_SCORE_MCM, 0, 0, s, 1, 0), 1, 0);
    assert_near(score(MMOOD_SCORE_MAX_LOGIT, 0, 0, s, 1, 2), .31, 0);
}

/* No overflow at the smallest temperature, and no dependence on the order of the labels within a
 * kind beyond rounding. */
static void test_many_labels(void **state) {
    (void)state;
    static double s[12000], turned[12000];
    uint32_t seed = 1;
    for (size_t i = 0; i < 12000; i++) {
        seed = seed * 1664525u + 1013904223u;
        s[i] = (double)(seed >> 8) / 16777216.0 * 2 - 1;
    }
    for (size_t i = 0; i < 2000; i++)
        turned[i] = s[1999 - i];
    for (size_t i = 0; i < 10000; i++)
        turned[2000 + i] = s[11999 - i];
    for (int kind = MMOOD_SCORE_MM_OOD; kind <= MMOOD_SCORE_ENERGY; kind++)
        for (double t = 1e-4; t < 200; t *= 10) {
            double a = score((mmood_score_kind)kind, t, .25, s, 2000, 10000);
            double b = score((mmood_score_kind)kind, t, .25, turned, 2000, 10000);
            assert_true(isfinite(a));
            assert_near(a, b, 1e-12 * (1 + fabs(a)));
        }
    double all = mm_log_sum_exp(s, 12000, 0.01), sum = 0;
    for (size_t i = 0; i < 12000; i++)
        sum += exp(s[i] / 0.01 - all);
    assert_near(sum, 1, 1e-11);
}

static void refuse(const double *cosines, size_t id_count, size_t outlier_count,
                   mmood_score_settings settings, mmood_status expected, const char *word) {
    mmood_error error = {0};
    double out;
    assert_int_equal(mmood_score_compute(&out, cosines, id_count, outlier_count, &settings, &error),
                     expected);
    if (!strstr(error.message, word))
        fail_msg("\"%s\" does not say \"%s\"", error.message, word);
    assert_int_equal(mmood_score_compute(&out, cosines, id_count, outlier_count, &settings, NULL),
                     expected);
}

static void test_refusals(void **state) {
    (void)state;
    static const double good[] = {.3, .2}, nan_second[] = {.3, NAN}, inf_first[] = {INFINITY, .1};
    mmood_score_settings settings = mmood_score_settings_default();
    refuse(nan_second, 1, 1, settings, MMOOD_ERROR_NUMERIC, "cosine 1 ");
    refuse(inf_first, 2, 0, settings, MMOOD_ERROR_NUMERIC, "cosine 0 ");
    refuse(good, 0, 2, settings, MMOOD_ERROR_ARGUMENT, "ID label");
    settings.beta = NAN;
    refuse(good, 1, 1, settings, MMOOD_ERROR_ARGUMENT, "beta");
    settings.beta = -1;
    refuse(good, 1, 1, settings, MMOOD_ERROR_ARGUMENT, "beta");
    settings.beta = .25;
    settings.temperature = -1;
    refuse(good, 1, 1, settings, MMOOD_ERROR_ARGUMENT, "temperature");
    settings.temperature = INFINITY;
    refuse(good, 1, 1, settings, MMOOD_ERROR_ARGUMENT, "temperature");
    settings.temperature = 1e-300; /* s / T would overflow */
    refuse(good, 1, 1, settings, MMOOD_ERROR_ARGUMENT, "temperature");
    settings.temperature = 0;
    settings.kind = (mmood_score_kind)99;
    refuse(good, 1, 1, settings, MMOOD_ERROR_ARGUMENT, "kind");
}

static void test_names(void **state) {
    (void)state;
    mmood_score_kind kind;
    mmood_error error = {0};
    for (int i = MMOOD_SCORE_MM_OOD; i <= MMOOD_SCORE_ENERGY; i++) {
        assert_ok(mmood_score_parse(&kind, mmood_score_name((mmood_score_kind)i), &error), error);
        assert_int_equal(kind, i);
    }
    assert_ok(mmood_score_parse(&kind, "eoe", &error), error);
    assert_int_equal(kind, MMOOD_SCORE_MM_OOD);
    assert_int_equal(mmood_score_parse(&kind, "softmax", &error), MMOOD_ERROR_ARGUMENT);
    assert_non_null(strstr(error.message, "max-logit"));
    assert_null(mmood_score_name((mmood_score_kind)99));
    assert_null(mmood_score_name((mmood_score_kind)-1));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_vectors),    cmocka_unit_test(test_temperature),
        cmocka_unit_test(test_few_labels), cmocka_unit_test(test_many_labels),
        cmocka_unit_test(test_refusals),   cmocka_unit_test(test_names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
