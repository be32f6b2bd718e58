/* test_open_clip.c - models in open_clip's layout, of every family of towers, against open_clip and
 * timm (tools/make_golden_open_clip.py), in f32, bf16 and int8; and what must not change them:
 * batches, order, threads. */
#include "clip/rows.h"
#include "clip/synthetic.h"
#include "test.h"

#include "clip/onednn.h"
#include "clip/safetensors.h"

#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { IMAGES = 3, MOST_TEXTS = 16 };

static const char *const models[] = {"quick",     "unusual",    "norm-last", "first",      "lite0",
                                     "lite2-mlp", "lite0-none", "mci0",      "mci0-folded"};
enum { MODELS = sizeof models / sizeof *models };

static char directory[] = "/tmp/mmood-open-clip-XXXXXX";

typedef struct golden {
    mmood_model *model;
    mmood_session *session;
    mmood_model_info info;
    mm_safetensors *file;
    json_t *text_list;
    const char *texts[MOST_TEXTS];
    size_t text_count;
    uint8_t *pixels;
    const uint8_t *crops[IMAGES];
} golden;

static const float *rows_of(const golden *g, const char *name) {
    const mm_tensor *tensor = mm_safetensors_find(g->file, name);
    return tensor ? (const float *)(const void *)tensor->data : NULL;
}

/* The directory of a model, made by the first test that wants it. */
static const char *model_path(const char *name) {
    static char path[128];
    snprintf(path, sizeof path, "%s/%s", directory, name);
    char weights[256];
    snprintf(weights, sizeof weights, "%s/open_clip_model.safetensors", path);
    FILE *there = fopen(weights, "rb");
    if (there)
        fclose(there);
    else
        assert_int_equal(synthetic_write(path, name, "open_clip_model.safetensors"), 0);
    return path;
}

static int fast_texts = 1; /* of the models that golden_open opens */

static mmood_status golden_open(golden *g, const char *name, mmood_precision precision,
                                int threads) {
    char path[128];
    mmood_error error;
    *g = (golden){0};
    mmood_model_options options = mmood_model_options_default();
    options.precision = precision;
    options.fast_texts = fast_texts;
    mmood_status status = mmood_model_open(&g->model, model_path(name), &options, &error);
    if (status == MMOOD_ERROR_UNSUPPORTED && precision == MMOOD_PRECISION_BF16 &&
        !mm_engine_has_bf16())
        return status;
    assert_ok(status, error);
    mmood_model_describe(g->model, &g->info);
    mmood_session_options session = {threads};
    assert_ok(mmood_session_create(&g->session, g->model, &session, &error), error);
    snprintf(path, sizeof path, "golden/open_clip/%s/golden.safetensors", name);
    assert_ok(mm_safetensors_open(&g->file, path, &error), error);
    g->text_list = json_loads(mm_safetensors_metadata(g->file, "texts"), 0, NULL);
    g->text_count = json_array_size(g->text_list);
    for (size_t i = 0; i < g->text_count; i++)
        g->texts[i] = json_string_value(json_array_get(g->text_list, i));
    size_t size = (size_t)g->info.image_size;
    g->pixels = malloc(IMAGES * size * size * 3);
    for (size_t i = 0; i < IMAGES; i++) {
        synthetic_crop(g->pixels + i * size * size * 3, i, size);
        g->crops[i] = g->pixels + i * size * size * 3;
    }
    return MMOOD_OK;
}

static void golden_close(golden *g) {
    mmood_session_free(g->session);
    mmood_model_free(g->model);
    mm_safetensors_free(g->file);
    json_decref(g->text_list);
    free(g->pixels);
}

static void check_rows(const golden *g, const char *what, const float *rows, const float *expected,
                       size_t count, mmood_precision precision) {
    assert_near_rows(g->model, what, rows, expected, count, precision, 1e-5);
}

