/* cache.h - results by the content of a file, kept on disk: a picture's embedding, so that a second
 * evaluation takes seconds and an interrupted one goes on. */
#ifndef MM_EVAL_CACHE_H
#define MM_EVAL_CACHE_H

#include "mmood.h"

/* One file, of records of one size for one key (what a result depends on besides the file). Records
 * are only ever added. A record that was not written whole, or was changed since, does not count.
 */
typedef struct mm_cache mm_cache;

/* Opens or makes DIRECTORY/KIND-KEY.cache; the directory is made if it is not there. `key` has 64
 * hex digits. Another process that has it open for writing leaves it to be read only: what is added
 * then is not kept. A file that is something else is an error that names it. */
mmood_status mm_cache_open(mm_cache **out, const char *directory, const char *kind, const char *key,
                           size_t record_size, mmood_error *error);

/* The record [record_size] if it is one of the first `among` (SIZE_MAX: of all), or NULL; it lives
 * until the next addition. Any thread, while no other adds. */
const void *mm_cache_find(const mm_cache *cache, const uint8_t hash[32], size_t among);

/* Adds a record unless there is one, in memory and by the next flush on disk. */
mmood_status mm_cache_add(mm_cache *cache, const uint8_t hash[32], const void *record,
                          mmood_error *error);
mmood_status mm_cache_flush(mm_cache *cache, mmood_error *error);

size_t mm_cache_count(const mm_cache *cache);
const char *mm_cache_path(const mm_cache *cache);

/* Flushes, ignoring failure. */
void mm_cache_close(mm_cache *cache);

#endif
