/* test_base.c - errors, files, JSON, SHA-256, buffers and worker threads. */
#include "test.h"

#include "base/buffer.h"
#include "base/error.h"
#include "base/file.h"
#include "base/json.h"
#include "base/pool.h"
#include "base/sha256.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static void test_errors(void **unused) {
    (void)unused;
    mmood_error error;
    assert_int_equal(mm_error_set(&error, MMOOD_ERROR_IO, "line\nbreak %d", 7), MMOOD_ERROR_IO);
    assert_int_equal(error.status, MMOOD_ERROR_IO);
    assert_null(strchr(error.message, '\n'));
    assert_int_equal(mm_error_prefix(&error, MMOOD_ERROR_IO, "%s", "file"), MMOOD_ERROR_IO);
    assert_int_equal(strncmp(error.message, "file: line", 10), 0);
    assert_int_equal(mm_error_set(NULL, MMOOD_ERROR_MEMORY, "x"), MMOOD_ERROR_MEMORY);
    assert_int_equal(mm_error_prefix(NULL, MMOOD_ERROR_MEMORY, "x"), MMOOD_ERROR_MEMORY);
    char long_text[2000];
    memset(long_text, 'a', sizeof long_text - 1);
    long_text[sizeof long_text - 1] = 0;
    mm_error_set(&error, MMOOD_ERROR_FORMAT, "%s", long_text);
    mm_error_prefix(&error, MMOOD_ERROR_FORMAT, "%s", "prefix");
    assert_true(strlen(error.message) < sizeof error.message);
    assert_int_equal(strncmp(error.message, "prefix: aaa", 11), 0);
    for (int status = MMOOD_OK; status <= MMOOD_ERROR_NUMERIC; status++)
        assert_non_null(mmood_status_name((mmood_status)status));
    assert_string_equal(mmood_version(), MMOOD_VERSION_STRING);
}

static void test_files(void **unused) {
    (void)unused;
    mmood_error error;
    uint8_t *data;
    size_t size;
    mm_map map;
    assert_ok(mm_file_write("base-test.tmp", "hello", 5, &error), error);
    assert_ok(mm_file_read(&data, &size, "base-test.tmp", 5, &error), error);
    assert_int_equal(size, 5);
    assert_string_equal(data, "hello");
    free(data);
    assert_int_equal(mm_file_read(&data, &size, "base-test.tmp", 4, &error), MMOOD_ERROR_LIMIT);
    assert_ok(mm_map_open(&map, "base-test.tmp", &error), error);
    assert_memory_equal(map.data, "hello", 5);
    mm_map_close(&map);
    assert_ok(mm_file_write("base-test.tmp", "", 0, &error), error);
    assert_ok(mm_map_open(&map, "base-test.tmp", &error), error);
    assert_int_equal(map.size, 0);
    mm_map_close(&map);
    assert_true(mm_file_exists("base-test.tmp"));
    unlink("base-test.tmp");
    assert_false(mm_file_exists("base-test.tmp"));
    assert_int_equal(mm_map_open(&map, "base-test.tmp", &error), MMOOD_ERROR_IO);
    assert_int_equal(mm_map_open(&map, ".", &error), MMOOD_ERROR_IO);
    assert_int_equal(mm_file_read(&data, &size, ".", 9, &error), MMOOD_ERROR_IO);
    assert_int_equal(mm_file_write("no/such/folder/x", "a", 1, &error), MMOOD_ERROR_IO);
    char *path = mm_path_join("a/", "b");
    assert_string_equal(path, "a/b");
    free(path);
}

static void test_json(void **unused) {
    (void)unused;
    static const struct {
        const char *text, *says;
    } bad[] = {{"", "empty"},
               {"{\"a\":1,\"a\":2}", "duplicate"},
               {"[1] x", "line 1"},
               {"{\n\"a\" 1}", "line 2"},
               {"\"\xff\"", "0xff"}};
    json_t *value;
    mmood_error error;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        assert_int_equal(mm_json_parse(&value, bad[i].text, strlen(bad[i].text), &error),
                         MMOOD_ERROR_FORMAT);
        if (!strstr(error.message, bad[i].says))
            fail_msg("\"%s\" lacks \"%s\"", error.message, bad[i].says);
    }
    assert_ok(mm_json_parse(&value, "\xef\xbb\xbf{\"a\":1}", 10, &error), error);
    json_decref(value);
    char *deep = malloc(100000);
    memset(deep, '[', 100000);
    assert_int_equal(mm_json_parse(&value, deep, 100000, &error), MMOOD_ERROR_FORMAT);
    free(deep);
    assert_int_equal(mm_json_load(&value, "no-such.json", 10, &error), MMOOD_ERROR_IO);
    assert_non_null(strstr(error.message, "no-such.json"));
}

/* FIPS 180-4's examples, and a million times "a". */
static void test_sha256(void **unused) {
    (void)unused;
    static const struct {
        const char *text, *digest;
    } cases[] = {{"", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"},
                 {"abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"},
                 {"abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
                  "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1"}};
    char digest[65];
    mm_sha256 hash;
    for (size_t i = 0; i < 3; i++) {
        mm_sha256_init(&hash);
        for (const char *p = cases[i].text; *p; p++)
            mm_sha256_update(&hash, p, 1);
        mm_sha256_finish(digest, &hash);
        assert_string_equal(digest, cases[i].digest);
    }
    char block[1000];
    memset(block, 'a', sizeof block);
    mm_sha256_init(&hash);
    for (int i = 0; i < 1000; i++)
        mm_sha256_update(&hash, block, sizeof block);
    mm_sha256_finish(digest, &hash);
    assert_string_equal(digest, "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
}

static void test_buffer(void **unused) {
    (void)unused;
    mm_buffer buffer = {0};
    mm_buffer_puts(&buffer, "a");
    mm_buffer_printf(&buffer, "%d-%s", 12, "b");
    mm_buffer_append(&buffer, "\0c", 2);
    assert_int_equal(buffer.size, 7);
    assert_memory_equal(buffer.data, "a12-b\0c", 8);
    for (int i = 0; i < 10000; i++)
        mm_buffer_printf(&buffer, "%04d", i);
    assert_int_equal(buffer.size, 40007);
    assert_false(buffer.failed);
    mm_buffer_free(&buffer);
}

typedef struct counting {
    pthread_mutex_t lock;
    int calls[8];
    int total;
} counting;

static void count(void *context, int worker) {
    counting *c = context;
    pthread_mutex_lock(&c->lock);
    c->calls[worker]++;
    c->total++;
    pthread_mutex_unlock(&c->lock);
}

static void test_pool(void **unused) {
    (void)unused;
    mm_pool *pool;
    mmood_error error;
    counting c = {.lock = PTHREAD_MUTEX_INITIALIZER};
    assert_true(mm_cpu_count() >= 1);
    assert_ok(mm_pool_create(&pool, 8, &error), error);
    assert_int_equal(mm_pool_size(pool), 8);
    for (int i = 0; i < 500; i++)
        mm_pool_run(pool, 1 + i % 8, count, &c);
    assert_int_equal(c.calls[0], 500);
    assert_int_equal(c.calls[7], 62);
    assert_int_equal(c.total, 62 * 36 + 1 + 2 + 3 + 4);
    mm_pool_free(pool);
    mm_pool_free(NULL);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_errors), cmocka_unit_test(test_files),  cmocka_unit_test(test_json),
        cmocka_unit_test(test_sha256), cmocka_unit_test(test_buffer), cmocka_unit_test(test_pool),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
