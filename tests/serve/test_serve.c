/* test_serve.c - the server on free ports of this machine: routes, formats, limits, slow clients,
 * streams. */
#include "serve/fixture.h"

#include "base/clock.h"
#include "base/file.h"

#include <jansson.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static json_t *parsed(const answer *a) {
    json_error_t error;
    json_t *root = json_loadb(a->body, a->body_size, 0, &error);
    if (!root)
        fail_msg("%s: %s", error.text, a->body);
    return root;
}

static json_t *row_of(json_t *root, size_t i) {
    return json_array_get(json_object_get(root, "results"), i);
}

/* ---- Tests --------------------------------------------------------------------------------- */

static void test_routes(void **state) {
    static const struct {
        const char *method, *path;
        int status;
        const char *says;
    } cases[] = {{"GET", "/", 200, "<title>"},
                 {"GET", "/healthz", 200, "ok"},
                 {"GET", "/readyz", 200, "ready"},
                 {"GET", "/readyz", 200, "ready"},
                 {"HEAD", "/readyz", 200, ""},
                 {"GET", "/openapi.json", 200, "{"},
                 {"GET", "/metrics", 200, "mmood_queue_pictures 0"},
                 {"GET", "/v1/detectors", 200, "\"second\""},
                 {"GET", "/v1/detector", 200, "\"label\":\"dog\",\"kind\":\"id\""},
                 {"GET", "/v1/detector/second", 200, "\"name\":\"second\""},
                 {"GET", "/v1/stats/second", 200, "\"ood_rate\":null"},
                 {"GET", "/v1/detector/third", 404, "no detector with that name"},
                 {"GET", "/v1/detect", 405, "POST"},
                 {"DELETE", "/v1/detect", 405, "POST"},
                 {"POST", "/healthz", 405, "GET"},
                 {"GET", "/v1", 404, "error"},
                 {"GET", "/../etc/passwd", 404, "error"},
                 {"POST", "/v1/detect/third", 404, "no detector with that name"}};
    int port;
    mm_server_options options = fixture_small_options();
    mm_server *server = fixture_start(&options, &port);
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        answer a = client_request(port, cases[i].method, cases[i].path, NULL, NULL, 0);
        if (a.status != cases[i].status || !strstr(a.body, cases[i].says))
            fail_msg("%s %s: %d %s", cases[i].method, cases[i].path, a.status, a.body);
        answer_free(&a);
    }
    mm_server_free(server);
}

/* The same numbers by every way, and those of the library. */
static void test_formats_agree(void **state) {
    int port;
    mm_server_options options = fixture_small_options();
    mm_server *server = fixture_start(&options, &port);
    mm_buffer form = fixture_form_of_all(), json = fixture_json_of_all();
    (void)state;
    answer a = fixture_post(port, "/v1/detect?top=2&scores=all", FORM, form.data, form.size);
    answer b = fixture_post(port, "/v1/detect?top=2&scores=all", JSON, json.data, json.size);
    assert_int_equal(a.status, 200);
    assert_int_equal(b.status, 200);
    json_t *forms = parsed(&a), *jsons = parsed(&b);
    assert_int_equal(json_array_size(json_object_get(forms, "results")), FIXTURE_PICTURES + 1);
    assert_int_equal(json_array_size(json_object_get(jsons, "results")), FIXTURE_PICTURES);
    for (size_t i = 0; i < FIXTURE_PICTURES; i++) {
        answer c = fixture_post(port, "/v1/detect?top=2&scores=all", NULL, fixture_pictures[i],
                                fixture_sizes[i]);
        json_t *single = parsed(&c), *row = row_of(single, 0);
        assert_true(json_equal(row_of(forms, i), row_of(jsons, i)));
        assert_true(json_is_null(json_object_get(row, "path")));
        json_object_set_new(row, "path", json_string("x"));
        json_object_set_new(row, "index", json_integer((json_int_t)i));
        assert_true(json_equal(row, row_of(jsons, i)));
        assert_int_equal(json_array_size(json_object_get(row, "top")), 2);
        json_decref(single);
        answer_free(&c);
    }
    json_t *bad = row_of(forms, FIXTURE_PICTURES);
    assert_true(json_is_null(json_object_get(bad, "verdict")));
    assert_non_null(strstr(json_string_value(json_object_get(bad, "error")), "no picture"));
    json_decref(forms);
    json_decref(jsons);
    answer_free(&a);
    answer_free(&b);
    mm_buffer_free(&form);
    mm_buffer_free(&json);
    mm_server_free(server);
}

