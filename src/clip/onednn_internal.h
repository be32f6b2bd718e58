/* onednn_internal.h - what the files behind onednn.h share: dnnl.h, with its two API generations
 * made alike, and the structs. */
#ifndef MM_CLIP_ONEDNN_INTERNAL_H
#define MM_CLIP_ONEDNN_INTERNAL_H

#include "clip/onednn.h"

#include <dnnl.h>
#include <stdlib.h>

enum { MM_ALIGN = 64, MM_PANEL = 64 };

struct mm_engine {
    dnnl_engine_t engine;
};

/* How a product is cut so that each number's sum has one order, however many rows and outputs are
 * asked for. */
typedef struct mm_grouping {
    size_t step;  /* rows are filled up with zeros to whole steps; 0: rows are not grouped */
    size_t most;  /* of the rows of a block */
    int by_panel; /* a panel of outputs at a time */
} mm_grouping;

/* What products with such a matrix need on this CPU. */
mm_grouping mm_engine_grouping(mmood_precision precision, size_t inputs, size_t outputs);

/* A memory descriptor's layout, the same for both generations. */
typedef struct mm_layout {
    int kind;
    int type;
    int count;                 /* of inner blocks */
    const dnnl_dim_t *strides; /* [2] */
    const dnnl_dim_t *padded;  /* [2] */
    const dnnl_dim_t *blocks;  /* [count] */
    const dnnl_dim_t *order;   /* [count] */
} mm_layout;

/* The two API generations differ in who owns a memory descriptor: a value in 2.x, a handle in 3.x.
 */
#if DNNL_VERSION_MAJOR >= 3
typedef dnnl_memory_desc_t mm_desc;
typedef const_dnnl_memory_desc_t mm_desc_ref;
#define MM_DESC_REF(desc) (desc)

static inline dnnl_status_t desc_init(mm_desc *out, size_t rows, size_t columns,
                                      dnnl_data_type_t type, dnnl_format_tag_t tag) {
    const dnnl_dims_t dims = {(dnnl_dim_t)rows, (dnnl_dim_t)columns};
    return dnnl_memory_desc_create_with_tag(out, 2, dims, type, tag);
}

static inline dnnl_status_t desc_init_strides(mm_desc *out, size_t rows, size_t columns,
                                              size_t stride) {
    const dnnl_dims_t dims = {(dnnl_dim_t)rows, (dnnl_dim_t)columns};
    const dnnl_dims_t strides = {(dnnl_dim_t)stride, 1};
    return dnnl_memory_desc_create_with_strides(out, 2, dims, dnnl_f32, strides);
}

static inline void desc_free(mm_desc *desc) {
    if (*desc)
        dnnl_memory_desc_destroy(*desc);
    *desc = NULL;
}

static inline dnnl_status_t desc_copy(mm_desc *out, mm_desc_ref from) {
    return dnnl_memory_desc_clone(out, from);
}

static inline void desc_layout(mm_layout *out, mm_desc_ref desc) {
    const dnnl_dims_t *strides = NULL, *padded = NULL, *blocks = NULL, *order = NULL;
    dnnl_format_kind_t kind = dnnl_format_kind_undef;
    dnnl_data_type_t type = dnnl_data_type_undef;
    dnnl_memory_desc_query(desc, dnnl_query_format_kind, &kind);
    dnnl_memory_desc_query(desc, dnnl_query_data_type, &type);
    dnnl_memory_desc_query(desc, dnnl_query_inner_nblks_s32, &out->count);
    dnnl_memory_desc_query(desc, dnnl_query_strides, (void *)&strides);
    dnnl_memory_desc_query(desc, dnnl_query_padded_dims, (void *)&padded);
    dnnl_memory_desc_query(desc, dnnl_query_inner_blks, (void *)&blocks);
    dnnl_memory_desc_query(desc, dnnl_query_inner_idxs, (void *)&order);
    out->kind = (int)kind;
    out->type = (int)type;
    out->strides = strides ? *strides : NULL;
    out->padded = padded ? *padded : NULL;
    out->blocks = blocks ? *blocks : NULL;
    out->order = order ? *order : NULL;
}

static inline dnnl_status_t post_eltwise(dnnl_post_ops_t ops, dnnl_alg_kind_t kind, float alpha,
                                         float beta) {
    return dnnl_post_ops_append_eltwise(ops, kind, alpha, beta);
}

static inline dnnl_status_t post_sum(dnnl_post_ops_t ops) {
    return dnnl_post_ops_append_sum(ops, 1.0f, 0, dnnl_data_type_undef);
}

