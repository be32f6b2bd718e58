/* test_scorer.c - a scorer gives what judging one by one gives, whatever the block, the threads and
 * the neighbours; and the adaptive memory. */
#include "test.h"

#include "detect/scorer.h"
#include "detect/scores.h"

#include "made.h"

#include <stdlib.h>

enum { D = 24, N = 333, TOP = 4, PATCHES = 5 };

typedef struct run {
    mmood_verdict verdicts[N];
    double scores[N * 12];
    mmood_match top[N * TOP];
} run;

static float pictures[N * D], patches[N * PATCHES * D];

static size_t all_scores(mmood_score_settings *out) {
    size_t n = 0;
    for (; mmood_score_name((mmood_score_kind)n); n++) {
        out[n] = mmood_score_settings_default();
        out[n].kind = (mmood_score_kind)n;
    }
    return n;
}

/* Scores pictures in pieces of `piece`. */
static run *score(const mmood_detector *detector, int threads, size_t piece, int adaptive) {
    mmood_score_settings settings[12];
    mmood_scorer_options options = {settings, all_scores(settings), TOP, threads, adaptive};
    mmood_scorer *scorer;
    mmood_error error;
    run *r = calloc(1, sizeof *r);
    assert_non_null(r);
    assert_ok(mmood_scorer_create(&scorer, detector, &options, &error), error);
    assert_int_equal(mmood_scorer_top(scorer), TOP);
    for (size_t at = 0; at < N; at += piece) {
        mmood_results out = {r->verdicts + at, r->scores + at * 12, r->top + at * TOP};
        size_t n = N - at < piece ? N - at : piece;
        assert_ok(mmood_scorer_run(&out, scorer, pictures + at * D, patches + at * PATCHES * D,
                                   PATCHES, n, &error),
                  error);
    }
    mmood_scorer_free(scorer);
    return r;
}

static void test_as_alone(void **unused) {
    (void)unused;
    mmood_detector *detector = made_detector(7, 130, D);
    run *r = score(detector, 1, N, 0);
    mmood_score_settings settings[12];
    mmood_error error;
    all_scores(settings);
    for (size_t i = 0; i < N; i++) {
        double cosines[137], local[PATCHES * 7], expected[12], row[137];
        mmood_verdict verdict;
        mmood_match top[TOP];
        size_t count = TOP;
        assert_ok(mmood_detector_cosines(cosines, detector, pictures + i * D, &error), error);
        for (size_t p = 0; p < PATCHES; p++) {
            assert_ok(
                mmood_detector_cosines(row, detector, patches + (i * PATCHES + p) * D, &error),
                error);
            memcpy(local + p * 7, row, 7 * sizeof *row);
        }
        mmood_similarities similarities = {cosines, 7, 130, local, PATCHES};
        assert_ok(mmood_scores_compute(expected, &similarities, settings, 12, &error), error);
        for (size_t k = 0; k < 12; k++)
            assert_true(fabs(r->scores[i * 12 + k] - expected[k]) < 1e-12);
        assert_ok(mmood_detector_judge(&verdict, detector, cosines, NULL, &error), error);
        assert_true(fabs(verdict.score - r->verdicts[i].score) < 1e-13);
        assert_int_equal(verdict.label, r->verdicts[i].label);
        assert_int_equal(verdict.outlier, r->verdicts[i].outlier);
        assert_int_equal(verdict.is_id, r->verdicts[i].is_id);
        assert_ok(mmood_detector_rank(top, &count, detector, cosines, &error), error);
        for (size_t k = 0; k < TOP; k++) {
            assert_int_equal(top[k].label, r->top[i * TOP + k].label);
            assert_true(fabs(top[k].probability - r->top[i * TOP + k].probability) < 1e-13);
            assert_true(k == 0 || top[k].cosine <= top[k - 1].cosine);
        }
    }
    free(r);
    mmood_detector_free(detector);
}

static void test_independence(void **unused) {
    (void)unused;
    mmood_detector *detector = made_detector(7, 130, D);
    run *first = score(detector, 1, N, 0);
    static const struct {
        int threads;
        size_t piece;
    } ways[] = {{2, N}, {3, 100}, {1, 1}, {5, 7}};
    for (size_t i = 0; i < sizeof ways / sizeof *ways; i++) {
        run *other = score(detector, ways[i].threads, ways[i].piece, 0);
        assert_memory_equal(first->scores, other->scores, sizeof first->scores);
        for (size_t j = 0; j < N; j++)
            assert_true(first->verdicts[j].score == other->verdicts[j].score &&
                        first->top[j].label == other->top[j].label);
        free(other);
    }
    free(first);
    mmood_detector_free(detector);
}

