/* test_detector.c - building, judging, ranking, and the detector file: a round trip, and what is
 * refused. */
#include "test.h"

#include "base/buffer.h"
#include "base/file.h"
#include "clip/safetensors.h"
#include "detect/detector.h"

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

/* A detector for `id` and up to two lists of outliers. */
static mmood_status build(mmood_detector **out, const char *id, const char *first,
                          const char *second, const mmood_detector_options *options,
                          mmood_error *error) {
    mmood_labels *id_labels = labels_of(id), *sets[2] = {NULL, NULL};
    size_t count = 0;
    if (first)
        sets[count++] = labels_of(first);
    if (second)
        sets[count++] = labels_of(second);
    mmood_status status = mmood_detector_build(
        out, NULL, session, id_labels, (const mmood_labels *const *)sets, count, options, error);
    mmood_labels_free(id_labels);
    mmood_labels_free(sets[0]);
    mmood_labels_free(sets[1]);
    return status;
}

static void test_build(void **unused) {
    (void)unused;
    mmood_detector *detector;
    mmood_error error;
    mmood_detector_info info;
    assert_ok(build(&detector, "cat\ndog", "wolf\nfox\nwolf", "{\"near\":[\"fox\",\"owl\"]}", NULL,
                    &error),
              error);
    mmood_detector_describe(detector, &info);
    assert_int_equal(info.id_count, 2);
    assert_int_equal(info.outlier_count, 3); /* each counts once in the softmax */
    assert_string_equal(mmood_detector_label(detector, 4), "owl");
    assert_string_equal(mmood_detector_source(detector, 4), "near");
    assert_string_equal(mmood_detector_template(detector, 0), "a photo of a {}");
    assert_int_equal(info.score.kind, MMOOD_SCORE_MM_OOD);
    assert_true(info.score.temperature == 1 && info.score.beta == 0.25 && !info.calibrated);
    assert_ok(mmood_detector_check_model(detector, model, &error), error);
    mmood_detector_free(detector);

    assert_int_equal(build(&detector, "cat\ndog", "wolf\nDOG", NULL, NULL, &error),
                     MMOOD_ERROR_ARGUMENT);
    assert_non_null(strstr(error.message, "\"DOG\""));
    const char *templates[] = {"no place"};
    mmood_detector_options options = mmood_detector_options_default();
    options.templates = templates;
    options.template_count = 1;
    assert_int_equal(build(&detector, "cat", NULL, NULL, &options, &error), MMOOD_ERROR_ARGUMENT);
    options = mmood_detector_options_default();
    options.score.beta = NAN;
    assert_int_equal(build(&detector, "cat", NULL, NULL, &options, &error), MMOOD_ERROR_ARGUMENT);
}

static void note_dropped(void *context, const char *label, const char *id_label, double cosine) {
    mm_buffer *out = context;
    assert_true(cosine > -1 && cosine < 1.00001);
    mm_buffer_printf(out, "%s<%s ", label, id_label);
}

/* Outlier labels too near to an ID label go; twins in another case are exactly as near as can be,
 * and stay at 1. */
