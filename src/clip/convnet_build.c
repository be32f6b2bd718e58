/* convnet_build.c - listing the steps of a convolutional tower. */
#include "clip/convnet.h"

#include "base/error.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

/* The largest of the families, fastvit_mci4, has 260. */
enum { MAX_STEPS = 512 };

void mm_convnet_free(mm_convnet *net) {
    if (!net)
        return;
    free(net->steps);
    free(net);
}

mmood_status mm_convnet_begin(mm_convnet_builder *b, mm_convnet **out, mm_plan *plan, size_t side,
                              mmood_error *error) {
    mm_convnet *net = calloc(1, sizeof *net);
    if (net)
        net->steps = calloc(MAX_STEPS, sizeof *net->steps); /* the plan points into it */
    if (!net || !net->steps) {
        free(net);
        return mm_error_set(error, MMOOD_ERROR_MEMORY, "no memory for the model's layers");
    }
    *out = net;
    *b = (mm_convnet_builder){.net = net, .plan = plan, .side = side, .channels = 3};
    return MMOOD_OK;
}

static void need(size_t *size, size_t least) {
    if (*size < least)
        *size = least;
}

static mm_step *add_step(mm_convnet_builder *b, mm_step_kind kind, mm_feature_map to,
                         size_t outputs, size_t result_side) {
    mm_convnet *net = b->net;
    if (net->count == MAX_STEPS) {
        b->plan->failed = 1;
        net->count--;
    }
    mm_step *step = &net->steps[net->count++];
    *step = (mm_step){.kind = kind,
                      .from = b->map,
                      .to = to,
                      .side = b->side,
                      .inputs = b->channels,
                      .result_side = result_side,
                      .outputs = outputs};
    need(&net->elements[to], result_side * result_side * outputs);
    b->map = net->result = to;
    b->side = net->side = result_side;
    b->channels = net->channels = outputs;
    return step;
}

/* Results of a convolution that may reach over the end of the map by as many rows of zeros as
 * before it, or by one less or more where SAME asks for that. */
static size_t result_side(size_t side, size_t kernel, size_t stride, size_t pad) {
    return pad == 0 && kernel == stride ? side / stride : (side + stride - 1) / stride;
}

mm_entry *mm_convnet_dense(mm_convnet_builder *b, mm_feature_map to, size_t outputs, size_t kernel,
                           size_t stride, size_t pad, mm_post post) {
    size_t result = result_side(b->side, kernel, stride, pad), inputs = b->channels;
    need(&b->net->scratch, kernel * (b->side + 2 * kernel) * inputs); /* rows to gather from */
    mm_step *step = add_step(b, MM_STEP_DENSE, to, outputs, result);
    step->kernel = kernel;
    step->stride = stride;
    step->pad = pad;
    step->post = post;
    need(&b->net->elements[MM_MAP_H], result * result * inputs * kernel * kernel);
    mm_entry *e = mm_plan_matrix(b->plan, &step->matrix, outputs, inputs, kernel);
    e->summed = 1;
    e->sensitive = 1;
    return e;
}

mm_entry *mm_convnet_point(mm_convnet_builder *b, mm_feature_map to, size_t outputs, mm_post post) {
    size_t inputs = b->channels;
    if (b->map == MM_MAP_X || b->map == MM_MAP_Y)
        need(&b->net->elements[MM_MAP_H], b->side * b->side * inputs);
    mm_step *step = add_step(b, MM_STEP_POINT, to, outputs, b->side);
    step->post = post;
    mm_entry *e = mm_plan_matrix(b->plan, &step->matrix, outputs, inputs, 1);
    e->summed = 1;
    e->sensitive = 1;
    return e;
}

mm_entry *mm_convnet_depth(mm_convnet_builder *b, mm_feature_map to, size_t outputs, size_t kernel,
                           size_t stride, size_t pad, mm_post post) {
    size_t side = b->side;
    mm_step *step = add_step(b, MM_STEP_DEPTH, to, outputs, result_side(side, kernel, stride, pad));
    step->kernel = kernel;
    step->stride = stride;
    step->pad = pad;
    step->post = post;
    need(&b->net->scratch, mm_depth_scratch(side, kernel));
    return mm_plan_depth(b->plan, &step->weights, outputs, kernel);
}

