/* torch_rebuild.c - the few names that the pickle of a state dict may use, and what they stand for:
 * storages, tensors and dicts. Nothing is looked up anywhere else. */
#include "clip/torch_pickle.h"

#include "base/error.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_STORAGES = 1 << 16, MAX_TENSORS = 1 << 16, MAX_KEY = 128 };

typedef enum role { ROLE_DICT, ROLE_TENSOR, ROLE_PARAMETER, ROLE_STORAGE } role;

static const struct {
    const char *module, *name;
    role role;
    mm_dtype dtype; /* of a storage */
} allowed[] = {
    {"collections", "OrderedDict", ROLE_DICT, MM_DTYPE_U8},
    {"torch._utils", "_rebuild_tensor_v2", ROLE_TENSOR, MM_DTYPE_U8},
    {"torch._utils", "_rebuild_parameter", ROLE_PARAMETER, MM_DTYPE_U8},
    {"torch", "DoubleStorage", ROLE_STORAGE, MM_DTYPE_F64},
    {"torch", "FloatStorage", ROLE_STORAGE, MM_DTYPE_F32},
    {"torch", "HalfStorage", ROLE_STORAGE, MM_DTYPE_F16},
    {"torch", "BFloat16Storage", ROLE_STORAGE, MM_DTYPE_BF16},
    {"torch", "LongStorage", ROLE_STORAGE, MM_DTYPE_I64},
    {"torch", "IntStorage", ROLE_STORAGE, MM_DTYPE_I32},
    {"torch", "ShortStorage", ROLE_STORAGE, MM_DTYPE_I16},
    {"torch", "CharStorage", ROLE_STORAGE, MM_DTYPE_I8},
    {"torch", "ByteStorage", ROLE_STORAGE, MM_DTYPE_U8},
    {"torch", "BoolStorage", ROLE_STORAGE, MM_DTYPE_BOOL},
};

static int is_text(const char *text, size_t length, const char *wanted) {
    return strlen(wanted) == length && memcmp(text, wanted, length) == 0;
}

mmood_status mm_torch_global(mm_pickle_value *out, const char *module, size_t module_length,
                             const char *name, size_t name_length, mmood_error *error) {
    for (size_t i = 0; i < sizeof allowed / sizeof *allowed; i++)
        if (is_text(module, module_length, allowed[i].module) &&
            is_text(name, name_length, allowed[i].name)) {
            *out = (mm_pickle_value){.kind = MM_PICKLE_GLOBAL, .as.index = i};
            return MMOOD_OK;
        }
    return mm_error_set(error, MMOOD_ERROR_UNSUPPORTED,
                        "the file asks for \"%.*s.%.*s\", which the weights of a model do not "
                        "need, so it is refused; nothing was run. Use the model's safetensors, "
                        "or, if you trust the file, load it in PyTorch and save its state dict "
                        "alone with torch.save",
                        (int)(module_length < 256 ? module_length : 256), module,
                        (int)(name_length < 256 ? name_length : 256), name);
}

/* ---- Storages ------------------------------------------------------------------------------ */

static mmood_status add_storage(mm_pickle *p, mm_pickle_value *out, mm_torch_storage storage,
                                mmood_error *error) {
    void *storages = p->storages;
    mmood_status status = mm_pickle_grow(&storages, &p->storage_capacity, p->storage_count,
                                         sizeof storage, MAX_STORAGES, "storages", error);
    p->storages = storages;
    if (status != MMOOD_OK)
        return status;
    *out = (mm_pickle_value){.kind = MM_PICKLE_STORAGE, .as.index = p->storage_count};
    p->storages[p->storage_count++] = storage;
    return MMOOD_OK;
}

mmood_status mm_torch_persistent(mm_pickle *p, mm_pickle_value *out, mm_pickle_value id,
                                 mmood_error *error) {
    const mm_pickle_list *t = id.kind == MM_PICKLE_TUPLE ? &p->containers[id.as.index] : NULL;
    const mm_pickle_value *v = t ? t->items : NULL;
    if (!t || t->count != 5 || v[0].kind != MM_PICKLE_TEXT ||
        !is_text(v[0].as.text, v[0].length, "storage") || v[1].kind != MM_PICKLE_GLOBAL ||
        allowed[v[1].as.index].role != ROLE_STORAGE || v[2].kind != MM_PICKLE_TEXT ||
        v[2].length > MAX_KEY || v[3].kind != MM_PICKLE_TEXT || v[4].kind != MM_PICKLE_INT ||
        v[4].as.number < 0)
        return mm_error_set(error, MMOOD_ERROR_FORMAT,
                            "a persistent id must be (\"storage\", a storage class, a key, a "
                            "device, the number of elements); the file is damaged: download it "
                            "again");
    char name[1024];
    int n = snprintf(name, sizeof name, "%.*s/data/%.*s", (int)p->root_length, p->root,
                     (int)v[2].length, v[2].as.text);
    const mm_zip_entry *entry = mm_zip_find(p->zip, name, (size_t)n);
    if (!entry)
        return mm_error_set(error, MMOOD_ERROR_FORMAT,
                            "the archive has no entry \"%s\", the storage of a tensor; the file is "
                            "damaged: download it again",
                            name);
    mm_dtype dtype = allowed[v[1].as.index].dtype;
    size_t each = mm_dtype_size(dtype);
    if ((uint64_t)v[4].as.number != entry->size / each || entry->size % each != 0)
        return mm_error_set(error, MMOOD_ERROR_FORMAT,
                            "the storage \"%s\" should have %lld elements of %s, but its entry has "
                            "%zu bytes; the file is damaged: download it again",
                            name, (long long)v[4].as.number, mm_dtype_name(dtype), entry->size);
    return add_storage(p, out, (mm_torch_storage){dtype, entry->data, entry->size / each}, error);
}