static void test_embeddings_and_library(void **state) {
    mmood_image *image;
    mmood_session *session;
    mmood_detector *detector;
    mmood_model_info info;
    mmood_verdict verdict;
    mmood_error error;
    float embedding[64];
    double cosines[16];
    int port;
    mm_server_options options = fixture_small_options();
    mm_server *server = fixture_start(&options, &port);
    (void)state;
    mmood_model_describe(fixture_model, &info);
    size_t n = (size_t)info.preprocess.crop_width * (size_t)info.preprocess.crop_height * 3;
    uint8_t *crop = malloc(n);
    const uint8_t *crops[] = {crop};
    assert_ok(mmood_image_decode(&image, fixture_pictures[0], fixture_sizes[0], NULL, &error),
              error);
    assert_ok(mmood_image_preprocess(crop, n, image, &info.preprocess, &error), error);
    assert_ok(mmood_session_create(&session, fixture_model, NULL, &error), error);
    assert_ok(mmood_session_embed_images(embedding, session, crops, 1, &error), error);
    assert_ok(mmood_detector_open(&detector, fixture_second_path, &error), error);
    assert_ok(mmood_detector_cosines(cosines, detector, embedding, &error), error);
    assert_ok(mmood_detector_judge(&verdict, detector, cosines, NULL, &error), error);

    mm_buffer body = {0};
    mm_buffer_puts(&body, "{\"scores\":\"all\",\"embeddings\":[[");
    for (int i = 0; i < info.dimension; i++)
        mm_buffer_printf(&body, "%s%.9g", i ? "," : "", (double)embedding[i]);
    mm_buffer_puts(&body, "]]}");
    answer a = fixture_post(port, "/v1/detect/second", JSON, body.data, body.size);
    answer b = fixture_post(port, "/v1/detect/second?scores=all", NULL, fixture_pictures[0],
                            fixture_sizes[0]);
    json_t *ready = parsed(&a), *raw = parsed(&b);
    assert_string_equal(json_string_value(json_object_get(ready, "detector")), "second");
    assert_float_equal(json_number_value(json_object_get(row_of(raw, 0), "score")), verdict.score,
                       1e-8);
    assert_string_equal(json_string_value(json_object_get(row_of(raw, 0), "verdict")),
                        verdict.is_id ? "id" : "ood");
    /* A ready embedding has no patches: gl-mcm is null, the rest is the same. */
    json_t *scores = json_object_get(row_of(raw, 0), "scores");
    assert_true(json_is_real(json_object_get(scores, "gl-mcm")));
    json_object_set_new(scores, "gl-mcm", json_null());
    assert_true(json_equal(row_of(ready, 0), row_of(raw, 0)));
    json_decref(ready);
    json_decref(raw);
    answer_free(&a);
    answer_free(&b);
    mm_buffer_free(&body);
    free(crop);
    mmood_image_free(image);
    mmood_session_free(session);
    mmood_detector_free(detector);
    mm_server_free(server);
}

