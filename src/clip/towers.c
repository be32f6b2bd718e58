/* towers.c - the table of families of towers. */
#include "clip/tower.h"

static const mm_vision_family *const vision_families[] = {&mm_vit, &mm_efficientnet, &mm_fastvit};

const mm_vision_family *mm_vision_family_find(const char *timm_name) {
    for (size_t i = 0; i < sizeof vision_families / sizeof *vision_families; i++)
        if (vision_families[i]->recognise(timm_name))
            return vision_families[i];
    return NULL;
}

const char *mm_vision_family_names(void) {
    return "tf_efficientnet_lite0 to lite4, fastvit_mci0 to mci4, vit_base_mci_224 and "
           "vit_large_patch14_clip_224";
}
