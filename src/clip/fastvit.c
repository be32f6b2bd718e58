/* fastvit.c - FastViT's MCi variants, the image towers of MobileCLIP (Vasu et al. 2023, 2024) as
 * timm's fastvit_mci0 to mci4: every branch of the training form, or the reparametrised form, is
 * folded into one convolution. */
#include "clip/convnet.h"

#include <stdio.h>
#include <string.h>

enum { MAX_STAGES = 5, HEAD_SIZE = 32 };
#define TRUNK "visual.trunk."

static const struct variant {
    const char *name;
    size_t stages;
    size_t blocks[MAX_STAGES], channels[MAX_STAGES];
    size_t mlp;            /* widens by this */
    int gated[MAX_STAGES]; /* squeeze-and-excite where a stage begins */
    size_t attends_from;   /* the first stage of attention, with positions before it */
    int layer_norm;        /* before attention, in place of batch norm */
} variants[] = {
    {"fastvit_mci0", 4, {2, 6, 10, 2}, {64, 128, 256, 512}, 3, {0, 0, 1, 1}, 3, 0},
    {"fastvit_mci1", 4, {4, 12, 20, 4}, {64, 128, 256, 512}, 3, {0, 0, 1, 1}, 3, 0},
    {"fastvit_mci2", 4, {4, 12, 24, 4}, {80, 160, 320, 640}, 3, {0, 0, 1, 1}, 3, 0},
    {"fastvit_mci3", 5, {2, 12, 24, 4, 2}, {96, 192, 384, 768, 1536}, 4, {0}, 3, 1},
    {"fastvit_mci4", 5, {2, 12, 24, 4, 4}, {128, 256, 512, 1024, 2048}, 4, {0}, 3, 1},
};

static const struct variant *find(const char *name) {
    for (size_t i = 0; i < sizeof variants / sizeof *variants; i++)
        if (strcmp(variants[i].name, name) == 0)
            return &variants[i];
    return NULL;
}

static int recognise(const char *name) {
    return find(name) != NULL;
}

static mmood_status configure(mm_clip_config *config, mmood_error *error) {
    const struct variant *v = find(config->trunk);
    int layers = 0;
    (void)error;
    for (size_t i = 0; i < v->stages; i++)
        layers += (int)v->blocks[i];
    config->vision = (mm_tower_config){.width = (int)(2 * v->channels[v->stages - 1]),
                                       .layers = layers,
                                       .activation = MM_ACT_GELU,
                                       .layer_norm_eps = 1e-5,
                                       .naming = MM_NAMING_TIMM};
    config->patch_size = v->stages == 5 ? 64 : 32;
    return MMOOD_OK;
}

/* ---- Folding ------------------------------------------------------------------------------- */

/* A convolution with a batch norm: `name`.conv and `name`.bn. */
static mm_part *add_branch(mm_plan *p, mm_entry *e, size_t kernel, const char *name) {
    mm_part *part = mm_plan_part(p, e, kernel, "%s.conv.weight", name);
    mm_plan_name(part->norm, "%s.bn.", name);
    return part;
}

/* A convolution that was reparametrised already; 0 if the model has none of this name. */
static int add_folded(mm_plan *p, mm_entry *e, size_t kernel, const char *name) {
    if (!mm_plan_has(p, "%s.reparam_conv.weight", name))
        return 0;
    mm_part *part = mm_plan_part(p, e, kernel, "%s.reparam_conv.weight", name);
    mm_plan_name(part->bias, "%s.reparam_conv.bias", name);
    return 1;
}

/* MobileOne's block: a convolution, one of kernel 1 and a batch norm of the input, added up.
 * Which of them there are is seen by their names. `gain` scales all; NULL: nothing does. */
static void add_mobile_one(mm_plan *p, mm_entry *e, size_t kernel, const char *name,
                           const char *gain, int negative) {
    char branch[MM_NAME - 16];
    size_t first = e->part_count;
    if (!add_folded(p, e, kernel, name)) {
        int has_conv = mm_plan_has(p, "%s.conv_kxk.0.conv.weight", name);
        snprintf(branch, sizeof branch, "%s.conv_kxk.0", name);
        if (has_conv)
            add_branch(p, e, kernel, branch);
        snprintf(branch, sizeof branch, "%s.conv_scale", name);
        if (mm_plan_has(p, "%s.conv.weight", branch))
            add_branch(p, e, 1, branch);
        if (!has_conv || mm_plan_has(p, "%s.identity.weight", name))
            mm_plan_name(mm_plan_part(p, e, 0, NULL)->norm, "%s.identity.", name);
    }
    for (size_t i = first; i < e->part_count; i++) {
        e->parts[i].negative = negative;
        if (gain)
            mm_plan_name(e->parts[i].gain, "%s", gain);
    }
}

