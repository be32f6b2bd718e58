/* weights_plan.c - the list of every tensor that a configuration asks for, with where it goes, and
 * what is wrong with a set of tensors that does not fit. */
#include "clip/weights_plan.h"

#include "base/error.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static mm_entry *plan_add(mm_plan *p) {
    if (p->count == p->capacity) {
        size_t capacity = p->capacity ? 2 * p->capacity : 64;
        mm_entry *grown = realloc(p->entries, capacity * sizeof *grown);
        if (!grown) {
            p->failed = 1;
            return NULL;
        }
        p->entries = grown;
        p->capacity = capacity;
    }
    mm_entry *e = &p->entries[p->count++];
    memset(e, 0, sizeof *e);
    e->tower = p->tower;
    return e;
}

static void plan_vector(mm_plan *p, const float **to, const char *prefix, const char *name,
                        size_t rank, size_t rows, size_t columns) {
    mm_entry *e = plan_add(p);
    if (!e)
        return;
    snprintf(e->weight[0], MM_NAME, "%s%s", prefix, name);
    e->rank = rank;
    e->shape[0] = rows;
    e->shape[1] = columns;
    e->parts = 1;
    e->vector = to;
    e->at = p->floats;
    size_t elements = (rows ? rows : 1) * (columns ? columns : 1);
    p->floats += (elements + 15) / 16 * 16;
}

static void plan_norm(mm_plan *p, mm_norm *to, const char *prefix, const char *name, size_t width) {
    char full[48];
    snprintf(full, sizeof full, "%s.weight", name);
    plan_vector(p, &to->weight, prefix, full, 1, width, 0);
    snprintf(full, sizeof full, "%s.bias", name);
    plan_vector(p, &to->bias, prefix, full, 1, width, 0);
}

/* A dense layer with bias of up to three parts stacked, each [outputs, inputs]. */
static void plan_dense(mm_plan *p, mm_matrix **to, const char *prefix, const char *const *names,
                       size_t parts, size_t outputs, size_t inputs) {
    mm_entry *e = plan_add(p);
    if (!e)
        return;
    for (size_t i = 0; i < parts; i++) {
        snprintf(e->weight[i], MM_NAME, "%s%s.weight", prefix, names[i]);
        snprintf(e->bias[i], MM_NAME, "%s%s.bias", prefix, names[i]);
    }
    e->rank = 2;
    e->shape[0] = outputs;
    e->shape[1] = inputs;
    e->parts = parts;
    e->matrix = to;
}

static void plan_tower(mm_plan *p, mm_tower *tower, const char *prefix) {
    static const char *const qkv[] = {"self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj"};
    static const char *const out[] = {"self_attn.out_proj"}, *const up[] = {"mlp.fc1"},
                             *const down[] = {"mlp.fc2"};
    size_t width = (size_t)tower->config.width, mlp = (size_t)tower->config.mlp_width;
    for (int i = 0; i < tower->config.layers; i++) {
        mm_block *block = &tower->blocks[i];
        char layer[48];
        snprintf(layer, sizeof layer, "%sencoder.layers.%d.", prefix, i);
        plan_norm(p, &block->norm1, layer, "layer_norm1", width);
        plan_dense(p, &block->qkv, layer, qkv, 3, width, width);
        size_t first = p->count;
        plan_dense(p, &block->out, layer, out, 1, width, width);
        plan_norm(p, &block->norm2, layer, "layer_norm2", width);
        plan_dense(p, &block->up, layer, up, 1, mlp, width);
        plan_dense(p, &block->down, layer, down, 1, width, mlp);
        for (size_t e = first; i + 1 == tower->config.layers && e < p->count; e++)
            p->entries[e].sensitive = 1; /* it runs on the pooled rows alone */
    }
}

/* A matrix without bias: a projection, or the patch convolution as [outputs, channels, side, side].
 */
static void plan_plain(mm_plan *p, mm_matrix **to, const char *name, size_t outputs, size_t inputs,
                       size_t side) {
    mm_entry *e = plan_add(p);
    if (!e)
        return;
    snprintf(e->weight[0], MM_NAME, "%s", name);
    e->sensitive = 1; /* ends of the towers */
    e->rank = side ? 4 : 2;
    e->shape[0] = outputs;
    e->shape[1] = inputs;
    e->shape[2] = e->shape[3] = side;
    e->parts = 1;
    e->matrix = to;
}

