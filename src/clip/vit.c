/* vit.c - vision transformers: patches of the crop, projected by one product or by a small
 * convolutional stem, positions, a transformer, the class token's row or the mean of the patches'.
 */
#include "clip/convnet.h"
#include "clip/tower.h"
#include "clip/transformer_names.h"

#include "base/error.h"

#include <string.h>

/* ---- Configuration ------------------------------------------------------------------------- */

/* timm's vision transformers that open_clip models name. `stem`: convolutions of 4, 2 and 2 in
 * place of patches, positions without one for the class token, layer norms of 1e-6
 * (timm vision_transformer_hybrid.py); else as OpenAI's, with timm's names. */
static const struct timm_vit {
    const char *name;
    int width, layers, heads, patch, stem;
} timm_vits[] = {
    {"vit_base_mci_224", 768, 12, 12, 16, 1},
    {"vit_large_patch14_clip_224", 1024, 24, 16, 14, 0},
};

static const struct timm_vit *find_timm(const char *name) {
    for (size_t i = 0; i < sizeof timm_vits / sizeof *timm_vits; i++)
        if (strcmp(timm_vits[i].name, name) == 0)
            return &timm_vits[i];
    return NULL;
}

static int recognise(const char *name) {
    return find_timm(name) != NULL;
}

static int has_stem(const mm_clip_config *config) {
    const struct timm_vit *known = config->trunk[0] ? find_timm(config->trunk) : NULL;
    return known && known->stem;
}

static mmood_status configure(mm_clip_config *config, mmood_error *error) {
    const struct timm_vit *known = find_timm(config->trunk);
    config->vision = (mm_tower_config){.width = known->width,
                                       .layers = known->layers,
                                       .heads = known->heads,
                                       .mlp_width = 4 * known->width,
                                       .activation = MM_ACT_GELU,
                                       .layer_norm_eps = known->stem ? 1e-6 : 1e-5,
                                       .naming = MM_NAMING_TIMM};
    config->patch_size = known->patch;
    config->pre_norm = !known->stem;
    if (config->head == MM_HEAD_MLP)
        return mm_error_set(error, MMOOD_ERROR_UNSUPPORTED,
                            "vision_cfg.timm_proj is \"mlp\"; with %s, linear and none can be done",
                            config->trunk);
    return MMOOD_OK;
}

/* ---- Weights ------------------------------------------------------------------------------- */

/* The projection of the pooled row: transformers', open_clip's transposed one, or timm's head. */
static void plan_projection(mm_plan *p, mm_weights *w, const mm_clip_config *config) {
    size_t width = (size_t)config->vision.width;
    mm_entry *e = mm_plan_matrix(p, &w->vision.projection, (size_t)config->dimension, width, 0);
    e->sensitive = 1;
    if (config->vision.naming == MM_NAMING_TRANSFORMERS) {
        mm_plan_part(p, e, 0, "visual_projection.weight");
    } else if (config->vision.naming == MM_NAMING_OPEN_CLIP) {
        mm_plan_part(p, e, 0, "visual.proj")->transposed = 1;
    } else {
        int own = config->head == MM_HEAD_CLASSIFIER;
        const char *name = own ? "visual.trunk.head" : "visual.head.proj";
        mm_part *part = mm_plan_part(p, e, 0, "%s.weight", name);
        if (own || config->head_bias)
            mm_plan_name(part->bias, "%s.bias", name);
    }
}

static void plan_patches(mm_plan *p, mm_weights *w, const mm_clip_config *config,
                         const char *name) {
    mm_entry *e = mm_plan_matrix(p, &w->patches, (size_t)config->vision.width,
                                 (size_t)config->channels, (size_t)config->patch_size);
    e->pixels_last = 1;
    e->sensitive = 1;
    mm_plan_part(p, e, e->kernel, "%s", name);
}