/* ---- Blocks -------------------------------------------------------------------------------- */

/* One of X and Y, the other than what is read: blocks go to and fro between them. */
static mm_feature_map other(const mm_convnet_builder *b) {
    return b->map == MM_MAP_X ? MM_MAP_Y : MM_MAP_X;
}

static void set_epsilon(mm_entry *e) {
    e->epsilon = 1e-5;
}

/* A 7 x 7 depthwise convolution of X or Y, and two dense layers that add to it. */
static void plan_mlp(mm_convnet_builder *b, size_t wider, const char *name, const char *scale) {
    mm_feature_map map = b->map;
    size_t channels = b->channels;
    char branch[MM_NAME - 16];
    mm_entry *e = mm_convnet_depth(b, MM_MAP_A, channels, 7, 1, 3, MM_POST_NONE);
    set_epsilon(e);
    snprintf(branch, sizeof branch, "%smlp.conv", name);
    add_branch(b->plan, e, 7, branch);
    e = mm_convnet_point(b, MM_MAP_B, channels * wider, MM_POST_GELU);
    mm_part *part = mm_plan_part(b->plan, e, 1, "%smlp.fc1.weight", name);
    mm_plan_name(part->bias, "%smlp.fc1.bias", name);
    e = mm_convnet_point(b, map, channels, MM_POST_ADD);
    part = mm_plan_part(b->plan, e, 1, "%smlp.fc2.weight", name);
    mm_plan_name(part->bias, "%smlp.fc2.bias", name);
    mm_plan_name(part->gain, "%s%s.gamma", name, scale);
}

/* x + scale * (mixer(x) - norm(x)), all of it one depthwise convolution. */
static void plan_mixer(mm_convnet_builder *b, const char *name) {
    char mixer[MM_NAME - 48], branch[MM_NAME - 16], gain[MM_NAME - 16];
    snprintf(mixer, sizeof mixer, "%stoken_mixer", name);
    mm_entry *e = mm_convnet_depth(b, other(b), b->channels, 3, 1, 1, MM_POST_NONE);
    set_epsilon(e);
    if (add_folded(b->plan, e, 3, mixer))
        return;
    snprintf(gain, sizeof gain, "%s.layer_scale.gamma", mixer);
    mm_plan_part(b->plan, e, 0, NULL);
    snprintf(branch, sizeof branch, "%s.mixer", mixer);
    add_mobile_one(b->plan, e, 3, branch, gain, 0);
    snprintf(branch, sizeof branch, "%s.norm", mixer);
    add_mobile_one(b->plan, e, 3, branch, gain, 1);
}

static void plan_attention(mm_convnet_builder *b, int layer_norm, const char *name) {
    mm_feature_map map = b->map;
    size_t channels = b->channels;
    if (layer_norm) {
        mm_convnet_norm(b, MM_MAP_A, "%snorm", name);
    } else { /* a batch norm is a depthwise convolution of kernel 1 */
        mm_entry *e = mm_convnet_depth(b, MM_MAP_A, channels, 1, 1, 0, MM_POST_NONE);
        set_epsilon(e);
        mm_plan_name(mm_plan_part(b->plan, e, 0, NULL)->norm, "%snorm.", name);
    }
    mm_entry *e = mm_convnet_point(b, MM_MAP_B, 3 * channels, MM_POST_NONE);
    mm_plan_part(b->plan, e, 0, "%stoken_mixer.qkv.weight", name);
    mm_convnet_attention(b, MM_MAP_A, HEAD_SIZE);
    e = mm_convnet_point(b, map, channels, MM_POST_ADD);
    mm_part *part = mm_plan_part(b->plan, e, 0, "%stoken_mixer.proj.weight", name);
    mm_plan_name(part->bias, "%stoken_mixer.proj.bias", name);
    mm_plan_name(part->gain, "%slayer_scale_1.gamma", name);
}

/* Half the side and, usually, twice the channels: a large depthwise convolution, a gate, GELU, a
 * dense layer. */
