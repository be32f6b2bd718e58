/* synthetic.c - model directories whose weights are numbers of a generator. */
#include "clip/synthetic.h"

#include "clip/safetensors.h"

#include <dirent.h>
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static uint64_t hash_name(const char *name) {
    uint64_t hash = 0xCBF29CE484222325u;
    for (; *name; name++)
        hash = (hash ^ (uint8_t)*name) * 0x100000001B3u;
    return hash;
}

static double uniform(uint64_t seed, uint64_t index) {
    uint64_t z = seed + (index + 1) * 0x9E3779B97F4A7C15u;
    z = (z ^ z >> 30) * 0xBF58476D1CE4E5B9u;
    z = (z ^ z >> 27) * 0x94D049BB133111EBu;
    z ^= z >> 31;
    return (double)(z >> 11) * ldexp(1, -52) - 1;
}

double synthetic_uniform(const char *name, uint64_t index) {
    return uniform(hash_name(name), index);
}

void synthetic_crop(uint8_t *out, size_t index, size_t size) {
    char coarse[32], fine[32];
    snprintf(coarse, sizeof coarse, "blocks.%zu", index);
    snprintf(fine, sizeof fine, "pixels.%zu", index);
    size_t blocks = (size + 15) / 16;
    for (size_t y = 0; y < size; y++)
        for (size_t x = 0; x < size; x++)
            for (size_t c = 0; c < 3; c++) {
                size_t at = (y * size + x) * 3 + c;
                double block = synthetic_uniform(coarse, ((y / 16) * blocks + x / 16) * 3 + c);
                out[at] = (uint8_t)floor(128 + 100 * block + 27 * synthetic_uniform(fine, at));
            }
}

static int copy_file(const char *from, const char *directory, const char *name) {
    char path[512], buffer[1 << 16];
    snprintf(path, sizeof path, "%s/%s", directory, name);
    FILE *in = fopen(from, "rb"), *out = fopen(path, "wb");
    size_t size = 0;
    while (in && out && (size = fread(buffer, 1, sizeof buffer, in)) > 0)
        fwrite(buffer, 1, size, out);
    int failed = !in || !out || ferror(in) || ferror(out);
    if (in)
        fclose(in);
    if (out && fclose(out))
        failed = 1;
    return failed ? -1 : 0;
}

/* One line of tensors.tsv: name, offset, scale, shape. */
static int read_tensor(mm_tensor *tensor, char *line) {
    char *save, *name = strtok_r(line, "\t\n", &save), *offset = strtok_r(NULL, "\t\n", &save),
                *scale = strtok_r(NULL, "\t\n", &save), *shape = strtok_r(NULL, "\t\n", &save);
    if (!name || !offset || !scale)
        return -1;
    *tensor = (mm_tensor){.name = strdup(name), .dtype = MM_DTYPE_F32, .elements = 1};
    for (char *side = shape ? strtok_r(shape, ",", &save) : NULL; side;
         side = strtok_r(NULL, ",", &save)) {
        tensor->shape[tensor->rank] = strtoull(side, NULL, 10);
        tensor->elements *= tensor->shape[tensor->rank++];
    }
    float *data = malloc(tensor->elements * sizeof *data);
    uint64_t seed = hash_name(name);
    double from = strtod(offset, NULL), by = strtod(scale, NULL);
    for (size_t i = 0; data && i < tensor->elements; i++)
        data[i] = (float)(from + by * uniform(seed, i));
    tensor->data = (uint8_t *)data;
    return data ? 0 : -1;
}

static int write_weights(const char *path, const char *list) {
    enum { MOST = 4096 };
    FILE *file = fopen(list, "r");
    mm_tensor *tensors = calloc(MOST, sizeof *tensors);
    size_t count = 0;
    char line[512];
    int failed = !file || !tensors;
    while (!failed && count < MOST && fgets(line, sizeof line, file))
        failed = read_tensor(&tensors[count++], line);
    if (!failed)
        failed = mm_safetensors_write(path, tensors, count, NULL, 0, NULL) != MMOOD_OK;
    for (size_t i = 0; i < count; i++) {
        free((char *)(uintptr_t)tensors[i].name);
        free((uint8_t *)(uintptr_t)tensors[i].data);
    }
    free(tensors);
    if (file)
        fclose(file);
    return failed ? -1 : 0;
}

int synthetic_write(const char *directory, const char *name, const char *weights) {
    char from[512], path[512];
    if (mkdir(directory, 0777) && errno != EEXIST)
        return -1;
    snprintf(from, sizeof from, "golden/open_clip/%s/open_clip_config.json", name);
    if (copy_file(from, directory, "open_clip_config.json") ||
        copy_file("golden/b32-quick/tokenizer.json", directory, "tokenizer.json"))
        return -1;
    snprintf(from, sizeof from, "golden/open_clip/%s/tensors.tsv", name);
    snprintf(path, sizeof path, "%s/%s", directory, weights);
    return write_weights(path, from);
}

void synthetic_remove(const char *directory) {
    DIR *folder = opendir(directory);
    struct dirent *entry;
    while (folder && (entry = readdir(folder))) {
        char path[512];
        snprintf(path, sizeof path, "%s/%s", directory, entry->d_name);
        unlink(path);
    }
    if (folder)
        closedir(folder);
    rmdir(directory);
}
