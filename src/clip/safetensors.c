/* safetensors.c - parsing one safetensors file: 8 bytes of header length, a JSON header, then the
 * data of all tensors without gaps. */
#include "clip/safetensors_internal.h"

#include "base/error.h"
#include "base/json.h"

#include <stdlib.h>
#include <string.h>

/* The reference implementation's limit. */
static const uint64_t max_header = 100000000;

static const struct {
    const char *name;
    size_t size;
} dtypes[] = {
    [MM_DTYPE_F64] = {"F64", 8},         [MM_DTYPE_F32] = {"F32", 4},
    [MM_DTYPE_F16] = {"F16", 2},         [MM_DTYPE_BF16] = {"BF16", 2},
    [MM_DTYPE_I64] = {"I64", 8},         [MM_DTYPE_I32] = {"I32", 4},
    [MM_DTYPE_I16] = {"I16", 2},         [MM_DTYPE_I8] = {"I8", 1},
    [MM_DTYPE_U64] = {"U64", 8},         [MM_DTYPE_U32] = {"U32", 4},
    [MM_DTYPE_U16] = {"U16", 2},         [MM_DTYPE_U8] = {"U8", 1},
    [MM_DTYPE_BOOL] = {"BOOL", 1},       [MM_DTYPE_F8_E4M3] = {"F8_E4M3", 1},
    [MM_DTYPE_F8_E5M2] = {"F8_E5M2", 1},
};

const char *mm_dtype_name(mm_dtype dtype) {
    return dtypes[dtype].name;
}

size_t mm_dtype_size(mm_dtype dtype) {
    return dtypes[dtype].size;
}

static int find_dtype(mm_dtype *out, const char *name) {
    for (size_t i = 0; name && i < sizeof dtypes / sizeof *dtypes; i++)
        if (strcmp(name, dtypes[i].name) == 0) {
            *out = (mm_dtype)i;
            return 1;
        }
    return 0;
}

/* Reads a JSON integer that is a size. */
static int read_size(size_t *out, const json_t *value) {
    if (!json_is_integer(value) || json_integer_value(value) < 0)
        return 0;
    *out = (size_t)json_integer_value(value);
    return 1;
}

static mmood_status read_shape(mm_tensor *tensor, const json_t *shape, mmood_error *error) {
    size_t rank = json_array_size(shape);
    if (!json_is_array(shape) || rank > MM_TENSOR_MAX_RANK)
        return mm_error_set(error, MMOOD_ERROR_FORMAT,
                            "tensor \"%s\": its shape must be a list of at most %d sizes",
                            tensor->name, (int)MM_TENSOR_MAX_RANK);
    tensor->rank = (int)rank;
    tensor->elements = 1;
    for (size_t i = 0; i < rank; i++) {
        size_t n;
        if (!read_size(&n, json_array_get(shape, i)))
            return mm_error_set(error, MMOOD_ERROR_FORMAT,
                                "tensor \"%s\": size %zu of its shape is not a whole number >= 0",
                                tensor->name, i);
        if (n != 0 && tensor->elements > SIZE_MAX / 16 / n)
            return mm_error_set(error, MMOOD_ERROR_FORMAT,
                                "tensor \"%s\": its shape is too large for any file", tensor->name);
        tensor->shape[i] = n;
        tensor->elements *= n;
    }
    return MMOOD_OK;
}

/* One entry of the header; `body` are the `size` bytes after it. */
static mmood_status read_tensor(mm_tensor *tensor, const char *name, const json_t *value,
                                const uint8_t *body, size_t size, mmood_error *error) {
    *tensor = (mm_tensor){.name = name};
    if (!json_is_object(value))
        return mm_error_set(error, MMOOD_ERROR_FORMAT,
                            "header entry \"%s\" must be an object with dtype, shape and "
                            "data_offsets",
                            name);
    const char *dtype = json_string_value(json_object_get(value, "dtype"));
    if (!find_dtype(&tensor->dtype, dtype))
        return mm_error_set(
            error, MMOOD_ERROR_FORMAT,
            "tensor \"%s\" has the unknown dtype %s; F32, F16, BF16, F64, I8 to I64, "
            "U8 to U64, BOOL and F8_* are known",
            name, dtype ? dtype : "(none)");
    mmood_status status = read_shape(tensor, json_object_get(value, "shape"), error);
    if (status != MMOOD_OK)
        return status;
    const json_t *offsets = json_object_get(value, "data_offsets");
    size_t begin, end;
    if (json_array_size(offsets) != 2 || !read_size(&begin, json_array_get(offsets, 0)) ||
        !read_size(&end, json_array_get(offsets, 1)) || begin > end)
        return mm_error_set(error, MMOOD_ERROR_FORMAT,
                            "tensor \"%s\": data_offsets must be two whole numbers, begin <= end",
                            name);
    if (end > size)
        return mm_error_set(
            error, MMOOD_ERROR_FORMAT,
            "the file is truncated: tensor \"%s\" ends at byte %zu of the data, but "
            "there are only %zu; download it again",
            name, end, size);
    size_t need = tensor->elements * mm_dtype_size(tensor->dtype);
    if (end - begin != need)
        return mm_error_set(error, MMOOD_ERROR_FORMAT,
                            "tensor \"%s\": its shape needs %zu bytes, its data_offsets span %zu",
                            name, need, end - begin);
    tensor->data = body + begin;
    return MMOOD_OK;
}