/* ---- Tensors ------------------------------------------------------------------------------- */

/* A tuple of sizes. */
static int read_sizes(size_t *out, int *rank, const mm_pickle *p, mm_pickle_value value) {
    const mm_pickle_list *t = value.kind == MM_PICKLE_TUPLE ? &p->containers[value.as.index] : NULL;
    if (!t || t->count > MM_TENSOR_MAX_RANK)
        return 0;
    for (size_t i = 0; i < t->count; i++) {
        if (t->items[i].kind != MM_PICKLE_INT || t->items[i].as.number < 0)
            return 0;
        out[i] = (size_t)t->items[i].as.number;
    }
    *rank = (int)t->count;
    return 1;
}

/* Elements, whether they are in order, and that the view is inside the storage's `room` elements
 * from its first one on. An empty view may begin anywhere, and in PyTorch's files some do. */
static mmood_status measure(mm_torch_tensor *t, size_t room, mmood_error *error) {
    t->elements = 1;
    for (int i = 0; i < t->rank; i++) {
        if (t->shape[i] != 0 && t->elements > SIZE_MAX / 16 / t->shape[i])
            return mm_error_set(error, MMOOD_ERROR_FORMAT,
                                "the shape of a tensor is too large for any file");
        t->elements *= t->shape[i];
    }
    size_t last = 0, next = 1; /* offset of the last element; stride of a tensor in order */
    int inside = room > 0;
    t->contiguous = 1;
    for (int i = t->rank - 1; i >= 0 && t->elements; i--) {
        size_t steps = t->shape[i] - 1;
        if (steps && t->stride[i] != next)
            t->contiguous = 0;
        next *= t->shape[i];
        if (steps && inside) {
            inside = t->stride[i] <= (room - 1 - last) / steps;
            last += inside ? steps * t->stride[i] : 0;
        }
    }
    if (t->elements && !inside)
        return mm_error_set(
            error, MMOOD_ERROR_FORMAT,
            "a tensor of %zu element%s of %s leaves its storage, which has %zu from "
            "its first one on; the file is damaged: download it again",
            t->elements, t->elements == 1 ? "" : "s", mm_dtype_name(t->dtype), room);
    return MMOOD_OK;
}

/* _rebuild_tensor_v2(storage, offset, shape, strides, requires_grad, hooks). A seventh argument, as
 * lazily negated tensors have it, changes values. */
static mmood_status make_tensor(mm_pickle *p, mm_pickle_value *out, const mm_pickle_list *a,
                                mmood_error *error) {
    const mm_pickle_value *v = a->items;
    mm_torch_tensor t = {0};
    int strides = 0;
    if (a->count < 6 || a->count > 7 || v[0].kind != MM_PICKLE_STORAGE ||
        v[1].kind != MM_PICKLE_INT || v[1].as.number < 0 ||
        !read_sizes(t.shape, &t.rank, p, v[2]) || !read_sizes(t.stride, &strides, p, v[3]) ||
        strides != t.rank || (a->count == 7 && v[6].kind != MM_PICKLE_NONE))
        return mm_error_set(error, MMOOD_ERROR_UNSUPPORTED,
                            "a tensor must have a storage, an offset, a shape and strides of at "
                            "most %d sizes each, and no metadata; save it again as a plain tensor, "
                            "as tensor.detach().contiguous() is",
                            (int)MM_TENSOR_MAX_RANK);
    const mm_torch_storage *s = &p->storages[v[0].as.index];
    uint64_t offset = (uint64_t)v[1].as.number;
    size_t room = offset < s->elements ? s->elements - (size_t)offset : 0;
    t.dtype = s->dtype;
    t.data = s->data + (s->elements - room) * mm_dtype_size(s->dtype);
    mmood_status status = measure(&t, room, error);
    void *tensors = p->tensors;
    if (status == MMOOD_OK)
        status = mm_pickle_grow(&tensors, &p->tensor_capacity, p->tensor_count, sizeof t,
                                MAX_TENSORS, "tensors", error);
    p->tensors = tensors;
    if (status != MMOOD_OK)
        return status;
    *out = (mm_pickle_value){.kind = MM_PICKLE_TENSOR, .as.index = p->tensor_count};
    p->tensors[p->tensor_count++] = t;
    return MMOOD_OK;
}

mmood_status mm_torch_call(mm_pickle *p, mm_pickle_value *out, mm_pickle_value function,
                           mm_pickle_value arguments, mmood_error *error) {
    if (function.kind != MM_PICKLE_GLOBAL || arguments.kind != MM_PICKLE_TUPLE)
        return mm_error_set(error, MMOOD_ERROR_FORMAT, "%s is called with %s",
                            mm_pickle_kind_name(function.kind),
                            mm_pickle_kind_name(arguments.kind));
    const mm_pickle_list *a = &p->containers[arguments.as.index];
    switch (allowed[function.as.index].role) {
    case ROLE_DICT:
        if (a->count == 0)
            return mm_pickle_container(p, out, MM_PICKLE_DICT, error);
        break;
    case ROLE_TENSOR:
        return make_tensor(p, out, a, error);
    case ROLE_PARAMETER: /* (tensor, requires_grad, hooks) */
        if (a->count == 3 && a->items[0].kind == MM_PICKLE_TENSOR) {
            *out = a->items[0];
            return MMOOD_OK;
        }
        break;
    case ROLE_STORAGE:
        break;
    }
    return mm_error_set(error, MMOOD_ERROR_UNSUPPORTED,
                        "%s.%s is called with %zu argument%s, not as torch.save has it; use the "
                        "model's safetensors",
                        allowed[function.as.index].module, allowed[function.as.index].name,
                        a->count, a->count == 1 ? "" : "s");
}