static void test_errors(void **state) {
    static const struct {
        const char *path, *headers, *body;
        int status;
        const char *says;
    } cases[] = {
        {"/v1/detect", NULL, "", 400, "is empty"},
        {"/v1/detect", NULL, "no picture", 422, "no picture"},
        {"/v1/detect", JSON, "{", 400, "not valid JSON"},
        {"/v1/detect", JSON, "{\"pictures\":[1,2,3,4,5,6,7,8,9]}", 413, "more than 8 pictures"},
        {"/v1/detect", JSON, "{\"pictures\":[\"\"]}", 422, "base64 text is empty"},
        {"/v1/detect", FORM, "x", 400, "boundary"},
        {"/v1/detect?top=x", NULL, "x", 400, "top is"},
        {"/v1/detect?tip=1", NULL, "x", 400, "no option"},
        {"/v1/detect?scores=best", NULL, "x", 400, "best"},
        {"/v1/detect?scores=mcm,mcm", NULL, "x", 400, "twice"},
        {"/v1/detect", "Content-Encoding: gzip\r\n", "x", 415, "Content-Encoding"},
        {"/v1/detect", JSON, "{\"url\":\"http://x\"}", 400, "no member"},
    };
    int port;
    mm_server_options options = fixture_small_options();
    mm_server *server = fixture_start(&options, &port);
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        answer a = fixture_post(port, cases[i].path, cases[i].headers, cases[i].body,
                                strlen(cases[i].body));
        if (a.status != cases[i].status || !strstr(a.body, cases[i].says))
            fail_msg("case %zu: %d %s", i, a.status, a.body);
        answer_free(&a);
    }
    assert_int_equal(fixture_status_of(fixture_post(port, "/v1/detect", NULL, fixture_pictures[0],
                                                    fixture_sizes[0])),
                     200);
    mm_server_free(server);
}

/* What is sent as it is; the status of the answer. */
static int status_of_raw(int port, const char *text) {
    int s = client_connect(port);
    client_send(s, text, strlen(text));
    return fixture_status_of(client_receive(s, 5));
}

static void test_sizes(void **state) {
    int port;
    mm_server_options options = fixture_small_options();
    mm_server *server = fixture_start(&options, &port);
    size_t size = (3 << 20) / 2;
    char *big = calloc(1, size), head[256];
    (void)state;
    /* before a byte of the body */
    assert_int_equal(status_of_raw(port, "POST /v1/detect HTTP/1.1\r\nHost: a\r\nContent-Length: "
                                         "3000000\r\nExpect: 100-continue\r\n\r\n"),
                     413);
    assert_int_equal(status_of_raw(port, "POST /v1/detect HTTP/1.1\r\nHost: a\r\nContent-Length: "
                                         "99999999999\r\n\r\n"),
                     413);
    assert_int_equal(fixture_status_of(fixture_post(port, "/v1/detect", NULL, big, size)), 413);
    /* chunked and too long, chunked and good, with Expect and good */
    int s = client_connect(port);
    int n = snprintf(head, sizeof head,
                     "POST /v1/detect HTTP/1.1\r\nHost: a\r\nConnection: close\r\n"
                     "Transfer-Encoding: chunked\r\n\r\n%zx\r\n",
                     size);
    assert_true(client_send(s, head, (size_t)n) && client_send(s, big, size) &&
                client_send(s, "\r\n0\r\n\r\n", 7));
    assert_int_equal(fixture_status_of(client_receive(s, 5)), 413);
    s = client_connect(port);
    n = snprintf(head, sizeof head,
                 "POST /v1/detect HTTP/1.1\r\nHost: a\r\nConnection: close\r\n"
                 "Transfer-Encoding: chunked\r\n\r\n10\r\n");
    assert_true(client_send(s, head, (size_t)n) && client_send(s, fixture_pictures[0], 16));
    n = snprintf(head, sizeof head, "\r\n%zx\r\n", fixture_sizes[0] - 16);
    assert_true(client_send(s, head, (size_t)n) &&
                client_send(s, fixture_pictures[0] + 16, fixture_sizes[0] - 16) &&
                client_send(s, "\r\n0\r\n\r\n", 7));
    assert_int_equal(fixture_status_of(client_receive(s, 5)), 200);
    assert_int_equal(fixture_status_of(fixture_post(port, "/v1/detect", "Expect: 100-continue\r\n",
                                                    fixture_pictures[0], fixture_sizes[0])),
                     200);
    assert_int_equal(
        status_of_raw(port, "POST /v1/detect HTTP/1.1\r\nHost: a\r\nContent-Length: 12x\r\n\r\n"),
        400);
    assert_int_equal(
        status_of_raw(port, "POST /v1/detect HTTP/1.1\r\nHost: a\r\nContent-Length: -1\r\n\r\n"),
        400);
    free(big);
    mm_server_free(server);
}

