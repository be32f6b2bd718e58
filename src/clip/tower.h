/* tower.h - the seam between CLIP and its towers: what a family of vision or text towers does for
 * the rest. A family is one file and one row of a table in towers.c. */
#ifndef MM_CLIP_TOWER_H
#define MM_CLIP_TOWER_H

#include "clip/block.h"
#include "clip/model.h"
#include "clip/weights_plan.h"

/* Memory that a tower needs to run a chunk of `rows` rows: bytes of each of mm_activations, and
 * floats of scratch. */
struct mm_needs {
    size_t x, h, qkv, mlp, pooled, embedding, scratch;
};

struct mm_vision_family {
    const char *name; /* what inspect calls it: "ViT" */

    /* 1 if it is the family of this timm_model_name; NULL: it has no such names. */
    int (*recognise)(const char *timm_name);

    const char *timm_pool; /* the one pooling of its trunks that is implemented */

    /* Completes the configuration of a trunk that was recognised: width, activation and what else
     * its name implies. NULL where recognise is. */
    mmood_status (*configure)(mm_clip_config *config, mmood_error *error);

    /* Lists the weights. MEMORY is the plan's own failure; other errors are the configuration's. */
    mmood_status (*plan)(mm_plan *plan, mm_weights *weights, const mm_clip_config *config,
                         mmood_error *error);

    int convolutional; /* runs step by step over maps, and never in int8 */

    /* Rows of a chunk that an image takes. */
    size_t (*rows)(const mm_clip_config *config);

    /* Patches of an image that have features, and the row of the first one. */
    size_t (*patches)(const mm_clip_config *config);
    size_t first_patch;

    void (*measure)(mm_needs *needs, const mmood_model *model, size_t rows);

    /* Images to activations->embedding [count, dimension], not yet of unit length. Each lane leaves
     * its share of the images there. All lanes of a team call it together. */
    void (*embed)(mm_lane *lane, const mmood_model *model, const uint8_t *const *crops,
                  const mm_item *items, size_t count);

    /* Called after embed on the same images, when this lane has read its share: features of their
     * patches to activations->embedding [count, feature rows, dimension], where an image has
     * first_patch + patches feature rows. Each lane leaves its share of all rows there. */
    void (*embed_patches)(mm_lane *lane, const mmood_model *model, const mm_item *items,
                          size_t count);
};

struct mm_text_family {
    const char *name;
    mmood_status (*plan)(mm_plan *plan, mm_weights *weights, const mm_clip_config *config,
                         mmood_error *error);

    /* Token ids as the tower takes them: may cut `ids`, or pad them up to the context. Returns how
     * many there are; *pooled is the one that becomes the embedding. */
    size_t (*fit)(uint32_t *ids, size_t *pooled, size_t count, const mm_clip_config *config);

    void (*measure)(mm_needs *needs, const mmood_model *model, size_t rows);
    void (*embed)(mm_lane *lane, const mmood_model *model, const uint32_t *ids,
                  const mm_item *items, size_t count);
};

/* The family of a timm_model_name; NULL if none is implemented. */
const mm_vision_family *mm_vision_family_find(const char *timm_name);

/* The names that are implemented, for messages; static. */
const char *mm_vision_family_names(void);

extern const mm_vision_family mm_vit;
extern const mm_vision_family mm_efficientnet;
extern const mm_vision_family mm_fastvit;
extern const mm_text_family mm_text_transformer;

#endif
