/* model.c - opening a CLIP directory: configurations, tokenizer, weights, and what must fit
 * together. */
#include "clip/tower.h"

#include "base/buffer.h"
#include "base/cpus.h"
#include "base/error.h"
#include "base/sha256.h"
#include "image/preprocess_config.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

mmood_model_options mmood_model_options_default(void) {
    mmood_model_options options = {.precision = MMOOD_PRECISION_AUTO};
    return options;
}

const char *mmood_precision_name(mmood_precision precision) {
    static const char *const names[] = {"auto", "f32", "bf16", "int8"};
    return (unsigned)precision < sizeof names / sizeof *names ? names[precision] : NULL;
}

int mmood_precision_available(mmood_precision precision) {
    switch (precision) {
    case MMOOD_PRECISION_AUTO:
    case MMOOD_PRECISION_F32:
        return 1;
    case MMOOD_PRECISION_BF16:
        return mm_engine_has_bf16();
    case MMOOD_PRECISION_INT8:
        return mm_engine_has_int8() && mm_kernels_get()->quantize != NULL;
    }
    return 0;
}

static mmood_status choose_precision(mmood_model *model, mmood_precision wanted,
                                     mmood_error *error) {
    int has_bf16 = mm_engine_has_bf16(), is_fast = mm_engine_has_fast_bf16();
    switch (wanted) {
    case MMOOD_PRECISION_AUTO:
        model->precision = is_fast ? MMOOD_PRECISION_BF16 : MMOOD_PRECISION_F32;
        model->precision_reason = is_fast    ? "auto: this CPU multiplies bf16 faster than f32"
                                  : has_bf16 ? "auto: f32 is faster than bf16 on this CPU"
                                             : "auto: this CPU has no bf16 instructions";
        return MMOOD_OK;
    case MMOOD_PRECISION_F32:
        model->precision = wanted;
        model->precision_reason = "as asked for";
        return MMOOD_OK;
    case MMOOD_PRECISION_BF16:
        if (!mmood_precision_available(wanted))
            return mm_error_set(
                error, MMOOD_ERROR_UNSUPPORTED,
                "precision bf16 needs a CPU with AVX512-BF16 or AMX, which this one "
                "lacks; use f32 or auto");
        model->precision = wanted;
        model->precision_reason = "as asked for";
        return MMOOD_OK;
    case MMOOD_PRECISION_INT8:
        if (!mmood_precision_available(wanted))
            return mm_error_set(error, MMOOD_ERROR_UNSUPPORTED,
                                "precision int8 needs a CPU with AVX512-VNNI, which this one "
                                "lacks; use f32 or auto");
        model->precision = wanted;
        model->precision_reason =
            model->config.vision_family->convolutional
                ? "as asked for; a convolutional tower is not multiplied in int8"
            : has_bf16 ? "as asked for; what is not multiplied in int8 is bf16"
                       : "as asked for; what is not multiplied in int8 is f32";
        return MMOOD_OK;
    }
    return mm_error_set(error, MMOOD_ERROR_ARGUMENT, "unknown precision %d", (int)wanted);
}

/* What comes from different files must agree. */
static mmood_status check_fit(const mmood_model *model, mmood_error *error) {
    const mm_clip_config *config = &model->config;
    const mmood_preprocess *pre = &model->preprocess;
    if (pre->crop_width != config->image_size || pre->crop_height != config->image_size)
        return mm_error_set(
            error, MMOOD_ERROR_MISMATCH,
            "%s makes images of %d x %d pixels; the vision tower of %s takes %d x %d",
            model->preprocess_source, pre->crop_width, pre->crop_height, model->config_name,
            config->image_size, config->image_size);
    size_t vocabulary = mm_tokenizer_vocabulary(model->tokenizer);
    if (vocabulary > (size_t)config->vocabulary)
        return mm_error_set(
            error, MMOOD_ERROR_MISMATCH,
            "the tokenizer has ids up to %zu; %s says vocab_size %d, so some have no embedding",
            vocabulary - 1, model->config_name, config->vocabulary);
    uint32_t eot = mm_tokenizer_eot(model->tokenizer);
    if (config->text_pooling == MM_TEXT_POOL_EOS && (uint32_t)config->eos_token_id != eot)
        return mm_error_set(
            error, MMOOD_ERROR_MISMATCH,
            "%s says that token %d ends a text; the tokenizer ends texts with %u, so texts would "
            "be pooled in the wrong place",
            model->config_name, config->eos_token_id, (unsigned)eot);
    return MMOOD_OK;
}

