/* test_safetensors.c - the files of data/safetensors, whose names say whether they are good;
 * conversion to f32; writing and reading back; shards. */
#include "test.h"

#include "base/file.h"
#include "clip/safetensors.h"

#include <dirent.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static void test_good_and_bad_files(void **unused) {
    (void)unused;
    DIR *folder = opendir("data/safetensors");
    struct dirent *entry;
    size_t good = 0, bad = 0;
    assert_non_null(folder);
    while ((entry = readdir(folder))) {
        char path[512];
        mm_safetensors *set;
        mmood_error error;
        if (entry->d_name[0] == '.')
            continue;
        snprintf(path, sizeof path, "data/safetensors/%s", entry->d_name);
        mmood_status status = mm_safetensors_open(&set, path, &error);
        if (strncmp(entry->d_name, "good", 4) == 0) {
            if (status != MMOOD_OK)
                fail_msg("%s: %s", entry->d_name, error.message);
            assert_true(mm_safetensors_count(set) > 0);
            good++;
        } else {
            if (status == MMOOD_OK)
                fail_msg("%s was accepted", entry->d_name);
            assert_null(set);
            assert_true(strlen(error.message) > 20);
            bad++;
        }
        mm_safetensors_free(set);
    }
    closedir(folder);
    assert_true(good >= 4 && bad >= 14);
}

