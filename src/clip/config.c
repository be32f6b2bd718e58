/* config.c - reading config.json with transformers' defaults (configuration_clip.py), and finding
 * which configuration a directory has. */
#include "clip/config.h"

#include "base/error.h"
#include "base/file.h"
#include "base/json.h"
#include "clip/tower.h"

#include <stdlib.h>
#include <string.h>

enum { MAX_CONFIG = 16 << 20 };

const char *mm_activation_name(mm_activation activation) {
    static const char *const names[] = {"quick_gelu", "gelu", "gelu_new", "relu6"};
    return names[activation];
}

mmood_status mm_config_int(int *out, const mm_config_source *from, const char *key, int absent,
                           int least, int most, mmood_error *error) {
    const json_t *value = json_object_get(from->object, key);
    *out = absent;
    if (!value || json_is_null(value))
        return MMOOD_OK;
    if (!json_is_integer(value) || json_integer_value(value) < least ||
        json_integer_value(value) > most)
        return mm_error_set(error, MMOOD_ERROR_FORMAT,
                            "%s%s%s must be a whole number from %d to %d", from->name,
                            from->name[0] ? "." : "", key, least, most);
    *out = (int)json_integer_value(value);
    return MMOOD_OK;
}

static mmood_status read_activation(mm_activation *out, const mm_config_source *from,
                                    mmood_error *error) {
    const json_t *value = json_object_get(from->object, "hidden_act");
    const char *name = value ? json_string_value(value) : "quick_gelu";
    if (name && strcmp(name, "quick_gelu") == 0)
        *out = MM_ACT_QUICK_GELU;
    else if (name && strcmp(name, "gelu") == 0)
        *out = MM_ACT_GELU;
    else if (name && (strcmp(name, "gelu_new") == 0 || strcmp(name, "gelu_pytorch_tanh") == 0))
        *out = MM_ACT_GELU_NEW;
    else
        return mm_error_set(error, MMOOD_ERROR_UNSUPPORTED,
                            "%s.hidden_act is \"%s\"; quick_gelu, gelu, gelu_new and "
                            "gelu_pytorch_tanh are known",
                            from->name, name ? name : "(not a string)");
    return MMOOD_OK;
}

mmood_status mm_config_check_tower(const mm_tower_config *tower, const char *name,
                                   mmood_error *error) {
    if (tower->width % tower->heads == 0)
        return MMOOD_OK;
    return mm_error_set(error, MMOOD_ERROR_FORMAT,
                        "%s: the width %d is not a multiple of the number of heads %d", name,
                        tower->width, tower->heads);
}

mmood_status mm_config_check_patches(int image_size, int patch_size, mmood_error *error) {
    if (patch_size > image_size)
        return mm_error_set(error, MMOOD_ERROR_FORMAT, "patch_size %d is larger than image_size %d",
                            patch_size, image_size);
    if (image_size / patch_size > 128)
        return mm_error_set(error, MMOOD_ERROR_LIMIT,
                            "image_size %d with patch_size %d gives more than 128 x 128 patches",
                            image_size, patch_size);
    return MMOOD_OK;
}

static mmood_status read_tower(mm_tower_config *out, const mm_config_source *from, int width,
                               int mlp, int heads, mmood_error *error) {
    mmood_status status = mm_config_int(&out->width, from, "hidden_size", width, 1, 1 << 16, error);
    if (status == MMOOD_OK)
        status = mm_config_int(&out->mlp_width, from, "intermediate_size", mlp, 1, 1 << 18, error);
    if (status == MMOOD_OK)
        status = mm_config_int(&out->layers, from, "num_hidden_layers", 12, 1, 1000, error);
    if (status == MMOOD_OK)
        status = mm_config_int(&out->heads, from, "num_attention_heads", heads, 1, 1024, error);
    if (status == MMOOD_OK)
        status = read_activation(&out->activation, from, error);
    if (status != MMOOD_OK)
        return status;
    status = mm_config_check_tower(out, from->name, error);
    if (status != MMOOD_OK)
        return status;
    const json_t *eps = json_object_get(from->object, "layer_norm_eps");
    out->layer_norm_eps = eps ? json_number_value(eps) : 1e-5;
    if ((eps && !json_is_number(eps)) || !(out->layer_norm_eps > 0) || out->layer_norm_eps > 1)
        return mm_error_set(error, MMOOD_ERROR_FORMAT,
                            "%s.layer_norm_eps must be a number above 0 and at most 1", from->name);
    return MMOOD_OK;
}

static mmood_status check_type(const json_t *config, mmood_error *error) {
    const char *type = json_string_value(json_object_get(config, "model_type"));
    if (json_object_get(config, "model_cfg") || json_object_get(config, "embed_dim"))
        return mm_error_set(
            error, MMOOD_ERROR_UNSUPPORTED,
            "this is an open_clip configuration, which belongs into open_clip_config.json");
    if (type && (strcmp(type, "clip_text_model") == 0 || strcmp(type, "clip_vision_model") == 0))
        return mm_error_set(error, MMOOD_ERROR_UNSUPPORTED,
                            "model_type is \"%s\": only %s half of a CLIP model; both are needed",
                            type, type[5] == 't' ? "the text" : "the vision");
    if (type && strcmp(type, "clip") != 0)
        return mm_error_set(error, MMOOD_ERROR_UNSUPPORTED,
                            "model_type is \"%s\"; mmood runs models of type \"clip\"", type);
    if (!type && !json_object_get(config, "text_config") &&
        !json_object_get(config, "vision_config"))
        return mm_error_set(
            error, MMOOD_ERROR_FORMAT,
            "there is no model_type, text_config or vision_config, so this is not the "
            "configuration of a CLIP model");
    return MMOOD_OK;
}

