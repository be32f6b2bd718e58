/* weights.h - a CLIP model's weights: every tensor bound by its Hugging Face name and exact shape,
 * checked for NaN, and packed for multiplication. */
#ifndef MM_CLIP_WEIGHTS_H
#define MM_CLIP_WEIGHTS_H

#include "base/pool.h"
#include "clip/config.h"
#include "clip/onednn.h"
#include "clip/safetensors.h"

/* Scale and shift of a layer norm, [width] each. */
typedef struct mm_norm {
    float *weight;
    float *bias;
} mm_norm;

typedef struct mm_block {
    mm_norm norm1;
    mm_matrix *qkv; /* [3 * width, width]: queries, keys, values */
    mm_matrix *out; /* [width, width] */
    mm_norm norm2;
    mm_matrix *up;   /* [mlp_width, width], followed by the activation */
    mm_matrix *down; /* [width, mlp_width] */
} mm_block;

typedef struct mm_tower {
    mm_tower_config config;
    mm_block *blocks;      /* [layers] */
    mm_norm last;          /* of the pooled row */
    mm_matrix *projection; /* [dimension, width] */
} mm_tower;

typedef struct mm_weights {
    mm_tower vision;
    mm_tower text;
    mm_matrix *patches;      /* [vision width, 3 * patch * patch] */
    float *class_embedding;  /* [vision width] */
    float *vision_positions; /* [1 + patches, vision width] */
    mm_norm before;          /* pre_layrnorm */
    const mm_tensor *tokens; /* [vocabulary, text width], left in the file's mapping */
    float *text_positions;   /* [context, text width] */
    float logit_scale;       /* the logarithm */
    char digest[65];         /* SHA-256 over names, types, shapes and bytes of the tensors */
} mm_weights;

/* Binds and packs. `set` must outlive `*out`, for `tokens`. `pool` does the work. */
mmood_status mm_weights_load(mm_weights **out, const mm_safetensors *set,
                             const mm_clip_config *config, const mm_engine *engine,
                             mmood_precision precision, mm_pool *pool, mmood_error *error);

/* Memory held: packed matrices and vectors, without the mapping. */
size_t mm_weights_bytes(const mm_weights *weights);
void mm_weights_free(mm_weights *weights);

#endif
