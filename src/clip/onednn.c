/* onednn.c - the oneDNN engine, and dense layers on its matmul primitive. */
#include "clip/onednn_internal.h"

#include "base/error.h"

#include <stdio.h>
#include <string.h>

/* OpenMP's, from the runtime that oneDNN links; omp.h would tie us to one compiler's. */
extern void omp_set_num_threads(int threads);

enum { MM_GEMM_CACHE = 256 };

mmood_status mm_dnnl_error(mmood_error *error, dnnl_status_t status, const char *what) {
    const char *why = status == dnnl_out_of_memory       ? "out of memory"
                      : status == dnnl_unimplemented     ? "not implemented on this CPU"
                      : status == dnnl_invalid_arguments ? "invalid arguments"
                      : status == dnnl_runtime_error     ? "runtime error"
                                                         : "failed";
    return mm_error_set(error,
                        status == dnnl_out_of_memory ? MMOOD_ERROR_MEMORY : MMOOD_ERROR_UNSUPPORTED,
                        "oneDNN could not %s: %s (status %d)", what, why, (int)status);
}

mmood_status mm_engine_create(mm_engine **out, mmood_error *error) {
    *out = NULL;
    mm_engine *engine = calloc(1, sizeof *engine);
    if (!engine)
        return mm_error_set(error, MMOOD_ERROR_MEMORY, "no memory for the oneDNN engine");
    dnnl_status_t status = dnnl_engine_create(&engine->engine, dnnl_cpu, 0);
    if (status) {
        free(engine);
        return mm_dnnl_error(error, status, "create a CPU engine");
    }
    *out = engine;
    return MMOOD_OK;
}

void mm_engine_free(mm_engine *engine) {
    if (engine)
        dnnl_engine_destroy(engine->engine);
    free(engine);
}

void mm_engine_describe(char *out, size_t size) {
    const dnnl_version_t *v = dnnl_version();
    snprintf(out, size, "oneDNN %d.%d.%d %.12s runtime %u isa 0x%x", v->major, v->minor, v->patch,
             v->hash, (unsigned)v->cpu_runtime, (unsigned)dnnl_get_effective_cpu_isa());
}

void mm_engine_use_one_thread(void) {
    omp_set_num_threads(1);
}

/* ---- Products ------------------------------------------------------------------------------ */

/* A compiled product with the memory handles it takes. */
typedef struct mm_product {
    size_t inputs;
    size_t outputs;
    size_t rows;
    int part; /* of a matrix's outputs */
    mmood_precision precision;
    mm_post post;
    int y_bf16;
    int has_bias;
    unsigned long used; /* when last, for eviction */
    size_t scratch_size;
    dnnl_primitive_desc_t desc;
    dnnl_primitive_t primitive;
    dnnl_memory_t x;
    dnnl_memory_t y;
    dnnl_memory_t bias;
    dnnl_memory_t scratch;
    dnnl_memory_t weights; /* of a part */
} mm_product;

struct mm_gemm {
    dnnl_engine_t engine;
    dnnl_stream_t stream;
    void *scratch;
    size_t scratch_size;
    void *buffer; /* rows of y that have to lie together */
    size_t buffer_size;
    void *filled; /* rows of x of a block that is filled up */
    size_t filled_size;
    unsigned long clock;
    const mm_product *last;
    size_t count;
    mm_product products[MM_GEMM_CACHE];
};

mmood_status mm_gemm_create(mm_gemm **out, const mm_engine *engine, mmood_error *error) {
    *out = NULL;
    mm_gemm *gemm = calloc(1, sizeof *gemm);
    if (!gemm)
        return mm_error_set(error, MMOOD_ERROR_MEMORY, "no memory for a worker");
    gemm->engine = engine->engine;
    dnnl_status_t status =
        dnnl_stream_create(&gemm->stream, gemm->engine, dnnl_stream_default_flags);
    if (status) {
        free(gemm);
        return mm_dnnl_error(error, status, "create a stream");
    }
    *out = gemm;
    return MMOOD_OK;
}

static void product_clear(mm_product *product) {
    dnnl_memory_t memories[] = {product->x, product->y, product->bias, product->scratch,
                                product->weights};
    for (size_t i = 0; i < sizeof memories / sizeof *memories; i++)
        if (memories[i])
            dnnl_memory_destroy(memories[i]);
    if (product->primitive)
        dnnl_primitive_destroy(product->primitive);
    if (product->desc)
        dnnl_primitive_desc_destroy(product->desc);
    memset(product, 0, sizeof *product);
}

