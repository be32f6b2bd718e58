/* test_team.c - workers that share one picture of a model wide enough for it: by outputs or by
 * rows, however many, and with patch features, the bits are those that one worker alone gives. */
#include "clip/rows.h"
#include "numbers.h"
#include "test.h"

#include "base/file.h"
#include "clip/safetensors.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* No multiples of a panel of outputs; 65 rows a picture. The text tower and the tokenizer are a
 * golden model's. */
enum { WIDTH = 520, HEADS = 8, LAYERS = 2, MLP = 1100, IMAGE = 64, PATCH = 8, TOKENS = 65 };
enum { DIMENSION = 32, CROPS = 3, MOST_TENSORS = 128 };

static const char base_path[] = "golden/f16", model_path[] = "team-test.tmp";
static const char *const files[] = {"config.json", "tokenizer.json", "model.safetensors"};
static uint8_t crops[CROPS][IMAGE * IMAGE * 3];

typedef struct writer {
    mm_tensor list[MOST_TENSORS];
    char names[MOST_TENSORS][192];
    size_t count;
    float *numbers; /* all tensors take theirs from here, each from another place on */
} writer;

static void add(writer *w, const char *prefix, const char *name, size_t a, size_t b) {
    assert_true(w->count < MOST_TENSORS);
    mm_tensor *tensor = &w->list[w->count];
    snprintf(w->names[w->count], sizeof w->names[0], "%s%s", prefix, name);
    *tensor = (mm_tensor){.name = w->names[w->count],
                          .dtype = MM_DTYPE_F32,
                          .rank = b ? 2 : 1,
                          .shape = {a, b},
                          .elements = a * (b ? b : 1),
                          .data = (const uint8_t *)(w->numbers + 1021 * w->count)};
    w->count++;
}

static void add_pair(writer *w, const char *prefix, const char *name, size_t a, size_t b) {
    char full[96];
    snprintf(full, sizeof full, "%s.weight", name);
    add(w, prefix, full, a, b);
    snprintf(full, sizeof full, "%s.bias", name);
    add(w, prefix, full, a, 0);
}

static void add_vision(writer *w) {
    static const char *const square[] = {"q_proj", "k_proj", "v_proj", "out_proj"};
    const char *embeddings = "vision_model.embeddings.";
    add(w, embeddings, "class_embedding", WIDTH, 0);
    add(w, embeddings, "position_embedding.weight", TOKENS, WIDTH);
    add(w, embeddings, "patch_embedding.weight", WIDTH, 3 * PATCH * PATCH);
    mm_tensor *patches = &w->list[w->count - 1];
    patches->rank = 4;
    patches->shape[1] = 3;
    patches->shape[2] = patches->shape[3] = PATCH;
    for (int i = 0; i < LAYERS; i++) {
        char layer[64], name[64];
        snprintf(layer, sizeof layer, "vision_model.encoder.layers.%d.", i);
        for (int j = 0; j < 4; j++) {
            snprintf(name, sizeof name, "self_attn.%s", square[j]);
            add_pair(w, layer, name, WIDTH, WIDTH);
        }
        add_pair(w, layer, "layer_norm1", WIDTH, 0);
        add_pair(w, layer, "layer_norm2", WIDTH, 0);
        add_pair(w, layer, "mlp.fc1", MLP, WIDTH);
        add_pair(w, layer, "mlp.fc2", WIDTH, MLP);
    }
    add_pair(w, "vision_model.", "pre_layrnorm", WIDTH, 0);
    add_pair(w, "vision_model.", "post_layernorm", WIDTH, 0);
    add(w, "", "visual_projection.weight", DIMENSION, WIDTH);
}

static void copy_text(writer *w, const mm_safetensors *base) {
    for (size_t i = 0; i < mm_safetensors_count(base); i++) {
        const mm_tensor *tensor = mm_safetensors_at(base, i);
        if (strncmp(tensor->name, "vision", 6) == 0 || strncmp(tensor->name, "visual", 6) == 0)
            continue;
        assert_true(w->count < MOST_TENSORS);
        w->list[w->count++] = *tensor;
    }
}

static void write_file(const char *name, const void *data, size_t size) {
    mmood_error error;
    char *path = mm_path_join(model_path, name);
    assert_ok(mm_file_write(path, data, size, &error), error);
    free(path);
}

