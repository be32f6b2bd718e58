/* test_int8.c - dense layers in int8: bytes and scales against plain arithmetic, whole layers
 * against the sums that those bytes give in double precision, rows that must not depend on their
 * number, and rows that are not finite. */
#include "numbers.h"
#include "test.h"

#include "clip/int8.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static uint32_t state;

static const mm_kernels *kernels(void) {
    const mm_kernels *k = mm_kernels_get();
    if (!k->quantize || !mm_engine_has_int8()) {
        print_message("this CPU has no AVX512-VNNI\n");
        skip();
    }
    return k;
}

static void test_quantize(void **unused) {
    (void)unused;
    kernels();
    static const size_t widths[] = {1, 15, 16, 33, 768};
    for (size_t k = 0; mm_kernels_at(k); k++)
        for (size_t w = 0; mm_kernels_at(k)->quantize && w < sizeof widths / sizeof *widths; w++)
            for (int bf16 = 0; bf16 < 2; bf16++) {
                float x[768];
                uint16_t half[768];
                uint8_t bytes[768];
                float most = 0, scale;
                for (size_t i = 0; i < widths[w]; i++) {
                    half[i] = mm_bf16_from_f32(noise(&state) * 7);
                    x[i] = from_bf16(half[i]);
                    most = fmaxf(most, fabsf(x[i]));
                }
                mm_kernels_at(k)->quantize(bytes, &scale, bf16 ? (const void *)half : x, bf16, 1,
                                           widths[w]);
                assert_true(fabsf(scale - most / 127) <= 1e-6f * most);
                for (size_t i = 0; i < widths[w]; i++) {
                    float back = ((float)bytes[i] - MM_INT8_ZERO) * scale;
                    assert_true(fabsf(back - x[i]) <= 0.5001f * scale);
                }
            }
}

/* Rows of zeros, of tiny numbers, and rows with what is no number. */
static void test_odd_rows(void **unused) {
    (void)unused;
    const mm_kernels *k = kernels();
    const float rows[][4] = {{0, 0, -0.0f, 0},
                             {1e-40f, 0, 0, 0},
                             {1, NAN, 0, 0},
                             {-INFINITY, 2, 3, 4},
                             {3e38f, -3e38f, 0, 1}};
    uint8_t bytes[5][4];
    float scales[5];
    k->quantize(bytes[0], scales, rows, 0, 5, 4);
    for (int i = 0; i < 4; i++) {
        assert_int_equal(bytes[0][i], MM_INT8_ZERO);
        assert_int_equal(bytes[1][i], MM_INT8_ZERO);
    }
    assert_true(scales[0] == 0);
    assert_true(isnan(scales[2]));
    assert_true(isnan(scales[3]));
    assert_int_equal(bytes[4][0], MM_INT8_ZERO + 127);
    assert_int_equal(bytes[4][1], MM_INT8_ZERO - 127);
    assert_true(isfinite(scales[4]));
}

static double after(double x, mm_post post, double before) {
    switch (post) {
    case MM_POST_NONE:
        return x;
    case MM_POST_ADD:
        return x + before;
    case MM_POST_QUICK_GELU:
        return x / (1 + exp(-1.702 * x));
    case MM_POST_GELU:
        return x * 0.5 * (1 + erf(x / sqrt(2)));
    case MM_POST_GELU_NEW:
        return x * 0.5 * (1 + tanh(sqrt(2 / acos(-1)) * (x + 0.044715 * x * x * x)));
    case MM_POST_RELU6:
        return fmin(fmax(x, 0), 6);
    }
    return NAN;
}

typedef struct fixture {
    size_t rows, inputs, outputs;
    float *weights, *bias, *x, *y;
    mm_engine *engine;
    mm_gemm *gemm;
    mm_matrix *matrix;
    mm_int8_block block;
} fixture;

static void fixture_open(fixture *f, size_t rows, size_t inputs, size_t outputs, int biased) {
    mmood_error error;
    *f = (fixture){.rows = rows, .inputs = inputs, .outputs = outputs};
    f->weights = malloc(inputs * outputs * sizeof *f->weights);
    f->bias = malloc(outputs * sizeof *f->bias);
    f->x = malloc(rows * inputs * sizeof *f->x);
    f->y = malloc(rows * outputs * sizeof *f->y);
    for (size_t i = 0; i < inputs * outputs; i++)
        f->weights[i] = noise(&state);
    for (size_t i = 0; i < outputs; i++)
        f->bias[i] = noise(&state);
    for (size_t i = 0; i < rows * inputs; i++)
        f->x[i] = noise(&state) * (float)(1 + i / inputs); /* rows of different scales */
    mm_engine_use_one_thread();
    assert_ok(mm_engine_create(&f->engine, &error), error);
    assert_ok(mm_gemm_create(&f->gemm, f->engine, &error), error);
    assert_ok(mm_int8_block_create(&f->block, inputs, outputs, &error), error);
    assert_ok(mm_int8_pack(&f->matrix, f->engine, kernels(), f->weights, biased ? f->bias : NULL,
                           inputs, outputs, &error),
              error);
}

static void fixture_close(fixture *f) {
    mm_matrix_free(f->matrix);
    mm_int8_block_free(&f->block);
    mm_gemm_free(f->gemm);
    mm_engine_free(f->engine);
    free(f->weights);
    free(f->bias);
    free(f->x);
    free(f->y);
}

static void run(fixture *f, mm_post post, size_t first, size_t rows, void *y, int y_bf16) {
    mmood_error error;
    mm_int8_dense dense = {.matrix = f->matrix,
                           .outputs = {0, f->outputs},
                           .stride = f->outputs,
                           .post = post,
                           .x = f->x + first * f->inputs,
                           .y = y,
                           .y_bf16 = y_bf16,
                           .rows = rows};
    assert_ok(mm_int8_run(&dense, f->gemm, kernels(), &f->block, &error), error);
}