static void test_prune(void **unused) {
    (void)unused;
    mmood_detector *whole, *pruned;
    mmood_error error;
    mm_buffer told = {0};
    double cosines[6];
    assert_ok(build(&whole, "cat\ndog", "{\"x\":[\"wolf\",\"cat!\",\"hot dog\",\"owl\"]}", NULL,
                    NULL, &error),
              error);
    assert_ok(mmood_detector_prune(&pruned, whole, 1, note_dropped, &told, &error), error);
    mmood_detector_info info;
    mmood_detector_describe(pruned, &info);
    assert_int_equal(info.outlier_count, 4);
    assert_int_equal(told.size, 0);
    mmood_detector_free(pruned);

    double nearest[4], sorted[4];
    for (size_t i = 0; i < 4; i++) {
        assert_ok(mmood_detector_cosines(cosines, whole,
                                         whole->embeddings + (2 + i) * whole->dimension, &error),
                  error);
        nearest[i] = sorted[i] = fmax(cosines[0], cosines[1]);
    }
    for (size_t i = 0; i < 3; i++) /* the limit goes between the second and the third */
        for (size_t k = i + 1; k < 4; k++)
            if (sorted[k] > sorted[i]) {
                double swap = sorted[i];
                sorted[i] = sorted[k];
                sorted[k] = swap;
            }
    double limit = (sorted[1] + sorted[2]) / 2;
    assert_true(sorted[1] - sorted[2] > 1e-5);
    assert_ok(mmood_detector_prune(&pruned, whole, limit, note_dropped, &told, &error), error);
    mmood_detector_describe(pruned, &info);
    assert_int_equal(info.outlier_count, 2);
    for (size_t i = 0, at = 2; i < 4; i++) {
        const char *label = mmood_detector_label(whole, 2 + i);
        assert_int_equal(nearest[i] > limit, strstr(told.data, label) != NULL);
        if (nearest[i] > limit)
            continue;
        assert_string_equal(mmood_detector_label(pruned, at), label);
        assert_string_equal(mmood_detector_source(pruned, at), "x");
        assert_memory_equal(pruned->embeddings + at * pruned->dimension,
                            whole->embeddings + (2 + i) * whole->dimension,
                            whole->dimension * sizeof(float));
        at++;
    }
    mmood_detector_free(pruned);
    mm_buffer_free(&told);
    static const double bad[] = {NAN, -1, 1.01};
    for (size_t i = 0; i < 3; i++)
        assert_int_equal(mmood_detector_prune(&pruned, whole, bad[i], NULL, NULL, &error),
                         MMOOD_ERROR_ARGUMENT);
    whole->score.kind = MMOOD_SCORE_NEGLABEL;
    assert_int_equal(mmood_detector_prune(&pruned, whole, -0.999, NULL, NULL, &error),
                     MMOOD_ERROR_ARGUMENT);
    assert_non_null(strstr(error.message, "all 4 outlier labels"));
    mmood_detector_free(whole);
}

/* The label's embedding of a detector is the text's; of two templates, the unit mean. */
static void test_templates(void **unused) {
    (void)unused;
    enum { D = 32 };
    const char *templates[] = {"a photo of a {}", "the {}"};
    const char *texts[] = {"a photo of a cat", "the cat"};
    float rows[2 * D], mean[D], unit = 0;
    mmood_detector *detector;
    mmood_error error;
    mmood_detector_options options = mmood_detector_options_default();
    options.templates = templates;
    options.template_count = 2;
    assert_ok(mmood_session_embed_texts(rows, NULL, session, texts, 2, &error), error);
    for (int d = 0; d < D; d++) {
        mean[d] = rows[d] + rows[D + d];
        unit += mean[d] * mean[d];
    }
    for (int d = 0; d < D; d++)
        mean[d] /= sqrtf(unit);
    assert_ok(build(&detector, "cat\ndog", NULL, NULL, &options, &error), error);
    double cosines[2];
    assert_ok(mmood_detector_cosines(cosines, detector, mean, &error), error);
    assert_true(fabs(cosines[0] - 1) < 1e-6);
    assert_true(cosines[1] < 0.99999);
    mean[3] = NAN;
    assert_int_equal(mmood_detector_cosines(cosines, detector, mean, &error), MMOOD_ERROR_NUMERIC);
    mmood_detector_free(detector);
}

static void test_judge_and_rank(void **unused) {
    (void)unused;
    static const double cosines[] = {0.31, 0.22, 0.19, 0.27, 0.18};
    static const double other[] = {0.1, 0.2, 0.2, 0.5, 0.5};
    mmood_detector *detector;
    mmood_error error;
    mmood_verdict verdict;
    mmood_match top[9];
    size_t count = 3;
    assert_ok(build(&detector, "a\nb\nc", "x\ny", NULL, NULL, &error), error);
    assert_ok(mmood_detector_judge(&verdict, detector, cosines, NULL, &error), error);
    assert_true(fabs(verdict.score - 0.163759869017) < 1e-12);
    assert_true(verdict.is_id && !verdict.calibrated && isnan(verdict.threshold) &&
                isnan(verdict.p_value));
    assert_int_equal(verdict.label, 0);
    assert_int_equal(verdict.outlier, 3);
    assert_ok(mmood_detector_rank(top, &count, detector, cosines, &error), error);
    assert_int_equal(top[0].label, 0);
    assert_int_equal(top[1].label, 3);
    assert_int_equal(top[2].label, 1);
    assert_true(fabs(top[0].probability - 0.215529481407) < 1e-12);
    assert_ok(mmood_detector_judge(&verdict, detector, other, NULL, &error), error);
    assert_false(verdict.is_id);
    assert_int_equal(verdict.label, 1); /* the first of equals */
    assert_int_equal(verdict.outlier, 3);
    count = 9;
    assert_ok(mmood_detector_rank(top, &count, detector, other, &error), error);
    assert_int_equal(count, 5);
    mmood_score_settings mcm = {.kind = MMOOD_SCORE_MCM, .temperature = 0.01};
    assert_ok(mmood_detector_judge(&verdict, detector, cosines, &mcm, &error), error);
    assert_true(fabs(verdict.score - 0.999870462766) < 1e-12);
    mmood_detector_free(detector);
    assert_ok(build(&detector, "a\nb\nc", NULL, NULL, NULL, &error), error);
    assert_ok(mmood_detector_judge(&verdict, detector, cosines, NULL, &error), error);
    assert_true(verdict.is_id && verdict.outlier == SIZE_MAX);
    mmood_detector_free(detector);
}

