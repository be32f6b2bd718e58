/* convnet.c - running the steps of a convolutional tower over one image. */
#include "clip/convnet.h"

#include <math.h>
#include <string.h>

/* The maps of one run; those of activation precision as bytes. */
typedef struct maps {
    void *of[MM_MAP_COUNT];
    size_t size[MM_MAP_COUNT]; /* bytes of a number */
} maps;

static maps take_maps(const mm_lane *lane, float *x) {
    const mm_activations *act = lane->activations;
    size_t half = mm_activation_size(lane->bf16);
    return (maps){{x, act->pooled, act->h, act->mlp, act->qkv},
                  {sizeof(float), sizeof(float), half, half, half}};
}

static int is_bf16(const mm_lane *lane, mm_feature_map map) {
    return lane->bf16 && map != MM_MAP_X && map != MM_MAP_Y;
}

/* ---- Convolutions over all channels -------------------------------------------------------- */

/* `count` pixels of a crop, normalised. */
static void put_pixels(void *out, const mmood_model *model, const uint8_t *pixels, size_t count,
                       int bf16) {
    for (size_t i = 0; i < 3 * count; i++) {
        if (bf16)
            ((uint16_t *)out)[i] = model->pixels_bf16[i % 3][pixels[i]];
        else
            ((float *)out)[i] = model->pixels[i % 3][pixels[i]];
    }
}

/* The numbers around results first .. last, one row [kernel, kernel, inputs] each, to the same rows
 * of H. `map` is NULL for the pixels of `crop`. */
static void gather(const mm_lane *lane, const mm_step *s, const mmood_model *model,
                   const uint8_t *crop, const char *map, char *out, size_t first, size_t last) {
    size_t size = mm_activation_size(lane->bf16), pixel = s->inputs * size;
    size_t row = s->kernel * s->kernel * pixel;
    for (size_t i = first; i < last; i++) {
        size_t top = i / s->result_side * s->stride, left = i % s->result_side * s->stride;
        for (size_t y = 0; y < s->kernel; y++) {
            char *to = out + i * row + y * s->kernel * pixel;
            size_t from = left < s->pad ? s->pad - left : 0, count = s->kernel; /* columns */
            if (left + count > s->side + s->pad)
                count = s->side + s->pad - left;
            if (top + y < s->pad || top + y - s->pad >= s->side)
                from = count = 0;
            memset(to, 0, from * pixel);
            memset(to + count * pixel, 0, (s->kernel - count) * pixel);
            if (from == count)
                continue;
            size_t at = (top + y - s->pad) * s->side + left + from - s->pad;
            if (map)
                memcpy(to + from * pixel, map + at * pixel, (count - from) * pixel);
            else
                put_pixels(to + from * pixel, model, crop + 3 * at, count - from, lane->bf16);
        }
    }
}

static void run_dense(mm_lane *lane, const mm_step *s, const maps *m, const mmood_model *model,
                      const uint8_t *crop) {
    size_t first, last;
    mm_lane_share(&first, &last, lane, s->result_side * s->result_side);
    gather(lane, s, model, crop, crop ? NULL : m->of[s->from], m->of[MM_MAP_H], first, last);
    mm_lane_dense(lane, s->matrix, s->post, m->of[MM_MAP_H], m->of[s->to], is_bf16(lane, s->to),
                  first, last);
}

static void run_point(mm_lane *lane, const mm_step *s, const maps *m) {
    size_t first, last;
    const void *x = m->of[s->from];
    mm_lane_share(&first, &last, lane, s->side * s->side);
    if (lane->bf16 && !is_bf16(lane, s->from)) {
        x = m->of[MM_MAP_H];
        lane->kernels->convert((uint16_t *)m->of[MM_MAP_H] + first * s->inputs, 1,
                               (const float *)m->of[s->from] + first * s->inputs,
                               (last - first) * s->inputs);
    }
    mm_lane_dense(lane, s->matrix, s->post, x, m->of[s->to], is_bf16(lane, s->to), first, last);
}

/* ---- Channel by channel -------------------------------------------------------------------- */

static void run_depth(const mm_lane *lane, const mm_step *s, const maps *m) {
    mm_depth job = {.x = m->of[s->from],
                    .x_bf16 = is_bf16(lane, s->from),
                    .side = s->side,
                    .inputs = s->inputs,
                    .weights = s->weights,
                    .outputs = s->outputs,
                    .stride = mm_depth_stride(s->outputs),
                    .kernel = s->kernel,
                    .step = s->stride,
                    .pad = s->pad,
                    .result_side = s->result_side,
                    .post = s->post,
                    .y = m->of[s->to],
                    .y_bf16 = is_bf16(lane, s->to),
                    .scratch = lane->scratch};
    mm_lane_share(&job.first, &job.last, lane, s->result_side);
    if (job.first < job.last)
        lane->kernels->depth(&job);
}

