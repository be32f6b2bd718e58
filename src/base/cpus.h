/* cpus.h - how many CPUs this process may use: its scheduling affinity and the quotas of its
 * control groups. */
#ifndef MM_BASE_CPUS_H
#define MM_BASE_CPUS_H

#include <stddef.h>

/* At least 1 and at most 4,096. Recomputed by each call, as both limits may change. */
int mm_cpu_count(void);

/* The control group whose CPU quota concerns a process. `path` points into the text that was
 * parsed; an empty one is the root of what is mounted. */
typedef struct mm_cgroup {
    int version; /* 1 or 2; 0 where the text names neither */
    const char *path;
    size_t size;
} mm_cgroup;

/* Reads the text of /proc/self/cgroup. */
void mm_cgroup_parse(mm_cgroup *out, const char *text, size_t size);

/* Whole CPUs of "QUOTA PERIOD" in microseconds, rounded up; 0 if that is no limit ("max", "-1") or
 * no quota. */
int mm_quota_parse(const char *text, size_t size);

/* The smallest quota of the process's group and of those around it in whole CPUs, 0 if there is
 * none. `root` is
 * "" for the machine's own /proc and /sys. */
int mm_cgroup_cpus(const char *root);

#endif
