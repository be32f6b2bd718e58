/* test_metrics.c - metrics against scikit-learn (eval/metrics.tsv, by tools/make_golden_metrics.py)
 * and against the properties that go wrong elsewhere. */
#include "test.h"

#include "base/file.h"
#include "eval/metrics.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static mm_metrics measure(const double *id, size_t id_count, const double *ood, size_t ood_count,
                          mm_fpr fpr) {
    mm_metrics out;
    mmood_error error;
    assert_ok(mm_metrics_compute(&out, id, id_count, ood, ood_count, fpr, &error), error);
    return out;
}

static void assert_near(const char *name, const char *what, double actual, double expected) {
    if (!(fabs(actual - expected) <= 1e-12))
        fail_msg("%s: %s is %.15g, expected %.15g", name, what, actual, expected);
}

/* Reads numbers up to the next tab or line end. */
static size_t read_numbers(double *out, size_t room, char **at) {
    size_t count = 0;
    while (**at && **at != '\t' && **at != '\n') {
        assert_true(count < room);
        out[count++] = strtod(*at, at);
        *at += **at == ' ';
    }
    *at += **at != 0;
    return count;
}

static void test_golden(void **state) {
    (void)state;
    uint8_t *data;
    size_t size, lines = 0;
    mmood_error error;
    assert_ok(mm_file_read(&data, &size, "eval/metrics.tsv", 1 << 20, &error), error);
    char *at = (char *)data;
    while (*at) {
        double id[256], ood[256], expected;
        char name[64];
        size_t length = strcspn(at, "\t");
        assert_true(length < sizeof name);
        memcpy(name, at, length);
        name[length] = 0;
        at += length + 1;
        size_t n = read_numbers(id, 256, &at), m = read_numbers(ood, 256, &at);
        mm_metrics got = measure(id, n, ood, m, MM_FPR_NEAREST);
        const double *const values[] = {&got.auroc, &got.aupr_in, &got.aupr_out};
        static const char *const names[] = {"auroc", "aupr_in", "aupr_out"};
        for (int i = 0; i < 3; i++) {
            assert_int_equal(read_numbers(&expected, 1, &at), 1);
            assert_near(name, names[i], *values[i], expected);
        }
        for (int i = MM_FPR_NEAREST; i <= MM_FPR_OOD_POSITIVE; i++) {
            assert_int_equal(read_numbers(&expected, 1, &at), 1);
            assert_near(name, mm_fpr_name((mm_fpr)i), measure(id, n, ood, m, (mm_fpr)i).fpr95,
                        expected);
        }
        assert_int_equal(got.id_count, n);
        assert_int_equal(got.ood_count, m);
        lines++;
    }
    assert_int_equal(lines, 23);
    free(data);
}

/* The figures that papers and public code print for these scores. */
static void test_vectors(void **state) {
    (void)state;
    static const double a[] = {.90, .88, .86, .84, .82, .80, .78, .76, .74, .72,
                               .70, .68, .66, .64, .62, .60, .58, .50, .40, .30};
    static const double b[] = {.9, .8, .7, .6, .5, .4, .3, .3, .3, .2};
    static const double ood[] = {.70, .55, .50, .45, .40, .35, .30, .20, .15, .10};
    mm_metrics m = measure(a, 20, ood, 10, MM_FPR_NEAREST);
    assert_near("A", "nearest", m.fpr95, .6);
    assert_near("A", "auroc", m.auroc, .9);
    assert_near("A", "aupr", round(m.aupr_in * 1e12) / 1e12, .945715976562);
    assert_near("A", "ood-positive", measure(a, 20, ood, 10, MM_FPR_OOD_POSITIVE).fpr95, .5);
    m = measure(b, 10, ood, 10, MM_FPR_NEAREST);
    assert_near("B", "nearest", m.fpr95, .7);
    assert_near("B", "auroc", m.auroc, .645);
    assert_near("B", "aupr", round(m.aupr_in * 1e12) / 1e12, .696351010101);
    assert_near("B", "ood-positive", measure(b, 10, ood, 10, MM_FPR_OOD_POSITIVE).fpr95, .8);
}

