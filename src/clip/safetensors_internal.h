/* safetensors_internal.h - what the files behind safetensors.h share. */
#ifndef MM_CLIP_SAFETENSORS_INTERNAL_H
#define MM_CLIP_SAFETENSORS_INTERNAL_H

#include "clip/safetensors.h"

#include <jansson.h>

/* One parsed file. Tensors and metadata borrow from it and from the file's bytes. */
typedef struct mm_shard {
    mm_map map;           /* empty if the bytes are the caller's */
    json_t *header;       /* of a safetensors file: owns names and metadata */
    struct mm_kept *kept; /* of a PyTorch file: names, and tensors that had to be copied */
} mm_shard;

/* Memory of a shard's. */
typedef struct mm_kept {
    struct mm_kept *next;
    uint8_t bytes[];
} mm_kept;

struct mm_safetensors {
    mm_shard *shards;
    size_t shard_count;
    mm_tensor *tensors; /* sorted by name */
    size_t count;
};

/* An empty set with room for `shards` files; NULL if memory is out. */
mm_safetensors *mm_safetensors_create(size_t shards);

/* Appends the tensors of one file; the shard is the set's even if this fails. */
typedef mmood_status mm_shard_parser(mm_safetensors *set, mm_shard *shard, const uint8_t *data,
                                     size_t size, mmood_error *error);
mm_shard_parser mm_shard_parse;       /* a safetensors file */
mm_shard_parser mm_shard_parse_torch; /* a file of torch.save */

/* The set of one file that is in memory. */
mmood_status mm_safetensors_parse_as(mm_safetensors **out, mm_shard_parser *parse, const void *data,
                                     size_t size, mmood_error *error);

/* Sorts the tensors and refuses a name that comes twice. */
mmood_status mm_safetensors_sort(mm_safetensors *set, mmood_error *error);

#endif
