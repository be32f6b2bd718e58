/* test_golden.c - embeddings of the tiny models in golden/ against transformers'
 * (tools/make_golden.py), and features of patches (tools/make_golden_patches.py), in f32, bf16 and
 * int8; and what must not change them: batches, order, threads, padding. */
#include "clip/rows.h"
#include "test.h"

#include "clip/onednn.h"
#include "clip/safetensors.h"

#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *const models[] = {"b32-quick",      "p16-gelu",   "p14-odd",       "p8-mixed",
                                     "p7-new",         "f16",        "bf16",          "sharded",
                                     "slow-tokenizer", "eos-inside", "eos-inside-old"};

enum { MODELS = sizeof models / sizeof *models };

/* A model with its inputs and expected embeddings. */
typedef struct golden {
    mmood_model *model;
    mmood_session *session;
    mmood_model_info info;
    mm_safetensors *file;
    size_t image_count;
    const uint8_t *crops[16];
    const float *images;
    json_t *text_list;
    json_t *ids;
    size_t text_count;
    const char *texts[16];
    const float *text_rows;
} golden;

static int fast_texts = 1; /* of the models that golden_open opens */

static mmood_status golden_open(golden *g, const char *name, mmood_precision precision,
                                int threads) {
    char path[256];
    mmood_error error;
    memset(g, 0, sizeof *g);
    snprintf(path, sizeof path, "golden/%s", name);
    mmood_model_options options = mmood_model_options_default();
    options.precision = precision;
    options.fast_texts = fast_texts;
    mmood_status status = mmood_model_open(&g->model, path, &options, &error);
    if (status == MMOOD_ERROR_UNSUPPORTED && precision != MMOOD_PRECISION_F32)
        return status;
    assert_ok(status, error);
    mmood_model_describe(g->model, &g->info);
    mmood_session_options session = {threads};
    assert_ok(mmood_session_create(&g->session, g->model, &session, &error), error);
    snprintf(path, sizeof path, "golden/%s/golden.safetensors", name);
    assert_ok(mm_safetensors_open(&g->file, path, &error), error);
    const mm_tensor *crops = mm_safetensors_find(g->file, "crops");
    g->image_count = crops->shape[0];
    for (size_t i = 0; i < g->image_count; i++)
        g->crops[i] = crops->data + i * (crops->elements / g->image_count);
    g->images = (const float *)(const void *)mm_safetensors_find(g->file, "images")->data;
    g->text_rows = (const float *)(const void *)mm_safetensors_find(g->file, "texts")->data;
    g->text_list = json_loads(mm_safetensors_metadata(g->file, "texts"), 0, NULL);
    g->ids = json_loads(mm_safetensors_metadata(g->file, "ids"), 0, NULL);
    g->text_count = json_array_size(g->text_list);
    for (size_t i = 0; i < g->text_count; i++)
        g->texts[i] = json_string_value(json_array_get(g->text_list, i));
    return MMOOD_OK;
}

static void golden_close(golden *g) {
    mmood_session_free(g->session);
    mmood_model_free(g->model);
    mm_safetensors_free(g->file);
    json_decref(g->text_list);
    json_decref(g->ids);
}

static void check_rows(const golden *g, const char *what, const float *rows, const float *expected,
                       size_t count, mmood_precision precision) {
    assert_near_rows(g->model, what, rows, expected, count, precision, 5e-6);
}

static void check_model(const char *name, mmood_precision precision) {
    golden g;
    mmood_error error;
    golden_open(&g, name, precision, 2);
    assert_int_equal(g.info.text_precision, fast_texts ? precision : MMOOD_PRECISION_F32);
    size_t truncated;
    float *rows = malloc(16 * (size_t)g.info.dimension * sizeof *rows);
    assert_ok(mmood_session_embed_images(rows, g.session, g.crops, g.image_count, &error), error);
    check_rows(&g, "picture", rows, g.images, g.image_count, g.info.precision);
    assert_ok(mmood_session_embed_texts(rows, &truncated, g.session, g.texts, g.text_count, &error),
              error);
    check_rows(&g, "text", rows, g.text_rows, g.text_count, g.info.text_precision);
    assert_int_equal(truncated, 1); /* the one with 90 foxes */
    free(rows);
    golden_close(&g);
}

