/* test_cached.c - models opened by way of a folder of packed weights: the same bits as without, and
 * whatever is wrong with the folder costs time and a note, never a number. */
#include "test.h"

#include "base/file.h"
#include "base/sha256.h"
#include "clip/onednn.h"
#include "clip/store.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static const char model_path[] = "golden/b32-quick", other_path[] = "golden/f16";
static const char folder[] = "cached-test.tmp/weights", parent[] = "cached-test.tmp";
static const char *program;

enum { CROPS = 2, TEXTS = 3, MOST = 4096 };

/* What a model says of two pictures and three texts, and the notes meanwhile. */
typedef struct outcome {
    size_t numbers;
    float rows[MOST];
    char fingerprint[65];
    char notes[8192];
} outcome;

static void listen(void *context, const char *text) {
    outcome *out = context;
    size_t used = strlen(out->notes);
    snprintf(out->notes + used, sizeof out->notes - used, "%s\n", text);
}

/* Opens, embeds and closes; `texts` 0 leaves the text tower alone. */
static void run(outcome *out, const char *path, const char *cache, mmood_precision precision,
                int texts) {
    static const char *const words[TEXTS] = {"a cat", "a photo of a dog", "x"};
    mmood_model *model;
    mmood_session *session;
    mmood_model_info info;
    mmood_error error;
    memset(out, 0, sizeof *out);
    mmood_model_options options = mmood_model_options_default();
    options.precision = precision;
    options.threads = 2;
    options.cache = cache;
    options.note = listen;
    options.note_context = out;
    assert_ok(mmood_model_open(&model, path, &options, &error), error);
    mmood_session_options threads = {2};
    assert_ok(mmood_session_create(&session, model, &threads, &error), error);
    mmood_model_describe(model, &info);
    strcpy(out->fingerprint, info.fingerprint);
    size_t size = (size_t)(info.image_size * info.image_size * 3), n = (size_t)info.dimension;
    assert_true((CROPS + TEXTS) * n <= MOST);
    uint8_t *crop = malloc(2 * size);
    const uint8_t *crops[CROPS] = {crop, crop + size};
    for (size_t i = 0; i < 2 * size; i++)
        crop[i] = (uint8_t)(i * i / 7 + i);
    assert_ok(mmood_session_embed_images(out->rows, session, crops, CROPS, &error), error);
    if (texts)
        assert_ok(
            mmood_session_embed_texts(out->rows + CROPS * n, NULL, session, words, TEXTS, &error),
            error);
    out->numbers = (size_t)(CROPS + (texts ? TEXTS : 0)) * n;
    free(crop);
    mmood_session_free(session);
    mmood_model_free(model);
}

static void assert_same(const outcome *a, const outcome *b) {
    assert_int_equal(a->numbers, b->numbers);
    assert_memory_equal(a->rows, b->rows, a->numbers * sizeof *a->rows);
    assert_string_equal(a->fingerprint, b->fingerprint);
}

static void assert_says(const outcome *out, const char *words) {
    if (!strstr(out->notes, words))
        fail_msg("\"%s\" is not in the notes:\n%s", words, out->notes);
}

/* The names in the folder that end so, the tokenizer's tables left out; the last one's path to
 * `path`, of `size` bytes. */
static int count_files(const char *ending, char *path, size_t size) {
    int count = 0;
    DIR *entries = opendir(folder);
    if (!entries)
        return 0;
    for (struct dirent *entry; (entry = readdir(entries));) {
        size_t n = strlen(entry->d_name), m = strlen(ending);
        if (n <= m || strcmp(entry->d_name + n - m, ending) != 0 ||
            strncmp(entry->d_name, "tokenizer-", 10) == 0)
            continue;
        count++;
        if (path)
            snprintf(path, size, "%s/%s", folder, entry->d_name);
    }
    closedir(entries);
    return count;
}

static void empty(const char *path) {
    DIR *entries = opendir(path);
    if (!entries)
        return;
    for (struct dirent *entry; (entry = readdir(entries));) {
        char file[512];
        snprintf(file, sizeof file, "%s/%s", path, entry->d_name);
        unlink(file);
    }
    closedir(entries);
    rmdir(path);
}

static int clean(void **unused) {
    (void)unused;
    empty(folder);
    empty("cached-test.tmp/model");
    empty(parent);
    return 0;
}

static outcome plain, first, again;

