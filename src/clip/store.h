/* store.h - a folder of packed weights, and what is remembered of the files they are from. All in
 * it can be deleted at any time. Two kinds of files: NAME-HASH.packed   packed weights (packed.h),
 * named by what they are of and what packed them NAME-HASH.digest   the digest of a model
 * directory's weights, with what tells its files from changed ones, so that they are not hashed at
 * every start */
#ifndef MM_CLIP_STORE_H
#define MM_CLIP_STORE_H

#include "base/buffer.h"
#include "clip/safetensors.h"

#include <time.h>

/* Together the packed weights take no more than this, unless one alone does; those unused for
 * longest go first. What was not used for MM_STORE_DAYS days goes in any case. */
#define MM_STORE_BYTES ((uint64_t)4 << 30)
enum { MM_STORE_DAYS = 90 };

typedef struct mm_store {
    char *folder;
    char *memo;        /* path of the directory's .digest */
    mm_buffer sources; /* text that tells the weights' files from any others */
    time_t newest;     /* when one of them changed last */
} mm_store;

/* Makes the folder if need be. `directory` is the model's. Free in any case. */
mmood_status mm_store_open(mm_store *out, const char *folder, const char *directory,
                           const mm_safetensors *set, mmood_error *error);
void mm_store_free(mm_store *store);

/* 1 if the digest of these very files is known. */
int mm_store_recall(char digest[65], const mm_store *store);

/* Remembers it, unless a file changed so shortly before `now`, when it was opened, that another
 * change would leave no trace. */
mmood_status mm_store_remember(const mm_store *store, const char *digest, time_t now,
                               mmood_error *error);

/* The path of a .packed file; NULL if memory is out. The caller frees it. */
char *mm_store_path(const char *folder, const char *name, const char *key);

/* Marks a file as used now. */
void mm_store_touch(const char *path);

/* Deletes what is too much or too old at `now`, and what writers that were killed left behind;
 * never `keep`. What others still have mapped stays with them. */
void mm_store_trim(const char *folder, const char *keep, uint64_t most, time_t now);

#endif
