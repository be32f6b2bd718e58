/* bench_depth.c - our depthwise convolutions beside oneDNN's, for the shapes of EfficientNet-Lite0
 * at 224 pixels, on one thread with the map in the caches: GFLOP/s at best, and how far the results
 * differ. Prints one table.
 *
 *   bench_depth [SECONDS] */
#include "clip/kernels.h"
#include "clip/onednn_internal.h"
#include "clip/weights_plan.h"
#include "peak.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const mm_depth shapes[] = {
    {.side = 112, .inputs = 32, .kernel = 3, .step = 1, .pad = 1},
    {.side = 112, .inputs = 96, .kernel = 3, .step = 2, .pad = 0},
    {.side = 56, .inputs = 144, .kernel = 3, .step = 1, .pad = 1},
    {.side = 56, .inputs = 144, .kernel = 5, .step = 2, .pad = 1},
    {.side = 28, .inputs = 240, .kernel = 5, .step = 1, .pad = 2},
    {.side = 28, .inputs = 240, .kernel = 3, .step = 2, .pad = 0},
    {.side = 14, .inputs = 480, .kernel = 3, .step = 1, .pad = 1},
    {.side = 14, .inputs = 480, .kernel = 5, .step = 1, .pad = 2},
    {.side = 14, .inputs = 672, .kernel = 5, .step = 1, .pad = 2},
    {.side = 14, .inputs = 672, .kernel = 5, .step = 2, .pad = 1},
    {.side = 7, .inputs = 1152, .kernel = 5, .step = 1, .pad = 2},
    {.side = 7, .inputs = 1152, .kernel = 3, .step = 1, .pad = 1},
};

typedef struct theirs {
    dnnl_stream_t stream;
    dnnl_primitive_t primitive;
    dnnl_exec_arg_t arguments[4];
} theirs;

static void must(dnnl_status_t status, const char *what) {
    if (status) {
        fprintf(stderr, "bench_depth: oneDNN cannot %s (status %d)\n", what, (int)status);
        exit(1);
    }
}

static void *room(size_t bytes) {
    void *memory = aligned_alloc(64, (bytes + 63) / 64 * 64 + 64);
    if (!memory)
        exit(1);
    return memory;
}

/* ---- oneDNN's two API generations ---------------------------------------------------------- */

#if DNNL_VERSION_MAJOR >= 3
static void describe(mm_desc *out, int count, const dnnl_dims_t dims, dnnl_data_type_t type,
                     dnnl_format_tag_t tag) {
    must(dnnl_memory_desc_create_with_tag(out, count, dims, type, tag), "describe memory");
}

static dnnl_status_t convolution(dnnl_primitive_desc_t *out, dnnl_engine_t engine, mm_desc *d,
                                 const dnnl_dims_t strides, const dnnl_dims_t before,
                                 const dnnl_dims_t after, dnnl_primitive_attr_t attr) {
    const dnnl_dims_t dilates = {0, 0};
    return dnnl_convolution_forward_primitive_desc_create(
        out, engine, dnnl_forward_inference, dnnl_convolution_direct, d[0], d[1], d[2], d[3],
        strides, dilates, before, after, attr);
}
#else
static void describe(mm_desc *out, int count, const dnnl_dims_t dims, dnnl_data_type_t type,
                     dnnl_format_tag_t tag) {
    must(dnnl_memory_desc_init_by_tag(out, count, dims, type, tag), "describe memory");
}

static dnnl_status_t convolution(dnnl_primitive_desc_t *out, dnnl_engine_t engine, mm_desc *d,
                                 const dnnl_dims_t strides, const dnnl_dims_t before,
                                 const dnnl_dims_t after, dnnl_primitive_attr_t attr) {
    dnnl_convolution_desc_t op;
    dnnl_status_t status =
        dnnl_convolution_forward_desc_init(&op, dnnl_forward_inference, dnnl_convolution_direct,
                                           &d[0], &d[1], &d[2], &d[3], strides, before, after);
    return status ? status : dnnl_primitive_desc_create(out, &op, attr, engine, NULL);
}
#endif