static void test_hit_equals_miss(void **unused) {
    (void)unused;
    int kept = 0;
    for (int p = MMOOD_PRECISION_F32; p <= MMOOD_PRECISION_INT8; p++) {
        if ((p == MMOOD_PRECISION_BF16 && !mm_engine_has_bf16()) ||
            (p == MMOOD_PRECISION_INT8 && !mm_engine_has_int8()))
            continue;
        run(&plain, model_path, NULL, (mmood_precision)p, 1);
        assert_string_equal(plain.notes, "");
        run(&first, model_path, folder, (mmood_precision)p, 1);
        assert_says(&first, "are kept in ");
        run(&again, model_path, folder, (mmood_precision)p, 1);
        assert_says(&again, "are mapped from ");
        assert_same(&plain, &first);
        assert_same(&plain, &again);
        assert_int_equal(count_files(".packed", NULL, 0), ++kept); /* each precision has its own */
    }
    assert_int_equal(count_files(".digest", NULL, 0), 1);
}

/* Writes `size` bytes with the one at `at` changed, in place of a file; other mappings keep theirs.
 */
static void damage(const char *path, const uint8_t *data, size_t size, size_t at) {
    mmood_error error;
    uint8_t *copy = malloc(size + 1);
    memcpy(copy, data, size);
    if (at < size)
        copy[at] ^= 1;
    assert_ok(mm_file_write_cached(path, copy, size, &error), error);
    free(copy);
}

/* Where the first matrix of the text tower lies in a file of packed weights: packed.h. */
static size_t text_tower(const uint8_t *file) {
    uint64_t key, at;
    memcpy(&key, file + 32, sizeof key);
    size_t record = 8 * (4 + 3 * MM_SECTION_COUNT);
    memcpy(&at, file + 128 + (key + 7) / 8 * 8 + record + 32, sizeof at);
    return at;
}

static void check_damaged(const char *path, const char *note) {
    run(&again, model_path, folder, MMOOD_PRECISION_F32, 1);
    assert_says(&again, note);
    assert_says(&again, "packed anew");
    assert_same(&plain, &again);
    run(&again, model_path, folder, MMOOD_PRECISION_F32, 1);
    assert_same(&plain, &again);
    run(&again, model_path, folder, MMOOD_PRECISION_F32, 1);
    assert_says(&again, "are mapped from ");
    assert_same(&plain, &again);
    assert_true(mm_file_exists(path));
}

static void test_damage(void **unused) {
    (void)unused;
    char path[512], foreign[512];
    uint8_t *data, *other;
    size_t size, other_size;
    mmood_error error;
    run(&first, other_path, folder, MMOOD_PRECISION_F32, 1);
    assert_int_equal(count_files(".packed", foreign, sizeof foreign), 1);
    assert_ok(mm_file_read(&other, &other_size, foreign, 1 << 28, &error), error);
    unlink(foreign);
    run(&plain, model_path, NULL, MMOOD_PRECISION_F32, 1);
    run(&first, model_path, folder, MMOOD_PRECISION_F32, 1);
    assert_int_equal(count_files(".packed", path, sizeof path), 1);
    assert_ok(mm_file_read(&data, &size, path, 1 << 28, &error), error);

    damage(path, data, size / 2, SIZE_MAX);
    check_damaged(path, "bytes");
    damage(path, data, 0, SIZE_MAX);
    check_damaged(path, "begins otherwise");
    damage(path, data, size, 3);
    check_damaged(path, "begins otherwise");
    damage(path, data, size, 130);
    check_damaged(path, "has changed");
    damage(path, other, other_size, SIZE_MAX);
    check_damaged(path, "are of ");
    damage(path, data, size, size - 100); /* the vision tower */
    check_damaged(path, "has changed");
    damage(path, data, size, text_tower(data));
    check_damaged(path, "has changed");
    free(data);
    free(other);
}

/* The text tower is read when a text is embedded, not before: its damage goes unseen till then. */
static void test_only_what_is_used(void **unused) {
    (void)unused;
    char path[512];
    uint8_t *data;
    size_t size;
    mmood_error error;
    run(&plain, model_path, NULL, MMOOD_PRECISION_F32, 0);
    run(&first, model_path, folder, MMOOD_PRECISION_F32, 0);
    count_files(".packed", path, sizeof path);
    assert_ok(mm_file_read(&data, &size, path, 1 << 28, &error), error);
    damage(path, data, size, text_tower(data));
    run(&again, model_path, folder, MMOOD_PRECISION_F32, 0);
    assert_null(strstr(again.notes, "packed anew"));
    assert_same(&plain, &again);
    free(data);
}