/* The mean of each channel over `rows` rows, f32 or bf16. */
static void average(float *mean, const void *x, int bf16, size_t rows, size_t channels) {
    memset(mean, 0, channels * sizeof *mean);
    for (size_t row = 0; row < rows; row++) {
        const uint16_t *half = (const uint16_t *)x + row * channels;
        const float *f32 = (const float *)x + row * channels;
        for (size_t i = 0; i < channels && !bf16; i++)
            mean[i] += f32[i];
        for (size_t i = 0; i < channels && bf16; i++) {
            uint32_t bits = (uint32_t)half[i] << 16;
            float value;
            memcpy(&value, &bits, sizeof value);
            mean[i] += value;
        }
    }
    for (size_t i = 0; i < channels; i++)
        mean[i] /= (float)rows;
}

/* y = W x + b for one row in f32. */
static void small_dense(float *y, const float *weights, const float *bias, const float *x,
                        size_t outputs, size_t inputs) {
    for (size_t o = 0; o < outputs; o++) {
        float sum = bias[o];
        for (size_t i = 0; i < inputs; i++)
            sum += weights[o * inputs + i] * x[i];
        y[o] = sum;
    }
}

/* Every lane computes the whole gate, which is cheaper than waiting for one that does. */
static void run_gate(const mm_lane *lane, const mm_step *s, const maps *m) {
    size_t stride = mm_depth_stride(s->outputs);
    float *gate = lane->scratch, *mean = gate + 2 * stride, *narrow = mean + s->inputs;
    size_t used = 2 * stride + s->inputs + s->reduced;
    int bf16 = is_bf16(lane, s->from);
    average(mean, m->of[s->from], bf16, s->side * s->side, s->inputs);
    small_dense(narrow, s->reduce, s->reduce_bias, mean, s->reduced, s->inputs);
    for (size_t i = 0; i < s->reduced; i++)
        narrow[i] = narrow[i] > 0 ? narrow[i] : 0;
    memset(gate, 0, 2 * stride * sizeof *gate);
    small_dense(gate, s->expand, s->expand_bias, narrow, s->outputs, s->reduced);
    for (size_t i = 0; i < s->outputs; i++)
        gate[i] = 1 / (1 + expf(-gate[i]));
    mm_lane_meet(lane); /* all have read the map that is scaled now */
    mm_depth job = {.x = m->of[s->from],
                    .x_bf16 = bf16,
                    .side = s->side,
                    .inputs = s->inputs,
                    .weights = gate,
                    .outputs = s->outputs,
                    .stride = stride,
                    .kernel = 1,
                    .step = 1,
                    .result_side = s->side,
                    .post = s->post,
                    .y = m->of[s->to],
                    .y_bf16 = bf16,
                    .scratch = lane->scratch + (used + 15) / 16 * 16};
    mm_lane_share(&job.first, &job.last, lane, s->side);
    if (job.first < job.last)
        lane->kernels->depth(&job);
}

/* ---- Row by row ---------------------------------------------------------------------------- */

static void run_norm(const mm_lane *lane, const mm_step *s, const maps *m, float eps) {
    size_t first, last;
    mm_lane_share(&first, &last, lane, s->side * s->side);
    if (first < last)
        lane->kernels->layer_norm((char *)m->of[s->to] + first * s->outputs * m->size[s->to],
                                  is_bf16(lane, s->to),
                                  (const float *)m->of[s->from] + first * s->inputs, s->norm.weight,
                                  s->norm.bias, last - first, s->outputs, eps);
}

static void run_attention(const mm_lane *lane, const mm_step *s, const maps *m) {
    size_t first, last;
    mm_lane_share(&first, &last, lane, s->heads);
    for (size_t head = first; head < last; head++) {
        mm_attention job = {.qkv = m->of[s->from],
                            .tokens = s->side * s->side,
                            .width = s->outputs,
                            .head_size = s->outputs / s->heads,
                            .head = head,
                            .queries = s->side * s->side,
                            .out = m->of[s->to],
                            .scratch = lane->scratch};
        if (lane->bf16)
            lane->kernels->attention_bf16(&job);
        else
            lane->kernels->attention(&job);
    }
}

void mm_convnet_run(mm_lane *lane, const mm_convnet *net, const mmood_model *model,
                    const uint8_t *crop, float *x) {
    const maps m = take_maps(lane, x);
    for (size_t i = 0; i < net->count; i++) {
        const mm_step *s = &net->steps[i];
        if (lane->status == MMOOD_OK)
            switch (s->kind) {
            case MM_STEP_DENSE:
                run_dense(lane, s, &m, model, i == 0 ? crop : NULL);
                break;
            case MM_STEP_POINT:
                run_point(lane, s, &m);
                break;
            case MM_STEP_DEPTH:
                run_depth(lane, s, &m);
                break;
            case MM_STEP_GATE:
                run_gate(lane, s, &m);
                break;
            case MM_STEP_NORM:
                run_norm(lane, s, &m, (float)model->config.vision.layer_norm_eps);
                break;
            case MM_STEP_ATTENTION:
                run_attention(lane, s, &m);
                break;
            }
        else if (s->kind == MM_STEP_GATE)
            mm_lane_meet(lane);
        mm_lane_meet(lane);
    }
}

