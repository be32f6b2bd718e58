/* open_clip_config.c - reading open_clip_config.json as open_clip publishes models on the hub: the
 * towers of model_cfg with the defaults of open_clip's CLIPVisionCfg and CLIPTextCfg, and
 * preprocess_cfg. A setting that is not implemented is refused by name: ignored, it would give
 * other numbers. */
#include "clip/tower.h"

#include "base/error.h"
#include "base/json.h"
#include "image/preprocess_config.h"

#include <string.h>

/* ---- Settings ------------------------------------------------------------------------------ */

/* How a setting is treated. */
typedef enum use {
    USED,       /* read elsewhere */
    TRAINING,   /* has no effect on a trained model */
    MUST_BE_OFF /* null, false, 0 or "" can be done */
} use;

typedef struct setting {
    const char *name;
    use use;
} setting;

static const setting model_settings[] = {
    {"embed_dim", USED},
    {"vision_cfg", USED},
    {"text_cfg", USED},
    {"quick_gelu", USED},
    {"custom_text", TRAINING},
    {"init_logit_scale", TRAINING},
    {"init_logit_bias", TRAINING},
    {"nonscalar_logit_scale", TRAINING},
};

static const setting vision_settings[] = {
    {"layers", USED},
    {"width", USED},
    {"head_width", USED},
    {"mlp_ratio", USED},
    {"patch_size", USED},
    {"image_size", USED},
    {"ls_init_value", USED},
    {"no_ln_pre", USED},
    {"final_ln_after_pool", USED},
    {"pool_type", USED},
    {"act_kwargs", USED},
    {"norm_kwargs", USED},
    {"timm_model_name", USED},
    {"timm_pool", USED},
    {"timm_proj", USED},
    {"timm_proj_bias", USED},
    {"timm_model_pretrained", TRAINING},
    {"timm_drop", TRAINING},
    {"timm_drop_path", TRAINING},
    {"patch_dropout", TRAINING},
    {"output_tokens", TRAINING},
    {"pos_embed_type", TRAINING}, /* the positions are among the weights */
    {"attn_pooler_queries", TRAINING},
    {"attn_pooler_heads", TRAINING},
    {"attentional_pool", MUST_BE_OFF},
    {"block_type", MUST_BE_OFF},
    {"qk_norm", MUST_BE_OFF},
    {"scaled_cosine_attn", MUST_BE_OFF},
    {"scale_heads", MUST_BE_OFF},
    {"scale_attn_inner", MUST_BE_OFF},
    {"scale_attn", MUST_BE_OFF},
    {"scale_fc", MUST_BE_OFF},
};

static const setting text_settings[] = {
    {"context_length", USED},
    {"vocab_size", USED},
    {"width", USED},
    {"heads", USED},
    {"layers", USED},
    {"mlp_ratio", USED},
    {"ls_init_value", USED},
    {"pad_id", USED},
    {"eos_id", USED},
    {"no_causal_mask", USED},
    {"pool_type", USED},
    {"proj_bias", USED},
    {"proj_type", USED},
    {"act_kwargs", USED},
    {"norm_kwargs", USED},
    {"output_tokens", TRAINING},
    {"final_ln_after_pool", TRAINING}, /* open_clip has it, and does not use it */
    {"hf_model_pretrained", TRAINING},
    {"hf_proj_type", TRAINING}, /* without hf_model_name these have no effect */
    {"hf_pooler_type", TRAINING},
    {"hf_model_name", MUST_BE_OFF},
    {"hf_tokenizer_name", USED},
    {"tokenizer_mode", MUST_BE_OFF},
    {"tokenizer_kwargs", MUST_BE_OFF},
    {"embed_cls", MUST_BE_OFF},
    {"block_type", MUST_BE_OFF},
    {"qk_norm", MUST_BE_OFF},
    {"scaled_cosine_attn", MUST_BE_OFF},
    {"scale_heads", MUST_BE_OFF},
    {"scale_attn_inner", MUST_BE_OFF},
    {"scale_attn", MUST_BE_OFF},
    {"scale_fc", MUST_BE_OFF},
};

static int is_off(const json_t *value) {
    const char *word = json_string_value(value);
    return json_is_null(value) || json_is_false(value) || (word && !*word) ||
           (json_is_number(value) && json_number_value(value) == 0) ||
           (json_is_object(value) && json_object_size(value) == 0);
}

