/* block.c - pre-norm transformer layers as CLIP has them: x += attention(norm1(x)), x +=
 * mlp(norm2(x)). In the last layer only the pooled rows are carried on, since nothing else is read
 * after it; unless the features of all rows are asked for, which leave out its attention. */
#include "clip/block.h"

#include "clip/tower.h"

#include <string.h>

void mm_tower_measure(mm_needs *needs, const mm_tower_config *config, int bf16, size_t rows) {
    size_t width = (size_t)config->width, size = mm_activation_size(bf16);
    *needs = (mm_needs){.x = rows * width * sizeof(float),
                        .h = rows * width * size,
                        .qkv = rows * 3 * width * size,
                        .mlp = rows * (size_t)config->mlp_width * size,
                        .pooled = rows * width * sizeof(float)};
}

void mm_lane_share(size_t *first, size_t *last, const mm_lane *lane, size_t count) {
    *first = count * (size_t)lane->rank / (size_t)lane->size;
    *last = count * (size_t)(lane->rank + 1) / (size_t)lane->size;
}

void mm_lane_meet(const mm_lane *lane) {
    if (lane->size > 1)
        mm_barrier_wait(lane->barrier);
}

/* Where lanes share outputs, one needs after each product what the others made of it. */
static void meet_by_outputs(const mm_lane *lane) {
    if (lane->by_outputs)
        mm_lane_meet(lane);
}

/* `outputs` of a dense layer for `rows` rows; x and y are where the first row begins. */
static void run_dense(mm_lane *lane, const mm_matrix *matrix, mm_outputs outputs, mm_post post,
                      const void *x, void *y, int y_bf16, size_t rows) {
    void *to = (char *)y + outputs.first * mm_activation_size(y_bf16);
    if (mm_matrix_precision(matrix) == MMOOD_PRECISION_INT8) {
        mm_int8_dense dense = {.matrix = matrix,
                               .outputs = outputs,
                               .post = post,
                               .x = x,
                               .x_bf16 = lane->bf16,
                               .y = to,
                               .y_bf16 = y_bf16,
                               .stride = mm_matrix_outputs(matrix),
                               .rows = rows};
        lane->status = mm_int8_run(&dense, lane->gemm, lane->kernels, lane->int8, &lane->error);
    } else {
        lane->status = mm_gemm_run_outputs(lane->gemm, matrix, outputs, post, x, to, y_bf16,
                                           mm_matrix_outputs(matrix), rows, &lane->error);
    }
}

void mm_lane_dense(mm_lane *lane, const mm_matrix *matrix, mm_post post, const void *x, void *y,
                   int y_bf16, size_t first, size_t last) {
    if (lane->status != MMOOD_OK || first >= last)
        return;
    size_t rows = last - first, outputs = mm_matrix_outputs(matrix);
    if (lane->size == 1)
        rows = (rows + lane->row_step - 1) / lane->row_step * lane->row_step;
    run_dense(lane, matrix, (mm_outputs){0, outputs}, post,
              (const char *)x + first * mm_matrix_inputs(matrix) * mm_activation_size(lane->bf16),
              (char *)y + first * outputs * mm_activation_size(y_bf16), y_bf16, rows);
}

/* The same, shared as the team shares its chunk: rows first .. last, which are this lane's, or, by
 * outputs, everybody's. */
static void dense(mm_lane *lane, const mm_matrix *matrix, mm_post post, const void *x, void *y,
                  int y_bf16, size_t first, size_t last) {
    if (!lane->by_outputs) {
        mm_lane_dense(lane, matrix, post, x, y, y_bf16, first, last);
        return;
    }
    size_t from, to;
    mm_lane_share(&from, &to, lane, mm_matrix_panels(matrix));
    if (lane->status == MMOOD_OK && from < to)
        run_dense(lane, matrix, mm_matrix_share(matrix, from, to), post, x, y, y_bf16,
                  last - first);
    mm_lane_meet(lane);
}

/* Layer norm of rows first .. last of `x` into the same rows of `out`. */
static void norm(const mm_lane *lane, void *out, const float *x, const mm_norm *norm,
                 const mm_tower *tower, size_t first, size_t last) {
    size_t width = (size_t)tower->config.width;
    size_t size = mm_activation_size(lane->bf16);
    if (lane->status == MMOOD_OK && first < last)
        lane->kernels->layer_norm((char *)out + first * width * size, lane->bf16, x + first * width,
                                  norm->weight, norm->bias, last - first, width,
                                  (float)tower->config.layer_norm_eps);
}

