/* safetensors_open.c - files of weights on disk: one, or the shards that an index names. */
#include "clip/safetensors_internal.h"

#include "base/error.h"
#include "base/json.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_SHARDS = 10000, MAX_INDEX = 64 << 20 };

static mmood_status open_shard(mm_safetensors *set, mm_shard_parser *parse, const char *path,
                               mmood_error *error) {
    mm_shard *shard = &set->shards[set->shard_count];
    mmood_status status = mm_map_open(&shard->map, path, error);
    if (status != MMOOD_OK)
        return status;
    set->shard_count++;
    return parse(set, shard, shard->map.data, shard->map.size, error);
}

static mmood_status open_one(mm_safetensors **out, mm_shard_parser *parse, const char *path,
                             mmood_error *error) {
    *out = NULL;
    mm_safetensors *set = mm_safetensors_create(1);
    if (!set)
        return mm_error_set(error, MMOOD_ERROR_MEMORY, "no memory for a set of tensors");
    mmood_status status = open_shard(set, parse, path, error);
    if (status == MMOOD_OK)
        status = mm_safetensors_sort(set, error);
    if (status == MMOOD_OK)
        *out = set;
    else
        mm_safetensors_free(set);
    return status;
}

mmood_status mm_safetensors_open(mm_safetensors **out, const char *path, mmood_error *error) {
    return open_one(out, mm_shard_parse, path, error);
}

/* A shard's name must stay inside the directory. */
static int is_plain_name(const char *name) {
    return name[0] && !strchr(name, '/') && strcmp(name, ".") != 0 && strcmp(name, "..") != 0;
}

/* Opens every file that the index's "weight_map" names, once each. */
static mmood_status open_listed(mm_safetensors *set, mm_shard_parser *parse, const json_t *map,
                                const char *directory, size_t room, const char **names,
                                mmood_error *error) {
    const char *tensor;
    json_t *value;
    json_object_foreach((json_t *)(uintptr_t)map, tensor, value) {
        const char *name = json_string_value(value);
        if (!name || !is_plain_name(name))
            return mm_error_set(
                error, MMOOD_ERROR_FORMAT,
                "weight_map gives \"%s\" for tensor \"%s\"; the name of a file in the "
                "same directory is expected",
                name ? name : "(not a string)", tensor);
        size_t i = 0;
        while (i < set->shard_count && strcmp(names[i], name) != 0)
            i++;
        if (i < set->shard_count)
            continue;
        if (set->shard_count == room)
            return mm_error_set(error, MMOOD_ERROR_LIMIT, "more than %zu shards", room);
        names[set->shard_count] = name;
        char *path = mm_path_join(directory, name);
        if (!path)
            return mm_error_set(error, MMOOD_ERROR_MEMORY, "no memory for a path");
        mmood_status status = open_shard(set, parse, path, error);
        free(path);
        if (status != MMOOD_OK)
            return mm_error_prefix(error, status, "shard \"%s\"", name);
    }
    return MMOOD_OK;
}

static mmood_status check_listed(const mm_safetensors *set, const json_t *map, mmood_error *error) {
    const char *tensor;
    json_t *value;
    json_object_foreach((json_t *)(uintptr_t)map, tensor, value) {
        if (!mm_safetensors_find(set, tensor))
            return mm_error_set(
                error, MMOOD_ERROR_FORMAT,
                "the index says that \"%s\" holds the tensor \"%s\", but it does not",
                json_string_value(value), tensor);
    }
    return MMOOD_OK;
}

static mmood_status open_index(mm_safetensors **out, mm_shard_parser *parse, const char *directory,
                               const char *path, mmood_error *error) {
    json_t *index;
    mmood_status status = mm_json_load(&index, path, MAX_INDEX, error);
    if (status != MMOOD_OK)
        return status;
    const json_t *map = json_object_get(index, "weight_map");
    size_t room = json_object_size(map) < MAX_SHARDS ? json_object_size(map) : MAX_SHARDS;
    if (!json_is_object(map) || room == 0) {
        json_decref(index);
        return mm_error_set(error, MMOOD_ERROR_FORMAT,
                            "has no \"weight_map\", which names the shard of each tensor");
    }
    mm_safetensors *set = mm_safetensors_create(room);
    const char **names = calloc(room, sizeof *names);
    if (!set || !names)
        status = mm_error_set(error, MMOOD_ERROR_MEMORY, "no memory for a set of tensors");
    if (status == MMOOD_OK)
        status = open_listed(set, parse, map, directory, room, names, error);
    if (status == MMOOD_OK)
        status = mm_safetensors_sort(set, error);
    if (status == MMOOD_OK)
        status = check_listed(set, map, error);
    if (status == MMOOD_OK)
        *out = set;
    else
        mm_safetensors_free(set);
    free(names);
    json_decref(index);
    return status;
}