/* Refuses what is not in the table, or is switched on though it cannot be done. */
static mmood_status check_settings(const mm_config_source *from, const setting *known, size_t count,
                                   mmood_error *error) {
    const char *key;
    json_t *value;
    json_object_foreach((json_t *)(uintptr_t)from->object, key, value) {
        size_t i = 0;
        while (i < count && strcmp(known[i].name, key) != 0)
            i++;
        if (i < count && (known[i].use != MUST_BE_OFF || is_off(value)))
            continue;
        const char *word = json_string_value(value);
        return mm_error_set(error, MMOOD_ERROR_UNSUPPORTED,
                            "%s.%s%s%s%s is not implemented; see docs/models.md for the models "
                            "that are",
                            from->name, key, word ? " \"" : "", word ? word : "", word ? "\"" : "");
    }
    return MMOOD_OK;
}

static mmood_status read_bool(int *out, const mm_config_source *from, const char *key,
                              mmood_error *error) {
    const json_t *value = json_object_get(from->object, key);
    *out = json_is_true(value);
    if (!value || json_is_boolean(value) || json_is_null(value))
        return MMOOD_OK;
    return mm_error_set(error, MMOOD_ERROR_FORMAT, "%s.%s must be true or false", from->name, key);
}

/* A number above 0 and at most `most`; `absent` if the key is not there. */
static mmood_status read_number(double *out, const mm_config_source *from, const char *key,
                                double absent, double most, mmood_error *error) {
    const json_t *value = json_object_get(from->object, key);
    *out = absent;
    if (!value || json_is_null(value))
        return MMOOD_OK;
    *out = json_number_value(value);
    if (json_is_number(value) && *out > 0 && *out <= most)
        return MMOOD_OK;
    return mm_error_set(error, MMOOD_ERROR_FORMAT, "%s.%s must be a number above 0 and at most %g",
                        from->name, key, most);
}

/* Numbers and words of an object inside `from`; absent or null is an empty one. */
static mmood_status read_object(mm_config_source *out, const mm_config_source *from,
                                const char *key, const setting *known, size_t count,
                                mmood_error *error) {
    *out = (mm_config_source){json_object_get(from->object, key), key};
    if (out->object && !json_is_object(out->object) && !json_is_null(out->object))
        return mm_error_set(error, MMOOD_ERROR_FORMAT, "%s.%s must be an object", from->name, key);
    return check_settings(out, known, count, error);
}

/* The index of a word; 0 if the key is not there. */
static mmood_status read_word(size_t *out, const mm_config_source *from, const char *key,
                              const char *const *words, size_t count, mmood_error *error) {
    const json_t *value = json_object_get(from->object, key);
    const char *word = json_string_value(value);
    *out = 0;
    if (!value)
        return MMOOD_OK;
    for (; word && *out < count; ++*out)
        if (strcmp(words[*out], word) == 0)
            return MMOOD_OK;
    return mm_error_set(error, MMOOD_ERROR_UNSUPPORTED, "%s.%s %s%s%s is not implemented",
                        from->name, key, word ? "\"" : "", word ? word : "(not a string)",
                        word ? "\"" : "");
}

/* ---- Transformers -------------------------------------------------------------------------- */

/* A layer scale is among the weights if its first value is given. */
static mmood_status read_layer_scale(int *out, const mm_config_source *from, mmood_error *error) {
    const json_t *scale = json_object_get(from->object, "ls_init_value");
    *out = scale && !json_is_null(scale);
    if (!*out || json_is_number(scale))
        return MMOOD_OK;
    return mm_error_set(error, MMOOD_ERROR_FORMAT, "%s.ls_init_value must be a number or null",
                        from->name);
}

/* Activation and epsilon, which both towers have alike. */
static mmood_status read_layers(mm_tower_config *out, const mm_config_source *from, int quick_gelu,
                                mmood_error *error) {
    double ratio;
    mm_config_source norm, act;
    static const setting eps_only[] = {{"eps", USED}}, approximate_only[] = {{"approximate", USED}};
    static const char *const kinds[] = {"none", "tanh"};
    size_t kind = 0;
    mmood_status status = read_number(&ratio, from, "mlp_ratio", 4, 64, error);
    if (status == MMOOD_OK)
        status = read_object(&norm, from, "norm_kwargs", eps_only, 1, error);
    if (status == MMOOD_OK)
        status = read_number(&out->layer_norm_eps, &norm, "eps", 1e-5, 1, error);
    if (status == MMOOD_OK)
        status = read_object(&act, from, "act_kwargs", approximate_only, 1, error);
    if (status == MMOOD_OK)
        status = read_word(&kind, &act, "approximate", kinds, 2, error);
    if (status == MMOOD_OK)
        status = read_layer_scale(&out->layer_scale, from, error);
    if (status != MMOOD_OK)
        return status;
    out->mlp_width = (int)((double)out->width * ratio);
    if (out->mlp_width < 1)
        return mm_error_set(error, MMOOD_ERROR_FORMAT,
                            "%s.mlp_ratio %g of the width %d is less than 1", from->name, ratio,
                            out->width);
    out->activation = quick_gelu ? MM_ACT_QUICK_GELU : kind ? MM_ACT_GELU_NEW : MM_ACT_GELU;
    out->naming = MM_NAMING_OPEN_CLIP;
    return mm_config_check_tower(out, from->name, error);
}