static void test_file(void **unused) {
    (void)unused;
    mmood_detector *detector, *again;
    mmood_error error;
    mmood_detector_info a, b;
    mmood_detector_options options = mmood_detector_options_default();
    options.score.kind = MMOOD_SCORE_ENERGY;
    options.score.temperature = 0.1 + 0.2;
    options.score.beta = 1.0 / 3;
    assert_ok(build(&detector, "caf\xc3\xa9\n\"dog\"", "wolf", NULL, &options, &error), error);
    assert_ok(mmood_detector_save(detector, "detector-test.tmp", &error), error);
    assert_ok(mmood_detector_open(&again, "detector-test.tmp", &error), error);
    mmood_detector_describe(detector, &a);
    mmood_detector_describe(again, &b);
    assert_int_equal(a.id_count, b.id_count);
    assert_int_equal(a.outlier_count, b.outlier_count);
    assert_true(a.score.temperature == b.score.temperature && a.score.beta == b.score.beta);
    assert_string_equal(a.model_fingerprint, b.model_fingerprint);
    assert_string_equal(a.model_path, b.model_path);
    float picture[32] = {0};
    double x[3], y[3];
    picture[5] = 1;
    assert_ok(mmood_detector_cosines(x, detector, picture, &error), error);
    assert_ok(mmood_detector_cosines(y, again, picture, &error), error);
    assert_memory_equal(x, y, sizeof x);
    for (size_t i = 0; i < 3; i++)
        assert_string_equal(mmood_detector_label(detector, i), mmood_detector_label(again, i));
    mmood_detector_free(again);
    mmood_detector_free(detector);
    unlink("detector-test.tmp");
    assert_int_equal(mmood_detector_open(&again, "detector-test.tmp", &error), MMOOD_ERROR_IO);
}

/* Saves two labels' embeddings with a JSON text of our own and reads them back. */
static mmood_status open_with(const char *json, const float *embeddings, mmood_error *error) {
    const mm_tensor tensor = {.name = "embeddings",
                              .dtype = MM_DTYPE_F32,
                              .rank = 2,
                              .shape = {2, 2},
                              .elements = 4,
                              .data = (const uint8_t *)embeddings};
    const mm_metadata metadata = {"mmood", json};
    mmood_detector *detector;
    assert_ok(mm_safetensors_write("detector-test.tmp", &tensor, 1, &metadata, 1, error), *error);
    mmood_status status = mmood_detector_open(&detector, "detector-test.tmp", error);
    mmood_detector_free(detector);
    unlink("detector-test.tmp");
    return status;
}

#define SCORE "\"score\":{\"name\":\"mcm\",\"temperature\":1,\"beta\":0.25}"
#define MODEL                                                                                      \
    "\"model\":{\"path\":\"x\",\"precision\":\"f32\",\"dimension\":2,\"fingerprint\":"             \
    "\"0123456789abcdef0123456789abcdef"                                                           \
    "0123456789abcdef0123456789abcdef\"}"
#define LABELS                                                                                     \
    "\"labels\":[{\"label\":\"a\",\"kind\":\"id\"},{\"label\":\"b\",\"kind\":\"outlier\"}]"
#define REST "\"templates\":[\"{}\"],\"threshold\":null}"

