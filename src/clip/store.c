/* store.c - names, memory and limits of a folder of packed weights. */
#ifndef _XOPEN_SOURCE
#define _XOPEN_SOURCE 700 /* realpath */
#endif
#include "clip/store.h"

#include "base/error.h"
#include "base/sha256.h"

#include <dirent.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* A .digest file is `sources`, then a line with the digest, then one with the SHA-256 of both. */
enum { LINE = 65, MAX_MEMO = 16 << 20, HASH_IN_NAME = 16 };

/* Coarser than any file system's clock: git waits as long. */
enum { SETTLE_SECONDS = 3 };

/* An hour after it was begun nobody writes a file any more. */
enum { STALE_SECONDS = 3600 };

/* `folder`/NAME-HASH.ending, where the hash is of `of`. */
static char *path_of(const char *folder, const char *name, const char *of, const char *ending) {
    char digest[65];
    mm_buffer file = {0};
    mm_sha256_of(digest, of, strlen(of));
    for (const char *p = name; *p && p - name < 64; p++) {
        int plain = (*p >= 'a' && *p <= 'z') || (*p >= 'A' && *p <= 'Z') ||
                    (*p >= '0' && *p <= '9') || *p == '-' || *p == '_' || *p == '.';
        mm_buffer_append(&file, plain ? p : "_", 1);
    }
    mm_buffer_printf(&file, "-%.*s%s", HASH_IN_NAME, digest, ending);
    char *path = file.failed ? NULL : mm_path_join(folder, file.data);
    mm_buffer_free(&file);
    return path;
}

static void describe_sources(mm_store *store, const mm_safetensors *set) {
    mm_buffer_puts(&store->sources, "mmood-digest/1\n");
    for (size_t i = 0; i < mm_safetensors_files(set); i++) {
        const mm_file_identity *file = mm_safetensors_file(set, i);
        mm_buffer_printf(&store->sources,
                         "device %" PRIu64 " inode %" PRIu64 " size %" PRIu64 " modified %" PRId64
                         ".%09" PRId64 " changed %" PRId64 ".%09" PRId64 "\n",
                         file->device, file->inode, file->size, file->modified[0],
                         file->modified[1], file->changed[0], file->changed[1]);
        int64_t later = file->modified[0] > file->changed[0] ? file->modified[0] : file->changed[0];
        if ((time_t)later > store->newest)
            store->newest = (time_t)later;
    }
}

mmood_status mm_store_open(mm_store *out, const char *folder, const char *directory,
                           const mm_safetensors *set, mmood_error *error) {
    *out = (mm_store){0};
    mmood_status status = mm_directory_make(folder, error);
    if (status != MMOOD_OK)
        return status;
    char *real = realpath(directory, NULL);
    if (!real)
        return mm_error_set(error, MMOOD_ERROR_IO, "%s has no absolute path", directory);
    const char *slash = strrchr(real, '/');
    out->folder = strdup(folder);
    out->memo = path_of(folder, slash && slash[1] ? slash + 1 : "root", real, ".digest");
    describe_sources(out, set);
    free(real);
    if (!out->folder || !out->memo || out->sources.failed)
        return mm_error_set(error, MMOOD_ERROR_MEMORY, "no memory for the cache of weights");
    return MMOOD_OK;
}

void mm_store_free(mm_store *store) {
    free(store->folder);
    free(store->memo);
    mm_buffer_free(&store->sources);
    *store = (mm_store){0};
}

int mm_store_recall(char digest[65], const mm_store *store) {
    uint8_t *data, hash[32];
    size_t size, known = store->sources.size;
    if (mm_file_read(&data, &size, store->memo, MAX_MEMO, NULL) != MMOOD_OK)
        return 0;
    char check[LINE];
    int sound = size == known + 2 * LINE && memcmp(data, store->sources.data, known) == 0;
    if (sound) {
        mm_sha256_of(check, data, known + LINE);
        memcpy(digest, data + known, 64);
        digest[64] = '\0';
        sound = memcmp(check, data + known + LINE, 64) == 0 && mm_hash_parse(hash, digest);
    }
    free(data);
    return sound;
}

