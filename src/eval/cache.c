/* cache.c - the file is a line that says what it is, then records: hash, value, checksum. All are
 * read into memory at the beginning and found by an open-addressing table. */
#include "eval/cache.h"

#include "base/buffer.h"
#include "base/error.h"
#include "base/file.h"
#include "base/sha256.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { HASH = 32, CHECK = 8, HEADER = 128 };

struct mm_cache {
    char *path;
    int file;          /* open and locked for writing; -1: read only */
    size_t value_size; /* of a record */
    size_t size;       /* with hash and checksum */
    mm_buffer records;
    size_t written; /* bytes of `records` that are on disk */
    size_t count;
    size_t *table; /* [room]: 1 + the number of a record; 0: free */
    size_t room;   /* a power of two */
};

/* FNV-1a, 64 bits: against torn writes, not against attackers. */
static uint64_t checksum(const uint8_t *data, size_t size) {
    uint64_t x = 0xcbf29ce484222325u;
    for (size_t i = 0; i < size; i++)
        x = (x ^ data[i]) * 0x100000001b3u;
    return x;
}

/* Where a hash is in the table, or would go. */
static size_t *place_of(const mm_cache *cache, const uint8_t hash[HASH]) {
    size_t at;
    memcpy(&at, hash, sizeof at);
    for (at &= cache->room - 1;; at = (at + 1) & (cache->room - 1)) {
        size_t number = cache->table[at];
        if (!number || memcmp(cache->records.data + (number - 1) * cache->size, hash, HASH) == 0)
            return &cache->table[at];
    }
}

/* Doubles the table when it is half full; 0 if memory is out. */
static int make_room(mm_cache *cache) {
    if (cache->table && 2 * (cache->count + 1) <= cache->room)
        return 1;
    size_t room = cache->room ? 2 * cache->room : 1024;
    while (room < 2 * (cache->count + 1))
        room *= 2;
    size_t *table = calloc(room, sizeof *table);
    if (!table)
        return 0;
    free(cache->table);
    cache->table = table;
    cache->room = room;
    for (size_t i = 0; i < cache->count; i++)
        *place_of(cache, (const uint8_t *)cache->records.data + i * cache->size) = i + 1;
    return 1;
}

/* Keeps the records that are whole; `cache->records` has the file's bytes from the first record on.
 */
static void keep_whole(mm_cache *cache) {
    char *data = cache->records.data;
    size_t all = cache->records.size / cache->size;
    for (size_t i = 0; i < all; i++) {
        uint8_t *record = (uint8_t *)data + i * cache->size;
        uint64_t sum = checksum(record, cache->size - CHECK);
        if (memcmp(record + cache->size - CHECK, &sum, CHECK) == 0)
            memmove(data + cache->count++ * cache->size, record, cache->size);
    }
    cache->records.size = cache->count * cache->size;
}

static void make_header(char out[HEADER], const char *kind, const char *key, size_t value_size) {
    memset(out, ' ', HEADER);
    int n = snprintf(out, HEADER, "mmood-cache/1 %.32s %.64s %zu", kind, key, value_size);
    out[n < HEADER ? n : HEADER - 1] = ' ';
    out[HEADER - 1] = '\n';
}

/* Opens for writing if nobody else has; after that no other process changes the file. */
static void lock(mm_cache *cache) {
    struct flock whole = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
    cache->file = open(cache->path, O_RDWR | O_CREAT, 0666);
    if (cache->file >= 0 && fcntl(cache->file, F_SETLK, &whole) != 0) {
        close(cache->file);
        cache->file = -1;
    }
}

static mmood_status read_all(mm_cache *cache, const char header[HEADER], mmood_error *error) {
    uint8_t *data = NULL;
    size_t size = 0;
    if (!mm_file_exists(cache->path))
        return MMOOD_OK;
    mmood_status status = mm_file_read(&data, &size, cache->path, SIZE_MAX / 2, error);
    if (status == MMOOD_OK && size >= HEADER && memcmp(data, header, HEADER) != 0)
        status = mm_error_set(error, MMOOD_ERROR_FORMAT,
                              "this is no cache of this kind; remove it, or name another folder");
    if (status == MMOOD_OK && size > HEADER) {
        mm_buffer_append(&cache->records, data + HEADER, size - HEADER);
        if (cache->records.failed)
            status =
                mm_error_set(error, MMOOD_ERROR_MEMORY, "no memory for a cache of %zu bytes", size);
        else
            keep_whole(cache);
    }
    free(data);
    return status == MMOOD_OK ? status : mm_error_prefix(error, status, "%s", cache->path);
}