static mmood_status list_all(mm_plan *p, mm_weights *w, const mm_clip_config *config,
                             mmood_error *error) {
    size_t vision = (size_t)config->vision.width, text = (size_t)config->text.width;
    size_t side = (size_t)(config->image_size / config->patch_size);
    size_t dimension = (size_t)config->dimension;
    w->vision.config = config->vision;
    w->text.config = config->text;
    w->vision.blocks = calloc((size_t)config->vision.layers, sizeof(mm_block));
    w->text.blocks = calloc((size_t)config->text.layers, sizeof(mm_block));
    if (!w->vision.blocks || !w->text.blocks)
        return mm_error_set(error, MMOOD_ERROR_MEMORY, "no memory for the model's layers");
    p->tower = MM_TOWER_TEXT;
    plan_vector(p, &w->text_positions, "text_model.embeddings.", "position_embedding.weight", 2,
                (size_t)config->context, text);
    plan_tower(p, &w->text, "text_model.");
    plan_norm(p, &w->text.last, "text_model.", "final_layer_norm", text);
    plan_plain(p, &w->text.projection, "text_projection.weight", dimension, text, 0);
    p->tower = MM_TOWER_VISION;
    plan_vector(p, &w->class_embedding, "vision_model.embeddings.", "class_embedding", 1, vision,
                0);
    plan_plain(p, &w->patches, "vision_model.embeddings.patch_embedding.weight", vision,
               (size_t)config->channels, (size_t)config->patch_size);
    plan_vector(p, &w->vision_positions, "vision_model.embeddings.", "position_embedding.weight", 2,
                side * side + 1, vision);
    plan_norm(p, &w->before, "vision_model.", "pre_layrnorm", vision);
    plan_tower(p, &w->vision, "vision_model.");
    plan_norm(p, &w->vision.last, "vision_model.", "post_layernorm", vision);
    plan_plain(p, &w->vision.projection, "visual_projection.weight", dimension, vision, 0);
    plan_vector(p, &p->scale, "", "logit_scale", 0, 0, 0);
    if (p->failed)
        return mm_error_set(error, MMOOD_ERROR_MEMORY, "no memory for the list of weights");
    return MMOOD_OK;
}

/* ---- Checking ------------------------------------------------------------------------------ */

static int any_with_prefix(const mm_safetensors *set, const char *prefix) {
    for (size_t i = 0; i < mm_safetensors_count(set); i++)
        if (strncmp(mm_safetensors_at(set, i)->name, prefix, strlen(prefix)) == 0)
            return 1;
    return 0;
}

/* Why a tensor may be missing, judging by the names that are there. */
static const char *explain_missing(const mm_safetensors *set) {
    if (any_with_prefix(set, "visual.conv1.weight") || any_with_prefix(set, "visual.trunk.") ||
        any_with_prefix(set, "transformer.resblocks.") ||
        any_with_prefix(set, "visual.transformer."))
        return "; the names are OpenAI's or open_clip's, so convert the model with Hugging Face's "
               "convert_clip_original_pytorch_to_hf.py, or download the repository's Hugging Face "
               "version";
    if (any_with_prefix(set, "model.text_model.") || any_with_prefix(set, "clip.text_model.") ||
        any_with_prefix(set, "module.text_model.") || any_with_prefix(set, "model.vision_model."))
        return "; all names have a prefix before text_model or vision_model: save the CLIPModel "
               "itself, not the module around it";
    if (!any_with_prefix(set, "vision_model."))
        return any_with_prefix(set, "text_model.")
                   ? "; the file has only the text half of a CLIP model (CLIPTextModel): the "
                     "vision "
                     "half is missing"
                   : "; nothing in it is called text_model or vision_model, so it is not a Hugging "
                     "Face CLIP model";
    if (!any_with_prefix(set, "text_model."))
        return "; the file has only the vision half of a CLIP model (CLIPVisionModel): the text "
               "half "
               "is missing";
    if (any_with_prefix(set, "lora_") || any_with_prefix(set, "base_model."))
        return "; it looks like an adapter (LoRA): merge it into its base model first";
    return "; config.json and the weights must come from the same model";
}

static void format_shape(char *out, size_t size, size_t rank, const size_t *shape) {
    size_t used = (size_t)snprintf(out, size, "[");
    for (size_t i = 0; i < rank && used < size; i++)
        used += (size_t)snprintf(out + used, size - used, "%s%zu", i ? ", " : "", shape[i]);
    if (used < size)
        snprintf(out + used, size - used, "]");
}

