/* safetensors_sniff.c - recognises the files that people have instead of a safetensors file. */
#include "clip/safetensors_internal.h"

#include "image/sniff.h"

#include <string.h>

static int starts(const uint8_t *data, size_t size, const char *text) {
    size_t length = strlen(text);
    return size >= length && memcmp(data, text, length) == 0;
}

/* A header's length below 4 GiB, then the header's brace. Its low bytes can spell any of the
 * signatures below: 640 is how a pickle begins. */
static int begins_as_safetensors(const uint8_t *data, size_t size) {
    static const uint8_t zeros[4] = {0};
    return size > 8 && memcmp(data + 4, zeros, sizeof zeros) == 0 && data[8] == '{';
}

/* A beginning without control characters, at least as long as a header's length. */
static int is_text(const uint8_t *data, size_t size) {
    enum { LOOK_AT = 64 };
    for (size_t i = 0; i < size && i < LOOK_AT; i++)
        if ((data[i] < 0x20 && !memchr("\t\r\n\f", data[i], 4)) || data[i] == 0x7f ||
            data[i] >= 0xf8)
            return 0;
    return size >= 8;
}

const char *mm_safetensors_sniff(const uint8_t *data, size_t size) {
    if (size == 0)
        return "an empty file: the download failed; get it again";
    if (begins_as_safetensors(data, size))
        return NULL;
    if (starts(data, size, "version https://git-lfs"))
        return "a git-lfs pointer: the weights themselves were not downloaded; run \"git lfs "
               "pull\" in "
               "the repository";
    if (starts(data, size, "<!DOCTYPE") || starts(data, size, "<!doctype") ||
        starts(data, size, "<html") || starts(data, size, "<HTML"))
        return "an HTML page: the download got an error or login page; get the file itself";
    if (starts(data, size, "PK\003\004"))
        return "a PyTorch zip file (.bin, .pt or .ckpt): rename it to pytorch_model.bin";
    if (size >= 2 && data[0] == 0x80 && data[1] >= 2 && data[1] <= 5)
        return "a Python pickle (an old PyTorch file): convert it with transformers' "
               "save_pretrained(..., safe_serialization=True)";
    if (starts(data, size, "\x89HDF"))
        return "an HDF5 file (TensorFlow weights): use the repository's model.safetensors or "
               "pytorch_model.bin";
    if (starts(data, size, "GGUF"))
        return "a GGUF file: use the repository's model.safetensors";
    if (starts(data, size, "\x1f\x8b"))
        return "a gzip archive: unpack it first";
    if (data[0] == '{' && (size < 8 || data[1] == '"' || data[1] == '\n' || data[1] == ' '))
        return "a JSON file";
    if (is_text(data, size))
        return "a text file";
    mm_format format = mm_sniff(data, size);
    return format.is_picture ? format.name : NULL;
}
