/* fuzz_cgroup.c - /proc/self/cgroup and a group's CPU quota on arbitrary bytes. */
#include "base/cpus.h"

#include <stdint.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    const char *text = (const char *)data;
    mm_cgroup group;
    mm_cgroup_parse(&group, text, size);
    if (group.version < 0 || group.version > 2 || group.size > size)
        abort();
    int cpus = mm_quota_parse(text, size);
    if (cpus < 0 || cpus > 4096)
        abort();
    return 0;
}