/* With texts in f32, as by default, and in the precision of the images. */
static void check_both(const char *name, mmood_precision precision) {
    fast_texts = 0;
    check_model(name, precision);
    fast_texts = 1;
    check_model(name, precision);
}

static void test_f32(void **unused) {
    (void)unused;
    for (int i = 0; i < MODELS; i++)
        check_model(models[i], MMOOD_PRECISION_F32);
}

static void test_bf16(void **unused) {
    (void)unused;
    if (!mm_engine_has_bf16()) {
        print_message("this CPU has no bf16 instructions\n");
        skip();
    }
    for (int i = 0; i < MODELS; i++)
        check_both(models[i], MMOOD_PRECISION_BF16);
}

static void test_int8(void **unused) {
    (void)unused;
    if (!mm_engine_has_int8()) {
        print_message("this CPU does not multiply 8-bit numbers\n");
        skip();
    }
    for (int i = 0; i < MODELS; i++)
        check_both(models[i], MMOOD_PRECISION_INT8);
}

static void test_token_ids(void **unused) {
    (void)unused;
    for (int m = 0; m < MODELS; m++) {
        golden g;
        mmood_error error;
        golden_open(&g, models[m], MMOOD_PRECISION_F32, 1);
        for (size_t i = 0; i < g.text_count; i++) {
            uint32_t ids[77];
            size_t count;
            const json_t *expected = json_array_get(g.ids, i);
            assert_ok(mmood_model_tokenize(ids, &count, NULL, g.model, g.texts[i],
                                           strlen(g.texts[i]), &error),
                      error);
            assert_int_equal(count, json_array_size(expected));
            for (size_t k = 0; k < count; k++)
                assert_int_equal(ids[k], json_integer_value(json_array_get(expected, k)));
        }
        golden_close(&g);
    }
}

/* Every picture and text alone, with 1 and 3 threads, against all together with 2: the same bits.
 */
static void check_alone(const char *name, mmood_precision precision) {
    golden g, h;
    mmood_error error;
    if (golden_open(&g, name, precision, 2) != MMOOD_OK)
        return;
    size_t d = (size_t)g.info.dimension;
    float *together = malloc(64 * d * sizeof *together), *alone = malloc(64 * d * sizeof *alone);
    for (int threads = 1; threads <= 3; threads += 2) {
        golden_open(&h, name, precision, threads);
        const uint8_t *many[60]; /* more than one chunk, in another order */
        for (size_t i = 0; i < 60; i++)
            many[i] = g.crops[(i * 7 + 3) % g.image_count];
        assert_ok(mmood_session_embed_images(together, g.session, many, 60, &error), error);
        for (size_t i = 0; i < g.image_count; i++) {
            assert_ok(mmood_session_embed_images(alone, h.session, &g.crops[i], 1, &error), error);
            for (size_t k = 0; k < 60; k++)
                if (many[k] == g.crops[i])
                    assert_same_rows(alone, together + k * d, d, g.info.precision);
        }
        for (size_t n = 1; n < 60; n += n < 20 ? 1 : 7) { /* however they are dealt to workers */
            assert_ok(mmood_session_embed_images(alone, h.session, many, n, &error), error);
            assert_same_rows(alone, together, n * d, g.info.precision);
        }
        assert_ok(
            mmood_session_embed_texts(together, NULL, g.session, g.texts, g.text_count, &error),
            error);
        for (size_t i = 0; i < g.text_count; i++) {
            assert_ok(mmood_session_embed_texts(alone, NULL, h.session, &g.texts[i], 1, &error),
                      error);
            assert_same_rows(alone, together + i * d, d, g.info.precision);
        }
        golden_close(&h);
    }
    free(together);
    free(alone);
    golden_close(&g);
}

static void test_neighbours_change_nothing(void **unused) {
    (void)unused;
    for (int i = 0; i < MODELS; i++) {
        check_alone(models[i], MMOOD_PRECISION_F32);
        check_alone(models[i], MMOOD_PRECISION_BF16);
        check_alone(models[i], MMOOD_PRECISION_INT8);
    }
}

/* Texts that come several times, some spelt otherwise but with the same tokens: each gets its row.
 */
