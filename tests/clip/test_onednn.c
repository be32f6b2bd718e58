/* test_onednn.c - packed dense layers against plain double precision, and the promise behind
 * reproducible results: a row's bits do not depend on how many rows are multiplied together. */
#include "clip/rows.h"
#include "numbers.h"
#include "test.h"

#include "clip/kernels.h"
#include "clip/onednn.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static uint32_t state;

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

/* Everything one product needs. */
typedef struct fixture {
    size_t rows, inputs, outputs;
    int bf16;
    float *weights, *bias, *x, *y;
    uint16_t *x_half;
    mm_engine *engine;
    mm_gemm *gemm;
    mm_matrix *matrix;
} fixture;

static void fixture_open(fixture *f, size_t rows, size_t inputs, size_t outputs, int bf16,
                         int biased) {
    mmood_error error;
    *f = (fixture){.rows = rows, .inputs = inputs, .outputs = outputs, .bf16 = bf16};
    f->weights = malloc(inputs * outputs * sizeof *f->weights);
    f->bias = malloc(outputs * sizeof *f->bias);
    f->x = malloc(rows * inputs * sizeof *f->x);
    f->x_half = malloc(rows * inputs * sizeof *f->x_half);
    f->y = malloc(rows * outputs * sizeof *f->y);
    for (size_t i = 0; i < inputs * outputs; i++) {
        float w = noise(&state);
        f->weights[i] = bf16 ? from_bf16(mm_bf16_from_f32(w)) : w;
    }
    for (size_t i = 0; i < outputs; i++)
        f->bias[i] = noise(&state);
    for (size_t i = 0; i < rows * inputs; i++) {
        f->x_half[i] = mm_bf16_from_f32(noise(&state));
        f->x[i] = from_bf16(f->x_half[i]);
    }
    assert_ok(mm_engine_create(&f->engine, &error), error);
    assert_ok(mm_gemm_create(&f->gemm, f->engine, &error), error);
    assert_ok(mm_matrix_pack(&f->matrix, f->engine, f->weights, biased ? f->bias : NULL, inputs,
                             outputs, bf16 ? MMOOD_PRECISION_BF16 : MMOOD_PRECISION_F32, &error),
              error);
}

static void fixture_close(fixture *f) {
    mm_matrix_free(f->matrix);
    mm_gemm_free(f->gemm);
    mm_engine_free(f->engine);
    free(f->weights);
    free(f->bias);
    free(f->x);
    free(f->x_half);
    free(f->y);
}

static void run(fixture *f, mm_post post, size_t first, size_t rows, float *y) {
    mmood_error error;
    const void *x = f->bf16 ? (const void *)(f->x_half + first * f->inputs)
                            : (const void *)(f->x + first * f->inputs);
    assert_ok(mm_gemm_run(f->gemm, f->matrix, post, x, y, 0, rows, &error), error);
}

static void check_values(int bf16) {
    static const size_t shapes[][3] = {{1, 48, 20}, {5, 33, 96}, {17, 192, 576}, {40, 8, 3}};
    for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++)
        for (int post = MM_POST_NONE; post <= MM_POST_RELU6; post++) {
            fixture f;
            fixture_open(&f, shapes[i][0], shapes[i][1], shapes[i][2], bf16, post != MM_POST_NONE);
            for (size_t j = 0; j < f.rows * f.outputs; j++)
                f.y[j] = 0.5f;
            run(&f, (mm_post)post, 0, f.rows, f.y);
            for (size_t r = 0; r < f.rows; r++)
                for (size_t o = 0; o < f.outputs; o++) {
                    double sum = post == MM_POST_NONE ? 0 : (double)f.bias[o];
                    for (size_t k = 0; k < f.inputs; k++)
                        sum += (double)f.x[r * f.inputs + k] * (double)f.weights[o * f.inputs + k];
                    assert_true(fabs((double)f.y[r * f.outputs + o] -
                                     after(sum, (mm_post)post, 0.5)) < 1e-4);
                }
            fixture_close(&f);
        }
}

