/* weights.h - a CLIP model's weights: every tensor bound by its name and exact shape, checked for
 * NaN, and packed for multiplication; or the same packed before, mapped from a folder. */
#ifndef MM_CLIP_WEIGHTS_H
#define MM_CLIP_WEIGHTS_H

#include "base/pool.h"
#include "clip/config.h"
#include "clip/note.h"
#include "clip/onednn.h"
#include "clip/safetensors.h"

#include <time.h>

/* Scale and shift of a layer norm, [width] each. */
typedef struct mm_norm {
    const float *weight;
    const float *bias;
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
    mm_tower vision; /* without blocks if the tower is convolutional */
    mm_tower text;
    struct mm_convnet *net;        /* a convolutional tower, or what stands before a transformer;
                                      else NULL */
    mm_matrix *patches;            /* [vision width, 3 * patch * patch]; NULL with a net */
    const float *class_embedding;  /* [vision width] */
    const float *vision_positions; /* [1 + patches or patches, vision width] */
    mm_norm before;                /* pre_layrnorm; NULLs if there is none */
    const mm_tensor *tokens;       /* [vocabulary, text width], left in the file's mapping */
    const float *text_positions;   /* [context, text width] */
    float logit_scale;             /* the logarithm */
    char digest[65];               /* SHA-256 over names, types, shapes and bytes of the tensors */
    struct mm_weights_state *state;
} mm_weights;

/* The towers, in the order in which they are packed. */
typedef enum mm_tower_kind { MM_TOWER_TEXT, MM_TOWER_VISION, MM_TOWER_COUNT } mm_tower_kind;

typedef struct mm_weights_source {
    const mm_safetensors *set; /* must outlive the weights, as must `engine` */
    const char *directory;     /* of its files */
    time_t opened;             /* when, or just after */
    const mm_clip_config *config;
    const mm_engine *engine;
    mmood_precision precision; /* of the image tower */
    mmood_precision text_precision;
    const char *folder; /* for packed weights; NULL: they are not kept */
    mm_note note;
} mm_weights_source;

/* Binds and packs, or maps what was packed before from the same bytes by the same oneDNN for the
 * same CPU. `pool` does the work. Trouble with the folder is noted, and is no failure. */
mmood_status mm_weights_load(mm_weights **out, const mm_weights_source *source, mm_pool *pool,
                             mmood_error *error);

/* To be called before a tower is used. The first call for a tower reads its mapped matrices to see
 * whether they are as they were written; if not they are packed anew, and the file is deleted.
 * Any thread; `pool` is the caller's. */
mmood_status mm_weights_ready(const mm_weights *weights, mm_tower_kind tower, mm_pool *pool,
                              mmood_error *error);

/* Memory held: packed matrices and vectors, without the mapping of the tensors. */
size_t mm_weights_bytes(const mm_weights *weights);
void mm_weights_free(mm_weights *weights);

#endif