/* ---- The vision tower ---------------------------------------------------------------------- */

static mmood_status read_image_size(int *out, const mm_config_source *from, mmood_error *error) {
    const json_t *size = json_object_get(from->object, "image_size");
    if (!json_is_array(size))
        return mm_config_int(out, from, "image_size", 224, 1, 1 << 14, error);
    const json_t *side = json_array_get(size, 0);
    *out = (int)json_integer_value(side);
    if (json_array_size(size) == 2 && json_is_integer(side) &&
        json_equal(side, json_array_get(size, 1)) && json_integer_value(side) > 0 &&
        json_integer_value(side) <= 1 << 14)
        return MMOOD_OK;
    return mm_error_set(error, MMOOD_ERROR_UNSUPPORTED,
                        "%s.image_size must be one whole number, or two that are equal: images "
                        "are square",
                        from->name);
}

static mmood_status read_vit(mm_clip_config *out, const mm_config_source *from, int quick_gelu,
                             mmood_error *error) {
    static const char *const pools[] = {"tok", "avg"};
    int head_width, no_pre_norm;
    size_t pool;
    if (json_is_array(json_object_get(from->object, "layers")))
        return mm_error_set(error, MMOOD_ERROR_UNSUPPORTED,
                            "%s.layers is a list, so the tower is OpenAI's modified ResNet, which "
                            "is not implemented; see docs/models.md for the models that are",
                            from->name);
    mmood_status status = mm_config_int(&out->vision.width, from, "width", 768, 1, 1 << 16, error);
    if (status == MMOOD_OK)
        status = mm_config_int(&out->vision.layers, from, "layers", 12, 1, 1000, error);
    if (status == MMOOD_OK)
        status = mm_config_int(&head_width, from, "head_width", 64, 1, 1 << 12, error);
    if (status == MMOOD_OK)
        status = mm_config_int(&out->patch_size, from, "patch_size", 16, 1, 1 << 12, error);
    if (status == MMOOD_OK)
        status = read_word(&pool, from, "pool_type", pools, 2, error);
    if (status == MMOOD_OK)
        status = read_bool(&no_pre_norm, from, "no_ln_pre", error);
    if (status == MMOOD_OK)
        status = read_bool(&out->norm_after_pool, from, "final_ln_after_pool", error);
    if (status != MMOOD_OK)
        return status;
    out->vision.heads = out->vision.width / head_width; /* rounded down, as open_clip does */
    if (out->vision.heads == 0)
        return mm_error_set(error, MMOOD_ERROR_FORMAT, "%s.head_width %d is over the width %d",
                            from->name, head_width, out->vision.width);
    out->vision_family = &mm_vit;
    out->pre_norm = !no_pre_norm;
    out->pooling = pool ? MM_VISION_POOL_MEAN : MM_VISION_POOL_CLASS;
    status = read_layers(&out->vision, from, quick_gelu, error);
    if (status == MMOOD_OK)
        status = mm_config_check_patches(out->image_size, out->patch_size, error);
    return status;
}

/* timm_pool must be the usual one of the trunk. null stands for that, and "" does with a head of
 * open_clip's; the default is "avg". */
static mmood_status check_pool(const mm_config_source *from, const mm_clip_config *config,
                               mmood_error *error) {
    const json_t *value = json_object_get(from->object, "timm_pool");
    const char *usual = config->vision_family->timm_pool;
    const char *pool = value ? json_string_value(value) : "avg";
    int own_head = config->head == MM_HEAD_LINEAR || config->head == MM_HEAD_MLP;
    if (json_is_null(value) || (pool && strcmp(pool, usual) == 0) || (pool && !*pool && own_head))
        return MMOOD_OK;
    return mm_error_set(error, MMOOD_ERROR_UNSUPPORTED,
                        "%s.timm_pool is %s\"%s\"; with %s, \"%s\" is implemented", from->name,
                        value ? "" : "not given, so ", pool ? pool : "(not a string)",
                        config->trunk, usual);
}

