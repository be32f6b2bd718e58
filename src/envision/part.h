/* part.h - a file while it is downloaded: PATH.part, hashed as it grows. */
#ifndef MM_ENVISION_PART_H
#define MM_ENVISION_PART_H

#include "base/sha256.h"

#include "mmood.h"

typedef struct mm_part {
    char *path; /* with ".part" */
    int file;
    uint64_t size; /* bytes it has; those after them are not the download's */
    mm_sha256 hash;
    int failed; /* errno of a write that failed, else 0 */
} mm_part;

/* Opens `path`.part for writing, empty, or with what an earlier download left if `resume` is not 0
 * and there are at most `resume` bytes. One process at a time: for others it is locked. Messages
 * name the file. */
mmood_status mm_part_open(mm_part *part, const char *path, uint64_t resume, mmood_error *error);

/* Adds bytes; 0 if they could not be written. */
int mm_part_add(mm_part *part, const void *data, size_t size);

/* Empties it; 0 as above. */
int mm_part_restart(mm_part *part);

/* Writes what the system holds back to the disk, and gives the hash. */
mmood_status mm_part_finish(char sha256[65], mm_part *part, mmood_error *error);

/* What `part->failed` means, with what to do. */
mmood_status mm_part_explain(const mm_part *part, mmood_error *error);

/* Closes it; the file stays, or goes with `remove`. */
void mm_part_close(mm_part *part, int remove);

/* Gives a complete `path`.part its name. If `path` has the same contents already, it stays as it is
 * and *changed is 0. */
mmood_status mm_part_keep(int *changed, const char *path, mmood_error *error);

/* Bytes of `path`.part, which an earlier download left; 0 if there is none. */
uint64_t mm_part_left(const char *path);

/* Removes `path`.part. */
void mm_part_remove(const char *path);

/* 1 if the file `path` has this size and SHA-256 (64 hex digits). */
int mm_part_is_done(const char *path, uint64_t size, const char *sha256);

#endif