mmood_status mm_store_remember(const mm_store *store, const char *digest, time_t now,
                               mmood_error *error) {
    if (store->newest + SETTLE_SECONDS > now)
        return MMOOD_OK;
    char check[LINE];
    mm_buffer text = {0};
    mm_buffer_append(&text, store->sources.data, store->sources.size);
    mm_buffer_printf(&text, "%s\n", digest);
    mmood_status status = MMOOD_OK;
    if (!text.failed) {
        mm_sha256_of(check, text.data, text.size);
        mm_buffer_printf(&text, "%s\n", check);
    }
    status = text.failed
                 ? mm_error_set(error, MMOOD_ERROR_MEMORY, "no memory for the cache of weights")
                 : mm_file_write_cached(store->memo, text.data, text.size, error);
    mm_buffer_free(&text);
    return status == MMOOD_OK ? status : mm_error_prefix(error, status, "%s", store->memo);
}

char *mm_store_path(const char *folder, const char *name, const char *key) {
    return path_of(folder, name, key, ".packed");
}

void mm_store_touch(const char *path) {
    (void)utimensat(AT_FDCWD, path, NULL, 0); /* of no consequence in a folder of others */
}

/* ---- Limits -------------------------------------------------------------------------------- */

typedef struct kept {
    char *path;
    uint64_t size;
    time_t used;
} kept;

static int latest_first(const void *a, const void *b) {
    const kept *x = a, *y = b;
    return (x->used < y->used) - (x->used > y->used);
}

static int ends_with(const char *text, const char *end) {
    size_t a = strlen(text), b = strlen(end);
    return a >= b && strcmp(text + a - b, end) == 0;
}

/* 1 for a file that its writer has not yet given its name: NAME.packed.XXXXXX. */
static int is_temporary(const char *name) {
    size_t n = strlen(name);
    return n > 14 && strncmp(name + n - 14, ".packed.", 7) == 0 && name[n - 7] == '.';
}

/* Looks at one file of the folder; 0 if memory is out. */
static int look(kept **list, size_t *count, const char *folder, const char *name, const char *keep,
                time_t now) {
    struct stat st;
    int packed = ends_with(name, ".packed"), temporary = is_temporary(name);
    if (!packed && !temporary && !ends_with(name, ".digest"))
        return 1;
    char *path = mm_path_join(folder, name);
    kept *grown = path ? realloc(*list, (*count + 1) * sizeof *grown) : NULL;
    if (grown)
        *list = grown;
    if (grown && stat(path, &st) == 0 && S_ISREG(st.st_mode) && strcmp(path, keep) != 0) {
        time_t age = now - st.st_mtime, most = temporary ? STALE_SECONDS : MM_STORE_DAYS * 86400;
        if (age > most)
            unlink(path);
        else if (packed) {
            (*list)[(*count)++] = (kept){path, (uint64_t)st.st_size, st.st_mtime};
            path = NULL;
        }
    }
    free(path);
    return grown != NULL;
}

void mm_store_trim(const char *folder, const char *keep, uint64_t most, time_t now) {
    struct stat st;
    kept *list = NULL;
    size_t count = 0;
    uint64_t total = stat(keep, &st) == 0 ? (uint64_t)st.st_size : 0;
    DIR *entries = opendir(folder);
    if (!entries)
        return;
    for (struct dirent *entry; (entry = readdir(entries));)
        if (!look(&list, &count, folder, entry->d_name, keep, now))
            break;
    closedir(entries);
    if (count)
        qsort(list, count, sizeof *list, latest_first);
    for (size_t i = 0; i < count; i++) {
        total += list[i].size;
        if (total > most)
            unlink(list[i].path);
        free(list[i].path);
    }
    free(list);
}
