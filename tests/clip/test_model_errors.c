/* test_model_errors.c - model directories with one thing wrong, made from a golden one: the message
 * names it. And what changes numbers although nothing is wrong: activations and pooling rules. */
#include "test.h"

#include "base/file.h"
#include "clip/safetensors.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const char source[] = "golden/b32-quick", folder[] = "model-test.tmp";
static const char *const files[] = {"config.json", "preprocessor_config.json", "tokenizer.json",
                                    "model.safetensors"};

static char *path_of(const char *directory, const char *name) {
    char *path = mm_path_join(directory, name);
    assert_non_null(path);
    return path;
}

static void copy(const char *name) {
    uint8_t *data;
    size_t size;
    mmood_error error;
    char *from = path_of(source, name), *to = path_of(folder, name);
    assert_ok(mm_file_read(&data, &size, from, 1 << 26, &error), error);
    assert_ok(mm_file_write(to, data, size, &error), error);
    free(data);
    free(from);
    free(to);
}

/* A fresh copy of the golden model. */
static int begin(void **unused) {
    (void)unused;
    mkdir(folder, 0777);
    for (size_t i = 0; i < 4; i++)
        copy(files[i]);
    return 0;
}

static int finish(void **unused) {
    (void)unused;
    for (size_t i = 0; i < 4; i++) {
        char *path = path_of(folder, files[i]);
        unlink(path);
        free(path);
    }
    rmdir(folder);
    return 0;
}

/* Replaces the first `from` in a file of the copy; with `from` NULL the whole contents. */
static void change(const char *name, const char *from, const char *to) {
    uint8_t *data;
    size_t size;
    mmood_error error;
    char *path = path_of(folder, name);
    assert_ok(mm_file_read(&data, &size, path, 1 << 26, &error), error);
    if (!from) {
        assert_ok(mm_file_write(path, to, strlen(to), &error), error);
    } else {
        char *place = strstr((char *)data, from);
        assert_non_null(place);
        size_t room = size + strlen(to) + 1;
        char *changed = malloc(room);
        int n = snprintf(changed, room, "%.*s%s%s", (int)(place - (char *)data), (char *)data, to,
                         place + strlen(from));
        assert_ok(mm_file_write(path, changed, (size_t)n, &error), error);
        free(changed);
    }
    free(data);
    free(path);
}

static void expect(mmood_status status, const char *says) {
    mmood_model *model;
    mmood_error error;
    mmood_model_options options = mmood_model_options_default();
    options.precision = MMOOD_PRECISION_F32;
    mmood_status found = mmood_model_open(&model, folder, &options, &error);
    if (found == MMOOD_OK)
        fail_msg("a model was opened; \"%s\" was expected", says);
    assert_null(model);
    if (found != status || !strstr(error.message, says) || !strstr(error.message, folder))
        fail_msg("status %d, \"%s\"; expected %d and \"%s\"", (int)found, error.message,
                 (int)status, says);
}

/* What to do to one tensor of the copy. */
typedef struct edit {
    const char *name; /* of the tensor, or a prefix with all = 1 */
    int all;
    const char *rename; /* NULL: drop; else what replaces the name or the prefix */
    int transpose;
    float poison; /* not 0: becomes its element 3, or the one it has */
    int dtype;    /* a type to claim; -1: its own */
} edit;

static void edit_weights(const edit *e) {
    mm_safetensors *set;
    mmood_error error;
    char *from = path_of(source, "model.safetensors"), *to = path_of(folder, "model.safetensors");
    assert_ok(mm_safetensors_open(&set, from, &error), error);
    size_t count = mm_safetensors_count(set), kept = 0;
    mm_tensor *tensors = calloc(count, sizeof *tensors);
    char(*names)[256] = calloc(count, sizeof *names);
    float *poisoned = NULL;
    for (size_t i = 0; i < count; i++) {
        mm_tensor t = *mm_safetensors_at(set, i);
        size_t n = strlen(e->name);
        int match = e->all ? strncmp(t.name, e->name, n) == 0 : strcmp(t.name, e->name) == 0;
        if (match && !e->rename)
            continue;
        if (match) {
            snprintf(names[i], sizeof names[i], "%s%s", e->rename, e->all ? t.name + n : "");
            t.name = names[i];
            if (e->transpose) {
                size_t rows = t.shape[0];
                t.shape[0] = t.shape[1];
                t.shape[1] = rows;
            }
            if (e->poison != 0) {
                poisoned = malloc(t.elements * sizeof *poisoned);
                memcpy(poisoned, t.data, t.elements * sizeof *poisoned);
                poisoned[t.elements > 3 ? 3 : 0] = e->poison;
                t.data = (const uint8_t *)poisoned;
            }
            if (e->dtype >= 0)
                t.dtype = (mm_dtype)e->dtype;
        }
        tensors[kept++] = t;
    }
    assert_ok(mm_safetensors_write(to, tensors, kept, NULL, 0, &error), error);
    free(poisoned);
    free(names);
    free(tensors);
    mm_safetensors_free(set);
    free(from);
    free(to);
}

