/* onednn.c - dense layers on oneDNN's matmul primitive, with packed weights. */
#include "clip/onednn.h"

#include "base/error.h"

#include <dnnl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* OpenMP's, from the runtime that oneDNN links; omp.h would tie us to one compiler's. */
extern void omp_set_num_threads(int threads);

enum { MM_GEMM_CACHE = 256, MM_ALIGN = 64 };

struct mm_engine {
    dnnl_engine_t engine;
};

/* The two API generations differ in who owns a memory descriptor: a value in 2.x, a handle in 3.x.
 */
#if DNNL_VERSION_MAJOR >= 3
typedef dnnl_memory_desc_t mm_desc;
typedef const_dnnl_memory_desc_t mm_desc_ref;
#define MM_DESC_REF(desc) (desc)

static dnnl_status_t desc_init(mm_desc *out, size_t rows, size_t columns, dnnl_data_type_t type,
                               dnnl_format_tag_t tag) {
    const dnnl_dims_t dims = {(dnnl_dim_t)rows, (dnnl_dim_t)columns};
    return dnnl_memory_desc_create_with_tag(out, 2, dims, type, tag);
}

static void desc_free(mm_desc *desc) {
    if (*desc)
        dnnl_memory_desc_destroy(*desc);
    *desc = NULL;
}

static dnnl_status_t desc_copy(mm_desc *out, mm_desc_ref from) {
    return dnnl_memory_desc_clone(out, from);
}

static dnnl_status_t post_eltwise(dnnl_post_ops_t ops, dnnl_alg_kind_t kind, float alpha) {
    return dnnl_post_ops_append_eltwise(ops, kind, alpha, 0.0f);
}

static dnnl_status_t post_sum(dnnl_post_ops_t ops) {
    return dnnl_post_ops_append_sum(ops, 1.0f, 0, dnnl_data_type_undef);
}

static dnnl_status_t matmul_desc(dnnl_primitive_desc_t *out, dnnl_engine_t engine, mm_desc *src,
                                 mm_desc *weights, mm_desc *bias, mm_desc *dst,
                                 dnnl_primitive_attr_t attr) {
    return dnnl_matmul_primitive_desc_create(out, engine, *src, *weights, bias ? *bias : NULL, *dst,
                                             attr);
}
#else
typedef dnnl_memory_desc_t mm_desc;
typedef const dnnl_memory_desc_t *mm_desc_ref;
#define MM_DESC_REF(desc) (&(desc))

static dnnl_status_t desc_init(mm_desc *out, size_t rows, size_t columns, dnnl_data_type_t type,
                               dnnl_format_tag_t tag) {
    const dnnl_dims_t dims = {(dnnl_dim_t)rows, (dnnl_dim_t)columns};
    return dnnl_memory_desc_init_by_tag(out, 2, dims, type, tag);
}

static void desc_free(mm_desc *desc) {
    (void)desc;
}

static dnnl_status_t desc_copy(mm_desc *out, mm_desc_ref from) {
    *out = *from;
    return dnnl_success;
}

static dnnl_status_t post_eltwise(dnnl_post_ops_t ops, dnnl_alg_kind_t kind, float alpha) {
    return dnnl_post_ops_append_eltwise(ops, 1.0f, kind, alpha, 0.0f);
}

static dnnl_status_t post_sum(dnnl_post_ops_t ops) {
    return dnnl_post_ops_append_sum(ops, 1.0f);
}

static dnnl_status_t matmul_desc(dnnl_primitive_desc_t *out, dnnl_engine_t engine, mm_desc *src,
                                 mm_desc *weights, mm_desc *bias, mm_desc *dst,
                                 dnnl_primitive_attr_t attr) {
    dnnl_matmul_desc_t desc;
    dnnl_status_t status = dnnl_matmul_desc_init(&desc, src, weights, bias, dst);
    return status ? status : dnnl_primitive_desc_create(out, &desc, attr, engine, NULL);
}
#endif

static mmood_status dnnl_error(mmood_error *error, dnnl_status_t status, const char *what) {
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
        return dnnl_error(error, status, "create a CPU engine");
    }
    *out = engine;
    return MMOOD_OK;
}

void mm_engine_free(mm_engine *engine) {
    if (engine)
        dnnl_engine_destroy(engine->engine);
    free(engine);
}

/* The values are sets of instruction sets, so a bit test holds for later ones too. */
static int has_isa(dnnl_cpu_isa_t wanted) {
    unsigned isa = (unsigned)dnnl_get_effective_cpu_isa(), need = (unsigned)wanted;
    return (isa & need) == need;
}

int mm_engine_has_bf16(void) {
    return has_isa(dnnl_cpu_isa_avx512_core_bf16);
}

int mm_engine_is_exact(int bf16) {
    /* 3.x picks kernels by the number of rows, and they add in different orders (seen in 3.7.2); so
       does 2.6 in bf16 where the CPU has AMX. */
    return DNNL_VERSION_MAJOR < 3 && has_isa(dnnl_cpu_isa_avx512_core) &&
           !(bf16 && has_isa(dnnl_cpu_isa_avx512_core_amx));
}

