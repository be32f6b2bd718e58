/* transformer_names.c - the weights of a transformer's layers by the names that transformers,
 * open_clip and timm give them. */
#include "clip/transformer_names.h"

#include "base/error.h"

#include <stdlib.h>

/* Names within a layer. Layer norms and scales are completed by ".weight" and the like. */
typedef struct layer_names {
    const char *layer; /* format of a layer's prefix, by its number */
    const char *norm1;
    const char *qkv[3]; /* three layers, or one that is stacked already */
    size_t qkv_parts;
    const char *weight, *bias; /* what completes the names in qkv */
    const char *out;
    const char *norm2;
    const char *up;
    const char *down;
    const char *scale1;
    const char *scale2;
} layer_names;

/* transformers modeling_clip.py; open_clip transformer.py (torch.nn.MultiheadAttention's names);
 * timm vision_transformer.py. */
static const layer_names names_of[] = {
    [MM_NAMING_TRANSFORMERS] = {"encoder.layers.%d.",
                                "layer_norm1",
                                {"self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj"},
                                3,
                                ".weight",
                                ".bias",
                                "self_attn.out_proj",
                                "layer_norm2",
                                "mlp.fc1",
                                "mlp.fc2",
                                NULL,
                                NULL},
    [MM_NAMING_OPEN_CLIP] = {"transformer.resblocks.%d.",
                             "ln_1",
                             {"attn.in_proj", NULL, NULL},
                             1,
                             "_weight",
                             "_bias",
                             "attn.out_proj",
                             "ln_2",
                             "mlp.c_fc",
                             "mlp.c_proj",
                             "ls_1.gamma",
                             "ls_2.gamma"},
    [MM_NAMING_TIMM] = {"blocks.%d.",
                        "norm1",
                        {"attn.qkv", NULL, NULL},
                        1,
                        ".weight",
                        ".bias",
                        "attn.proj",
                        "norm2",
                        "mlp.fc1",
                        "mlp.fc2",
                        "ls1.gamma",
                        "ls2.gamma"},
};

/* A dense layer with a bias and, if `scale` is not NULL, a factor per output. */
static void plan_dense(mm_plan *p, mm_matrix **to, size_t outputs, size_t inputs, const char *layer,
                       const char *name, const char *scale, int sensitive) {
    mm_entry *e = mm_plan_matrix(p, to, outputs, inputs, 0);
    mm_part *part = mm_plan_part(p, e, 0, "%s%s.weight", layer, name);
    mm_plan_name(part->bias, "%s%s.bias", layer, name);
    if (scale)
        mm_plan_name(part->gain, "%s%s", layer, scale);
    e->sensitive = sensitive;
}

static void plan_qkv(mm_plan *p, mm_matrix **to, size_t width, const char *layer,
                     const layer_names *names) {
    size_t outputs = 3 / names->qkv_parts * width;
    mm_entry *e = mm_plan_matrix(p, to, outputs, width, 0);
    for (size_t i = 0; i < names->qkv_parts; i++) {
        mm_part *part = mm_plan_part(p, e, 0, "%s%s%s", layer, names->qkv[i], names->weight);
        mm_plan_name(part->bias, "%s%s%s", layer, names->qkv[i], names->bias);
    }
}

mmood_status mm_plan_blocks(mm_plan *p, mm_tower *tower, const char *prefix, mmood_error *error) {
    const mm_tower_config *config = &tower->config;
    const layer_names *names = &names_of[config->naming];
    size_t width = (size_t)config->width, mlp = (size_t)config->mlp_width;
    tower->blocks = calloc((size_t)config->layers, sizeof *tower->blocks);
    if (!tower->blocks)
        return mm_error_set(error, MMOOD_ERROR_MEMORY, "no memory for the model's layers");
    for (int i = 0; i < config->layers; i++) {
        mm_block *block = &tower->blocks[i];
        char number[48], layer[96];
        int last = i + 1 == config->layers; /* it runs on the pooled rows alone */
        snprintf(number, sizeof number, names->layer, i);
        snprintf(layer, sizeof layer, "%s%s", prefix, number);
        mm_plan_norm(p, &block->norm1, width, "%s%s", layer, names->norm1);
        plan_qkv(p, &block->qkv, width, layer, names);
        plan_dense(p, &block->out, width, width, layer, names->out,
                   config->layer_scale ? names->scale1 : NULL, last);
        mm_plan_norm(p, &block->norm2, width, "%s%s", layer, names->norm2);
        plan_dense(p, &block->up, mlp, width, layer, names->up, NULL, last);
        plan_dense(p, &block->down, width, mlp, layer, names->down,
                   config->layer_scale ? names->scale2 : NULL, last);
    }
    return MMOOD_OK;
}