static void test_values(void **unused) {
    (void)unused;
    check_values(0);
    if (mm_engine_has_bf16())
        check_values(1);
}

static void check_rows(int bf16, size_t inputs, size_t outputs) {
    enum { ROWS = 401 };
    static const size_t counts[] = {1, 2, 3, 7, 16, 31, 50, 64, 77, 128, 197, 200, 256, 400};
    fixture f;
    fixture_open(&f, ROWS, inputs, outputs, bf16, 1);
    float *part = malloc(ROWS * outputs * sizeof *part);
    run(&f, MM_POST_QUICK_GELU, 0, ROWS, f.y);
    assert_null(strstr(mm_gemm_implementation(f.gemm), "ref"));
    for (size_t i = 0; i < sizeof counts / sizeof *counts; i++)
        for (size_t first = 0; first + counts[i] <= ROWS; first += 67) {
            run(&f, MM_POST_QUICK_GELU, first, counts[i], part);
            assert_same(part, f.y + first * outputs, counts[i] * outputs, 1e-4f, 1e-5f);
        }
    free(part);
    fixture_close(&f);
}

/* oneDNN's kernels for AMX depend on sizes that only full models have. */
static int has_amx(void) {
    return strcmp(mm_engine_instructions(), "AMX") == 0;
}

static void test_rows_do_not_depend_on_their_number(void **unused) {
    (void)unused;
    static const size_t shapes[][2] = {{768, 2304}, {3072, 768}, {192, 576},
                                       {128, 512},  {48, 20},    {30, 90}};
    for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++) {
        check_rows(0, shapes[i][0], shapes[i][1]);
        if (mm_engine_has_bf16())
            check_rows(1, shapes[i][0], shapes[i][1]);
    }
    static const size_t large[][2] = {{1024, 3072}, {1024, 1024}, {1024, 4096}, {4096, 1024},
                                      {1280, 5120}, {5120, 1280}, {512, 2048},  {2048, 512},
                                      {588, 1024},  {768, 512},   {48, 16},     {2000, 100}};
    for (size_t i = 0; i < sizeof large / sizeof *large && has_amx(); i++)
        check_rows(1, large[i][0], large[i][1]);
}

/* Panels of outputs, alone and joined, into rows that lie apart, have the bits of the whole. */
static void check_outputs(int bf16, size_t rows, size_t inputs, size_t outputs, mm_post post) {
    fixture f;
    mmood_error error;
    fixture_open(&f, rows, inputs, outputs, bf16, post != MM_POST_NONE);
    size_t panels = mm_matrix_panels(f.matrix), numbers = rows * outputs;
    float *part = malloc(numbers * sizeof *part);
    for (size_t i = 0; i < numbers; i++)
        f.y[i] = part[i] = noise(&state);
    run(&f, post, 0, rows, f.y);
    for (size_t at = 0, n = 1; at < panels; at += n, n++) {
        size_t end = at + n < panels ? at + n : panels;
        mm_outputs range = mm_matrix_share(f.matrix, at, end);
        const void *x = bf16 ? (const void *)f.x_half : (const void *)f.x;
        assert_ok(mm_gemm_run_outputs(f.gemm, f.matrix, range, post, x, part + range.first, 0,
                                      outputs, rows, &error),
                  error);
        assert_null(strstr(mm_gemm_implementation(f.gemm), "ref"));
    }
    assert_same(part, f.y, numbers, 1e-4f, 1e-5f);
    free(part);
    fixture_close(&f);
}