static void check_repeated(mmood_precision precision) {
    static const char *const texts[] = {"dog", "a cat", "dog", "a  CAT ", "dog", "", "a cat", ""};
    enum { COUNT = sizeof texts / sizeof *texts };
    golden g;
    mmood_error error;
    if (golden_open(&g, "b32-quick", precision, 2) != MMOOD_OK)
        return;
    size_t d = (size_t)g.info.dimension;
    float *together = malloc(COUNT * d * sizeof *together), *alone = malloc(d * sizeof *alone);
    assert_ok(mmood_session_embed_texts(together, NULL, g.session, texts, COUNT, &error), error);
    for (size_t i = 0; i < COUNT; i++) {
        assert_ok(mmood_session_embed_texts(alone, NULL, g.session, &texts[i], 1, &error), error);
        assert_same_rows(alone, together + i * d, d, g.info.precision);
    }
    assert_memory_equal(together, together + 2 * d, d * sizeof *alone);
    assert_memory_equal(together + d, together + 3 * d, d * sizeof *alone);
    assert_memory_equal(together + 5 * d, together + 7 * d, d * sizeof *alone);
    free(together);
    free(alone);
    golden_close(&g);
}

static void test_repeated_texts(void **unused) {
    (void)unused;
    check_repeated(MMOOD_PRECISION_F32);
    check_repeated(MMOOD_PRECISION_BF16);
}

/* Labels that differ get different embeddings (a pooling rule gone wrong gives them all the same),
 * and what is cut off a long text does not matter. */
static void test_texts_differ(void **unused) {
    (void)unused;
    for (int m = 0; m < MODELS; m++) {
        golden g;
        mmood_error error;
        golden_open(&g, models[m], MMOOD_PRECISION_F32, 1);
        size_t d = (size_t)g.info.dimension, truncated;
        float *rows = malloc(4 * d * sizeof *rows);
        char eighty[400] = "", hundred[500] = "";
        for (int i = 0; i < 80; i++)
            strcat(eighty, "dog ");
        for (int i = 0; i < 100; i++)
            strcat(hundred, "dog ");
        const char *texts[] = {"cat", "cat!", eighty, hundred};
        assert_ok(mmood_session_embed_texts(rows, &truncated, g.session, texts, 4, &error), error);
        assert_int_equal(truncated, 2);
        /* eos-inside-old pools at "cat" itself, the largest id: what follows is never looked at. */
        int same = memcmp(rows, rows + d, d * sizeof *rows) == 0;
        assert_int_equal(same, strcmp(models[m], "eos-inside-old") == 0);
        assert_true(memcmp(rows, rows + 2 * d, d * sizeof *rows) != 0);
        assert_same_rows(rows + 2 * d, rows + 3 * d, d, g.info.precision);
        free(rows);
        golden_close(&g);
    }
}

/* Room for the features of `count` pictures' patches. */
static float *patch_rows(const golden *g, size_t count) {
    return malloc(count * (size_t)g->info.patches * (size_t)g->info.dimension * sizeof(float));
}

static void check_patches(const char *name, mmood_precision precision) {
    golden g;
    mmood_error error;
    mm_safetensors *file;
    char path[256];
    golden_open(&g, name, precision, 2);
    snprintf(path, sizeof path, "golden/%s/patches.safetensors", name);
    assert_ok(mm_safetensors_open(&file, path, &error), error);
    const mm_tensor *expected = mm_safetensors_find(file, "patches");
    assert_int_equal(expected->shape[0], g.image_count);
    assert_int_equal(expected->shape[1], g.info.patches);
    assert_int_equal(expected->shape[2], g.info.dimension);
    size_t side = (size_t)(g.info.image_size / g.info.patch_size);
    assert_int_equal(g.info.patches, side * side);
    float *rows = malloc(16 * (size_t)g.info.dimension * sizeof *rows);
    float *patches = patch_rows(&g, g.image_count);
    assert_ok(mmood_session_embed_patches(rows, patches, g.session, g.crops, g.image_count, &error),
              error);
    check_rows(&g, "picture", rows, g.images, g.image_count, g.info.precision);
    check_rows(&g, "patch", patches, (const float *)(const void *)expected->data,
               g.image_count * expected->shape[1], g.info.precision);
    free(rows);
    free(patches);
    mm_safetensors_free(file);
    golden_close(&g);
}

static void test_patches(void **unused) {
    (void)unused;
    static const char *const names[] = {"p16-gelu", "p14-odd", "p7-new", "bf16", "eos-inside-old"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        check_patches(names[i], MMOOD_PRECISION_F32);
        if (mm_engine_has_bf16())
            check_patches(names[i], MMOOD_PRECISION_BF16);
        if (mm_engine_has_int8())
            check_patches(names[i], MMOOD_PRECISION_INT8);
    }
}

