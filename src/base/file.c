/* file.c - memory maps and pages, whole-file reads and atomic writes on POSIX. */
#ifndef _DEFAULT_SOURCE
#define _DEFAULT_SOURCE /* realpath, madvise */
#endif
#include "base/file.h"

#include "base/error.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

static mm_file_identity identity_of(const struct stat *st) {
    mm_file_identity identity = {
        .device = (uint64_t)st->st_dev,
        .inode = (uint64_t)st->st_ino,
        .size = (uint64_t)st->st_size,
        .modified = {(int64_t)st->st_mtim.tv_sec, (int64_t)st->st_mtim.tv_nsec},
        .changed = {(int64_t)st->st_ctim.tv_sec, (int64_t)st->st_ctim.tv_nsec}};
    return identity;
}

static mmood_status open_regular(int *out, mm_file_identity *identity, const char *path,
                                 mmood_error *error) {
    /* O_NONBLOCK: opening a FIFO must not wait for a writer; it is refused just below. */
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0)
        return mm_error_set(error, MMOOD_ERROR_IO, "cannot be opened: %s", strerror(errno));
    struct stat st;
    if (fstat(fd, &st) != 0) {
        int code = errno;
        close(fd);
        return mm_error_set(error, MMOOD_ERROR_IO, "cannot be examined: %s", strerror(code));
    }
    if (!S_ISREG(st.st_mode)) {
        close(fd);
        return mm_error_set(error, MMOOD_ERROR_IO, "is %s, expected a regular file",
                            S_ISDIR(st.st_mode) ? "a directory" : "not a file");
    }
    *out = fd;
    *identity = identity_of(&st);
    return MMOOD_OK;
}

mmood_status mm_map_open(mm_map *out, const char *path, mmood_error *error) {
    *out = (mm_map){0};
    int fd = -1;
    mmood_status status = open_regular(&fd, &out->identity, path, error);
    if (status)
        return status;
    size_t size = (size_t)out->identity.size;
    if (size == 0) {
        close(fd);
        return MMOOD_OK;
    }
    void *data = mmap(NULL, size, PROT_READ, MAP_PRIVATE, fd, 0);
    int code = errno;
    close(fd);
    if (data == MAP_FAILED)
        return mm_error_set(error, MMOOD_ERROR_IO, "cannot be mapped: %s", strerror(code));
    out->data = data;
    out->size = size;
    return MMOOD_OK;
}

void mm_map_close(mm_map *map) {
    if (map->data)
        munmap((void *)(uintptr_t)map->data, map->size);
    *map = (mm_map){0};
}

void mm_map_forget(const void *data, size_t size) {
    uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE), first = (uintptr_t)data;
    uintptr_t from = (first + page - 1) / page * page, to = (first + size) / page * page;
    if (from < to)
        madvise((void *)from, to - from, MADV_DONTNEED);
}

void *mm_pages_take(size_t size) {
    void *pages = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    return pages == MAP_FAILED ? NULL : pages;
}

void mm_pages_give(void *pages, size_t size) {
    if (pages)
        munmap(pages, size);
}

mmood_status mm_file_read(uint8_t **out, size_t *size, const char *path, size_t limit,
                          mmood_error *error) {
    *out = NULL;
    *size = 0;
    int fd = -1;
    mm_file_identity identity = {0};
    mmood_status status = open_regular(&fd, &identity, path, error);
    if (status)
        return status;
    size_t expected = (size_t)identity.size;
    if (expected > limit) {
        close(fd);
        return mm_error_set(error, MMOOD_ERROR_LIMIT, "has %zu bytes, more than the limit of %zu",
                            expected, limit);
    }
    uint8_t *data = malloc(expected + 1);
    if (!data) {
        close(fd);
        return mm_error_set(error, MMOOD_ERROR_MEMORY, "no memory for %zu bytes", expected);
    }
    size_t have = 0;
    while (have < expected) {
        ssize_t n = read(fd, data + have, expected - have);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0) {
            int code = errno;
            close(fd);
            free(data);
            return mm_error_set(error, MMOOD_ERROR_IO, "cannot be read: %s", strerror(code));
        }
        if (n == 0)
            break;
        have += (size_t)n;
    }
    close(fd);
    data[have] = 0;
    *out = data;
    *size = have;
    return MMOOD_OK;
}

static mmood_status write_all(int fd, mm_bytes bytes, mmood_error *error) {
    const uint8_t *data = bytes.data;
    for (size_t size = bytes.size; size > 0;) {
        ssize_t n = write(fd, data, size);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return mm_error_set(error, MMOOD_ERROR_IO, "cannot be written: %s", strerror(errno));
        data += n;
        size -= (size_t)n;
    }
    return MMOOD_OK;
}

static mmood_status write_parts(int fd, const mm_bytes *parts, size_t count, mmood_error *error) {
    mmood_status status = MMOOD_OK;
    for (size_t i = 0; i < count && status == MMOOD_OK; i++)
        status = write_all(fd, parts[i], error);
    return status;
}

