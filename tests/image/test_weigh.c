/* test_weigh.c - sums of weighted pixels against plain 64-bit arithmetic: all lengths, weights of
 * any sign and size that resizing can come to, and more. */
#include "test.h"

#include "image/weigh.h"
#include "numbers.h"

#include <string.h>

enum { MOST = 41, WIDEST = 75 };

static uint32_t state = 5;

/* From -32 to 32 in 22 fractional bits, the sums of MOST kept within 32 bits. */
static int32_t weight(size_t i, size_t count) {
    static const int32_t chosen[] = {0, 1, -1, 4095, 4096, -4096, -4097, 1 << 22, -(1 << 22)};
    if (i < sizeof chosen / sizeof *chosen)
        return chosen[i] / (int32_t)count;
    return (int32_t)(noise(&state) * (float)((1 << 23) / (int)count));
}

static uint8_t value(size_t i) {
    return i % 5 == 0 ? 255 : (uint8_t)((i * 37) % 256);
}

static uint8_t clipped(int64_t sum) {
    sum >>= MM_WEIGHT_BITS;
    return (uint8_t)(sum < 0 ? 0 : sum > 255 ? 255 : sum);
}

static const int64_t half = 1 << (MM_WEIGHT_BITS - 1);

/* Outputs of every length, each from another pixel on. */
static void test_row(void **unused) {
    (void)unused;
    enum { TAPS = MOST + 1 };
    uint8_t row[3 * 2 * MOST + 4], out[3 * MOST + 1], expected[3 * MOST];
    int32_t weights[MOST * TAPS] = {0};
    size_t first[MOST], length[MOST];
    mm_weights w = {TAPS, first, length, weights};
    for (size_t i = 0; i < sizeof row; i++) /* what lies behind the last pixel, too */
        row[i] = value(i);
    for (size_t o = 0; o < MOST; o++) {
        first[o] = MOST - o;
        length[o] = o + 1;
        for (size_t i = 0; i < length[o]; i++)
            weights[o * TAPS + i] = weight((i + o) % MOST, length[o]);
        for (size_t c = 0; c < 3; c++) {
            int64_t sum = half;
            for (size_t i = 0; i < length[o]; i++)
                sum += (int64_t)weights[o * TAPS + i] * row[3 * (first[o] + i) + c];
            expected[3 * o + c] = clipped(sum);
        }
    }
    mm_weigh_prepare(&w, MOST);
    mm_weigh_row(out, row, &w, MOST);
    assert_memory_equal(out, expected, sizeof expected);
}

static void test_large_weights(void **unused) {
    (void)unused;
    static const int32_t extremes[] = {(1 << 27) - 1, -(1 << 27), (1 << 26) + 4095};
    static const uint8_t dim[8] = {1, 2, 3, 1, 2, 3};
    for (size_t i = 0; i < sizeof extremes / sizeof *extremes; i++) {
        int32_t weights[2] = {extremes[i], 0};
        size_t first = 0, length = 1;
        mm_weights w = {2, &first, &length, weights};
        uint8_t out[4];
        mm_weigh_prepare(&w, 1);
        mm_weigh_row(out, dim, &w, 1);
        for (int c = 0; c < 3; c++)
            assert_int_equal(out[c], clipped((int64_t)extremes[i] * (c + 1) + half));
    }
}

/* Rows of every width: begun, added to, and ended. */
static void test_rows(void **unused) {
    (void)unused;
    uint8_t row[WIDEST], next[WIDEST], out[WIDEST + 1];
    for (size_t size = 0; size <= WIDEST; size++) {
        int32_t sums[WIDEST + 1], a = weight(size % MOST, 2), b = weight((size + 3) % MOST, 2);
        for (size_t x = 0; x < WIDEST; x++) {
            row[x] = value(x);
            next[x] = value(7 * x + 1);
        }
        sums[size] = out[size] = 77; /* what follows stays */
        mm_weigh_begin(sums, size);
        mm_weigh_add(sums, row, next, a, b, size);
        for (size_t x = 0; x < size; x++)
            assert_int_equal(sums[x], half + row[x] * a + next[x] * b);
        mm_weigh_end(out, sums, size);
        for (size_t x = 0; x < size; x++)
            assert_int_equal(out[x], clipped(half + row[x] * a + next[x] * b));
        assert_int_equal(sums[size], 77);
        assert_int_equal(out[size], 77);
    }
}

/* What a sum can be at all, clipped. */
static void test_ends(void **unused) {
    (void)unused;
    static const int32_t sums[8] = {INT32_MIN, -1,        0,         (1 << 22) - 1,
                                    1 << 22,   255 << 22, 256 << 22, INT32_MAX};
    static const uint8_t expected[8] = {0, 0, 0, 0, 1, 255, 255, 255};
    uint8_t out[8];
    mm_weigh_end(out, sums, 8);
    assert_memory_equal(out, expected, 8);
    for (size_t i = 0; i < 8; i++) {
        mm_weigh_end(out, sums + i, 1);
        assert_int_equal(out[0], expected[i]);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_row),
        cmocka_unit_test(test_large_weights),
        cmocka_unit_test(test_rows),
        cmocka_unit_test(test_ends),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
