/* kernels.h - what the towers compute besides dense layers: layer norm, attention, conversion.
 * Compiled once an instruction set (kernels_base.c, _avx2.c, _avx512.c, all from kernels_body.h);
 * mm_kernels_get picks by what the CPU has. Results differ between instruction sets in the last
 * bits, never between calls, threads or neighbours on one machine. */
#ifndef MM_CLIP_KERNELS_H
#define MM_CLIP_KERNELS_H

#include "clip/onednn.h"

#include <stddef.h>
#include <stdint.h>

/* One head of one item: softmax(scale q k^T) v for some of its rows. All numbers in f32 or in bf16,
 * as the function says. */
typedef struct mm_attention {
    const void
        *qkv; /* [tokens, 3 * width]: queries, keys, values; the heads side by side in each */
    size_t tokens;
    size_t width;
    size_t head_size;
    size_t head;        /* which: columns head * head_size .. of each third */
    size_t first_query; /* rows to compute: first_query .. first_query + queries */
    size_t queries;
    int causal;     /* row i sees rows 0 .. i only */
    void *out;      /* [queries, width] for the rows computed; this head's columns are written */
    float *scratch; /* mm_attention_scratch() floats, 64-byte aligned */
} mm_attention;

/* Queries that attention computes together, and the most lanes a vector has. */
enum { MM_TILE_ROWS = 6, MM_MOST_LANES = 16 };

/* Floats that one attention call needs, for at most `tokens` rows. */
size_t mm_attention_scratch(size_t tokens, size_t head_size);

/* In int8, activations are stored as unsigned bytes around this, as the instruction takes them. */
enum { MM_INT8_ZERO = 128 };

/* From the sums of an int8 product to y = post(row scale * scale * (product - offset) + bias). */
typedef struct mm_finish {
    const int32_t *products; /* [rows, outputs] */
    const float *row_scales; /* [rows] */
    const float *scales;     /* [outputs] */
    const int32_t *offsets;  /* [outputs] what MM_INT8_ZERO adds to each sum */
    const float *bias;       /* [outputs] or NULL */
    size_t rows;
    size_t outputs;
    mm_post post;
    void *y; /* [rows, outputs] bf16 if y_bf16, else f32; rows are `stride` apart */
    size_t stride;
    int y_bf16;
} mm_finish;

/* Some rows of a depthwise convolution over a map [side, side, inputs]: each output channel comes
 * from one input channel, outputs / inputs of them from the same. */
typedef struct mm_depth {
    const void *x;  /* rows of [side, side, inputs], bf16 if x_bf16, else f32, */
    size_t x_first; /* from this one on */
    int x_bf16;
    size_t side;
    size_t inputs;
    const float *weights; /* [kernel * kernel + 1, stride]: taps, then the bias */
    size_t outputs;
    size_t stride;      /* outputs rounded up to MM_MOST_LANES; zeros after them */
    size_t kernel;      /* 1, 3, 5 or 7 */
    size_t step;        /* from one output to the next: 1 or 2; 1 if kernel is */
    size_t pad;         /* rows and columns of zeros before the map; after it as many as it takes */
    size_t first, last; /* rows of the result to compute */
    size_t result_side;
    mm_post post;   /* NONE, GELU or RELU6 */
    void *y;        /* rows of [result_side, result_side, outputs], bf16 if y_bf16, else f32, */
    size_t y_first; /* from this one on */
    int y_bf16;
    float *scratch; /* mm_depth_scratch() floats, 64-byte aligned */
} mm_depth;

/* Floats that one call needs. */
size_t mm_depth_scratch(size_t side, size_t kernel);

typedef struct mm_kernels {
    /* out = (x - mean) / sqrt(variance + eps) * weight + bias for each of `rows` rows of `width`
     * (biased variance). `out` is bf16 if out_bf16, else f32, and may be `x` itself. */
    void (*layer_norm)(void *out, int out_bf16, const float *x, const float *weight,
                       const float *bias, size_t rows, size_t width, float eps);

    /* `count` numbers to bf16 if out_bf16, else copied. */
    void (*convert)(void *out, int out_bf16, const float *x, size_t count);

    void (*depth)(const mm_depth *depth);

    void (*attention)(const mm_attention *attention); /* f32 */

    /* bf16: products of bf16 values, sums and softmax in f32; NULL where the CPU cannot. */
    void (*attention_bf16)(const mm_attention *attention);

    /* Each row of x [rows, width] as scale * (byte - MM_INT8_ZERO), the largest magnitude being
     * 127 scales. A row that is not finite has the scale NaN. NULL where the CPU has no AVX-512. */
    void (*quantize)(uint8_t *out, float *scales, const void *x, int x_bf16, size_t rows,
                     size_t width);
    void (*finish)(const mm_finish *finish); /* NULL where quantize is */
} mm_kernels;

/* The best for this CPU, as far as mm_engine_level goes. */
const mm_kernels *mm_kernels_get(void);

/* What they are compiled for: "plain C", "AVX2", "AVX-512", "AVX-512 with bf16". Static. */
const char *mm_kernels_name(const mm_kernels *kernels);

/* All of them that this CPU can run, the best last, for tests; NULL past the end. */
const mm_kernels *mm_kernels_at(size_t index);

/* A float to bfloat16, rounded to nearest even; NaN stays NaN. */
static inline uint16_t mm_bf16_from_f32(float value) {
    union {
        float f;
        uint32_t u;
    } bits = {value};
    if ((bits.u & 0x7fffffffu) > 0x7f800000u)
        return (uint16_t)(bits.u >> 16 | 0x40u);
    return (uint16_t)((bits.u + 0x7fffu + (bits.u >> 16 & 1u)) >> 16);
}

#endif
