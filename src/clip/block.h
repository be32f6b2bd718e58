/* block.h - running a transformer tower over a chunk of items, by one worker or a team of them.
 *
 * A chunk's items lie one below the other as rows of the activations, each as long as it is: no
 * padding. All but attention works row by row, so a team can share a chunk by ranges of rows; or,
 * if they would be few for each, by outputs: then each lane multiplies all rows with its part of
 * the weights, which it alone reads, and the team meets after each product. */
#ifndef MM_CLIP_BLOCK_H
#define MM_CLIP_BLOCK_H

#include "base/barrier.h"
#include "clip/int8.h"
#include "clip/kernels.h"
#include "clip/weights.h"

/* One picture or text: rows first .. first + tokens; `pooled` is the row that becomes its
 * embedding. */
typedef struct mm_item {
    size_t first;
    size_t tokens;
    size_t pooled;
} mm_item;

/* Memory for the activations of one chunk. `void` holds bf16 in bf16 precision, else f32. */
typedef struct mm_activations {
    float *x;         /* [rows, width] the residual stream */
    void *h;          /* [rows, width] (layer norm's and attention's output) */
    void *qkv;        /* [rows, 3 * width] */
    void *mlp;        /* [rows, mlp width] (hidden layer; patches at the start) */
    float *pooled;    /* [rows, width] the pooled rows, in the last layer */
    float *embedding; /* [rows, dimension] the result, one row an item, then one a row of x */
} mm_activations;

/* Products of a ragged chunk are computed for a multiple of this many rows, so that few different
 * ones need compiling. The rows past the end hold leftovers that nothing reads. */
enum { MM_ROW_STEP = 16 };

/* One worker's part in a chunk: which of how many, its tools, and its first failure. */
typedef struct mm_lane {
    int rank;
    int size;
    mm_barrier *barrier; /* for size > 1 */
    int by_outputs;      /* the team shares outputs, not rows */
    const mm_kernels *kernels;
    mm_gemm *gemm;
    float *scratch; /* for attention */
    mm_int8_block *int8;
    mm_activations *activations;
    void *
        normed; /* what layer norm leaves: activations->h, or by outputs a lane's own of its size */
    size_t row_step; /* MM_ROW_STEP, or 1 for exact numbers of rows */
    int bf16;
    mmood_status status;
    mmood_error error;
} mm_lane;

/* This lane's share of `count` things: *first .. *last. */
void mm_lane_share(size_t *first, size_t *last, const mm_lane *lane, size_t count);

/* Waits for the other lanes of a team. A failed lane still meets the others, so that none waits for
 * ever. */
void mm_lane_meet(const mm_lane *lane);

/* A dense layer on rows first .. last of `x` into the same rows of `y`; does nothing after a
 * failure. */
void mm_lane_dense(mm_lane *lane, const mm_matrix *matrix, mm_post post, const void *x, void *y,
                   int y_bf16, size_t first, size_t last);

/* Runs all layers over the rows of `x`, then the last norm and the projection of the pooled rows:
 * activations->embedding [count, dimension], not yet of unit length. Each lane leaves its share of
 * the items there. All lanes of a team call it together. */
void mm_tower_run(mm_lane *lane, const mm_tower *tower, const mm_item *items, size_t count,
                  int causal);

/* The same with the mean of an item's rows but the first in place of the pooled row, and the last
 * norm taken of all rows or, if norm_after_pool, of the mean. Never causal. */
void mm_tower_run_mean(mm_lane *lane, const mm_tower *tower, const mm_item *items, size_t count,
                       int norm_after_pool);

/* The memory that layers need for `rows` rows, but for the embedding and scratch. */
typedef struct mm_needs mm_needs;
void mm_tower_measure(mm_needs *needs, const mm_tower_config *config, int bf16, size_t rows);

/* Continues after mm_tower_run or mm_tower_run_mean on the same items, when this lane has read its
 * share of the embeddings: the features of all rows by the last layer's value path, in which each
 * row attends to itself alone. activations->embedding becomes [rows, dimension], not yet of unit
 * length; each lane leaves its share of the rows there. All lanes of a team call it together. */
void mm_tower_run_values(mm_lane *lane, const mm_tower *tower, const mm_item *items, size_t count);

#endif