/* Constant scores (energy_ood#32): chance, and nothing told apart. */
static void test_constant(void **state) {
    (void)state;
    double same[20];
    for (size_t i = 0; i < 20; i++)
        same[i] = 0.5;
    for (int i = MM_FPR_NEAREST; i <= MM_FPR_OOD_POSITIVE; i++) {
        mm_metrics m = measure(same, 20, same, 10, (mm_fpr)i);
        assert_near("constant", "auroc", m.auroc, 0.5);
        assert_near("constant", "fpr95", m.fpr95, 1);
        assert_near("constant", "aupr_in", m.aupr_in, 2.0 / 3);
        assert_near("constant", "aupr_out", m.aupr_out, 1.0 / 3);
    }
}

/* Five times the OOD scores change both AUPR and not AUROC (OpenOOD#211, energy_ood#9). */
static void test_prevalence(void **state) {
    (void)state;
    static const double id[] = {.9, .8, .6, .4}, ood[] = {.7, .5, .3, .1};
    double many[20];
    for (size_t i = 0; i < 20; i++)
        many[i] = ood[i % 4];
    mm_metrics few = measure(id, 4, ood, 4, MM_FPR_NEAREST);
    mm_metrics more = measure(id, 4, many, 20, MM_FPR_NEAREST);
    assert_near("prevalence", "auroc", few.auroc, .8125);
    assert_near("prevalence", "auroc", more.auroc, .8125);
    assert_near("few", "in", round(few.aupr_in * 1e6) / 1e6, .854167);
    assert_near("few", "out", round(few.aupr_out * 1e6) / 1e6, .854167);
    assert_near("more", "in", round(more.aupr_in * 1e6) / 1e6, .665179);
    assert_near("more", "out", round(more.aupr_out * 1e6) / 1e6, .961648);
}

/* Infinite scores are scores: the largest and the smallest. */
static void test_infinity(void **state) {
    (void)state;
    static const double id[] = {INFINITY, 2, 1}, ood[] = {-INFINITY, 1.5, -INFINITY};
    mm_metrics m = measure(id, 3, ood, 3, MM_FPR_FIRST);
    assert_near("inf", "auroc", m.auroc, 8.0 / 9);
    assert_near("inf", "fpr95", m.fpr95, 1.0 / 3);
}

/* The order of rows does not matter, to the last bit. */
static void test_order(void **state) {
    (void)state;
    static const double id[] = {.3, .9, .5, .5, .2}, turned_id[] = {.5, .2, .9, .3, .5};
    static const double ood[] = {.5, .1, .3}, turned_ood[] = {.1, .3, .5};
    for (int i = MM_FPR_NEAREST; i <= MM_FPR_OOD_POSITIVE; i++) {
        mm_metrics a = measure(id, 5, ood, 3, (mm_fpr)i);
        mm_metrics b = measure(turned_id, 5, turned_ood, 3, (mm_fpr)i);
        assert_true(a.auroc == b.auroc && a.aupr_in == b.aupr_in && a.aupr_out == b.aupr_out &&
                    a.fpr95 == b.fpr95);
    }
}

static void refuse(const double *id, size_t n, const double *ood, size_t m, mmood_status expected,
                   const char *words) {
    mm_metrics out;
    mmood_error error = {0};
    assert_int_equal(mm_metrics_compute(&out, id, n, ood, m, MM_FPR_NEAREST, &error), expected);
    if (!strstr(error.message, words))
        fail_msg("\"%s\" does not say \"%s\"", error.message, words);
}

static void test_refusals(void **state) {
    (void)state;
    static const double good[] = {1, 2, 3}, bad[] = {1, NAN, 3};
    refuse(good, 0, good, 3, MMOOD_ERROR_ARGUMENT, "no ID score");
    refuse(good, 3, good, 0, MMOOD_ERROR_ARGUMENT, "no OOD score");
    refuse(bad, 3, good, 3, MMOOD_ERROR_NUMERIC, "ID score 2 is NaN");
    refuse(good, 3, bad, 3, MMOOD_ERROR_NUMERIC, "OOD score 2 is NaN");
}

static void test_names(void **state) {
    (void)state;
    mm_fpr fpr;
    mmood_error error = {0};
    for (int i = MM_FPR_NEAREST; i <= MM_FPR_OOD_POSITIVE; i++) {
        assert_ok(mm_fpr_parse(&fpr, mm_fpr_name((mm_fpr)i), &error), error);
        assert_int_equal(fpr, i);
    }
    assert_int_equal(mm_fpr_parse(&fpr, "95", &error), MMOOD_ERROR_ARGUMENT);
    assert_non_null(strstr(error.message, "ood-positive"));
}