static void test_tensors(void **unused) {
    (void)unused;
    static const struct {
        edit e;
        mmood_status status;
        const char *says;
    } cases[] = {
        {{"vision_model.pre_layrnorm.weight", 0, NULL, 0, 0, -1},
         MMOOD_ERROR_FORMAT,
         "\"vision_model.pre_layrnorm.weight\""},
        {{"text_projection.weight", 0, "text_projection.weight", 1, 0, -1},
         MMOOD_ERROR_FORMAT,
         "[48, 32]; config.json asks for [32, 48]"},
        {{"text_model.embeddings.position_ids", 0, "text_model.extra.weight", 0, 0, -1},
         MMOOD_ERROR_FORMAT,
         "\"text_model.extra.weight\""},
        {{"text_model.encoder.layers.1.mlp.fc1.weight", 0,
          "text_model.encoder.layers.1.mlp.fc1.weight", 0, NAN, -1},
         MMOOD_ERROR_NUMERIC,
         "\"text_model.encoder.layers.1.mlp.fc1.weight\" holds NaN at element 3"},
        {{"vision_model.encoder.layers.0.self_attn.k_proj.bias", 0,
          "vision_model.encoder.layers.0.self_attn.k_proj.bias", 0, INFINITY, -1},
         MMOOD_ERROR_NUMERIC,
         "holds infinity"},
        {{"text_model.embeddings.token_embedding.weight", 0,
          "text_model.embeddings.token_embedding.weight", 0, NAN, -1},
         MMOOD_ERROR_NUMERIC,
         "token_embedding"},
        {{"logit_scale", 0, "logit_scale", 0, 100, -1},
         MMOOD_ERROR_NUMERIC,
         "\"logit_scale\" is 100; its logarithm is stored, from -80 to 80 (4.6 in trained models): "
         "if "
         "the file stores the scale plainly (100 in trained models), replace it by its logarithm, "
         "4.605, else the file is damaged"},
        {{"logit_scale", 0, "logit_scale", 0, -100, -1},
         MMOOD_ERROR_NUMERIC,
         "the scale itself is never below 0"},
        {{"visual_projection.weight", 0, "visual_projection.weight", 0, 0, MM_DTYPE_I32},
         MMOOD_ERROR_UNSUPPORTED,
         "I32"},
        {{"vision_model.", 1, NULL, 0, 0, -1}, MMOOD_ERROR_FORMAT, "vision half is missing"},
        {{"text_model.", 1, NULL, 0, 0, -1}, MMOOD_ERROR_FORMAT, "text half is missing"},
        {{"vision_model.", 1, "visual.transformer.", 0, 0, -1}, MMOOD_ERROR_FORMAT, "open_clip"},
        {{"", 1, "model.", 0, 0, -1}, MMOOD_ERROR_FORMAT, "prefix before"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        edit_weights(&cases[i].e);
        expect(cases[i].status, cases[i].says);
    }
}

static void test_files(void **unused) {
    (void)unused;
    change("model.safetensors", NULL, "version https://git-lfs.github.com/spec/v1\noid sha256:0\n");
    expect(MMOOD_ERROR_FORMAT, "git-lfs");
    begin(NULL);
    change("config.json", "\"patch_size\": 32", "\"patch_size\": 16");
    expect(MMOOD_ERROR_FORMAT, "config.json asks for");
    begin(NULL);
    change("preprocessor_config.json", "\"height\": 64", "\"height\": 60");
    expect(MMOOD_ERROR_MISMATCH, "64 x 60");
    begin(NULL);
    change("config.json", "\"eos_token_id\": 2", "\"eos_token_id\": 7");
    expect(MMOOD_ERROR_MISMATCH, "token 7 ends a text");
    begin(NULL);
    change("config.json", "\"vocab_size\": ", "\"vocab_size\": 1");
    expect(MMOOD_ERROR_FORMAT, "token_embedding");
    begin(NULL);
    char *path = path_of(folder, "tokenizer.json");
    unlink(path);
    free(path);
    expect(MMOOD_ERROR_IO, "no tokenizer");
    begin(NULL);
    path = path_of(folder, "config.json");
    unlink(path);
    free(path);
    expect(MMOOD_ERROR_IO, "config.json");
    path = path_of(folder, "open_clip_config.json");
    mmood_error error;
    assert_ok(mm_file_write(path, "{}", 2, &error), error);
    expect(MMOOD_ERROR_FORMAT, "open_clip_config.json: there is no object model_cfg");
    unlink(path);
    free(path);
    begin(NULL);
    path = path_of(folder, "model.safetensors");
    unlink(path);
    free(path);
    expect(MMOOD_ERROR_IO, "model.safetensors");
}

/* Embeddings of two texts and of a grey picture by the copy, [3, dimension]. */
static void embed(float *out, size_t dimension) {
    mmood_model *model;
    mmood_session *session;
    mmood_error error;
    mmood_model_options options = mmood_model_options_default();
    options.precision = MMOOD_PRECISION_F32;
    static uint8_t crop[64 * 64 * 3];
    const uint8_t *crops[] = {crop};
    const char *texts[] = {"a photo of a cat", "dog"};
    for (size_t i = 0; i < sizeof crop; i++)
        crop[i] = (uint8_t)(i * 7);
    assert_ok(mmood_model_open(&model, folder, &options, &error), error);
    assert_ok(mmood_session_create(&session, model, NULL, &error), error);
    assert_ok(mmood_session_embed_texts(out, NULL, session, texts, 2, &error), error);
    assert_ok(mmood_session_embed_images(out + 2 * dimension, session, crops, 1, &error), error);
    mmood_session_free(session);
    mmood_model_free(model);
}

static void test_activation_matters(void **unused) {
    (void)unused;
    enum { D = 32 };
    float before[3 * D], after[3 * D];
    embed(before, D);
    change("config.json", "\"hidden_act\": \"quick_gelu\"",
           "\"hidden_act\": \"gelu\""); /* the text tower's */
    embed(after, D);
    assert_memory_not_equal(before, after, 2 * D * sizeof *before);
    assert_memory_equal(before + 2 * D, after + 2 * D, D * sizeof *before);
    change("config.json", "\"hidden_act\": \"quick_gelu\"",
           "\"hidden_act\": \"gelu\""); /* the vision tower's */
    embed(after, D);
    assert_memory_not_equal(before + 2 * D, after + 2 * D, D * sizeof *before);
}

/* eos_token_id 2 of old configurations and the real one pool at the same place. */
static void test_pooling_rules_agree(void **unused) {
    (void)unused;
    enum { D = 32 };
    float old[3 * D], new[3 * D];
    char eos[64];
    uint32_t ids[77];
    size_t count;
    mmood_model *model;
    mmood_error error;
    embed(old, D);
    assert_memory_not_equal(old, old + D, D * sizeof *old);
    assert_ok(mmood_model_open(&model, folder, NULL, &error), error);
    assert_ok(mmood_model_tokenize(ids, &count, NULL, model, "", 0, &error), error);
    mmood_model_free(model);
    snprintf(eos, sizeof eos, "\"eos_token_id\": %u", (unsigned)ids[count - 1]);
    change("config.json", "\"eos_token_id\": 2", eos);
    embed(new, D);
    assert_memory_equal(old, new, sizeof old);
}

static void test_arguments(void **unused) {
    (void)unused;
    mmood_model *model;
    mmood_session *session;
    mmood_error error;
    mmood_model_options options = mmood_model_options_default();
    assert_int_equal(mmood_model_open(&model, NULL, NULL, &error), MMOOD_ERROR_ARGUMENT);
    assert_int_equal(mmood_model_open(&model, "no/such/folder", NULL, NULL), MMOOD_ERROR_IO);
    options.resample = 1;
    assert_int_equal(mmood_model_open(&model, folder, &options, &error), MMOOD_ERROR_ARGUMENT);
    options.resample = 0;
    options.precision = (mmood_precision)9;
    assert_int_equal(mmood_model_open(&model, folder, &options, &error), MMOOD_ERROR_ARGUMENT);
    assert_ok(mmood_model_open(&model, folder, NULL, &error), error);
    mmood_session_options threads = {-1};
    assert_int_equal(mmood_session_create(&session, model, &threads, &error), MMOOD_ERROR_ARGUMENT);
    mmood_model_info info;
    mmood_model_describe(model, &info);
    assert_true(fabs(info.logit_scale - 100) < 15);
    assert_int_equal(strlen(info.fingerprint), 64);
    assert_string_equal(mmood_model_path(model), folder);
    assert_string_equal(mmood_precision_name(MMOOD_PRECISION_BF16), "bf16");
    assert_null(mmood_precision_name((mmood_precision)9));
    mmood_model_free(model);
    mmood_model_free(NULL);
    mmood_session_free(NULL);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_tensors, begin, finish),
        cmocka_unit_test_setup_teardown(test_files, begin, finish),
        cmocka_unit_test_setup_teardown(test_activation_matters, begin, finish),
        cmocka_unit_test_setup_teardown(test_pooling_rules_agree, begin, finish),
        cmocka_unit_test_setup_teardown(test_arguments, begin, finish),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
