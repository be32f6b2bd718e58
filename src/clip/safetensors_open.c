/* safetensors_open.c - safetensors files on disk: one, or the shards that an index names. */
#include "clip/safetensors_internal.h"

#include "base/error.h"
#include "base/json.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_SHARDS = 10000, MAX_INDEX = 64 << 20 };

static mmood_status open_shard(mm_safetensors *set, const char *path, mmood_error *error) {
    mm_shard *shard = &set->shards[set->shard_count];
    mmood_status status = mm_map_open(&shard->map, path, error);
    if (status != MMOOD_OK)
        return status;
    set->shard_count++;
    return mm_shard_parse(set, shard, shard->map.data, shard->map.size, error);
}

mmood_status mm_safetensors_open(mm_safetensors **out, const char *path, mmood_error *error) {
    *out = NULL;
    mm_safetensors *set = mm_safetensors_create(1);
    if (!set)
        return mm_error_set(error, MMOOD_ERROR_MEMORY, "no memory for a set of tensors");
    mmood_status status = open_shard(set, path, error);
    if (status == MMOOD_OK)
        status = mm_safetensors_sort(set, error);
    if (status == MMOOD_OK)
        *out = set;
    else
        mm_safetensors_free(set);
    return status;
}

/* A shard's name must stay inside the directory. */
static int is_plain_name(const char *name) {
    return name[0] && !strchr(name, '/') && strcmp(name, ".") != 0 && strcmp(name, "..") != 0;
}

/* Opens every file that the index's "weight_map" names, once each. */
static mmood_status open_listed(mm_safetensors *set, const json_t *map, const char *directory,
                                size_t room, const char **names, mmood_error *error) {
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
        mmood_status status = open_shard(set, path, error);
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

static mmood_status open_index(mm_safetensors **out, const char *directory, const char *path,
                               mmood_error *error) {
    json_t *index;
    mmood_status status = mm_json_load(&index, path, MAX_INDEX, error);
    if (status != MMOOD_OK)
        return status;
    const json_t *map = json_object_get(index, "weight_map");
    size_t room = json_object_size(map) < MAX_SHARDS ? json_object_size(map) : MAX_SHARDS;
    if (!json_is_object(map) || room == 0) {
        json_decref(index);
        return mm_error_set(error, MMOOD_ERROR_FORMAT,
                            "model.safetensors.index.json has no \"weight_map\"");
    }
    mm_safetensors *set = mm_safetensors_create(room);
    const char **names = calloc(room, sizeof *names);
    if (!set || !names)
        status = mm_error_set(error, MMOOD_ERROR_MEMORY, "no memory for a set of tensors");
    if (status == MMOOD_OK)
        status = open_listed(set, map, directory, room, names, error);
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
    return status == MMOOD_OK ? status
                              : mm_error_prefix(error, status, "model.safetensors.index.json");
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
                            "has neither model.safetensors nor model.safetensors.index.json");
    return mm_error_set(
        error, MMOOD_ERROR_UNSUPPORTED,
        "has no model.safetensors, only \"%s\"; weights are read from model.safetensors, or from "
        "shards named by model.safetensors.index.json: save the model again with transformers' "
        "save_pretrained(..., safe_serialization=True)",
        found);
}

mmood_status mm_safetensors_open_directory(mm_safetensors **out, const char *directory,
                                           mmood_error *error) {
    *out = NULL;
    char *file = mm_path_join(directory, "model.safetensors");
    char *index = mm_path_join(directory, "model.safetensors.index.json");
    mmood_status status;
    if (!file || !index)
        status = mm_error_set(error, MMOOD_ERROR_MEMORY, "no memory for a path");
    else if (mm_file_exists(file)) {
        status = mm_safetensors_open(out, file, error);
        if (status != MMOOD_OK)
            status = mm_error_prefix(error, status, "model.safetensors");
    } else if (mm_file_exists(index))
        status = open_index(out, directory, index, error);
    else
        status = explain_nothing(directory, error);
    free(file);
    free(index);
    return status;
}
