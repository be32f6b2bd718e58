/* part.c - a file while it is downloaded. */
#include "envision/part.h"

#include "base/buffer.h"
#include "base/error.h"
#include "base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { READ_AT_ONCE = 1 << 20 };

static char *part_path(const char *path) {
    mm_buffer full = {0};
    mm_buffer_printf(&full, "%s.part", path);
    if (!full.failed)
        return full.data;
    mm_buffer_free(&full);
    return NULL;
}

/* Hashes a file from the beginning, at most `limit` bytes; 0 if it cannot be read. */
static int hash_file(mm_sha256 *hash, uint64_t *size, int file, uint64_t limit) {
    char *room = malloc(READ_AT_ONCE);
    ssize_t n = -1;
    mm_sha256_init(hash);
    *size = 0;
    while (room && *size <= limit && (n = pread(file, room, READ_AT_ONCE, (off_t)*size)) != 0) {
        if (n < 0 && errno != EINTR)
            break;
        mm_sha256_update(hash, room, n > 0 ? (size_t)n : 0);
        *size += n > 0 ? (uint64_t)n : 0;
    }
    free(room);
    return n == 0 && *size <= limit;
}

int mm_part_restart(mm_part *part) {
    part->size = 0;
    mm_sha256_init(&part->hash);
    if (ftruncate(part->file, 0) == 0)
        return 1;
    part->failed = errno;
    return 0;
}

static mmood_status lock(const mm_part *part, mmood_error *error) {
    struct flock whole = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
    if (fcntl(part->file, F_SETLK, &whole) == 0 || (errno != EACCES && errno != EAGAIN))
        return MMOOD_OK; /* a file system without locks is none to refuse */
    return mm_error_set(error, MMOOD_ERROR_IO,
                        "%s is being written by another process; wait for it, or stop it",
                        part->path);
}

mmood_status mm_part_open(mm_part *part, const char *path, uint64_t resume, mmood_error *error) {
    *part = (mm_part){.path = part_path(path), .file = -1};
    if (!part->path)
        return mm_error_set(error, MMOOD_ERROR_MEMORY, "no memory for a path");
    /* through a link it would empty a file elsewhere */
    part->file = open(part->path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, 0666);
    mmood_status status = MMOOD_OK;
    struct stat about;
    if (part->file < 0 && errno == ELOOP)
        status =
            mm_error_set(error, MMOOD_ERROR_IO,
                         "%s is a symbolic link, expected a file or none; remove it", part->path);
    else if (part->file < 0)
        status = mm_error_set(error, MMOOD_ERROR_IO,
                              "%s cannot be written: %s; choose a folder that you may write to",
                              part->path, strerror(errno));
    else if (fstat(part->file, &about) != 0 || !S_ISREG(about.st_mode))
        status =
            mm_error_set(error, MMOOD_ERROR_IO, "%s is not a regular file; remove it", part->path);
    else
        status = lock(part, error);
    if (status == MMOOD_OK && !(resume && hash_file(&part->hash, &part->size, part->file, resume)))
        if (!mm_part_restart(part))
            status = mm_part_explain(part, error);
    if (status != MMOOD_OK)
        mm_part_close(part, 0);
    return status;
}

int mm_part_add(mm_part *part, const void *data, size_t size) {
    const char *from = data;
    while (size > 0) {
        ssize_t n = pwrite(part->file, from, size, (off_t)part->size);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0) {
            part->failed = n < 0 ? errno : ENOSPC;
            return 0;
        }
        mm_sha256_update(&part->hash, from, (size_t)n);
        part->size += (uint64_t)n;
        from += n;
        size -= (size_t)n;
    }
    return 1;
}

mmood_status mm_part_finish(char sha256[65], mm_part *part, mmood_error *error) {
    mm_sha256_finish(sha256, &part->hash);
    if (fsync(part->file) == 0 || errno == EINVAL || errno == EROFS)
        return MMOOD_OK;
    part->failed = errno;
    return mm_part_explain(part, error);
}

mmood_status mm_part_explain(const mm_part *part, mmood_error *error) {
    int full = part->failed == ENOSPC || part->failed == EDQUOT || part->failed == EFBIG;
    return mm_error_set(error, MMOOD_ERROR_IO, "%s cannot be written at byte %llu: %s%s",
                        part->path, (unsigned long long)part->size, strerror(part->failed),
                        full ? "; make room and run it again" : "");
}

void mm_part_close(mm_part *part, int remove) {
    if (remove && part->path)
        unlink(part->path); /* before the lock goes */
    if (part->file >= 0)
        close(part->file);
    free(part->path);
    *part = (mm_part){.file = -1};
}

void mm_part_remove(const char *path) {
    char *part = part_path(path);
    if (part)
        unlink(part);
    free(part);
}

uint64_t mm_part_left(const char *path) {
    struct stat about;
    char *part = part_path(path);
    int there = part && stat(part, &about) == 0 && S_ISREG(about.st_mode);
    free(part);
    return there ? (uint64_t)about.st_size : 0;
}

static int same_contents(const char *a, const char *b) {
    mm_map first, second;
    if (mm_map_open(&first, a, NULL) != MMOOD_OK)
        return 0;
    int same = 0;
    if (mm_map_open(&second, b, NULL) == MMOOD_OK) {
        same = first.size == second.size &&
               (first.size == 0 || memcmp(first.data, second.data, first.size) == 0);
        mm_map_close(&second);
    }
    mm_map_close(&first);
    return same;
}

mmood_status mm_part_keep(int *changed, const char *path, mmood_error *error) {
    char *part = part_path(path);
    if (!part)
        return mm_error_set(error, MMOOD_ERROR_MEMORY, "no memory for a path");
    mmood_status status = MMOOD_OK;
    *changed = !same_contents(part, path);
    if (!*changed)
        unlink(part);
    else if (rename(part, path) != 0)
        status = mm_error_set(error, MMOOD_ERROR_IO, "%s cannot become %s: %s", part, path,
                              strerror(errno));
    free(part);
    return status;
}

int mm_part_is_done(const char *path, uint64_t size, const char *sha256) {
    int file = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (file < 0)
        return 0;
    struct stat about;
    mm_sha256 hash;
    uint64_t read = 0;
    char found[65] = "";
    if (fstat(file, &about) == 0 && S_ISREG(about.st_mode) && (uint64_t)about.st_size == size &&
        hash_file(&hash, &read, file, size))
        mm_sha256_finish(found, &hash);
    close(file);
    return read == size && strcmp(found, sha256) == 0;
}
