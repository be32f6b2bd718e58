/* exchanges.c - exchanges with models, kept in a folder. */
#include "envision/exchanges.h"

#include "base/error.h"
#include "base/file.h"
#include "base/json.h"
#include "base/sha256.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define FORMAT "mmood-exchange/1"

enum { MAX_EXCHANGE = 64 << 20, MAX_PICTURE = 64 << 20 };

struct mm_exchanges {
    mm_exchanges_mode mode;
    atomic_int damaged;
    char *directory;
    char *pictures;
};

static mmood_status no_memory(mmood_error *error) {
    return mm_error_set(error, MMOOD_ERROR_MEMORY, "no memory for the cache of exchanges");
}

mmood_status mm_exchanges_open(mm_exchanges **out, const char *directory, mm_exchanges_mode mode,
                               mmood_error *error) {
    *out = NULL;
    mm_exchanges *cache = calloc(1, sizeof *cache);
    if (!cache)
        return no_memory(error);
    cache->mode = mode;
    atomic_init(&cache->damaged, 0);
    cache->directory = strdup(directory);
    cache->pictures = mm_path_join(directory, "pictures");
    mmood_status status = MMOOD_OK;
    if (!cache->directory || !cache->pictures)
        status = no_memory(error);
    else if (mode != MM_EXCHANGES_OFFLINE)
        status = mm_directory_make(cache->pictures, error);
    else if (!mm_is_directory(directory))
        status = mm_error_set(error, MMOOD_ERROR_IO,
                              "the cache %s is not a folder; --offline needs one that an earlier "
                              "run has filled",
                              directory);
    if (status != MMOOD_OK)
        mm_exchanges_free(cache);
    else
        *out = cache;
    return status;
}

void mm_exchanges_free(mm_exchanges *cache) {
    if (!cache)
        return;
    free(cache->directory);
    free(cache->pictures);
    free(cache);
}

mm_exchanges_mode mm_exchanges_get_mode(const mm_exchanges *cache) {
    return cache->mode;
}

int mm_exchanges_damaged(const mm_exchanges *cache) {
    return atomic_load(&cache->damaged);
}

mmood_status mm_exchanges_key(char out[65], const json_t *request, mmood_error *error) {
    char *text = json_dumps(request, JSON_COMPACT | JSON_SORT_KEYS | JSON_REAL_PRECISION(17));
    if (!text)
        return no_memory(error);
    mm_sha256_of(out, text, strlen(text));
    free(text);
    return MMOOD_OK;
}

/* The hash of everything in an exchange but its "check". */
static mmood_status check_of(char out[65], const json_t *exchange, mmood_error *error) {
    json_t *copy = json_copy((json_t *)(uintptr_t)exchange);
    if (!copy)
        return no_memory(error);
    json_object_del(copy, "check");
    mmood_status status = mm_exchanges_key(out, copy, error);
    json_decref(copy);
    return status;
}

static mmood_status check(const json_t *exchange, const char *key, mmood_error *error) {
    const char *format = json_string_value(json_object_get(exchange, "format"));
    const char *stored = json_string_value(json_object_get(exchange, "key"));
    const char *sum = json_string_value(json_object_get(exchange, "check"));
    const json_t *request = json_object_get(exchange, "request");
    char real[65];
    if (!format || strcmp(format, FORMAT) != 0)
        return mm_error_set(error, MMOOD_ERROR_FORMAT,
                            "is no exchange: its \"format\" is %s%s%s, expected \"" FORMAT "\"",
                            format ? "\"" : "", format ? format : "missing", format ? "\"" : "");
    if (!stored || !sum || !json_is_object(request))
        return mm_error_set(error, MMOOD_ERROR_FORMAT,
                            "lacks \"%s\", expected an exchange as mmood envision writes it",
                            !stored ? "key"
                            : !sum  ? "check"
                                    : "request");
    mmood_status status = check_of(real, exchange, error);
    if (status == MMOOD_OK && strcmp(real, sum) != 0)
        return mm_error_set(error, MMOOD_ERROR_FORMAT,
                            "was changed or damaged: its \"check\" does not fit; delete it");
    if (status == MMOOD_OK)
        status = mm_exchanges_key(real, request, error);
    if (status == MMOOD_OK && (strcmp(real, stored) != 0 || (key && strcmp(key, stored) != 0)))
        return mm_error_set(error, MMOOD_ERROR_FORMAT,
                            "answers another request than its name says; delete it");
    return status;
}

mmood_status mm_exchanges_parse(json_t **out, const void *data, size_t size, const char *key,
                                mmood_error *error) {
    mmood_status status = mm_json_parse(out, data, size, error);
    if (status == MMOOD_OK)
        status = check(*out, key, error);
    if (status != MMOOD_OK) {
        json_decref(*out);
        *out = NULL;
    }
    return status;
}

/* The path of directory/name.type; the caller frees it. */
static char *path_of(const char *directory, const char *name, const char *type) {
    char file[128];
    snprintf(file, sizeof file, "%.64s.%.16s", name, type);
    return mm_path_join(directory, file);
}

