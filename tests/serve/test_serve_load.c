/* test_serve_load.c - many clients at a time: the same answers as alone, ending and reloading under
 * load, memory. */
#include "serve/fixture.h"

#include "base/clock.h"
#include "base/file.h"

#include <dirent.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* ---- Many clients -------------------------------------------------------------------------- */

typedef struct crowd {
    int port;
    int rounds;
    char *expected[2][FIXTURE_PICTURES]; /* the answer of a request alone, by detector */
    atomic_int answered, wrong, refused;
    atomic_int lost; /* connected, and nothing came back */
} crowd;

typedef struct member {
    crowd *all;
    unsigned seed;
} member;

static const char *const detect_paths[] = {"/v1/detect/first?top=5",
                                           "/v1/detect/second?scores=mcm"};

static void *member_main(void *argument) {
    member *m = argument;
    crowd *all = m->all;
    for (int i = 0; i < all->rounds; i++) {
        m->seed = m->seed * 1664525u + 1013904223u;
        size_t which = (m->seed >> 16) % FIXTURE_PICTURES, detector = (m->seed >> 8) % 2;
        answer a = fixture_post(all->port, detect_paths[detector], NULL, fixture_pictures[which],
                                fixture_sizes[which]);
        if (a.status == 0)
            atomic_fetch_add(a.connected ? &all->lost : &all->refused, 1);
        else if (a.status != 200 || strcmp(a.body, all->expected[detector][which]) != 0)
            atomic_fetch_add(&all->wrong, 1);
        else
            atomic_fetch_add(&all->answered, 1);
        answer_free(&a);
    }
    return NULL;
}

static void crowd_expect(crowd *all) {
    for (size_t d = 0; d < 2; d++)
        for (size_t i = 0; i < FIXTURE_PICTURES; i++) {
            answer a = fixture_post(all->port, detect_paths[d], NULL, fixture_pictures[i],
                                    fixture_sizes[i]);
            assert_int_equal(a.status, 200);
            all->expected[d][i] = strdup(a.body);
            answer_free(&a);
        }
}

static void crowd_free(crowd *all) {
    for (size_t d = 0; d < 2; d++)
        for (size_t i = 0; i < FIXTURE_PICTURES; i++)
            free(all->expected[d][i]);
}

enum { MEMBERS = 32 };

static void crowd_start(crowd *all, pthread_t *threads, member *members) {
    for (unsigned i = 0; i < MEMBERS; i++) {
        members[i] = (member){all, i * 7919};
        assert_int_equal(pthread_create(&threads[i], NULL, member_main, &members[i]), 0);
    }
}

static void crowd_join(pthread_t *threads) {
    for (int i = 0; i < MEMBERS; i++)
        pthread_join(threads[i], NULL);
}

static void test_parallel(void **state) {
    crowd all = {.rounds = 12};
    pthread_t threads[MEMBERS];
    member members[MEMBERS];
    mm_server_options options = fixture_small_options();
    mm_server *server = fixture_start(&options, &all.port);
    (void)state;
    crowd_expect(&all);
    crowd_start(&all, threads, members);
    crowd_join(threads);
    assert_int_equal(atomic_load(&all.answered), MEMBERS * 12);
    /* Batches did gather pictures of several clients. */
    answer a = fixture_get(all.port, "/metrics");
    const char *batches = strstr(a.body, "mmood_batch_pictures_count ");
    assert_non_null(batches);
    assert_true(atoi(strchr(batches, ' ') + 1) < MEMBERS * 12);
    assert_non_null(strstr(a.body, "mmood_verdicts_total{detector=\"first\""));
    answer_free(&a);
    crowd_free(&all);
    mm_server_free(server);
}

/* Ending under load: every client that could connect gets its right answer. */
static void test_drain(void **state) {
    crowd all = {.rounds = 30};
    pthread_t threads[MEMBERS];
    member members[MEMBERS];
    mm_server_options options = fixture_small_options();
    mm_server *server = fixture_start(&options, &all.port);
    (void)state;
    crowd_expect(&all);
    crowd_start(&all, threads, members);
    while (atomic_load(&all.answered) < MEMBERS * 4)
        poll(NULL, 0, 1);
    mm_server_drain(server);
    while (mm_server_busy(server) > 0) {
        mm_server_tick(server);
        poll(NULL, 0, 2);
    }
    crowd_join(threads);
    assert_int_equal(atomic_load(&all.wrong), 0);
    assert_int_equal(atomic_load(&all.lost), 0);
    assert_true(atomic_load(&all.refused) > 0);
    crowd_free(&all);
    mm_server_free(server);
}

/* Ending at once: requests get an error, nothing hangs. */
static void test_force(void **state) {
    crowd all = {.rounds = 6};
    pthread_t threads[MEMBERS];
    member members[MEMBERS];
    mm_server_options options = fixture_small_options();
    mm_server *server = fixture_start(&options, &all.port);
    (void)state;
    crowd_expect(&all);
    crowd_start(&all, threads, members);
    double begun = mm_now();
    mm_server_free(server);
    assert_true(mm_now() - begun < 5);
    crowd_join(threads);
    crowd_free(&all);
}

