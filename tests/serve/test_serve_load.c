/* test_serve_load.c - many clients at a time: the same answers as alone, ending and reloading under
 * load. */
#include "serve/fixture.h"

#include "base/clock.h"
#include "base/file.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* ---- Many clients -------------------------------------------------------------------------- */

enum { REQUESTS = FIXTURE_PICTURES + 1 }; /* the last is a form of all pictures */

typedef struct crowd {
    int port;
    int rounds;
    char *expected[2][REQUESTS]; /* the answer of a request alone, by detector */
    char *other[REQUESTS];       /* the same of the second detector after a reload, or NULL */
    atomic_int answered, wrong, refused;
    atomic_int others; /* answered by the second detector as it is after a reload */
    atomic_int lost;   /* connected, and nothing came back */
} crowd;

typedef struct member {
    crowd *all;
    unsigned seed;
} member;

static const char *const detect_paths[] = {"/v1/detect/first?top=5",
                                           "/v1/detect/second?scores=mcm"};

static answer ask(int port, size_t detector, size_t which) {
    if (which < FIXTURE_PICTURES)
        return fixture_post(port, detect_paths[detector], NULL, fixture_pictures[which],
                            fixture_sizes[which]);
    mm_buffer form = fixture_form_of_all();
    answer a = fixture_post(port, detect_paths[detector], FORM, form.data, form.size);
    mm_buffer_free(&form);
    return a;
}

static void *member_main(void *argument) {
    member *m = argument;
    crowd *all = m->all;
    for (int i = 0; i < all->rounds; i++) {
        m->seed = m->seed * 1664525u + 1013904223u;
        size_t which = (m->seed >> 16) % REQUESTS, detector = (m->seed >> 8) % 2;
        const char *other = detector ? all->other[which] : NULL;
        answer a = ask(all->port, detector, which);
        int gone = !a.connected;
        if (a.status == 0)
            atomic_fetch_add(gone ? &all->refused : &all->lost, 1);
        else if (a.status == 200 && strcmp(a.body, all->expected[detector][which]) == 0)
            atomic_fetch_add(&all->answered, 1);
        else if (a.status == 200 && other && strcmp(a.body, other) == 0)
            atomic_fetch_add(&all->others, 1);
        else
            atomic_fetch_add(&all->wrong, 1);
        answer_free(&a);
        if (gone)
            break;
    }
    return NULL;
}

static char *expected_answer(int port, size_t detector, size_t which) {
    answer a = ask(port, detector, which);
    assert_int_equal(a.status, 200);
    char *body = strdup(a.body);
    answer_free(&a);
    return body;
}

static void crowd_expect(crowd *all) {
    for (size_t d = 0; d < 2; d++)
        for (size_t i = 0; i < REQUESTS; i++)
            all->expected[d][i] = expected_answer(all->port, d, i);
}