mmood_status mm_exchanges_reject(mm_exchanges *cache, const mmood_error *problem,
                                 mmood_error *error) {
    if (problem->status != MMOOD_ERROR_MEMORY)
        atomic_fetch_add(&cache->damaged, 1);
    if (problem->status != MMOOD_ERROR_MEMORY && cache->mode != MM_EXCHANGES_OFFLINE)
        return MMOOD_OK;
    return mm_error_set(error, problem->status, "the cache %s: %s", cache->directory,
                        problem->message);
}

mmood_status mm_exchanges_find(json_t **out, mm_exchanges *cache, const json_t *request,
                               mmood_error *error) {
    *out = NULL;
    char key[65];
    if (cache->mode == MM_EXCHANGES_REFRESH)
        return MMOOD_OK;
    mmood_status status = mm_exchanges_key(key, request, error);
    if (status != MMOOD_OK)
        return status;
    char *path = path_of(cache->directory, key, "json");
    if (!path)
        return no_memory(error);
    if (!mm_file_exists(path)) {
        if (cache->mode == MM_EXCHANGES_OFFLINE)
            status = mm_error_set(error, MMOOD_ERROR_UNSUPPORTED,
                                  "the exchange is not in the cache (there is no %s), and "
                                  "--offline forbids to ask; run it once without",
                                  path);
        free(path);
        return status;
    }
    uint8_t *data = NULL;
    size_t size = 0;
    mmood_error problem;
    status = mm_file_read(&data, &size, path, MAX_EXCHANGE, &problem);
    if (status == MMOOD_OK)
        status = mm_exchanges_parse(out, data, size, key, &problem);
    free(data);
    if (status != MMOOD_OK) {
        mm_error_prefix(&problem, status, "%s.json", key);
        status = mm_exchanges_reject(cache, &problem, error);
    }
    free(path);
    return status;
}

static json_t *time_now(void) {
    time_t seconds = time(NULL);
    struct tm parts;
    char text[32] = "";
    if (gmtime_r(&seconds, &parts))
        strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", &parts);
    return json_string(text);
}

mmood_status mm_exchanges_store(mm_exchanges *cache, const json_t *request, json_t *exchange,
                                mmood_error *error) {
    char key[65], sum[65];
    mmood_status status = mm_exchanges_key(key, request, error);
    if (status != MMOOD_OK)
        return status;
    if (json_object_set_new(exchange, "format", json_string(FORMAT)) != 0 ||
        json_object_set_new(exchange, "key", json_string(key)) != 0 ||
        json_object_set_new(exchange, "time", time_now()) != 0 ||
        json_object_set(exchange, "request", (json_t *)(uintptr_t)request) != 0)
        return no_memory(error);
    status = check_of(sum, exchange, error);
    if (status != MMOOD_OK)
        return status;
    if (json_object_set_new(exchange, "check", json_string(sum)) != 0)
        return no_memory(error);
    char *text = json_dumps(exchange, JSON_INDENT(1) | JSON_REAL_PRECISION(17));
    char *path = path_of(cache->directory, key, "json");
    if (!text || !path)
        status = no_memory(error);
    else
        status = mm_file_write_cached(path, text, strlen(text), error);
    if (status != MMOOD_OK && path)
        mm_error_prefix(error, status, "%s", path);
    free(text);
    free(path);
    return status;
}

mmood_status mm_exchanges_store_picture(char hash[65], mm_exchanges *cache, const void *data,
                                        size_t size, const char *type, mmood_error *error) {
    mm_sha256_of(hash, data, size);
    char *path = path_of(cache->pictures, hash, type);
    if (!path)
        return no_memory(error);
    mmood_status status = mm_file_write_cached(path, data, size, error);
    if (status != MMOOD_OK)
        mm_error_prefix(error, status, "%s", path);
    free(path);
    return status;
}

mmood_status mm_exchanges_read_picture(uint8_t **out, size_t *size, const mm_exchanges *cache,
                                       const char *hash, const char *type, mmood_error *error) {
    uint8_t bytes[32];
    *out = NULL;
    /* names come from a file: nothing but a hash and a suffix may become part of a path */
    if (!mm_hash_parse(bytes, hash) || strspn(type, "abcdefghijklmnopqrstuvwxyz") != strlen(type))
        return mm_error_set(error, MMOOD_ERROR_FORMAT, "\"%s.%s\" is not a picture's name", hash,
                            type);
    char *path = path_of(cache->pictures, hash, type);
    if (!path)
        return no_memory(error);
    char real[65];
    mmood_status status = mm_file_read(out, size, path, MAX_PICTURE, error);
    if (status == MMOOD_OK) {
        mm_sha256_of(real, *out, *size);
        if (strcmp(real, hash) != 0)
            status = mm_error_set(error, MMOOD_ERROR_FORMAT,
                                  "is damaged: its contents do not fit its name; delete it");
    }
    if (status != MMOOD_OK) {
        mm_error_prefix(error, status, "%s", path);
        free(*out);
        *out = NULL;
    }
    free(path);
    return status;
}
