/* safetensors_data.c - tensor data to f32, and writing safetensors files. */
#include "clip/safetensors.h"

#include "base/buffer.h"
#include "base/error.h"
#include "base/file.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

static float float_from_bits(uint32_t bits) {
    float value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

/* IEEE 754 binary16, subnormals, infinity and NaN included; without branches, so that compilers
 * take several at a time. Multiplying by 2^112 moves the exponent, and makes subnormals normal. */
static float float_from_half(uint16_t half) {
    uint32_t magnitude = (uint32_t)(half & 0x7fffu) << 13;
    float scaled = float_from_bits(magnitude) * 5.192296858534828e33f;
    uint32_t bits;
    memcpy(&bits, &scaled, sizeof bits);
    uint32_t special = 0u - (uint32_t)(magnitude >= 0x0f800000u); /* infinity or NaN */
    bits = (bits & ~special) | ((0x7f800000u | magnitude) & special);
    return float_from_bits(bits | (uint32_t)(half & 0x8000u) << 16);
}

mmood_status mm_tensor_to_f32(float *out, const mm_tensor *tensor, size_t first, size_t count,
                              mmood_error *error) {
    const uint8_t *from = tensor->data + first * mm_dtype_size(tensor->dtype);
    switch (tensor->dtype) {
    case MM_DTYPE_F32:
        if (count)
            memcpy(out, from, count * sizeof *out);
        return MMOOD_OK;
    case MM_DTYPE_F16:
        for (size_t i = 0; i < count; i++) {
            uint16_t bits;
            memcpy(&bits, from + 2 * i, sizeof bits);
            out[i] = float_from_half(bits);
        }
        return MMOOD_OK;
    case MM_DTYPE_BF16:
        for (size_t i = 0; i < count; i++) {
            uint16_t bits;
            memcpy(&bits, from + 2 * i, sizeof bits);
            out[i] = float_from_bits((uint32_t)bits << 16);
        }
        return MMOOD_OK;
    case MM_DTYPE_F64:
        for (size_t i = 0; i < count; i++) {
            double value;
            memcpy(&value, from + 8 * i, sizeof value);
            out[i] = (float)value;
        }
        return MMOOD_OK;
    default:
        return mm_error_set(error, MMOOD_ERROR_UNSUPPORTED,
                            "tensor \"%s\" has the type %s; F32, F16, BF16 and F64 are understood",
                            tensor->name, mm_dtype_name(tensor->dtype));
    }
}

/* {"name": {"dtype": ..., "shape": [...], "data_offsets": [...]}, ...}; NULL if memory is out. */
static json_t *make_header(const mm_tensor *tensors, size_t tensor_count,
                           const mm_metadata *metadata, size_t metadata_count) {
    json_t *header = json_object(), *texts = metadata_count ? json_object() : NULL;
    size_t at = 0;
    int ok = header != NULL && (texts || !metadata_count);
    for (size_t i = 0; ok && i < metadata_count; i++)
        ok = json_object_set_new(texts, metadata[i].key, json_string(metadata[i].value)) == 0;
    if (ok && texts)
        ok = json_object_set(header, "__metadata__", texts) == 0;
    json_decref(texts);
    for (size_t i = 0; ok && i < tensor_count; i++) {
        const mm_tensor *tensor = &tensors[i];
        size_t end = at + tensor->elements * mm_dtype_size(tensor->dtype);
        json_t *shape = json_array();
        ok = shape != NULL;
        for (int d = 0; ok && d < tensor->rank; d++)
            ok = json_array_append_new(shape, json_integer((json_int_t)tensor->shape[d])) == 0;
        json_t *entry = json_pack("{s:s, s:o, s:[I, I]}", "dtype", mm_dtype_name(tensor->dtype),
                                  "shape", shape, "data_offsets", (json_int_t)at, (json_int_t)end);
        ok = ok && entry && json_object_set(header, tensor->name, entry) == 0;
        json_decref(entry);
        at = end;
    }
    if (!ok) {
        json_decref(header);
        header = NULL;
    }
    return header;
}

mmood_status mm_safetensors_write(const char *path, const mm_tensor *tensors, size_t tensor_count,
                                  const mm_metadata *metadata, size_t metadata_count,
                                  mmood_error *error) {
    json_t *header = make_header(tensors, tensor_count, metadata, metadata_count);
    char *text = header ? json_dumps(header, JSON_COMPACT) : NULL;
    json_decref(header);
    if (!text)
        return mm_error_set(
            error, MMOOD_ERROR_ARGUMENT,
            "the safetensors header cannot be written: a name or a metadata text is "
            "not UTF-8, or memory is out");
    mm_buffer file = {0};
    size_t length = strlen(text), padded = (length + 7) / 8 * 8;
    uint8_t prefix[8];
    for (int i = 0; i < 8; i++)
        prefix[i] = (uint8_t)((uint64_t)padded >> 8 * i);
    mm_buffer_append(&file, prefix, sizeof prefix);
    mm_buffer_append(&file, text, length);
    mm_buffer_append(&file, "        ", padded - length);
    for (size_t i = 0; i < tensor_count; i++)
        mm_buffer_append(&file, tensors[i].data,
                         tensors[i].elements * mm_dtype_size(tensors[i].dtype));
    free(text);
    mmood_status status = file.failed ? mm_error_set(error, MMOOD_ERROR_MEMORY,
                                                     "no memory for the contents of the file")
                                      : mm_file_write(path, file.data, file.size, error);
    mm_buffer_free(&file);
    return status;
}