static void test_bad_files(void **unused) {
    (void)unused;
    static const float good[] = {1, 0, 0.6f, 0.8f}, longer[] = {1, 0, 3, 4},
                       broken[] = {1, 0, NAN, 0};
    static const char whole[] =
        "{\"format\":\"mmood-detector/1\"," SCORE "," MODEL "," LABELS "," REST;
    static const struct {
        const char *json;
        const float *embeddings;
        const char *says;
    } cases[] = {
        {whole, longer, "length 5"},
        {whole, broken, "\"b\""},
        {"{\"format\":\"mmood-detector/9\"," SCORE "," MODEL "," LABELS "," REST, good,
         "mmood-detector/9"},
        {"{\"format\":\"mmood-detector/1\"," MODEL "," LABELS "," REST, good, "score"},
        {"{\"format\":\"mmood-detector/"
         "1\",\"score\":{\"name\":\"best\",\"temperature\":1,\"beta\":0}," MODEL "," LABELS
         "," REST,
         good, "best"},
        {"{\"format\":\"mmood-detector/1\"," SCORE "," LABELS "," REST, good, "model"},
        {"{\"format\":\"mmood-detector/1\"," SCORE "," MODEL
         ",\"labels\":[{\"label\":\"a\",\"kind\":\"id\"}]," REST,
         good, "1 labels but 2 embeddings"},
        {"{\"format\":\"mmood-detector/1\"," SCORE "," MODEL
         ",\"labels\":[{\"label\":\"a\",\"kind\":"
         "\"outlier\"},{\"label\":\"b\",\"kind\":\"id\"}]," REST,
         good, "ID labels first"},
        {"{\"format\":\"mmood-detector/1\"," SCORE "," MODEL "," LABELS ",\"templates\":[]}", good,
         "templates"},
        {"{\"format\":\"mmood-detector/1\"," SCORE "," MODEL "," LABELS ",\"templates\":[\"x\"]}",
         good, "{}"},
        {"{\"format\":\"mmood-detector/"
         "1\",\"score\":{\"name\":\"sum\",\"temperature\":1,\"beta\":0}," MODEL
         ",\"labels\":[{\"label\":\"a\",\"kind\":\"id\"},{\"label\":\"b\",\"kind\":\"id\"}]," REST,
         good, "outlier labels"},
        {"nonsense", good, "JSON"},
    };
    mmood_error error;
    assert_ok(open_with(whole, good, &error), error);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        if (open_with(cases[i].json, cases[i].embeddings, &error) == MMOOD_OK)
            fail_msg("case %zu was accepted", i);
        if (error.status == MMOOD_ERROR_ARGUMENT)
            fail_msg("case %zu blames the call, not the file: \"%s\"", i, error.message);
        if (!strstr(error.message, cases[i].says))
            fail_msg("case %zu: \"%s\" lacks \"%s\"", i, error.message, cases[i].says);
    }
    mmood_detector *detector;
    assert_int_equal(mmood_detector_open(&detector, "golden/p14-odd/model.safetensors", &error),
                     MMOOD_ERROR_FORMAT);
    assert_non_null(strstr(error.message, "no detector"));
    assert_int_equal(mmood_detector_open(&detector, "data/image/ok.jpg", &error),
                     MMOOD_ERROR_FORMAT);
    assert_non_null(strstr(error.message, "data/image/ok.jpg: not a detector but a JPEG picture"));
    assert_int_equal(mmood_detector_open(&detector, "detect/test_detector.c", &error),
                     MMOOD_ERROR_FORMAT);
    assert_non_null(strstr(error.message, "not a detector but a text file"));
}

static void test_other_model(void **unused) {
    (void)unused;
    mmood_detector *detector;
    mmood_model *other;
    mmood_error error;
    assert_ok(build(&detector, "cat\ndog", NULL, NULL, NULL, &error), error);
    assert_ok(mmood_model_open(&other, "golden/f16", NULL, &error), error);
    assert_int_equal(mmood_detector_check_model(detector, other, &error), MMOOD_ERROR_MISMATCH);
    assert_non_null(strstr(error.message, "golden/f16"));
    mmood_model_free(other);
    mmood_model_options options = mmood_model_options_default();
    options.resample = MMOOD_FILTER_BILINEAR; /* other preprocessing, other pictures' embeddings */
    assert_ok(mmood_model_open(&other, "golden/b32-quick", &options, &error), error);
    assert_int_equal(mmood_detector_check_model(detector, other, &error), MMOOD_ERROR_MISMATCH);
    mmood_model_free(other);
    mmood_detector_free(detector);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_build),       cmocka_unit_test(test_prune),
        cmocka_unit_test(test_templates),   cmocka_unit_test(test_judge_and_rank),
        cmocka_unit_test(test_file),        cmocka_unit_test(test_bad_files),
        cmocka_unit_test(test_other_model),
    };
    return cmocka_run_group_tests(tests, open_model, close_model);
}
