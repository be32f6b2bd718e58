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

static void test_pixels(void **unused) {
    (void)unused;
    uint8_t pixels[3 * MOST + 4];
    for (size_t count = 1; count <= MOST; count++) {
        int32_t weights[MOST + 1] = {0}, prepared[MOST + 1];
        uint8_t out[3], expected[3];
        for (size_t i = 0; i < sizeof pixels; i++) /* what lies behind the last one, too */
            pixels[i] = value(i);
        for (size_t i = 0; i < count; i++)
            weights[i] = weight((i + count) % MOST, count);
        for (size_t c = 0; c < 3; c++) {
            int64_t sum = MM_WEIGHT_HALF;
            for (size_t i = 0; i < count; i++)
                sum += (int64_t)weights[i] * pixels[3 * i + c];
            sum >>= MM_WEIGHT_BITS;
            expected[c] = (uint8_t)(sum < 0 ? 0 : sum > 255 ? 255 : sum);
        }
        memcpy(prepared, weights, sizeof prepared);
        mm_weigh_prepare(prepared, count + count % 2);
        mm_weigh_pixels(out, pixels, prepared, count);
        assert_memory_equal(out, expected, sizeof out);
    }
}

static void test_large_weights(void **unused) {
    (void)unused;
    static const int32_t extremes[] = {(1 << 27) - 1, -(1 << 27), (1 << 26) + 4095};
    static const uint8_t black[8] = {0}, dim[8] = {1, 2, 3, 1, 2, 3};
    for (size_t i = 0; i < sizeof extremes / sizeof *extremes; i++) {
        int32_t weights[2] = {extremes[i], 0};
        uint8_t out[3];
        mm_weigh_prepare(weights, 2);
        mm_weigh_pixels(out, dim, weights, 1);
        for (int c = 0; c < 3; c++) {
            int64_t sum = ((int64_t)extremes[i] * (c + 1) + MM_WEIGHT_HALF) >> MM_WEIGHT_BITS;
            assert_int_equal(out[c], sum < 0 ? 0 : sum > 255 ? 255 : sum);
        }
        mm_weigh_pixels(out, black, weights, 1);
        assert_memory_equal(out, black, 3);
    }
}

static void test_rows(void **unused) {
    (void)unused;
    uint8_t row[WIDEST], next[WIDEST];
    for (size_t size = 0; size <= WIDEST; size++) {
        int32_t sums[WIDEST + 1], a = weight(size % MOST, 2), b = weight((size + 3) % MOST, 2);
        for (size_t x = 0; x < WIDEST; x++) {
            row[x] = value(x);
            next[x] = value(7 * x + 1);
            sums[x] = (int32_t)x * 1000 - 30000;
        }
        sums[size] = 77; /* what follows stays */
        mm_weigh_rows(sums, row, next, a, b, size);
        for (size_t x = 0; x < size; x++)
            assert_int_equal(sums[x], (int32_t)x * 1000 - 30000 + row[x] * a + next[x] * b);
        assert_int_equal(sums[size], 77);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_pixels),
        cmocka_unit_test(test_large_weights),
        cmocka_unit_test(test_rows),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
