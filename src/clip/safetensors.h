/* safetensors.h - a model's tensors, and reading and writing them as safetensors files
 * (github.com/huggingface/safetensors, format specification in its README): one file, or shards
 * with an index. torch.h reads PyTorch's files to the same sets. */
#ifndef MM_CLIP_SAFETENSORS_H
#define MM_CLIP_SAFETENSORS_H

#include "base/file.h"

enum { MM_TENSOR_MAX_RANK = 8 };

typedef enum mm_dtype {
    MM_DTYPE_F64,
    MM_DTYPE_F32,
    MM_DTYPE_F16,
    MM_DTYPE_BF16,
    MM_DTYPE_I64,
    MM_DTYPE_I32,
    MM_DTYPE_I16,
    MM_DTYPE_I8,
    MM_DTYPE_U64,
    MM_DTYPE_U32,
    MM_DTYPE_U16,
    MM_DTYPE_U8,
    MM_DTYPE_BOOL,
    MM_DTYPE_F8_E4M3,
    MM_DTYPE_F8_E5M2
} mm_dtype;

/* "F32"; static. */
const char *mm_dtype_name(mm_dtype dtype);

/* Bytes an element. */
size_t mm_dtype_size(mm_dtype dtype);

typedef struct mm_tensor {
    const char *name;
    mm_dtype dtype;
    int rank;
    size_t shape[MM_TENSOR_MAX_RANK];
    size_t elements;     /* product of the shape; 1 for a scalar */
    const uint8_t *data; /* elements * size of dtype bytes, little-endian, any alignment */
    int copied;          /* 1: `data` is memory of the set, which mm_map_forget would clear */
} mm_tensor;

/* A set of named tensors, memory-mapped but for those that had to be copied. Immutable; any thread.
 * Owns all names and data. */
typedef struct mm_safetensors mm_safetensors;

/* Parses the bytes of one file, which must outlive `*out`. Everything is checked: header size (100
 * MB at most), JSON depth, dtypes, shapes without overflow, offsets that neither overlap nor leave
 * gaps. */
mmood_status mm_safetensors_parse(mm_safetensors **out, const void *data, size_t size,
                                  mmood_error *error);

/* Maps and parses one file. Files that are something else are named: git-lfs pointer, HTML page,
 * PyTorch zip or pickle, short download. */
mmood_status mm_safetensors_open(mm_safetensors **out, const char *path, mmood_error *error);

/* Opens the weights of `directory`: the first that is there of model.safetensors and
 * pytorch_model.bin, each before its shards (the same name with .index.json added); then
 * open_clip_model.safetensors, its shards, and open_clip_pytorch_model.bin. With open_clip_first
 * these come before the others. */
mmood_status mm_safetensors_open_directory(mm_safetensors **out, const char *directory,
                                           int open_clip_first, mmood_error *error);

/* NULL if there is no such tensor. */
const mm_tensor *mm_safetensors_find(const mm_safetensors *set, const char *name);
size_t mm_safetensors_count(const mm_safetensors *set);
const mm_tensor *mm_safetensors_at(const mm_safetensors *set, size_t index); /* sorted by name */

/* The files it was opened from. None where the bytes are the caller's. */
size_t mm_safetensors_files(const mm_safetensors *set);
const mm_file_identity *mm_safetensors_file(const mm_safetensors *set, size_t index);

/* The value of a "__metadata__" key, or NULL. */
const char *mm_safetensors_metadata(const mm_safetensors *set, const char *key);

void mm_safetensors_free(mm_safetensors *set);

/* Converts `count` elements from `first` on of an F32, F16, BF16 or F64 tensor to out[0 .. count).
 * The caller stays inside the tensor. UNSUPPORTED for other dtypes. */
mmood_status mm_tensor_to_f32(float *out, const mm_tensor *tensor, size_t first, size_t count,
                              mmood_error *error);

/* One tensor or metadata entry to write. */
typedef struct mm_metadata {
    const char *key;
    const char *value; /* UTF-8 */
} mm_metadata;

/* Writes tensors (their `data` are row-major little-endian bytes) and metadata to `path`, by way of
 * a temporary file. Data is aligned to 8 bytes or more. */
mmood_status mm_safetensors_write(const char *path, const mm_tensor *tensors, size_t tensor_count,
                                  const mm_metadata *metadata, size_t metadata_count,
                                  mmood_error *error);

/* What the bytes of a file are instead of a safetensors file, in words; NULL if nothing known. */
const char *mm_safetensors_sniff(const uint8_t *data, size_t size);

#endif