/* Our taps [kernel, kernel, channels] in the layout that oneDNN likes best. */
static dnnl_memory_t reorder(dnnl_engine_t engine, dnnl_stream_t stream, const mm_desc *plain,
                             mm_desc_ref best, float *taps) {
    dnnl_memory_t from, to;
    dnnl_primitive_desc_t pd;
    dnnl_primitive_t primitive;
    must(dnnl_memory_create(&from, MM_DESC_REF(*plain), engine, taps), "hold weights");
    must(dnnl_memory_create(&to, best, engine, DNNL_MEMORY_ALLOCATE), "hold weights");
    must(dnnl_reorder_primitive_desc_create(&pd, MM_DESC_REF(*plain), engine, best, engine, NULL),
         "reorder weights");
    must(dnnl_primitive_create(&primitive, pd), "reorder weights");
    dnnl_exec_arg_t arguments[] = {{DNNL_ARG_FROM, from}, {DNNL_ARG_TO, to}};
    must(dnnl_primitive_execute(primitive, stream, 2, arguments), "reorder weights");
    must(dnnl_stream_wait(stream), "reorder weights");
    dnnl_primitive_destroy(primitive);
    dnnl_primitive_desc_destroy(pd);
    dnnl_memory_destroy(from);
    return to;
}

/* The same convolution as `d`, from its x to `y`. What it makes is left to the end of the program.
 */
static theirs make_theirs(dnnl_engine_t engine, const mm_depth *d, void *x, float *taps,
                          float *bias, void *y) {
    theirs t;
    dnnl_dim_t c = (dnnl_dim_t)d->inputs, side = (dnnl_dim_t)d->side, k = (dnnl_dim_t)d->kernel;
    dnnl_dim_t result = (dnnl_dim_t)d->result_side, step = (dnnl_dim_t)d->step;
    dnnl_dim_t pad = (dnnl_dim_t)d->pad, end = (result - 1) * step + k - side - pad;
    const dnnl_dims_t in = {1, c, side, side}, out = {1, c, result, result},
                      kernel = {c, 1, 1, k, k}, vector = {c}, strides = {step, step},
                      before = {pad, pad}, after = {end, end};
    dnnl_data_type_t type = d->x_bf16 ? dnnl_bf16 : dnnl_f32;
    mm_desc all[4], plain;
    describe(&all[0], 4, in, type, dnnl_nhwc);
    describe(&all[1], 5, kernel, type, dnnl_format_tag_any);
    describe(&all[2], 1, vector, dnnl_f32, dnnl_x);
    describe(&all[3], 4, out, type, dnnl_nhwc);
    describe(&plain, 5, kernel, dnnl_f32, dnnl_hwigo);
    dnnl_post_ops_t ops;
    dnnl_primitive_attr_t attr;
    dnnl_primitive_desc_t pd;
    must(dnnl_post_ops_create(&ops), "clip");
    must(post_eltwise(ops, dnnl_eltwise_clip, 0, 6), "clip");
    must(dnnl_primitive_attr_create(&attr), "clip");
    must(dnnl_primitive_attr_set_post_ops(attr, ops), "clip");
    must(convolution(&pd, engine, all, strides, before, after, attr), "convolve");
    must(dnnl_primitive_create(&t.primitive, pd), "convolve");
    must(dnnl_stream_create(&t.stream, engine, dnnl_stream_default_flags), "make a stream");
    t.arguments[0].arg = DNNL_ARG_SRC;
    t.arguments[1] = (dnnl_exec_arg_t){
        DNNL_ARG_WEIGHTS,
        reorder(engine, t.stream, &plain,
                dnnl_primitive_desc_query_md(pd, dnnl_query_weights_md, 0), taps)};
    t.arguments[2].arg = DNNL_ARG_BIAS;
    t.arguments[3].arg = DNNL_ARG_DST;
    must(dnnl_memory_create(&t.arguments[0].memory, MM_DESC_REF(all[0]), engine, x), "hold a map");
    must(dnnl_memory_create(&t.arguments[2].memory, MM_DESC_REF(all[2]), engine, bias),
         "hold a bias");
    must(dnnl_memory_create(&t.arguments[3].memory, MM_DESC_REF(all[3]), engine, y), "hold a map");
    return t;
}

