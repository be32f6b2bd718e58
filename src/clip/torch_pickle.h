/* torch_pickle.h - reading the pickle of a PyTorch state dict. A pickle is a program that names
 * functions to call; this reader calls none. It knows the opcodes that plain containers, numbers
 * and texts need, and the few names that tensors need, and refuses every other. */
#ifndef MM_CLIP_TORCH_PICKLE_H
#define MM_CLIP_TORCH_PICKLE_H

#include "clip/safetensors.h"
#include "clip/torch_zip.h"

typedef enum mm_pickle_kind {
    MM_PICKLE_NONE,
    MM_PICKLE_BOOL,
    MM_PICKLE_INT,
    MM_PICKLE_FLOAT, /* its value is not kept */
    MM_PICKLE_TEXT,
    MM_PICKLE_TUPLE,
    MM_PICKLE_LIST,
    MM_PICKLE_DICT,
    MM_PICKLE_GLOBAL,
    MM_PICKLE_STORAGE,
    MM_PICKLE_TENSOR,
    MM_PICKLE_MARK /* where the items of a container begin on the stack */
} mm_pickle_kind;

/* "an int"; static. */
const char *mm_pickle_kind_name(mm_pickle_kind kind);

typedef struct mm_pickle_value {
    mm_pickle_kind kind;
    size_t length; /* of a text */
    union {
        int64_t number;   /* BOOL, INT */
        const char *text; /* UTF-8 in the pickle's bytes, without a NUL after it */
        size_t index;     /* TUPLE, LIST, DICT, STORAGE, TENSOR: in the lists of mm_pickle; GLOBAL:
                             in the allow-list */
    } as;
} mm_pickle_value;

/* A growable list of values. A dict's keys and values take turns. */
typedef struct mm_pickle_list {
    mm_pickle_value *items;
    size_t count, capacity;
} mm_pickle_list;

typedef struct mm_torch_storage {
    mm_dtype dtype;
    const uint8_t *data; /* in the archive */
    size_t elements;
} mm_torch_storage;

/* A view into a storage; its first and last element are inside. */
typedef struct mm_torch_tensor {
    mm_dtype dtype;
    int rank;
    size_t shape[MM_TENSOR_MAX_RANK];
    size_t stride[MM_TENSOR_MAX_RANK]; /* in elements */
    size_t elements;
    const uint8_t *data; /* its first element */
    int contiguous;      /* elements in row-major order, one after the other */
} mm_torch_tensor;

/* All that a pickle made. Containers may hold each other and themselves. */
typedef struct mm_pickle {
    const mm_zip *zip;
    const char *root; /* the archive's folder; storages are in root/data/KEY */
    size_t root_length;
    mm_pickle_list stack, memo;
    mm_pickle_list *containers;
    size_t container_count, container_capacity;
    mm_torch_storage *storages;
    size_t storage_count, storage_capacity;
    mm_torch_tensor *tensors;
    size_t tensor_count, tensor_capacity;
    size_t values; /* in all containers */
} mm_pickle;

/* Reads the pickle in data[0 .. size) and leaves what it made in `*result`. The archive and the
 * bytes must outlive `p`, which the caller frees even after a failure. */
mmood_status mm_pickle_read(mm_pickle *p, mm_pickle_value *result, const uint8_t *data, size_t size,
                            mmood_error *error);
void mm_pickle_free(mm_pickle *p);

/* The rest is shared by the files behind this header. */

/* Makes `*list`, which holds `count` elements of `each` bytes, hold one more, at most `most`. */
mmood_status mm_pickle_grow(void **list, size_t *capacity, size_t count, size_t each, size_t most,
                            const char *what, mmood_error *error);

/* A new, empty container of a kind. */
mmood_status mm_pickle_container(mm_pickle *p, mm_pickle_value *out, mm_pickle_kind kind,
                                 mmood_error *error);

/* The value for a name that is on the allow-list. */
mmood_status mm_torch_global(mm_pickle_value *out, const char *module, size_t module_length,
                             const char *name, size_t name_length, mmood_error *error);

/* The storage that a persistent id, ('storage', class, key, device, elements), names. */
mmood_status mm_torch_persistent(mm_pickle *p, mm_pickle_value *out, mm_pickle_value id,
                                 mmood_error *error);

/* What a name on the allow-list would return for arguments: a tensor or an empty dict. */
mmood_status mm_torch_call(mm_pickle *p, mm_pickle_value *out, mm_pickle_value function,
                           mm_pickle_value arguments, mmood_error *error);

#endif
