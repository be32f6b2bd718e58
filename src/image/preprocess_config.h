/* preprocess_config.h - preprocessor_config.json of a Hugging Face model. */
#ifndef MM_IMAGE_PREPROCESS_CONFIG_H
#define MM_IMAGE_PREPROCESS_CONFIG_H

#include "mmood.h"

#include <jansson.h>

/* Fills `out` from the bytes of a preprocessor_config.json: size as an int, {"shortest_edge"} or
 * {"height","width"}; crop_size as an int or {"height","width"}; do_* switches; resample 2 or 3;
 * mean and std; rescale_factor. What is absent takes CLIPImageProcessor's defaults. What cannot be
 * honoured is refused by name. */
mmood_status mm_preprocess_parse(mmood_preprocess *out, const void *data, size_t size,
                                 mmood_error *error);

/* Fills `out` from the member preprocess_cfg of an open_clip_config.json, NULL if there is none,
 * with open_clip's defaults: the images of `image_size` pixels a side are cut as torchvision does.
 */
mmood_status mm_preprocess_from_open_clip(mmood_preprocess *out, const json_t *config,
                                          int image_size, mmood_error *error);

/* Reads it from `directory`: "image_processor" of processor_config.json, which transformers 5
 * writes instead, if there is one, else preprocessor_config.json; if there is neither, CLIP's
 * defaults with `image_size`. `*source` is the name of the file that it is from, "" for the
 * defaults; static. Messages begin with the file's name. */
mmood_status mm_preprocess_load(mmood_preprocess *out, const char **source, const char *directory,
                                int image_size, mmood_error *error);

#endif
