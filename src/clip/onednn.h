/* onednn.h - dense layers on oneDNN: weights packed once, then y = post(x W^T + b) for any number
 * of rows. Only onednn.c and onednn_matrix.c behind it see dnnl.h (2.6 and 3.x).
 *
 * A row of a result does not depend on how many rows are computed together, bit for bit where
 * mm_engine_is_exact says so, else up to rounding: tests/clip/test_onednn.c checks it on the
 * machine at hand. */
#ifndef MM_CLIP_ONEDNN_H
#define MM_CLIP_ONEDNN_H

#include "base/buffer.h"
#include "mmood.h"

/* A oneDNN CPU engine. Shared by threads. */
typedef struct mm_engine mm_engine;

mmood_status mm_engine_create(mm_engine **out, mmood_error *error);
void mm_engine_free(mm_engine *engine);

/* What decides how weights are packed: oneDNN's version and the instruction sets it uses. */
void mm_engine_describe(char *out, size_t size);

/* Instruction sets that our own kernels are compiled for, each with all before it. */
typedef enum mm_level {
    MM_LEVEL_BASE, /* what every CPU of its kind has */
    MM_LEVEL_AVX2, /* and FMA */
    MM_LEVEL_AVX512,
    MM_LEVEL_AVX512_BF16
} mm_level;

/* What oneDNN uses of this CPU, which $ONEDNN_MAX_CPU_ISA (or $DNNL_MAX_CPU_ISA) may have lowered.
 * Our own kernels keep to it too, so that the variable stands for another CPU. */
mm_level mm_engine_level(void);

/* The same in words, and finer: "AVX-512 with bf16", "AVX2", "Armv8 NEON". Static. */
const char *mm_engine_instructions(void);

/* 1 if this CPU multiplies bf16 natively (AVX512-BF16 or AMX). */
int mm_engine_has_bf16(void);

/* 1 if it does so in less time than it multiplies as many f32. Intel's CPUs do with AMX only: their
 * AVX512-BF16 alone has half the rate of f32. */
int mm_engine_has_fast_bf16(void);

/* 1 if this CPU multiplies 8-bit numbers natively (AVX512-VNNI or AMX). */
int mm_engine_has_int8(void);

/* 1 if a row's bits do not depend on the rows beside it: with oneDNN 2.x. */
int mm_engine_is_exact(void);

/* Makes oneDNN run single-threaded when called from the calling thread: workers split the work
 * themselves. Call it first on every thread that packs or multiplies. */
void mm_engine_use_one_thread(void);

/* Weights [outputs, inputs] and bias [outputs] of a dense layer, packed. Immutable; shared. */
typedef struct mm_matrix mm_matrix;

/* `weights` is row-major as Hugging Face stores it; `bias` may be NULL. `precision` is F32 or BF16:
 * the type of the inputs and the packed weights; sums are f32. int8.h makes matrices in INT8. */
mmood_status mm_matrix_pack(mm_matrix **out, const mm_engine *engine, const float *weights,
                            const float *bias, size_t inputs, size_t outputs,
                            mmood_precision precision, mmood_error *error);

/* A matrix in INT8 from weights in 8 bits, with what makes numbers of its products, copied. */
typedef struct mm_matrix_int8 {
    const int8_t *weights;  /* [outputs, inputs] */
    const float *scales;    /* [outputs] */
    const int32_t *offsets; /* [outputs] */
    const float *bias;      /* [outputs] or NULL */
} mm_matrix_int8;

mmood_status mm_matrix_pack_int8(mm_matrix **out, const mm_engine *engine,
                                 const mm_matrix_int8 *parts, size_t inputs, size_t outputs,
                                 mmood_error *error);

mmood_precision mm_matrix_precision(const mm_matrix *matrix);
size_t mm_matrix_inputs(const mm_matrix *matrix);
size_t mm_matrix_outputs(const mm_matrix *matrix);
size_t mm_matrix_bytes(const mm_matrix *matrix);
void mm_matrix_free(mm_matrix *matrix);

/* Outputs first .. last of a matrix. */
typedef struct mm_outputs {
    size_t first, last;
} mm_outputs;