/* timm's convolutional stem: two convolutions with batch norm and GELU, one with a bias. */
static mmood_status plan_stem(mm_plan *p, mm_weights *w, const mm_clip_config *config,
                              mmood_error *error) {
    static const size_t kernels[] = {4, 2, 2};
    size_t width = (size_t)config->vision.width;
    mm_convnet_builder b;
    mmood_status status = mm_convnet_begin(&b, &w->net, p, (size_t)config->image_size, error);
    for (size_t i = 0; i < 3 && status == MMOOD_OK; i++) {
        int last = i == 2;
        size_t outputs = last ? width : width / 4;
        mm_entry *e = mm_convnet_dense(&b,
                                       last ? MM_MAP_X
                                       : i  ? MM_MAP_B
                                            : MM_MAP_A,
                                       outputs, kernels[i], kernels[i], 0,
                                       last ? MM_POST_NONE : MM_POST_GELU);
        mm_part *part =
            mm_plan_part(p, e, kernels[i], "visual.trunk.patch_embed.backbone.%zu.conv.weight", i);
        if (last)
            mm_plan_name(part->bias, "visual.trunk.patch_embed.backbone.%zu.conv.bias", i);
        else
            mm_plan_name(part->norm, "visual.trunk.patch_embed.backbone.%zu.bn.", i);
        e->epsilon = 1e-5;
    }
    return status;
}

/* The names of what is before and after the layers. */
static const struct ends {
    const char *prefix, *class_token, *patches, *positions, *before, *last;
} ends_of[] = {
    [MM_NAMING_TRANSFORMERS] = {"vision_model.", "embeddings.class_embedding",
                                "vision_model.embeddings.patch_embedding.weight",
                                "embeddings.position_embedding.weight", "pre_layrnorm",
                                "post_layernorm"},
    [MM_NAMING_OPEN_CLIP] = {"visual.", "class_embedding", "visual.conv1.weight",
                             "positional_embedding", "ln_pre", "ln_post"},
    [MM_NAMING_TIMM] = {"visual.trunk.", "cls_token", "visual.trunk.patch_embed.proj.weight",
                        "pos_embed", "norm_pre", "norm"},
};

static size_t patches(const mm_clip_config *config) {
    size_t side = (size_t)(config->image_size / config->patch_size);
    return side * side;
}

static mmood_status plan(mm_plan *p, mm_weights *w, const mm_clip_config *config,
                         mmood_error *error) {
    const struct ends *names = &ends_of[config->vision.naming];
    size_t width = (size_t)config->vision.width;
    int stem = has_stem(config), timm = config->vision.naming == MM_NAMING_TIMM;
    mm_plan_vector(p, &w->class_embedding, timm ? 3 : 1, timm ? 1 : width, width, "%s%s",
                   names->prefix, names->class_token);
    if (stem) {
        mmood_status status = plan_stem(p, w, config, error);
        if (status != MMOOD_OK)
            return status;
    } else {
        plan_patches(p, w, config, names->patches);
    }
    mm_plan_vector(p, &w->vision_positions, timm ? 3 : 2, patches(config) + !stem, width, "%s%s",
                   names->prefix, names->positions);
    if (config->pre_norm)
        mm_plan_norm(p, &w->before, width, "%s%s", names->prefix, names->before);
    mmood_status status = mm_plan_blocks(p, &w->vision, names->prefix, error);
    mm_plan_norm(p, &w->vision.last, width, "%s%s", names->prefix, names->last);
    plan_projection(p, w, config);
    return status;
}

/* ---- Running ------------------------------------------------------------------------------- */

static size_t rows(const mm_clip_config *config) {
    return patches(config) + 1;
}

static void measure(mm_needs *needs, const mmood_model *model, size_t rows_most) {
    const mm_clip_config *config = &model->config;
    size_t size = mm_activation_size(model->bf16);
    mm_tower_measure(needs, &config->vision, model->bf16, rows_most);
    needs->embedding = rows_most * (size_t)config->dimension * sizeof(float);
    needs->scratch =
        mm_attention_scratch(rows(config), (size_t)(config->vision.width / config->vision.heads));
    if (model->weights->net)
        mm_convnet_measure(needs, model->weights->net, model->bf16);
    else if (needs->mlp < rows_most * mm_matrix_inputs(model->weights->patches) * size)
        needs->mlp = rows_most * mm_matrix_inputs(model->weights->patches) * size;
}

/* One patch of a crop [size, size, 3] as [3, patch, patch], normalised: f32 or bf16. */
static void cut_patch(void *out, const mmood_model *model, const uint8_t *crop, size_t index,
                      int bf16) {
    size_t size = (size_t)model->config.image_size, patch = (size_t)model->config.patch_size;
    size_t side = size / patch;
    const uint8_t *corner = crop + (index / side * patch * size + index % side * patch) * 3;
    size_t at = 0;
    for (size_t c = 0; c < 3; c++)
        for (size_t y = 0; y < patch; y++) {
            const uint8_t *row = corner + y * size * 3 + c;
            if (bf16)
                for (size_t x = 0; x < patch; x++)
                    ((uint16_t *)out)[at++] = model->pixels_bf16[c][row[3 * x]];
            else
                for (size_t x = 0; x < patch; x++)
                    ((float *)out)[at++] = model->pixels[c][row[3 * x]];
        }
}

