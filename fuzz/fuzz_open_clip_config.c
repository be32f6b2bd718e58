/* fuzz_open_clip_config.c - open_clip_config.json on arbitrary bytes; what is accepted must have
 * sizes that the rest can work with. */
#include "clip/tower.h"

#include <stdint.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(int holds) {
    if (!holds)
        abort();
}

static void check_tower(const mm_tower_config *tower) {
    check(tower->width > 0 && tower->layers > 0 && tower->layer_norm_eps > 0);
    check(tower->heads == 0 || (tower->width % tower->heads == 0 && tower->mlp_width > 0));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    mm_clip_config out;
    mmood_preprocess preprocess;
    mmood_error error;
    if (mm_open_clip_config_parse(&out, &preprocess, data, size, &error) != MMOOD_OK)
        return 0;
    check_tower(&out.vision);
    check_tower(&out.text);
    check(out.text.heads > 0 && out.dimension > 0 && out.vocabulary > 2 && out.context > 1);
    check(out.image_size > 0 && out.patch_size > 0 && out.vision_family->patches(&out) > 0);
    check(preprocess.crop_width > 0 && preprocess.fill >= 0 && preprocess.fill <= 255);
    return 0;
}
