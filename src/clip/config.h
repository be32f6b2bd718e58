/* config.h - config.json of a Hugging Face CLIP model: the shape of both towers. */
#ifndef MM_CLIP_CONFIG_H
#define MM_CLIP_CONFIG_H

#include "mmood.h"

typedef enum mm_activation {
    MM_ACT_QUICK_GELU, /* x * sigmoid(1.702 x) */
    MM_ACT_GELU,       /* x * Phi(x), by erf */
    MM_ACT_GELU_NEW    /* the tanh approximation: gelu_new, gelu_pytorch_tanh */
} mm_activation;

/* "quick_gelu", "gelu", "gelu_new"; static. */
const char *mm_activation_name(mm_activation activation);

typedef struct mm_tower_config {
    int width;
    int layers;
    int heads;
    int mlp_width;
    mm_activation activation;
    double layer_norm_eps;
} mm_tower_config;

typedef struct mm_clip_config {
    mm_tower_config vision;
    mm_tower_config text;
    int image_size;
    int patch_size;
    int channels; /* 3 */
    int vocabulary;
    int context; /* max_position_embeddings */
    int eos_token_id;
    int dimension; /* projection_dim */
} mm_clip_config;

/* Nested text_config and vision_config win over the top level; absent values take transformers'
 * defaults (base sizes). Refused: other model types, unknown activations, sizes that are zero,
 * absurd or do not divide. */
mmood_status mm_clip_config_parse(mm_clip_config *out, const void *data, size_t size,
                                  mmood_error *error);
mmood_status mm_clip_config_load(mm_clip_config *out, const char *directory, mmood_error *error);

#endif
