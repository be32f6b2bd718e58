/* make_model.c - writes a CLIP directory of a real size with random weights in f32, as the
 * published models have them, for benchmarks: how fast a model runs does not depend on what it has
 * learnt.
 *
 *   make_model b32|b16|l14|l14-336 TOKENIZER.json OUT_DIRECTORY */
#include "base/file.h"
#include "clip/safetensors.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum { MAX_TENSORS = 1024, VOCABULARY = 49408, CONTEXT = 77, SHIFT = 1021 };

typedef struct shape {
    const char *name;
    size_t image, patch, vision, vision_layers, text, text_layers, dimension;
} shape;

static const shape shapes[] = {
    {"b32", 224, 32, 768, 12, 512, 12, 512},
    {"b16", 224, 16, 768, 12, 512, 12, 512},
    {"l14", 224, 14, 1024, 24, 768, 12, 768},
    {"l14-336", 336, 14, 1024, 24, 768, 12, 768},
};

static mm_tensor tensors[MAX_TENSORS];
static size_t tensor_count;
/* Random numbers that all tensors share, each from another place on: of equal tensors some runtimes
 * keep one, which would be faster than any real model. */
static float *noise;
static float *ones;
static size_t noise_count;

static void add(const char *prefix, const char *name, int is_one, size_t rank, size_t a, size_t b,
                size_t c, size_t d) {
    mm_tensor *tensor = &tensors[tensor_count++];
    char full[160];
    snprintf(full, sizeof full, "%s%s", prefix, name);
    *tensor = (mm_tensor){.name = strdup(full),
                          .dtype = MM_DTYPE_F32,
                          .rank = (int)rank,
                          .shape = {a, b, c, d},
                          .elements = a * (b ? b : 1) * (c ? c : 1) * (d ? d : 1)};
    if (rank == 0)
        tensor->elements = 1;
    if (!tensor->name || tensor->elements > noise_count || tensor_count == MAX_TENSORS)
        exit(1);
    tensor->data = (const uint8_t *)(is_one ? ones : noise + SHIFT * tensor_count);
}

static void add_tower(const char *prefix, size_t width, size_t layers) {
    static const char *const square[] = {"self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj",
                                         "self_attn.out_proj"};
    for (size_t i = 0; i < layers; i++) {
        char layer[64], name[64];
        snprintf(layer, sizeof layer, "%sencoder.layers.%zu.", prefix, i);
        for (int j = 0; j < 4; j++) {
            snprintf(name, sizeof name, "%s.weight", square[j]);
            add(layer, name, 0, 2, width, width, 0, 0);
            snprintf(name, sizeof name, "%s.bias", square[j]);
            add(layer, name, 0, 1, width, 0, 0, 0);
        }
        for (int j = 1; j <= 2; j++) {
            snprintf(name, sizeof name, "layer_norm%d.weight", j);
            add(layer, name, 1, 1, width, 0, 0, 0);
            snprintf(name, sizeof name, "layer_norm%d.bias", j);
            add(layer, name, 0, 1, width, 0, 0, 0);
        }
        add(layer, "mlp.fc1.weight", 0, 2, 4 * width, width, 0, 0);
        add(layer, "mlp.fc1.bias", 0, 1, 4 * width, 0, 0, 0);
        add(layer, "mlp.fc2.weight", 0, 2, width, 4 * width, 0, 0);
        add(layer, "mlp.fc2.bias", 0, 1, width, 0, 0, 0);
    }
}

static void add_norm(const char *prefix, size_t width) {
    add(prefix, ".weight", 1, 1, width, 0, 0, 0);
    add(prefix, ".bias", 0, 1, width, 0, 0, 0);
}

static void add_all(const shape *s) {
    size_t side = s->image / s->patch;
    add("", "logit_scale", 1, 0, 0, 0, 0, 0);
    add("", "text_projection.weight", 0, 2, s->dimension, s->text, 0, 0);
    add("", "visual_projection.weight", 0, 2, s->dimension, s->vision, 0, 0);
    add("text_model.embeddings.", "token_embedding.weight", 0, 2, VOCABULARY, s->text, 0, 0);
    add("text_model.embeddings.", "position_embedding.weight", 0, 2, CONTEXT, s->text, 0, 0);
    add_tower("text_model.", s->text, s->text_layers);
    add_norm("text_model.final_layer_norm", s->text);
    add("vision_model.embeddings.", "class_embedding", 0, 1, s->vision, 0, 0, 0);
    add("vision_model.embeddings.", "patch_embedding.weight", 0, 4, s->vision, 3, s->patch,
        s->patch);
    add("vision_model.embeddings.", "position_embedding.weight", 0, 2, side * side + 1, s->vision,
        0, 0);
    add_norm("vision_model.pre_layrnorm", s->vision);
    add_tower("vision_model.", s->vision, s->vision_layers);
    add_norm("vision_model.post_layernorm", s->vision);
}