static mmood_status read_timm(mm_clip_config *out, const mm_config_source *from, const char *name,
                              mmood_error *error) {
    static const char *const heads[] = {"linear", "", "mlp", "none"};
    static const mm_head kinds[] = {MM_HEAD_LINEAR, MM_HEAD_CLASSIFIER, MM_HEAD_MLP, MM_HEAD_NONE};
    const json_t *proj = json_object_get(from->object, "timm_proj");
    size_t head = 1;
    mmood_status status = MMOOD_OK;
    out->vision_family = mm_vision_family_find(name);
    if (!out->vision_family || strlen(name) >= sizeof out->trunk)
        return mm_error_set(error, MMOOD_ERROR_UNSUPPORTED,
                            "%s.timm_model_name is \"%s\"; %s are implemented", from->name, name,
                            mm_vision_family_names());
    memcpy(out->trunk, name, strlen(name) + 1);
    if (!proj || !json_is_null(proj))
        status = read_word(&head, from, "timm_proj", heads, 4, error);
    if (status == MMOOD_OK)
        status = read_bool(&out->head_bias, from, "timm_proj_bias", error);
    if (status != MMOOD_OK)
        return status;
    out->head = kinds[head];
    status = check_pool(from, out, error);
    if (status == MMOOD_OK)
        status = out->vision_family->configure(out, error);
    if (status == MMOOD_OK)
        status = mm_config_check_patches(out->image_size, out->patch_size, error);
    if (status == MMOOD_OK && out->head == MM_HEAD_NONE && out->dimension != out->vision.width)
        status = mm_error_set(error, MMOOD_ERROR_FORMAT,
                              "%s.timm_proj is \"none\", so embed_dim must be %d, not %d",
                              from->name, out->vision.width, out->dimension);
    return status;
}

static mmood_status read_vision(mm_clip_config *out, const mm_config_source *from, int quick_gelu,
                                mmood_error *error) {
    const json_t *timm = json_object_get(from->object, "timm_model_name");
    mmood_status status = check_settings(from, vision_settings,
                                         sizeof vision_settings / sizeof *vision_settings, error);
    if (status == MMOOD_OK)
        status = read_image_size(&out->image_size, from, error);
    if (status != MMOOD_OK)
        return status;
    out->channels = 3;
    if (!timm || json_is_null(timm))
        return read_vit(out, from, quick_gelu, error);
    if (!json_is_string(timm))
        return mm_error_set(error, MMOOD_ERROR_FORMAT, "%s.timm_model_name must be a string",
                            from->name);
    return read_timm(out, from, json_string_value(timm), error);
}

/* ---- The text tower ------------------------------------------------------------------------ */

/* A tokenizer of Hugging Face's is the file in the directory, which is refused if it is not CLIP's.
 * It pads with another token than open_clip's own, which matters where padding is seen. */
static mmood_status check_tokenizer(const mm_config_source *from, int bidirectional,
                                    mmood_error *error) {
    const json_t *name = json_object_get(from->object, "hf_tokenizer_name");
    if (!name || is_off(name))
        return MMOOD_OK;
    if (!json_is_string(name))
        return mm_error_set(error, MMOOD_ERROR_FORMAT, "%s.hf_tokenizer_name must be a string",
                            from->name);
    if (!bidirectional)
        return MMOOD_OK;
    return mm_error_set(error, MMOOD_ERROR_UNSUPPORTED,
                        "%s.hf_tokenizer_name is given together with no_causal_mask; then texts "
                        "depend on how that tokenizer pads, which is not implemented",
                        from->name);
}

