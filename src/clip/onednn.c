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
    engine->blocks = mm_engine_needs_blocks();
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
    void *buffer; /* rows of x and y that have to lie together */
    size_t buffer_size;
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
        status = post_eltwise(ops, dnnl_eltwise_swish, 1.702f);
    if (!status && post == MM_POST_GELU)
        status = post_eltwise(ops, dnnl_eltwise_gelu_erf, 0.0f);
    if (!status && post == MM_POST_GELU_NEW)
        status = post_eltwise(ops, dnnl_eltwise_gelu_tanh, 0.0f);
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

/* Rows of `width` bytes to where they belong; or f32 added to what is there. */
static void place_rows(void *y, size_t stride, const void *from, size_t width, size_t rows,
                       mm_post post) {
    for (size_t i = 0; i < rows; i++) {
        void *to = (char *)y + i * stride;
        const void *row = (const char *)from + i * width;
        if (post != MM_POST_ADD)
            memcpy(to, row, width);
        else
            for (size_t j = 0; j < width / sizeof(float); j++)
                ((float *)to)[j] += ((const float *)row)[j];
    }
}

/* One product of all rows. */
static mmood_status run_rows(mm_gemm *gemm, const mm_matrix *matrix, mm_post post, const void *x,
                             void *y, int y_bf16, size_t rows, mmood_error *error) {
    return run_product(gemm, matrix, (mm_outputs){0, matrix->outputs}, post, x, y, y_bf16, rows,
                       error);
}

/* ---- Products in blocks -------------------------------------------------------------------- */

/* Without AVX-512, oneDNN 2.x adds in an order that depends on the number of rows and on a row's
 * place among them. Its AVX2 kernel takes 6 rows at a time; products of whole sixes, and not too
 * many, all add alike. More rows at a time read the weights less often. */
enum { MM_BLOCK_STEP = 6, MM_BLOCK = 8 * MM_BLOCK_STEP };

/* `rows` rows, fewer than a block and not whole sixes: filled up with zeros to `filled`. */
static mmood_status run_filled(mm_gemm *gemm, const mm_matrix *matrix, mm_post post, const float *x,
                               float *y, size_t rows, size_t filled, mmood_error *error) {
    size_t x_size = (filled * matrix->inputs * sizeof *x + MM_ALIGN - 1) / MM_ALIGN * MM_ALIGN;
    size_t size = x_size + filled * matrix->outputs * sizeof *y;
    mmood_status status = grow(&gemm->buffer, &gemm->buffer_size, size, error);
    if (status != MMOOD_OK)
        return status;
    float *x_rest = gemm->buffer, *y_rest = x_rest + x_size / sizeof *x_rest;
    memcpy(x_rest, x, rows * matrix->inputs * sizeof *x);
    memset(x_rest + rows * matrix->inputs, 0, (filled - rows) * matrix->inputs * sizeof *x);
    if (post == MM_POST_ADD) {
        memcpy(y_rest, y, rows * matrix->outputs * sizeof *y);
        memset(y_rest + rows * matrix->outputs, 0, (filled - rows) * matrix->outputs * sizeof *y);
    }
    status = run_rows(gemm, matrix, post, x_rest, y_rest, 0, filled, error);
    if (status == MMOOD_OK)
        memcpy(y, y_rest, rows * matrix->outputs * sizeof *y);
    return status;
}

static mmood_status run_blocks(mm_gemm *gemm, const mm_matrix *matrix, mm_post post, const float *x,
                               float *y, size_t rows, mmood_error *error) {
    mmood_status status = MMOOD_OK;
    for (size_t n; rows > 0 && status == MMOOD_OK; rows -= n) {
        n = rows < MM_BLOCK ? rows : MM_BLOCK;
        size_t filled = (n + MM_BLOCK_STEP - 1) / MM_BLOCK_STEP * MM_BLOCK_STEP;
        status = n == filled ? run_rows(gemm, matrix, post, x, y, 0, n, error)
                             : run_filled(gemm, matrix, post, x, y, n, filled, error);
        x += n * matrix->inputs;
        y += n * matrix->outputs;
    }
    return status;
}

mmood_status mm_gemm_run(mm_gemm *gemm, const mm_matrix *matrix, mm_post post, const void *x,
                         void *y, int y_bf16, size_t rows, mmood_error *error) {
    if (matrix->blocks && !y_bf16)
        return run_blocks(gemm, matrix, post, x, y, rows, error);
    return run_rows(gemm, matrix, post, x, y, y_bf16, rows, error);
}

/* oneDNN 2.x takes its slow reference kernel for rows of y that do not lie together, so they are
 * computed elsewhere first. */
mmood_status mm_gemm_run_outputs(mm_gemm *gemm, const mm_matrix *matrix, mm_outputs outputs,
                                 mm_post post, const void *x, void *y, int y_bf16, size_t stride,
                                 size_t rows, mmood_error *error) {
    size_t count = outputs.last - outputs.first;
    if (count == matrix->outputs && stride == count)
        return mm_gemm_run(gemm, matrix, post, x, y, y_bf16, rows, error);
    if (stride == count)
        return run_product(gemm, matrix, outputs, post, x, y, y_bf16, rows, error);
    size_t size = mm_activation_size(y_bf16);
    mmood_status status = grow(&gemm->buffer, &gemm->buffer_size, rows * count * size, error);
    if (status == MMOOD_OK)
        status = run_product(gemm, matrix, outputs, post == MM_POST_ADD ? MM_POST_NONE : post, x,
                             gemm->buffer, y_bf16, rows, error);
    if (status == MMOOD_OK)
        place_rows(y, stride * size, gemm->buffer, count * size, rows, post);
    return status;
}
