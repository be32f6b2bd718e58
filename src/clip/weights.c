/* weights.c - binding and packing. A plan lists every tensor the configuration asks for, with where
 * it goes; it is checked as a whole first, then workers convert and pack entry by entry. */
#include "clip/weights.h"

#include "base/error.h"
#include "base/sha256.h"
#include "clip/int8.h"

#include <math.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MM_NAME = 128 };

/* One thing to make from tensors: a vector kept as f32, or a packed matrix of one to three stacked
 * weights with their biases. */
typedef struct entry {
    char weight[3][MM_NAME]; /* names; unused ones are empty */
    char bias[3][MM_NAME];
    size_t rank;     /* of each weight */
    size_t shape[4]; /* of each weight */
    size_t parts;
    float **vector;
    mm_matrix **matrix;
    int sensitive; /* stays in the activations' precision when the rest is int8: costs little */
} entry;

typedef struct plan {
    entry *entries;
    size_t count;
    size_t capacity;
    int failed;
    const mm_safetensors *set;
    const mm_engine *engine;
    mmood_precision precision;
    char (*digests)[65]; /* one a tensor of the set */
    pthread_mutex_t lock;
    size_t next_entry;
    size_t next_digest;
    mmood_status status; /* the first failure */
    mmood_error error;
} plan;

static entry *plan_add(plan *p) {
    if (p->count == p->capacity) {
        size_t capacity = p->capacity ? 2 * p->capacity : 64;
        entry *grown = realloc(p->entries, capacity * sizeof *grown);
        if (!grown) {
            p->failed = 1;
            return NULL;
        }
        p->entries = grown;
        p->capacity = capacity;
    }
    entry *e = &p->entries[p->count++];
    memset(e, 0, sizeof *e);
    return e;
}

static void plan_vector(plan *p, float **to, const char *prefix, const char *name, size_t rank,
                        size_t rows, size_t columns) {
    entry *e = plan_add(p);
    if (!e)
        return;
    snprintf(e->weight[0], MM_NAME, "%s%s", prefix, name);
    e->rank = rank;
    e->shape[0] = rows;
    e->shape[1] = columns;
    e->parts = 1;
    e->vector = to;
}

static void plan_norm(plan *p, mm_norm *to, const char *prefix, const char *name, size_t width) {
    char full[48];
    snprintf(full, sizeof full, "%s.weight", name);
    plan_vector(p, &to->weight, prefix, full, 1, width, 0);
    snprintf(full, sizeof full, "%s.bias", name);
    plan_vector(p, &to->bias, prefix, full, 1, width, 0);
}