static mmood_status read_text(mm_clip_config *out, const mm_config_source *from, int quick_gelu,
                              mmood_error *error) {
    static const char *const pools[] = {"argmax", "eos", "first", "last"};
    static const mm_text_pool kinds[] = {MM_TEXT_POOL_LARGEST, MM_TEXT_POOL_EOS, MM_TEXT_POOL_FIRST,
                                         MM_TEXT_POOL_LAST};
    static const char *const projections[] = {"linear"};
    size_t pool = 0, projection;
    int pad;
    mmood_status status =
        check_settings(from, text_settings, sizeof text_settings / sizeof *text_settings, error);
    if (status == MMOOD_OK)
        status = mm_config_int(&out->text.width, from, "width", 512, 1, 1 << 16, error);
    if (status == MMOOD_OK)
        status = mm_config_int(&out->text.layers, from, "layers", 12, 1, 1000, error);
    if (status == MMOOD_OK)
        status = mm_config_int(&out->text.heads, from, "heads", 8, 1, 1024, error);
    if (status == MMOOD_OK)
        status = mm_config_int(&out->vocabulary, from, "vocab_size", 49408, 3, 1 << 24, error);
    if (status == MMOOD_OK)
        status = mm_config_int(&out->context, from, "context_length", 77, 2, 1 << 14, error);
    if (status == MMOOD_OK)
        status = mm_config_int(&out->eos_token_id, from, "eos_id", 2, 0, 1 << 24, error);
    if (status == MMOOD_OK) /* open_clip's tokenizer for CLIP pads with 0 whatever this says */
        status = mm_config_int(&pad, from, "pad_id", 0, 0, 1 << 24, error);
    if (status == MMOOD_OK)
        status = read_bool(&out->bidirectional, from, "no_causal_mask", error);
    if (status == MMOOD_OK)
        status = check_tokenizer(from, out->bidirectional, error);
    if (status == MMOOD_OK)
        status = read_bool(&out->text_projection_bias, from, "proj_bias", error);
    if (status == MMOOD_OK)
        status = read_word(&pool, from, "pool_type", pools, 4, error);
    if (status == MMOOD_OK)
        status = read_word(&projection, from, "proj_type", projections, 1, error);
    if (status != MMOOD_OK)
        return status;
    out->text_family = &mm_text_transformer;
    out->text_pooling = kinds[pool];
    return read_layers(&out->text, from, quick_gelu, error);
}

/* ---- The whole ----------------------------------------------------------------------------- */

static mmood_status read_model(mm_clip_config *out, const json_t *model, mmood_error *error) {
    mm_config_source top = {model, "model_cfg"};
    mm_config_source vision = {json_object_get(model, "vision_cfg"), "model_cfg.vision_cfg"};
    mm_config_source text = {json_object_get(model, "text_cfg"), "model_cfg.text_cfg"};
    int quick_gelu = 0;
    if (json_object_get(model, "multimodal_cfg"))
        return mm_error_set(error, MMOOD_ERROR_UNSUPPORTED,
                            "model_cfg.multimodal_cfg is there, so this is a CoCa model, which is "
                            "not implemented; see docs/models.md for the models that are");
    if (!json_is_object(vision.object) || !json_is_object(text.object))
        return mm_error_set(error, MMOOD_ERROR_FORMAT,
                            "model_cfg must have the objects vision_cfg and text_cfg");
    mmood_status status =
        check_settings(&top, model_settings, sizeof model_settings / sizeof *model_settings, error);
    if (status == MMOOD_OK)
        status = mm_config_int(&out->dimension, &top, "embed_dim", 0, 0, 1 << 16, error);
    if (status == MMOOD_OK && out->dimension < 1)
        status = mm_error_set(error, MMOOD_ERROR_FORMAT,
                              "model_cfg.embed_dim must be a whole number from 1 to 65536");
    if (status == MMOOD_OK)
        status = read_bool(&quick_gelu, &top, "quick_gelu", error);
    if (status == MMOOD_OK)
        status = read_text(out, &text, quick_gelu, error);
    if (status == MMOOD_OK)
        status = read_vision(out, &vision, quick_gelu, error);
    return status;
}

mmood_status mm_open_clip_config_parse(mm_clip_config *out, mmood_preprocess *preprocess,
                                       const void *data, size_t size, mmood_error *error) {
    json_t *config;
    memset(out, 0, sizeof *out);
    memset(preprocess, 0, sizeof *preprocess);
    mmood_status status = mm_json_parse(&config, data, size, error);
    if (status != MMOOD_OK)
        return status;
    const json_t *model = json_object_get(config, "model_cfg");
    if (!json_is_object(model))
        status = mm_error_set(error, MMOOD_ERROR_FORMAT,
                              "there is no object model_cfg, so this is not the configuration of "
                              "an open_clip model");
    else
        status = read_model(out, model, error);
    if (status == MMOOD_OK) {
        status = mm_preprocess_from_open_clip(preprocess, json_object_get(config, "preprocess_cfg"),
                                              out->image_size, error);
        if (status != MMOOD_OK)
            status = mm_error_prefix(error, status, "preprocess_cfg");
    }
    json_decref(config);
    return status;
}
