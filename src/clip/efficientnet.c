/* efficientnet.c - EfficientNet-Lite (Tan and Le 2019; the Lite variants have ReLU6 and no
 * squeeze-and-excite) as timm's tf_efficientnet_lite0 to lite4: TensorFlow's SAME padding and batch
 * norms of 1e-3. */
#include "clip/convnet.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

enum { STEM = 32, FEATURES = 1280, STAGES = 7 };

/* Width and depth are multiplied, but for the stem, the first and last stage's depth and the last
 * features. */
static const struct variant {
    const char *name;
    double width, depth;
} variants[] = {{"tf_efficientnet_lite0", 1.0, 1.0},
                {"tf_efficientnet_lite1", 1.0, 1.1},
                {"tf_efficientnet_lite2", 1.1, 1.2},
                {"tf_efficientnet_lite3", 1.2, 1.4},
                {"tf_efficientnet_lite4", 1.4, 1.8}};

static const struct stage {
    size_t blocks, kernel, stride, expand, channels;
} stages[STAGES] = {{1, 3, 1, 1, 16},  {2, 3, 2, 6, 24},  {2, 5, 2, 6, 40}, {3, 3, 2, 6, 80},
                    {3, 5, 1, 6, 112}, {4, 5, 2, 6, 192}, {1, 3, 1, 6, 320}};

static const struct variant *find(const char *name) {
    for (size_t i = 0; i < sizeof variants / sizeof *variants; i++)
        if (strcmp(variants[i].name, name) == 0)
            return &variants[i];
    return NULL;
}

static int recognise(const char *name) {
    return find(name) != NULL;
}

/* A multiple of 8 near to it, and not below 0.9 of it. */
static size_t scale_channels(size_t channels, double factor) {
    double wanted = (double)channels * factor;
    size_t rounded = (size_t)(wanted + 4) / 8 * 8;
    if (rounded < 8)
        rounded = 8;
    return (double)rounded < 0.9 * wanted ? rounded + 8 : rounded;
}

static size_t scale_blocks(size_t stage, double factor) {
    size_t blocks = stages[stage].blocks;
    return stage == 0 || stage + 1 == STAGES ? blocks : (size_t)ceil((double)blocks * factor);
}

static mmood_status configure(mm_clip_config *config, mmood_error *error) {
    const struct variant *v = find(config->trunk);
    int layers = 0;
    (void)error;
    for (size_t i = 0; i < STAGES; i++)
        layers += (int)scale_blocks(i, v->depth);
    config->vision = (mm_tower_config){.width = FEATURES,
                                       .layers = layers,
                                       .activation = MM_ACT_RELU6,
                                       .layer_norm_eps = 1e-5,
                                       .naming = MM_NAMING_TIMM};
    config->patch_size = 32;
    return MMOOD_OK;
}

/* ---- Weights ------------------------------------------------------------------------------- */

/* A convolution, `block`.`conv`, whose batch norm is `block`.`norm`. */
static void name_parts(mm_convnet_builder *b, mm_entry *e, size_t kernel, const char *block,
                       const char *conv, const char *norm) {
    e->epsilon = 1e-3;
    mm_part *part = mm_plan_part(b->plan, e, kernel, "visual.trunk.%s%s.weight", block, conv);
    mm_plan_name(part->norm, "visual.trunk.%s%s.", block, norm);
}

/* Reads X, or at the very beginning A. Ends in X, which a block of stride 1 adds to. */
static void plan_block(mm_convnet_builder *b, const struct stage *stage, size_t channels,
                       size_t stride, const char *name) {
    int plain = stage->expand == 1, adds = stride == 1 && b->channels == channels;
    if (!plain)
        name_parts(b, mm_convnet_point(b, MM_MAP_A, b->channels * stage->expand, MM_POST_RELU6), 1,
                   name, "conv_pw", "bn1");
    size_t pad = mm_convnet_same_pad(b->side, stage->kernel, stride);
    name_parts(
        b, mm_convnet_depth(b, MM_MAP_B, b->channels, stage->kernel, stride, pad, MM_POST_RELU6),
        stage->kernel, name, "conv_dw", plain ? "bn1" : "bn2");
    name_parts(b, mm_convnet_point(b, MM_MAP_X, channels, adds ? MM_POST_ADD : MM_POST_NONE), 1,
               name, plain ? "conv_pw" : "conv_pwl", plain ? "bn2" : "bn3");
}

static mmood_status plan(mm_plan *p, mm_weights *w, const mm_clip_config *config,
                         mmood_error *error) {
    const struct variant *v = find(config->trunk);
    mm_convnet_builder b;
    mmood_status status = mm_convnet_begin(&b, &w->net, p, (size_t)config->image_size, error);
    if (status != MMOOD_OK)
        return status;
    size_t pad = mm_convnet_same_pad(b.side, 3, 2);
    name_parts(&b, mm_convnet_dense(&b, MM_MAP_A, STEM, 3, 2, pad, MM_POST_RELU6), 3, "",
               "conv_stem", "bn1");
    for (size_t i = 0; i < STAGES; i++) {
        size_t channels = scale_channels(stages[i].channels, v->width);
        for (size_t k = 0; k < scale_blocks(i, v->depth); k++) {
            char name[48];
            snprintf(name, sizeof name, "blocks.%zu.%zu.", i, k);
            plan_block(&b, &stages[i], channels, k == 0 ? stages[i].stride : 1, name);
        }
    }
    name_parts(&b, mm_convnet_point(&b, MM_MAP_A, FEATURES, MM_POST_RELU6), 1, "", "conv_head",
               "bn2");
    mm_convnet_head(&b, config, "visual.trunk.classifier");
    return MMOOD_OK;
}

const mm_vision_family mm_efficientnet = {.name = "EfficientNet-Lite",
                                          .recognise = recognise,
                                          .timm_pool = "avg",
                                          .convolutional = 1,
                                          .configure = configure,
                                          .plan = plan,
                                          .rows = mm_convnet_rows,
                                          .patches = mm_convnet_patches,
                                          .first_patch = 0,
                                          .measure = mm_convnet_measure_tower,
                                          .embed = mm_convnet_embed,
                                          .embed_patches = mm_convnet_embed_patches};