/* Into how many panels of outputs a matrix can be cut for mm_gemm_run_outputs, at least 1, and the
 * outputs of panels first .. last. What oneDNN's layout does not let cut is one panel. */
size_t mm_matrix_panels(const mm_matrix *matrix);
mm_outputs mm_matrix_share(const mm_matrix *matrix, size_t first, size_t last);

/* What a packed matrix is made of. A new kind of bytes goes to the end, and changes
 * the file format of packed.h. */
typedef enum mm_section {
    MM_SECTION_WEIGHTS, /* in the layout that oneDNN chose */
    MM_SECTION_BIAS,    /* f32; empty if there is none */
    MM_SECTION_SCALES,  /* f32, of an INT8 matrix */
    MM_SECTION_OFFSETS, /* int32, of an INT8 matrix */
    MM_SECTION_COUNT
} mm_section;

/* A section's bytes; NULL if the matrix has none. */
const void *mm_matrix_section(const mm_matrix *matrix, mm_section section);

/* A packed matrix as numbers and bytes, to be stored and used again where `layout` is the same. */
typedef struct mm_matrix_image {
    size_t inputs;
    size_t outputs;
    mmood_precision precision;
    uint64_t layout;                     /* a hash of the packed layout: which weight lies where */
    mm_bytes sections[MM_SECTION_COUNT]; /* 64-byte aligned */
} mm_matrix_image;

/* The bytes stay the matrix's. */
void mm_matrix_describe(mm_matrix_image *out, const mm_matrix *matrix);

/* A matrix over the bytes of `image`, which must outlive it. They are not read before they are
 * multiplied. MISMATCH if oneDNN, as it is here, would lay them out otherwise or sizes are wrong.
 */
mmood_status mm_matrix_view(mm_matrix **out, const mm_engine *engine, const mm_matrix_image *image,
                            mmood_error *error);

/* What is done to a product before it is stored. */
typedef enum mm_post {
    MM_POST_NONE,
    MM_POST_ADD,        /* added to what y holds (f32 only) */
    MM_POST_QUICK_GELU, /* x * sigmoid(1.702 x) */
    MM_POST_GELU,       /* x * Phi(x) */
    MM_POST_GELU_NEW,   /* its tanh approximation */
    MM_POST_RELU6       /* x limited to 0 .. 6 */
} mm_post;

/* Bytes of an activation: what products take and give, INT8 apart. */
static inline size_t mm_activation_size(int bf16) {
    return bf16 ? sizeof(uint16_t) : sizeof(float);
}

/* One thread's compiled products and their working memory. */
typedef struct mm_gemm mm_gemm;

mmood_status mm_gemm_create(mm_gemm **out, const mm_engine *engine, mmood_error *error);

/* y [rows, outputs] = post(x [rows, inputs] W^T + b). `x` is in the matrix's precision; `y` is bf16
 * if `y_bf16`, else f32. With an INT8 matrix `x` is unsigned bytes and `y` the bare sums of
 * products in int32: no bias, no post. Rows are contiguous, both 64-byte aligned at best. `rows`
 * >= 1. The first call with a new number of rows compiles it (about a millisecond); the latest 256
 * are kept. */
mmood_status mm_gemm_run(mm_gemm *gemm, const mm_matrix *matrix, mm_post post, const void *x,
                         void *y, int y_bf16, size_t rows, mmood_error *error);

/* The same for some outputs alone, which mm_matrix_share gives; `y` begins at the first of them,
 * and its rows are `stride` apart. Each number has the bits that it has among all outputs. */
mmood_status mm_gemm_run_outputs(mm_gemm *gemm, const mm_matrix *matrix, mm_outputs outputs,
                                 mm_post post, const void *x, void *y, int y_bf16, size_t stride,
                                 size_t rows, mmood_error *error);

/* The implementation that oneDNN chose for the last run, such as "brg:avx512_core_bf16". */
const char *mm_gemm_implementation(const mm_gemm *gemm);
void mm_gemm_free(mm_gemm *gemm);

#endif