void mm_gemm_free(mm_gemm *gemm) {
    if (!gemm)
        return;
    for (size_t i = 0; i < gemm->count; i++)
        product_clear(&gemm->products[i]);
    dnnl_stream_destroy(gemm->stream);
    free(gemm->scratch);
    free(gemm->buffer);
    free(gemm->filled);
    free(gemm);
}

const char *mm_gemm_implementation(const mm_gemm *gemm) {
    const char *name = "";
    if (gemm->last)
        dnnl_primitive_desc_query(gemm->last->desc, dnnl_query_impl_info_str, 0, (void *)&name);
    return name;
}

static dnnl_status_t make_attr(dnnl_primitive_attr_t *out, mm_post post) {
    dnnl_post_ops_t ops = NULL;
    dnnl_status_t status = dnnl_primitive_attr_create(out);
    if (!status)
        status = dnnl_primitive_attr_set_scratchpad_mode(*out, dnnl_scratchpad_mode_user);
    if (!status)
        status = dnnl_post_ops_create(&ops);
    if (!status && post == MM_POST_ADD)
        status = post_sum(ops);
    if (!status && post == MM_POST_QUICK_GELU)
        status = post_eltwise(ops, dnnl_eltwise_swish, 1.702f, 0.0f);
    if (!status && post == MM_POST_GELU)
        status = post_eltwise(ops, dnnl_eltwise_gelu_erf, 0.0f, 0.0f);
    if (!status && post == MM_POST_GELU_NEW)
        status = post_eltwise(ops, dnnl_eltwise_gelu_tanh, 0.0f, 0.0f);
    if (!status && post == MM_POST_RELU6)
        status = post_eltwise(ops, dnnl_eltwise_clip, 0.0f, 6.0f);
    if (!status)
        status = dnnl_primitive_attr_set_post_ops(*out, ops);
    if (ops)
        dnnl_post_ops_destroy(ops);
    return status;
}

/* Compiles the product that `product` describes, for the packed layout of `matrix`. */
static dnnl_status_t product_compile(mm_product *product, dnnl_engine_t engine,
                                     const mm_matrix *matrix) {
    mm_desc x = {0}, y = {0}, bias = {0}, weights = {0}, scratch = {0};
    dnnl_primitive_attr_t attr = NULL;
    dnnl_status_t status =
        desc_init(&x, product->rows, product->inputs, input_type(product->precision), dnnl_ab);
    if (!status)
        status = desc_init(&y, product->rows, product->outputs,
                           product->precision == MMOOD_PRECISION_INT8 ? dnnl_s32
                           : product->y_bf16                          ? dnnl_bf16
                                                                      : dnnl_f32,
                           dnnl_ab);
    if (!status)
        status = desc_init(&bias, 1, product->outputs, dnnl_f32, dnnl_ab);
    if (!status)
        status = product->part ? desc_init(&weights, product->inputs, product->outputs,
                                           weight_type(product->precision), matrix->panels)
                               : desc_copy(&weights, MM_DESC_REF(matrix->desc));
    if (!status)
        status = make_attr(&attr, product->post);
    if (!status)
        status = matmul_desc(&product->desc, engine, &x, &weights, product->has_bias ? &bias : NULL,
                             &y, attr);
    if (!status)
        status = dnnl_primitive_create(&product->primitive, product->desc);
    if (!status)
        status = desc_copy(
            &scratch, dnnl_primitive_desc_query_md(product->desc, dnnl_query_scratchpad_md, 0));
    if (!status) {
        product->scratch_size = dnnl_memory_desc_get_size(MM_DESC_REF(scratch));
        status = dnnl_memory_create(&product->scratch, MM_DESC_REF(scratch), engine, NULL);
    }
    if (!status)
        status = dnnl_memory_create(&product->x, MM_DESC_REF(x), engine, NULL);
    if (!status)
        status = dnnl_memory_create(&product->y, MM_DESC_REF(y), engine, NULL);
    if (!status && product->has_bias)
        status = dnnl_memory_create(&product->bias, MM_DESC_REF(bias), engine, NULL);
    if (!status && product->part)
        status = dnnl_memory_create(&product->weights, MM_DESC_REF(weights), engine, NULL);
    if (attr)
        dnnl_primitive_attr_destroy(attr);
    desc_free(&x);
    desc_free(&y);
    desc_free(&bias);
    desc_free(&weights);
    desc_free(&scratch);
    return status;
}

static int product_fits(const mm_product *a, const mm_product *b) {
    return a->rows == b->rows && a->inputs == b->inputs && a->outputs == b->outputs &&
           a->part == b->part && a->post == b->post && a->precision == b->precision &&
           a->y_bf16 == b->y_bf16 && a->has_bias == b->has_bias;
}

/* Finds the compiled product or compiles it, in the place of the one unused for longest if need be.
 */