/* A dense layer with bias of up to three parts stacked, each [outputs, inputs]. */
static void plan_dense(plan *p, mm_matrix **to, const char *prefix, const char *const *names,
                       size_t parts, size_t outputs, size_t inputs) {
    entry *e = plan_add(p);
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

static void plan_tower(plan *p, mm_tower *tower, const char *prefix) {
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
static void plan_plain(plan *p, mm_matrix **to, const char *name, size_t outputs, size_t inputs,
                       size_t side) {
    entry *e = plan_add(p);
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

static mmood_status make_plan(plan *p, mm_weights *w, const mm_clip_config *config, float **scale,
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
    plan_vector(p, &w->text_positions, "text_model.embeddings.", "position_embedding.weight", 2,
                (size_t)config->context, text);
    plan_tower(p, &w->text, "text_model.");
    plan_norm(p, &w->text.last, "text_model.", "final_layer_norm", text);
    plan_plain(p, &w->text.projection, "text_projection.weight", dimension, text, 0);
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
    plan_vector(p, scale, "", "logit_scale", 0, 0, 0);
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
static mmood_status check_superfluous(const plan *p, const char *tokens, mmood_error *error) {
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

static mmood_status check_plan(const plan *p, mmood_error *error) {
    for (size_t i = 0; i < p->count; i++) {
        const entry *e = &p->entries[i];
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

/* ---- Packing ------------------------------------------------------------------------------- */

/* Converts `count` elements from `first` on to f32 and refuses what is not finite. */
static mmood_status convert(float *to, const mm_tensor *tensor, size_t first, size_t count,
                            mmood_error *error) {
    mmood_status status = mm_tensor_to_f32(to, tensor, first, count, error);
    for (size_t i = 0; status == MMOOD_OK && i < count; i++)
        if (!isfinite(to[i]))
            status = mm_error_set(error, MMOOD_ERROR_NUMERIC,
                                  "tensor \"%s\" holds %s at element %zu; the file is damaged or "
                                  "training diverged",
                                  tensor->name, isnan(to[i]) ? "NaN" : "infinity", first + i);
    return status;
}

static mmood_status pack(const plan *p, const entry *e, const float *values, const float *bias,
                         size_t inputs, size_t outputs, mmood_error *error) {
    if (p->precision == MMOOD_PRECISION_INT8 && !e->sensitive)
        return mm_int8_pack(e->matrix, p->engine, mm_kernels_get(), values, bias, inputs, outputs,
                            error);
    int bf16 = p->precision != MMOOD_PRECISION_F32 && mm_engine_has_bf16();
    return mm_matrix_pack(e->matrix, p->engine, values, bias, inputs, outputs,
                          bf16 ? MMOOD_PRECISION_BF16 : MMOOD_PRECISION_F32, error);
}

static mmood_status make_entry(const plan *p, const entry *e, mmood_error *error) {
    const mm_tensor *tensor = mm_safetensors_find(p->set, e->weight[0]);
    size_t each = tensor->elements, outputs = e->shape[0];
    float *values = malloc(each * e->parts * sizeof *values);
    float *bias = e->bias[0][0] ? malloc(outputs * e->parts * sizeof *bias) : NULL;
    if (!values || (e->bias[0][0] && !bias)) {
        free(values);
        free(bias);
        return mm_error_set(error, MMOOD_ERROR_MEMORY, "no memory for the tensor \"%s\"",
                            e->weight[0]);
    }
    mmood_status status = MMOOD_OK;
    for (size_t part = 0; part < e->parts && status == MMOOD_OK; part++) {
        tensor = mm_safetensors_find(p->set, e->weight[part]);
        status = convert(values + part * each, tensor, 0, each, error);
        if (status == MMOOD_OK && bias)
            status = convert(bias + part * outputs, mm_safetensors_find(p->set, e->bias[part]), 0,
                             outputs, error);
    }
    if (status == MMOOD_OK && e->matrix)
        status = pack(p, e, values, bias, each / outputs, outputs * e->parts, error);
    if (status == MMOOD_OK && e->vector)
        *e->vector = values;
    else
        free(values);
    free(bias);
    return status;
}

static void digest_tensor(char out[65], const mm_tensor *tensor) {
    char shape[256];
    mm_sha256 hash;
    mm_sha256_init(&hash);
    format_shape(shape, sizeof shape, (size_t)tensor->rank, tensor->shape);
    mm_sha256_update(&hash, tensor->name, strlen(tensor->name) + 1);
    mm_sha256_update(&hash, mm_dtype_name(tensor->dtype), strlen(mm_dtype_name(tensor->dtype)));
    mm_sha256_update(&hash, shape, strlen(shape));
    mm_sha256_update(&hash, tensor->data, tensor->elements * mm_dtype_size(tensor->dtype));
    mm_sha256_finish(out, &hash);
}

/* The token table stays in the file, so it is only looked through. */
static mmood_status check_tokens(const mm_tensor *tensor, mmood_error *error) {
    float row[4096];
    const size_t step = sizeof row / sizeof *row;
    mmood_status status = MMOOD_OK;
    for (size_t at = 0; at < tensor->elements && status == MMOOD_OK; at += step) {
        size_t n = tensor->elements - at < step ? tensor->elements - at : step;
        status = convert(row, tensor, at, n, error);
    }
    return status;
}

/* The stored value is a logarithm: about 4.6 in trained models. */
static mmood_status check_scale(float scale, mmood_error *error) {
    if (fabsf(scale) <= 80)
        return MMOOD_OK;
    return mm_error_set(error, MMOOD_ERROR_NUMERIC,
                        "tensor \"logit_scale\" is %g; it is a logarithm, from -80 to 80 (4.6 in "
                        "trained models), so the file is damaged or made by another rule",
                        (double)scale);
}

static int take(plan *p, size_t *next, size_t count, size_t *out) {
    pthread_mutex_lock(&p->lock);
    int more = p->status == MMOOD_OK && *next < count;
    if (more)
        *out = (*next)++;
    pthread_mutex_unlock(&p->lock);
    return more;
}

static void work(void *context, int worker) {
    plan *p = context;
    size_t i;
    (void)worker;
    mm_engine_use_one_thread();
    while (take(p, &p->next_entry, p->count, &i)) {
        mmood_error error;
        mmood_status status = make_entry(p, &p->entries[i], &error);
        if (status == MMOOD_OK)
            continue;
        pthread_mutex_lock(&p->lock);
        if (p->status == MMOOD_OK) {
            p->status = status;
            p->error = error;
        }
        pthread_mutex_unlock(&p->lock);
    }
    while (take(p, &p->next_digest, mm_safetensors_count(p->set), &i))
        digest_tensor(p->digests[i], mm_safetensors_at(p->set, i));
}

static mmood_status run_plan(plan *p, mm_pool *pool, mmood_error *error) {
    p->digests = malloc(mm_safetensors_count(p->set) * sizeof *p->digests);
    if (!p->digests)
        return mm_error_set(error, MMOOD_ERROR_MEMORY, "no memory for the weights' digests");
    pthread_mutex_init(&p->lock, NULL);
    mm_pool_run(pool, mm_pool_size(pool), work, p);
    pthread_mutex_destroy(&p->lock);
    if (p->status != MMOOD_OK && error)
        *error = p->error;
    return p->status;
}

mmood_status mm_weights_load(mm_weights **out, const mm_safetensors *set,
                             const mm_clip_config *config, const mm_engine *engine,
                             mmood_precision precision, mm_pool *pool, mmood_error *error) {
    static const char tokens[] = "text_model.embeddings.token_embedding.weight";
    *out = NULL;
    mm_weights *w = calloc(1, sizeof *w);
    if (!w)
        return mm_error_set(error, MMOOD_ERROR_MEMORY, "no memory for the model's weights");
    plan p = {.set = set, .engine = engine, .precision = precision};
    float *scale = NULL;
    const size_t table[2] = {(size_t)config->vocabulary, (size_t)config->text.width};
    mmood_status status = make_plan(&p, w, config, &scale, error);
    if (status == MMOOD_OK)
        status = bind(&w->tokens, set, tokens, 2, table, error);
    if (status == MMOOD_OK)
        status = check_plan(&p, error);
    if (status == MMOOD_OK)
        status = check_superfluous(&p, tokens, error);
    if (status == MMOOD_OK)
        status = check_tokens(w->tokens, error);
    if (status == MMOOD_OK)
        status = run_plan(&p, pool, error);
    if (status == MMOOD_OK)
        status = check_scale(*scale, error);
    if (status == MMOOD_OK) {
        mm_sha256 hash;
        mm_sha256_init(&hash);
        mm_sha256_update(&hash, p.digests, mm_safetensors_count(set) * sizeof *p.digests);
        mm_sha256_finish(w->digest, &hash);
        w->logit_scale = *scale;
        *out = w;
    } else {
        mm_weights_free(w);
    }
    free(scale);
    free(p.digests);
    free(p.entries);
    return status;
}

/* ---- Memory -------------------------------------------------------------------------------- */

static size_t matrix_bytes(const mm_matrix *matrix) {
    return matrix ? mm_matrix_bytes(matrix) : 0;
}

static size_t tower_bytes(const mm_tower *tower) {
    size_t bytes = matrix_bytes(tower->projection);
    for (int i = 0; i < tower->config.layers; i++) {
        const mm_block *block = &tower->blocks[i];
        bytes += matrix_bytes(block->qkv) + matrix_bytes(block->out) + matrix_bytes(block->up) +
                 matrix_bytes(block->down);
        bytes += 4 * (size_t)tower->config.width * sizeof(float);
    }
    return bytes + 2 * (size_t)tower->config.width * sizeof(float);
}

size_t mm_weights_bytes(const mm_weights *weights) {
    return tower_bytes(&weights->vision) + tower_bytes(&weights->text) +
           matrix_bytes(weights->patches);
}

static void norm_free(mm_norm *norm) {
    free(norm->weight);
    free(norm->bias);
}

static void tower_free(mm_tower *tower) {
    for (int i = 0; tower->blocks && i < tower->config.layers; i++) {
        mm_block *block = &tower->blocks[i];
        norm_free(&block->norm1);
        norm_free(&block->norm2);
        mm_matrix_free(block->qkv);
        mm_matrix_free(block->out);
        mm_matrix_free(block->up);
        mm_matrix_free(block->down);
    }
    free(tower->blocks);
    norm_free(&tower->last);
    mm_matrix_free(tower->projection);
}

void mm_weights_free(mm_weights *weights) {
    if (!weights)
        return;
    tower_free(&weights->vision);
    tower_free(&weights->text);
    mm_matrix_free(weights->patches);
    free(weights->class_embedding);
    free(weights->vision_positions);
    norm_free(&weights->before);
    free(weights->text_positions);
    free(weights);
}
