/* int8.h - dense layers in int8. A row of activations becomes 8 bits with one scale (the largest
 * magnitude is 127), a row of weights, which is one output, likewise; their products are summed
 * exactly in 32 bits; what comes out is in the precision of the activations. Nothing needs to be
 * calibrated, and a row's numbers do not depend on the rows beside it. */
#ifndef MM_CLIP_INT8_H
#define MM_CLIP_INT8_H

#include "clip/kernels.h"
#include "clip/onednn.h"

#include <stdint.h>

/* Rows that are quantised, multiplied and finished together: their sums stay in the inner cache. */
enum { MM_INT8_ROWS = 32 };

/* A lane's memory for one block of rows. */
typedef struct mm_int8_block {
    uint8_t *x;        /* [MM_INT8_ROWS, most inputs] */
    float *scales;     /* [MM_INT8_ROWS] */
    int32_t *products; /* [MM_INT8_ROWS, most outputs] */
} mm_int8_block;

mmood_status mm_int8_block_create(mm_int8_block *out, size_t inputs, size_t outputs,
                                  mmood_error *error);
void mm_int8_block_free(mm_int8_block *block);

/* Packs weights [outputs, inputs] and bias [outputs] or NULL. */
mmood_status mm_int8_pack(mm_matrix **out, const mm_engine *engine, const mm_kernels *kernels,
                          const float *weights, const float *bias, size_t inputs, size_t outputs,
                          mmood_error *error);

/* A dense layer, or some of its outputs: rows of x and y, which are bf16 or f32 each, as
 * mm_gemm_run_outputs has them. */
typedef struct mm_int8_dense {
    const mm_matrix *matrix;
    mm_outputs outputs;
    mm_post post;
    const void *x;
    int x_bf16;
    void *y;
    int y_bf16;
    size_t stride;
    size_t rows;
} mm_int8_dense;

mmood_status mm_int8_run(const mm_int8_dense *dense, mm_gemm *gemm, const mm_kernels *kernels,
                         mm_int8_block *block, mmood_error *error);

#endif