/* `count` pictures with their patches by `threads` threads: embeddings have the bits that they have
 * without patches, and a picture's patches are those it has alone. */
static void check_patches_together(const char *name, mmood_precision precision, size_t count,
                                   int threads) {
    golden g, h;
    mmood_error error;
    if (golden_open(&g, name, precision, threads) != MMOOD_OK)
        return;
    golden_open(&h, name, precision, 1);
    size_t d = (size_t)g.info.dimension, step = (size_t)g.info.patches * d;
    float *plain = malloc(count * d * sizeof *plain), *rows = malloc(count * d * sizeof *rows);
    float *patches = patch_rows(&g, count), *alone = patch_rows(&g, 1);
    const uint8_t *many[64];
    for (size_t i = 0; i < count; i++)
        many[i] = g.crops[(i * 7 + 3) % g.image_count];
    assert_ok(mmood_session_embed_images(plain, g.session, many, count, &error), error);
    assert_ok(mmood_session_embed_patches(rows, patches, g.session, many, count, &error), error);
    assert_memory_equal(rows, plain, count * d * sizeof *rows);
    for (size_t i = 0; i < g.image_count; i++) {
        float row[64];
        assert_ok(mmood_session_embed_patches(row, alone, h.session, &g.crops[i], 1, &error),
                  error);
        for (size_t k = 0; k < count; k++)
            if (many[k] == g.crops[i]) {
                assert_same_rows(row, rows + k * d, d, g.info.precision);
                assert_same_rows(alone, patches + k * step, step, g.info.precision);
            }
    }
    assert_ok(mmood_session_embed_images(rows, g.session, many, count, &error), error);
    assert_memory_equal(rows, plain, count * d * sizeof *rows);
    free(plain);
    free(rows);
    free(patches);
    free(alone);
    golden_close(&g);
    golden_close(&h);
}

static void test_patches_together(void **unused) {
    (void)unused;
    static const mmood_precision precisions[] = {MMOOD_PRECISION_F32, MMOOD_PRECISION_BF16,
                                                 MMOOD_PRECISION_INT8};
    for (int p = 0; p < 3; p++) {
        for (int i = 0; i < MODELS; i++) { /* several chunks, one worker each */
            check_patches_together(models[i], precisions[p], 60, 1);
            check_patches_together(models[i], precisions[p], 60, 3);
        }
        check_patches_together("p7-new", precisions[p], 7, 8);     /* a team of 4 */
        check_patches_together("p8-mixed", precisions[p], 30, 31); /* of 21 on two chunks */
    }
}

static void test_nothing_to_do(void **unused) {
    (void)unused;
    golden g;
    mmood_error error;
    float row[64];
    golden_open(&g, "b32-quick", MMOOD_PRECISION_F32, 2);
    assert_ok(mmood_session_embed_images(row, g.session, NULL, 0, &error), error);
    assert_ok(mmood_session_embed_texts(row, NULL, g.session, NULL, 0, &error), error);
    assert_ok(mmood_session_embed_patches(NULL, NULL, g.session, NULL, 0, &error), error);
    assert_int_equal(mmood_session_embed_patches(row, NULL, g.session, g.crops, 1, &error),
                     MMOOD_ERROR_ARGUMENT);
    assert_non_null(strstr(error.message, "`patches` is NULL"));
    assert_int_equal(mmood_session_embed_patches(row, row, g.session, NULL, 1, NULL),
                     MMOOD_ERROR_ARGUMENT);
    const char *broken = "caf\xe9";
    assert_int_equal(mmood_session_embed_texts(row, NULL, g.session, &broken, 1, &error),
                     MMOOD_ERROR_FORMAT);
    assert_non_null(strstr(error.message, "UTF-8"));
    golden_close(&g);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_f32),
        cmocka_unit_test(test_bf16),
        cmocka_unit_test(test_int8),
        cmocka_unit_test(test_token_ids),
        cmocka_unit_test(test_neighbours_change_nothing),
        cmocka_unit_test(test_repeated_texts),
        cmocka_unit_test(test_texts_differ),
        cmocka_unit_test(test_patches),
        cmocka_unit_test(test_patches_together),
        cmocka_unit_test(test_nothing_to_do),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
