/* test_torch.c - files of torch.save (data/torch, made by tools/make_golden_torch.py) beside the
 * same tensors as safetensors; hostile ones (fuzz/corpus/torch_pickle, whose names say whether they
 * are good); and models opened from them. */
#include "test.h"

#include "base/file.h"
#include "clip/torch.h"
#include "clip/torch_pickle.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const char corpus[] = "../fuzz/corpus/torch_pickle", folder[] = "torch-test.tmp";

static uint8_t *read_file(size_t *size, const char *directory, const char *name) {
    uint8_t *data;
    mmood_error error;
    assert_ok(mm_file_read_in(&data, size, directory, name, 1 << 26, &error), error);
    return data;
}

/* ---- The same tensors ---------------------------------------------------------------------- */

static void assert_same_tensor(const mm_tensor *a, const mm_tensor *b) {
    assert_string_equal(a->name, b->name);
    if (a->dtype != b->dtype || a->rank != b->rank || a->elements != b->elements ||
        memcmp(a->shape, b->shape, (size_t)a->rank * sizeof *a->shape) != 0 ||
        memcmp(a->data, b->data, a->elements * mm_dtype_size(a->dtype)) != 0)
        fail_msg("%s differs", a->name);
}

static void assert_same_set(const mm_safetensors *a, const mm_safetensors *b) {
    assert_int_equal(mm_safetensors_count(a), mm_safetensors_count(b));
    for (size_t i = 0; i < mm_safetensors_count(a); i++)
        assert_same_tensor(mm_safetensors_at(a, i), mm_safetensors_at(b, i));
}

static void test_same_as_safetensors(void **unused) {
    (void)unused;
    static const char *const pairs[][2] = {{"kinds.bin", "data/torch/kinds.safetensors"},
                                           {"protocol4.bin", "data/torch/kinds.safetensors"},
                                           {"protocol5.bin", "data/torch/kinds.safetensors"},
                                           {"nested.bin", "data/torch/nested.safetensors"},
                                           {"model.bin", "golden/p7-new/model.safetensors"}};
    for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++) {
        size_t size;
        mm_safetensors *torch, *reference;
        mmood_error error;
        uint8_t *data = read_file(&size, "data/torch", pairs[i][0]);
        assert_ok(mm_torch_parse(&torch, data, size, &error), error);
        assert_ok(mm_safetensors_open(&reference, pairs[i][1], &error), error);
        assert_same_set(torch, reference);
        mm_safetensors_free(torch);
        mm_safetensors_free(reference);
        free(data);
    }
}

/* Tensors in order are not copied; others are. */
static void test_what_is_copied(void **unused) {
    (void)unused;
    static const struct {
        const char *name;
        int copied;
    } cases[] = {{"shared.whole", 0},
                 {"shared.rows", 0},
                 {"shared.columns", 1},
                 {"shared.transposed", 1},
                 {"cube.permuted", 1},
                 {"cube.one", 0},
                 {"expanded", 1},
                 {"scalar.inside", 0},
                 {"nothing", 0},
                 {"nothing.outside", 0},
                 {"f16.transposed", 1},
                 {"0.weight", 0},
                 {"1.num_batches_tracked", 0}};
    size_t size;
    mm_safetensors *set;
    mmood_error error;
    uint8_t *data = read_file(&size, "data/torch", "kinds.bin");
    assert_ok(mm_torch_parse(&set, data, size, &error), error);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const mm_tensor *tensor = mm_safetensors_find(set, cases[i].name);
        assert_non_null(tensor);
        int inside = tensor->data >= data && tensor->data <= data + size;
        if (tensor->copied != cases[i].copied || inside == tensor->copied)
            fail_msg("%s: copied %d", cases[i].name, tensor->copied);
    }
    assert_ptr_equal(mm_safetensors_find(set, "shared.rows")->data,
                     mm_safetensors_find(set, "shared.whole")->data + 80);
    mm_safetensors_free(set);
    free(data);
}

