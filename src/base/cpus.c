/* cpus.c - counts the CPUs that this process may use: affinity, and control group quotas of
 * versions 1 and 2. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE /* sched_getaffinity, CPU_ALLOC */
#endif
#include "base/cpus.h"

#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>

enum {
    MOST_CPUS = 4096,
    LONGEST_PATH = 4096,
    LONGEST_LIST = 16384, /* /proc/self/cgroup: some 15 lines, of which one or two are long */
    MOST_BITS = 1 << 20   /* of an affinity set */
};

/* ---- Parsing ------------------------------------------------------------------------------- */

/* 1 if a list "cpu,cpuacct" has "cpu". */
static int has_cpu(const char *list, size_t size) {
    const char *end = list + size;
    while (list < end) {
        const char *comma = memchr(list, ',', (size_t)(end - list));
        size_t length = (size_t)((comma ? comma : end) - list);
        if (length == 3 && memcmp(list, "cpu", 3) == 0)
            return 1;
        list += length + 1;
    }
    return 0;
}

/* 1 if a path can be followed from a mount point. ".." is how the kernel names a group outside the
 * namespace. */
static int is_inside(const char *path, size_t size) {
    if (size == 0 || size > LONGEST_PATH || path[0] != '/' || memchr(path, 0, size))
        return 0;
    for (size_t i = 0; i + 2 < size; i++)
        if (memcmp(path + i, "/..", 3) == 0 && (i + 3 == size || path[i + 3] == '/'))
            return 0;
    return 1;
}

void mm_cgroup_parse(mm_cgroup *out, const char *text, size_t size) {
    const char *end = text + size;
    *out = (mm_cgroup){.path = ""};
    for (const char *line = text; line < end;) {
        const char *newline = memchr(line, '\n', (size_t)(end - line));
        const char *stop = newline ? newline : end;
        const char *list = memchr(line, ':', (size_t)(stop - line));
        const char *path = list ? memchr(list + 1, ':', (size_t)(stop - list - 1)) : NULL;
        if (path) {
            int version = 0;
            if (has_cpu(list + 1, (size_t)(path - list - 1)))
                version = 1;
            else if (list == line + 1 && line[0] == '0' && path == list + 1)
                version = 2;
            size_t length = (size_t)(stop - path - 1);
            if (version > 0)
                *out = (mm_cgroup){version, path + 1, is_inside(path + 1, length) ? length : 0};
            /* A controller is in one hierarchy only: version 2 has no quotas here. */
            if (version == 1)
                return;
        }
        line = stop + 1;
    }
}

/* Reads decimal digits; -1 where there are none or too many. */
static long long number(const char **at, const char *end) {
    const char *p = *at;
    long long value = 0;
    for (; p < end && *p >= '0' && *p <= '9' && p - *at < 18; p++)
        value = value * 10 + (*p - '0');
    if (p == *at || (p < end && *p != ' ' && *p != '\n'))
        return -1;
    *at = p;
    return value;
}

int mm_quota_parse(const char *text, size_t size) {
    const char *at = text, *end = text + size;
    long long quota = number(&at, end);
    if (quota <= 0 || at == end)
        return 0;
    at++;
    long long period = number(&at, end);
    if (period <= 0)
        return 0;
    long long cpus = quota / period + (quota % period > 0);
    return cpus > MOST_CPUS ? MOST_CPUS : (int)cpus;
}

/* ---- Looking it up ------------------------------------------------------------------------- */

/* Reads what fits of a file of /proc or /sys, whose sizes are not known beforehand; 0 bytes if it
 * cannot be read. */
static size_t read_some(char *out, size_t capacity, const char *path) {
    FILE *file = fopen(path, "re");
    if (!file)
        return 0;
    size_t size = fread(out, 1, capacity, file);
    fclose(file);
    return size;
}

/* Reads `name` in the first `size` bytes of a group's path below a mount point. */
static size_t read_in(char *out, size_t capacity, const char *mount, const char *path, size_t size,
                      const char *name) {
    char file[2 * LONGEST_PATH];
    int length = snprintf(file, sizeof file, "%s%.*s/%s", mount, (int)size, path, name);
    return length > 0 && (size_t)length < sizeof file ? read_some(out, capacity, file) : 0;
}

/* One group's own quota. */
static int quota_of(const char *mount, int version, const char *path, size_t size) {
    char text[128];
    if (version == 2)
        return mm_quota_parse(text, read_in(text, sizeof text, mount, path, size, "cpu.max"));
    size_t have = read_in(text, sizeof text / 2, mount, path, size, "cpu.cfs_quota_us");
    have += read_in(text + have, sizeof text - have, mount, path, size, "cpu.cfs_period_us");
    return mm_quota_parse(text, have);
}

/* The smaller of two limits, of which 0 is none. */
static int smaller(int a, int b) {
    return a == 0 || (b > 0 && b < a) ? b : a;
}

/* The smallest quota from the group up to the mount point. A container often sees its own group as
 * the mount point while the kernel still names it by its path outside: what is not there has no
 * quota, and the walk ends at the mount point in any case. */
static int quota_up(const char *mount, int version, const char *path, size_t size) {
    int least = 0;
    while (size > 0 && path[size - 1] == '/')
        size--;
    for (;;) {
        least = smaller(least, quota_of(mount, version, path, size));
        if (size == 0)
            return least;
        while (size > 0 && path[--size] != '/') {
        }
    }
}

int mm_cgroup_cpus(const char *root) {
    static const struct {
        int version;
        const char *path;
    } mounts[] = {{2, "/sys/fs/cgroup"},
                  {2, "/sys/fs/cgroup/unified"},
                  {1, "/sys/fs/cgroup/cpu"},
                  {1, "/sys/fs/cgroup/cpu,cpuacct"},
                  {1, "/sys/fs/cgroup/cpuacct,cpu"}};
    char text[LONGEST_LIST], path[LONGEST_PATH];
    mm_cgroup group;
    snprintf(path, sizeof path, "%s/proc/self/cgroup", root);
    mm_cgroup_parse(&group, text, read_some(text, sizeof text, path));
    int least = 0;
    for (size_t i = 0; i < sizeof mounts / sizeof mounts[0]; i++) {
        if (group.version != 0 && group.version != mounts[i].version)
            continue;
        snprintf(path, sizeof path, "%s%s", root, mounts[i].path);
        least = smaller(least, quota_up(path, mounts[i].version, group.path, group.size));
    }
    return least;
}

/* CPUs of the affinity mask. The kernel refuses a set that is smaller than its own, so it is made
 * larger until it fits. */
static int affinity(void) {
    for (size_t bits = CPU_SETSIZE; bits <= MOST_BITS; bits *= 2) {
        cpu_set_t *set = CPU_ALLOC(bits);
        if (!set)
            return 1;
        size_t size = CPU_ALLOC_SIZE(bits);
        CPU_ZERO_S(size, set);
        int failed = sched_getaffinity(0, size, set), code = errno;
        int cpus = failed ? 0 : CPU_COUNT_S(size, set);
        CPU_FREE(set);
        if (!failed)
            return cpus;
        if (code != EINVAL)
            return 1;
    }
    return 1;
}

int mm_cpu_count(void) {
    int cpus = smaller(affinity(), mm_cgroup_cpus(""));
    if (cpus < 1)
        return 1;
    return cpus > MOST_CPUS ? MOST_CPUS : cpus;
}