/* Finds a tensor and checks its shape and type. */
static mmood_status bind(const mm_tensor **out, const mm_safetensors *set, const char *name,
                         size_t rank, const size_t *shape, mmood_error *error) {
    const mm_tensor *tensor = mm_safetensors_find(set, name);
    *out = tensor;
    if (!tensor)
        return mm_error_set(error, MMOOD_ERROR_FORMAT, "the weights lack the tensor \"%s\"%s", name,
                            explain_missing(set));
    int fits = (size_t)tensor->rank == rank;
    for (size_t i = 0; fits && i < rank; i++)
        fits = tensor->shape[i] == shape[i];
    if (rank == 0 && tensor->rank == 1 && tensor->shape[0] == 1)
        fits = 1; /* a scalar saved as [1] */
    if (!fits) {
        char found[128], wanted[128];
        format_shape(found, sizeof found, (size_t)tensor->rank, tensor->shape);
        format_shape(wanted, sizeof wanted, rank, shape);
        return mm_error_set(error, MMOOD_ERROR_FORMAT,
                            "tensor \"%s\" has the shape %s; config.json asks for %s", name, found,
                            wanted);
    }
    if (tensor->dtype != MM_DTYPE_F32 && tensor->dtype != MM_DTYPE_F16 &&
        tensor->dtype != MM_DTYPE_BF16 && tensor->dtype != MM_DTYPE_F64)
        return mm_error_set(error, MMOOD_ERROR_UNSUPPORTED,
                            "tensor \"%s\" has the type %s; F32, F16 and BF16 are understood", name,
                            mm_dtype_name(tensor->dtype));
    return MMOOD_OK;
}

static int by_name(const void *a, const void *b) {
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static int ends_with(const char *text, const char *end) {
    size_t a = strlen(text), b = strlen(end);
    return a >= b && strcmp(text + a - b, end) == 0;
}

/* Every tensor must be one that the plan takes; buffers of positions are no weights. */
static mmood_status check_superfluous(const mm_plan *p, const char *tokens, mmood_error *error) {
    const char **names = malloc((p->count * 6 + 1) * sizeof *names);
    if (!names)
        return mm_error_set(error, MMOOD_ERROR_MEMORY, "no memory for the list of weights");
    size_t count = 0;
    names[count++] = tokens;
    for (size_t i = 0; i < p->count; i++)
        for (size_t part = 0; part < p->entries[i].parts; part++) {
            names[count++] = p->entries[i].weight[part];
            if (p->entries[i].bias[part][0])
                names[count++] = p->entries[i].bias[part];
        }
    qsort(names, count, sizeof *names, by_name);
    const char *first = NULL;
    size_t superfluous = 0;
    for (size_t i = 0; i < mm_safetensors_count(p->set); i++) {
        const char *name = mm_safetensors_at(p->set, i)->name;
        if (ends_with(name, ".position_ids") ||
            bsearch(&name, names, count, sizeof *names, by_name))
            continue;
        if (!superfluous++)
            first = name;
    }
    free(names);
    if (superfluous)
        return mm_error_set(
            error, MMOOD_ERROR_FORMAT,
            "the weights hold %zu tensor%s that config.json has no place for, such as "
            "\"%s\"; config.json and the weights must come from the same model",
            superfluous, superfluous == 1 ? "" : "s", first);
    return MMOOD_OK;
}

static mmood_status check_plan(const mm_plan *p, mmood_error *error) {
    for (size_t i = 0; i < p->count; i++) {
        const mm_entry *e = &p->entries[i];
        for (size_t part = 0; part < e->parts; part++) {
            const mm_tensor *tensor;
            mmood_status status = bind(&tensor, p->set, e->weight[part], e->rank, e->shape, error);
            if (status == MMOOD_OK && e->bias[part][0])
                status = bind(&tensor, p->set, e->bias[part], 1, e->shape, error);
            if (status != MMOOD_OK)
                return status;
        }
    }
    return MMOOD_OK;
}

mmood_status mm_plan_make(mm_plan *p, mm_weights *w, const mm_clip_config *config,
                          mmood_error *error) {
    static const char tokens[] = "text_model.embeddings.token_embedding.weight";
    const size_t table[2] = {(size_t)config->vocabulary, (size_t)config->text.width};
    mmood_status status = list_all(p, w, config, error);
    if (status == MMOOD_OK)
        status = bind(&p->tokens, p->set, tokens, 2, table, error);
    if (status == MMOOD_OK)
        status = check_plan(p, error);
    if (status == MMOOD_OK)
        status = check_superfluous(p, tokens, error);
    return status;
}

void mm_plan_bind_vectors(const mm_plan *p, const float *vectors) {
    for (size_t i = 0; i < p->count; i++)
        if (p->entries[i].vector)
            *p->entries[i].vector = vectors + p->entries[i].at;
}

mmood_precision mm_plan_precision(const mm_plan *p, const mm_entry *e) {
    if (p->precision != MMOOD_PRECISION_INT8 || !e->sensitive)
        return p->precision;
    return mm_engine_has_bf16() ? MMOOD_PRECISION_BF16 : MMOOD_PRECISION_F32;
}

void mm_plan_free(mm_plan *p) {
    free(p->entries);
    p->entries = NULL;
}