static void check_model(const char *name, mmood_precision precision) {
    golden g;
    mmood_error error;
    if (golden_open(&g, name, precision, 2) != MMOOD_OK)
        return;
    size_t d = (size_t)g.info.dimension, patches = (size_t)g.info.patches, truncated;
    float *rows = malloc(MOST_TEXTS * d * sizeof *rows);
    float *features = malloc(IMAGES * patches * d * sizeof *features);
    assert_ok(mmood_session_embed_texts(rows, &truncated, g.session, g.texts, g.text_count, &error),
              error);
    check_rows(&g, "text", rows, rows_of(&g, "texts"), g.text_count, g.info.text_precision);
    assert_int_equal(truncated, 1);
    assert_ok(mmood_session_embed_images(rows, g.session, g.crops, IMAGES, &error), error);
    check_rows(&g, "image", rows, rows_of(&g, "images"), IMAGES, g.info.precision);
    assert_ok(mmood_session_embed_patches(rows, features, g.session, g.crops, IMAGES, &error),
              error);
    check_rows(&g, "image with patches", rows, rows_of(&g, "images"), IMAGES, g.info.precision);
    if (rows_of(&g, "patches")) {
        const mm_tensor *expected = mm_safetensors_find(g.file, "patches");
        assert_int_equal(expected->shape[1], patches);
        check_rows(&g, "patch", features, rows_of(&g, "patches"), IMAGES * patches,
                   g.info.precision);
    }
    free(rows);
    free(features);
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

/* Every image and text alone, by 1 and 3 threads, against all together by 2: the same bits. */
static void check_alone(const char *name, mmood_precision precision) {
    enum { MANY = 11 };
    golden g, h;
    mmood_error error;
    if (golden_open(&g, name, precision, 2) != MMOOD_OK)
        return;
    size_t d = (size_t)g.info.dimension, step = (size_t)g.info.patches * d;
    float *together = malloc(MOST_TEXTS * d * sizeof *together), *alone = malloc(d * sizeof *alone);
    float *features = malloc(MANY * step * sizeof *features),
          *feature = malloc(step * sizeof *feature);
    const uint8_t *many[MANY];
    for (size_t i = 0; i < MANY; i++)
        many[i] = g.crops[(i * 7 + 2) % IMAGES];
    for (int threads = 1; threads <= 3; threads += 2) {
        golden_open(&h, name, precision, threads);
        assert_ok(mmood_session_embed_patches(together, features, g.session, many, MANY, &error),
                  error);
        for (size_t i = 0; i < MANY; i++) {
            assert_ok(mmood_session_embed_images(alone, h.session, &many[i], 1, &error), error);
            assert_same_rows(alone, together + i * d, d, g.info.precision);
            assert_ok(mmood_session_embed_patches(alone, feature, h.session, &many[i], 1, &error),
                      error);
            assert_same_rows(alone, together + i * d, d, g.info.precision);
            assert_same_rows(feature, features + i * step, step, g.info.precision);
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
    free(features);
    free(feature);
    golden_close(&g);
}

static void test_neighbours_change_nothing(void **unused) {
    (void)unused;
    for (int i = 0; i < MODELS; i++) {
        check_alone(models[i], MMOOD_PRECISION_F32);
        check_alone(models[i], MMOOD_PRECISION_BF16);
    }
}

static void test_described(void **unused) {
    (void)unused;
    golden g;
    golden_open(&g, "lite0", MMOOD_PRECISION_F32, 1);
    assert_string_equal(g.info.vision.family, "EfficientNet-Lite");
    assert_string_equal(g.info.vision.trunk, "tf_efficientnet_lite0");
    assert_string_equal(g.info.vision.activation, "relu6");
    assert_int_equal(g.info.vision.layers, 16);
    assert_int_equal(g.info.vision.width, 1280);
    assert_int_equal(g.info.patches, 9);
    assert_string_equal(g.info.preprocess_source, "open_clip_config.json");
    assert_int_equal(g.info.preprocess.crop_rule, MMOOD_CROP_TORCHVISION);
    golden_close(&g);
    golden_open(&g, "unusual", MMOOD_PRECISION_F32, 1);
    assert_string_equal(g.info.vision.family, "ViT");
    assert_int_equal(g.info.vision.heads, 3);
    assert_int_equal(g.info.vision.mlp_width, 162);
    assert_string_equal(g.info.vision.activation, "gelu_new");
    assert_int_equal(g.info.text.mlp_width, 105);
    assert_int_equal(g.info.bidirectional, 1);
    assert_int_equal(g.info.eot_rule, 1);
    assert_int_equal(g.info.context, 24);
    golden_close(&g);
}

/* The shipped model from files to embeddings (tools/make_golden_demo.py): of an image that a team
 * shares, and of one among others, whose large maps are computed in strips. In bf16 an image
 * without any detail, whose features are all small, may be further off. */
static void check_demo(mmood_precision precision, double least) {
    static const char *const names[] = {"blocks", "disc",    "gradient", "grey",
                                        "noise",  "stripes", "tall",     "waves"};
    enum { COUNT = sizeof names / sizeof *names, TEXTS = 20 };
    mmood_model *model;
    mmood_session *session;
    mmood_model_info info;
    mm_safetensors *file;
    mmood_error error;
    mmood_model_options options = mmood_model_options_default();
    options.precision = precision;
    assert_ok(mmood_model_open(&model, "../models/demo", &options, &error), error);
    mmood_model_describe(model, &info);
    const mmood_session_options both = {.threads = 2};
    assert_ok(mmood_session_create(&session, model, &both, &error), error);
    assert_ok(mm_safetensors_open(&file, "golden/demo/expected.safetensors", &error), error);
    size_t d = (size_t)info.dimension, size = (size_t)info.image_size;
    size_t bytes = size * size * 3;
    float *rows = malloc(TEXTS * d * sizeof *rows);
    uint8_t *crop = malloc(bytes);
    const uint8_t *const crops[] = {crop, crop, crop};
    const float *expected =
        (const float *)(const void *)mm_safetensors_find(file, "image_embeddings")->data;
    for (size_t i = 0; i < COUNT; i++) {
        char path[64];
        mmood_image *image;
        snprintf(path, sizeof path, "golden/demo/images/%s.png", names[i]);
        assert_ok(mmood_image_load(&image, path, NULL, &error), error);
        assert_ok(mmood_image_preprocess(crop, bytes, image, &info.preprocess, &error), error);
        mmood_image_free(image);
        assert_ok(mmood_session_embed_images(rows + d, session, crops, 3, &error), error);
        assert_ok(mmood_session_embed_images(rows, session, crops, 1, &error), error);
        if (mm_engine_is_exact())
            assert_memory_equal(rows, rows + 2 * d, d * sizeof *rows);
        double dot = 0;
        for (size_t k = 0; k < d; k++)
            dot += (double)rows[k] * (double)expected[i * d + k];
        if (!(dot >= least) && strcmp(names[i], "grey") != 0)
            fail_msg("%s has the cosine %.7f; %g is needed", names[i], dot, least);
    }
    json_error_t trouble;
    json_t *list = json_load_file("golden/demo/texts.json", 0, &trouble);
    assert_int_equal(json_array_size(list), TEXTS);
    const char *texts[TEXTS];
    for (size_t i = 0; i < TEXTS; i++)
        texts[i] = json_string_value(json_array_get(list, i));
    assert_ok(mmood_session_embed_texts(rows, NULL, session, texts, TEXTS, &error), error);
    expected = (const float *)(const void *)mm_safetensors_find(file, "text_embeddings")->data;
    for (size_t i = 0; i < TEXTS; i++) {
        double dot = 0;
        for (size_t k = 0; k < d; k++)
            dot += (double)rows[i * d + k] * (double)expected[i * d + k];
        if (!(dot >= least))
            fail_msg("\"%s\" has the cosine %.7f; %g is needed", texts[i], dot, least);
    }
    json_decref(list);
    free(rows);
    free(crop);
    mm_safetensors_free(file);
    mmood_session_free(session);
    mmood_model_free(model);
}

static void test_demo_model(void **unused) {
    (void)unused;
    check_demo(MMOOD_PRECISION_F32, 0.999999);
    if (mm_engine_has_bf16())
        check_demo(MMOOD_PRECISION_BF16, 0.99);
}

static int remove_all(void **unused) {
    (void)unused;
    for (int i = 0; i < MODELS; i++) {
        char path[128];
        snprintf(path, sizeof path, "%s/%s", directory, models[i]);
        synthetic_remove(path);
    }
    synthetic_remove(directory);
    return 0;
}

static int make_directory(void **unused) {
    (void)unused;
    return mkdtemp(directory) ? 0 : -1;
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_f32),       cmocka_unit_test(test_bf16),
        cmocka_unit_test(test_int8),      cmocka_unit_test(test_neighbours_change_nothing),
        cmocka_unit_test(test_described), cmocka_unit_test(test_demo_model),
    };
    return cmocka_run_group_tests(tests, make_directory, remove_all);
}