static void write_config(void) {
    char text[1024];
    snprintf(text, sizeof text,
             "{\"model_type\": \"clip\", \"projection_dim\": %d, \"text_config\": {\"hidden_size\":"
             " 64, \"num_hidden_layers\": 2, \"num_attention_heads\": 4, \"intermediate_size\": "
             "128, \"hidden_act\": \"quick_gelu\", \"vocab_size\": 532, \"eos_token_id\": 531, "
             "\"max_position_embeddings\": 77}, \"vision_config\": {\"hidden_size\": %d, "
             "\"num_hidden_layers\": %d, \"num_attention_heads\": %d, \"intermediate_size\": %d, "
             "\"hidden_act\": \"quick_gelu\", \"image_size\": %d, \"patch_size\": %d}}",
             DIMENSION, WIDTH, LAYERS, HEADS, MLP, IMAGE, PATCH);
    write_file("config.json", text, strlen(text));
}

static int setup(void **unused) {
    (void)unused;
    mmood_error error;
    uint32_t state = 3;
    size_t count = (size_t)MLP * WIDTH + 1021 * MOST_TENSORS, size;
    uint8_t *tokenizer;
    writer *w = calloc(1, sizeof *w);
    mm_safetensors *base;
    w->numbers = malloc(count * sizeof *w->numbers);
    for (size_t i = 0; i < count; i++)
        w->numbers[i] = noise(&state) * 0.1f;
    for (size_t i = 0; i < sizeof crops; i++)
        crops[i / sizeof *crops][i % sizeof *crops] = (uint8_t)(128 + 127 * noise(&state));
    mkdir(model_path, 0777);
    write_config();
    char *path = mm_path_join(base_path, "tokenizer.json");
    assert_ok(mm_file_read(&tokenizer, &size, path, 1 << 24, &error), error);
    write_file("tokenizer.json", tokenizer, size);
    free(tokenizer);
    free(path);
    assert_ok(mm_safetensors_open_directory(&base, base_path, 0, &error), error);
    copy_text(w, base);
    add_vision(w);
    path = mm_path_join(model_path, "model.safetensors");
    assert_ok(mm_safetensors_write(path, w->list, w->count, NULL, 0, &error), error);
    mm_safetensors_free(base);
    free(path);
    free(w->numbers);
    free(w);
    return 0;
}

static int teardown(void **unused) {
    (void)unused;
    for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
        char *path = mm_path_join(model_path, files[i]);
        unlink(path);
        free(path);
    }
    return rmdir(model_path);
}

/* Embeddings and patch features of the first `count` crops. */
typedef struct features {
    float rows[CROPS][DIMENSION];
    float patches[CROPS][TOKENS - 1][DIMENSION];
} features;

static void embed(features *out, const mmood_model *model, int threads, size_t count) {
    mmood_session *session;
    mmood_error error;
    mmood_session_options options = {threads};
    const uint8_t *list[CROPS] = {crops[0], crops[1], crops[2]};
    float again[CROPS][DIMENSION];
    assert_ok(mmood_session_create(&session, model, &options, &error), error);
    assert_ok(
        mmood_session_embed_patches(out->rows[0], out->patches[0][0], session, list, count, &error),
        error);
    assert_ok(mmood_session_embed_images(again[0], session, list, count, &error), error);
    assert_memory_equal(again, out->rows, count * sizeof *again);
    mmood_session_free(session);
}

static void check_teams(mmood_precision precision) {
    mmood_model *model;
    mmood_error error;
    mmood_model_options options = mmood_model_options_default();
    options.precision = precision;
    mmood_status opened = mmood_model_open(&model, model_path, &options, &error);
    if (opened == MMOOD_ERROR_UNSUPPORTED)
        return;
    assert_ok(opened, error);
    features *alone = calloc(1, sizeof *alone), *team = calloc(1, sizeof *team);
    embed(alone, model, 1, CROPS);
    for (int threads = 2; threads <= 64; threads += threads < 9 ? 1 : 55)
        for (size_t count = 1; count <= CROPS; count++) {
            embed(team, model, threads, count);
            assert_same_rows(team->rows[0], alone->rows[0], count * DIMENSION, precision);
            assert_same_rows(team->patches[0][0], alone->patches[0][0],
                             count * (TOKENS - 1) * DIMENSION, precision);
        }
    free(alone);
    free(team);
    mmood_model_free(model);
}

static void test_f32(void **unused) {
    (void)unused;
    check_teams(MMOOD_PRECISION_F32);
}

static void test_bf16(void **unused) {
    (void)unused;
    check_teams(MMOOD_PRECISION_BF16);
}

static void test_int8(void **unused) {
    (void)unused;
    check_teams(MMOOD_PRECISION_INT8);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_f32),
        cmocka_unit_test(test_bf16),
        cmocka_unit_test(test_int8),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
