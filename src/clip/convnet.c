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

/* One image on its way through the steps. */
typedef struct passage {
    mm_lane *lane;
    const mm_step *steps;
    const mmood_model *model;
    const uint8_t *crop;
    maps maps;
} passage;

/* Rows of a map, from `first` on. */
typedef struct window {
    char *rows;
    size_t first;
} window;

static window whole(const passage *p, mm_feature_map map) {
    return (window){p->maps.of[map], 0};
}

/* ---- Convolutions over all channels -------------------------------------------------------- */

/* `count` pixels of a crop, normalised. */
static void put_pixels(void *out, const mmood_model *model, const uint8_t *pixels, size_t count,
                       int bf16) {
    uint16_t *half = out;
    float *f32 = out;
    for (size_t i = 0; i < 3 * count; i += 3)
        for (size_t c = 0; c < 3; c++) {
            if (bf16)
                half[i + c] = model->pixels_bf16[c][pixels[i + c]];
            else
                f32[i + c] = model->pixels[c][pixels[i + c]];
        }
}

/* Row `y` of what a step reads, padded: [side + 2 * kernel, inputs]. The first reads pixels. */
static void load_line(char *out, const passage *p, const mm_step *s, size_t y) {
    size_t pixel = s->inputs * mm_activation_size(p->lane->bf16), row = s->side * pixel;
    size_t before = s->pad * pixel, length = (s->side + 2 * s->kernel) * pixel;
    if (y < s->pad || y - s->pad >= s->side) {
        memset(out, 0, length);
        return;
    }
    y -= s->pad;
    memset(out, 0, before);
    memset(out + before + row, 0, length - before - row);
    if (s == p->steps)
        put_pixels(out + before, p->model, p->crop + y * s->side * 3, s->side, p->lane->bf16);
    else
        memcpy(out + before, (const char *)p->maps.of[s->from] + y * row, row);
}

/* `count` pieces of `size` bytes, `from_step` apart, to where they are `to_step` apart. Copies of a
 * size that is known are a few instructions. */
static void scatter(char *to, size_t to_step, const char *from, size_t from_step, size_t size,
                    size_t count) {
    enum { F32 = 9 * sizeof(float), BF16 = 9 * sizeof(uint16_t) }; /* three pixels */
    if (size == F32)
        for (size_t i = 0; i < count; i++)
            memcpy(to + i * to_step, from + i * from_step, F32);
    else if (size == BF16)
        for (size_t i = 0; i < count; i++)
            memcpy(to + i * to_step, from + i * from_step, BF16);
    else
        for (size_t i = 0; i < count; i++)
            memcpy(to + i * to_step, from + i * from_step, size);
}

/* The numbers around results first .. last, one row [kernel, kernel, inputs] each. */
static void gather(const passage *p, const mm_step *s, char *out, size_t first, size_t last) {
    size_t pixel = s->inputs * mm_activation_size(p->lane->bf16), piece = s->kernel * pixel;
    size_t length = (s->side + 2 * s->kernel) * pixel;
    size_t loaded = 0; /* lines before this one are in their places, or have been */
    for (size_t at = first, end; at < last; at = end) {
        size_t top = at / s->result_side * s->stride, x = at % s->result_side;
        end = last - at < s->result_side - x ? last : at + s->result_side - x;
        for (size_t y = top; y < top + s->kernel; y++) {
            char *line = (char *)p->lane->scratch + y % s->kernel * length;
            if (y >= loaded)
                load_line(line, p, s, y);
            loaded = y >= loaded ? y + 1 : loaded;
            scatter(out + ((at - first) * s->kernel + y - top) * piece, s->kernel * piece,
                    line + x * s->stride * pixel, s->stride * pixel, piece, end - at);
        }
    }
}

/* ---- Steps, for some of their results ------------------------------------------------------ */

/* Pixels first .. last of a convolution over all channels. */
static void run_dense(const passage *p, const mm_step *s, window to, size_t first, size_t last) {
    size_t row = s->kernel * s->kernel * s->inputs * mm_activation_size(p->lane->bf16);
    char *x = (char *)p->maps.of[MM_MAP_H] + first * row; /* a lane's own place */
    char *y = to.rows + (first - to.first * s->result_side) * s->outputs * p->maps.size[s->to];
    gather(p, s, x, first, last);
    mm_lane_dense(p->lane, s->matrix, s->post, x, y, is_bf16(p->lane, s->to), 0, last - first);
}

/* Pixels first .. last of a 1 x 1 convolution. */
static void run_point(const passage *p, const mm_step *s, window from, window to, size_t first,
                      size_t last) {
    const mm_lane *lane = p->lane;
    const char *x = from.rows + (first - from.first * s->side) * s->inputs * p->maps.size[s->from];
    char *y = to.rows + (first - to.first * s->side) * s->outputs * p->maps.size[s->to];
    if (lane->bf16 && !is_bf16(lane, s->from)) {
        uint16_t *half = (uint16_t *)p->maps.of[MM_MAP_H] + first * s->inputs;
        lane->kernels->convert(half, 1, (const float *)(const void *)x, (last - first) * s->inputs);
        x = (const char *)half;
    }
    mm_lane_dense(p->lane, s->matrix, s->post, x, y, is_bf16(lane, s->to), 0, last - first);
}

