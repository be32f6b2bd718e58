/* test_json.c - JSON: what is refused, where the message points, and the limits. */
#include "test.h"

#include "base/file.h"
#include "base/json.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static mmood_status parse(const char *text, mmood_error *error) {
    json_t *value;
    mmood_status status = mm_json_parse(&value, text, strlen(text), error);
    if (status)
        assert_null(value);
    else
        json_decref(value);
    return status;
}

static void test_refused(void **unused) {
    (void)unused;
    static const struct {
        const char *text, *says;
    } cases[] = {
        {"", "empty"},
        {"\xef\xbb\xbf", "empty"},
        {" ", "line 1"},
        {"{\"a\":1,\"a\":2}", "duplicate"},
        {"{\"b\":{\"a\":1,\"a\":1}}", "duplicate"},
        {"[1] x", "line 1, column 5"},
        {"[1]\n[2]", "line 2"},
        {"{\n\"a\" 1}", "line 2"},
        {"{\"a\":1,}", "line 1"},
        {"[1,\n2,\n\n ]", "line 4"},
        {"{'a':1}", "line 1"},
        {"{a:1}", "line 1"},
        {"NaN", "line 1"},
        {"[Infinity]", "line 1"},
        {"[1e999]", "overflow"},
        {"[99999999999999999999]", "too big"},
        {"[01]", "line 1"},
        {"[.5]", "line 1"},
        {"\"a\nb\"", "line 1"},
        {"\"\\x41\"", "line 1"},
        {"\"\\u0000\"", "line 1"},
        {"\"\\ud800\"", "line 1"},
        {"\"\xff\"", "0xff"},
        {"\"\xc0\x80\"", "line 1"},     /* an overlong NUL */
        {"\"\xed\xa0\x80\"", "line 1"}, /* a surrogate */
        {"\"open", "line 1"},
        {"<!DOCTYPE html>", "line 1"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        mmood_error error;
        if (parse(cases[i].text, &error) != MMOOD_ERROR_FORMAT)
            fail_msg("case %zu was taken", i);
        if (!strstr(error.message, cases[i].says))
            fail_msg("case %zu: \"%s\" lacks \"%s\"", i, error.message, cases[i].says);
        assert_int_equal(parse(cases[i].text, NULL), MMOOD_ERROR_FORMAT);
    }
}

static void test_taken(void **unused) {
    (void)unused;
    static const char *const cases[] = {"0",
                                        "null",
                                        "\"\"",
                                        " [ ] ",
                                        "{\"a\":[1,-2.5e3,true,false,null]}",
                                        "\xef\xbb\xbf{\"a\":1}",
                                        "[9223372036854775807,-9223372036854775808]",
                                        "{\"\":1,\" \":2}",
                                        "\"\\ud83c\\udf55 \xf0\x9f\x8d\x95\""};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        mmood_error error;
        assert_ok(parse(cases[i], &error), error);
    }
    json_t *value;
    mmood_error error;
    assert_ok(mm_json_parse(&value, "\"\\ud83c\\udf55\"", 14, &error), error);
    assert_string_equal(json_string_value(value), "\xf0\x9f\x8d\x95");
    json_decref(value);
    /* the length counts, not a NUL */
    assert_ok(mm_json_parse(&value, "[1]garbage", 3, &error), error);
    json_decref(value);
    assert_int_equal(mm_json_parse(&value, "[1]\0", 4, &error), MMOOD_ERROR_FORMAT);
}

/* Depth is limited by count, not by the stack: one level below is fine, a million is an error. */
static void test_depth(void **unused) {
    (void)unused;
    static const size_t depths[] = {2000, 3000, 1000000};
    for (size_t i = 0; i < 3; i++) {
        size_t depth = depths[i];
        char *text = malloc(2 * depth);
        json_t *value;
        mmood_error error;
        assert_non_null(text);
        memset(text, '[', depth);
        memset(text + depth, ']', depth);
        mmood_status status = mm_json_parse(&value, text, 2 * depth, &error);
        free(text);
        assert_int_equal(status, i == 0 ? MMOOD_OK : MMOOD_ERROR_FORMAT);
        json_decref(value);
    }
}

static void test_load(void **unused) {
    (void)unused;
    char path[] = "/tmp/mmood-json-XXXXXX";
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    close(fd);
    json_t *value;
    mmood_error error;
    assert_ok(mm_file_write(path, "{\"a\":\n}", 7, &error), error);
    assert_int_equal(mm_json_load(&value, path, 100, &error), MMOOD_ERROR_FORMAT);
    assert_null(value);
    assert_int_equal(strncmp(error.message, path, strlen(path)), 0);
    assert_non_null(strstr(error.message, "line 2"));
    assert_ok(mm_file_write(path, "{\"a\":1}", 7, &error), error);
    assert_ok(mm_json_load(&value, path, 7, &error), error);
    assert_int_equal(json_integer_value(json_object_get(value, "a")), 1);
    json_decref(value);
    assert_int_equal(mm_json_load(&value, path, 6, &error), MMOOD_ERROR_LIMIT);
    assert_non_null(strstr(error.message, path));
    unlink(path);
    assert_int_equal(mm_json_load(&value, path, 10, &error), MMOOD_ERROR_IO);
    assert_non_null(strstr(error.message, path));
    assert_int_equal(mm_json_load(&value, path, 10, NULL), MMOOD_ERROR_IO);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_refused),
        cmocka_unit_test(test_taken),
        cmocka_unit_test(test_depth),
        cmocka_unit_test(test_load),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
