/* text.c - from token ids to the text tower's input rows: token embedding plus position. */
#include "clip/model.h"

size_t mm_model_eot_position(const mmood_model *model, const uint32_t *ids, size_t count) {
    /* Configurations from before eos_token_id was right have 2 there; the largest id is meant. */
    if (model->config.eos_token_id == 2) {
        size_t best = 0;
        for (size_t i = 1; i < count; i++)
            if (ids[i] > ids[best])
                best = i;
        return best;
    }
    for (size_t i = 0; i < count; i++)
        if (ids[i] == (uint32_t)model->config.eos_token_id)
            return i;
    return count - 1;
}

void mm_text_embed(mm_lane *lane, const mmood_model *model, const uint32_t *ids,
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
