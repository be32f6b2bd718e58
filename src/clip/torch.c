/* torch.c - which of a PyTorch file's values are the model's tensors, and the set of them. */
#include "clip/torch.h"

#include "base/error.h"
#include "clip/safetensors_internal.h"
#include "clip/torch_pickle.h"

#include <stdlib.h>
#include <string.h>

enum { MAX_NAME = 512, MAX_STATE = 1 << 16 };

static const char wrapper[] = "module."; /* what DataParallel puts before every name */

static int is_text(mm_pickle_value value, const char *text) {
    return value.kind == MM_PICKLE_TEXT && value.length == strlen(text) &&
           memcmp(value.as.text, text, value.length) == 0;
}

/* ---- The archive --------------------------------------------------------------------------- */

/* 1 if the entry's name is the root's and then `name`, or has that as a prefix. */
static int entry_is(const mm_zip_entry *entry, const mm_pickle *p, const char *name, int prefix) {
    size_t length = strlen(name), whole = p->root_length + length;
    return (prefix ? entry->name_length > whole : entry->name_length == whole) &&
           memcmp(entry->name, p->root, p->root_length) == 0 &&
           memcmp(entry->name + p->root_length, name, length) == 0;
}

/* The pickle, ROOT/data.pkl; `p` gets the root. */
static mmood_status find_pickle(const mm_zip_entry **out, mm_pickle *p, mmood_error *error) {
    static const char name[] = "data.pkl";
    *out = NULL;
    for (size_t i = 0; i < p->zip->count; i++) {
        const mm_zip_entry *entry = &p->zip->entries[i];
        const char *slash = memchr(entry->name, '/', entry->name_length);
        size_t root = slash ? (size_t)(slash - entry->name) : 0;
        if (root == 0 || entry->name_length != root + sizeof name ||
            memcmp(slash + 1, name, sizeof name - 1) != 0)
            continue;
        if (*out)
            return mm_error_set(error, MMOOD_ERROR_FORMAT,
                                "the archive has two pickles, \"%.*s\" and \"%.*s\", expected one",
                                (int)(*out)->name_length, (*out)->name, (int)entry->name_length,
                                entry->name);
        *out = entry;
        p->root = entry->name;
        p->root_length = root;
    }
    if (!*out)
        return mm_error_set(error, MMOOD_ERROR_FORMAT,
                            "a zip archive, but not one of torch.save: it has no entry "
                            "\"NAME/data.pkl\"; use the file that torch.save wrote");
    return MMOOD_OK;
}

static mmood_status check_archive(const mm_pickle *p, mmood_error *error) {
    const mm_zip_entry *first = p->zip->entries, *end = first + p->zip->count;
    for (const mm_zip_entry *entry = first; entry < end; entry++)
        if (entry_is(entry, p, "/code/", 1) || entry_is(entry, p, "/constants.pkl", 0))
            return mm_error_set(error, MMOOD_ERROR_UNSUPPORTED,
                                "a TorchScript archive (\"%.*s\"), which holds a program: save its "
                                "weights alone with torch.save(torch.jit.load(FILE).state_dict(), "
                                "\"pytorch_model.bin\")",
                                (int)entry->name_length, entry->name);
    for (const mm_zip_entry *entry = first; entry < end; entry++) {
        if (!entry->stored)
            return mm_error_set(error, MMOOD_ERROR_UNSUPPORTED,
                                "the zip entry \"%.*s\" is compressed or encrypted; torch.save "
                                "stores entries as they are, so it was zipped again: use the file "
                                "that torch.save wrote",
                                (int)entry->name_length, entry->name);
        if (entry_is(entry, p, "/byteorder", 0) &&
            (entry->size != 6 || memcmp(entry->data, "little", 6) != 0))
            return mm_error_set(error, MMOOD_ERROR_UNSUPPORTED,
                                "its numbers are \"%.*s\"-endian, expected \"little\": save it "
                                "again on a little-endian computer",
                                (int)(entry->size < 16 ? entry->size : 16), entry->data);
    }
    return MMOOD_OK;
}

/* ---- The state dict ------------------------------------------------------------------------ */