/* ---- Hostile files ------------------------------------------------------------------------- */

/* Parses bytes that end where their memory ends, and reads all that comes of them. */
static mmood_status parse_exactly(const uint8_t *data, size_t size, mmood_error *error) {
    mm_safetensors *set;
    static volatile uint8_t sum;
    uint8_t *copy = malloc(size ? size : 1);
    assert_non_null(copy);
    if (size)
        memcpy(copy, data, size);
    *error = (mmood_error){0};
    mmood_status status = mm_torch_parse(&set, copy, size, error);
    if (status == MMOOD_OK)
        for (size_t i = 0; i < mm_safetensors_count(set); i++) {
            const mm_tensor *t = mm_safetensors_at(set, i);
            for (size_t at = 0; at < t->elements * mm_dtype_size(t->dtype); at++)
                sum = (uint8_t)(sum ^ t->data[at]);
        }
    else
        assert_null(set);
    mm_safetensors_free(set);
    free(copy);
    return status;
}

static void test_corpus(void **unused) {
    (void)unused;
    DIR *entries = opendir(corpus);
    struct dirent *entry;
    size_t good = 0, bad = 0;
    assert_non_null(entries);
    while ((entry = readdir(entries))) {
        const char *name = entry->d_name;
        if (strncmp(name, "good_", 5) != 0 && strncmp(name, "bad_", 4) != 0)
            continue;
        size_t size;
        mmood_error error;
        uint8_t *data = read_file(&size, corpus, name);
        mmood_status status = parse_exactly(data, size, &error);
        free(data);
        if ((status == MMOOD_OK) != (name[0] == 'g'))
            fail_msg("%s: %s", name, status == MMOOD_OK ? "accepted" : error.message);
        if (status != MMOOD_OK && strlen(error.message) < 20)
            fail_msg("%s: \"%s\"", name, error.message);
        good += status == MMOOD_OK;
        bad += status != MMOOD_OK;
    }
    closedir(entries);
    assert_true(good >= 9 && bad >= 90);
}

