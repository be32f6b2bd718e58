/* test_scores.c - the formulas, with the test vectors of their papers' code and hostile input. */
#include "test.h"

#include "detect/scores.h"
#include "detect/similarity.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

static double score(mmood_score_kind kind, double temperature, double beta, const double *cosines,
                    size_t id_count, size_t outlier_count) {
    mmood_score_settings settings = mmood_score_settings_default();
    settings.kind = kind;
    settings.temperature = temperature;
    settings.beta = beta;
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
    assert_near(score(MMOOD_SCORE_MM_OOD, 0, 0, s, 3, 2), .215529481407, 1e-12);
    assert_near(score(MMOOD_SCORE_MSP, 0, 0, s, 3, 2), .215529481407, 1e-12);
    assert_near(score(MMOOD_SCORE_SUM, 1, 0, s, 3, 2), .603666097586, 1e-12);
    assert_near(score(MMOOD_SCORE_ENERGY_DIFF, 1, 0, s, 3, 2), .420764182621, 1e-12);
    assert_near(score(MMOOD_SCORE_MAX_LOGIT_DIFF, 0, 0, s, 3, 2), .04, 1e-12);
    assert_near(score(MMOOD_SCORE_MSP, .01, 0, s, 3, 2), .981886691183, 1e-12);
    assert_near(score(MMOOD_SCORE_SUM, 0, 0, s, 3, 2), .982013898547, 1e-12);
    assert_near(score(MMOOD_SCORE_ENERGY_DIFF, 0, 0, s, 3, 2), .040000061434, 1e-12);
    assert_near(score(MMOOD_SCORE_MAX, 0, 0, s, 3, 2), .357034264918, 1e-12);
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
    mmood_score_settings settings = {.kind = MMOOD_SCORE_ENERGY};
    assert_true(mmood_score_temperature(&settings) == 0.01);
    settings.kind = MMOOD_SCORE_MCM;
    assert_true(mmood_score_temperature(&settings) == 1);
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
    for (int kind = MMOOD_SCORE_MM_OOD; kind <= MMOOD_SCORE_MAX; kind++)
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

/* Scores that compare with outliers or patches have no value without them. */
static void test_needs(void **state) {
    (void)state;
    static const double good[] = {.3, .2};
    mmood_score_settings settings = mmood_score_settings_default();
    for (int kind = 0; kind < MM_SCORE_KINDS; kind++) {
        settings.kind = (mmood_score_kind)kind;
        if (mmood_score_needs_outliers(settings.kind))
            refuse(good, 2, 0, settings, MMOOD_ERROR_ARGUMENT, "outlier labels");
        if (mmood_score_needs_patches(settings.kind))
            refuse(good, 1, 1, settings, MMOOD_ERROR_ARGUMENT, "patch");
    }
    settings.kind = MMOOD_SCORE_GL_MCM;
    settings.lambda = -1;
    refuse(good, 1, 1, settings, MMOOD_ERROR_ARGUMENT, "lambda");
}

/* Random similarities; the values are from float64 numpy (tools/make_golden_scores.py). */
static void test_golden(void **state) {
    (void)state;
    FILE *file = fopen("detect/scores.tsv", "r");
    static double s[90000];
    char line[256], name[32];
    int rows = 0;
    assert_non_null(file);
    while (fgets(line, sizeof line, file)) {
        size_t k, l, patches;
        uint32_t seed;
        double low, spread, temperature, expected, out;
        if (sscanf(line, "%31s %zu %zu %zu %u %lf %lf %lf %lf", name, &k, &l, &patches, &seed, &low,
                   &spread, &temperature, &expected) != 9)
            continue;
        for (size_t i = 0; i < k + l + patches * k; i++) {
            seed = seed * 1664525u + 1013904223u;
            s[i] = (double)(seed >> 8) / 16777216.0 * spread + low;
        }
        mmood_score_settings settings = mmood_score_settings_default();
        mmood_error error;
        assert_ok(mmood_score_parse(&settings.kind, name, &error), error);
        settings.temperature = temperature;
        mmood_similarities similarities = {s, k, l, s + k + l, patches};
        assert_ok(mmood_scores_compute(&out, &similarities, &settings, 1, &error), error);
        if (!(fabs(out - expected) <= 1e-9 * fabs(expected)))
            fail_msg("%s of %zu and %zu labels at T = %g is %.17g, expected %.17g", name, k, l,
                     temperature, out, expected);
        rows++;
    }
    fclose(file);
    assert_true(rows > 500);
}

/* All at once gives what one at a time gives; neglabel's groups are dealt evenly and by seed. */
static void test_together(void **state) {
    (void)state;
    static double s[300];
    mmood_score_settings settings[MM_SCORE_KINDS];
    double together[MM_SCORE_KINDS], alone;
    mmood_error error;
    for (size_t i = 0; i < 300; i++)
        s[i] = sin((double)i) * .2 + .2;
    mmood_similarities similarities = {s, 10, 250, s + 260, 4};
    for (size_t i = 0; i < MM_SCORE_KINDS; i++) {
        settings[i] = mmood_score_settings_default();
        settings[i].kind = (mmood_score_kind)i;
    }
    assert_ok(mmood_scores_compute(together, &similarities, settings, MM_SCORE_KINDS, &error),
              error);
    for (size_t i = 0; i < MM_SCORE_KINDS; i++) {
        assert_ok(mmood_scores_compute(&alone, &similarities, &settings[i], 1, &error), error);
        assert_true(alone == together[i]);
    }
    uint32_t group[250], other[250], sizes[101] = {0};
    mm_score_deal(group, 250, 100, 0);
    mm_score_deal(other, 250, 100, 1);
    for (size_t i = 0; i < 250; i++)
        sizes[group[i] == UINT32_MAX ? 100 : group[i]]++;
    for (size_t i = 0; i < 100; i++)
        assert_int_equal(sizes[i], 2);
    assert_int_equal(sizes[100], 50);
    assert_memory_not_equal(group, other, sizeof group);
}

/* The loops of every instruction set against plain sums. */
static void test_loops(void **state) {
    (void)state;
    enum { D = 37, LABELS = 21, PICTURES = 31, STRIDE = 32 };
    float rows[LABELS * D], packed[2 * MM_PANEL * D];
    float pictures[PICTURES * D];
    double packed_pictures[PICTURES * D], out[PICTURES * STRIDE];
    for (size_t i = 0; i < LABELS * D; i++)
        rows[i] = (float)sin((double)i * 1.7);
    for (size_t i = 0; i < PICTURES * D; i++)
        pictures[i] = (float)cos((double)i * 0.3);
    assert_int_equal(mm_panel_count(LABELS), 2);
    mm_panel_pack(packed, rows, LABELS, D);
    for (size_t k = 0; mm_similarity_at(k); k++) {
        const mm_similarity *loops = mm_similarity_at(k);
        loops->pack(packed_pictures, pictures, PICTURES, D);
        loops->dot(out, STRIDE, packed_pictures, PICTURES, D, packed, 2);
        for (size_t i = 0; i < PICTURES; i++)
            for (size_t j = 0; j < STRIDE; j++) {
                double sum = 0;
                for (size_t d = 0; d < D && j < LABELS; d++)
                    sum += (double)pictures[i * D + d] * (double)rows[j * D + d];
                assert_near(out[i * STRIDE + j], sum, 1e-13);
            }
        for (size_t n = 1; n < 40; n++) {
            double s[40], terms[40], sum = 0, most = -1e9;
            for (size_t i = 0; i < n; i++) {
                s[i] = -fabs(sin((double)(i + n))) * 800;
                sum += exp((s[i] - 0) * .9);
                most = s[i] > most ? s[i] : most;
            }
            loops->each_exp(terms, s, n, 0, .9);
            for (size_t i = 0; i < n; i++) /* 0 below exp(-708) */
                assert_near(terms[i], exp(s[i] * .9), 1e-15 * exp(s[i] * .9) + 1e-300);
            assert_near(loops->sum_exp(s, n, 0, .9), sum, 1e-15 * sum * 40 + 1e-300);
            assert_true(loops->maximum(s, n) == most);
        }
    }
}

static void test_names(void **state) {
    (void)state;
    mmood_score_kind kind;
    mmood_error error = {0};
    for (int i = 0; i < MM_SCORE_KINDS; i++) {
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
        cmocka_unit_test(test_needs),      cmocka_unit_test(test_golden),
        cmocka_unit_test(test_together),   cmocka_unit_test(test_loops),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