void mm_convnet_gate(mm_convnet_builder *b, size_t reduced, mm_post post, const char *name, ...) {
    char prefix[MM_NAME - 16];
    va_list arguments;
    va_start(arguments, name);
    vsnprintf(prefix, sizeof prefix, name, arguments);
    va_end(arguments);
    size_t channels = b->channels;
    mm_step *step = add_step(b, MM_STEP_GATE, b->map, channels, b->side);
    step->post = post;
    step->reduced = reduced;
    mm_plan_vector(b->plan, &step->reduce, 2, reduced, channels, "%s.fc1.weight", prefix);
    mm_plan_vector(b->plan, &step->reduce_bias, 1, reduced, 0, "%s.fc1.bias", prefix);
    mm_plan_vector(b->plan, &step->expand, 2, channels, reduced, "%s.fc2.weight", prefix);
    mm_plan_vector(b->plan, &step->expand_bias, 1, channels, 0, "%s.fc2.bias", prefix);
    /* the gate as the weights of a 1 x 1 depthwise convolution, the means, the narrow layer */
    need(&b->net->scratch,
         mm_depth_scratch(b->side, 1) + 2 * mm_depth_stride(channels) + channels + reduced);
}

void mm_convnet_norm(mm_convnet_builder *b, mm_feature_map to, const char *name, ...) {
    char full[MM_NAME - 8];
    va_list arguments;
    va_start(arguments, name);
    vsnprintf(full, sizeof full, name, arguments);
    va_end(arguments);
    mm_step *step = add_step(b, MM_STEP_NORM, to, b->channels, b->side);
    mm_plan_norm(b->plan, &step->norm, step->outputs, "%s", full);
}

void mm_convnet_attention(mm_convnet_builder *b, mm_feature_map to, size_t head_size) {
    size_t width = b->channels / 3;
    mm_step *step = add_step(b, MM_STEP_ATTENTION, to, width, b->side);
    step->heads = width / head_size;
    need(&b->net->scratch, mm_attention_scratch(b->side * b->side, head_size));
}

void mm_convnet_head(mm_convnet_builder *b, const mm_clip_config *config, const char *classifier) {
    mm_convnet *net = b->net;
    mm_convnet_chain(net);
    size_t dimension = (size_t)config->dimension, inputs = net->channels;
    int mlp = config->head == MM_HEAD_MLP, own = config->head == MM_HEAD_CLASSIFIER;
    need(&net->elements[MM_MAP_H], net->side * net->side * inputs); /* of a result in X or Y */
    need(&net->elements[MM_MAP_A], inputs); /* of the mean of a result in H */
    need(&net->scratch, inputs);
    if (config->head == MM_HEAD_NONE)
        return;
    if (mlp) {
        mm_entry *e = mm_plan_matrix(b->plan, &net->hidden, 2 * dimension, inputs, 0);
        e->sensitive = 1;
        mm_part *part = mm_plan_part(b->plan, e, 0, "visual.head.mlp.fc1.weight");
        mm_plan_name(part->bias, "visual.head.mlp.fc1.bias");
        inputs = 2 * dimension;
        need(&net->elements[net->result == MM_MAP_B ? MM_MAP_A : MM_MAP_B],
             net->side * net->side * inputs);
    }
    const char *name = own ? classifier : mlp ? "visual.head.mlp.fc2" : "visual.head.proj";
    mm_entry *e = mm_plan_matrix(b->plan, &net->projection, dimension, inputs, 0);
    e->sensitive = 1;
    mm_part *part = mm_plan_part(b->plan, e, 0, "%s.weight", name);
    if (own || config->head_bias)
        mm_plan_name(part->bias, "%s.bias", name);
}

size_t mm_convnet_same_pad(size_t side, size_t kernel, size_t stride) {
    size_t results = (side + stride - 1) / stride, reach = (results - 1) * stride + kernel;
    return reach > side ? (reach - side) / 2 : 0;
}