/* Evaluations keep what the patches say and put gl-mcm together themselves: the same bits. */
static void test_best_patch(void **unused) {
    (void)unused;
    mmood_detector *detector = made_detector(7, 130, D);
    mmood_scorer *scorer;
    mmood_error error = {0};
    static double scores[N * 6];
    mmood_score_settings settings[6]; /* gl-mcm and mcm, each for three settings */
    static const double temperatures[] = {0, 0.01, 0.37}, lambdas[] = {0.5, 1, 0.3};
    for (size_t i = 0; i < 6; i++) {
        settings[i] = mmood_score_settings_default();
        settings[i].kind = i % 2 ? MMOOD_SCORE_MCM : MMOOD_SCORE_GL_MCM;
        settings[i].temperature = temperatures[i / 2];
        settings[i].lambda = lambdas[i / 2];
    }
    mmood_scorer_options options = {settings, 6, 0, 2, 0};
    mmood_results out = {.scores = scores};
    assert_ok(mmood_scorer_create(&scorer, detector, &options, &error), error);
    assert_ok(mmood_scorer_run(&out, scorer, pictures, patches, PATCHES, N, &error), error);
    for (size_t i = 0; i < N; i++)
        for (size_t k = 0; k < 6; k += 2) {
            double best;
            assert_ok(mm_scorer_best_patch(&best, scorer, patches + i * PATCHES * D, PATCHES,
                                           mmood_score_temperature(&settings[k]), &error),
                      error);
            double joined = mm_score_gl_mcm(scores[i * 6 + k + 1], best, settings[k].lambda);
            assert_memory_equal(&joined, &scores[i * 6 + k], sizeof joined);
        }
    float broken[PATCHES * D];
    double best;
    memcpy(broken, patches, sizeof broken);
    broken[2 * D + 3] = NAN;
    assert_int_equal(mm_scorer_best_patch(&best, scorer, broken, PATCHES, 1, &error),
                     MMOOD_ERROR_NUMERIC);
    assert_non_null(strstr(error.message, "patch 2"));
    mmood_scorer_free(scorer);
    mmood_detector_free(detector);
}

static void test_adaptive(void **unused) {
    (void)unused;
    mmood_detector *detector = made_detector(7, 130, D);
    detector->score.kind = MMOOD_SCORE_NEGLABEL;
    run *plain = score(detector, 1, N, 0), *one = score(detector, 1, N, 1),
        *pieces = score(detector, 4, 10, 1);
    assert_memory_equal(one->scores, pieces->scores, sizeof one->scores); /* same stream */
    assert_true(fabs(one->verdicts[0].score - 1.1 * plain->verdicts[0].score) < 1e-12);
    size_t changed = 0;
    for (size_t i = 0; i < N; i++) {
        assert_true(one->scores[i * 12] == plain->scores[i * 12]); /* mm-ood does not learn */
        assert_true(one->verdicts[i].score >= 0 && one->verdicts[i].score <= 1.1 + 1e-12);
        changed += fabs(one->verdicts[i].score - 1.1 * plain->verdicts[i].score) > 1e-6;
    }
    assert_true(changed > N / 10);
    free(plain);
    free(one);
    free(pieces);
    mmood_detector_free(detector);
}

static void test_refusals(void **unused) {
    (void)unused;
    mmood_detector *detector = made_detector(7, 0, D), *with = made_detector(3, 3, D);
    mmood_scorer *scorer;
    mmood_error error = {0};
    mmood_score_settings settings[12];
    all_scores(settings);
    mmood_scorer_options options = {settings, 12, 1, 1, 0};
    assert_int_equal(mmood_scorer_create(&scorer, detector, &options, &error),
                     MMOOD_ERROR_ARGUMENT);
    assert_non_null(strstr(error.message, "outlier labels"));
    assert_null(scorer);
    options = (mmood_scorer_options){NULL, 0, 0, 1, 1};
    assert_int_equal(mmood_scorer_create(&scorer, with, &options, &error), MMOOD_ERROR_ARGUMENT);
    assert_non_null(strstr(error.message, "neglabel"));
    options = (mmood_scorer_options){&settings[MMOOD_SCORE_GL_MCM], 1, 0, 1, 0};
    assert_ok(mmood_scorer_create(&scorer, with, &options, &error), error);
    mmood_verdict verdicts[3];
    double scores[3];
    mmood_results out = {verdicts, scores, NULL};
    assert_int_equal(mmood_scorer_run(&out, scorer, pictures, NULL, 0, 3, &error),
                     MMOOD_ERROR_ARGUMENT);
    mmood_scorer_free(scorer);
    assert_ok(mmood_scorer_create(&scorer, detector, NULL, &error), error);
    float broken[3 * D];
    memcpy(broken, pictures, sizeof broken);
    broken[2 * D + 5] = NAN;
    assert_int_equal(mmood_scorer_run(&out, scorer, broken, NULL, 0, 3, &error),
                     MMOOD_ERROR_NUMERIC);
    assert_non_null(strstr(error.message, "picture 2"));
    assert_ok(mmood_scorer_run(&out, scorer, broken, NULL, 0, 0, &error), error);
    assert_ok(mmood_scorer_run(&out, scorer, broken, NULL, 0, 2, &error), error);
    assert_int_equal(verdicts[1].outlier, SIZE_MAX);
    assert_true(isnan(verdicts[1].outlier_cosine) && verdicts[1].is_id);
    mmood_scorer_free(scorer);
    mmood_detector_free(with);
    mmood_detector_free(detector);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_as_alone),   cmocka_unit_test(test_independence),
        cmocka_unit_test(test_best_patch), cmocka_unit_test(test_adaptive),
        cmocka_unit_test(test_refusals),
    };
    made_units(pictures, N, D, 5);
    made_units(patches, N * PATCHES, D, 6);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
