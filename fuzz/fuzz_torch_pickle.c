/* fuzz_torch_pickle.c - files of torch.save, zip archive and pickle: the bytes as they are, and as
 * the pickle of a sound archive, so that what is behind it is reached. Every element of what parses
 * is read. */
#include "clip/torch.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { LOCAL = 30, CENTRAL = 46, END = 22 };

static void parse(const uint8_t *data, size_t size) {
    static volatile uint8_t sink;
    mm_safetensors *set;
    mmood_error error;
    if (mm_torch_parse(&set, data, size, &error) != MMOOD_OK)
        return;
    for (size_t i = 0; i < mm_safetensors_count(set); i++) {
        const mm_tensor *tensor = mm_safetensors_at(set, i);
        size_t bytes = tensor->elements * mm_dtype_size(tensor->dtype);
        for (size_t at = 0; at < bytes; at++)
            sink = (uint8_t)(sink ^ tensor->data[at]);
    }
    mm_safetensors_free(set);
}

static void put(uint8_t *at, size_t value) {
    for (int i = 0; i < 4; i++)
        at[i] = (uint8_t)(value >> 8 * i);
}

/* Adds an entry and its record in the directory, and moves both ends on. */
static void add(uint8_t *file, size_t *end, uint8_t *directory, size_t *directory_end,
                const char *name, const uint8_t *data, size_t size) {
    size_t length = strlen(name);
    uint8_t *local = file + *end, *central = directory + *directory_end;
    memcpy(local, "PK\3\4", 4);
    memcpy(central, "PK\1\2", 4);
    put(central + 20, size);
    put(central + 24, size);
    local[26] = central[28] = (uint8_t)length;
    put(central + 42, *end);
    memcpy(local + LOCAL, name, length);
    memcpy(central + CENTRAL, name, length);
    if (size)
        memcpy(local + LOCAL + length, data, size);
    *end += LOCAL + length + size;
    *directory_end += CENTRAL + length;
}

static void parse_as_pickle(const uint8_t *pickle, size_t size) {
    static const uint8_t numbers[24] = {1, 2, 3, 4, 5, 6, 7, 8};
    uint8_t directory[256] = {0}, *file = calloc(1, size + 512);
    size_t end = 0, directory_size = 0;
    if (!file)
        return;
    add(file, &end, directory, &directory_size, "a/data/0", numbers, sizeof numbers);
    add(file, &end, directory, &directory_size, "a/data.pkl", pickle, size);
    memcpy(file + end, directory, directory_size);
    uint8_t *record = file + end + directory_size;
    memcpy(record, "PK\5\6", 4);
    record[8] = record[10] = 2;
    put(record + 12, directory_size);
    put(record + 16, end);
    parse(file, end + directory_size + END);
    free(file);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    parse(data, size);
    parse_as_pickle(data, size);
    return 0;
}