static int by_position(const void *a, const void *b) {
    const mm_tensor *x = a, *y = b;
    if (x->data != y->data)
        return x->data < y->data ? -1 : 1;
    return (x->elements > y->elements) - (x->elements < y->elements);
}

/* The tensors must cover the data exactly: no overlap, no gap. */
static mmood_status check_layout(mm_tensor *tensors, size_t count, const uint8_t *body, size_t size,
                                 mmood_error *error) {
    if (count == 0)
        return MMOOD_OK;
    qsort(tensors, count, sizeof *tensors, by_position);
    const uint8_t *at = body;
    for (size_t i = 0; i < count; i++) {
        if (tensors[i].data != at)
            return mm_error_set(error, MMOOD_ERROR_FORMAT,
                                "tensor \"%s\" %s: it starts at byte %zu of the data, expected %zu",
                                tensors[i].name,
                                tensors[i].data < at ? "overlaps another"
                                                     : "leaves a gap before it",
                                (size_t)(tensors[i].data - body), (size_t)(at - body));
        at += tensors[i].elements * mm_dtype_size(tensors[i].dtype);
    }
    if ((size_t)(at - body) != size)
        return mm_error_set(error, MMOOD_ERROR_FORMAT,
                            "the data has %zu bytes that belong to no tensor",
                            size - (size_t)(at - body));
    return MMOOD_OK;
}

static mmood_status check_metadata(const json_t *metadata, mmood_error *error) {
    const char *key;
    json_t *value;
    if (metadata && !json_is_object(metadata))
        return mm_error_set(error, MMOOD_ERROR_FORMAT, "\"__metadata__\" must be an object");
    /* jansson's macro takes a non-const object but does not change it */
    json_object_foreach((json_t *)(uintptr_t)metadata, key, value) {
        if (!json_is_string(value))
            return mm_error_set(error, MMOOD_ERROR_FORMAT, "metadata \"%s\" must be a string", key);
    }
    return MMOOD_OK;
}

/* The header's bytes: checks the length and says what a file that is no safetensors file is. */
static mmood_status find_header(size_t *length, const uint8_t *data, size_t size,
                                mmood_error *error) {
    const char *other = mm_safetensors_sniff(data, size);
    if (other)
        return mm_error_set(error, MMOOD_ERROR_FORMAT, "not a safetensors file but %s", other);
    if (size < 8)
        return mm_error_set(
            error, MMOOD_ERROR_FORMAT,
            "the file is truncated: %zu bytes, while the header's length alone takes 8", size);
    uint64_t header = 0;
    for (int i = 7; i >= 0; i--)
        header = header << 8 | data[i];
    if (header > max_header)
        return mm_error_set(
            error, MMOOD_ERROR_LIMIT,
            "not a safetensors file: its first 8 bytes give a header of %llu bytes; "
            "at most %llu are possible",
            (unsigned long long)header, (unsigned long long)max_header);
    if (header > size - 8)
        return mm_error_set(
            error, MMOOD_ERROR_FORMAT,
            "the file is truncated: the header needs %llu bytes, but only %zu follow; "
            "download it again",
            (unsigned long long)header, size - 8);
    *length = (size_t)header;
    return MMOOD_OK;
}