/* Every 8-bit value of every channel, as the model takes it. */
static void make_pixel_tables(mmood_model *model) {
    const mmood_preprocess *pre = &model->preprocess;
    float factor = pre->rescale_factor != 0 ? pre->rescale_factor : 1.0f;
    for (int c = 0; c < 3; c++)
        for (int v = 0; v < 256; v++) {
            float value = ((float)v * factor - pre->mean[c]) / pre->std[c];
            model->pixels[c][v] = value;
            model->pixels_bf16[c][v] = mm_bf16_from_f32(value);
        }
}

/* All that decides a picture's embedding: weights, shapes, preprocessing. Not the precision, which
 * changes it only within rounding. */
static mmood_status make_fingerprint(mmood_model *model, mmood_error *error) {
    const mm_clip_config *c = &model->config;
    const mmood_preprocess *p = &model->preprocess;
    mm_buffer text = {0};
    mm_buffer_printf(&text, "mmood-model/1 %s", model->weights->digest);
    const mm_tower_config *towers[] = {&c->vision, &c->text};
    for (int i = 0; i < 2; i++)
        mm_buffer_printf(&text, " %d %d %d %d %s %.9g", towers[i]->width, towers[i]->layers,
                         towers[i]->heads, towers[i]->mlp_width,
                         mm_activation_name(towers[i]->activation), towers[i]->layer_norm_eps);
    mm_buffer_printf(&text, " %d %d %d %d %d %d", c->image_size, c->patch_size, c->vocabulary,
                     c->context, c->eos_token_id, c->dimension);
    mm_buffer_printf(&text, " %d %d %d %d %d %d %d %d %.9g", p->resize, p->shortest_edge,
                     p->resize_width, p->resize_height, (int)p->filter, p->center_crop,
                     p->crop_width, p->crop_height, (double)p->rescale_factor);
    for (int i = 0; i < 3; i++)
        mm_buffer_printf(&text, " %.9g %.9g", (double)p->mean[i], (double)p->std[i]);
    if (c->text.naming == MM_NAMING_OPEN_CLIP)
        mm_buffer_printf(&text, " open_clip %s %d %d %d %d %d %d %d %d %d %d %d %d %d", c->trunk,
                         (int)c->head, c->head_bias, c->pre_norm, (int)c->pooling,
                         c->norm_after_pool, c->vision.layer_scale, c->text.layer_scale,
                         c->bidirectional, (int)c->text_pooling, c->text_projection_bias,
                         p->longest_edge, (int)p->crop_rule, p->fill);
    if (text.failed) {
        mm_buffer_free(&text);
        return mm_error_set(error, MMOOD_ERROR_MEMORY, "no memory for the fingerprint");
    }
    mm_sha256_of(model->fingerprint, text.data, text.size);
    mm_buffer_free(&text);
    return MMOOD_OK;
}

static mmood_status load_weights(mmood_model *model, const char *directory,
                                 const mmood_model_options *options, mmood_error *error) {
    mm_pool *pool;
    int threads = options->threads;
    mmood_status status = mm_safetensors_open_directory(
        &model->tensors, directory, model->config.text.naming == MM_NAMING_OPEN_CLIP, error);
    time_t opened = time(NULL);
    if (status == MMOOD_OK)
        status = mm_engine_create(&model->engine, error);
    if (status != MMOOD_OK)
        return status;
    status = mm_pool_create(&pool, threads > 0 ? threads : mm_cpu_count(), error);
    if (status != MMOOD_OK)
        return status;
    mm_weights_source source = {.set = model->tensors,
                                .directory = directory,
                                .opened = opened,
                                .config = &model->config,
                                .engine = model->engine,
                                .precision = model->precision,
                                .text_precision = model->text_precision,
                                .folder = options->cache,
                                .note = {options->note, options->note_context}};
    status = mm_weights_load(&model->weights, &source, pool, error);
    mm_pool_free(pool);
    return status;
}

static mmood_status apply_resample(mmood_preprocess *preprocess, int resample, mmood_error *error) {
    if (resample != 0 && resample != MMOOD_FILTER_BILINEAR && resample != MMOOD_FILTER_BICUBIC)
        return mm_error_set(error, MMOOD_ERROR_ARGUMENT,
                            "resample %d; 2 (bilinear) and 3 (bicubic) are possible, 0 keeps the "
                            "model's",
                            resample);
    if (resample != 0)
        preprocess->filter = (mmood_filter)resample;
    return MMOOD_OK;
}

