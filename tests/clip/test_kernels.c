/* test_kernels.c - layer norm, depthwise convolutions and attention of every instruction set this
 * CPU has, against double precision written the plain way; and rows that must not depend on what is
 * computed beside them.
 */
#include "numbers.h"
#include "test.h"

#include "clip/kernels.h"

#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

static uint32_t state;

static float *noise_array(size_t count, float scale) {
    float *values = malloc(count * sizeof *values);
    assert_non_null(values);
    for (size_t i = 0; i < count; i++)
        values[i] = noise(&state) * scale;
    return values;
}

static void check_norm(const mm_kernels *kernels, size_t width) {
    enum { ROWS = 3 };
    float *x = noise_array(ROWS * width, 30), *weight = noise_array(width, 2);
    float *bias = noise_array(width, 2), *out = malloc(ROWS * width * sizeof *out);
    uint16_t *half = malloc(ROWS * width * sizeof *half);
    for (size_t i = 0; i < width; i++)
        x[i] += 1000; /* a large mean is where one-pass variance fails */
    kernels->layer_norm(out, 0, x, weight, bias, ROWS, width, 1e-5f);
    kernels->layer_norm(half, 1, x, weight, bias, ROWS, width, 1e-5f);
    for (size_t r = 0; r < ROWS; r++) {
        double mean = 0, variance = 0;
        for (size_t i = 0; i < width; i++)
            mean += (double)x[r * width + i] / (double)width;
        for (size_t i = 0; i < width; i++)
            variance += pow((double)x[r * width + i] - mean, 2) / (double)width;
        for (size_t i = 0; i < width; i++) {
            double y =
                ((double)x[r * width + i] - mean) / sqrt(variance + 1e-5) * (double)weight[i] +
                (double)bias[i];
            assert_true(fabs((double)out[r * width + i] - y) < 2e-4);
            assert_int_equal(half[r * width + i], mm_bf16_from_f32(out[r * width + i]));
        }
    }
    kernels->layer_norm(x, 0, x, weight, bias, ROWS, width, 1e-5f);
    assert_memory_equal(x, out, ROWS * width * sizeof *out);
    free(x);
    free(weight);
    free(bias);
    free(out);
    free(half);
}

static void test_layer_norm(void **unused) {
    (void)unused;
    static const size_t widths[] = {1, 3, 16, 17, 30, 64, 96, 768};
    for (size_t k = 0; mm_kernels_at(k); k++)
        for (size_t i = 0; i < sizeof widths / sizeof *widths; i++)
            check_norm(mm_kernels_at(k), widths[i]);
}

/* softmax(q k^T / sqrt(d)) v for one query in double. */
static void plain_attention(double *out, const float *qkv, size_t tokens, size_t width, size_t size,
                            size_t head, size_t query, int causal) {
    size_t stride = 3 * width, seen = causal ? query + 1 : tokens;
    double *p = calloc(tokens, sizeof *p), best = -INFINITY, total = 0;
    const float *q = qkv + query * stride + head * size;
    for (size_t j = 0; j < seen; j++) {
        for (size_t d = 0; d < size; d++)
            p[j] += (double)q[d] * (double)qkv[j * stride + width + head * size + d];
        p[j] /= sqrt((double)size);
        best = fmax(best, p[j]);
    }
    for (size_t j = 0; j < seen; j++)
        total += p[j] = exp(p[j] - best);
    for (size_t d = 0; d < size; d++) {
        out[d] = 0;
        for (size_t j = 0; j < seen; j++)
            out[d] += p[j] / total * (double)qkv[j * stride + 2 * width + head * size + d];
    }
    free(p);
}

static void check_attention(const mm_kernels *kernels, size_t tokens, size_t heads, size_t size,
                            int causal) {
    size_t width = heads * size, count = tokens * width;
    float *qkv = noise_array(3 * count, 3), *out = calloc(count, sizeof *out);
    float *one = calloc(width, sizeof *one);
    float *scratch = calloc(mm_attention_scratch(tokens, size), sizeof *scratch);
    double *expected = calloc(size, sizeof *expected);
    for (size_t head = 0; head < heads; head++) {
        mm_attention job = {.qkv = qkv,
                            .tokens = tokens,
                            .width = width,
                            .head_size = size,
                            .head = head,
                            .queries = tokens,
                            .causal = causal,
                            .out = out,
                            .scratch = scratch};
        kernels->attention(&job);
        for (size_t i = 0; i < tokens; i++) {
            plain_attention(expected, qkv, tokens, width, size, head, i, causal);
            for (size_t d = 0; d < size; d++) {
                size_t at = i * width + head * size + d;
                assert_true(fabs((double)out[at] - expected[d]) < 1e-5);
            }
            /* the row alone, and with what a causal row cannot see cut off: the same bits */
            job.out = one;
            job.first_query = i;
            job.queries = 1;
            job.tokens = causal ? i + 1 : tokens;
            kernels->attention(&job);
            assert_memory_equal(one + head * size, out + i * width + head * size,
                                size * sizeof *one);
            job.tokens = tokens;
        }
    }
    free(qkv);
    free(out);
    free(one);
    free(scratch);
    free(expected);
}

