/* vision.c - from crops to the vision tower's input rows: normalise, cut into patches, project, add
 * positions, norm. */
#include "clip/model.h"

#include <string.h>

size_t mm_model_vision_tokens(const mmood_model *model) {
    size_t side = (size_t)(model->config.image_size / model->config.patch_size);
    return side * side + 1;
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

void mm_vision_embed(mm_lane *lane, const mmood_model *model, const uint8_t *const *crops,
                     const mm_item *items, size_t count) {
    const mm_activations *act = lane->activations;
    const mm_weights *w = model->weights;
    size_t width = (size_t)model->config.vision.width, tokens = items[0].tokens;
    size_t first, last;
    mm_lane_share(&first, &last, lane, count * tokens);
    for (size_t row = first; row < last;) {
        size_t i = row / tokens, base = i * tokens;
        size_t end = base + tokens < last ? base + tokens : last;
        embed_rows(lane, model, crops[i], base, row - base, end - base);
        row = end;
    }
    if (first < last)
        lane->kernels->layer_norm(act->x + first * width, 0, act->x + first * width,
                                  w->before.weight, w->before.bias, last - first, width,
                                  (float)model->config.vision.layer_norm_eps);
}