static mmood_status find_product(mm_product **out, mm_gemm *gemm, const mm_product *wanted,
                                 const mm_matrix *matrix, mmood_error *error) {
    size_t oldest = 0;
    for (size_t i = 0; i < gemm->count; i++) {
        if (product_fits(&gemm->products[i], wanted)) {
            *out = &gemm->products[i];
            return MMOOD_OK;
        }
        if (gemm->products[i].used < gemm->products[oldest].used)
            oldest = i;
    }
    size_t place = gemm->count < MM_GEMM_CACHE ? gemm->count : oldest;
    mm_product *product = &gemm->products[place];
    product_clear(product);
    *product = *wanted;
    if (place == gemm->count)
        gemm->count++;
    dnnl_status_t status = product_compile(product, gemm->engine, matrix);
    if (status) {
        product_clear(product); /* matches nothing: rows is 0 */
        return mm_dnnl_error(error, status, "compile a matrix product");
    }
    *out = product;
    return MMOOD_OK;
}

/* Makes `*memory` at least `size` bytes; what it held is lost. */
static mmood_status grow(void **memory, size_t *now, size_t size, mmood_error *error) {
    if (size <= *now)
        return MMOOD_OK;
    free(*memory);
    *memory = aligned(size);
    *now = *memory ? size : 0;
    return *memory ? MMOOD_OK
                   : mm_error_set(error, MMOOD_ERROR_MEMORY,
                                  "no memory for %zu bytes of a worker's products", size);
}

/* Points the product's memories at what it works on. */
static dnnl_status_t product_bind(mm_product *product, const mm_matrix *matrix, size_t first,
                                  const void *x, void *y, void *scratch) {
    union {
        const void *in;
        void *handle; /* only read, but the API has no const */
    } source = {x};
    dnnl_status_t status = dnnl_memory_set_data_handle(product->x, source.handle);
    if (!status)
        status = dnnl_memory_set_data_handle(product->y, y);
    if (!status)
        status = dnnl_memory_set_data_handle(product->scratch, scratch);
    if (!status && product->has_bias) {
        source.in = matrix->bias + first;
        status = dnnl_memory_set_data_handle(product->bias, source.handle);
    }
    if (!status && product->part) {
        source.in = (const char *)matrix->sections[MM_SECTION_WEIGHTS].data +
                    first / MM_PANEL * matrix->panel_size;
        status = dnnl_memory_set_data_handle(product->weights, source.handle);
    }
    return status;
}

/* Contiguous rows of some outputs. */
static mmood_status run_product(mm_gemm *gemm, const mm_matrix *matrix, mm_outputs outputs,
                                mm_post post, const void *x, void *y, int y_bf16, size_t rows,
                                mmood_error *error) {
    int has_bias = matrix->bias && matrix->precision != MMOOD_PRECISION_INT8;
    mm_product wanted = {.inputs = matrix->inputs,
                         .outputs = outputs.last - outputs.first,
                         .rows = rows,
                         .part = outputs.last - outputs.first < matrix->outputs,
                         .precision = matrix->precision,
                         .post = post,
                         .y_bf16 = y_bf16,
                         .has_bias = has_bias};
    mm_product *product = NULL;
    mmood_status found = find_product(&product, gemm, &wanted, matrix, error);
    if (found != MMOOD_OK)
        return found;
    product->used = ++gemm->clock;
    gemm->last = product;
    mmood_status grown = grow(&gemm->scratch, &gemm->scratch_size, product->scratch_size, error);
    if (grown != MMOOD_OK)
        return grown;
    dnnl_status_t status = product_bind(product, matrix, outputs.first, x, y, gemm->scratch);
    if (!status) {
        dnnl_exec_arg_t arguments[5] = {
            {DNNL_ARG_SRC, product->x},
            {DNNL_ARG_WEIGHTS, product->part ? product->weights : matrix->weights},
            {DNNL_ARG_DST, product->y},
            {DNNL_ARG_SCRATCHPAD, product->scratch},
            {DNNL_ARG_BIAS, product->bias}};
        status =
            dnnl_primitive_execute(product->primitive, gemm->stream, has_bias ? 5 : 4, arguments);
    }
    return status ? mm_dnnl_error(error, status, "multiply") : MMOOD_OK;
}

/* ---- Products in blocks -------------------------------------------------------------------- */

/* Rows of `width` bytes to where they belong; or f32 added to what is there. */
static void place_rows(void *y, size_t stride, const void *from, size_t width, size_t rows,
                       int adding) {
    for (size_t i = 0; i < rows; i++) {
        void *to = (char *)y + i * stride;
        const void *row = (const char *)from + i * width;
        if (!adding)
            memcpy(to, row, width);
        else
            for (size_t j = 0; j < width / sizeof(float); j++)
                ((float *)to)[j] += ((const float *)row)[j];
    }
}