static void check_attention_bf16(const mm_kernels *kernels, size_t tokens, size_t heads,
                                 size_t size, int causal) {
    size_t width = heads * size, count = tokens * width;
    float *qkv = noise_array(3 * count, 3);
    uint16_t *half = calloc(3 * count, sizeof *half), *out = calloc(count, sizeof *out);
    uint16_t *one = calloc(width, sizeof *one);
    float *scratch = calloc(mm_attention_scratch(tokens, size), sizeof *scratch);
    double *expected = calloc(size, sizeof *expected);
    for (size_t i = 0; i < 3 * count; i++) {
        half[i] = mm_bf16_from_f32(qkv[i]);
        qkv[i] = from_bf16(half[i]);
    }
    for (size_t head = 0; head < heads; head++) {
        mm_attention job = {.qkv = half,
                            .tokens = tokens,
                            .width = width,
                            .head_size = size,
                            .head = head,
                            .queries = tokens,
                            .causal = causal,
                            .out = out,
                            .scratch = scratch};
        kernels->attention_bf16(&job);
        for (size_t i = 0; i < tokens; i++) {
            plain_attention(expected, qkv, tokens, width, size, head, i, causal);
            for (size_t d = 0; d < size; d++) {
                size_t at = i * width + head * size + d;
                /* values up to 3: weights and result are rounded by at most 2^-9 each */
                assert_true(fabs((double)from_bf16(out[at]) - expected[d]) < 0.012);
            }
            /* the row alone, and with what a causal row cannot see cut off: the same bits */
            job.out = one;
            job.first_query = i;
            job.queries = 1;
            job.tokens = causal ? i + 1 : tokens;
            kernels->attention_bf16(&job);
            assert_memory_equal(one + head * size, out + i * width + head * size,
                                size * sizeof *one);
            job.tokens = tokens;
        }
    }
    free(qkv);
    free(out);
    free(half);
    free(one);
    free(scratch);
    free(expected);
}

static void test_attention(void **unused) {
    (void)unused;
    static const struct {
        size_t tokens, heads, size;
    } shapes[] = {{1, 1, 8},   {5, 2, 16},  {7, 3, 10}, {17, 2, 20}, {50, 2, 64},
                  {65, 1, 32}, {77, 1, 64}, {33, 2, 9}, {20, 1, 80}};
    for (size_t k = 0; mm_kernels_at(k); k++)
        for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++)
            for (int causal = 0; causal < 2; causal++) {
                const mm_kernels *kernels = mm_kernels_at(k);
                check_attention(kernels, shapes[i].tokens, shapes[i].heads, shapes[i].size, causal);
                if (kernels->attention_bf16)
                    check_attention_bf16(kernels, shapes[i].tokens, shapes[i].heads, shapes[i].size,
                                         causal);
            }
}

/* Scores far apart: the exponentials underflow to zero without harming the rest. */
static void test_extreme_scores(void **unused) {
    (void)unused;
    for (size_t k = 0; mm_kernels_at(k); k++) {
        float qkv[2 * 3 * 8] = {0}, out[2 * 8], scratch[2048];
        qkv[0] = 1e4f;       /* query 0 */
        qkv[8] = 1.0f;       /* key 0 */
        qkv[24 + 8] = -1e4f; /* key 1 */
        for (size_t d = 0; d < 8; d++) {
            qkv[16 + d] = 2;      /* value 0 */
            qkv[24 + 16 + d] = 5; /* value 1 */
        }
        assert_true(mm_attention_scratch(2, 8) <= 2048);
        mm_attention job = {.qkv = qkv,
                            .tokens = 2,
                            .width = 8,
                            .head_size = 8,
                            .queries = 2,
                            .out = out,
                            .scratch = scratch};
        mm_kernels_at(k)->attention(&job);
        assert_true(out[0] == 2.0f);               /* all on key 0 */
        assert_true(fabsf(out[8] - 3.5f) < 1e-6f); /* a zero query sees both alike */
        if (!mm_kernels_at(k)->attention_bf16)
            continue;
        uint16_t half[2 * 3 * 8], half_out[2 * 8];
        for (size_t i = 0; i < 2 * 3 * 8; i++)
            half[i] = mm_bf16_from_f32(qkv[i]);
        job.qkv = half;
        job.out = half_out;
        mm_kernels_at(k)->attention_bf16(&job);
        assert_true(from_bf16(half_out[0]) == 2.0f);
        assert_true(from_bf16(half_out[8]) == 3.5f);
    }
}

static void test_bf16(void **unused) {
    (void)unused;
    assert_int_equal(mm_bf16_from_f32(1.0f), 0x3f80);
    assert_int_equal(mm_bf16_from_f32(1.00390625f), 0x3f80); /* a tie goes to even */
    assert_int_equal(mm_bf16_from_f32(1.01171875f), 0x3f82); /* and here up */
    assert_int_equal(mm_bf16_from_f32(-0.0f), 0x8000);
    assert_int_equal(mm_bf16_from_f32(INFINITY), 0x7f80);
    assert_true(isnan(from_bf16(mm_bf16_from_f32(NAN))));
}