static void test_folder_trouble(void **unused) {
    (void)unused;
    char path[512];
    mmood_error error;
    run(&plain, model_path, NULL, MMOOD_PRECISION_F32, 1);
    run(&again, model_path, "golden/b32-quick/config.json/cache", MMOOD_PRECISION_F32, 1);
    assert_says(&again, "not kept");
    assert_same(&plain, &again);
    if (geteuid() != 0) {
        assert_ok(mm_directory_make(folder, &error), error);
        chmod(folder, 0555);
        run(&again, model_path, folder, MMOOD_PRECISION_F32, 1);
        chmod(folder, 0755);
        assert_says(&again, "not kept");
        assert_same(&plain, &again);
    }
    run(&first, model_path, folder, MMOOD_PRECISION_F32, 1);
    assert_int_equal(count_files(".packed", path, sizeof path), 1);
    unlink(path);
    assert_int_equal(symlink("/dev/full", path), 0); /* a full disk */
    run(&again, model_path, folder, MMOOD_PRECISION_F32, 1);
    assert_says(&again, "not kept");
    assert_same(&plain, &again);
}

/* A model directory whose weights are a link to another model's: the link's target changes. */
static void test_changed_weights(void **unused) {
    (void)unused;
    static const char *const names[] = {"config.json", "preprocessor_config.json",
                                        "tokenizer.json"};
    const char *weights = "cached-test.tmp/model/model.safetensors";
    char here[512], target[1024], link[512];
    mmood_error error;
    assert_non_null(getcwd(here, sizeof here));
    assert_ok(mm_directory_make("cached-test.tmp/model", &error), error);
    for (size_t i = 0; i < 3; i++) {
        snprintf(link, sizeof link, "cached-test.tmp/model/%s", names[i]);
        snprintf(target, sizeof target, "%s/golden/b32-quick/%s", here, names[i]);
        assert_int_equal(symlink(target, link), 0);
    }
    snprintf(target, sizeof target, "%s/golden/b32-quick/model.safetensors", here);
    assert_int_equal(symlink(target, weights), 0);
    run(&first, "cached-test.tmp/model", folder, MMOOD_PRECISION_F32, 1);
    /* one weight of a copy is another */
    uint8_t *data;
    size_t size;
    assert_ok(mm_file_read(&data, &size, target, 1 << 26, &error), error);
    data[size - 1] ^= 0x40;
    data[size - 2] ^= 0x01;
    unlink(weights);
    assert_ok(mm_file_write(weights, data, size, &error), error);
    free(data);
    run(&plain, "cached-test.tmp/model", NULL, MMOOD_PRECISION_F32, 1);
    run(&again, "cached-test.tmp/model", folder, MMOOD_PRECISION_F32, 1);
    assert_says(&again, "are kept in ");
    assert_same(&plain, &again);
    assert_string_not_equal(first.fingerprint, again.fingerprint);
    assert_int_equal(count_files(".packed", NULL, 0), 2);
    /* the same contents elsewhere are found by their contents */
    run(&again, model_path, folder, MMOOD_PRECISION_F32, 1);
    assert_says(&again, "are mapped from ");
    assert_same(&first, &again);
}

/* ---- Other processes ----------------------------------------------------------------------- */

/* What a child does: embed by way of the folder; its rows' hash goes to stdout. */
static int child(void) {
    char digest[65], engine[128];
    run(&again, model_path, folder, MMOOD_PRECISION_F32, 1);
    mm_sha256_of(digest, again.rows, again.numbers * sizeof *again.rows);
    mm_engine_describe(engine, sizeof engine);
    printf("%s %s\n", digest, engine);
    return 0;
}

static FILE *start(const char *isa) {
    char command[1024];
    snprintf(command, sizeof command, "%s%s '%s' child", isa ? "ONEDNN_MAX_CPU_ISA=" : "",
             isa ? isa : "", program);
    FILE *out = popen(command, "r");
    assert_non_null(out);
    return out;
}

static void finish(FILE *out, char line[256]) {
    assert_non_null(fgets(line, 256, out));
    assert_int_equal(pclose(out), 0);
}

static void test_writers_at_once(void **unused) {
    (void)unused;
    char expected[65], lines[4][256];
    FILE *children[4];
    run(&plain, model_path, NULL, MMOOD_PRECISION_F32, 1);
    mm_sha256_of(expected, plain.rows, plain.numbers * sizeof *plain.rows);
    for (int i = 0; i < 4; i++)
        children[i] = start(NULL);
    for (int i = 0; i < 4; i++) {
        finish(children[i], lines[i]);
        assert_memory_equal(lines[i], expected, 64);
    }
    assert_int_equal(count_files(".packed", NULL, 0), 1);
    assert_int_equal(count_files("", NULL, 0) - 2, count_files(".digest", NULL, 0) + 1);
    run(&again, model_path, folder, MMOOD_PRECISION_F32, 1);
    assert_says(&again, "are mapped from ");
    assert_same(&plain, &again);
}