/* The dict of tensors: the file's own, or its member "state_dict". */
static mmood_status find_state(const mm_pickle_list **out, const mm_pickle *p,
                               mm_pickle_value result, mmood_error *error) {
    if (result.kind != MM_PICKLE_DICT)
        return mm_error_set(error, MMOOD_ERROR_UNSUPPORTED,
                            "the file holds %s, expected a state dict: save "
                            "model.state_dict() with torch.save",
                            mm_pickle_kind_name(result.kind));
    const mm_pickle_list *state = &p->containers[result.as.index], *nested = NULL;
    for (size_t i = 0; i + 1 < state->count; i += 2)
        if (is_text(state->items[i], "state_dict") && state->items[i + 1].kind == MM_PICKLE_DICT)
            nested = &p->containers[state->items[i + 1].as.index];
    *out = nested ? nested : state;
    return MMOOD_OK;
}

/* Every member must be a tensor with a name. */
static mmood_status check_state(const mm_pickle_list *state, mmood_error *error) {
    if (state->count / 2 > MAX_STATE)
        return mm_error_set(error, MMOOD_ERROR_LIMIT,
                            "the state dict has %zu members; at most %d are read", state->count / 2,
                            (int)MAX_STATE);
    for (size_t i = 0; i + 1 < state->count; i += 2) {
        mm_pickle_value key = state->items[i], value = state->items[i + 1];
        if (key.kind != MM_PICKLE_TEXT)
            return mm_error_set(error, MMOOD_ERROR_UNSUPPORTED,
                                "the state dict has %s as a key, expected names of tensors: save "
                                "model.state_dict() with torch.save",
                                mm_pickle_kind_name(key.kind));
        if (key.length == 0 || key.length > MAX_NAME || memchr(key.as.text, 0, key.length))
            return mm_error_set(error, MMOOD_ERROR_FORMAT,
                                "a tensor has a name of %zu bytes; 1 to %d are possible, none of "
                                "them 0",
                                key.length, (int)MAX_NAME);
        if (value.kind != MM_PICKLE_TENSOR)
            return mm_error_set(error, MMOOD_ERROR_UNSUPPORTED,
                                "\"%.*s\" is %s, expected a tensor: save model.state_dict() alone "
                                "with torch.save, or as the member \"state_dict\" of a checkpoint",
                                (int)key.length, key.as.text, mm_pickle_kind_name(value.kind));
    }
    return MMOOD_OK;
}

static int is_wrapped(const mm_pickle_list *state) {
    size_t prefix = sizeof wrapper - 1;
    for (size_t i = 0; i + 1 < state->count; i += 2)
        if (state->items[i].length <= prefix ||
            memcmp(state->items[i].as.text, wrapper, prefix) != 0)
            return 0;
    return 1;
}

/* ---- The set ------------------------------------------------------------------------------- */

/* Memory that lives as long as the shard. */
static void *keep(mm_shard *shard, size_t size, mmood_error *error) {
    mm_kept *kept = malloc(sizeof *kept + size);
    if (!kept) {
        mm_error_set(error, MMOOD_ERROR_MEMORY, "no memory for %zu bytes of a tensor", size);
        return NULL;
    }
    kept->next = shard->kept;
    shard->kept = kept;
    return kept->bytes;
}

/* The elements in row-major order. */
static void gather(uint8_t *to, const mm_torch_tensor *t) {
    size_t at[MM_TENSOR_MAX_RANK] = {0}, from = 0, each = mm_dtype_size(t->dtype);
    for (size_t n = 0; n < t->elements; n++) {
        memcpy(to + n * each, t->data + from * each, each);
        for (int i = t->rank - 1; i >= 0; i--) {
            from += t->stride[i];
            if (++at[i] < t->shape[i])
                break;
            from -= t->stride[i] * t->shape[i];
            at[i] = 0;
        }
    }
}