/* Rows first .. last of a depthwise convolution. */
static void run_depth(const passage *p, const mm_step *s, window from, window to, size_t first,
                      size_t last) {
    const mm_lane *lane = p->lane;
    const mm_depth job = {.x = from.rows,
                          .x_first = from.first,
                          .x_bf16 = is_bf16(lane, s->from),
                          .side = s->side,
                          .inputs = s->inputs,
                          .weights = s->weights,
                          .outputs = s->outputs,
                          .stride = mm_depth_stride(s->outputs),
                          .kernel = s->kernel,
                          .step = s->stride,
                          .pad = s->pad,
                          .first = first,
                          .last = last,
                          .result_side = s->result_side,
                          .post = s->post,
                          .y = to.rows,
                          .y_first = to.first,
                          .y_bf16 = is_bf16(lane, s->to),
                          .scratch = lane->scratch};
    lane->kernels->depth(&job);
}

static void run_rows(const passage *p, const mm_step *s, window from, window to, size_t first,
                     size_t last) {
    if (s->kind == MM_STEP_DEPTH)
        run_depth(p, s, from, to, first, last);
    else if (s->kind == MM_STEP_DENSE)
        run_dense(p, s, to, first * s->result_side, last * s->result_side);
    else
        run_point(p, s, from, to, first * s->side, last * s->side);
}

/* A lane's share of a step: of a depthwise convolution's rows, else of its pixels. */
static void run_share(const passage *p, const mm_step *s) {
    size_t first, last, depth = s->kind == MM_STEP_DEPTH;
    mm_lane_share(&first, &last, p->lane, s->result_side * (depth ? 1 : s->result_side));
    if (first == last)
        return;
    window from = whole(p, s->from), to = whole(p, s->to);
    if (depth)
        run_depth(p, s, from, to, first, last);
    else if (s->kind == MM_STEP_DENSE)
        run_dense(p, s, to, first, last);
    else
        run_point(p, s, from, to, first, last);
}

/* ---- Chains -------------------------------------------------------------------------------- */

/* Forgets the rows of a window before `first`; those up to `done` are moved to its beginning. */
static void slide(window *w, size_t first, size_t done, size_t row_size) {
    if (first > w->first && done > first)
        memmove(w->rows, w->rows + (first - w->first) * row_size, (done - first) * row_size);
    if (first > w->first)
        w->first = first;
}

/* Steps that follow each other, a strip of rows at a time, so that what lies between them stays in
 * the second cache: of those maps only the rows that are still needed are there. */
static void run_chain(const passage *p, const mm_step *steps) {
    size_t count = steps->chain, end = steps[count - 1].result_side;
    window to[MM_CHAIN] = {{0}};
    size_t done[MM_CHAIN] = {0}, first[MM_CHAIN], last[MM_CHAIN];
    for (size_t i = 0; i < count; i++)
        to[i] = whole(p, steps[i].to);
    for (size_t at = 0; at < end && p->lane->status == MMOOD_OK; at = last[count - 1]) {
        first[count - 1] = at;
        last[count - 1] = at + steps->strip < end ? at + steps->strip : end;
        for (size_t i = count - 1; i > 0; i--)
            mm_step_reads(&first[i - 1], &last[i - 1], &steps[i], first[i], last[i]);
        for (size_t i = 0; i < count; i++) {
            const mm_step *s = &steps[i];
            if (i + 1 < count)
                slide(&to[i], first[i], done[i], s->result_side * s->outputs * p->maps.size[s->to]);
            size_t begin = done[i] > first[i] ? done[i] : first[i];
            if (begin < last[i])
                run_rows(p, s, i ? to[i - 1] : whole(p, s->from), to[i], begin, last[i]);
            done[i] = last[i];
        }
    }
}

/* ---- Channel by channel -------------------------------------------------------------------- */

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

static void run_step(const passage *p, const mm_step *s) {
    switch (s->kind) {
    case MM_STEP_DENSE:
    case MM_STEP_POINT:
    case MM_STEP_DEPTH:
        run_share(p, s);
        break;
    case MM_STEP_GATE:
        run_gate(p->lane, s, &p->maps);
        break;
    case MM_STEP_NORM:
        run_norm(p->lane, s, &p->maps, (float)p->model->config.vision.layer_norm_eps);
        break;
    case MM_STEP_ATTENTION:
        run_attention(p->lane, s, &p->maps);
        break;
    }
}

void mm_convnet_run(mm_lane *lane, const mm_convnet *net, const mmood_model *model,
                    const uint8_t *crop, float *x) {
    const passage p = {lane, net->steps, model, crop, take_maps(lane, x)};
    for (size_t i = 0, count; i < net->count; i += count) {
        const mm_step *s = &net->steps[i];
        count = 1;
        if (lane->status == MMOOD_OK && lane->size == 1 && s->chain > 1) {
            count = s->chain;
            run_chain(&p, s);
        } else if (lane->status == MMOOD_OK) {
            run_step(&p, s);
        } else if (s->kind == MM_STEP_GATE) {
            mm_lane_meet(lane);
        }
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

/* patch_size is a product of strides of 2, each of which rounds up. */
size_t mm_convnet_patches(const mm_clip_config *config) {
    size_t side = (size_t)config->image_size;
    for (int stride = config->patch_size; stride > 1; stride /= 2)
        side = (side + 1) / 2;
    return side * side;
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
