/* test_cpus.c - CPUs of this process: what control groups say, in folders made up like /proc and
 * /sys, and affinity. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE /* sched_setaffinity */
#endif
#include "test.h"

#include "base/cpus.h"
#include "base/file.h"

#include <ftw.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* A folder that stands for /. */
typedef struct machine {
    char root[64];
} machine;

static machine machine_make(const char *groups) {
    machine m = {.root = "/tmp/mmood-cpus-XXXXXX"};
    char path[256];
    assert_non_null(mkdtemp(m.root));
    snprintf(path, sizeof path, "%s/proc/self", m.root);
    assert_int_equal(mm_directory_make(path, NULL), MMOOD_OK);
    snprintf(path, sizeof path, "%s/proc/self/cgroup", m.root);
    assert_int_equal(mm_file_write(path, groups, strlen(groups), NULL), MMOOD_OK);
    return m;
}

/* Writes a file of a group below /sys/fs/cgroup. */
static void put(const machine *m, const char *group, const char *name, const char *text) {
    char path[256];
    snprintf(path, sizeof path, "%s/sys/fs/cgroup/%s", m->root, group);
    assert_int_equal(mm_directory_make(path, NULL), MMOOD_OK);
    strcat(path, "/");
    strcat(path, name);
    assert_int_equal(mm_file_write(path, text, strlen(text), NULL), MMOOD_OK);
}

static int delete_one(const char *path, const struct stat *about, int kind, struct FTW *where) {
    (void)about, (void)kind, (void)where;
    return remove(path);
}

static void machine_free(const machine *m) {
    assert_int_equal(nftw(m->root, delete_one, 8, FTW_DEPTH | FTW_PHYS), 0);
}

static void test_groups(void **unused) {
    (void)unused;
    static const struct {
        const char *text, *path;
        int version;
    } cases[] = {
        {"0::/user.slice/a.scope\n", "/user.slice/a.scope", 2},
        {"0::/\n", "/", 2},
        {"0::/a", "/a", 2},
        {"4:cpu,cpuacct:/docker/12\n0::/\n", "/docker/12", 1},
        {"0::/x\n4:cpuacct,cpu:/y:z\n", "/y:z", 1},
        {"2:cpuacct:/x\n1:cpu:/y\n0::/z\n", "/y", 1},
        {"2:cpuset:/x\n1:name=systemd:/y\n", "", 0},
        {"0::/../other\n", "", 2},
        {"0::/..\n", "", 2},
        {"0::/..a/b..\n", "/..a/b..", 2},
        {"0::a\n", "", 2},
        {"0:cpuset:/a\n", "", 0},
        {"", "", 0},
        {":\n::\n0:\nnothing", "", 0},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        mm_cgroup group;
        mm_cgroup_parse(&group, cases[i].text, strlen(cases[i].text));
        assert_int_equal(group.version, cases[i].version);
        assert_int_equal(group.size, strlen(cases[i].path));
        assert_memory_equal(group.path, cases[i].path, group.size);
    }
}