static int ends_with(const char *text, const char *end) {
    size_t n = strlen(text), m = strlen(end);
    return n > m && strcmp(text + n - m, end) == 0;
}

/* Without weights of ours: says what weights are there instead, the likeliest kind first. */
static mmood_status explain_nothing(const char *directory, mmood_error *error) {
    static const char *const others[] = {".bin", ".pt",      ".ckpt", ".pth",        ".onnx",
                                         ".h5",  ".msgpack", ".gguf", ".safetensors"};
    size_t kinds = sizeof others / sizeof *others, best = kinds;
    char found[256] = "";
    DIR *folder = opendir(directory);
    if (!folder)
        return mm_error_set(
            error, MMOOD_ERROR_IO,
            "cannot be opened as a directory; a Hugging Face CLIP directory is needed");
    struct dirent *entry;
    while ((entry = readdir(folder)))
        for (size_t i = 0; i < kinds && i <= best; i++)
            if (ends_with(entry->d_name, others[i]) &&
                (i < best || strcmp(entry->d_name, found) < 0)) {
                best = i;
                snprintf(found, sizeof found, "%s", entry->d_name);
            }
    closedir(folder);
    if (best == kinds)
        return mm_error_set(error, MMOOD_ERROR_IO,
                            "has no weights: none of model.safetensors, "
                            "open_clip_model.safetensors, pytorch_model.bin, each as one file or "
                            "as shards with its .index.json, and open_clip_pytorch_model.bin");
    return mm_error_set(
        error, MMOOD_ERROR_UNSUPPORTED,
        "has no model.safetensors or pytorch_model.bin, only \"%s\"; rename a safetensors file to "
        "model.safetensors and a state dict of torch.save to pytorch_model.bin, or save the model "
        "again with transformers' save_pretrained(..., safe_serialization=True)",
        found);
}

mmood_status mm_safetensors_open_directory(mm_safetensors **out, const char *directory,
                                           int open_clip_first, mmood_error *error) {
    static const struct {
        const char *name;
        mm_shard_parser *parse;
        int is_index;
        int is_open_clip;
    } choices[] = {
        {"model.safetensors", mm_shard_parse, 0, 0},
        {"model.safetensors.index.json", mm_shard_parse, 1, 0},
        {"pytorch_model.bin", mm_shard_parse_torch, 0, 0},
        {"pytorch_model.bin.index.json", mm_shard_parse_torch, 1, 0},
        {"open_clip_model.safetensors", mm_shard_parse, 0, 1},
        {"open_clip_model.safetensors.index.json", mm_shard_parse, 1, 1},
        {"open_clip_pytorch_model.bin", mm_shard_parse_torch, 0, 1},
    };
    enum { CHOICES = sizeof choices / sizeof *choices };
    *out = NULL;
    for (size_t k = 0; k < 2 * CHOICES; k++) {
        size_t i = k % CHOICES;
        int first_round = k < CHOICES;
        if ((choices[i].is_open_clip == open_clip_first) != first_round ||
            !mm_file_exists_in(directory, choices[i].name))
            continue;
        char *path = mm_path_join(directory, choices[i].name);
        if (!path)
            return mm_error_set(error, MMOOD_ERROR_MEMORY, "no memory for a path");
        mmood_status status = choices[i].is_index
                                  ? open_index(out, choices[i].parse, directory, path, error)
                                  : open_one(out, choices[i].parse, path, error);
        free(path);
        return status == MMOOD_OK ? status : mm_error_prefix(error, status, "%s", choices[i].name);
    }
    return explain_nothing(directory, error);
}
