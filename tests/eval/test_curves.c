/* test_curves.c - curves that keep their shape and area when thinned, histograms, thresholds. */
#include "test.h"

#include "eval/curves.h"
#include "eval/metrics.h"

#include <math.h>
#include <stdlib.h>

static double uniform(uint32_t *state) {
    *state = *state * 1664525u + 1013904223u;
    return (*state >> 8) / 16777216.0;
}

static double area(const mm_curve *curve) {
    double sum = 0;
    for (size_t i = 1; i < curve->count; i++)
        sum += (curve->points[i].x - curve->points[i - 1].x) *
               (curve->points[i].y + curve->points[i - 1].y) / 2;
    return sum;
}

static void check(const double *id, size_t n, const double *ood, size_t m, double tolerance,
                  double precision_tolerance) {
    mm_curve roc, precision;
    mm_metrics metrics;
    mmood_error error;
    assert_ok(mm_curves_compute(&roc, &precision, id, n, ood, m, &error), error);
    assert_ok(mm_metrics_compute(&metrics, id, n, ood, m, MM_FPR_NEAREST, &error), error);
    assert_true(roc.count <= MM_CURVE_POINTS && precision.count <= MM_CURVE_POINTS);
    assert_true(roc.points[0].x == 0 && roc.points[0].y == 0);
    assert_true(roc.points[roc.count - 1].x == 1 && roc.points[roc.count - 1].y == 1);
    assert_true(precision.points[0].x == 0 && precision.points[precision.count - 1].x == 1);
    for (size_t i = 1; i < roc.count; i++)
        assert_true(roc.points[i].x >= roc.points[i - 1].x &&
                    roc.points[i].y >= roc.points[i - 1].y);
    for (size_t i = 0; i < precision.count; i++)
        assert_true(precision.points[i].y >= 0 && precision.points[i].y <= 1 &&
                    (i == 0 || precision.points[i].x >= precision.points[i - 1].x));
    if (!(fabs(area(&roc) - metrics.auroc) <= tolerance))
        fail_msg("area %.6f, AUROC %.6f", area(&roc), metrics.auroc);
    if (!(fabs(area(&precision) - metrics.aupr_in) <= precision_tolerance))
        fail_msg("area %.6f, AUPR %.6f", area(&precision), metrics.aupr_in);
}

static void test_area(void **unused) {
    (void)unused;
    enum { N = 20000 };
    static double id[N], ood[N];
    static const double shift[] = {0, 0.3, 0.9, 3};
    uint32_t state = 1;
    for (size_t s = 0; s < 4; s++) {
        for (size_t i = 0; i < N; i++) {
            ood[i] = uniform(&state) + uniform(&state);
            id[i] = uniform(&state) + uniform(&state) + shift[s];
        }
        check(id, N, ood, N, 2e-4, 2e-3);
        check(id, 30, ood, 60, 1e-12, 0.02); /* all points stay */
        for (size_t i = 0; i < N; i++) {     /* few distinct values: the steps are slopes */
            id[i] = floor(id[i] * 3);
            ood[i] = floor(ood[i] * 3);
        }
        check(id, N, ood, N, 1e-12, 0.1);
    }
    for (size_t i = 0; i < N; i++)
        id[i] = ood[i] = 7;
    check(id, N, ood, 1, 1e-12, 1e-12);
    id[0] = INFINITY;
    ood[0] = -INFINITY;
    check(id, 2, ood, 2, 1e-12, 0.1);
    mm_curve roc, precision;
    mmood_error error;
    assert_int_equal(mm_curves_compute(&roc, &precision, id, 0, ood, 1, &error),
                     MMOOD_ERROR_ARGUMENT);
}

static void test_histogram(void **unused) {
    (void)unused;
    enum { N = 1000 };
    static double scores[N];
    double bins[4];
    mm_range range;
    mmood_error error;
    for (size_t i = 0; i < N; i++)
        scores[i] = (double)i / N;
    scores[0] = -INFINITY;
    scores[1] = -1e300;
    scores[N - 1] = 1e300;
    assert_ok(mm_range_robust(&range, scores, N, &error), error);
    assert_true(range.low > 0 && range.low < 0.02 && range.high > 0.98 && range.high < 1);
    mm_histogram(bins, 4, &range, scores, N);
    for (int i = 0; i < 4; i++)
        assert_true(fabs(bins[i] - 0.25) < 0.01);

    static const double odd[][2] = {{5, 5}, {0, 0}, {INFINITY, -INFINITY}, {-1.7e308, 1.7e308}};
    for (size_t i = 0; i < 4; i++) {
        assert_ok(mm_range_robust(&range, odd[i], 2, &error), error);
        assert_true(isfinite(range.low) && isfinite(range.high) && range.low < range.high);
        mm_histogram(bins, 4, &range, odd[i], 2);
        assert_true(fabs(bins[0] + bins[1] + bins[2] + bins[3] - 1) < 1e-12);
    }
    assert_ok(mm_range_robust(&range, NULL, 0, &error), error);
    assert_true(range.low == 0 && range.high == 1);
}

static void test_threshold(void **unused) {
    (void)unused;
    double scores[19];
    for (int i = 0; i < 19; i++)
        scores[i] = i + 1;
    assert_true(mm_conformal_threshold(scores, 19, 0.95) == 1); /* ceil(20 * 0.95) = 19 reach it */
    assert_true(mm_conformal_threshold(scores, 19, 0.9) == 2);
    assert_true(mm_conformal_threshold(scores, 19, 0.5) == 10);
    assert_true(isnan(mm_conformal_threshold(scores, 18, 0.95)));
    assert_true(isnan(mm_conformal_threshold(scores, 0, 0.5)));
    assert_true(mm_share_reaching(scores, 19, 10) == 10.0 / 19);
    assert_true(isnan(mm_share_reaching(scores, 0, 10)));
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_area),
                                       cmocka_unit_test(test_histogram),
                                       cmocka_unit_test(test_threshold)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