static double number(const void *values, int bf16, size_t i) {
    uint32_t bits = bf16 ? (uint32_t)((const uint16_t *)values)[i] << 16 : 0;
    float value;
    memcpy(&value, &bits, sizeof value);
    return bf16 ? (double)value : (double)((const float *)values)[i];
}

/* Seconds that one run takes at best: ours, theirs, in turns. */
static void measure(double best[2], const mm_depth *d, const theirs *t, double seconds) {
    best[0] = best[1] = 1e30;
    for (double end = bench_now() + seconds; bench_now() < end;)
        for (int which = 0; which < 2; which++) {
            double begin = bench_now();
            if (which == 0)
                mm_kernels_get()->depth(d);
            else
                dnnl_primitive_execute(t->primitive, t->stream, 4, t->arguments);
            double spent = bench_now() - begin;
            best[which] = spent < best[which] ? spent : best[which];
        }
}

/* Adds what each took to `total`. */
static void compare(dnnl_engine_t engine, mm_depth d, int bf16, double seconds, double total[2]) {
    size_t kk = d.kernel * d.kernel, count = d.side * d.side * d.inputs;
    d.result_side = (d.side + d.step - 1) / d.step;
    size_t results = d.result_side * d.result_side * d.inputs;
    d.outputs = d.inputs;
    d.stride = mm_depth_stride(d.outputs);
    d.last = d.result_side;
    d.post = MM_POST_RELU6;
    d.x_bf16 = d.y_bf16 = bf16;
    float *x = room(count * sizeof *x), *weights = room((kk + 1) * d.stride * sizeof *weights);
    void *half = room(count * sizeof(float)), *ours = room(results * sizeof(float));
    void *other = room(results * sizeof(float));
    for (size_t i = 0; i < count; i++)
        x[i] = (float)(i * 2654435761u % 1024) / 256;
    for (size_t i = 0; i < (kk + 1) * d.stride; i++) /* exact in bf16 */
        weights[i] = (float)(i * 2246822519u % 64) / 128 - 0.125f;
    mm_kernels_get()->convert(half, bf16, x, count);
    d.x = half;
    d.weights = weights;
    d.y = ours;
    d.scratch = room(mm_depth_scratch(d.side, d.kernel) * sizeof(float));
    theirs t = make_theirs(engine, &d, half, weights, weights + kk * d.stride, other);
    double best[2], off = 0, flops = 2.0 * (double)(results * kk);
    measure(best, &d, &t, seconds);
    for (size_t i = 0; i < results; i++)
        off = fmax(off, fabs(number(ours, bf16, i) - number(other, bf16, i)));
    printf("%4s %4zu x %-4zu %5zu   %zu x %zu /%zu   %7.1f us %7.1f us   %6.1f %6.1f   %5.2f x   "
           "%.0e\n",
           bf16 ? "bf16" : "f32", d.side, d.side, d.inputs, d.kernel, d.kernel, d.step,
           best[0] * 1e6, best[1] * 1e6, flops / best[0] / 1e9, flops / best[1] / 1e9,
           best[1] / best[0], off);
    total[0] += best[0];
    total[1] += best[1];
    free(x);
    free(d.scratch);
}

int main(int argc, char **argv) {
    double seconds = argc > 1 ? atof(argv[1]) : 0.2;
    dnnl_engine_t engine;
    mm_engine_use_one_thread();
    must(dnnl_engine_create(&engine, dnnl_cpu, 0), "make an engine");
    printf("            map  channels  kernel       ours    oneDNN   GFLOP/s: ours, oneDNN   ours "
           "is   "
           "differ\n");
    for (int bf16 = 0; bf16 <= mm_engine_has_bf16(); bf16++) {
        double total[2] = {0};
        for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++)
            compare(engine, shapes[i], bf16, seconds, total);
        printf("%4s together                     %7.1f us %7.1f us                   %5.2f x\n",
               bf16 ? "bf16" : "f32", total[0] * 1e6, total[1] * 1e6, total[1] / total[0]);
    }
    dnnl_engine_destroy(engine);
    return 0;
}