/* 3 MB of JSON from a client that sends none of it before the server has said that it may. */
static void test_expect(void **state) {
    static const char proceed[] = "HTTP/1.1 100 Continue\r\n\r\n";
    enum { SIZE = 3000000 };
    int port;
    char head[256], reply[sizeof proceed] = "";
    mm_server_options options = fixture_small_options();
    mm_buffer json = fixture_json_of_all();
    char *body = malloc(SIZE);
    (void)state;
    options.body_limit = 4 << 20;
    mm_server *server = fixture_start(&options, &port);
    assert_non_null(body);
    memset(body, ' ', SIZE);
    memcpy(body + SIZE - json.size, json.data, json.size);
    int s = client_connect(port);
    int n = snprintf(head, sizeof head,
                     "POST /v1/detect HTTP/1.1\r\nHost: a\r\nConnection: close\r\n" JSON
                     "Content-Length: %d\r\nExpect: 100-continue\r\n\r\n",
                     SIZE);
    assert_true(client_send(s, head, (size_t)n));
    assert_int_equal(recv(s, reply, sizeof proceed - 1, MSG_WAITALL), sizeof proceed - 1);
    assert_string_equal(reply, proceed);
    assert_true(client_send(s, body, SIZE));
    assert_int_equal(fixture_status_of(client_receive(s, 30)), 200);
    free(body);
    mm_buffer_free(&json);
    mm_server_free(server);
}

static void test_token(void **state) {
    int port;
    mm_server_options options = fixture_small_options();
    options.token = "secret";
    mm_server *server = fixture_start(&options, &port);
    (void)state;
    assert_int_equal(fixture_status_of(fixture_post(port, "/v1/detect", NULL, fixture_pictures[0],
                                                    fixture_sizes[0])),
                     401);
    assert_int_equal(
        fixture_status_of(fixture_post(port, "/v1/detect", "Authorization: Bearer secrets\r\n",
                                       fixture_pictures[0], fixture_sizes[0])),
        401);
    assert_int_equal(
        fixture_status_of(fixture_post(port, "/v1/detect", "Authorization: Basic secret\r\n",
                                       fixture_pictures[0], fixture_sizes[0])),
        401);
    assert_int_equal(
        fixture_status_of(fixture_post(port, "/v1/detect", "Authorization: bearer secret\r\n",
                                       fixture_pictures[0], fixture_sizes[0])),
        200);
    assert_int_equal(fixture_status_of(fixture_get(port, "/metrics")), 401);
    assert_int_equal(fixture_status_of(fixture_get(port, "/healthz")), 200);
    mm_server_free(server);
}

/* A full queue and a deadline that has passed. */
static void test_busy(void **state) {
    int port;
    mm_server_options options = fixture_small_options();
    mm_buffer form = fixture_form_of_all();
    (void)state;
    options.crew.queue = 3;
    mm_server *server = fixture_start(&options, &port);
    answer a = fixture_post(port, "/v1/detect", FORM, form.data, form.size);
    assert_int_equal(a.status, 503);
    assert_non_null(strstr(a.head, "Retry-After: 1"));
    answer_free(&a);
    assert_int_equal(fixture_status_of(fixture_post(port, "/v1/detect", NULL, fixture_pictures[0],
                                                    fixture_sizes[0])),
                     200);
    mm_server_free(server);
    options = fixture_small_options();
    options.deadline = 1e-9;
    server = fixture_start(&options, &port);
    assert_int_equal(
        fixture_status_of(fixture_post(port, "/v1/detect", FORM, form.data, form.size)), 504);
    mm_server_free(server);
    mm_buffer_free(&form);
}

/* A picture that is alone does not wait for others as long as it might. */
static void test_lull(void **state) {
    int port;
    mm_server_options options = fixture_small_options();
    (void)state;
    options.crew.wait = 8;
    mm_server *server = fixture_start(&options, &port);
    double begun = mm_now();
    assert_int_equal(fixture_status_of(fixture_post(port, "/v1/detect", NULL, fixture_pictures[0],
                                                    fixture_sizes[0])),
                     200);
    assert_true(mm_now() - begun < 6);
    mm_server_free(server);
}