static void test_instruction_sets(void **unused) {
    (void)unused;
    char a[256], b[256];
    finish(start(NULL), a);
    finish(start("SSE41"), b);
    int same = strcmp(strchr(a, ' '), strchr(b, ' ')) == 0;
    assert_int_equal(count_files(".packed", NULL, 0), same ? 1 : 2);
}

/* ---- The folder by itself ------------------------------------------------------------------ */

static void test_memory_of_digests(void **unused) {
    (void)unused;
    const char *digest = "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff";
    char found[65];
    mm_safetensors *set;
    mm_store store;
    mmood_error error;
    uint8_t *memo;
    size_t size;
    assert_ok(mm_safetensors_open_directory(&set, model_path, 0, &error), error);
    assert_ok(mm_store_open(&store, folder, model_path, set, &error), error);
    assert_false(mm_store_recall(found, &store));
    assert_ok(mm_store_remember(&store, digest, store.newest + 1, &error), error);
    assert_false(mm_store_recall(found, &store)); /* too fresh */
    assert_ok(mm_store_remember(&store, digest, store.newest + 10, &error), error);
    assert_true(mm_store_recall(found, &store));
    assert_string_equal(found, digest);
    assert_ok(mm_file_read(&memo, &size, store.memo, 1 << 16, &error), error);
    for (size_t i = 0; i < size; i++) {
        if (i == size - 1)
            continue; /* the last line's end */
        memo[i] ^= 1;
        assert_ok(mm_file_write_cached(store.memo, memo, size, &error), error);
        assert_false(mm_store_recall(found, &store));
        memo[i] ^= 1;
    }
    for (size_t n = 0; n < size; n += 13) {
        assert_ok(mm_file_write_cached(store.memo, memo, n, &error), error);
        assert_false(mm_store_recall(found, &store));
    }
    free(memo);
    mm_store_free(&store);
    mm_safetensors_free(set);
}

static void make_file(const char *name, size_t size, time_t used) {
    char path[512];
    mmood_error error;
    void *data = calloc(1, size);
    snprintf(path, sizeof path, "%s/%s", folder, name);
    assert_ok(mm_file_write_cached(path, data, size, &error), error);
    struct timespec times[2] = {{.tv_sec = used}, {.tv_sec = used}};
    assert_int_equal(utimensat(AT_FDCWD, path, times, 0), 0);
    free(data);
}

static int has_file(const char *name) {
    return mm_file_exists_in(folder, name);
}

static void test_limits(void **unused) {
    (void)unused;
    const time_t now = 1000000000;
    char kept[512];
    mmood_error error;
    assert_ok(mm_directory_make(folder, &error), error);
    make_file("a.packed", 100, now - 50);
    make_file("b.packed", 100, now - 40);
    make_file("c.packed", 100, now - 60);
    make_file("d.packed", 100, now - 1000000);
    make_file("old.packed", 1, now - 91 * 86400);
    make_file("old.digest", 1, now - 91 * 86400);
    make_file("new.digest", 1, now - 5);
    make_file("e.packed.Ab3dEf", 100, now - 7200);
    make_file("f.packed.Ab3dEf", 100, now - 60);
    make_file("notes.txt", 5000, 0);
    snprintf(kept, sizeof kept, "%s/d.packed", folder);
    mm_store_trim(folder, kept, 300, now);
    assert_true(has_file("a.packed") && has_file("b.packed") && has_file("d.packed"));
    assert_true(!has_file("c.packed") && !has_file("old.packed") && !has_file("old.digest"));
    assert_true(has_file("new.digest") && has_file("f.packed.Ab3dEf") && has_file("notes.txt"));
    assert_false(has_file("e.packed.Ab3dEf"));
    mm_store_trim(folder, kept, 10, now);
    assert_true(has_file("d.packed") && !has_file("a.packed") && !has_file("b.packed"));
    mm_store_trim("no/such/folder", kept, 10, now);
}

int main(int argc, char **argv) {
    program = argv[0];
    if (argc > 1)
        return child();
#define TEST(f) cmocka_unit_test_setup_teardown(f, clean, clean)
    const struct CMUnitTest tests[] = {
        TEST(test_hit_equals_miss),
        TEST(test_damage),
        TEST(test_only_what_is_used),
        TEST(test_folder_trouble),
        TEST(test_changed_weights),
        TEST(test_writers_at_once),
        TEST(test_instruction_sets),
        TEST(test_memory_of_digests),
        TEST(test_limits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