mmood_status mm_shard_parse(mm_safetensors *set, mm_shard *shard, const uint8_t *data, size_t size,
                            mmood_error *error) {
    size_t length = 0;
    mmood_status status = find_header(&length, data, size, error);
    if (status == MMOOD_OK) {
        status = mm_json_parse(&shard->header, data + 8, length, error);
        if (status != MMOOD_OK)
            return mm_error_prefix(error, status, "the safetensors header");
    }
    if (status != MMOOD_OK)
        return status;
    if (!json_is_object(shard->header))
        return mm_error_set(error, MMOOD_ERROR_FORMAT,
                            "the safetensors header must be a JSON object");
    const uint8_t *body = data + 8 + length;
    size_t body_size = size - 8 - length, added = 0;
    mm_tensor *grown =
        realloc(set->tensors, (set->count + json_object_size(shard->header) + 1) * sizeof *grown);
    if (!grown)
        return mm_error_set(error, MMOOD_ERROR_MEMORY, "no memory for the list of tensors");
    set->tensors = grown;
    const char *key;
    json_t *value;
    json_object_foreach(shard->header, key, value) {
        if (strcmp(key, "__metadata__") == 0)
            status = check_metadata(value, error);
        else
            status = read_tensor(&grown[set->count + added++], key, value, body, body_size, error);
        if (status != MMOOD_OK)
            return status;
    }
    status = check_layout(grown + set->count, added, body, body_size, error);
    set->count += added;
    return status;
}

static int by_name(const void *a, const void *b) {
    return strcmp(((const mm_tensor *)a)->name, ((const mm_tensor *)b)->name);
}

mmood_status mm_safetensors_sort(mm_safetensors *set, mmood_error *error) {
    if (set->count == 0)
        return MMOOD_OK;
    qsort(set->tensors, set->count, sizeof *set->tensors, by_name);
    for (size_t i = 1; i < set->count; i++)
        if (by_name(&set->tensors[i - 1], &set->tensors[i]) == 0)
            return mm_error_set(error, MMOOD_ERROR_FORMAT,
                                "the weights hold the tensor \"%s\" twice; use the files of one "
                                "model as they were saved",
                                set->tensors[i].name);
    return MMOOD_OK;
}

mm_safetensors *mm_safetensors_create(size_t shards) {
    mm_safetensors *set = calloc(1, sizeof *set);
    if (set)
        set->shards = calloc(shards, sizeof *set->shards);
    if (set && !set->shards) {
        free(set);
        set = NULL;
    }
    return set;
}

mmood_status mm_safetensors_parse_as(mm_safetensors **out, mm_shard_parser *parse, const void *data,
                                     size_t size, mmood_error *error) {
    *out = NULL;
    mm_safetensors *set = mm_safetensors_create(1);
    if (!set)
        return mm_error_set(error, MMOOD_ERROR_MEMORY, "no memory for a set of tensors");
    set->shard_count = 1;
    mmood_status status = parse(set, &set->shards[0], data, size, error);
    if (status == MMOOD_OK)
        status = mm_safetensors_sort(set, error);
    if (status == MMOOD_OK)
        *out = set;
    else
        mm_safetensors_free(set);
    return status;
}

mmood_status mm_safetensors_parse(mm_safetensors **out, const void *data, size_t size,
                                  mmood_error *error) {
    return mm_safetensors_parse_as(out, mm_shard_parse, data, size, error);
}

const mm_tensor *mm_safetensors_find(const mm_safetensors *set, const char *name) {
    mm_tensor key = {.name = name};
    if (set->count == 0)
        return NULL;
    return bsearch(&key, set->tensors, set->count, sizeof *set->tensors, by_name);
}

size_t mm_safetensors_count(const mm_safetensors *set) {
    return set->count;
}

const mm_tensor *mm_safetensors_at(const mm_safetensors *set, size_t index) {
    return &set->tensors[index];
}

size_t mm_safetensors_files(const mm_safetensors *set) {
    return set->shard_count && set->shards[0].map.data ? set->shard_count : 0;
}

const mm_file_identity *mm_safetensors_file(const mm_safetensors *set, size_t index) {
    return &set->shards[index].map.identity;
}

const char *mm_safetensors_metadata(const mm_safetensors *set, const char *key) {
    const char *value = NULL;
    for (size_t i = 0; i < set->shard_count && !value; i++)
        value = json_string_value(
            json_object_get(json_object_get(set->shards[i].header, "__metadata__"), key));
    return value;
}

void mm_safetensors_free(mm_safetensors *set) {
    if (!set)
        return;
    for (size_t i = 0; i < set->shard_count; i++) {
        json_decref(set->shards[i].header);
        for (mm_kept *kept = set->shards[i].kept, *next; kept; kept = next) {
            next = kept->next;
            free(kept);
        }
        mm_map_close(&set->shards[i].map);
    }
    free(set->shards);
    free(set->tensors);
    free(set);
}
