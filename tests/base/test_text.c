/* test_text.c - escaping for JSON, CSV and terminals. */
#include "test.h"

#include "base/text.h"

#include <math.h>
#include <string.h>

static mm_buffer out;

/* What was written since the last call; the buffer is emptied. */
static void written(const char *expected) {
    assert_string_equal(out.data ? out.data : "", expected);
    mm_buffer_free(&out);
}

static void test_json(void **unused) {
    (void)unused;
    mm_json_text(&out, "a\"\\\n\t\x7f caf\xc3\xa9 \xff.");
    written("\"a\\\"\\\\\\n\\u0009\\u007f caf\xc3\xa9 \\ufffd.\"");
    mm_json_text(&out, NULL);
    written("null");
    mm_json_path(&out, "plain");
    written("\"path\":\"plain\"");
    mm_json_path(&out, "\xff");
    written("\"path\":\"\\ufffd\",\"path_bytes\":\"/w==\"");
    mm_json_number(&out, 1.0 / 3);
    written("0.333333333");
    mm_json_exact(&out, 0.1);
    written("0.10000000000000001");
    mm_json_number(&out, INFINITY);
    written("null");
}

static void test_csv(void **unused) {
    (void)unused;
    mm_csv_text(&out, "plain text");
    written("plain text");
    mm_csv_text(&out, "a,\"b\"\n");
    written("\"a,\"\"b\"\"\n\"");
    mm_csv_text(&out, NULL);
    mm_csv_number(&out, NAN);
    written("");
}

static void test_table(void **unused) {
    (void)unused;
    mm_table_text(&out, "caf\xc3\xa9\x1b[1m\xff", 12);
    written("caf\xc3\xa9?[1m?   ");
    mm_table_text(&out, "\xe7\x8a\xac\xe7\x8c\xab", 3); /* two columns a character */
    written("\xe7\x8a\xac ");
    assert_int_equal(mm_table_width("caf\xc3\xa9\x1b[1m\xff"), 9);
    assert_int_equal(mm_table_width("\xe7\x8a\xac\xe7\x8c\xab"), 4);
    assert_int_equal(mm_table_skip("a\xc3\xa9zz", 2), 3);
    assert_int_equal(mm_table_skip("\xe7\x8a\xac\xe7\x8c\xab", 1), 3);
    assert_int_equal(mm_table_skip("e\xcc\x81x", 1), 3); /* a mark goes with its letter */
    assert_int_equal(mm_table_skip("ab", 9), 2);
}

static void test_base64(void **unused) {
    (void)unused;
    static const char *const expected[] = {"", "AA==", "AP8=", "AP8Q", "AP8QgA=="};
    for (size_t i = 1; i < 5; i++) {
        mm_base64(&out, "\x00\xff\x10\x80", i);
        written(expected[i]);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_json), cmocka_unit_test(test_csv),
                                       cmocka_unit_test(test_table), cmocka_unit_test(test_base64)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
