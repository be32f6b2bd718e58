/* test_serve_program.c - mmood serve as a process: signals, systemd's socket, the log, exit codes.
 */
#include "serve/fixture.h"
#include "serve/program.h"

#include "base/clock.h"
#include "base/file.h"

#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

typedef struct client {
    int port;
    atomic_int *answered, *wrong;
    const atomic_int *stop;
} client;

static void *client_main(void *argument) {
    client *c = argument;
    while (!atomic_load(c->stop)) {
        answer a = fixture_post(c->port, "/v1/detect", NULL, fixture_pictures[0], fixture_sizes[0]);
        if (a.status == 200)
            atomic_fetch_add(c->answered, 1);
        else if (a.connected)
            atomic_fetch_add(c->wrong, 1);
        int gone = !a.connected;
        answer_free(&a);
        if (gone)
            break;
    }
    return NULL;
}

static void test_term_under_load(void **state) {
    enum { CLIENTS = 8 };
    pthread_t threads[CLIENTS];
    client clients[CLIENTS];
    atomic_int answered = 0, wrong = 0, stop = 0;
    process p = program_start(NULL);
    (void)state;
    for (int i = 0; i < CLIENTS; i++) {
        clients[i] = (client){p.port, &answered, &wrong, &stop};
        assert_int_equal(pthread_create(&threads[i], NULL, client_main, &clients[i]), 0);
    }
    while (atomic_load(&answered) < 60)
        poll(NULL, 0, 2);
    kill(p.id, SIGHUP);
    assert_true(program_wait_for(&p, "the detectors are up to date"));
    kill(p.id, SIGTERM);
    for (int i = 0; i < CLIENTS; i++)
        pthread_join(threads[i], NULL);
    assert_int_equal(program_finish(&p), 0);
    assert_int_equal(atomic_load(&wrong), 0);
}

/* A request that never ends: the timeout, and a second signal, end the program all the same. */
static void test_term_twice(void **state) {
    static const char half[] = "POST /v1/detect HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\nx";
    const char *const short_end[] = {"--shutdown-timeout", "0.3", NULL};
    (void)state;
    for (int twice = 0; twice < 2; twice++) {
        process p = program_start(twice ? NULL : short_end);
        int s = client_connect(p.port);
        client_send(s, half, sizeof half - 1);
        poll(NULL, 0, 50);
        double begun = mm_now();
        kill(p.id, SIGTERM);
        assert_true(program_wait_for(&p, "finishing 1 requests"));
        if (twice)
            kill(p.id, SIGINT);
        assert_int_equal(program_finish(&p), 1);
        assert_true(mm_now() - begun < 5);
        assert_non_null(strstr(p.said, twice ? "second signal" : "--shutdown-timeout"));
        close(s);
    }
}

/* A second signal harms no one where nothing is under way: timeout(1) sends two. */
static void test_term_twice_idle(void **state) {
    (void)state;
    process p = program_start(NULL);
    kill(p.id, SIGTERM);
    assert_true(program_wait_for(&p, "finishing 0 requests"));
    kill(p.id, SIGTERM);
    assert_int_equal(program_finish(&p), 0);
}

static void test_reload_and_systemd(void **state) {
    char path[128], state_text[256] = "";
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    mmood_error error;
    (void)state;
    snprintf(path, sizeof path, "%s.socket", fixture_first_path);
    memcpy(address.sun_path, path, strlen(path) + 1);
    int s = socket(AF_UNIX, SOCK_DGRAM, 0);
    assert_int_equal(bind(s, (struct sockaddr *)&address, sizeof address), 0);
    setenv("NOTIFY_SOCKET", path, 1);
    const char *const more[] = {fixture_second_path, NULL};
    process p = program_start(more);
    unsetenv("NOTIFY_SOCKET");
    assert_true(recv(s, state_text, sizeof state_text - 1, 0) > 0);
    assert_string_equal(state_text, "READY=1");
    assert_ok(mm_file_write(fixture_second_path, "damaged", 7, &error), error);
    kill(p.id, SIGHUP);
    assert_true(program_wait_for(&p, "1 detectors could not be replaced"));
    fixture_write_detector(fixture_second_path, "red\nblue\n", "green\nblack\n");
    answer a =
        fixture_post(p.port, "/v1/detect/second", NULL, fixture_pictures[1], fixture_sizes[1]);
    assert_int_equal(a.status, 200);
    answer_free(&a);
    kill(p.id, SIGTERM);
    assert_int_equal(program_finish(&p), 0);
    close(s);
    unlink(path);
}

static void test_wrong_usage(void **state) {
    static const char *const cases[][5] = {
        {"2", "--batch", "0", "--batch: 0 is not from 1"},
        {"2", "--max-items", "300", "never fit a queue of 256"},
        {"2", "--listen", "nowhere", "no address to listen at"},
        {"2", "--batch-wait", "x", "--batch-wait"},
        {"1", "--token-file", "/does/not/exist", "/does/not/exist"},
        {"1", "--model", "golden/p8-mixed", "model"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const char *const more[] = {cases[i][1], cases[i][2], NULL};
        process p = program_run(more);
        int code = program_finish(&p);
        if (code != atoi(cases[i][0]) || !strstr(p.said, cases[i][3]))
            fail_msg("%s %s: code %d, \"%s\"", cases[i][1], cases[i][2], code, p.said);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_term_under_load), cmocka_unit_test(test_term_twice),
        cmocka_unit_test(test_term_twice_idle), cmocka_unit_test(test_reload_and_systemd),
        cmocka_unit_test(test_wrong_usage),
    };
    return cmocka_run_group_tests(tests, fixture_setup, fixture_teardown);
}
