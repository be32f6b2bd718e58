/* config.h - the shape of a CLIP model's towers, as config.json (transformers) or
 * open_clip_config.json (open_clip) states it. */
#ifndef MM_CLIP_CONFIG_H
#define MM_CLIP_CONFIG_H

#include "mmood.h"

#include <jansson.h>

typedef enum mm_activation {
    MM_ACT_QUICK_GELU, /* x * sigmoid(1.702 x) */
    MM_ACT_GELU,       /* x * Phi(x), by erf */
    MM_ACT_GELU_NEW,   /* the tanh approximation: gelu_new, gelu_pytorch_tanh */
    MM_ACT_RELU6       /* x limited to 0 .. 6, of convolutional towers */
} mm_activation;

/* "quick_gelu", "gelu", "gelu_new", "relu6"; static. */
const char *mm_activation_name(mm_activation activation);

/* Who named the tensors of a tower. */
typedef enum mm_naming {
    MM_NAMING_TRANSFORMERS, /* vision_model.encoder.layers.0.self_attn.q_proj.weight */
    MM_NAMING_OPEN_CLIP,    /* visual.transformer.resblocks.0.attn.in_proj_weight */
    MM_NAMING_TIMM          /* visual.trunk.blocks.0.attn.qkv.weight */
} mm_naming;

/* A transformer's shape; of a convolutional tower only the width of its last features. */
typedef struct mm_tower_config {
    int width;
    int layers;
    int heads;
    int mlp_width;
    mm_activation activation;
    double layer_norm_eps;
    int layer_scale; /* 1: what attention and MLP add is scaled per channel */
    mm_naming naming;
} mm_tower_config;

/* Which rows of the last layer become the embedding of an image. */
typedef enum mm_vision_pool {
    MM_VISION_POOL_CLASS, /* the class token's */
    MM_VISION_POOL_MEAN   /* the mean of all patches' */
} mm_vision_pool;

/* Which row of the last layer becomes the embedding of a text. */
typedef enum mm_text_pool {
    MM_TEXT_POOL_LARGEST, /* of the largest token id, which is EOT's in CLIP's vocabulary */
    MM_TEXT_POOL_EOS,     /* of the first token that is eos_token_id */
    MM_TEXT_POOL_FIRST,
    MM_TEXT_POOL_LAST /* of the whole context, padding included */
} mm_text_pool;

/* What follows the trunk of a timm model. */
typedef enum mm_head {
    MM_HEAD_CLASSIFIER, /* the trunk's own linear layer, with a bias */
    MM_HEAD_NONE,       /* nothing: the pooled features are the embedding */
    MM_HEAD_LINEAR,
    MM_HEAD_MLP /* linear to twice the dimension, GELU, linear */
} mm_head;

typedef struct mm_vision_family mm_vision_family;
typedef struct mm_text_family mm_text_family;

typedef struct mm_clip_config {
    const mm_vision_family *vision_family;
    const mm_text_family *text_family;
    mm_tower_config vision;
    mm_tower_config text;
    int image_size;
    int dimension; /* of an embedding: projection_dim, embed_dim */

    /* Vision transformers. */
    int patch_size;
    int channels; /* 3 */
    int pre_norm; /* 1: layer norm before the first layer */
    mm_vision_pool pooling;
    int norm_after_pool; /* 1: the last norm is of the pooled row; 0: of all rows before */

    /* timm's trunks. */
    char trunk[64]; /* timm_model_name; "" for others */
    mm_head head;
    int head_bias; /* 1: the last linear layer of the head has a bias */

    /* Texts. */
    int vocabulary;
    int context; /* max_position_embeddings */
    int eos_token_id;
    int bidirectional; /* 1: every token sees all others, padding (id 0) included */
    mm_text_pool text_pooling;
    int text_projection_bias;
} mm_clip_config;

/* config.json of transformers. Nested text_config and vision_config win over the top level; absent
 * values take transformers' defaults (base sizes). Refused: other model types, unknown activations,
 * sizes that are zero, absurd or do not divide. */
mmood_status mm_clip_config_parse(mm_clip_config *out, const void *data, size_t size,
                                  mmood_error *error);

/* open_clip_config.json: the towers, and preprocessing to `preprocess`. Refused by name: towers and
 * tokenizers that are not implemented. */
mmood_status mm_open_clip_config_parse(mm_clip_config *out, mmood_preprocess *preprocess,
                                       const void *data, size_t size, mmood_error *error);

/* Reads config.json of `directory`; or, where there is none or it is not of a CLIP model,
 * open_clip_config.json, which fills `preprocess`. `*name` is the one that counts; static. */
mmood_status mm_clip_config_load(mm_clip_config *out, mmood_preprocess *preprocess,
                                 const char **name, const char *directory, mmood_error *error);

/* An object of a configuration that values are read from. */
typedef struct mm_config_source {
    const json_t *object;
    const char *name; /* for messages; "" for the top level */
} mm_config_source;

/* A whole number of `least` to `most`, or `absent` if the key is not there. */
mmood_status mm_config_int(int *out, const mm_config_source *from, const char *key, int absent,
                           int least, int most, mmood_error *error);

/* Checks that hold for both formats: heads that divide the width, sides, numbers of patches. */
mmood_status mm_config_check_tower(const mm_tower_config *tower, const char *name,
                                   mmood_error *error);
mmood_status mm_config_check_patches(int image_size, int patch_size, mmood_error *error);

#endif