/* ---- Depthwise convolutions ---------------------------------------------------------------- */

static double depth_result(const mm_depth *d, size_t y, size_t x, size_t channel) {
    size_t input = channel / (d->outputs / d->inputs);
    double sum = (double)d->weights[d->kernel * d->kernel * d->stride + channel];
    for (size_t ky = 0; ky < d->kernel; ky++)
        for (size_t kx = 0; kx < d->kernel; kx++) {
            size_t row = y * d->step + ky - d->pad, column = x * d->step + kx - d->pad;
            if (row < d->side && column < d->side) /* else it wrapped around or is past the end */
                sum += (double)((const float *)d->x)[(row * d->side + column) * d->inputs + input] *
                       (double)d->weights[(ky * d->kernel + kx) * d->stride + channel];
        }
    return d->post == MM_POST_RELU6  ? fmin(fmax(sum, 0), 6)
           : d->post == MM_POST_GELU ? sum * 0.5 * erfc(-sum * sqrt(0.5))
                                     : sum;
}

/* All rows at once; then some rows from a part of the map to a part of the result, in bf16 as well,
 * which must be the same numbers. */
static void check_depth(const mm_kernels *kernels, mm_depth d) {
    size_t count = d.result_side * d.result_side * d.outputs, row = d.result_side * d.outputs;
    size_t numbers = d.side * d.side * d.inputs, scratch = mm_depth_scratch(d.side, d.kernel);
    d.stride = (d.outputs + 15) / 16 * 16;
    float *x = noise_array(numbers, 4), *out = malloc(count * sizeof *out);
    float *weights = noise_array((d.kernel * d.kernel + 1) * d.stride, 1);
    float *part = malloc(row * sizeof *part);
    uint16_t *half = malloc(numbers * sizeof *half), *half_part = malloc(row * sizeof *half_part);
    for (size_t i = 0; i < numbers; i++) {
        half[i] = mm_bf16_from_f32(x[i]);
        x[i] = from_bf16(half[i]);
    }
    d.x = x;
    d.weights = weights;
    d.last = d.result_side;
    d.y = out;
    d.scratch = aligned_alloc(64, scratch * sizeof *d.scratch);
    kernels->depth(&d);
    for (size_t i = 0; i < count; i++)
        assert_true(fabs((double)out[i] -
                         depth_result(&d, i / row, i % row / d.outputs, i % d.outputs)) < 1e-4);
    for (d.first = 0; d.first < d.result_side; d.first++) {
        d.last = d.first + 1;
        d.y_first = d.first;
        d.x_first = d.first * d.step > d.pad ? d.first * d.step - d.pad : 0;
        d.x = x + d.x_first * d.side * d.inputs;
        d.x_bf16 = d.y_bf16 = 0;
        d.y = part;
        kernels->depth(&d);
        assert_memory_equal(part, out + d.first * row, row * sizeof *part);
        d.x = half + d.x_first * d.side * d.inputs;
        d.x_bf16 = d.y_bf16 = 1;
        d.y = half_part;
        kernels->depth(&d);
        for (size_t i = 0; i < row; i++)
            if (fabsf(part[i]) >= FLT_MIN) /* smaller ones may become 0 */
                assert_int_equal(half_part[i], mm_bf16_from_f32(part[i]));
    }
    free(x);
    free(out);
    free(weights);
    free(part);
    free(half);
    free(half_part);
    free(d.scratch);
}

static void test_depth(void **unused) {
    static const mm_depth shapes[] = {
        {.side = 13, .inputs = 32, .outputs = 32, .kernel = 3, .step = 1, .pad = 1},
        {.side = 18, .inputs = 16, .outputs = 16, .kernel = 3, .step = 2, .pad = 0},
        {.side = 7, .inputs = 20, .outputs = 20, .kernel = 5, .step = 1, .pad = 2},
        {.side = 14, .inputs = 8, .outputs = 8, .kernel = 5, .step = 2, .pad = 1},
        {.side = 9, .inputs = 24, .outputs = 48, .kernel = 7, .step = 1, .pad = 3},
        {.side = 25, .inputs = 17, .outputs = 34, .kernel = 7, .step = 2, .pad = 3},
        {.side = 3, .inputs = 33, .outputs = 33, .kernel = 1, .step = 1, .pad = 0},
        {.side = 1, .inputs = 16, .outputs = 16, .kernel = 3, .step = 1, .pad = 1}};
    static const mm_post posts[] = {MM_POST_NONE, MM_POST_GELU, MM_POST_RELU6};
    (void)unused;
    for (size_t k = 0; mm_kernels_at(k); k++)
        for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++)
            for (size_t j = 0; j < 3; j++) {
                mm_depth d = shapes[i];
                d.post = posts[j];
                d.result_side = (d.side + d.step - 1) / d.step;
                check_depth(mm_kernels_at(k), d);
            }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_layer_norm), cmocka_unit_test(test_depth),
        cmocka_unit_test(test_attention),  cmocka_unit_test(test_extreme_scores),
        cmocka_unit_test(test_bf16),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