/* A tower's object. Where an old file has "text_config_dict" too, transformers takes that one with
 * defaults for what it lacks, and nothing from "text_config". */
static mmood_status tower_object(json_t **out, const json_t *config, const char *key,
                                 const char *old_key, mmood_error *error) {
    const char *keys[] = {old_key, key};
    *out = NULL;
    for (int i = 0; i < 2; i++) {
        json_t *tower = json_object_get(config, keys[i]);
        if (tower && !json_is_object(tower) && !json_is_null(tower))
            return mm_error_set(error, MMOOD_ERROR_FORMAT, "%s must be an object", keys[i]);
        if (!*out && json_is_object(tower))
            *out = json_incref(tower);
    }
    if (!*out)
        *out = json_object();
    return *out ? MMOOD_OK : mm_error_set(error, MMOOD_ERROR_MEMORY, "no memory for config.json");
}

static mmood_status read_all(mm_clip_config *out, const json_t *config, const json_t *text_object,
                             const json_t *vision_object, mmood_error *error) {
    mm_config_source top = {config, ""};
    mm_config_source text = {text_object, "text_config"};
    mm_config_source vision = {vision_object, "vision_config"};
    mmood_status status = read_tower(&out->text, &text, 512, 2048, 8, error);
    if (status == MMOOD_OK)
        status = read_tower(&out->vision, &vision, 768, 3072, 12, error);
    if (status == MMOOD_OK)
        status = mm_config_int(&out->dimension, &top, "projection_dim", 512, 1, 1 << 16, error);
    if (status == MMOOD_OK)
        status = mm_config_int(&out->vocabulary, &text, "vocab_size", 49408, 3, 1 << 24, error);
    if (status == MMOOD_OK)
        status =
            mm_config_int(&out->context, &text, "max_position_embeddings", 77, 2, 1 << 14, error);
    if (status == MMOOD_OK)
        status = mm_config_int(&out->eos_token_id, &text, "eos_token_id", 49407, 0, 1 << 24, error);
    if (status == MMOOD_OK)
        status = mm_config_int(&out->image_size, &vision, "image_size", 224, 1, 1 << 14, error);
    if (status == MMOOD_OK)
        status = mm_config_int(&out->patch_size, &vision, "patch_size", 32, 1, 1 << 12, error);
    if (status == MMOOD_OK)
        status = mm_config_int(&out->channels, &vision, "num_channels", 3, 1, 64, error);
    if (status != MMOOD_OK)
        return status;
    if (out->channels != 3)
        return mm_error_set(error, MMOOD_ERROR_UNSUPPORTED,
                            "vision_config.num_channels is %d; pictures have 3", out->channels);
    out->vision_family = &mm_vit;
    out->text_family = &mm_text_transformer;
    out->pre_norm = 1;
    out->text_pooling = out->eos_token_id == 2 ? MM_TEXT_POOL_LARGEST : MM_TEXT_POOL_EOS;
    status = mm_config_check_patches(out->image_size, out->patch_size, error);
    return status == MMOOD_OK ? status : mm_error_prefix(error, status, "vision_config");
}

mmood_status mm_clip_config_parse(mm_clip_config *out, const void *data, size_t size,
                                  mmood_error *error) {
    json_t *config, *text = NULL, *vision = NULL;
    memset(out, 0, sizeof *out);
    mmood_status status = mm_json_parse(&config, data, size, error);
    if (status != MMOOD_OK)
        return status;
    if (!json_is_object(config))
        status = mm_error_set(error, MMOOD_ERROR_FORMAT, "must be a JSON object");
    if (status == MMOOD_OK)
        status = check_type(config, error);
    if (status == MMOOD_OK)
        status = tower_object(&text, config, "text_config", "text_config_dict", error);
    if (status == MMOOD_OK)
        status = tower_object(&vision, config, "vision_config", "vision_config_dict", error);
    if (status == MMOOD_OK)
        status = read_all(out, config, text, vision, error);
    json_decref(text);
    json_decref(vision);
    json_decref(config);
    return status;
}

mmood_status mm_clip_config_load(mm_clip_config *out, mmood_preprocess *preprocess,
                                 const char **name, const char *directory, mmood_error *error) {
    static const char ours[] = "config.json", open_clip[] = "open_clip_config.json";
    int has_open_clip = mm_file_exists_in(directory, open_clip);
    uint8_t *data;
    size_t size;
    *name = ours;
    mmood_status status = MMOOD_ERROR_IO;
    if (mm_file_exists_in(directory, ours) || !has_open_clip) {
        status = mm_file_read_in(&data, &size, directory, ours, MAX_CONFIG, error);
        if (status != MMOOD_OK)
            return status;
        status = mm_clip_config_parse(out, data, size, error);
        free(data);
    }
    if (status != MMOOD_OK && has_open_clip) { /* config.json may be timm's */
        *name = open_clip;
        status = mm_file_read_in(&data, &size, directory, open_clip, MAX_CONFIG, error);
        if (status != MMOOD_OK)
            return status;
        status = mm_open_clip_config_parse(out, preprocess, data, size, error);
        free(data);
    }
    return status == MMOOD_OK ? status : mm_error_prefix(error, status, "%s", *name);
}
