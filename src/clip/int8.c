/* int8.c - dense layers in int8: weights to 8 bits once, activations block by block. */
#include "clip/int8.h"

#include "base/error.h"

#include <stdlib.h>
#include <string.h>

enum { MM_ALIGN = 64, MM_INT8_STEP = 4 };

static void *reserve(size_t bytes) {
    bytes = (bytes + MM_ALIGN - 1) / MM_ALIGN * MM_ALIGN;
    void *memory = aligned_alloc(MM_ALIGN, bytes);
    if (memory)
        memset(memory, 0, bytes); /* rows past the end are multiplied too */
    return memory;
}

mmood_status mm_int8_block_create(mm_int8_block *out, size_t inputs, size_t outputs,
                                  mmood_error *error) {
    out->x = reserve(MM_INT8_ROWS * inputs);
    out->scales = reserve(MM_INT8_ROWS * sizeof *out->scales);
    out->products = reserve(MM_INT8_ROWS * outputs * sizeof *out->products);
    if (out->x && out->scales && out->products)
        return MMOOD_OK;
    mm_int8_block_free(out);
    return mm_error_set(error, MMOOD_ERROR_MEMORY, "no memory for a worker's int8 products");
}

void mm_int8_block_free(mm_int8_block *block) {
    free(block->x);
    free(block->scales);
    free(block->products);
    *block = (mm_int8_block){0};
}

mmood_status mm_int8_pack(mm_matrix **out, const mm_engine *engine, const mm_kernels *kernels,
                          const float *weights, const float *bias, size_t inputs, size_t outputs,
                          mmood_error *error) {
    *out = NULL;
    uint8_t *bytes = malloc(outputs * inputs);
    float *scales = malloc(outputs * sizeof *scales);
    int32_t *offsets = malloc(outputs * sizeof *offsets);
    mmood_status status = MMOOD_OK;
    if (!bytes || !scales || !offsets)
        status = mm_error_set(error, MMOOD_ERROR_MEMORY, "no memory for %zu x %zu weights", outputs,
                              inputs);
    if (status == MMOOD_OK) {
        kernels->quantize(bytes, scales, weights, 0, outputs, inputs);
        for (size_t i = 0; i < outputs; i++) {
            int32_t sum = 0;
            for (size_t j = 0; j < inputs; j++) {
                uint8_t *byte = &bytes[i * inputs + j];
                *byte = (uint8_t)(*byte - MM_INT8_ZERO); /* signed from here on */
                sum += (int8_t)*byte;
            }
            offsets[i] = MM_INT8_ZERO * sum;
        }
        mm_matrix_int8 parts = {(const int8_t *)bytes, scales, offsets, bias};
        status = mm_matrix_pack_int8(out, engine, &parts, inputs, outputs, error);
    }
    free(bytes);
    free(scales);
    free(offsets);
    return status;
}

mmood_status mm_int8_run(const mm_int8_dense *dense, mm_gemm *gemm, const mm_kernels *kernels,
                         mm_int8_block *block, mmood_error *error) {
    const mm_matrix *matrix = dense->matrix;
    size_t inputs = mm_matrix_inputs(matrix), outputs = dense->outputs.last - dense->outputs.first;
    size_t x_row = inputs * mm_activation_size(dense->x_bf16);
    size_t y_row = dense->stride * mm_activation_size(dense->y_bf16);
    const float *scales = mm_matrix_section(matrix, MM_SECTION_SCALES);
    const int32_t *offsets = mm_matrix_section(matrix, MM_SECTION_OFFSETS);
    const float *bias = mm_matrix_section(matrix, MM_SECTION_BIAS);
    for (size_t at = 0; at < dense->rows; at += MM_INT8_ROWS) {
        size_t rows = dense->rows - at < MM_INT8_ROWS ? dense->rows - at : MM_INT8_ROWS;
        kernels->quantize(block->x, block->scales, (const char *)dense->x + at * x_row,
                          dense->x_bf16, rows, inputs);
        /* whole fours, so that few products are compiled and little is multiplied in vain; what is
         * past the end holds leftovers that nothing reads */
        size_t filled = (rows + MM_INT8_STEP - 1) / MM_INT8_STEP * MM_INT8_STEP;
        mmood_status status =
            mm_gemm_run_outputs(gemm, matrix, dense->outputs, MM_POST_NONE, block->x,
                                block->products, 0, outputs, filled, error);
        if (status != MMOOD_OK)
            return status;
        mm_finish finish = {.products = block->products,
                            .row_scales = block->scales,
                            .scales = scales + dense->outputs.first,
                            .offsets = offsets + dense->outputs.first,
                            .bias = bias ? bias + dense->outputs.first : NULL,
                            .rows = rows,
                            .outputs = outputs,
                            .post = dense->post,
                            .y = (char *)dense->y + at * y_row,
                            .stride = dense->stride,
                            .y_bf16 = dense->y_bf16};
        kernels->finish(&finish);
    }
    return MMOOD_OK;
}
