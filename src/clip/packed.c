/* packed.c - reading and writing files of packed weights. */
#include "clip/packed.h"

#include "base/error.h"
#include "base/file.h"
#include "base/sha256.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

enum { HEADER = 128, MAGIC = 16, DIGEST_AT = 64, ALIGN = 64, MAX_RECORDS = 65536, MAX_KEY = 4096 };
enum { RECORD = 8 * (4 + 3 * MM_SECTION_COUNT) };

static const char magic[MAGIC] = "mmood-packed/1\n";
static const uint64_t byte_order = 0x0102030405060708u;

/* Any single word that changes changes the sum: each step can be undone. Eight sums side by side,
 * since a multiplication takes longer than reading. Against damage, not against attackers. */
static uint64_t checksum(const void *data, size_t size) {
    const uint64_t factor = 0x9e3779b97f4a7c15u;
    const uint8_t *p = data;
    uint64_t sums[8] = {1, 2, 3, 4, 5, 6, 7, 8}, words[8];
    for (; size > 0; p += 64) {
        size_t n = size < 64 ? size : 64;
        if (n < 64)
            memset(words, 0, sizeof words);
        memcpy(words, p, n);
        for (int i = 0; i < 8; i++) {
            uint64_t x = sums[i] ^ words[i];
            sums[i] = (x << 29 | x >> 35) * factor;
        }
        size -= n;
    }
    uint64_t sum = 0;
    for (int i = 0; i < 8; i++) {
        sum = (sum ^ sums[i]) * factor;
        sum ^= sum >> 32;
    }
    return sum;
}

static uint64_t get(const uint8_t *p, size_t index) {
    uint64_t x;
    memcpy(&x, p + 8 * index, sizeof x);
    return x;
}

static size_t up(size_t x, size_t step) {
    return (x + step - 1) / step * step;
}

/* Over the header up to its digest, the key and the records, which follow the header. */
static void seal(char out[65], const uint8_t *header, const uint8_t *index, size_t size) {
    mm_sha256 hash;
    mm_sha256_init(&hash);
    mm_sha256_update(&hash, header, DIGEST_AT);
    mm_sha256_update(&hash, index, size);
    mm_sha256_finish(out, &hash);
}

static mmood_status damaged(mmood_error *error, const char *what) {
    return mm_error_set(error, MMOOD_ERROR_FORMAT, "this is no sound file of packed weights: %s",
                        what);
}

/* Sections follow each other: *end is where the last one ended. */
static int read_record(mm_packed_record *out, const uint8_t *p, const uint8_t *file, size_t size,
                       size_t *end) {
    mm_matrix_image *image = &out->image;
    image->inputs = get(p, 0);
    image->outputs = get(p, 1);
    image->precision = (mmood_precision)get(p, 2);
    image->layout = get(p, 3);
    for (size_t i = 0; i < MM_SECTION_COUNT; i++) {
        uint64_t at = get(p, 4 + 3 * i), bytes = get(p, 5 + 3 * i);
        out->checksums[i] = get(p, 6 + 3 * i);
        if (at % ALIGN != 0 || at < *end || at > size || bytes > size - at)
            return 0;
        *end = at + bytes;
        image->sections[i] = (mm_bytes){file + at, bytes};
    }
    return 1;
}

static mmood_status read_records(mm_packed *packed, const uint8_t *file, size_t size, size_t first,
                                 size_t data, mmood_error *error) {
    size_t end = data;
    for (size_t i = 0; i < packed->count; i++)
        if (!read_record(&packed->records[i], file + first + i * RECORD, file, size, &end))
            return damaged(error, "a section lies outside the file");
    return end == size ? MMOOD_OK : damaged(error, "it has more bytes than sections");
}