void mm_engine_use_one_thread(void) {
    omp_set_num_threads(1);
}

/* ---- Matrices ------------------------------------------------------------------------------ */

struct mm_matrix {
    size_t inputs;
    size_t outputs;
    mmood_precision precision;
    size_t bytes;
    mm_desc desc; /* of the packed layout */
    dnnl_memory_t weights;
    void *packed;
    float *bias;
};

static dnnl_data_type_t data_type(int bf16) {
    return bf16 ? dnnl_bf16 : dnnl_f32;
}

/* `size` rounded up, in memory that free() takes. */
static void *aligned(size_t size) {
    return aligned_alloc(MM_ALIGN, (size + MM_ALIGN - 1) / MM_ALIGN * MM_ALIGN + MM_ALIGN);
}

/* Asks oneDNN for the layout it likes best for a matrix of this shape. It is the same for every
 * number of rows; 128 stands for them. */
static dnnl_status_t choose_layout(mm_desc *out, dnnl_engine_t engine, size_t inputs,
                                   size_t outputs, int bf16) {
    const size_t rows = 128;
    mm_desc src = {0}, weights = {0}, dst = {0};
    dnnl_primitive_desc_t primitive = NULL;
    dnnl_primitive_attr_t attr = NULL;
    dnnl_status_t status = desc_init(&src, rows, inputs, data_type(bf16), dnnl_ab);
    if (!status)
        status = desc_init(&weights, inputs, outputs, data_type(bf16), dnnl_format_tag_any);
    if (!status)
        status = desc_init(&dst, rows, outputs, dnnl_f32, dnnl_ab);
    if (!status)
        status = dnnl_primitive_attr_create(&attr);
    if (!status)
        status = dnnl_primitive_attr_set_scratchpad_mode(attr, dnnl_scratchpad_mode_user);
    if (!status)
        status = matmul_desc(&primitive, engine, &src, &weights, NULL, &dst, attr);
    if (!status)
        status = desc_copy(out, dnnl_primitive_desc_query_md(primitive, dnnl_query_weights_md, 0));
    if (primitive)
        dnnl_primitive_desc_destroy(primitive);
    if (attr)
        dnnl_primitive_attr_destroy(attr);
    desc_free(&src);
    desc_free(&weights);
    desc_free(&dst);
    return status;
}

/* Converts and reorders row-major f32 [outputs, inputs] into the packed layout. */
static dnnl_status_t reorder(mm_matrix *matrix, dnnl_engine_t engine, const float *weights) {
    /* As oneDNN sees it the matrix is [inputs, outputs] with the first index running fastest. */
    mm_desc plain = {0};
    dnnl_memory_t from = NULL;
    dnnl_stream_t stream = NULL;
    dnnl_primitive_desc_t desc = NULL;
    dnnl_primitive_t primitive = NULL;
    union {
        const float *in;
        void *handle; /* only read, but the API has no const */
    } source = {weights};
    dnnl_status_t status = desc_init(&plain, matrix->inputs, matrix->outputs, dnnl_f32, dnnl_ba);
    if (!status)
        status = dnnl_memory_create(&from, MM_DESC_REF(plain), engine, source.handle);
    if (!status)
        status = dnnl_stream_create(&stream, engine, dnnl_stream_default_flags);
    if (!status)
        status = dnnl_reorder_primitive_desc_create(&desc, MM_DESC_REF(plain), engine,
                                                    MM_DESC_REF(matrix->desc), engine, NULL);
    if (!status)
        status = dnnl_primitive_create(&primitive, desc);
    if (!status) {
        dnnl_exec_arg_t arguments[2] = {{DNNL_ARG_FROM, from}, {DNNL_ARG_TO, matrix->weights}};
        status = dnnl_primitive_execute(primitive, stream, 2, arguments);
    }
    if (!status)
        status = dnnl_stream_wait(stream);
    if (primitive)
        dnnl_primitive_destroy(primitive);
    if (desc)
        dnnl_primitive_desc_destroy(desc);
    if (stream)
        dnnl_stream_destroy(stream);
    if (from)
        dnnl_memory_destroy(from);
    desc_free(&plain);
    return status;
}

mmood_status mm_matrix_pack(mm_matrix **out, const mm_engine *engine, const float *weights,
                            const float *bias, size_t inputs, size_t outputs,
                            mmood_precision precision, mmood_error *error) {
    *out = NULL;
    mm_matrix *matrix = calloc(1, sizeof *matrix);
    if (!matrix)
        return mm_error_set(error, MMOOD_ERROR_MEMORY, "no memory for a weight matrix");
    matrix->inputs = inputs;
    matrix->outputs = outputs;
    matrix->precision = precision;
    dnnl_status_t status = choose_layout(&matrix->desc, engine->engine, inputs, outputs,
                                         precision == MMOOD_PRECISION_BF16);
    if (status) {
        mm_matrix_free(matrix);
        return dnnl_error(error, status, "multiply in this precision");
    }
    matrix->bytes = dnnl_memory_desc_get_size(MM_DESC_REF(matrix->desc));
    matrix->packed = aligned(matrix->bytes);
    if (bias)
        matrix->bias = aligned(outputs * sizeof *bias);
    if (!matrix->packed || (bias && !matrix->bias)) {
        mm_matrix_free(matrix);
        return mm_error_set(error, MMOOD_ERROR_MEMORY, "no memory for %zu x %zu weights", outputs,
                            inputs);
    }
    if (bias)
        memcpy(matrix->bias, bias, outputs * sizeof *bias);
    status = dnnl_memory_create(&matrix->weights, MM_DESC_REF(matrix->desc), engine->engine,
                                matrix->packed);
    if (!status)
        status = reorder(matrix, engine->engine, weights);
    if (status) {
        mm_matrix_free(matrix);
        return dnnl_error(error, status, "pack weights");
    }
    *out = matrix;
    return MMOOD_OK;
}

