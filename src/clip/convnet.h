/* convnet.h - convolutional towers as a list of steps over maps of one image: [side, side,
 * channels], so that a 1 x 1 convolution is a dense layer over rows. A family lists the steps with
 * the weights of each (efficientnet.c, fastvit.c); one function runs them. */
#ifndef MM_CLIP_CONVNET_H
#define MM_CLIP_CONVNET_H

#include "clip/tower.h"

/* Maps that steps read and write. X and Y are f32, so that sums over many blocks lose nothing; the
 * others are of the activations' precision. H is also where rows are gathered before a product. */
typedef enum mm_feature_map {
    MM_MAP_X,
    MM_MAP_Y,
    MM_MAP_H,
    MM_MAP_A,
    MM_MAP_B,
    MM_MAP_COUNT
} mm_feature_map;

typedef enum mm_step_kind {
    MM_STEP_DENSE,    /* a convolution over all channels, by gathering; of pixels if it is first */
    MM_STEP_POINT,    /* a 1 x 1 convolution */
    MM_STEP_DEPTH,    /* a depthwise convolution */
    MM_STEP_GATE,     /* squeeze and excite (Hu et al. 2018): channels scaled by what all hold */
    MM_STEP_NORM,     /* layer norm over the channels */
    MM_STEP_ATTENTION /* from queries, keys and values */
} mm_step_kind;

typedef struct mm_step {
    mm_step_kind kind;
    mm_feature_map from, to;
    size_t side, inputs; /* of the map that is read */
    size_t result_side, outputs;
    size_t kernel, stride, pad;
    mm_post post;
    mm_matrix *matrix;    /* DENSE, POINT */
    const float *weights; /* DEPTH: [kernel * kernel + 1, mm_depth_stride(outputs)] */
    mm_norm norm;         /* NORM */
    size_t heads;         /* ATTENTION */
    size_t reduced;       /* GATE: width between its two layers */
    const float *reduce, *reduce_bias, *expand, *expand_bias;
    size_t chain; /* so many steps from this one on can be run a strip of rows at a time, */
    size_t strip; /*   with so many rows of the last one's result */
} mm_step;

typedef struct mm_convnet {
    mm_step *steps;
    size_t count;
    mm_feature_map result; /* the last map: [side, side, channels] */
    size_t side, channels;
    size_t elements[MM_MAP_COUNT];
    size_t scratch;        /* floats */
    mm_matrix *hidden;     /* of the head; NULL: none */
    mm_matrix *projection; /* NULL: the pooled features are the embedding */
} mm_convnet;

enum { MM_CHAIN = 3 };

/* Which rows of its map a step reads for rows first .. last of its result. */
void mm_step_reads(size_t *from, size_t *to, const mm_step *step, size_t first, size_t last);

/* Finds the chains among the steps. */
void mm_convnet_chain(mm_convnet *net);

void mm_convnet_free(mm_convnet *net);

/* ---- Listing steps ------------------------------------------------------------------------- */

typedef struct mm_convnet_builder {
    mm_convnet *net;
    mm_plan *plan;
    mm_feature_map map; /* the latest map, that the next step reads */
    size_t side, channels;
} mm_convnet_builder;

/* Begins a net over images of side x side pixels in *out. */
mmood_status mm_convnet_begin(mm_convnet_builder *b, mm_convnet **out, mm_plan *plan, size_t side,
                              mmood_error *error);

/* Each adds a step to the map `to`, and returns its entry for the parts. `to` may not be what is
 * read, except for a gate; DENSE is the first and no other. It may not write H, nor POINT when it
 * reads X or Y. With MM_POST_ADD a POINT is added to what `to` holds, X or Y. */
mm_entry *mm_convnet_dense(mm_convnet_builder *b, mm_feature_map to, size_t outputs, size_t kernel,
                           size_t stride, size_t pad, mm_post post);
mm_entry *mm_convnet_point(mm_convnet_builder *b, mm_feature_map to, size_t outputs, mm_post post);
mm_entry *mm_convnet_depth(mm_convnet_builder *b, mm_feature_map to, size_t outputs, size_t kernel,
                           size_t stride, size_t pad, mm_post post);

/* A gate in place; its two layers are `name`.fc1 and `name`.fc2. */
void mm_convnet_gate(mm_convnet_builder *b, size_t reduced, mm_post post, const char *name, ...)
    __attribute__((format(printf, 4, 5)));
void mm_convnet_norm(mm_convnet_builder *b, mm_feature_map to, const char *name, ...)
    __attribute__((format(printf, 3, 4)));

/* Reads [3 * width] channels: queries, keys, values. */
void mm_convnet_attention(mm_convnet_builder *b, mm_feature_map to, size_t head_size);

/* Ends the net with what follows pooling; `classifier` names the trunk's own linear layer. */
void mm_convnet_head(mm_convnet_builder *b, const mm_clip_config *config, const char *classifier);

/* The side of the result of a convolution with `pad` rows of zeros before the map, and TensorFlow's
 * SAME padding: ceil(side / stride), with half of the zeros, rounded down, before. */
size_t mm_convnet_same_pad(size_t side, size_t kernel, size_t stride);

/* ---- Running ------------------------------------------------------------------------------- */

/* Raises `needs` to what the maps take. */
void mm_convnet_measure(mm_needs *needs, const mm_convnet *net, int bf16);

/* Runs all steps on one crop, with `x` for the map X. All lanes of a team call it together; when it
 * returns they have met. */
void mm_convnet_run(mm_lane *lane, const mm_convnet *net, const mmood_model *model,
                    const uint8_t *crop, float *x);

/* What families of whole towers share of mm_vision_family. */
size_t mm_convnet_rows(const mm_clip_config *config);
size_t mm_convnet_patches(const mm_clip_config *config);
void mm_convnet_measure_tower(mm_needs *needs, const mmood_model *model, size_t rows);
void mm_convnet_embed(mm_lane *lane, const mmood_model *model, const uint8_t *const *crops,
                      const mm_item *items, size_t count);
void mm_convnet_embed_patches(mm_lane *lane, const mmood_model *model, const mm_item *items,
                              size_t count);

#endif
