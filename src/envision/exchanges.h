/* exchanges.h - exchanges with models, kept: a readable JSON file each, found by what was asked,
 * and the pictures beside them. */
#ifndef MM_ENVISION_EXCHANGES_H
#define MM_ENVISION_EXCHANGES_H

#include "mmood.h"

#include <jansson.h>

typedef enum mm_exchanges_mode {
    MM_EXCHANGES_USE = 0, /* what is there is not asked for again */
    MM_EXCHANGES_REFRESH, /* everything is asked for again and replaces what is there */
    MM_EXCHANGES_OFFLINE  /* nothing is asked for: what is not there is an error */
} mm_exchanges_mode;

/* A folder. Any number of threads and processes may use one at the same time. */
typedef struct mm_exchanges mm_exchanges;

/* `directory` is made if it is not there; offline it must be. */
mmood_status mm_exchanges_open(mm_exchanges **out, const char *directory, mm_exchanges_mode mode,
                               mmood_error *error);
void mm_exchanges_free(mm_exchanges *cache);
mm_exchanges_mode mm_exchanges_get_mode(const mm_exchanges *cache);

/* How many files were found damaged and not used. */
int mm_exchanges_damaged(const mm_exchanges *cache);

/* The name of a request: SHA-256 in hex of its JSON without spaces and with sorted keys. */
mmood_status mm_exchanges_key(char out[65], const json_t *request, mmood_error *error);

/* The exchange that answers `request`, as it was stored, or NULL: then it is to be made. Offline
 * its absence is an error (UNSUPPORTED), as is a damaged file (FORMAT); otherwise a damaged one
 * counts as absent. The caller json_decref()s `*out`. */
mmood_status mm_exchanges_find(json_t **out, mm_exchanges *cache, const json_t *request,
                               mmood_error *error);

/* Stores `exchange`, an object of any members, for `request`; "format", "key", "time", "request"
 * and "check" are added to it. It must not hold a key or password. */
mmood_status mm_exchanges_store(mm_exchanges *cache, const json_t *request, json_t *exchange,
                                mmood_error *error);

/* Says that an exchange that was found is not usable after all, such as when its picture is
 * missing: counted as damaged and MMOOD_OK, but offline (and out of memory) an error, with
 * `problem`. */
mmood_status mm_exchanges_reject(mm_exchanges *cache, const mmood_error *problem,
                                 mmood_error *error);

/* The exchange in a file's bytes, checked: that it is whole, is what it was, and answers the
 * request named `key` (NULL: any). */
mmood_status mm_exchanges_parse(json_t **out, const void *data, size_t size, const char *key,
                                mmood_error *error);

/* Stores a picture under its SHA-256, which is written to `hash`; `type` is "jpg", "png", ... */
mmood_status mm_exchanges_store_picture(char hash[65], mm_exchanges *cache, const void *data,
                                        size_t size, const char *type, mmood_error *error);

/* Reads one back, its contents checked against its name. The caller frees it. */
mmood_status mm_exchanges_read_picture(uint8_t **out, size_t *size, const mm_exchanges *cache,
                                       const char *hash, const char *type, mmood_error *error);

#endif