static void test_wrong_files_are_named(void **unused) {
    (void)unused;
    static const struct {
        const char *file, *says;
    } cases[] = {
        {"bad_git_lfs_pointer", "git-lfs pointer"},
        {"bad_html", "HTML"},
        {"bad_zip_pt", "PyTorch"},
        {"bad_headerlen_past_eof", "truncated"},
        {"bad_past_eof", "truncated"},
        {"bad_short", "truncated"},
        {"bad_dtype", "\"t\""},
        {"bad_shape_overflow", "\"t\""},
        {"bad_shape_vs_offsets", "\"t\""},
        {"bad_reversed", "\"t\""},
        {"bad_negative", "\"t\""},
        {"bad_headerlen_huge", "header"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char path[256];
        mm_safetensors *set;
        mmood_error error;
        snprintf(path, sizeof path, "data/safetensors/%s.safetensors", cases[i].file);
        assert_int_not_equal(mm_safetensors_open(&set, path, &error), MMOOD_OK);
        if (!strstr(error.message, cases[i].says))
            fail_msg("%s: \"%s\" lacks \"%s\"", cases[i].file, error.message, cases[i].says);
    }
}

/* A file from a header text and `size` zero bytes of data. */
static mmood_status parse_text(const char *header, size_t size, mmood_error *error) {
    size_t length = strlen(header);
    uint8_t *file = calloc(1, 8 + length + size);
    mm_safetensors *set;
    for (int i = 0; i < 4; i++)
        file[i] = (uint8_t)(length >> 8 * i);
    memcpy(file + 8, header, length);
    mmood_status status = mm_safetensors_parse(&set, file, 8 + length + size, error);
    mm_safetensors_free(set);
    free(file);
    return status;
}

static void test_layout(void **unused) {
    (void)unused;
    static const char two[] = "{\"a\":{\"dtype\":\"U8\",\"shape\":[4],\"data_offsets\":[0,4]},"
                              "\"b\":{\"dtype\":\"U8\",\"shape\":[4],\"data_offsets\":[%d,%d]}}";
    char text[256];
    mmood_error error;
    snprintf(text, sizeof text, two, 4, 8);
    assert_ok(parse_text(text, 8, &error), error);
    snprintf(text, sizeof text, two, 2, 6);
    assert_int_equal(parse_text(text, 6, &error), MMOOD_ERROR_FORMAT);
    assert_non_null(strstr(error.message, "overlaps"));
    snprintf(text, sizeof text, two, 6, 10);
    assert_int_equal(parse_text(text, 10, &error), MMOOD_ERROR_FORMAT);
    assert_non_null(strstr(error.message, "gap"));
    snprintf(text, sizeof text, two, 4, 8);
    assert_int_equal(parse_text(text, 9, &error), MMOOD_ERROR_FORMAT);
    assert_non_null(strstr(error.message, "no tensor"));
    assert_ok(
        parse_text("{\"s\":{\"dtype\":\"F32\",\"shape\":[],\"data_offsets\":[0,4]}}", 4, &error),
        error);
    assert_int_equal(parse_text("[]", 0, &error), MMOOD_ERROR_FORMAT);
    assert_int_equal(parse_text("{\"__metadata__\":{\"a\":1}}", 0, &error), MMOOD_ERROR_FORMAT);
    assert_int_equal(
        parse_text(
            "{\"a\":{\"dtype\":\"U8\",\"shape\":[1,1,1,1,1,1,1,1,1],\"data_offsets\":[0,1]}}", 1,
            &error),
        MMOOD_ERROR_FORMAT);
}

/* The low bytes of a header's length may spell another format's signature: these begin like a
 * pickle (640 to 1408, 66176), a zip file, a gzip archive and JSON. */
static void test_lengths_that_look_like_others(void **unused) {
    (void)unused;
    static const size_t lengths[] = {640, 896, 1152, 1408, 66176, 19280, 0x8b1f, 0x227b};
    static const char header[] = "{\"a\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[0,1]}}";
    for (size_t i = 0; i < sizeof lengths / sizeof *lengths; i++) {
        mmood_error error;
        char *text = malloc(lengths[i] + 1);
        assert_non_null(text);
        snprintf(text, lengths[i] + 1, "%-*s", (int)lengths[i], header);
        assert_ok(parse_text(text, 1, &error), error);
        free(text);
    }
}

static void test_conversion(void **unused) {
    (void)unused;
    static const struct {
        uint16_t half;
        float value;
    } halves[] = {{0x3c00, 1},
                  {0xc000, -2},
                  {0x0001, 5.9604645e-8f},
                  {0x83ff, -6.097555e-5f},
                  {0x0400, 6.1035156e-5f},
                  {0x7bff, 65504},
                  {0x8000, -0.0f},
                  {0x3555, 0.33325195f}};
    for (size_t i = 0; i < sizeof halves / sizeof *halves; i++) {
        float out;
        mm_tensor tensor = {.name = "h",
                            .dtype = MM_DTYPE_F16,
                            .elements = 1,
                            .data = (const uint8_t *)&halves[i].half};
        mmood_error error;
        assert_ok(mm_tensor_to_f32(&out, &tensor, 0, 1, &error), error);
        assert_true(out == halves[i].value && signbit(out) == signbit(halves[i].value));
    }
    uint16_t special[] = {0x7c00, 0xfc00, 0x7e00};
    float out[3];
    mm_tensor tensor = {
        .name = "h", .dtype = MM_DTYPE_F16, .elements = 3, .data = (const uint8_t *)special};
    mmood_error error;
    assert_ok(mm_tensor_to_f32(out, &tensor, 0, 3, &error), error);
    assert_true(out[0] == INFINITY && out[1] == -INFINITY && isnan(out[2]));
    uint16_t brain[] = {0x3f80, 0xc040};
    tensor = (mm_tensor){
        .name = "b", .dtype = MM_DTYPE_BF16, .elements = 2, .data = (const uint8_t *)brain};
    assert_ok(mm_tensor_to_f32(out, &tensor, 1, 1, &error), error);
    assert_true(out[0] == -3.0f);
    double wide = 0.1;
    tensor = (mm_tensor){
        .name = "d", .dtype = MM_DTYPE_F64, .elements = 1, .data = (const uint8_t *)&wide};
    assert_ok(mm_tensor_to_f32(out, &tensor, 0, 1, &error), error);
    assert_true(out[0] == 0.1f);
    tensor.dtype = MM_DTYPE_I64;
    assert_int_equal(mm_tensor_to_f32(out, &tensor, 0, 1, &error), MMOOD_ERROR_UNSUPPORTED);
}

static void test_write_and_read(void **unused) {
    (void)unused;
    const char *path = "safetensors-test.tmp";
    static const float values[] = {1, 2, 3, 4, 5, 6};
    static const int64_t ids[] = {-1, 7};
    const mm_tensor tensors[] = {{.name = "z \"quoted\" \xc3\xa9",
                                  .dtype = MM_DTYPE_F32,
                                  .rank = 2,
                                  .shape = {2, 3},
                                  .elements = 6,
                                  .data = (const uint8_t *)values},
                                 {.name = "ids",
                                  .dtype = MM_DTYPE_I64,
                                  .rank = 1,
                                  .shape = {2},
                                  .elements = 2,
                                  .data = (const uint8_t *)ids},
                                 {.name = "none",
                                  .dtype = MM_DTYPE_F32,
                                  .rank = 2,
                                  .shape = {0, 3},
                                  .elements = 0,
                                  .data = (const uint8_t *)values}};
    const mm_metadata metadata[] = {{"key", "a \"value\"\nwith \xc3\xa9"}};
    mmood_error error;
    mm_safetensors *set;
    assert_ok(mm_safetensors_write(path, tensors, 3, metadata, 1, &error), error);
    assert_ok(mm_safetensors_open(&set, path, &error), error);
    assert_int_equal(mm_safetensors_count(set), 3);
    assert_string_equal(mm_safetensors_at(set, 0)->name, "ids");
    assert_string_equal(mm_safetensors_metadata(set, "key"), metadata[0].value);
    assert_null(mm_safetensors_metadata(set, "other"));
    assert_null(mm_safetensors_find(set, "other"));
    const mm_tensor *found = mm_safetensors_find(set, tensors[0].name);
    assert_non_null(found);
    assert_int_equal(found->shape[1], 3);
    assert_memory_equal(found->data, values, sizeof values);
    assert_memory_equal(mm_safetensors_find(set, "ids")->data, ids, sizeof ids);
    mm_safetensors_free(set);
    unlink(path);
    const mm_metadata broken[] = {{"key", "\xff"}};
    assert_int_equal(mm_safetensors_write(path, tensors, 1, broken, 1, &error),
                     MMOOD_ERROR_ARGUMENT);
    assert_int_equal(mm_safetensors_write("no/such/folder/x", tensors, 1, NULL, 0, &error),
                     MMOOD_ERROR_IO);
}

static void write_text(const char *path, const char *text) {
    mmood_error error;
    assert_ok(mm_file_write(path, text, strlen(text), &error), error);
}

static void test_shards(void **unused) {
    (void)unused;
    static const struct {
        const char *index, *says;
    } cases[] = {
        {"{\"weight_map\":{\"a\":\"one.safetensors\",\"b\":\"two.safetensors\"}}",
         "two.safetensors"},
        {"{\"weight_map\":{\"a\":\"../one.safetensors\"}}", "same directory"},
        {"{\"weight_map\":{\"a\":\"one.safetensors\",\"x\":\"one.safetensors\"}}", "\"x\""},
        {"{\"weight_map\":{}}", "weight_map"},
        {"{\"weight_map\":{\"a\":3}}", "same directory"},
        {"[", "JSON"},
    };
    const char *folder = "shards-test.tmp";
    const float value = 1;
    const mm_tensor tensor = {.name = "a",
                              .dtype = MM_DTYPE_F32,
                              .rank = 1,
                              .shape = {1},
                              .elements = 1,
                              .data = (const uint8_t *)&value};
    mmood_error error;
    mm_safetensors *set;
    mkdir(folder, 0777);
    assert_ok(mm_safetensors_write("shards-test.tmp/one.safetensors", &tensor, 1, NULL, 0, &error),
              error);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        write_text("shards-test.tmp/model.safetensors.index.json", cases[i].index);
        assert_int_not_equal(mm_safetensors_open_directory(&set, folder, 0, &error), MMOOD_OK);
        if (!strstr(error.message, cases[i].says))
            fail_msg("index %zu: \"%s\" lacks \"%s\"", i, error.message, cases[i].says);
    }
    write_text("shards-test.tmp/model.safetensors.index.json",
               "{\"weight_map\":{\"a\":\"one.safetensors\"}}");
    assert_ok(mm_safetensors_open_directory(&set, folder, 0, &error), error);
    mm_safetensors_free(set);
    unlink("shards-test.tmp/model.safetensors.index.json");
    unlink("shards-test.tmp/one.safetensors");
    write_text("shards-test.tmp/another.safetensors", "x");
    write_text("shards-test.tmp/model.pt", "x");
    assert_int_equal(mm_safetensors_open_directory(&set, folder, 0, &error),
                     MMOOD_ERROR_UNSUPPORTED);
    assert_non_null(strstr(error.message, "model.pt"));
    unlink("shards-test.tmp/model.pt");
    unlink("shards-test.tmp/another.safetensors");
    assert_int_equal(mm_safetensors_open_directory(&set, folder, 0, &error), MMOOD_ERROR_IO);
    rmdir(folder);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_good_and_bad_files),
        cmocka_unit_test(test_wrong_files_are_named),
        cmocka_unit_test(test_layout),
        cmocka_unit_test(test_lengths_that_look_like_others),
        cmocka_unit_test(test_conversion),
        cmocka_unit_test(test_write_and_read),
        cmocka_unit_test(test_shards),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