/* For what cannot be replaced, such as /dev/null: renaming over a device would destroy it. */
static mmood_status write_directly(const char *path, const mm_bytes *parts, size_t count,
                                   mmood_error *error) {
    int fd = open(path, O_WRONLY | O_CLOEXEC);
    if (fd < 0)
        return mm_error_set(error, MMOOD_ERROR_IO, "cannot be opened for writing: %s",
                            strerror(errno));
    mmood_status status = write_parts(fd, parts, count, error);
    if (close(fd) != 0 && !status)
        status = mm_error_set(error, MMOOD_ERROR_IO, "cannot be closed: %s", strerror(errno));
    return status;
}

static mmood_status write_and_rename(const char *path, const mm_bytes *parts, size_t count,
                                     int wait, mmood_error *error) {
    size_t length = strlen(path);
    char *temporary = malloc(length + 8);
    if (!temporary)
        return mm_error_set(error, MMOOD_ERROR_MEMORY, "no memory for a file name");
    memcpy(temporary, path, length);
    memcpy(temporary + length, ".XXXXXX", 8);
    int fd = mkstemp(temporary);
    if (fd < 0) {
        int code = errno;
        free(temporary);
        return mm_error_set(error, MMOOD_ERROR_IO, "cannot be created: %s", strerror(code));
    }
    mmood_status status = write_parts(fd, parts, count, error);
    /* mkstemp makes the file private; others may read a result. Asking for the umask would change
     * it for a moment in every thread, so the usual outcome is set instead. */
    if (!status && (fchmod(fd, 0644) != 0 || (wait && fsync(fd) != 0)))
        status = mm_error_set(error, MMOOD_ERROR_IO, "cannot be finished: %s", strerror(errno));
    if (close(fd) != 0 && !status)
        status = mm_error_set(error, MMOOD_ERROR_IO, "cannot be closed: %s", strerror(errno));
    if (!status && rename(temporary, path) != 0)
        status = mm_error_set(error, MMOOD_ERROR_IO, "cannot be put in place: %s", strerror(errno));
    if (status)
        unlink(temporary);
    free(temporary);
    return status;
}

static mmood_status replace(const char *path, const mm_bytes *parts, size_t count, int wait,
                            mmood_error *error) {
    struct stat st;
    int exists = stat(path, &st) == 0;
    if (exists && S_ISDIR(st.st_mode))
        return mm_error_set(error, MMOOD_ERROR_IO, "is a directory, expected a file's name");
    if (exists && !S_ISREG(st.st_mode))
        return write_directly(path, parts, count, error);
    char *target = exists ? realpath(path, NULL) : NULL; /* a link stays, its file is replaced */
    mmood_status status = write_and_rename(target ? target : path, parts, count, wait, error);
    free(target);
    return status;
}

mmood_status mm_file_write(const char *path, const void *data, size_t size, mmood_error *error) {
    return replace(path, &(mm_bytes){data, size}, 1, 1, error);
}

mmood_status mm_file_write_cached(const char *path, const void *data, size_t size,
                                  mmood_error *error) {
    return replace(path, &(mm_bytes){data, size}, 1, 0, error);
}

mmood_status mm_file_write_parts(const char *path, const mm_bytes *parts, size_t count,
                                 mmood_error *error) {
    return replace(path, parts, count, 0, error);
}

int mm_file_exists(const char *path) {
    struct stat st;
    return stat(path, &st) == 0;
}

char *mm_path_join(const char *directory, const char *name) {
    size_t a = strlen(directory), b = strlen(name);
    int slash = a > 0 && directory[a - 1] != '/';
    char *path = malloc(a + (size_t)slash + b + 1);
    if (!path)
        return NULL;
    memcpy(path, directory, a);
    if (slash)
        path[a] = '/';
    memcpy(path + a + (size_t)slash, name, b + 1);
    return path;
}

mmood_status mm_file_read_in(uint8_t **out, size_t *size, const char *directory, const char *name,
                             size_t limit, mmood_error *error) {
    char *path = mm_path_join(directory, name);
    mmood_status status =
        path ? mm_file_read(out, size, path, limit, error)
             : mm_error_set(error, MMOOD_ERROR_MEMORY, "no memory for the file's path");
    free(path);
    return status == MMOOD_OK ? status : mm_error_prefix(error, status, "%s", name);
}

int mm_file_exists_in(const char *directory, const char *name) {
    char *path = mm_path_join(directory, name);
    int exists = path && mm_file_exists(path);
    free(path);
    return exists;
}

int mm_is_directory(const char *path) {
    struct stat st;
    return stat(path, &st) == 0 && S_ISDIR(st.st_mode);
}

mmood_status mm_directory_make(const char *path, mmood_error *error) {
    char *copy = strdup(path);
    if (!copy)
        return mm_error_set(error, MMOOD_ERROR_MEMORY, "no memory for a path");
    int code = 0;
    for (char *p = copy + (*copy == '/');; p++) {
        if (*p && *p != '/')
            continue;
        char kept = *p;
        *p = 0;
        if (*copy && mkdir(copy, 0777) != 0)
            code = errno;
        *p = kept;
        if (!kept)
            break;
    }
    free(copy);
    if (mm_is_directory(path))
        return MMOOD_OK;
    return mm_error_set(error, MMOOD_ERROR_IO, "the folder %s cannot be made: %s", path,
                        strerror(code ? code : ENOTDIR));
}