/* This lane's share of (item, head) pairs. All rows of an item go to the same rows of h; or, with
 * `pooled_only`, its pooled row to row `item` of h. */
static void attend(const mm_lane *lane, const mm_tower *tower, const mm_item *items, size_t count,
                   int causal, int pooled_only) {
    const mm_activations *act = lane->activations;
    size_t width = (size_t)tower->config.width, heads = (size_t)tower->config.heads;
    size_t size = mm_activation_size(lane->bf16);
    size_t first, last;
    mm_lane_share(&first, &last, lane, count * heads);
    for (size_t unit = first; unit < last && lane->status == MMOOD_OK; unit++) {
        size_t i = unit / heads;
        const mm_item *item = &items[i];
        mm_attention job = {
            .qkv = (const char *)act->qkv + item->first * 3 * width * size,
            .tokens = item->tokens,
            .width = width,
            .head_size = width / heads,
            .head = unit % heads,
            .first_query = pooled_only ? item->pooled : 0,
            .queries = pooled_only ? 1 : item->tokens,
            .causal = causal,
            .out = (char *)act->h + (pooled_only ? i : item->first) * width * size,
            .scratch = lane->scratch,
        };
        if (lane->bf16)
            lane->kernels->attention_bf16(&job);
        else
            lane->kernels->attention(&job);
    }
}

static mm_post activation_post(mm_activation activation) {
    switch (activation) {
    case MM_ACT_QUICK_GELU:
        return MM_POST_QUICK_GELU;
    case MM_ACT_GELU:
        return MM_POST_GELU;
    case MM_ACT_GELU_NEW:
        return MM_POST_GELU_NEW;
    case MM_ACT_RELU6:
        return MM_POST_RELU6;
    }
    return MM_POST_NONE;
}

/* The second half of a layer on rows first .. last of x: attention's output projection and the MLP.
 */
static void finish_layer(mm_lane *lane, const mm_tower *tower, const mm_block *block, float *x,
                         size_t first, size_t last) {
    const mm_activations *act = lane->activations;
    dense(lane, block->out, MM_POST_ADD, act->h, x, 0, first, last);
    norm(lane, lane->normed, x, &block->norm2, tower, first, last);
    dense(lane, block->up, activation_post(tower->config.activation), lane->normed, act->mlp,
          lane->bf16, first, last);
    dense(lane, block->down, MM_POST_ADD, act->mlp, x, 0, first, last);
}

/* The last norm and the projection of rows first .. last of x, to the same rows of `embedding`. */
static void project(mm_lane *lane, const mm_tower *tower, const float *x, size_t first,
                    size_t last) {
    norm(lane, lane->normed, x, &tower->last, tower, first, last);
    dense(lane, tower->projection, MM_POST_NONE, lane->normed, lane->activations->embedding, 0,
          first, last);
}

/* Of `count` rows those that this lane works on. */
static void share_rows(size_t *first, size_t *last, const mm_lane *lane, size_t count) {
    *first = 0;
    *last = count;
    if (!lane->by_outputs)
        mm_lane_share(first, last, lane, count);
}

static size_t count_rows(const mm_item *items, size_t count) {
    return items[count - 1].first + items[count - 1].tokens;
}

/* This lane's share of the pooled rows, from x to `pooled`. */
static void pool(const mm_lane *lane, size_t width, const mm_item *items, size_t count) {
    const mm_activations *act = lane->activations;
    size_t first, last;
    mm_lane_share(&first, &last, lane, count);
    for (size_t j = first; j < last; j++)
        memcpy(act->pooled + j * width, act->x + (items[j].first + items[j].pooled) * width,
               width * sizeof *act->x);
}

