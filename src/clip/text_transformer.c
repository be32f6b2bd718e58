/* text_transformer.c - CLIP's text tower: token embeddings and positions, a transformer, the row of
 * one token. */
#include "clip/tower.h"
#include "clip/transformer_names.h"

/* open_clip puts "text." before all names of models that it builds from separate towers. */
static const char *open_clip_prefix(const mm_plan *p) {
    return mm_plan_has(p, "text.token_embedding.weight") ? "text." : "";
}

static mmood_status plan(mm_plan *p, mm_weights *w, const mm_clip_config *config,
                         mmood_error *error) {
    size_t width = (size_t)config->text.width, context = (size_t)config->context;
    size_t dimension = (size_t)config->dimension;
    int open_clip = config->text.naming == MM_NAMING_OPEN_CLIP;
    const char *prefix = open_clip ? open_clip_prefix(p) : "text_model.";
    mm_plan_name(p->tokens_name, "%s%s", prefix,
                 open_clip ? "token_embedding.weight" : "embeddings.token_embedding.weight");
    mm_plan_vector(p, &w->text_positions, 2, context, width, "%s%s", prefix,
                   open_clip ? "positional_embedding" : "embeddings.position_embedding.weight");
    mmood_status status = mm_plan_blocks(p, &w->text, prefix, error);
    mm_plan_norm(p, &w->text.last, width, "%s%s", prefix,
                 open_clip ? "ln_final" : "final_layer_norm");
    mm_entry *e = mm_plan_matrix(p, &w->text.projection, dimension, width, 0);
    e->sensitive = 1;
    if (!open_clip) {
        mm_plan_part(p, e, 0, "text_projection.weight");
    } else if (config->text_projection_bias) {
        mm_part *part = mm_plan_part(p, e, 0, "%stext_projection.weight", prefix);
        mm_plan_name(part->bias, "%stext_projection.bias", prefix);
    } else {
        mm_plan_part(p, e, 0, "%stext_projection", prefix)->transposed = 1;
    }
    return status;
}

static size_t find_pooled(const uint32_t *ids, size_t count, const mm_clip_config *config) {
    size_t best = 0;
    switch (config->text_pooling) {
    case MM_TEXT_POOL_FIRST:
        return 0;
    case MM_TEXT_POOL_LAST:
        return (size_t)config->context - 1;
    case MM_TEXT_POOL_LARGEST:
        for (size_t i = 1; i < count; i++)
            if (ids[i] > ids[best])
                best = i;
        return best;
    case MM_TEXT_POOL_EOS:
        for (size_t i = 0; i < count; i++)
            if (ids[i] == (uint32_t)config->eos_token_id)
                return i;
    }
    return count - 1;
}

/* A causal tower never looks past the token that is pooled; others see the padding too. */
static size_t fit(uint32_t *ids, size_t *pooled, size_t count, const mm_clip_config *config) {
    size_t context = (size_t)config->context;
    *pooled = find_pooled(ids, count, config);
    for (size_t i = count; i < context; i++)
        ids[i] = 0;
    return config->bidirectional ? context : *pooled + 1;
}

static void measure(mm_needs *needs, const mmood_model *model, size_t rows) {
    mm_tower_measure(needs, &model->config.text, model->text_bf16, rows);
    needs->embedding = rows * (size_t)model->config.dimension * sizeof(float);
    needs->scratch =
        mm_attention_scratch((size_t)model->config.context,
                             (size_t)(model->config.text.width / model->config.text.heads));
}

/* Token embeddings plus positions to this lane's rows of x. */
static void embed_tokens(mm_lane *lane, const mmood_model *model, const uint32_t *ids,
                         const mm_item *items, size_t count) {
    const mm_activations *act = lane->activations;
    const mm_weights *w = model->weights;
    size_t width = (size_t)model->config.text.width;
    size_t first, last;
    mm_lane_share(&first, &last, lane, items[count - 1].first + items[count - 1].tokens);
    for (size_t i = 0; i < count; i++)
        for (size_t t = 0; t < items[i].tokens && lane->status == MMOOD_OK; t++) {
            size_t row = items[i].first + t;
            if (row < first || row >= last)
                continue;
            float *x = act->x + row * width;
            lane->status = mm_tensor_to_f32(x, w->tokens, ids[row] * width, width, &lane->error);
            for (size_t k = 0; k < width; k++)
                x[k] += w->text_positions[t * width + k];
        }
}

static void embed(mm_lane *lane, const mmood_model *model, const uint32_t *ids,
                  const mm_item *items, size_t count) {
    embed_tokens(lane, model, ids, items, count);
    mm_tower_run(lane, &model->weights->text, items, count, !model->config.bidirectional);
}

const mm_text_family mm_text_transformer = {"transformer", plan, fit, measure, embed};
