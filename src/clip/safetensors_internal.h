/* safetensors_internal.h - what the files behind safetensors.h share. */
#ifndef MM_CLIP_SAFETENSORS_INTERNAL_H
#define MM_CLIP_SAFETENSORS_INTERNAL_H

#include "clip/safetensors.h"

#include <jansson.h>

/* One parsed file. Tensors and metadata borrow from `header` and from the file's bytes. */
typedef struct mm_shard {
    mm_map map;     /* empty if the bytes are the caller's */
    json_t *header; /* owns names and metadata */
} mm_shard;

struct mm_safetensors {
    mm_shard *shards;
    size_t shard_count;
    mm_tensor *tensors; /* sorted by name */
    size_t count;
};

/* An empty set with room for `shards` files; NULL if memory is out. */
mm_safetensors *mm_safetensors_create(size_t shards);

/* Appends the tensors of one file; the shard is the set's even if this fails. */
mmood_status mm_shard_parse(mm_safetensors *set, mm_shard *shard, const uint8_t *data, size_t size,
                            mmood_error *error);

/* Sorts the tensors and refuses a name that comes twice. */
mmood_status mm_safetensors_sort(mm_safetensors *set, mmood_error *error);

/* What the bytes are instead of a safetensors file, in words; NULL if nothing known. */
const char *mm_safetensors_sniff(const uint8_t *data, size_t size);

#endif
