/* test_files.c - maps, whole-file reads and replacing writes: sizes, limits, links, devices. */
#include "test.h"

#include "base/error.h"
#include "base/file.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* A folder of our own, so that tests may run side by side and leave nothing behind. */
static char folder[] = "/tmp/mmood-files-XXXXXX";
static char path_a[64], path_b[64];

static int make_folder(void **unused) {
    (void)unused;
    if (!mkdtemp(folder))
        return -1;
    snprintf(path_a, sizeof path_a, "%s/a", folder);
    snprintf(path_b, sizeof path_b, "%s/b", folder);
    return 0;
}

/* Fails if a test left anything, such as a temporary file, in the folder. */
static int remove_folder(void **unused) {
    (void)unused;
    return rmdir(folder);
}

static void assert_contents(const char *path, const char *expected) {
    mmood_error error;
    uint8_t *data;
    size_t size;
    assert_ok(mm_file_read(&data, &size, path, 1000, &error), error);
    assert_int_equal(size, strlen(expected));
    assert_string_equal((const char *)data, expected);
    free(data);
}

static void test_read(void **unused) {
    (void)unused;
    mmood_error error;
    uint8_t *data;
    size_t size;
    assert_ok(mm_file_write(path_a, "he\0lo", 5, &error), error);
    assert_ok(mm_file_read(&data, &size, path_a, 5, &error), error);
    assert_int_equal(size, 5);
    assert_memory_equal(data, "he\0lo", 6); /* a NUL follows */
    free(data);
    assert_int_equal(mm_file_read(&data, &size, path_a, 4, &error), MMOOD_ERROR_LIMIT);
    assert_null(data);
    assert_non_null(strstr(error.message, "5 bytes"));
    assert_ok(mm_file_write(path_a, "", 0, &error), error);
    assert_ok(mm_file_read(&data, &size, path_a, 0, &error), error);
    assert_int_equal(size, 0);
    free(data);
    unlink(path_a);
    assert_int_equal(mm_file_read(&data, &size, path_a, 9, &error), MMOOD_ERROR_IO);
    assert_non_null(strstr(error.message, "No such file"));
    assert_int_equal(mm_file_read(&data, &size, folder, 9, &error), MMOOD_ERROR_IO);
    assert_non_null(strstr(error.message, "a directory"));
    assert_int_equal(mm_file_read(&data, &size, path_a, 9, NULL), MMOOD_ERROR_IO);
}

static void test_map(void **unused) {
    (void)unused;
    mmood_error error;
    mm_map map;
    assert_ok(mm_file_write(path_a, "hello", 5, &error), error);
    assert_ok(mm_map_open(&map, path_a, &error), error);
    assert_int_equal(map.size, 5);
    assert_memory_equal(map.data, "hello", 5);
    /* a file replaced by mm_file_write does not change under a map */
    assert_ok(mm_file_write(path_a, "other", 5, &error), error);
    assert_memory_equal(map.data, "hello", 5);
    mm_map_close(&map);
    assert_null(map.data);
    mm_map_close(&map);
    assert_ok(mm_file_write(path_a, "", 0, &error), error);
    assert_ok(mm_map_open(&map, path_a, &error), error);
    assert_null(map.data);
    assert_int_equal(map.size, 0);
    mm_map_close(&map);
    unlink(path_a);
    assert_int_equal(mm_map_open(&map, path_a, &error), MMOOD_ERROR_IO);
    assert_null(map.data);
    assert_int_equal(mm_map_open(&map, folder, &error), MMOOD_ERROR_IO);
}

/* A pipe without a writer must be refused, not waited for. */
static void test_pipe(void **unused) {
    (void)unused;
    mmood_error error;
    mm_map map;
    uint8_t *data;
    size_t size;
    assert_int_equal(mkfifo(path_a, 0600), 0);
    alarm(20);
    assert_int_equal(mm_map_open(&map, path_a, &error), MMOOD_ERROR_IO);
    assert_int_equal(mm_file_read(&data, &size, path_a, 10, &error), MMOOD_ERROR_IO);
    assert_non_null(strstr(error.message, "expected a regular file"));
    alarm(0);
    unlink(path_a);
}

static void test_write(void **unused) {
    (void)unused;
    mmood_error error;
    struct stat st;
    assert_ok(mm_file_write(path_a, "one", 3, &error), error);
    assert_ok(mm_file_write(path_a, "two!", 4, &error), error);
    assert_contents(path_a, "two!");
    assert_int_equal(stat(path_a, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0644);
    unlink(path_a);
    assert_int_equal(mm_file_write(folder, "x", 1, &error), MMOOD_ERROR_IO);
    assert_non_null(strstr(error.message, "is a directory"));
    assert_int_equal(mm_file_write("no/such/folder/x", "x", 1, &error), MMOOD_ERROR_IO);
    assert_non_null(strstr(error.message, "No such file"));
    size_t size = 3 << 20; /* more than one write() may take */
    char *large = malloc(size), *back;
    uint8_t *data;
    assert_non_null(large);
    for (size_t i = 0; i < size; i++)
        large[i] = (char)(i * 7919 >> 5);
    assert_ok(mm_file_write(path_a, large, size, &error), error);
    assert_ok(mm_file_read(&data, &size, path_a, size, &error), error);
    back = (char *)data;
    assert_int_equal(size, 3 << 20);
    assert_memory_equal(back, large, size);
    free(data);
    free(large);
    unlink(path_a);
}

/* "-o /dev/stdout" must not put a file in the device's place. */
static void test_write_link_and_device(void **unused) {
    (void)unused;
    mmood_error error;
    struct stat st;
    assert_ok(mm_file_write(path_a, "one", 3, &error), error);
    assert_int_equal(symlink("a", path_b), 0);
    assert_ok(mm_file_write(path_b, "two", 3, &error), error);
    assert_contents(path_a, "two");
    assert_int_equal(lstat(path_b, &st), 0);
    assert_true(S_ISLNK(st.st_mode));
    unlink(path_b);
    unlink(path_a);
    assert_int_equal(symlink("/dev/null", path_a), 0);
    assert_ok(mm_file_write(path_a, "gone", 4, &error), error);
    assert_int_equal(stat(path_a, &st), 0);
    assert_true(S_ISCHR(st.st_mode));
    unlink(path_a);
    if (mm_file_exists("/dev/full")) {
        assert_int_equal(symlink("/dev/full", path_a), 0);
        assert_int_equal(mm_file_write(path_a, "full", 4, &error), MMOOD_ERROR_IO);
        assert_non_null(strstr(error.message, "cannot be written"));
        unlink(path_a);
    }
}

static void test_exists_and_join(void **unused) {
    (void)unused;
    static const struct {
        const char *directory, *name, *joined;
    } cases[] = {{"a", "b", "a/b"}, {"a/", "b", "a/b"}, {"/", "b", "/b"}, {"", "b", "b"}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char *path = mm_path_join(cases[i].directory, cases[i].name);
        assert_string_equal(path, cases[i].joined);
        free(path);
    }
    assert_true(mm_file_exists(folder));
    assert_false(mm_file_exists(path_a));
    assert_int_equal(symlink("nowhere", path_a), 0);
    assert_false(mm_file_exists(path_a));
    unlink(path_a);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_read),
        cmocka_unit_test(test_map),
        cmocka_unit_test(test_pipe),
        cmocka_unit_test(test_write),
        cmocka_unit_test(test_write_link_and_device),
        cmocka_unit_test(test_exists_and_join),
    };
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