static void test_messages(void **unused) {
    (void)unused;
    static const struct {
        const char *directory, *file, *says, *and;
    } cases[] = {
        {corpus, "bad_pickle_os_system", "\"os.system\"", "data.pkl: byte 2: "},
        {corpus, "bad_pickle_stack_global", "\"os.system\"", "nothing was run"},
        {corpus, "bad_pickle_newobj", "NEWOBJ (0x81)", "byte 28"},
        {corpus, "bad_pickle_unknown_opcode", "0xff", "nothing was run"},
        {corpus, "bad_pickle_storage_missing", "\"a/data/1\"", "download"},
        {corpus, "bad_pickle_storage_above", "\"a/data/../data.pkl\"", "download"},
        {corpus, "bad_pickle_storage_larger", "7 elements of F32", "byte 94, \"w\": "},
        {corpus, "bad_pickle_storage_huge", "4611686018427387904 elements", "24 bytes"},
        {corpus, "bad_pickle_stride_outside", "6 elements of F32", "byte 138, \"w\": "},
        {corpus, "bad_pickle_offset_huge", "leaves its storage", "which has 0 from"},
        {corpus, "bad_pickle_expanded", "\"w\" of 4000000 bytes", ".contiguous()"},
        {corpus, "bad_pickle_dict_of_pairs", "collections.OrderedDict", "1 argument,"},
        {corpus, "bad_pickle_parameter_of_int", "_rebuild_parameter", "3 arguments,"},
        {corpus, "bad_zip_split", "split archive", "one file"},
        {corpus, "bad_pickle_negated", "metadata", "contiguous()"},
        {corpus, "bad_pickle_twice", "\"w\" twice", "as they were saved"},
        {corpus, "bad_zip_compressed", "compressed or encrypted", "\"a/byteorder\""},
        {corpus, "bad_zip_encrypted", "compressed or encrypted", "zipped again"},
        {corpus, "bad_zip_overlap", "overlap", "\"a/data/0\""},
        {corpus, "bad_zip_twice", "two entries \"a/data/0\"", "download"},
        {corpus, "bad_zip_big_endian", "\"big\"-endian", "\"little\""},
        {corpus, "bad_zip_torchscript", "TorchScript", "state_dict()"},
        {corpus, "bad_zip_constants", "TorchScript", "state_dict()"},
        {corpus, "bad_zip_no_end", "truncated", "download"},
        {corpus, "bad_zip_zip64_differs", "zip64", "download"},
        {corpus, "bad_zip_zip64_entry", "9223372036854775808 bytes", "\"a/data/0\""},
        {corpus, "bad_zip_safetensors", "a safetensors file", "rename"},
        {corpus, "bad_zip_git_lfs", "git-lfs pointer", "pull"},
        {"data/torch", "refused_legacy.bin", "before version 1.6", "weights_only=True"},
        {"data/torch", "refused_script.bin", "TorchScript", "state_dict()"},
        {"data/torch", "refused_module.bin", "\"torch.nn.modules.linear.Identity\"", "state dict"},
        {"data/torch", "refused_command.bin", "\"posix.system\"", "nothing was run"},
        {"data/torch", "refused_list.bin", "a list", "state_dict()"},
        {"data/torch", "refused_member.bin", "\"epoch\" is an int", "state_dict()"},
        {"data/torch", "refused_complex.bin", "\"torch.ComplexFloatStorage\"", "nothing was run"},
        {"data/torch", "refused_negative.bin", "metadata", "contiguous()"},
        {"data/torch", "refused_sparse.bin", "\"torch._utils._rebuild_sparse_tensor\"", "refused"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        size_t size;
        mmood_error error;
        uint8_t *data = read_file(&size, cases[i].directory, cases[i].file);
        assert_int_not_equal(parse_exactly(data, size, &error), MMOOD_OK);
        free(data);
        if (!strstr(error.message, cases[i].says) || !strstr(error.message, cases[i].and))
            fail_msg("%s: \"%s\" lacks \"%s\" or \"%s\"", cases[i].file, error.message,
                     cases[i].says, cases[i].and);
    }
}

static void test_truncated_anywhere(void **unused) {
    (void)unused;
    static const char *const files[] = {"kinds.bin", "nested.bin", "protocol4.bin"};
    for (size_t f = 0; f < sizeof files / sizeof *files; f++) {
        size_t size;
        mmood_error error;
        uint8_t *data = read_file(&size, "data/torch", files[f]);
        for (size_t left = 0; left < size; left++) {
            if (parse_exactly(data, left, &error) == MMOOD_OK)
                fail_msg("%s: %zu of %zu bytes were accepted", files[f], left, size);
            assert_true(strlen(error.message) > 20);
        }
        assert_ok(parse_exactly(data, size, &error), error);
        free(data);
    }
}

/* A bit of every byte. Numbers have no checksum, so what is accepted is only read through. */
static void test_flipped_bits(void **unused) {
    (void)unused;
    size_t size, refused = 0;
    uint8_t *data = read_file(&size, "data/torch", "kinds.bin");
    for (size_t at = 0; at < size; at++) {
        mmood_error error;
        uint8_t bit = (uint8_t)(1u << at % 8);
        data[at] ^= bit;
        if (parse_exactly(data, size, &error) != MMOOD_OK) {
            assert_true(strlen(error.message) > 20);
            refused++;
        }
        data[at] ^= bit;
    }
    free(data);
    assert_true(refused > size / 8);
}

/* Reads a pickle of `count` times `times` between two texts, twice over, without an archive. */
static void assert_limit(const char *first, char times, size_t count, const char *last,
                         const char *says) {
    const mm_zip zip = {0};
    mm_pickle p = {.zip = &zip, .root = "a", .root_length = 1};
    mm_pickle_value result;
    mmood_error error;
    size_t before = strlen(first), after = strlen(last), whole = before + count + after;
    uint8_t *data = malloc(2 * whole);
    assert_non_null(data);
    for (size_t i = 0; i < 2; i++) {
        memcpy(data + i * whole, first, before);
        memset(data + i * whole + before, times, count);
        memcpy(data + i * whole + before + count, last, after);
    }
    assert_int_equal(mm_pickle_read(&p, &result, data, 2 * whole, &error), MMOOD_ERROR_LIMIT);
    if (!strstr(error.message, says))
        fail_msg("\"%s\" lacks \"%s\"", error.message, says);
    mm_pickle_free(&p);
    free(data);
}

static void test_limits(void **unused) {
    (void)unused;
    assert_limit("", 'N', (1 << 20) + 1, "", "more than 1048576 values");
    assert_limit("", '}', (1 << 19) + 1, "", "more than 524288 containers");
    assert_limit("](", 'N', 600000, "e", "hold more than 1048576 values");
    assert_limit("", 'N', 33 << 20, "", "at most 67108864 are read");
}

/* ---- Directories --------------------------------------------------------------------------- */

static void put(const char *name, const uint8_t *data, size_t size) {
    mmood_error error;
    char *path = mm_path_join(folder, name);
    assert_non_null(path);
    assert_ok(mm_file_write(path, data, size, &error), error);
    free(path);
}

static void put_copy(const char *name, const char *directory, const char *from) {
    size_t size;
    uint8_t *data = read_file(&size, directory, from);
    put(name, data, size);
    free(data);
}

static void clear(void) {
    DIR *entries = opendir(folder);
    struct dirent *entry;
    assert_non_null(entries);
    while ((entry = readdir(entries))) {
        char *path = mm_path_join(folder, entry->d_name);
        if (entry->d_name[0] != '.')
            unlink(path);
        free(path);
    }
    closedir(entries);
}

static int begin(void **unused) {
    (void)unused;
    mkdir(folder, 0777);
    clear();
    return 0;
}

static int finish(void **unused) {
    (void)unused;
    clear();
    rmdir(folder);
    return 0;
}

static void test_shards(void **unused) {
    (void)unused;
    size_t size;
    mm_safetensors *set, *reference;
    mmood_error error;
    uint8_t *data = read_file(&size, "data/torch", "kinds.bin");
    assert_ok(mm_torch_parse(&reference, data, size, &error), error);
    char text[8192] = "{\"weight_map\":{";
    for (size_t i = 0; i < mm_safetensors_count(reference); i++)
        snprintf(text + strlen(text), sizeof text - strlen(text),
                 "%s\"%s\":\"pytorch_model-%zu.bin\"", i ? "," : "",
                 mm_safetensors_at(reference, i)->name, i % 2 + 1);
    strcat(text, "}}");
    put("pytorch_model.bin.index.json", (const uint8_t *)text, strlen(text));
    put_copy("pytorch_model-1.bin", "data/torch", "shard1.bin");
    put_copy("pytorch_model-2.bin", "data/torch", "shard2.bin");
    assert_ok(mm_safetensors_open_directory(&set, folder, 0, &error), error);
    assert_int_equal(mm_safetensors_files(set), 2);
    assert_same_set(set, reference);
    mm_safetensors_free(set);
    put_copy("pytorch_model-2.bin", "data/torch", "refused_command.bin");
    assert_int_equal(mm_safetensors_open_directory(&set, folder, 0, &error),
                     MMOOD_ERROR_UNSUPPORTED);
    assert_non_null(strstr(error.message, "shard \"pytorch_model-2.bin\": data.pkl: byte"));
    mm_safetensors_free(reference);
    free(data);
}

/* Of all files the first in the order that safetensors.h gives is taken. */
static void check_order(const char *const names[7], int open_clip_first) {
    mm_safetensors *set;
    mmood_error error;
    for (size_t i = 7; i-- > 0;) {
        put(names[i], (const uint8_t *)"x", 1);
        assert_int_not_equal(mm_safetensors_open_directory(&set, folder, open_clip_first, &error),
                             MMOOD_OK);
        if (strncmp(error.message, names[i], strlen(names[i])) != 0)
            fail_msg("%s: \"%s\"", names[i], error.message);
    }
    clear();
}

static void test_order(void **unused) {
    (void)unused;
    static const char *const names[] = {"model.safetensors",
                                        "model.safetensors.index.json",
                                        "pytorch_model.bin",
                                        "pytorch_model.bin.index.json",
                                        "open_clip_model.safetensors",
                                        "open_clip_model.safetensors.index.json",
                                        "open_clip_pytorch_model.bin",
                                        "model.safetensors",
                                        "model.safetensors.index.json",
                                        "pytorch_model.bin",
                                        "pytorch_model.bin.index.json"};
    mm_safetensors *set;
    mmood_error error;
    check_order(names, 0);
    check_order(names + 4, 1);
    put_copy("open_clip_pytorch_model.bin", "data/torch", "nested.bin");
    assert_ok(mm_safetensors_open_directory(&set, folder, 0, &error), error);
    mm_safetensors_free(set);
    put_copy("open_clip_model.safetensors", "data/torch", "kinds.safetensors");
    assert_ok(mm_safetensors_open_directory(&set, folder, 0, &error), error);
    assert_non_null(mm_safetensors_find(set, "cube.one"));
    mm_safetensors_free(set);
}

/* A model's fingerprint and what it says of a picture and two texts. */
static void run(char fingerprint[65], float rows[60], const char *directory) {
    static const char *const texts[] = {"a photo of a cat", "dog"};
    mmood_model *model;
    mmood_session *session;
    mmood_model_info info;
    mmood_error error;
    mmood_model_options options = mmood_model_options_default();
    options.precision = MMOOD_PRECISION_F32;
    assert_ok(mmood_model_open(&model, directory, &options, &error), error);
    mmood_model_describe(model, &info);
    strcpy(fingerprint, info.fingerprint);
    assert_int_equal(info.dimension, 20);
    uint8_t crop[28 * 28 * 3];
    const uint8_t *crops[] = {crop};
    for (size_t i = 0; i < sizeof crop; i++)
        crop[i] = (uint8_t)(i * i / 7 + i);
    mmood_session_options threads = {1};
    assert_ok(mmood_session_create(&session, model, &threads, &error), error);
    assert_ok(mmood_session_embed_images(rows, session, crops, 1, &error), error);
    assert_ok(mmood_session_embed_texts(rows + 20, NULL, session, texts, 2, &error), error);
    mmood_session_free(session);
    mmood_model_free(model);
}

/* Large tensors of model.bin are transposed, the table of tokens among them: copies must outlive
 * that pages are given back while weights are packed. */
static void test_model(void **unused) {
    (void)unused;
    static const char *const files[] = {"config.json", "preprocessor_config.json",
                                        "tokenizer.json"};
    char safe[65], torch[65];
    float safe_rows[60], torch_rows[60];
    for (size_t i = 0; i < sizeof files / sizeof *files; i++)
        put_copy(files[i], "golden/p7-new", files[i]);
    put_copy("pytorch_model.bin", "data/torch", "model.bin");
    run(safe, safe_rows, "golden/p7-new");
    run(torch, torch_rows, folder);
    assert_string_equal(torch, safe);
    assert_memory_equal(torch_rows, safe_rows, sizeof safe_rows);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_same_as_safetensors),
        cmocka_unit_test(test_what_is_copied),
        cmocka_unit_test(test_corpus),
        cmocka_unit_test(test_messages),
        cmocka_unit_test(test_truncated_anywhere),
        cmocka_unit_test(test_flipped_bits),
        cmocka_unit_test(test_limits),
        cmocka_unit_test_setup_teardown(test_shards, begin, finish),
        cmocka_unit_test_setup_teardown(test_order, begin, finish),
        cmocka_unit_test_setup_teardown(test_model, begin, finish),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
