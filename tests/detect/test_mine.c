/* test_mine.c - quantiles, ranking words, words that are ID labels, and labels with templates of
 * their own on their way into a detector file. */
#include "test.h"

#include "detect/detector.h"
#include "detect/mine.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static mmood_model *model;
static mmood_session *session;

static int open_model(void **unused) {
    mmood_error error;
    mmood_model_options options = mmood_model_options_default();
    options.precision = MMOOD_PRECISION_F32;
    (void)unused;
    return mmood_model_open(&model, "golden/b32-quick", &options, &error) != MMOOD_OK ||
           mmood_session_create(&session, model, NULL, &error) != MMOOD_OK;
}

static int close_model(void **unused) {
    (void)unused;
    mmood_session_free(session);
    mmood_model_free(model);
    return 0;
}

static mmood_labels *labels_of(const char *text) {
    mmood_labels *labels;
    mmood_error error;
    assert_ok(mmood_labels_parse(&labels, text, strlen(text), &error), error);
    return labels;
}

static double quantile(const char *numbers, double q) {
    double values[32];
    size_t count = 0;
    char *next;
    for (const char *at = numbers; *at; at = next)
        values[count++] = strtod(at, &next);
    return mm_quantile(values, count, q);
}

/* numpy.quantile's values */
static void test_quantile(void **unused) {
    (void)unused;
    assert_true(quantile("7", 0.95) == 7);
    assert_true(fabs(quantile("3 1 2", 0.5) - 2) < 1e-15);
    assert_true(fabs(quantile("4 1 3 2", 0.95) - 3.85) < 1e-12);
    assert_true(quantile("4 1 3 2", 0) == 1 && quantile("4 1 3 2", 1) == 4);
    assert_true(fabs(quantile("1 1 1 1 5", 0.95) - 4.2) < 1e-12);
    assert_true(fabs(quantile(".3 -.2 .9 .1 .4 -.7 .8 .05 .6 .2 .31 .32", 0.95) - 0.845) < 1e-12);
    /* against sorting, for sizes and contents that a selection can stumble over */
    for (size_t n = 1; n < 32; n++)
        for (unsigned seed = 0; seed < 64; seed++) {
            double values[32], sorted[32];
            unsigned state = seed * 7919 + (unsigned)n;
            for (size_t i = 0; i < n; i++) {
                state = state * 1103515245u + 12345u;
                values[i] = (double)(state >> 16) / 65536;
                values[i] = seed % 3 ? values[i] : floor(values[i] * 4); /* with ties */
                size_t k = i;
                for (; k > 0 && sorted[k - 1] > values[i]; k--)
                    sorted[k] = sorted[k - 1];
                sorted[k] = values[i];
            }
            double place = 0.95 * (double)(n - 1), below = floor(place);
            size_t at = (size_t)below, above = at + 1 < n ? at + 1 : at;
            double expected = sorted[at] + (sorted[above] - sorted[at]) * (place - below);
            assert_true(fabs(mm_quantile(values, n, 0.95) - expected) < 1e-12);
        }
}

static const char *const plain[] = {"{}"};

static void test_rank(void **unused) {
    (void)unused;
    enum { N = 5 };
    const char *const words[N] = {"owl", "cat", "tree", "owl", "stone"};
    mmood_labels *id = labels_of("cat\ndog\nhorse");
    mm_mine_settings settings = {
        .id_templates = plain, .id_template_count = 1, .quantile = 1, .keep = 0.5, .too_near = 2};
    mm_miner *miner;
    mmood_error error;
    mm_mined ranked[N];
    size_t kept;
    assert_ok(mm_miner_create(&miner, session, id, &settings, &error), error);
    assert_ok(mm_miner_rank(ranked, &kept, miner, words, N, plain, 1, &error), error);
    assert_int_equal(kept, 2); /* the whole part of 2.5 */
    for (size_t i = 1; i < N; i++) {
        assert_true(ranked[i - 1].distance <= ranked[i].distance);
        if (ranked[i].distance == ranked[i - 1].distance) /* equal ones in their order */
            assert_true(ranked[i - 1].word < ranked[i].word);
    }
    assert_int_equal(ranked[N - 1].word, 1); /* an ID label's own text has the cosine 1 */
    assert_true(fabs(ranked[N - 1].distance - 1) < 1e-6);
    mm_miner_free(miner);

    settings.quantile = 0; /* the least similar label decides, but what is too near comes last */
    settings.too_near = 0.9999;
    assert_ok(mm_miner_create(&miner, session, id, &settings, &error), error);
    assert_ok(mm_miner_rank(ranked, &kept, miner, words, N, plain, 1, &error), error);
    assert_true(ranked[N - 1].word == 1 && ranked[N - 1].too_near && !ranked[0].too_near);
    assert_ok(mm_miner_rank(ranked, &kept, miner, words, 0, plain, 1, &error), error);
    assert_int_equal(kept, 0);
    assert_int_equal(mm_miner_rank(ranked, &kept, miner, words, N, &words[0], 1, &error),
                     MMOOD_ERROR_ARGUMENT);
    mm_miner_free(miner);

    settings.keep = 0;
    assert_int_equal(mm_miner_create(&miner, session, id, &settings, &error), MMOOD_ERROR_ARGUMENT);
    settings.keep = 1;
    settings.quantile = 1.5;
    assert_int_equal(mm_miner_create(&miner, session, id, &settings, &error), MMOOD_ERROR_ARGUMENT);
    mmood_labels_free(id);
}