/* All layers; with `pooled_only` the last one leaves nothing but the pooled rows, in `pooled`. */
static void run_layers(mm_lane *lane, const mm_tower *tower, const mm_item *items, size_t count,
                       int causal, int pooled_only) {
    const mm_activations *act = lane->activations;
    size_t first, last;
    share_rows(&first, &last, lane, count_rows(items, count));
    meet_by_outputs(lane); /* with the rows that the others put into x */
    for (int i = 0; i < tower->config.layers; i++) {
        const mm_block *block = &tower->blocks[i];
        int final = pooled_only && i + 1 == tower->config.layers;
        norm(lane, lane->normed, act->x, &block->norm1, tower, first, last);
        dense(lane, block->qkv, MM_POST_NONE, lane->normed, act->qkv, lane->bf16, first, last);
        if (!lane->by_outputs)
            mm_lane_meet(lane); /* attention reads all rows, and its output replaces h */
        attend(lane, tower, items, count, causal, final);
        if (final) {
            pool(lane, (size_t)tower->config.width, items, count);
            share_rows(&first, &last, lane, count);
        }
        mm_lane_meet(lane); /* the rest reads all heads */
        finish_layer(lane, tower, block, final ? act->pooled : act->x, first, last);
    }
}

void mm_tower_run(mm_lane *lane, const mm_tower *tower, const mm_item *items, size_t count,
                  int causal) {
    size_t first, last;
    run_layers(lane, tower, items, count, causal, 1);
    share_rows(&first, &last, lane, count);
    project(lane, tower, lane->activations->pooled, first, last);
}

/* The mean of an item's rows but the first, of which the last norm is taken before or after. */
static void average_item(const mm_lane *lane, const mm_tower *tower, const mm_item *item,
                         float *mean, int norm_after_pool) {
    size_t width = (size_t)tower->config.width, rows = item->tokens - 1;
    float eps = (float)tower->config.layer_norm_eps;
    float *x = lane->activations->x + (item->first + 1) * width;
    if (!norm_after_pool)
        lane->kernels->layer_norm(x, 0, x, tower->last.weight, tower->last.bias, rows, width, eps);
    memset(mean, 0, width * sizeof *mean);
    for (size_t row = 0; row < rows; row++)
        for (size_t i = 0; i < width; i++)
            mean[i] += x[row * width + i];
    for (size_t i = 0; i < width; i++)
        mean[i] /= (float)rows;
    if (norm_after_pool)
        lane->kernels->layer_norm(mean, 0, mean, tower->last.weight, tower->last.bias, 1, width,
                                  eps);
}

void mm_tower_run_mean(mm_lane *lane, const mm_tower *tower, const mm_item *items, size_t count,
                       int norm_after_pool) {
    const mm_activations *act = lane->activations;
    size_t width = (size_t)tower->config.width, size = mm_activation_size(lane->bf16), first, last;
    run_layers(lane, tower, items, count, 0, 0);
    mm_lane_meet(lane); /* an item's rows may be others' */
    mm_lane_share(&first, &last, lane, count);
    for (size_t j = first; j < last && lane->status == MMOOD_OK; j++) {
        float *mean = act->pooled + j * width;
        average_item(lane, tower, &items[j], mean, norm_after_pool);
        lane->kernels->convert((char *)act->h + j * width * size, lane->bf16, mean, width);
    }
    mm_lane_meet(lane);
    share_rows(&first, &last, lane, count);
    dense(lane, tower->projection, MM_POST_NONE, act->h, act->embedding, 0, first, last);
}

/* The values that the last layer computed for this lane's share of `count` rows, to the same rows
 * of h. */
static void copy_values(const mm_lane *lane, size_t width, size_t count) {
    const mm_activations *act = lane->activations;
    size_t size = width * mm_activation_size(lane->bf16), first, last;
    mm_lane_share(&first, &last, lane, count);
    for (size_t row = first; row < last; row++)
        memcpy((char *)act->h + row * size, (const char *)act->qkv + (3 * row + 2) * size, size);
}

void mm_tower_run_values(mm_lane *lane, const mm_tower *tower, const mm_item *items, size_t count) {
    const mm_activations *act = lane->activations;
    size_t rows = count_rows(items, count), first, last;
    share_rows(&first, &last, lane, rows);
    mm_lane_meet(lane); /* h, mlp and embedding still hold the pooled rows of other lanes */
    copy_values(lane, (size_t)tower->config.width, rows);
    meet_by_outputs(lane);
    finish_layer(lane, tower, &tower->blocks[tower->config.layers - 1], act->x, first, last);
    project(lane, tower, act->x, first, last);
}
