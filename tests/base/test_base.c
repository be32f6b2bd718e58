/* test_base.c - errors, SHA-256 and buffers. */
#include "test.h"

#include "base/buffer.h"
#include "base/error.h"
#include "base/sha256.h"
#include "base/sha256_blocks.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

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

/* A message is one line of UTF-8 whatever it was made of, and wherever it was cut. */
static void test_messages_are_utf8(void **unused) {
    (void)unused;
    mmood_error error;
    mm_error_set(&error, MMOOD_ERROR_FORMAT, "%s", "a\x1b[31m\tb\xff\xc3x\xe2\x82\x7f \xc3\xa4");
    assert_string_equal(error.message, "a [31m b??x??  \xc3\xa4");
    mm_error_set(&error, MMOOD_ERROR_FORMAT, "%s",
                 "a\xc2\x9b"
                 "31m\xc2\x80\xc2\x9f\xc2\xa0");
    assert_string_equal(error.message, "a  31m    \xc2\xa0"); /* CSI of one character */
    mm_error_set(&error, MMOOD_ERROR_FORMAT, "%s", "a\x1b[31m\tb\xff\xc3x\xe2\x82\x7f \xc3\xa4");
    mm_error_prefix(&error, MMOOD_ERROR_FORMAT, "caf\xe9\n");
    assert_int_equal(strncmp(error.message, "caf? : a [31m", 13), 0);
    char text[3000] = "";
    for (int shift = 0; shift < 3; shift++) {
        size_t length = (size_t)shift;
        memset(text, 'x', length);
        for (; length < 2900; length += 3)
            memcpy(text + length, "\xe2\x82\xac", 4);
        mm_error_set(&error, MMOOD_ERROR_FORMAT, "%s", text);
        assert_true(strlen(error.message) >= sizeof error.message - 4);
        const char *end = error.message + strlen(error.message);
        while (end[-1] == '?')
            end--;
        assert_memory_equal(end - 3, "\xe2\x82\xac", 3);
        mm_error_prefix(&error, MMOOD_ERROR_FORMAT, "%s", text);
        assert_true(strlen(error.message) < sizeof error.message);
    }
}

/* FIPS 180-4's examples, and a million times "a". */
/* With the CPU's instructions as without, for any number of blocks at any alignment. */
static void test_sha256_blocks(void **unused) {
    (void)unused;
    uint8_t data[64 * 9 + 8];
    uint32_t state = 1;
    for (size_t i = 0; i < sizeof data; i++)
        data[i] = (uint8_t)((state = state * 1664525u + 1013904223u) >> 24);
    for (size_t count = 0; count <= 9; count++)
        for (size_t shift = 0; shift < 8; shift++) {
            uint32_t a[8] = {1, 2, 3, 4, 0x80000000u, 6, 7, 0xffffffffu}, b[8];
            memcpy(b, a, sizeof b);
            mm_sha256_blocks(a, data + shift, count);
            mm_sha256_blocks_plain(b, data + shift, count);
            assert_memory_equal(a, b, sizeof a);
        }
    print_message("SHA-256 instructions: %s\n", mm_sha256_has_instructions() ? "yes" : "no");
}

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
    /* every length around the block's edges: the digest of all digests, by Python's hashlib */
    uint8_t data[200];
    for (size_t i = 0; i < sizeof data; i++)
        data[i] = (uint8_t)(i * 7 + 3);
    mm_sha256 all;
    mm_sha256_init(&all);
    for (size_t n = 0; n < sizeof data; n++) {
        mm_sha256_init(&hash);
        mm_sha256_update(&hash, data, n / 3);
        mm_sha256_update(&hash, data + n / 3, n - n / 3);
        mm_sha256_finish(digest, &hash);
        mm_sha256_update(&all, digest, 64);
    }
    mm_sha256_finish(digest, &all);
    assert_string_equal(digest, "466ee381bbc4a6de34133ad71e2d19bd7ac1efe7fbd78829b39564fb7a8e7d20");
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
    assert_int_equal(buffer.data[buffer.size], 0);
    assert_memory_equal(buffer.data + 40003, "9999", 5);
    assert_false(buffer.failed);
    mm_buffer_append(&buffer, NULL, 0);
    assert_int_equal(buffer.size, 40007);
    /* an impossible size is remembered, and what is there stays */
    mm_buffer_append(&buffer, "", SIZE_MAX - 10);
    assert_true(buffer.failed);
    mm_buffer_puts(&buffer, "more");
    assert_int_equal(buffer.size, 40007);
    mm_buffer_free(&buffer);
    assert_null(buffer.data);
    mm_buffer_free(&buffer);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_errors), cmocka_unit_test(test_messages_are_utf8),
        cmocka_unit_test(test_sha256), cmocka_unit_test(test_sha256_blocks),
        cmocka_unit_test(test_buffer),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