static void test_quotas(void **unused) {
    (void)unused;
    static const struct {
        const char *text;
        int cpus;
    } cases[] = {
        {"max 100000\n", 0},
        {"200000 100000\n", 2},
        {"200001 100000\n", 3},
        {"50000 100000\n", 1},
        {"200000 100000 5\n", 2},
        {"-1\n100000\n", 0},
        {"400000\n100000\n", 4},
        {"100000 0\n", 0},
        {"0 100000\n", 0},
        {"100000", 0},
        {"100000 ", 0},
        {"100000\t100000", 0},
        {"1x 1", 0},
        {"1 1x", 0},
        {"999999999999999999 1", 4096},
        {"1000000000000000000 1", 0},
        {"", 0},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        assert_int_equal(mm_quota_parse(cases[i].text, strlen(cases[i].text)), cases[i].cpus);
}

/* The smallest quota counts, wherever it stands. */
static void test_version_2(void **unused) {
    (void)unused;
    machine m = machine_make("0::/job.slice/step/task\n");
    assert_int_equal(mm_cgroup_cpus(m.root), 0);
    put(&m, "job.slice/step/task", "cpu.max", "max 100000\n");
    assert_int_equal(mm_cgroup_cpus(m.root), 0);
    put(&m, "job.slice", "cpu.max", "1600000 100000\n");
    assert_int_equal(mm_cgroup_cpus(m.root), 16);
    put(&m, "job.slice/step/task", "cpu.max", "350000 100000\n");
    assert_int_equal(mm_cgroup_cpus(m.root), 4);
    put(&m, "", "cpu.max", "200000 100000\n");
    assert_int_equal(mm_cgroup_cpus(m.root), 2);
    put(&m, "job.slice/other", "cpu.max", "100000 100000\n"); /* not around the process */
    put(&m, "cpu/job.slice", "cpu.cfs_quota_us", "100000\n"); /* not the version in use */
    put(&m, "cpu/job.slice", "cpu.cfs_period_us", "100000\n");
    assert_int_equal(mm_cgroup_cpus(m.root), 2);
    machine_free(&m);
}

static void test_version_1(void **unused) {
    (void)unused;
    machine m = machine_make("3:cpu,cpuacct:/batch/7\n0::/batch\n");
    put(&m, "cpu,cpuacct/batch/7", "cpu.cfs_quota_us", "-1\n");
    put(&m, "cpu,cpuacct/batch/7", "cpu.cfs_period_us", "100000\n");
    assert_int_equal(mm_cgroup_cpus(m.root), 0);
    put(&m, "cpu,cpuacct/batch", "cpu.cfs_quota_us", "250000\n");
    assert_int_equal(mm_cgroup_cpus(m.root), 0); /* half written: no period */
    put(&m, "cpu,cpuacct/batch", "cpu.cfs_period_us", "50000\n");
    assert_int_equal(mm_cgroup_cpus(m.root), 5);
    machine_free(&m);
}

/* In a container the kernel may name a path that is not there: its own group is the root. */
static void test_path_not_visible(void **unused) {
    (void)unused;
    static const char *const groups[] = {"0::/docker/0123\n", "0::/../../pod/0123\n", "0::/\n", ""};
    for (size_t i = 0; i < sizeof groups / sizeof *groups; i++) {
        machine m = machine_make(groups[i]);
        put(&m, "", "cpu.max", "300000 100000\n");
        assert_int_equal(mm_cgroup_cpus(m.root), 3);
        machine_free(&m);
    }
    machine m = machine_make("4:cpu:/docker/0123\n");
    put(&m, "cpu", "cpu.cfs_quota_us", "300000\n");
    put(&m, "cpu", "cpu.cfs_period_us", "100000\n");
    assert_int_equal(mm_cgroup_cpus(m.root), 3);
    machine_free(&m);
    assert_int_equal(mm_cgroup_cpus("/nonexistent"), 0);
}

/* A process that may use one CPU has one. */
static void test_affinity(void **unused) {
    (void)unused;
    cpu_set_t all, one;
    assert_true(mm_cpu_count() >= 1);
    if (sched_getaffinity(0, sizeof all, &all) != 0) /* more than 1,024 CPUs */
        skip();
    assert_true(mm_cpu_count() <= CPU_COUNT(&all));
    CPU_ZERO(&one);
    for (size_t cpu = 0; cpu < CPU_SETSIZE && CPU_COUNT(&one) == 0; cpu++) {
        if (CPU_ISSET(cpu, &all))
            CPU_SET(cpu, &one);
    }
    assert_int_equal(sched_setaffinity(0, sizeof one, &one), 0);
    assert_int_equal(mm_cpu_count(), 1);
    assert_int_equal(sched_setaffinity(0, sizeof all, &all), 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_groups),           cmocka_unit_test(test_quotas),
        cmocka_unit_test(test_version_2),        cmocka_unit_test(test_version_1),
        cmocka_unit_test(test_path_not_visible), cmocka_unit_test(test_affinity),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