static void test_slow_clients(void **state) {
    enum { SLOW = 24 };
    int port, sockets[SLOW];
    mm_server_options options = fixture_small_options();
    options.head_timeout = 0.3;
    options.body_timeout = 0.5;
    mm_server *server = fixture_start(&options, &port);
    static const char half[] =
        "POST /v1/detect HTTP/1.1\r\nHost: a\r\nContent-Length: 100\r\n\r\nx";
    (void)state;
    for (int i = 0; i < SLOW; i++) {
        sockets[i] = client_connect(port);
        client_send(sockets[i], half, i % 2 ? sizeof half - 1 : 20);
    }
    /* Before a tick ends any of them, others are answered. */
    assert_int_equal(fixture_status_of(fixture_post(port, "/v1/detect", NULL, fixture_pictures[0],
                                                    fixture_sizes[0])),
                     200);
    /* They go on sending now and then; it does not help them. */
    for (int round = 0; round < 8; round++) {
        for (int i = 0; i < SLOW; i++)
            client_send(sockets[i], "y", 1);
        poll(NULL, 0, 100);
        mm_server_tick(server);
    }
    for (int i = 0; i < SLOW; i++)
        assert_int_equal(fixture_status_of(client_receive(sockets[i], 2)), i % 2 ? 408 : 0);
    assert_int_equal(fixture_status_of(fixture_post(port, "/v1/detect", NULL, fixture_pictures[0],
                                                    fixture_sizes[0])),
                     200);
    mm_server_free(server);
}

/* ---- Streams -------------------------------------------------------------------- */

static void test_stream(void **state) {
    int port, seen = 0;
    mm_server_options options = fixture_small_options();
    mm_server *server = fixture_start(&options, &port);
    mm_buffer form = fixture_form_of_all();
    (void)state;
    answer a = fixture_post(port, "/v1/detect", FORM "Accept: application/x-ndjson\r\n", form.data,
                            form.size);
    assert_int_equal(a.status, 200);
    assert_non_null(strstr(a.head, "application/x-ndjson"));
    char *line_state = NULL;
    for (char *line = strtok_r(a.body, "\n", &line_state); line;
         line = strtok_r(NULL, "\n", &line_state)) {
        json_t *row = json_loads(line, 0, NULL);
        assert_non_null(row);
        seen |= 1 << json_integer_value(json_object_get(row, "index"));
        json_decref(row);
    }
    assert_int_equal(seen, (1 << (FIXTURE_PICTURES + 1)) - 1);
    answer_free(&a);
    /* Clients that go away in the middle harm nobody. */
    for (int i = 0; i < 10; i++) {
        char head[256];
        int s = client_connect(port);
        int n = snprintf(head, sizeof head,
                         "POST /v1/detect HTTP/1.1\r\nHost: a\r\n" FORM
                         "Accept: application/x-ndjson\r\nContent-Length: %zu\r\n\r\n",
                         form.size);
        client_send(s, head, (size_t)n);
        client_send(s, form.data, form.size);
        close(s);
    }
    assert_int_equal(fixture_status_of(fixture_post(port, "/v1/detect", NULL, fixture_pictures[0],
                                                    fixture_sizes[0])),
                     200);
    mm_buffer_free(&form);
    mm_server_free(server);
}

static void test_wrong_options(void **state) {
    static const char *const places[] = {"8080",
                                         "127.0.0.1",
                                         "127.0.0.1:x",
                                         "::1:80",
                                         "127.0.0.1:65536",
                                         "127.0.0.1:99999",
                                         "127.0.0.1:8x",
                                         "127.0.0.1:-1",
                                         "127.0.0.1:000080",
                                         "no.such.host.invalid:80"};
    mm_server *server;
    mmood_error error;
    (void)state;
    for (size_t i = 0; i < sizeof places / sizeof *places; i++) {
        mm_server_options options = fixture_small_options();
        options.listen = places[i];
        assert_int_equal(mm_server_create(&server, fixture_model, &options, &error),
                         MMOOD_ERROR_ARGUMENT);
        assert_null(server);
    }
    const char *const twice[] = {fixture_first_path, fixture_first_path};
    mm_server_options options = fixture_small_options();
    options.paths = twice;
    assert_int_equal(mm_server_create(&server, fixture_model, &options, &error),
                     MMOOD_ERROR_ARGUMENT);
    assert_non_null(strstr(error.message, "would both be served as \"first\""));
}