static void crowd_free(crowd *all) {
    for (size_t i = 0; i < REQUESTS; i++) {
        free(all->expected[0][i]);
        free(all->expected[1][i]);
        free(all->other[i]);
    }
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

/* Ending under load: every client that could connect gets its right answer, be its connection
 * accepted already or not, which it waits for where there is room for few at a time. */
static void end_under_load(size_t connections) {
    crowd all = {.rounds = 60};
    pthread_t threads[MEMBERS];
    member members[MEMBERS];
    mm_server_options options = fixture_small_options();
    options.connections = connections;
    mm_server *server = fixture_start(&options, &all.port);
    crowd_expect(&all);
    crowd_start(&all, threads, members);
    while (atomic_load(&all.answered) < MEMBERS * 2)
        poll(NULL, 0, 1);
    mm_server_drain(server);
    while (!mm_server_is_drained(server)) {
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

static void test_drain(void **state) {
    (void)state;
    end_under_load(512);
    end_under_load(6);
}

/* A connection that begins after the signal does not become complete while the port is still open,
 * which any user's server must be able to see to; a request on it might be lost. */
static void test_no_new_connection(void **state) {
#ifdef __linux__
    int port;
    mm_server_options options = fixture_small_options();
    mm_server *server = fixture_start(&options, &port);
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    (void)state;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    fixture_status_of(fixture_get(port, "/healthz"));
    mm_server_drain(server); /* without a tick, nothing is accepted or closed from here on */
    int s = socket(AF_INET, SOCK_STREAM, 0);
    assert_true(s >= 0);
    assert_int_equal(fcntl(s, F_SETFL, O_NONBLOCK), 0);
    assert_int_equal(connect(s, (struct sockaddr *)&address, sizeof address), -1);
    struct pollfd done = {.fd = s, .events = POLLOUT};
    assert_int_equal(poll(&done, 1, 100), 0);
    close(s);
    mm_server_free(server);
#else
    (void)state;
    skip();
#endif
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

/* As the fixture wrote it, or with other labels. */
static void write_second(int other) {
    if (other)
        fixture_write_detector(fixture_second_path, "yellow\nwhite\n", "pink\n");
    else
        fixture_write_detector(fixture_second_path, "red\nblue\n", "green\nblack\n");
}

/* Files that are as they were, or damaged, change nothing, whatever is under way. */
static void test_reload(void **state) {
    crowd all = {.rounds = 12};
    pthread_t threads[MEMBERS];
    member members[MEMBERS];
    mm_server_options options = fixture_small_options();
    mm_server *server = fixture_start(&options, &all.port);
    (void)state;
    crowd_expect(&all);
    crowd_start(&all, threads, members);
    assert_int_equal(mm_server_reload(server), 0);
    mmood_error error;
    assert_ok(mm_file_write(fixture_second_path, "damaged", 7, &error), error);
    assert_int_equal(mm_server_reload(server), 1);
    crowd_join(threads);
    assert_int_equal(atomic_load(&all.answered), MEMBERS * 12);
    assert_non_null(
        strstr(fixture_log_lines.data, "\"event\":\"reload refused\",\"detector\":\"second\""));
    crowd_free(&all);
    mm_server_free(server);
    write_second(0);
}

static int finished(crowd *all) {
    return atomic_load(&all->answered) + atomic_load(&all->others) + atomic_load(&all->wrong) +
           atomic_load(&all->refused) + atomic_load(&all->lost);
}

/* The second detector is replaced by another and back while 32 clients ask: each answer is wholly
 * of one of the two, and from the end of a reload on of the new one. */
static void test_replace(void **state) {
    crowd all = {.rounds = 40};
    pthread_t threads[MEMBERS];
    member members[MEMBERS];
    int port;
    mm_server_options options = fixture_small_options();
    mm_server *server = fixture_start(&options, &all.port);
    (void)state;
    crowd_expect(&all);
    write_second(1);
    mm_server *another = fixture_start(&options, &port);
    for (size_t i = 0; i < REQUESTS; i++) {
        all.other[i] = expected_answer(port, 1, i);
        assert_string_not_equal(all.other[i], all.expected[1][i]);
    }
    mm_server_free(another);
    crowd_start(&all, threads, members);
    for (int version = 1; finished(&all) < MEMBERS * 36; version = !version) {
        write_second(version);
        assert_int_equal(mm_server_reload(server), 0);
        for (size_t i = 0; i < REQUESTS; i += FIXTURE_PICTURES) {
            char *now = expected_answer(all.port, 1, i);
            assert_string_equal(now, version ? all.other[i] : all.expected[1][i]);
            free(now);
        }
    }
    crowd_join(threads);
    assert_int_equal(atomic_load(&all.wrong), 0);
    assert_int_equal(atomic_load(&all.answered) + atomic_load(&all.others), MEMBERS * 40);
    assert_true(atomic_load(&all.others) > MEMBERS);
    crowd_free(&all);
    mm_server_free(server);
    write_second(0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_parallel),
        cmocka_unit_test(test_drain),
        cmocka_unit_test(test_no_new_connection),
        cmocka_unit_test(test_force),
        cmocka_unit_test(test_reload),
        cmocka_unit_test(test_replace),
    };
    return cmocka_run_group_tests(tests, fixture_setup, fixture_teardown);
}