static void test_reload(void **state) {
    crowd all = {.rounds = 12};
    pthread_t threads[MEMBERS];
    member members[MEMBERS];
    mm_server_options options = fixture_small_options();
    mm_server *server = fixture_start(&options, &all.port);
    (void)state;
    crowd_expect(&all);
    /* Files that are as they were, or damaged, change nothing, whatever is under way. */
    crowd_start(&all, threads, members);
    assert_int_equal(mm_server_reload(server), 0);
    mmood_error error;
    assert_ok(mm_file_write(fixture_second_path, "damaged", 7, &error), error);
    assert_int_equal(mm_server_reload(server), 1);
    crowd_join(threads);
    assert_int_equal(atomic_load(&all.answered), MEMBERS * 12);
    assert_non_null(
        strstr(fixture_log_lines.data, "\"event\":\"reload refused\",\"detector\":\"second\""));
    /* Under way while detectors are replaced by others: each answer is of one of them. */
    fixture_write_detector(fixture_second_path, "yellow\nwhite\n", "pink\n");
    all.rounds = 30;
    atomic_store(&all.answered, 0);
    atomic_store(&all.wrong, 0);
    crowd_start(&all, threads, members);
    poll(NULL, 0, 20);
    assert_int_equal(mm_server_reload(server), 0);
    crowd_join(threads);
    assert_int_equal(atomic_load(&all.refused), 0);
    assert_int_equal(atomic_load(&all.answered) + atomic_load(&all.wrong), MEMBERS * 30);
    answer a = fixture_get(all.port, "/v1/detector/second");
    assert_non_null(strstr(a.body, "yellow"));
    answer_free(&a);
    a = fixture_post(all.port, "/v1/detect/second", NULL, fixture_pictures[0], fixture_sizes[0]);
    assert_non_null(strstr(a.body, "\"outlier\":\"pink\""));
    answer_free(&a);
    crowd_free(&all);
    mm_server_free(server);
    fixture_write_detector(fixture_second_path, "red\nblue\n", "green\nblack\n");
}

static long resident_kilobytes(void) {
    long pages = 0;
    FILE *file = fopen("/proc/self/statm", "r");
    if (!file || fscanf(file, "%*d %ld", &pages) != 1)
        pages = 0;
    if (file)
        fclose(file);
    return pages * (sysconf(_SC_PAGESIZE) / 1024);
}

static int open_files(void) {
    int count = 0;
    DIR *directory = opendir("/proc/self/fd");
    assert_non_null(directory);
    while (readdir(directory))
        count++;
    closedir(directory);
    return count;
}

static void mixed_requests(int port, int count, const mm_buffer *form, const mm_buffer *json) {
    for (int i = 0; i < count; i++) {
        size_t which = (size_t)i % FIXTURE_PICTURES;
        switch (i % 5) {
        case 0:
            assert_int_equal(
                fixture_status_of(fixture_post(port, "/v1/detect", FORM, form->data, form->size)),
                200);
            break;
        case 1:
            assert_int_equal(fixture_status_of(fixture_post(port, "/v1/detect/second?scores=all",
                                                            JSON, json->data, json->size)),
                             200);
            break;
        case 2:
            assert_int_equal(
                fixture_status_of(fixture_post(port, "/v1/detect", JSON, "{\"x\":[[[", 8)), 400);
            break;
        case 3:
            assert_int_equal(
                fixture_status_of(fixture_post(port, "/v1/detect", NULL, fixture_pictures[which],
                                               fixture_sizes[which] / 2)),
                422);
            break;
        default:
            assert_int_equal(
                fixture_status_of(fixture_post(port, "/v1/detect", NULL, fixture_pictures[which],
                                               fixture_sizes[which])),
                200);
        }
    }
}

static void test_memory(void **state) {
    int port;
    mm_server_options options = fixture_small_options();
    options.log = NULL;
    mm_server *server = fixture_start(&options, &port);
    mm_buffer form = fixture_form_of_all(), json = fixture_json_of_all();
    (void)state;
    mixed_requests(port, 100, &form, &json);
    long before = resident_kilobytes();
    int files = open_files();
    mixed_requests(port, 400, &form, &json);
    assert_true(open_files() <= files + 2); /* one of the last may still be closing */
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
    assert_true(resident_kilobytes() - before < 20480);
#else
    (void)before;
#endif
    mm_buffer_free(&form);
    mm_buffer_free(&json);
    mm_server_free(server);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_parallel), cmocka_unit_test(test_drain),
        cmocka_unit_test(test_force),    cmocka_unit_test(test_reload),
        cmocka_unit_test(test_memory),
    };
    return cmocka_run_group_tests(tests, fixture_setup, fixture_teardown);
}