static inline dnnl_status_t matmul_desc(dnnl_primitive_desc_t *out, dnnl_engine_t engine,
                                        mm_desc *src, mm_desc *weights, mm_desc *bias, mm_desc *dst,
                                        dnnl_primitive_attr_t attr) {
    return dnnl_matmul_primitive_desc_create(out, engine, *src, *weights, bias ? *bias : NULL, *dst,
                                             attr);
}
#else
typedef dnnl_memory_desc_t mm_desc;
typedef const dnnl_memory_desc_t *mm_desc_ref;
#define MM_DESC_REF(desc) (&(desc))

static inline dnnl_status_t desc_init(mm_desc *out, size_t rows, size_t columns,
                                      dnnl_data_type_t type, dnnl_format_tag_t tag) {
    const dnnl_dims_t dims = {(dnnl_dim_t)rows, (dnnl_dim_t)columns};
    return dnnl_memory_desc_init_by_tag(out, 2, dims, type, tag);
}

static inline dnnl_status_t desc_init_strides(mm_desc *out, size_t rows, size_t columns,
                                              size_t stride) {
    const dnnl_dims_t dims = {(dnnl_dim_t)rows, (dnnl_dim_t)columns};
    const dnnl_dims_t strides = {(dnnl_dim_t)stride, 1};
    return dnnl_memory_desc_init_by_strides(out, 2, dims, dnnl_f32, strides);
}

static inline void desc_free(mm_desc *desc) {
    (void)desc;
}

static inline dnnl_status_t desc_copy(mm_desc *out, mm_desc_ref from) {
    *out = *from;
    return dnnl_success;
}

static inline void desc_layout(mm_layout *out, mm_desc_ref desc) {
    const dnnl_blocking_desc_t *blocking = &desc->format_desc.blocking;
    out->kind = (int)desc->format_kind;
    out->type = (int)desc->data_type;
    if (desc->format_kind != dnnl_blocked)
        return;
    out->count = blocking->inner_nblks;
    out->strides = blocking->strides;
    out->padded = desc->padded_dims;
    out->blocks = blocking->inner_blks;
    out->order = blocking->inner_idxs;
}

static inline dnnl_status_t post_eltwise(dnnl_post_ops_t ops, dnnl_alg_kind_t kind, float alpha,
                                         float beta) {
    return dnnl_post_ops_append_eltwise(ops, 1.0f, kind, alpha, beta);
}

static inline dnnl_status_t post_sum(dnnl_post_ops_t ops) {
    return dnnl_post_ops_append_sum(ops, 1.0f);
}

static inline dnnl_status_t matmul_desc(dnnl_primitive_desc_t *out, dnnl_engine_t engine,
                                        mm_desc *src, mm_desc *weights, mm_desc *bias, mm_desc *dst,
                                        dnnl_primitive_attr_t attr) {
    dnnl_matmul_desc_t desc;
    dnnl_status_t status = dnnl_matmul_desc_init(&desc, src, weights, bias, dst);
    return status ? status : dnnl_primitive_desc_create(out, &desc, attr, engine, NULL);
}
#endif

struct mm_matrix {
    size_t inputs;
    size_t outputs;
    mmood_precision precision;
    mm_grouping grouping;
    mm_desc desc; /* of the packed layout */
    /* The layout's tag, if it is one in which all weights of MM_PANEL outputs lie together and the
     * next panel follows; else undefined. */
    dnnl_format_tag_t panels;
    size_t panel_size; /* in bytes, of such a layout */
    dnnl_memory_t weights;
    const float *bias;
    mm_bytes sections[MM_SECTION_COUNT];
    void *owned[MM_SECTION_COUNT]; /* the same, where the matrix holds the memory */
};

/* The types that a product in this precision takes: its inputs', its weights'. */
static inline dnnl_data_type_t input_type(mmood_precision precision) {
    return precision == MMOOD_PRECISION_INT8   ? dnnl_u8
           : precision == MMOOD_PRECISION_BF16 ? dnnl_bf16
                                               : dnnl_f32;
}

static inline dnnl_data_type_t weight_type(mmood_precision precision) {
    return precision == MMOOD_PRECISION_INT8 ? dnnl_s8 : input_type(precision);
}

/* `size` rounded up, in memory that free() takes. */
static inline void *aligned(size_t size) {
    return aligned_alloc(MM_ALIGN, (size + MM_ALIGN - 1) / MM_ALIGN * MM_ALIGN + MM_ALIGN);
}

/* Says what could not be done, and why. */
mmood_status mm_dnnl_error(mmood_error *error, dnnl_status_t status, const char *what);

#endif