/* Bytes of a row of x. */
static size_t x_row_size(const mm_matrix *matrix) {
    return matrix->inputs * (matrix->precision == MMOOD_PRECISION_INT8
                                 ? 1
                                 : mm_activation_size(matrix->precision == MMOOD_PRECISION_BF16));
}

/* What a block is of. */
typedef struct mm_call {
    mm_gemm *gemm;
    const mm_matrix *matrix;
    mm_outputs outputs;
    mm_post post;
    int y_bf16;
    size_t stride; /* of y, in numbers */
} mm_call;

/* Some outputs of a block, by way of a buffer. oneDNN 2.x takes its slow reference kernel for rows
 * of y that do not lie together. Where they do, as in a block that needs no buffer, it is oneDNN
 * that adds to y. */
static mmood_status run_apart(const mm_call *call, mm_outputs part, int together, const void *x,
                              void *y, size_t rows, size_t filled, mmood_error *error) {
    mm_gemm *gemm = call->gemm;
    size_t size = mm_activation_size(call->y_bf16), width = (part.last - part.first) * size;
    void *to = (char *)y + (part.first - call->outputs.first) * size;
    int adding = call->post == MM_POST_ADD;
    mmood_status status = grow(&gemm->buffer, &gemm->buffer_size, filled * width, error);
    if (status == MMOOD_OK && adding && together) {
        memcpy(gemm->buffer, to, rows * width);
        memset((char *)gemm->buffer + rows * width, 0, (filled - rows) * width);
    }
    if (status == MMOOD_OK)
        status =
            run_product(gemm, call->matrix, part, adding && !together ? MM_POST_NONE : call->post,
                        x, gemm->buffer, call->y_bf16, filled, error);
    if (status == MMOOD_OK)
        place_rows(to, call->stride * size, gemm->buffer, width, rows, adding && !together);
    return status;
}

/* Rows that are multiplied together, filled up with zeros to `filled`. */
static mmood_status run_block(const mm_call *call, const void *x, void *y, size_t rows,
                              size_t filled, mmood_error *error) {
    const mm_matrix *matrix = call->matrix;
    mm_gemm *gemm = call->gemm;
    mm_outputs all = call->outputs;
    int by_panel = matrix->grouping.by_panel;
    int together = !by_panel && call->stride == all.last - all.first;
    mmood_status status = MMOOD_OK;
    if (filled == rows && together)
        return run_product(gemm, matrix, all, call->post, x, y, call->y_bf16, rows, error);
    if (filled != rows) {
        size_t row = x_row_size(matrix);
        status = grow(&gemm->filled, &gemm->filled_size, filled * row, error);
        if (status != MMOOD_OK)
            return status;
        memcpy(gemm->filled, x, rows * row);
        memset((char *)gemm->filled + rows * row, 0, (filled - rows) * row);
        x = gemm->filled;
    }
    for (mm_outputs part = {all.first, 0}; part.first < all.last && status == MMOOD_OK;
         part.first = part.last) {
        part.last = by_panel ? part.first + MM_PANEL : all.last;
        status = run_apart(call, part, together, x, y, rows, filled, error);
    }
    return status;
}

mmood_status mm_gemm_run_outputs(mm_gemm *gemm, const mm_matrix *matrix, mm_outputs outputs,
                                 mm_post post, const void *x, void *y, int y_bf16, size_t stride,
                                 size_t rows, mmood_error *error) {
    const mm_call call = {gemm, matrix, outputs, post, y_bf16, stride};
    size_t step = matrix->grouping.step, most = step ? matrix->grouping.most : rows;
    size_t x_row = x_row_size(matrix), y_row = stride * mm_activation_size(y_bf16);
    mmood_status status = MMOOD_OK;
    for (size_t at = 0, n; at < rows && status == MMOOD_OK; at += n) {
        n = rows - at < most ? rows - at : most;
        if (step && n >= 8 * step) /* what has to be filled up is copied, so only the rest */
            n -= n % step;
        status = run_block(&call, (const char *)x + at * x_row, (char *)y + at * y_row, n,
                           step ? (n + step - 1) / step * step : n, error);
    }
    return status;
}

mmood_status mm_gemm_run(mm_gemm *gemm, const mm_matrix *matrix, mm_post post, const void *x,
                         void *y, int y_bf16, size_t rows, mmood_error *error) {
    return mm_gemm_run_outputs(gemm, matrix, (mm_outputs){0, matrix->outputs}, post, x, y, y_bf16,
                               matrix->outputs, rows, error);
}