/* Writes all of `size` bytes at `at`. */
static int write_at(int file, const char *data, size_t size, size_t at) {
    while (size > 0) {
        ssize_t n = pwrite(file, data, size, (off_t)at);
        if (n <= 0 && errno != EINTR)
            return 0;
        n = n < 0 ? 0 : n;
        data += n;
        size -= (size_t)n;
        at += (size_t)n;
    }
    return 1;
}

/* Brings the file to what was read: the header, and records that are whole. */
static mmood_status tidy(mm_cache *cache, const char header[HEADER], mmood_error *error) {
    struct stat st;
    size_t size = HEADER + cache->records.size;
    if (cache->file < 0)
        return MMOOD_OK;
    int ok = fstat(cache->file, &st) == 0;
    if (ok && (st.st_size < HEADER || (size_t)st.st_size != size))
        ok = write_at(cache->file, header, HEADER, 0) &&
             write_at(cache->file, cache->records.data, cache->records.size, HEADER) &&
             ftruncate(cache->file, (off_t)size) == 0;
    cache->written = cache->records.size;
    return ok ? MMOOD_OK
              : mm_error_set(error, MMOOD_ERROR_IO, "%s: the cache cannot be written: %s",
                             cache->path, strerror(errno));
}

mmood_status mm_cache_open(mm_cache **out, const char *directory, const char *kind, const char *key,
                           size_t record_size, mmood_error *error) {
    char header[HEADER], name[128];
    *out = NULL;
    make_header(header, kind, key, record_size);
    snprintf(name, sizeof name, "%.32s-%.16s.cache", kind, key);
    mmood_status status = mm_directory_make(directory, error);
    if (status != MMOOD_OK)
        return status;
    mm_cache *cache = calloc(1, sizeof *cache);
    if (cache) {
        cache->file = -1;
        cache->value_size = record_size;
        cache->size = HASH + record_size + CHECK;
        cache->path = mm_path_join(directory, name);
    }
    if (!cache || !cache->path) {
        free(cache);
        return mm_error_set(error, MMOOD_ERROR_MEMORY, "no memory for a cache");
    }
    lock(cache);
    status = read_all(cache, header, error);
    if (status == MMOOD_OK && !make_room(cache))
        status = mm_error_set(error, MMOOD_ERROR_MEMORY, "no memory for a cache");
    if (status == MMOOD_OK)
        status = tidy(cache, header, error);
    if (status == MMOOD_OK)
        *out = cache;
    else
        mm_cache_close(cache);
    return status;
}

const void *mm_cache_find(const mm_cache *cache, const uint8_t hash[HASH], size_t among) {
    size_t number = *place_of(cache, hash);
    return number && number <= among ? cache->records.data + (number - 1) * cache->size + HASH
                                     : NULL;
}

mmood_status mm_cache_add(mm_cache *cache, const uint8_t hash[HASH], const void *record,
                          mmood_error *error) {
    if (mm_cache_find(cache, hash, SIZE_MAX))
        return MMOOD_OK;
    size_t before = cache->records.size;
    mm_buffer_append(&cache->records, hash, HASH);
    mm_buffer_append(&cache->records, record, cache->value_size);
    if (!cache->records.failed) {
        uint64_t sum =
            checksum((const uint8_t *)cache->records.data + before, HASH + cache->value_size);
        mm_buffer_append(&cache->records, &sum, CHECK);
    }
    if (cache->records.failed || !make_room(cache))
        return mm_error_set(error, MMOOD_ERROR_MEMORY, "no memory for a cache of %zu pictures",
                            cache->count);
    *place_of(cache, hash) = ++cache->count;
    return MMOOD_OK;
}

mmood_status mm_cache_flush(mm_cache *cache, mmood_error *error) {
    if (cache->file < 0 || cache->written == cache->records.size)
        return MMOOD_OK;
    if (!write_at(cache->file, cache->records.data + cache->written,
                  cache->records.size - cache->written, HEADER + cache->written))
        return mm_error_set(error, MMOOD_ERROR_IO, "%s: the cache cannot be written: %s",
                            cache->path, strerror(errno));
    cache->written = cache->records.size;
    return MMOOD_OK;
}

size_t mm_cache_count(const mm_cache *cache) {
    return cache->count;
}

const char *mm_cache_path(const mm_cache *cache) {
    return cache->path;
}

void mm_cache_close(mm_cache *cache) {
    if (!cache)
        return;
    mm_cache_flush(cache, NULL);
    if (cache->file >= 0)
        close(cache->file);
    mm_buffer_free(&cache->records);
    free(cache->table);
    free(cache->path);
    free(cache);
}