size_t mm_matrix_inputs(const mm_matrix *matrix) {
    return matrix->inputs;
}

size_t mm_matrix_outputs(const mm_matrix *matrix) {
    return matrix->outputs;
}

size_t mm_matrix_bytes(const mm_matrix *matrix) {
    return matrix->bytes + (matrix->bias ? matrix->outputs * sizeof(float) : 0);
}

void mm_matrix_free(mm_matrix *matrix) {
    if (!matrix)
        return;
    if (matrix->weights)
        dnnl_memory_destroy(matrix->weights);
    desc_free(&matrix->desc);
    free(matrix->packed);
    free(matrix->bias);
    free(matrix);
}

/* ---- Products ------------------------------------------------------------------------------ */

/* A compiled product with the memory handles it takes. */
typedef struct mm_product {
    size_t inputs;
    size_t outputs;
    size_t rows;
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
} mm_product;

struct mm_gemm {
    dnnl_engine_t engine;
    dnnl_stream_t stream;
    void *scratch;
    size_t scratch_size;
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
        return dnnl_error(error, status, "create a stream");
    }
    *out = gemm;
    return MMOOD_OK;
}

static void product_clear(mm_product *product) {
    dnnl_memory_t memories[] = {product->x, product->y, product->bias, product->scratch};
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
        desc_init(&x, product->rows, product->inputs,
                  data_type(product->precision == MMOOD_PRECISION_BF16), dnnl_ab);
    if (!status)
        status =
            desc_init(&y, product->rows, product->outputs, data_type(product->y_bf16), dnnl_ab);
    if (!status)
        status = desc_init(&bias, 1, product->outputs, dnnl_f32, dnnl_ab);
    if (!status)
        status = desc_copy(&weights, MM_DESC_REF(matrix->desc));
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
           a->post == b->post && a->precision == b->precision && a->y_bf16 == b->y_bf16 &&
           a->has_bias == b->has_bias;
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
        return dnnl_error(error, status, "compile a matrix product");
    }
    *out = product;
    return MMOOD_OK;
}

mmood_status mm_gemm_run(mm_gemm *gemm, const mm_matrix *matrix, mm_post post, const void *x,
                         void *y, int y_bf16, size_t rows, mmood_error *error) {
    mm_product wanted = {.inputs = matrix->inputs,
                         .outputs = matrix->outputs,
                         .rows = rows,
                         .precision = matrix->precision,
                         .post = post,
                         .y_bf16 = y_bf16,
                         .has_bias = matrix->bias != NULL};
    mm_product *product = NULL;
    mmood_status found = find_product(&product, gemm, &wanted, matrix, error);
    if (found != MMOOD_OK)
        return found;
    product->used = ++gemm->clock;
    gemm->last = product;
    if (product->scratch_size > gemm->scratch_size) {
        free(gemm->scratch);
        gemm->scratch = aligned(product->scratch_size);
        gemm->scratch_size = gemm->scratch ? product->scratch_size : 0;
        if (!gemm->scratch)
            return mm_error_set(error, MMOOD_ERROR_MEMORY, "no memory for oneDNN's scratchpad");
    }
    union {
        const void *in;
        void *handle; /* only read, but the API has no const */
    } source = {x};
    dnnl_status_t status = dnnl_memory_set_data_handle(product->x, source.handle);
    if (!status)
        status = dnnl_memory_set_data_handle(product->y, y);
    if (!status)
        status = dnnl_memory_set_data_handle(product->scratch, gemm->scratch);
    if (!status && matrix->bias)
        status = dnnl_memory_set_data_handle(product->bias, matrix->bias);
    if (!status) {
        dnnl_exec_arg_t arguments[5] = {{DNNL_ARG_SRC, product->x},
                                        {DNNL_ARG_WEIGHTS, matrix->weights},
                                        {DNNL_ARG_DST, product->y},
                                        {DNNL_ARG_SCRATCHPAD, product->scratch},
                                        {DNNL_ARG_BIAS, product->bias}};
        status = dnnl_primitive_execute(product->primitive, gemm->stream, matrix->bias ? 5 : 4,
                                        arguments);
    }
    return status ? dnnl_error(error, status, "multiply") : MMOOD_OK;
}
