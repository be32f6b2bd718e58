/* weights_check.c - whether a set of tensors is what a plan asks for: every tensor by its name and
 * exact shape, and none besides. */
#include "clip/weights_check.h"

#include "base/error.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int any_with_prefix(const mm_safetensors *set, const char *prefix) {
    for (size_t i = 0; i < mm_safetensors_count(set); i++)
        if (strncmp(mm_safetensors_at(set, i)->name, prefix, strlen(prefix)) == 0)
            return 1;
    return 0;
}

/* Why a tensor may be missing, judging by the names that are there. */
static const char *explain_missing(const mm_safetensors *set, int by_open_clip) {
    if (by_open_clip) /* what follows is about transformers' names */
        return any_with_prefix(set, "vision_model.")
                   ? "; the names are transformers', whose models have a config.json"
                   : "; open_clip_config.json and the weights must come from the same model";
    if (any_with_prefix(set, "visual.conv1.weight") || any_with_prefix(set, "visual.trunk.") ||
        any_with_prefix(set, "transformer.resblocks.") ||
        any_with_prefix(set, "visual.transformer."))
        return "; the names are OpenAI's or open_clip's: such a model has an open_clip_config.json "
               "in place of config.json";
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

/* Finds a tensor and checks its shape and type. Sides of 1 at the end do not count: a scalar may be
 * saved as [1], a factor per channel as [channels, 1, 1]. */
static mmood_status bind(const mm_tensor **out, const mm_plan *p, const char *name, size_t rank,
                         const size_t *shape, mmood_error *error) {
    const mm_tensor *tensor = mm_safetensors_find(p->set, name);
    *out = tensor;
    if (!tensor)
        return mm_error_set(error, MMOOD_ERROR_FORMAT, "the weights lack the tensor \"%s\"%s", name,
                            explain_missing(p->set, p->by_open_clip));
    size_t sides = (size_t)tensor->rank > rank ? (size_t)tensor->rank : rank;
    int fits = 1;
    for (size_t i = 0; fits && i < sides; i++)
        fits = (i < (size_t)tensor->rank ? tensor->shape[i] : 1) == (i < rank ? shape[i] : 1);
    if (!fits) {
        char found[128], wanted[128];
        format_shape(found, sizeof found, (size_t)tensor->rank, tensor->shape);
        format_shape(wanted, sizeof wanted, rank, shape);
        return mm_error_set(error, MMOOD_ERROR_FORMAT,
                            "tensor \"%s\" has the shape %s; %s asks for %s", name, found,
                            p->by_open_clip ? "open_clip_config.json" : "config.json", wanted);
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

/* Buffers that models are saved with, and what only training or another way to score needs. */
static int is_no_weight(const char *name) {
    return ends_with(name, ".position_ids") || ends_with(name, ".num_batches_tracked") ||
           ends_with(name, "attn_mask") || strcmp(name, "logit_bias") == 0;
}

/* ---- Names that a part stands for ---------------------------------------------------------- */

enum { MM_NORM_TENSORS = 4, MM_PART_TENSORS = 3 + MM_NORM_TENSORS };
static const char *const norm_tensors[MM_NORM_TENSORS] = {"weight", "bias", "running_mean",
                                                          "running_var"};

typedef struct part_tensor {
    char name[MM_NAME + 16];
    size_t rank;
    size_t shape[MM_RANK];
} part_tensor;

/* The tensors of a part; how many. */
static size_t part_tensors(part_tensor out[MM_PART_TENSORS], const mm_entry *e,
                           const mm_part *part) {
    size_t count = 0;
    if (part->weight[0]) {
        part_tensor *t = &out[count++];
        snprintf(t->name, sizeof t->name, "%s", part->weight);
        t->rank = part->rank;
        memcpy(t->shape, part->shape, sizeof t->shape);
        if (part->transposed) {
            t->shape[0] = part->shape[1];
            t->shape[1] = part->shape[0];
        }
    }
    const char *const vectors[] = {part->bias, part->gain};
    for (size_t i = 0; i < 2; i++)
        if (vectors[i][0]) {
            part_tensor *t = &out[count++];
            snprintf(t->name, sizeof t->name, "%s", vectors[i]);
            t->rank = 1;
            t->shape[0] = e->outputs;
        }
    for (size_t i = 0; part->norm[0] && i < MM_NORM_TENSORS; i++) {
        part_tensor *t = &out[count++];
        snprintf(t->name, sizeof t->name, "%s%s", part->norm, norm_tensors[i]);
        t->rank = 1;
        t->shape[0] = e->outputs;
    }
    return count;
}

static mmood_status check_present(const mm_plan *p, mmood_error *error) {
    part_tensor tensors[MM_PART_TENSORS];
    for (size_t i = 0; i < p->count; i++)
        for (size_t k = 0; k < p->entries[i].part_count; k++) {
            size_t count = part_tensors(tensors, &p->entries[i], &p->entries[i].parts[k]);
            for (size_t t = 0; t < count; t++) {
                const mm_tensor *found;
                mmood_status status =
                    bind(&found, p, tensors[t].name, tensors[t].rank, tensors[t].shape, error);
                if (status != MMOOD_OK)
                    return status;
            }
        }
    return MMOOD_OK;
}

/* The names of all that the plan takes, sorted; NULL if memory is out. The caller frees both. */
static const char **list_names(size_t *count, char (**memory)[MM_NAME + 16], const mm_plan *p) {
    size_t parts = 0;
    for (size_t i = 0; i < p->count; i++)
        parts += p->entries[i].part_count;
    *memory = malloc((parts * MM_PART_TENSORS + 1) * sizeof **memory);
    const char **names = malloc((parts * MM_PART_TENSORS + 1) * sizeof *names);
    *count = 0;
    if (!*memory || !names) {
        free(names);
        return NULL;
    }
    for (size_t i = 0; i < p->count; i++)
        for (size_t k = 0; k < p->entries[i].part_count; k++) {
            part_tensor tensors[MM_PART_TENSORS];
            size_t n = part_tensors(tensors, &p->entries[i], &p->entries[i].parts[k]);
            for (size_t t = 0; t < n; t++)
                memcpy((*memory)[(*count)++], tensors[t].name, sizeof **memory);
        }
    snprintf((*memory)[(*count)++], sizeof **memory, "%s", p->tokens_name);
    for (size_t i = 0; i < *count; i++)
        names[i] = (*memory)[i];
    qsort(names, *count, sizeof *names, by_name);
    return names;
}

static mmood_status check_superfluous(const mm_plan *p, mmood_error *error) {
    char(*memory)[MM_NAME + 16];
    size_t count, superfluous = 0;
    const char **names = list_names(&count, &memory, p), *first = NULL;
    if (!names) {
        free(memory);
        return mm_error_set(error, MMOOD_ERROR_MEMORY, "no memory for the list of weights");
    }
    for (size_t i = 0; i < mm_safetensors_count(p->set); i++) {
        const char *name = mm_safetensors_at(p->set, i)->name;
        if (is_no_weight(name) || bsearch(&name, names, count, sizeof *names, by_name))
            continue;
        if (!superfluous++)
            first = name;
    }
    free(names);
    free(memory);
    if (superfluous)
        return mm_error_set(error, MMOOD_ERROR_FORMAT,
                            "the weights hold %zu tensor%s that %s has no place for, such as "
                            "\"%s\"; it and the weights must come from the same model",
                            superfluous, superfluous == 1 ? "" : "s",
                            p->by_open_clip ? "open_clip_config.json" : "config.json", first);
    return MMOOD_OK;
}

mmood_status mm_plan_check(mm_plan *p, const size_t table[2], mmood_error *error) {
    mmood_status status = bind(&p->tokens, p, p->tokens_name, 2, table, error);
    if (status == MMOOD_OK)
        status = check_present(p, error);
    if (status == MMOOD_OK)
        status = check_superfluous(p, error);
    return status;
}