mmood_status mm_packed_parse(mm_packed **out, const void *data, size_t size, const char *key,
                             mmood_error *error) {
    *out = NULL;
    const uint8_t *file = data;
    if (size < HEADER || memcmp(file, magic, MAGIC) != 0 || get(file, 2) != byte_order)
        return damaged(error, "it begins otherwise");
    uint64_t key_size = get(file, 4), count = get(file, 5), begin = get(file, 6);
    if (get(file, 3) != size)
        return mm_error_set(error, MMOOD_ERROR_FORMAT,
                            "this is no sound file of packed weights: it has %zu bytes, %" PRIu64
                            " were written",
                            size, get(file, 3));
    if (key_size > MAX_KEY || count > MAX_RECORDS || count < 1)
        return damaged(error, "its sizes are impossible");
    size_t first = HEADER + up(key_size, 8), last = first + count * RECORD;
    if (last > size || begin != up(last, ALIGN) || begin > size)
        return damaged(error, "its sizes do not fit together");
    char digest[65];
    seal(digest, file, file + HEADER, last - HEADER);
    if (memcmp(digest, file + DIGEST_AT, 64) != 0)
        return damaged(error, "its header or its list of sections has changed");
    if (key_size != strlen(key) || memcmp(key, file + HEADER, key_size) != 0)
        return mm_error_set(error, MMOOD_ERROR_MISMATCH, "the packed weights are of \"%.*s\"",
                            (int)(key_size < 256 ? key_size : 256), (const char *)file + HEADER);
    mm_packed *packed = calloc(1, sizeof *packed);
    if (packed)
        packed->records = calloc(count, sizeof *packed->records);
    if (!packed || !packed->records) {
        mm_packed_free(packed);
        return mm_error_set(error, MMOOD_ERROR_MEMORY, "no memory for a list of packed weights");
    }
    packed->count = count;
    mmood_status status = read_records(packed, file, size, first, begin, error);
    if (status == MMOOD_OK)
        *out = packed;
    else
        mm_packed_free(packed);
    return status;
}

int mm_packed_check(const mm_packed_record *record) {
    for (int i = 0; i < MM_SECTION_COUNT; i++) {
        const mm_bytes *section = &record->image.sections[i];
        if (checksum(section->data, section->size) != record->checksums[i])
            return 0;
    }
    return 1;
}

void mm_packed_free(mm_packed *packed) {
    if (packed)
        free(packed->records);
    free(packed);
}

/* ---- Writing ------------------------------------------------------------------------------- */

static void put(mm_buffer *out, uint64_t x) {
    mm_buffer_append(out, &x, sizeof x);
}

static void put_zeros(mm_buffer *out, size_t until) {
    static const char zeros[ALIGN] = "";
    while (out->size < until && !out->failed)
        mm_buffer_append(out, zeros, until - out->size < ALIGN ? until - out->size : ALIGN);
}

/* The header without its digest, the key and the records, up to where the data begin. */
static void make_head(mm_buffer *out, const char *key, mm_packed_record *records, size_t count) {
    size_t last = HEADER + up(strlen(key), 8) + count * RECORD, begin = up(last, ALIGN), at = begin;
    for (size_t i = 0; i < count; i++)
        for (int k = 0; k < MM_SECTION_COUNT; k++)
            at = up(at, ALIGN) + records[i].image.sections[k].size;
    mm_buffer_append(out, magic, MAGIC);
    put(out, byte_order);
    put(out, at);
    put(out, strlen(key));
    put(out, count);
    put(out, begin);
    put_zeros(out, HEADER);
    mm_buffer_puts(out, key);
    put_zeros(out, up(out->size, 8));
    at = begin;
    for (size_t i = 0; i < count; i++) {
        const mm_matrix_image *image = &records[i].image;
        put(out, image->inputs);
        put(out, image->outputs);
        put(out, (uint64_t)image->precision);
        put(out, image->layout);
        for (int k = 0; k < MM_SECTION_COUNT; k++) {
            const mm_bytes *section = &image->sections[k];
            records[i].checksums[k] = checksum(section->data, section->size);
            at = up(at, ALIGN);
            put(out, at);
            put(out, section->size);
            put(out, records[i].checksums[k]);
            at += section->size;
        }
    }
    if (!out->failed) {
        char digest[65];
        seal(digest, (const uint8_t *)out->data, (const uint8_t *)out->data + HEADER,
             last - HEADER);
        memcpy(out->data + DIGEST_AT, digest, 64);
    }
    put_zeros(out, begin);
}

mmood_status mm_packed_write(const char *path, const char *key, mm_packed_record *records,
                             size_t count, mmood_error *error) {
    static const char zeros[ALIGN] = "";
    size_t most = 1 + 2 * MM_SECTION_COUNT * count, used = 0;
    mm_bytes *parts = calloc(most, sizeof *parts);
    mm_buffer head = {0};
    make_head(&head, key, records, count);
    mmood_status status = MMOOD_OK;
    if (!parts || head.failed)
        status = mm_error_set(error, MMOOD_ERROR_MEMORY, "no memory to write packed weights");
    if (status == MMOOD_OK) {
        size_t at = head.size;
        parts[used++] = (mm_bytes){head.data, head.size};
        for (size_t i = 0; i < count; i++)
            for (int k = 0; k < MM_SECTION_COUNT; k++) {
                const mm_bytes *section = &records[i].image.sections[k];
                parts[used++] = (mm_bytes){zeros, up(at, ALIGN) - at};
                parts[used++] = *section;
                at = up(at, ALIGN) + section->size;
            }
        status = mm_file_write_parts(path, parts, used, error);
    }
    mm_buffer_free(&head);
    free(parts);
    return status;
}