mmood_status mmood_model_open(mmood_model **out, const char *directory,
                              const mmood_model_options *options, mmood_error *error) {
    *out = NULL;
    mmood_model_options chosen = options ? *options : mmood_model_options_default();
    const mm_note note = {chosen.note, chosen.note_context};
    if (!directory)
        return mm_error_set(error, MMOOD_ERROR_ARGUMENT, "no model directory was given");
    mmood_model *model = calloc(1, sizeof *model);
    if (model)
        model->path = strdup(directory);
    if (!model || !model->path) {
        free(model);
        return mm_error_set(error, MMOOD_ERROR_MEMORY, "no memory for a model");
    }
    model->kernels = mm_kernels_get();
    mmood_status status = mm_clip_config_load(&model->config, &model->preprocess,
                                              &model->config_name, directory, error);
    if (status == MMOOD_OK)
        status = choose_precision(model, chosen.precision, error);
    model->text_precision = chosen.fast_texts ? model->precision : MMOOD_PRECISION_F32;
    model->bf16 = model->precision != MMOOD_PRECISION_F32 && mm_engine_has_bf16();
    model->text_bf16 = model->bf16 && model->text_precision != MMOOD_PRECISION_F32;
    model->preprocess_source = model->config_name;
    if (status == MMOOD_OK && model->config.text.naming == MM_NAMING_TRANSFORMERS)
        status = mm_preprocess_load(&model->preprocess, &model->preprocess_source, directory,
                                    model->config.image_size, error);
    if (status == MMOOD_OK)
        status = apply_resample(&model->preprocess, chosen.resample, error);
    if (status == MMOOD_OK)
        status = mm_tokenizer_open_kept(&model->tokenizer, directory, chosen.cache, &note, error);
    if (status == MMOOD_OK)
        status = check_fit(model, error);
    if (status == MMOOD_OK)
        status = load_weights(model, directory, &chosen, error);
    if (status == MMOOD_OK)
        status = make_fingerprint(model, error);
    if (status == MMOOD_OK) {
        make_pixel_tables(model);
        *out = model;
    } else {
        mmood_model_free(model);
        status = mm_error_prefix(error, status, "%s", directory);
    }
    return status;
}

static mmood_tower_info describe_tower(const char *family, const char *trunk,
                                       const mm_tower_config *config) {
    mmood_tower_info info = {family,
                             trunk,
                             config->width,
                             config->layers,
                             config->heads,
                             config->mlp_width,
                             mm_activation_name(config->activation),
                             config->layer_norm_eps};
    return info;
}

void mmood_model_describe(const mmood_model *model, mmood_model_info *out) {
    const mm_clip_config *config = &model->config;
    memset(out, 0, sizeof *out);
    out->dimension = config->dimension;
    out->image_size = config->image_size;
    out->patch_size = config->patch_size;
    out->patches = (int)config->vision_family->patches(config);
    out->vocabulary = config->vocabulary;
    out->context = config->context;
    out->eot_rule = (int)config->text_pooling;
    out->bidirectional = config->bidirectional;
    out->eos_token_id = config->eos_token_id;
    out->logit_scale = exp((double)model->weights->logit_scale);
    out->vision = describe_tower(config->vision_family->name, config->trunk, &config->vision);
    out->text = describe_tower(config->text_family->name, "", &config->text);
    out->preprocess = model->preprocess;
    out->preprocess_source = model->preprocess_source;
    out->precision = model->precision;
    out->text_precision = model->text_precision;
    out->precision_reason = model->precision_reason;
    out->instructions = mm_engine_instructions();
    out->kernels = mm_kernels_name(model->kernels);
    out->fingerprint = model->fingerprint;
    out->weight_bytes = mm_weights_bytes(model->weights);
}

mmood_status mmood_model_tokenize(uint32_t *out, size_t *count, int *truncated,
                                  const mmood_model *model, const char *text, size_t length,
                                  mmood_error *error) {
    return mm_tokenizer_encode(out, count, truncated, model->tokenizer, text, length,
                               (size_t)model->config.context, error);
}

const char *mmood_model_path(const mmood_model *model) {
    return model->path;
}

void mmood_model_free(mmood_model *model) {
    if (!model)
        return;
    mm_weights_free(model->weights);
    mm_safetensors_free(model->tensors);
    mm_engine_free(model->engine);
    mm_tokenizer_free(model->tokenizer);
    free(model->path);
    free(model);
}