static void test_match(void **unused) {
    (void)unused;
    const char *const words[] = {"owl", "hot dog", "stra\303\237e", ""};
    mmood_labels *id = labels_of("Strasse\nHot Dog\ncat");
    size_t match[4];
    mmood_error error;
    assert_ok(mm_mine_match(match, id, words, 4, &error), error);
    assert_int_equal(match[0], SIZE_MAX);
    assert_int_equal(match[1], 1);
    assert_int_equal(match[2], 0);
    assert_int_equal(match[3], SIZE_MAX);
    mmood_labels_free(id);
}

/* ---- Labels with templates of their own ---------------------------------------------------- */

static const char mined[] =
    "{\"format\":\"mmood-outliers/1\",\"labels\":["
    "{\"label\":\"owl\",\"template\":\"the nice {}\",\"source\":\"wordnet noun.animal\"},"
    "{\"label\":\"tree\"},"
    "{\"label\":\"red\",\"template\":[\"{} thing\",\"a {} place\"]},"
    "{\"label\":\"fox\",\"template\":[\"the nice {}\"]}]}";

static void check_own(const mmood_detector *detector) {
    enum { D = 32 };
    const char *const texts[] = {"the nice owl", "a photo of a tree", "red thing", "a red place"};
    float rows[4 * D];
    double cosines[6], unit = 0;
    mmood_error error;
    assert_ok(mmood_session_embed_texts(rows, NULL, session, texts, 4, &error), error);
    for (int d = 0; d < D; d++) {
        rows[2 * D + d] += rows[3 * D + d];
        unit += (double)(rows[2 * D + d] * rows[2 * D + d]);
    }
    for (int d = 0; d < D; d++)
        rows[2 * D + d] /= (float)sqrt(unit);
    for (size_t i = 0; i < 3; i++) {
        assert_ok(mmood_detector_cosines(cosines, detector, rows + i * D, &error), error);
        assert_true(fabs(cosines[2 + i] - 1) < 1e-5);
    }
    assert_string_equal(mmood_detector_label_template(detector, 4, 1), "a {} place");
    assert_null(mmood_detector_label_template(detector, 4, 2));
    assert_string_equal(mmood_detector_label_template(detector, 5, 0), "the nice {}");
    assert_string_equal(mmood_detector_label_template(detector, 0, 0), "a photo of a {}");
    assert_null(mmood_detector_label_template(detector, 0, 1));
}

static void test_own_templates(void **unused) {
    (void)unused;
    mmood_labels *id = labels_of("cat\ndog"), *outliers = labels_of(mined);
    assert_string_equal(mmood_labels_template(outliers, 0, 0), "the nice {}");
    assert_null(mmood_labels_template(outliers, 0, 1));
    assert_null(mmood_labels_template(outliers, 1, 0));
    mmood_detector *detector;
    mmood_error error;
    const mmood_labels *sets[] = {outliers};
    assert_ok(mmood_detector_build(&detector, NULL, session, id, sets, 1, NULL, &error), error);
    check_own(detector);
    char path[] = "/tmp/mmood-mine-XXXXXX";
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    close(fd);
    assert_ok(mmood_detector_save(detector, path, &error), error);
    mmood_detector_free(detector);
    assert_ok(mmood_detector_open(&detector, path, &error), error);
    check_own(detector);
    mmood_detector *copy = mm_detector_copy(detector);
    assert_non_null(copy);
    check_own(copy);
    mmood_detector_free(copy);
    mmood_detector_free(detector);
    unlink(path);
    mmood_labels_free(id);
    mmood_labels_free(outliers);
}

static void test_wrong_templates(void **unused) {
    (void)unused;
    static const char *const wrong[] = {"5",  "\"no place\"", "[]",           "[\"{}\",7]",
                                        "{}", "null",         "\"{} and {}\""};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        char text[200];
        mmood_labels *labels;
        mmood_error error;
        snprintf(text, sizeof text,
                 "{\"format\":\"mmood-outliers/1\",\"labels\":[{\"label\":\"a\"},"
                 "{\"label\":\"b\",\"template\":%s}]}",
                 wrong[i]);
        mmood_status status = mmood_labels_parse(&labels, text, strlen(text), &error);
        assert_true(status == MMOOD_ERROR_FORMAT || status == MMOOD_ERROR_LIMIT);
        assert_non_null(strstr(error.message, "label 2"));
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_quantile),        cmocka_unit_test(test_rank),
        cmocka_unit_test(test_match),           cmocka_unit_test(test_own_templates),
        cmocka_unit_test(test_wrong_templates),
    };
    return cmocka_run_group_tests(tests, open_model, close_model);
}