/* Adds a tensor under a name; `left` are the bytes that copies may still take. */
static mmood_status add_tensor(mm_safetensors *set, mm_shard *shard, mm_pickle_value name,
                               const mm_torch_tensor *t, size_t *left, mmood_error *error) {
    char *text = keep(shard, name.length + 1, error);
    if (!text)
        return MMOOD_ERROR_MEMORY;
    memcpy(text, name.as.text, name.length);
    text[name.length] = '\0';
    mm_tensor *tensor = &set->tensors[set->count];
    *tensor = (mm_tensor){.name = text,
                          .dtype = t->dtype,
                          .rank = t->rank,
                          .elements = t->elements,
                          .data = t->data,
                          .copied = !t->contiguous};
    memcpy(tensor->shape, t->shape, sizeof tensor->shape);
    if (tensor->copied) {
        size_t size = t->elements * mm_dtype_size(t->dtype);
        if (size > *left)
            return mm_error_set(error, MMOOD_ERROR_LIMIT,
                                "tensor \"%s\" of %zu bytes is not contiguous, and copies of such "
                                "tensors would take more memory than the file: save "
                                "tensor.contiguous()",
                                text, size);
        uint8_t *copy = keep(shard, size, error);
        if (!copy)
            return MMOOD_ERROR_MEMORY;
        gather(copy, t);
        tensor->data = copy;
        *left -= size;
    }
    set->count++;
    return MMOOD_OK;
}

static mmood_status add_all(mm_safetensors *set, mm_shard *shard, const mm_pickle *p,
                            mm_pickle_value result, size_t size, mmood_error *error) {
    const mm_pickle_list *state = NULL;
    mmood_status status = find_state(&state, p, result, error);
    if (status == MMOOD_OK)
        status = check_state(state, error);
    if (status != MMOOD_OK)
        return status;
    size_t prefix = is_wrapped(state) ? sizeof wrapper - 1 : 0;
    mm_tensor *grown = realloc(set->tensors, (set->count + state->count + 1) * sizeof *grown);
    if (!grown)
        return mm_error_set(error, MMOOD_ERROR_MEMORY, "no memory for the list of tensors");
    set->tensors = grown;
    for (size_t i = 0; i + 1 < state->count && status == MMOOD_OK; i += 2) {
        mm_pickle_value name = state->items[i];
        name.as.text += prefix;
        name.length -= prefix;
        status =
            add_tensor(set, shard, name, &p->tensors[state->items[i + 1].as.index], &size, error);
    }
    return status;
}

/* ---- The file ------------------------------------------------------------------------------ */

static mmood_status check_file(const uint8_t *data, size_t size, mmood_error *error) {
    static const char magic[] = "\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19";
    if (size >= 4 && memcmp(data, "PK\003\004", 4) == 0)
        return MMOOD_OK;
    if (size >= 2 + sizeof magic - 1 && data[0] == 0x80 &&
        memcmp(data + 2, magic, sizeof magic - 1) == 0)
        return mm_error_set(error, MMOOD_ERROR_UNSUPPORTED,
                            "PyTorch's format before version 1.6: save it again with "
                            "torch.save(torch.load(FILE, weights_only=True), "
                            "\"pytorch_model.bin\")");
    if (size > 8 && data[8] == '{')
        return mm_error_set(error, MMOOD_ERROR_FORMAT,
                            "a safetensors file: rename it to model.safetensors");
    const char *other = mm_safetensors_sniff(data, size);
    return mm_error_set(error, MMOOD_ERROR_FORMAT,
                        "not a file of torch.save, which is a zip archive, but %s",
                        other ? other : "something else; download it again");
}

mmood_status mm_shard_parse_torch(mm_safetensors *set, mm_shard *shard, const uint8_t *data,
                                  size_t size, mmood_error *error) {
    mm_zip zip = {0};
    mm_pickle p = {.zip = &zip};
    const mm_zip_entry *pickle = NULL;
    mm_pickle_value result = {0};
    mmood_status status = check_file(data, size, error);
    if (status == MMOOD_OK)
        status = mm_zip_open(&zip, data, size, error);
    if (status == MMOOD_OK)
        status = find_pickle(&pickle, &p, error);
    if (status == MMOOD_OK)
        status = check_archive(&p, error);
    if (status == MMOOD_OK) {
        status = mm_pickle_read(&p, &result, pickle->data, pickle->size, error);
        if (status != MMOOD_OK)
            status = mm_error_prefix(error, status, "data.pkl");
    }
    if (status == MMOOD_OK)
        status = add_all(set, shard, &p, result, size, error);
    mm_pickle_free(&p);
    mm_zip_free(&zip);
    return status;
}

mmood_status mm_torch_parse(mm_safetensors **out, const void *data, size_t size,
                            mmood_error *error) {
    return mm_safetensors_parse_as(out, mm_shard_parse_torch, data, size, error);
}