/* Clients that go away in the middle of what they send leave no connection behind. */
static void test_clients_that_leave(void **state) {
    static const char half[] =
        "POST /v1/detect HTTP/1.1\r\nHost: a\r\nContent-Length: 100\r\n\r\nx";
    int port;
    mm_server_options options = fixture_small_options();
    mm_server *server = fixture_start(&options, &port);
    (void)state;
    for (int i = 0; i < 40; i++) {
        int s = client_connect(port);
        client_send(s, half, i % 2 ? sizeof half - 1 : 20);
        close(s);
    }
    int alone = 0;
    for (int i = 0; i < 200 && !alone; i++) {
        poll(NULL, 0, 50);
        mm_server_tick(server);
        answer a = fixture_get(port, "/metrics");
        alone = strstr(a.body, "\nmmood_connections 1\n") != NULL;
        answer_free(&a);
    }
    assert_true(alone);
    /* A client that has sent all and closes its own end still gets its answer. */
    char head[256];
    int s = client_connect(port);
    int n = snprintf(head, sizeof head,
                     "POST /v1/detect HTTP/1.1\r\nHost: a\r\nContent-Length: %zu\r\n\r\n",
                     fixture_sizes[0]);
    assert_true(client_send(s, head, (size_t)n) &&
                client_send(s, fixture_pictures[0], fixture_sizes[0]));
    shutdown(s, SHUT_WR);
    assert_int_equal(fixture_status_of(client_receive(s, 5)), 200);
    mm_server_free(server);
}

/* Whether `text` has the metric that begins at `name`, as it is or as the part of a histogram. */
static int is_metric(const char *text, const char *name, size_t length) {
    static const char *const suffixes[] = {"", "_bucket", "_sum", "_count"};
    char line[160];
    for (size_t i = 0; i < 4; i++) {
        size_t n = strlen(suffixes[i]);
        if (length <= n || strncmp(name + length - n, suffixes[i], n) != 0)
            continue;
        snprintf(line, sizeof line, "# TYPE %.*s ", (int)(length - n), name);
        if (strstr(text, line))
            return 1;
    }
    return 0;
}

/* Alerts, dashboard and document speak of metrics that there are. */
static void test_metric_names(void **state) {
    static const char *const files[] = {"../deploy/alerts.yaml", "../deploy/dashboard.json",
                                        "../docs/serve.md"};
    int port, found = 0;
    mm_server_options options = fixture_small_options();
    mm_server *server = fixture_start(&options, &port);
    answer metrics = fixture_get(port, "/metrics");
    (void)state;
    for (size_t i = 0; i < 3; i++) {
        uint8_t *data;
        size_t size;
        mmood_error error;
        assert_ok(mm_file_read(&data, &size, files[i], 1 << 20, &error), error);
        for (const char *p = (const char *)data; (p = strstr(p, "mmood_")); found++) {
            size_t n = strspn(p, "abcdefghijklmnopqrstuvwxyz_");
            if (p[n] != '.' && strncmp(p, "mmood_session", 13) != 0 &&
                !is_metric(metrics.body, p, n))
                fail_msg("%s: there is no %.*s", files[i], (int)n, p);
            p += n;
        }
        free(data);
    }
    assert_true(found > 40);
    answer_free(&metrics);
    mm_server_free(server);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_routes),
        cmocka_unit_test(test_formats_agree),
        cmocka_unit_test(test_embeddings_and_library),
        cmocka_unit_test(test_errors),
        cmocka_unit_test(test_sizes),
        cmocka_unit_test(test_expect),
        cmocka_unit_test(test_token),
        cmocka_unit_test(test_busy),
        cmocka_unit_test(test_lull),
        cmocka_unit_test(test_slow_clients),
        cmocka_unit_test(test_clients_that_leave),
        cmocka_unit_test(test_stream),
        cmocka_unit_test(test_wrong_options),
        cmocka_unit_test(test_metric_names),
    };
    return cmocka_run_group_tests(tests, fixture_setup, fixture_teardown);
}