static void make_numbers(size_t count) {
    noise_count = count;
    count += (size_t)SHIFT * MAX_TENSORS;
    noise = malloc(count * sizeof *noise);
    ones = malloc(count * sizeof *ones);
    if (!noise || !ones)
        exit(1);
    uint32_t state = 1;
    for (size_t i = 0; i < count; i++) {
        state = state * 1664525u + 1013904223u;
        noise[i] = ((float)(state >> 8) / 8388608.0f - 1.0f) * 0.03f;
        ones[i] = 1;
    }
}

static int write_text(const char *directory, const char *name, const char *text) {
    mmood_error error;
    char *path = mm_path_join(directory, name);
    int ok = path && mm_file_write(path, text, strlen(text), &error) == MMOOD_OK;
    free(path);
    return ok;
}

static int write_configs(const char *directory, const shape *s) {
    char text[2048];
    snprintf(text, sizeof text,
             "{\"model_type\":\"clip\",\"projection_dim\":%zu,\"text_config\":{\"hidden_size\":%zu,"
             "\"intermediate_size\":%zu,\"num_attention_heads\":%zu,\"num_hidden_layers\":%zu,"
             "\"hidden_act\":\"quick_gelu\",\"vocab_size\":%d,\"max_position_embeddings\":%d,"
             "\"eos_token_id\":2,\"projection_dim\":%zu},\"vision_config\":{\"hidden_size\":%zu,"
             "\"intermediate_size\":%zu,\"num_attention_heads\":%zu,\"num_hidden_layers\":%zu,"
             "\"hidden_act\":\"quick_gelu\",\"image_size\":%zu,\"patch_size\":%zu,\"projection_"
             "dim\":%zu}}",
             s->dimension, s->text, 4 * s->text, s->text / 64, s->text_layers, (int)VOCABULARY,
             (int)CONTEXT, s->dimension, s->vision, 4 * s->vision, s->vision / 64, s->vision_layers,
             s->image, s->patch, s->dimension);
    if (!write_text(directory, "config.json", text))
        return 0;
    snprintf(text, sizeof text,
             "{\"image_processor_type\":\"CLIPImageProcessor\",\"do_resize\":true,\"size\":"
             "{\"shortest_edge\":%zu},\"resample\":3,\"do_center_crop\":true,\"crop_size\":%zu,"
             "\"do_normalize\":true,\"image_mean\":[0.48145466,0.4578275,0.40821073],"
             "\"image_std\":[0.26862954,0.26130258,0.27577711]}",
             s->image, s->image);
    return write_text(directory, "preprocessor_config.json", text);
}

static int write_model(const char *directory, const char *tokenizer) {
    mmood_error error;
    uint8_t *data;
    size_t size;
    char *weights = mm_path_join(directory, "model.safetensors");
    char *copy = mm_path_join(directory, "tokenizer.json");
    int ok = weights && copy &&
             mm_file_read(&data, &size, tokenizer, (size_t)64 << 20, &error) == MMOOD_OK;
    if (ok) {
        ok = mm_file_write(copy, data, size, &error) == MMOOD_OK &&
             mm_safetensors_write(weights, tensors, tensor_count, NULL, 0, &error) == MMOOD_OK;
        free(data);
    }
    if (!ok)
        fprintf(stderr, "make_model: %s\n", error.message);
    free(weights);
    free(copy);
    return ok;
}

int main(int argc, char **argv) {
    const shape *s = NULL;
    for (size_t i = 0; argc == 4 && i < sizeof shapes / sizeof *shapes; i++)
        if (strcmp(argv[1], shapes[i].name) == 0)
            s = &shapes[i];
    if (!s) {
        fprintf(stderr, "usage: make_model b32|b16|l14|l14-336 TOKENIZER.json OUT_DIRECTORY\n");
        return 2;
    }
    mkdir(argv[3], 0777);
    make_numbers((size_t)VOCABULARY * s->text);
    add_all(s);
    int ok = write_configs(argv[3], s) && write_model(argv[3], argv[2]);
    for (size_t i = 0; i < tensor_count; i++)
        free((void *)(uintptr_t)tensors[i].name);
    free(noise);
    free(ones);
    return ok ? 0 : 1;
}