static void test_outputs_do_not_depend_on_each_other(void **unused) {
    (void)unused;
    static const size_t shapes[][3] = {{50, 768, 2304}, {1, 3072, 768}, {25, 192, 584},
                                       {197, 128, 512}, {7, 48, 20},    {3, 768, 130}};
    for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++)
        for (int post = MM_POST_NONE; post <= MM_POST_QUICK_GELU; post++) {
            check_outputs(0, shapes[i][0], shapes[i][1], shapes[i][2], (mm_post)post);
            if (mm_engine_has_bf16())
                check_outputs(1, shapes[i][0], shapes[i][1], shapes[i][2], (mm_post)post);
        }
    static const size_t large[][3] = {
        {257, 1024, 3072}, {50, 768, 768}, {1, 1024, 4096}, {257, 1280, 1280}, {9, 512, 2048}};
    for (size_t i = 0; i < sizeof large / sizeof *large && has_amx(); i++)
        check_outputs(1, large[i][0], large[i][1], large[i][2], MM_POST_ADD);
}

/* More different numbers of rows than are kept compiled. */
static void test_eviction(void **unused) {
    (void)unused;
    fixture f;
    fixture_open(&f, 300, 8, 3, 0, 1);
    float *again = malloc(300 * 3 * sizeof *again);
    for (size_t rows = 1; rows <= 300; rows++)
        run(&f, MM_POST_NONE, 0, rows, f.y);
    for (size_t rows = 1; rows <= 300; rows += 50) {
        run(&f, MM_POST_NONE, 0, rows, again);
        assert_same(again, f.y, rows * 3, 1e-4f, 1e-5f);
    }
    free(again);
    fixture_close(&f);
}

static void check_view(int bf16, int biased) {
    fixture f;
    mmood_error error;
    fixture_open(&f, 17, 192, 100, bf16, biased);
    float *again = malloc(f.rows * f.outputs * sizeof *again);
    run(&f, MM_POST_NONE, 0, f.rows, f.y);
    mm_matrix_image image;
    mm_matrix *packed = f.matrix;
    mm_matrix_describe(&image, packed);
    assert_int_equal(image.sections[MM_SECTION_BIAS].size, biased ? f.outputs * sizeof(float) : 0);
    assert_ok(mm_matrix_view(&f.matrix, f.engine, &image, &error), error);
    assert_int_equal(mm_matrix_bytes(f.matrix), mm_matrix_bytes(packed));
    run(&f, MM_POST_NONE, 0, f.rows, again);
    assert_memory_equal(again, f.y, f.rows * f.outputs * sizeof *again);
    mm_matrix_free(f.matrix);
    f.matrix = packed;

    mm_matrix *none;
    mm_matrix_image other = image;
    other.layout++;
    assert_int_equal(mm_matrix_view(&none, f.engine, &other, &error), MMOOD_ERROR_MISMATCH);
    assert_null(none);
    other = image;
    other.sections[MM_SECTION_WEIGHTS].size--;
    assert_int_equal(mm_matrix_view(&none, f.engine, &other, &error), MMOOD_ERROR_MISMATCH);
    other = image;
    other.sections[MM_SECTION_WEIGHTS].data = (const char *)image.sections[0].data + 4;
    assert_int_equal(mm_matrix_view(&none, f.engine, &other, &error), MMOOD_ERROR_MISMATCH);
    other = image;
    other.sections[MM_SECTION_BIAS].size = 4;
    assert_int_equal(mm_matrix_view(&none, f.engine, &other, NULL), MMOOD_ERROR_MISMATCH);
    other = image;
    other.outputs *= 2;
    assert_int_equal(mm_matrix_view(&none, f.engine, &other, NULL), MMOOD_ERROR_MISMATCH);
    free(again);
    fixture_close(&f);
}

/* Over the bytes of another: the same products; other sizes and layouts are refused. */
static void test_view(void **unused) {
    (void)unused;
    for (int biased = 0; biased < 2; biased++) {
        check_view(0, biased);
        if (mm_engine_has_bf16())
            check_view(1, biased);
    }
}

int main(void) {
    mm_engine_use_one_thread();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_values),
        cmocka_unit_test(test_rows_do_not_depend_on_their_number),
        cmocka_unit_test(test_outputs_do_not_depend_on_each_other),
        cmocka_unit_test(test_eviction),
        cmocka_unit_test(test_view),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