static void plan_downsample(mm_convnet_builder *b, size_t channels, int gated, const char *name) {
    char branch[MM_NAME - 16];
    mm_entry *e =
        mm_convnet_depth(b, MM_MAP_A, channels, 7, 2, 3, gated ? MM_POST_NONE : MM_POST_GELU);
    set_epsilon(e);
    snprintf(branch, sizeof branch, "%sproj.0", name);
    if (!add_folded(b->plan, e, 7, branch)) {
        snprintf(branch, sizeof branch, "%sproj.0.large_conv", name);
        add_branch(b->plan, e, 7, branch);
        snprintf(branch, sizeof branch, "%sproj.0.small_conv", name);
        add_branch(b->plan, e, 3, branch);
    }
    if (gated) /* a quarter of the channels, in steps of 8 */
        mm_convnet_gate(b, (channels / 4 + 4) / 8 * 8, MM_POST_GELU, "%sproj.0.se", name);
    e = mm_convnet_point(b, MM_MAP_B, channels, MM_POST_GELU);
    set_epsilon(e);
    snprintf(branch, sizeof branch, "%sproj.1", name);
    add_mobile_one(b->plan, e, 1, branch, NULL, 0);
}

/* x + a depthwise convolution of x. */
static void plan_positions(mm_convnet_builder *b, const char *name) {
    char branch[MM_NAME - 16];
    mm_entry *e = mm_convnet_depth(b, other(b), b->channels, 7, 1, 3, MM_POST_NONE);
    snprintf(branch, sizeof branch, "%spos_emb", name);
    if (add_folded(b->plan, e, 7, branch))
        return;
    mm_part *part = mm_plan_part(b->plan, e, 7, "%s.pos_enc.weight", branch);
    mm_plan_name(part->bias, "%s.pos_enc.bias", branch);
    mm_plan_part(b->plan, e, 0, NULL);
}

static void plan_stage(mm_convnet_builder *b, const struct variant *v, size_t stage) {
    char name[64];
    int attends = stage >= v->attends_from;
    if (stage > 0) {
        snprintf(name, sizeof name, TRUNK "stages.%u.downsample.", (unsigned)stage);
        plan_downsample(b, v->channels[stage], v->gated[stage], name);
    }
    if (attends) {
        snprintf(name, sizeof name, TRUNK "stages.%u.", (unsigned)stage);
        plan_positions(b, name);
    }
    for (size_t i = 0; i < v->blocks[stage]; i++) {
        snprintf(name, sizeof name, TRUNK "stages.%u.blocks.%u.", (unsigned)stage, (unsigned)i);
        if (attends)
            plan_attention(b, v->layer_norm, name);
        else
            plan_mixer(b, name);
        plan_mlp(b, v->mlp, name, attends ? "layer_scale_2" : "layer_scale");
    }
}

static mmood_status plan(mm_plan *p, mm_weights *w, const mm_clip_config *config,
                         mmood_error *error) {
    const struct variant *v = find(config->trunk);
    size_t stem = v->channels[0], features = (size_t)config->vision.width;
    mm_convnet_builder b;
    mmood_status status = mm_convnet_begin(&b, &w->net, p, (size_t)config->image_size, error);
    if (status != MMOOD_OK)
        return status;
    mm_entry *e = mm_convnet_dense(&b, MM_MAP_A, stem, 3, 2, 1, MM_POST_GELU);
    set_epsilon(e);
    add_mobile_one(p, e, 3, TRUNK "stem.0", NULL, 0);
    e = mm_convnet_depth(&b, MM_MAP_B, stem, 3, 2, 1, MM_POST_GELU);
    set_epsilon(e);
    add_mobile_one(p, e, 3, TRUNK "stem.1", NULL, 0);
    e = mm_convnet_point(&b, MM_MAP_A, stem, MM_POST_GELU);
    set_epsilon(e);
    add_mobile_one(p, e, 1, TRUNK "stem.2", NULL, 0);
    for (size_t i = 0; i < v->stages; i++)
        plan_stage(&b, v, i);
    e = mm_convnet_depth(&b, MM_MAP_A, features, 3, 1, 1, MM_POST_NONE);
    set_epsilon(e);
    add_mobile_one(p, e, 3, TRUNK "final_conv", NULL, 0);
    mm_convnet_gate(&b, features / 16, MM_POST_GELU, TRUNK "final_conv.se");
    mm_convnet_head(&b, config, TRUNK "head.fc");
    return MMOOD_OK;
}

const mm_vision_family mm_fastvit = {.name = "FastViT",
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