/* Normal scores a known distance apart: the interval of AUROC covers the truth in about 95 % of
 * repetitions, is the same for the same seed, and shrinks with the root of the number of scores. */
static void test_bootstrap(void **state) {
    (void)state;
    enum { N = 150, REPEATS = 200 };
    static double id[N * 16], ood[N * 16], other[N * 16];
    uint32_t seed = 17;
    size_t covered = 0;
    double width = 0;
    mm_metric_intervals out[3], again[3];
    mmood_error error;
    for (int r = 0; r < REPEATS; r++) {
        for (size_t i = 0; i < N * 2; i++) { /* sums of 12 uniforms, variance 1 */
            double sum = -6;
            for (int k = 0; k < 12; k++) {
                seed = seed * 1664525u + 1013904223u;
                sum += (double)(seed >> 8) / 16777216.0;
            }
            if (i < N)
                id[i] = sum + 1;
            else
                ood[i - N] = sum;
        }
        const mm_sample sets[] = {{ood, N}};
        assert_ok(mm_metrics_bootstrap(out, (mm_sample){id, N}, sets, 1, MM_FPR_NEAREST, 300,
                                       (uint64_t)r, &error),
                  error);
        covered += out[0].auroc.low <= 0.7602 && 0.7602 <= out[0].auroc.high;
        width += (out[0].auroc.high - out[0].auroc.low) / REPEATS;
        assert_true(out[1].auroc.low == out[0].auroc.low); /* the mean over one set is the set */
        mm_metrics m = measure(id, N, ood, N, MM_FPR_NEAREST);
        assert_true(out[0].fpr95.low <= m.fpr95 && m.fpr95 <= out[0].fpr95.high);
        assert_true(out[0].aupr_out.low <= m.aupr_out && m.aupr_out <= out[0].aupr_out.high);
    }
    if (covered < 180 || covered > 199)
        fail_msg("the interval covers the truth in %zu of %d repetitions", covered, REPEATS);
    for (size_t i = 0; i < N * 16; i++) {
        id[i] = id[i % N];
        ood[i] = ood[i % N];
        other[i] = ood[i] - 5;
    }
    const mm_sample sets[] = {{ood, N * 16}, {other, N}};
    for (int fpr = 0; fpr < 3; fpr++) {
        assert_ok(mm_metrics_bootstrap(out, (mm_sample){id, N * 16}, sets, 2, (mm_fpr)fpr, 100, 1,
                                       &error),
                  error);
        assert_ok(mm_metrics_bootstrap(again, (mm_sample){id, N * 16}, sets, 2, (mm_fpr)fpr, 100, 1,
                                       &error),
                  error);
        assert_memory_equal(out, again, sizeof out);
    }
    double ratio = width / (out[0].auroc.high - out[0].auroc.low);
    if (!(ratio > 3 && ratio < 5.5))
        fail_msg("16 times the scores make the interval %g times narrower", ratio);
    assert_true(out[1].auroc.low > out[0].auroc.high && out[2].auroc.low > out[0].auroc.high);
    static const double constant[] = {0.5, 0.5, 0.5};
    const mm_sample same = {constant, 3};
    assert_ok(mm_metrics_bootstrap(out, same, &same, 1, MM_FPR_FIRST, 50, 1, &error), error);
    assert_true(out[0].auroc.low == 0.5 && out[0].auroc.high == 0.5);
    static const double bad[] = {0.5, NAN};
    const mm_sample broken = {bad, 2};
    assert_int_equal(mm_metrics_bootstrap(out, same, &broken, 1, MM_FPR_FIRST, 50, 1, &error),
                     MMOOD_ERROR_NUMERIC);
    assert_int_equal(mm_metrics_bootstrap(out, same, &same, 1, MM_FPR_FIRST, 0, 1, &error),
                     MMOOD_ERROR_ARGUMENT);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_golden),    cmocka_unit_test(test_vectors),
        cmocka_unit_test(test_infinity),  cmocka_unit_test(test_order),
        cmocka_unit_test(test_refusals),  cmocka_unit_test(test_names),
        cmocka_unit_test(test_constant),  cmocka_unit_test(test_prevalence),
        cmocka_unit_test(test_bootstrap),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