/* Rows first .. last of one picture, of which row 0 is the class row: positions, then patches. */
static void embed_rows(mm_lane *lane, const mmood_model *model, const uint8_t *crop, size_t base,
                       size_t first, size_t last) {
    const mm_activations *act = lane->activations;
    const mm_weights *w = model->weights;
    size_t width = (size_t)model->config.vision.width;
    size_t inputs = mm_matrix_inputs(w->patches);
    size_t size = mm_activation_size(lane->bf16);
    memcpy(act->x + (base + first) * width, w->vision_positions + first * width,
           (last - first) * width * sizeof *act->x);
    if (first == 0) {
        for (size_t i = 0; i < width; i++)
            act->x[base * width + i] += w->class_embedding[i];
        first = 1;
    }
    for (size_t i = first; i < last; i++)
        cut_patch((char *)act->mlp + (base + i) * inputs * size, model, crop, i - 1, lane->bf16);
    mm_lane_dense(lane, w->patches, MM_POST_ADD, act->mlp, act->x, 0, base + first, base + last);
}

static void embed_patches_of_all(mm_lane *lane, const mmood_model *model,
                                 const uint8_t *const *crops, size_t tokens, size_t count) {
    size_t first, last;
    mm_lane_share(&first, &last, lane, count * tokens);
    for (size_t row = first; row < last;) {
        size_t i = row / tokens, base = i * tokens;
        size_t end = base + tokens < last ? base + tokens : last;
        embed_rows(lane, model, crops[i], base, row - base, end - base);
        row = end;
    }
}

/* The same by a stem, whose output are the patches' rows; positions have none for the class. */
static void embed_by_stem(mm_lane *lane, const mmood_model *model, const uint8_t *const *crops,
                          size_t tokens, size_t count) {
    const mm_activations *act = lane->activations;
    const mm_weights *w = model->weights;
    size_t width = (size_t)model->config.vision.width, first, last;
    for (size_t i = 0; i < count; i++)
        mm_convnet_run(lane, w->net, model, crops[i], act->x + (i * tokens + 1) * width);
    mm_lane_share(&first, &last, lane, count * tokens);
    for (size_t row = first; row < last; row++) {
        float *x = act->x + row * width;
        size_t patch = row % tokens;
        if (patch == 0)
            memcpy(x, w->class_embedding, width * sizeof *x);
        for (size_t k = 0; k < width && patch; k++)
            x[k] += w->vision_positions[(patch - 1) * width + k];
    }
}

static void embed(mm_lane *lane, const mmood_model *model, const uint8_t *const *crops,
                  const mm_item *items, size_t count) {
    const mm_activations *act = lane->activations;
    const mm_weights *w = model->weights;
    const mm_clip_config *config = &model->config;
    size_t width = (size_t)config->vision.width, tokens = items[0].tokens;
    size_t first, last;
    if (w->net)
        embed_by_stem(lane, model, crops, tokens, count);
    else
        embed_patches_of_all(lane, model, crops, tokens, count);
    mm_lane_share(&first, &last, lane, count * tokens);
    if (config->pre_norm && first < last)
        lane->kernels->layer_norm(act->x + first * width, 0, act->x + first * width,
                                  w->before.weight, w->before.bias, last - first, width,
                                  (float)config->vision.layer_norm_eps);
    if (config->pooling == MM_VISION_POOL_CLASS)
        mm_tower_run(lane, &w->vision, items, count, 0);
    else
        mm_tower_run_mean(lane, &w->vision, items, count, config->norm_after_pool);
}

static void embed_patches(mm_lane *lane, const mmood_model *model, const mm_item *items,
                          size_t count) {
    mm_tower_run_values(lane, &model->weights->vision, items, count);
}

const mm_vision_family mm_vit = {.name = "ViT",
                                 .recognise = recognise,
                                 .timm_pool = "token",
                                 .configure = configure,
                                 .plan = plan,
                                 .rows = rows,
                                 .patches = patches,
                                 .first_patch = 1,
                                 .measure = measure,
                                 .embed = embed,
                                 .embed_patches = embed_patches};
