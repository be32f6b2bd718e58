/* test_packed.c - files of packed weights: what was written is read; damage anywhere is found. */
#include "test.h"

#include "base/file.h"
#include "clip/packed.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char path[] = "packed-test.tmp", key[] = "weights abc, bf16, a test";

/* Three records: a vector, a matrix with bias, one without. */
static void make_records(mm_packed_record records[3], const uint8_t data[300]) {
    memset(records, 0, 3 * sizeof *records);
    for (size_t i = 0; i < 3; i++) {
        records[i].image = (mm_matrix_image){
            10 * i, 7 + i, MMOOD_PRECISION_BF16, 1234567 + i, {{data + i, 100 + i}}};
        if (i == 1)
            records[i].image.sections[MM_SECTION_BIAS] = (mm_bytes){data + 200, 64};
    }
}

/* The file in memory as a mapping has it. */
static uint8_t *write_file(size_t *size) {
    uint8_t data[300], *read;
    mmood_error error;
    mm_packed_record records[3];
    for (size_t i = 0; i < sizeof data; i++)
        data[i] = (uint8_t)(i * 31 + 5);
    make_records(records, data);
    assert_ok(mm_packed_write(path, key, records, 3, &error), error);
    assert_ok(mm_file_read(&read, size, path, 1 << 20, &error), error);
    unlink(path);
    uint8_t *aligned = aligned_alloc(64, (*size + 127) / 64 * 64);
    memcpy(aligned, read, *size);
    free(read);
    return aligned;
}

static void test_round_trip(void **unused) {
    (void)unused;
    size_t size;
    mmood_error error;
    uint8_t *file = write_file(&size), data[300];
    mm_packed *packed;
    mm_packed_record expected[3];
    for (size_t i = 0; i < sizeof data; i++)
        data[i] = (uint8_t)(i * 31 + 5);
    make_records(expected, data);
    assert_ok(mm_packed_parse(&packed, file, size, key, &error), error);
    assert_int_equal(packed->count, 3);
    for (size_t i = 0; i < 3; i++) {
        const mm_matrix_image *a = &packed->records[i].image, *b = &expected[i].image;
        assert_true(a->inputs == b->inputs && a->outputs == b->outputs &&
                    a->precision == b->precision && a->layout == b->layout);
        for (int k = 0; k < MM_SECTION_COUNT; k++) {
            assert_int_equal(a->sections[k].size, b->sections[k].size);
            assert_int_equal((uintptr_t)a->sections[k].data % 64, 0);
            if (a->sections[k].size)
                assert_memory_equal(a->sections[k].data, b->sections[k].data, a->sections[k].size);
        }
        assert_true(mm_packed_check(&packed->records[i]));
    }
    mm_packed_free(packed);
    assert_int_equal(mm_packed_parse(&packed, file, size, "weights abd, bf16, a test", &error),
                     MMOOD_ERROR_MISMATCH);
    assert_non_null(strstr(error.message, key));
    assert_null(packed);
    free(file);
}

/* A sound file, by its header and records: are all sections sound, too? */
static int all_sound(const mm_packed *packed) {
    for (size_t i = 0; i < packed->count; i++)
        if (!mm_packed_check(&packed->records[i]))
            return 0;
    return 1;
}

/* Every single byte changed, except zeros between sections, which nobody reads. */
static void test_every_byte(void **unused) {
    (void)unused;
    size_t size, unread = 0;
    mmood_error error;
    uint8_t *file = write_file(&size);
    for (size_t i = 0; i < size; i++) {
        mm_packed *packed;
        file[i] ^= 0x20;
        mmood_status status = mm_packed_parse(&packed, file, size, key, &error);
        if (status == MMOOD_OK && all_sound(packed)) {
            assert_int_equal(file[i], 0x20);
            unread++;
        } else if (status != MMOOD_OK)
            assert_int_equal(status, MMOOD_ERROR_FORMAT);
        mm_packed_free(packed);
        file[i] ^= 0x20;
    }
    assert_true(unread < 4 * 64);
    free(file);
}

static void test_every_length(void **unused) {
    (void)unused;
    size_t size;
    uint8_t *file = write_file(&size);
    for (size_t n = 0; n < size; n++) {
        mm_packed *packed;
        uint8_t *cut = aligned_alloc(64, n / 64 * 64 + 64);
        memcpy(cut, file, n);
        assert_int_equal(mm_packed_parse(&packed, cut, n, key, NULL), MMOOD_ERROR_FORMAT);
        free(cut);
    }
    free(file);
}

static void test_trouble(void **unused) {
    (void)unused;
    uint8_t data[300] = {0};
    mmood_error error;
    mm_packed_record records[3];
    make_records(records, data);
    assert_int_equal(mm_packed_write("no/such/folder/x", key, records, 3, &error), MMOOD_ERROR_IO);
    assert_int_equal(mm_packed_write("/dev/full", key, records, 3, &error), MMOOD_ERROR_IO);
    assert_non_null(strstr(error.message, "cannot be written"));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_round_trip),
        cmocka_unit_test(test_every_byte),
        cmocka_unit_test(test_every_length),
        cmocka_unit_test(test_trouble),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
