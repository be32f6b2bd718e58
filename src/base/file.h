/* file.h - reading files: a read-only memory map, and a whole file in a buffer. */
#ifndef MM_BASE_FILE_H
#define MM_BASE_FILE_H

#include "base/buffer.h"
#include "mmood.h"

/* What tells a file's contents from those before a change, and from other files. */
typedef struct mm_file_identity {
    uint64_t device;
    uint64_t inode;
    uint64_t size;
    int64_t modified[2]; /* seconds and nanoseconds since 1970: of the contents, */
    int64_t changed[2];  /*   and of contents or attributes, which programs cannot set */
} mm_file_identity;

/* A read-only mapping. `data` is NULL and `size` 0 for an empty file. */
typedef struct mm_map {
    const uint8_t *data;
    size_t size;
    mm_file_identity identity;
} mm_map;

/* Maps a regular file. Messages say what failed and why, without the path: callers that know the
 * user's name for the file add it with mm_error_prefix. */
mmood_status mm_map_open(mm_map *out, const char *path, mmood_error *error);
void mm_map_close(mm_map *map);

/* Gives back the memory of whole pages of `size` bytes at `data` in a mapping of a file; they are
 * read again when they are used again. */
void mm_map_forget(const void *data, size_t size);

/* Memory of whole pages, all zero; NULL if there is none. For what is large: given back, it is the
 * system's at once, where free() may keep it. */
void *mm_pages_take(size_t size);
void mm_pages_give(void *pages, size_t size);

/* Reads a whole file of at most `limit` bytes into memory that the caller frees; one NUL byte
 * follows the contents and is not counted in `*size`. */
mmood_status mm_file_read(uint8_t **out, size_t *size, const char *path, size_t limit,
                          mmood_error *error);

/* Writes `size` bytes to `path` by way of a temporary file beside it and a rename, so that a reader
 * sees the old or the new contents, never half. A symbolic link stays and its file is replaced;
 * devices and pipes are written to directly. */
mmood_status mm_file_write(const char *path, const void *data, size_t size, mmood_error *error);

/* The same without waiting for the disk: after a power failure the file may be empty. For what is
 * verified when it is read. */
mmood_status mm_file_write_cached(const char *path, const void *data, size_t size,
                                  mmood_error *error);

/* The last, of several parts one after the other. */
mmood_status mm_file_write_parts(const char *path, const mm_bytes *parts, size_t count,
                                 mmood_error *error);

/* 1 if `path` names something that exists. */
int mm_file_exists(const char *path);

/* The same two for `directory`/`name`; messages of the first begin with `name`. */
mmood_status mm_file_read_in(uint8_t **out, size_t *size, const char *directory, const char *name,
                             size_t limit, mmood_error *error);
int mm_file_exists_in(const char *directory, const char *name);

/* 1 if `path` names a folder. */
int mm_is_directory(const char *path);

/* Makes a folder and those above it, where they are not there yet. The message names the path. */
mmood_status mm_directory_make(const char *path, mmood_error *error);

/* "directory/name" in memory that the caller frees; NULL if memory is out. */
char *mm_path_join(const char *directory, const char *name);

#endif