/* ---- Whole towers -------------------------------------------------------------------------- */

static size_t max_size(size_t a, size_t b) {
    return a > b ? a : b;
}

void mm_convnet_measure(mm_needs *needs, const mm_convnet *net, int bf16) {
    size_t half = mm_activation_size(bf16);
    needs->x = max_size(needs->x, net->elements[MM_MAP_X] * sizeof(float));
    needs->pooled = max_size(needs->pooled, net->elements[MM_MAP_Y] * sizeof(float));
    needs->h = max_size(needs->h, net->elements[MM_MAP_H] * half);
    needs->mlp = max_size(needs->mlp, net->elements[MM_MAP_A] * half);
    needs->qkv = max_size(needs->qkv, net->elements[MM_MAP_B] * half);
    needs->scratch = max_size(needs->scratch, net->scratch);
}

/* An image counts as so many rows that it has a chunk of its own, and that a team is worth while:
 * the pixels of the middle maps. */
size_t mm_convnet_rows(const mm_clip_config *config) {
    size_t side = (size_t)config->image_size / 8;
    return max_size(side * side, 400);
}

void mm_convnet_measure_tower(mm_needs *needs, const mmood_model *model, size_t rows) {
    const mm_convnet *net = model->weights->net;
    (void)rows;
    *needs = (mm_needs){0};
    mm_convnet_measure(needs, net, model->bf16);
    needs->embedding = net->side * net->side * (size_t)model->config.dimension * sizeof(float);
}

/* Rows first .. last, of activation precision, through the head to the same rows of `embedding`. */
static void run_head(mm_lane *lane, const mm_convnet *net, const void *rows, size_t first,
                     size_t last) {
    const mm_activations *act = lane->activations;
    if (net->hidden) {
        void *hidden = net->result == MM_MAP_B ? act->mlp : act->qkv;
        mm_lane_dense(lane, net->hidden, MM_POST_GELU, rows, hidden, lane->bf16, first, last);
        rows = hidden;
    }
    mm_lane_dense(lane, net->projection, MM_POST_NONE, rows, act->embedding, 0, first, last);
}

void mm_convnet_embed(mm_lane *lane, const mmood_model *model, const uint8_t *const *crops,
                      const mm_item *items, size_t count) {
    const mm_convnet *net = model->weights->net;
    const mm_activations *act = lane->activations;
    size_t first, last;
    (void)items;
    (void)count; /* an image has a chunk of its own */
    mm_convnet_run(lane, net, model, crops[0], act->x);
    mm_lane_share(&first, &last, lane, 1);
    if (first == last || lane->status != MMOOD_OK)
        return;
    const maps m = take_maps(lane, act->x);
    float *mean = net->projection ? lane->scratch : act->embedding;
    average(mean, m.of[net->result], is_bf16(lane, net->result), net->side * net->side,
            net->channels);
    if (net->projection) {
        void *row = net->result == MM_MAP_H ? m.of[MM_MAP_A] : m.of[MM_MAP_H];
        lane->kernels->convert(row, lane->bf16, mean, net->channels);
        run_head(lane, net, row, 0, 1);
    }
}

/* The head over each pixel of the last map: with a linear head the embedding is their mean, but for
 * the bias. */
void mm_convnet_embed_patches(mm_lane *lane, const mmood_model *model, const mm_item *items,
                              size_t count) {
    const mm_convnet *net = model->weights->net;
    const mm_activations *act = lane->activations;
    const maps m = take_maps(lane, act->x);
    size_t first, last, c = net->channels;
    (void)items;
    (void)count;
    mm_lane_meet(lane); /* the embedding has been read */
    mm_lane_share(&first, &last, lane, net->side * net->side);
    const char *rows = m.of[net->result];
    if (lane->status != MMOOD_OK || first == last)
        return;
    if (!net->projection) {
        size_t size = m.size[net->result];
        for (size_t row = first; row < last; row++) {
            float *out = act->embedding + row * c;
            average(out, rows + row * c * size, is_bf16(lane, net->result), 1, c);
        }
        return;
    }
    if (lane->bf16 && !is_bf16(lane, net->result)) {
        lane->kernels->convert((uint16_t *)m.of[MM_MAP_H] + first * c, 1,
                               (const float *)m.of[net->result] + first * c, (last - first) * c);
        rows = m.of[MM_MAP_H];
    }
    run_head(lane, net, rows, first, last);
}