/* Rounds `row` to multiples of the 127th part of its largest magnitude. */
static void round_row(double *out, const float *row, size_t count) {
    double most = 0;
    for (size_t i = 0; i < count; i++)
        most = fmax(most, fabs((double)row[i]));
    for (size_t i = 0; i < count; i++)
        out[i] = rint((double)row[i] * 127 / most) * most / 127;
}

static void check_values(size_t rows, size_t inputs, size_t outputs, mm_post post) {
    fixture f;
    fixture_open(&f, rows, inputs, outputs, post != MM_POST_NONE);
    double *x = malloc(inputs * sizeof *x), *w = malloc(inputs * sizeof *w);
    uint16_t *half = malloc(rows * outputs * sizeof *half);
    for (size_t j = 0; j < rows * outputs; j++)
        f.y[j] = 0.5f;
    run(&f, post, 0, rows, f.y, 0);
    assert_null(strstr(mm_gemm_implementation(f.gemm), "ref"));
    if (post != MM_POST_ADD)
        run(&f, post, 0, rows, half, 1);
    for (size_t r = 0; r < rows; r++) {
        round_row(x, f.x + r * inputs, inputs);
        for (size_t o = 0; o < outputs; o++) {
            double sum = post == MM_POST_NONE ? 0 : (double)f.bias[o], size = fabs(sum);
            round_row(w, f.weights + o * inputs, inputs);
            for (size_t k = 0; k < inputs; k++) {
                sum += x[k] * w[k];
                size += fabs(x[k] * w[k]);
            }
            /* a product whose x or w lies on a tie may be rounded the other way */
            double y = after(sum, post, 0.5),
                   slack = 1e-4 * fabs(y) + 1e-6 * size + 0.02 * size / (double)inputs;
            assert_true(fabs((double)f.y[r * outputs + o] - y) <= slack);
            if (post != MM_POST_ADD)
                assert_true(fabs((double)from_bf16(half[r * outputs + o]) - y) <=
                            slack + fabs(y) / 256);
        }
    }
    free(x);
    free(w);
    free(half);
    fixture_close(&f);
}

static void test_values(void **unused) {
    (void)unused;
    kernels();
    static const size_t shapes[][3] = {{1, 48, 20}, {5, 33, 96}, {33, 192, 576}, {70, 8, 3}};
    for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++)
        for (int post = MM_POST_NONE; post <= MM_POST_RELU6; post++)
            check_values(shapes[i][0], shapes[i][1], shapes[i][2], (mm_post)post);
}

/* The largest bytes that there are: sums of 16 bits would overflow, those of 32 must not. */
static void test_largest(void **unused) {
    (void)unused;
    kernels();
    fixture f;
    fixture_open(&f, 2, 4096, 16, 0);
    mm_matrix_free(f.matrix);
    for (size_t i = 0; i < f.inputs * f.outputs; i++)
        f.weights[i] = -1;
    for (size_t i = 0; i < f.rows * f.inputs; i++)
        f.x[i] = i < f.inputs ? 1.0f : -1.0f;
    mmood_error error;
    assert_ok(
        mm_int8_pack(&f.matrix, f.engine, kernels(), f.weights, NULL, f.inputs, f.outputs, &error),
        error);
    run(&f, MM_POST_NONE, 0, 2, f.y, 0);
    for (size_t o = 0; o < f.outputs; o++) {
        assert_true(fabsf(f.y[o] + 4096) < 0.01f);
        assert_true(fabsf(f.y[f.outputs + o] - 4096) < 0.01f);
    }
    fixture_close(&f);
}

static void test_rows_do_not_depend_on_their_number(void **unused) {
    (void)unused;
    kernels();
    enum { ROWS = 140 };
    static const size_t counts[] = {1, 2, 16, 17, 31, 32, 33, 77};
    fixture f;
    fixture_open(&f, ROWS, 192, 576, 1);
    float *part = malloc(ROWS * f.outputs * sizeof *part);
    run(&f, MM_POST_QUICK_GELU, 0, ROWS, f.y, 0);
    for (size_t i = 0; i < sizeof counts / sizeof *counts; i++)
        for (size_t first = 0; first + counts[i] <= ROWS; first += 29) {
            run(&f, MM_POST_QUICK_GELU, first, counts[i], part, 0);
            assert_memory_equal(part, f.y + first * f.outputs,
                                counts[i] * f.outputs * sizeof *part);
        }
    free(part);
    fixture_close(&f);
}

/* NaN and infinity come out as NaN, and leave the other rows alone. */
static void test_not_finite(void **unused) {
    (void)unused;
    kernels();
    fixture f;
    fixture_open(&f, 3, 48, 20, 1);
    float *whole = malloc(f.rows * f.outputs * sizeof *whole);
    run(&f, MM_POST_GELU, 0, f.rows, whole, 0);
    f.x[48 + 5] = INFINITY;
    run(&f, MM_POST_GELU, 0, f.rows, f.y, 0);
    assert_memory_equal(f.y, whole, f.outputs * sizeof *whole);
    assert_memory_equal(f.y + 2 * f.outputs, whole + 2 * f.outputs, f.outputs * sizeof *whole);
    for (size_t o = 0; o < f.outputs; o++)
        assert_true(isnan(f.y[f.outputs + o]));
    free(whole);
    fixture_close(&f);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_quantize),
        cmocka_unit_test(test_odd_rows),
        cmocka_unit_test(test_values),
        cmocka_unit_test(test_largest),
        cmocka_unit_test(test_rows_do_not_depend_on_their_number),
        cmocka_unit_test(test_not_finite),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
