/* test_http.c - calls of an endpoint: deadlines, retries, limits, redirects, the key, URLs. */
#include "test.h"

#include "envision/fake_endpoint.h"
#include "envision/http.h"
#include "envision/url.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define KEY "sk-very-secret-0123"

static double now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

static mm_http_options quick(void) {
    mm_http_options options = mm_http_options_default();
    options.timeout = 5;
    options.backoff = 0.01;
    options.key_variable = "MMOOD_TEST_KEY";
    return options;
}

static mm_http *make(const mm_http_options *options) {
    mm_http *http;
    mmood_error error;
    assert_ok(mm_http_create(&http, options, &error), error);
    return http;
}

static mmood_status post(mm_http_reply *reply, const mm_http *http, const char *url,
                         mmood_error *error) {
    mm_http_request request = {.url = url, .body = "{}", .size = 2, .with_key = 1};
    return mm_http_send(reply, http, &request, error);
}

static void assert_says(const mmood_error *error, const char *words) {
    if (!strstr(error->message, words))
        fail_msg("\"%s\" lacks \"%s\"", error->message, words);
    if (strstr(error->message, KEY))
        fail_msg("the key is in \"%s\"", error->message);
}

/* What a server does on its first requests; after that it answers well. */
typedef struct plan {
    int bad; /* how many */
    int code;
    const char *type;
    const char *headers;
    const char *body;
} plan;

static void follow_plan(fake *server, int socket, const fake_request *request) {
    const plan *p = fake_context(server);
    if (request->number <= p->bad)
        fake_answer(socket, p->code, p->type, p->headers, p->body, strlen(p->body));
    else
        fake_json(socket, 200, "{\"ok\":1}");
}

/* Posts once to a server with this plan; the number of requests that it got. */
static int run_plan(const plan *p, const mm_http_options *options, mm_http_reply *reply,
                    mmood_status *status, mmood_error *error) {
    fake *server = fake_start(follow_plan, p);
    mm_http *http = make(options);
    *status = post(reply, http, fake_url(server, "/v1/chat/completions"), error);
    int count = fake_count(server);
    mm_http_free(http);
    fake_stop(server);
    return count;
}

static void test_plain(void **unused) {
    (void)unused;
    plan p = {0};
    mm_http_options options = quick();
    fake *server = fake_start(follow_plan, &p);
    mm_http *http = make(&options);
    mm_http_reply reply;
    mmood_error error;
    assert_ok(post(&reply, http, fake_url(server, "/x"), &error), error);
    assert_int_equal(reply.code, 200);
    assert_string_equal(reply.type, "application/json");
    assert_string_equal(reply.body.data, "{\"ok\":1}");
    assert_int_equal(reply.attempts, 1);
    const fake_request *request = fake_get(server, 0);
    assert_string_equal(request->method, "POST");
    assert_string_equal(request->body, "{}");
    assert_non_null(strstr(request->headers, "Authorization: Bearer " KEY "\r\n"));
    assert_non_null(strstr(request->headers, "Content-Type: application/json"));
    assert_null(strstr(request->headers, "Expect"));
    mm_http_reply_free(&reply);
    mm_http_request get = {.url = fake_url(server, "/y?z=1")};
    assert_ok(mm_http_send(&reply, http, &get, &error), error);
    assert_string_equal(fake_get(server, 1)->method, "GET");
    assert_string_equal(fake_get(server, 1)->path, "/y?z=1");
    assert_null(strstr(fake_get(server, 1)->headers, "Authorization"));
    mm_http_reply_free(&reply);
    mm_http_free(http);
    fake_stop(server);
}

static void test_retries(void **unused) {
    (void)unused;
    mm_http_options options = quick();
    mm_http_reply reply;
    mmood_status status;
    mmood_error error;
    static const int again[] = {408, 429, 500, 502, 503, 504, 524};
    for (size_t i = 0; i < sizeof again / sizeof *again; i++) {
        plan p = {2, again[i], "text/html", "", "<html>Bad gateway</html>"};
        assert_int_equal(run_plan(&p, &options, &reply, &status, &error), 3);
        assert_ok(status, error);
        assert_int_equal(reply.code, 200);
        assert_int_equal(reply.attempts, 3);
        assert_string_equal(reply.body.data, "{\"ok\":1}");
        mm_http_reply_free(&reply);
    }
    static const int once[] = {400, 401, 403, 404, 413, 422, 501};
    for (size_t i = 0; i < sizeof once / sizeof *once; i++) {
        plan p = {9, once[i], "application/json", "", "{\"error\":{\"message\":\"no\"}}"};
        assert_int_equal(run_plan(&p, &options, &reply, &status, &error), 1);
        assert_ok(status, error);
        assert_int_equal(reply.code, once[i]);
        mm_http_reply_free(&reply);
    }
    plan always = {99, 503, "text/plain", "", "busy"};
    assert_int_equal(run_plan(&always, &options, &reply, &status, &error), 4);
    assert_int_equal(reply.code, 503);
    mm_http_reply_free(&reply);
}

static void test_retry_after(void **unused) {
    (void)unused;
    mm_http_options options = quick();
    mm_http_reply reply;
    mmood_status status;
    mmood_error error;
    char header[128];
    plan p = {1, 429, "application/json", "Retry-After: 1\r\n", "{\"error\":\"slow down\"}"};
    double start = now();
    assert_int_equal(run_plan(&p, &options, &reply, &status, &error), 2);
    assert_ok(status, error);
    assert_true(now() - start >= 1);
    mm_http_reply_free(&reply);

    time_t then = time(NULL) + 2;
    struct tm parts;
    gmtime_r(&then, &parts);
    strftime(header, sizeof header, "Retry-After: %a, %d %b %Y %H:%M:%S GMT\r\n", &parts);
    p.headers = header;
    start = now();
    assert_int_equal(run_plan(&p, &options, &reply, &status, &error), 2);
    assert_ok(status, error);
    assert_true(now() - start >= 0.9);
    mm_http_reply_free(&reply);

    p.headers = "Retry-After: 86400\r\n";
    start = now();
    assert_int_equal(run_plan(&p, &options, &reply, &status, &error), 1);
    assert_int_equal(status, MMOOD_ERROR_IO);
    assert_true(now() - start < 6);
    assert_says(&error, "Retry-After");
    assert_says(&error, "--timeout");
    assert_says(&error, "slow down");
    mm_http_reply_free(&reply);

    p.headers = "Retry-After: soon\r\n";
    assert_int_equal(run_plan(&p, &options, &reply, &status, &error), 2);
    assert_ok(status, error);
    mm_http_reply_free(&reply);
}

static void test_explained(void **unused) {
    (void)unused;
    static const struct {
        int code;
        const char *type;
        const char *body;
        const char *says[3];
    } cases[] = {
        {401,
         "application/json",
         "{\"error\":{\"message\":\"bad key " KEY "\"}}",
         {"answered 401", "bad key ****", "check the key in MMOOD_TEST_KEY"}},
        {404,
         "text/html",
         "<!doctype html><head><TITLE>Not here</title>",
         {"404", "an HTML page \"Not here\"", "check the URL"}},
        {413, "text/plain", "Too big", {"413", "Too big", "too large"}},
        {400,
         "application/json",
         "{\"detail\":[{\"loc\":[1],\"msg\":\"wrong\"}]}",
         {"wrong", "400", "4"}},
        {400,
         "application/json",
         "{\"error\":\"\\u00e4 \\\"x\\\"\"}",
         {"\xc3\xa4 \"x\"", "400", "4"}},
        {418, "text/plain", "\xff\xfe\x01", {"418", "?", "4"}},
        {500, "text/plain", "", {"answered 500 after 4 attempts", "its own log", "4"}},
    };
    mm_http_options options = quick();
    mm_http *http = make(&options);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        mm_http_reply reply;
        mmood_error error;
        plan p = {9, cases[i].code, cases[i].type, "", cases[i].body};
        fake *server = fake_start(follow_plan, &p);
        assert_ok(post(&reply, http, fake_url(server, "/a?token=abc"), &error), error);
        mm_http_explain(http, fake_url(server, "/a?token=abc"), &reply, &error);
        for (int k = 0; k < 3; k++)
            assert_says(&error, cases[i].says[k]);
        assert_null(strstr(error.message, "abc"));
        if (reply.body.data)
            assert_null(strstr(reply.body.data, KEY));
        mm_http_reply_free(&reply);
        fake_stop(server);
    }
    mm_http_free(http);
}

static void misbehave(fake *server, int socket, const fake_request *request) {
    static const char head[] = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n";
    const char *how = request->path;
    if (strcmp(how, "/reset") == 0) {
        fake_send(socket, head, strlen(head));
        fake_send(socket, "Content-Length: 1000\r\n\r\n{\"a\":", 29);
        fake_reset(socket);
    } else if (strcmp(how, "/short") == 0) {
        fake_send(socket, head, strlen(head));
        fake_send(socket, "Content-Length: 1000\r\n\r\n{\"a\":", 29);
    } else if (strcmp(how, "/nothing") == 0) {
        return;
    } else if (strcmp(how, "/garbage") == 0) {
        fake_send(socket, "\x00\x01\x02 garbage\r\n\r\n", 15);
    } else if (strcmp(how, "/drip") == 0) {
        fake_send(socket, head, strlen(head));
        fake_send(socket, "\r\n", 2);
        while (fake_pause(server, 0.05) && fake_send(socket, " ", 1))
            ;
    } else if (strcmp(how, "/hang") == 0) {
        fake_pause(server, 60);
    } else if (strcmp(how, "/flood") == 0) {
        static char block[65536];
        fake_send(socket, head, strlen(head));
        fake_send(socket, "\r\n", 2);
        for (int i = 0; i < 16384 && fake_send(socket, block, sizeof block); i++)
            ;
    } else if (strcmp(how, "/huge") == 0) {
        fake_send(socket, head, strlen(head));
        fake_send(socket, "Content-Length: 99999999999\r\n\r\n", 31);
    } else if (strcmp(how, "/chunked") == 0) {
        fake_send(socket, head, strlen(head));
        fake_send(socket, "Transfer-Encoding: chunked\r\n\r\n", 30);
        fake_send(socket, "3\r\n{\"o\r\n5\r\nk\":1}\r\n0\r\n\r\n", 23);
    }
}

static void test_broken(void **unused) {
    (void)unused;
    static const struct {
        const char *path;
        int count;
        mmood_status status;
        const char *says;
    } cases[] = {
        {"/reset", 4, MMOOD_ERROR_IO, "connection broke"},
        {"/short", 4, MMOOD_ERROR_IO, "after 4 attempts"},
        {"/nothing", 4, MMOOD_ERROR_IO, "connection broke"},
        {"/garbage", 1, MMOOD_ERROR_IO, "127.0.0.1"},
        {"/drip", 1, MMOOD_ERROR_IO, "no complete answer within 1.5 s"},
        {"/hang", 1, MMOOD_ERROR_IO, "--timeout"},
        {"/flood", 1, MMOOD_ERROR_LIMIT, "1000000 bytes"},
        {"/huge", 1, MMOOD_ERROR_LIMIT, "1000000 bytes"},
    };
    mm_http_options options = quick();
    options.body_limit = 1000000;
    mmood_error error;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        mm_http_reply reply;
        int slow = strstr("/drip/hang", cases[i].path) != NULL;
        options.timeout = slow ? 1.5 : 20; /* enough to connect on a busy machine */
        mm_http *http = make(&options);
        fake *server = fake_start(misbehave, NULL);
        double start = now();
        mmood_status status = post(&reply, http, fake_url(server, cases[i].path), &error);
        if (status != cases[i].status)
            fail_msg("%s: %d %s", cases[i].path, (int)status, error.message);
        assert_says(&error, cases[i].says);
        if (slow)
            assert_true(now() - start < 6);
        assert_int_equal(fake_count(server), cases[i].count);
        mm_http_reply_free(&reply);
        mm_http_free(http);
        fake_stop(server);
    }
    mm_http *http = make(&options);
    mm_http_reply reply;
    fake *server = fake_start(misbehave, NULL);
    assert_ok(post(&reply, http, fake_url(server, "/chunked"), &error), error);
    assert_string_equal(reply.body.data, "{\"ok\":1}");
    mm_http_reply_free(&reply);
    char url[64];
    snprintf(url, sizeof url, "http://127.0.0.1:%d/", fake_port(server));
    char secure[64];
    snprintf(secure, sizeof secure, "https://127.0.0.1:%d/", fake_port(server));
    assert_int_equal(post(&reply, http, secure, &error), MMOOD_ERROR_IO);
    assert_says(&error, "no secure connection");
    mm_http_reply_free(&reply);
    fake_stop(server);
    assert_int_equal(post(&reply, http, url, &error), MMOOD_ERROR_IO);
    assert_says(&error, "no connection after 4 attempts");
    mm_http_reply_free(&reply);
    assert_int_equal(post(&reply, http, "file:///etc/hostname", &error), MMOOD_ERROR_IO);
    mm_http_reply_free(&reply);
    mm_http_free(http);
}

/* Sends everybody on, to where its context says; "/there" is the goal. */
static void redirect(fake *server, int socket, const fake_request *request) {
    char line[256];
    int code = 307;
    if (strncmp(request->path, "/there", 6) == 0) {
        fake_json(socket, 200, "{\"there\":1}");
        return;
    }
    if (strncmp(request->path, "/303", 4) == 0)
        code = 303;
    snprintf(line, sizeof line, "Location: %s\r\n", (const char *)fake_context(server));
    fake_answer(socket, code, "text/plain", line, "", 0);
}

static void test_redirects(void **unused) {
    (void)unused;
    mm_http_options options = quick();
    mm_http *http = make(&options);
    mm_http_reply reply;
    mmood_error error;

    fake *server = fake_start(redirect, "/there?x=1");
    assert_ok(post(&reply, http, fake_url(server, "/a"), &error), error);
    assert_string_equal(reply.body.data, "{\"there\":1}");
    assert_string_equal(fake_get(server, 1)->method, "POST");
    assert_string_equal(fake_get(server, 1)->body, "{}");
    assert_non_null(strstr(fake_get(server, 1)->headers, KEY));
    mm_http_reply_free(&reply);
    assert_ok(post(&reply, http, fake_url(server, "/303"), &error), error);
    assert_string_equal(fake_get(server, 3)->method, "GET");
    mm_http_reply_free(&reply);

    char other[64]; /* another port is another host */
    snprintf(other, sizeof other, "http://127.0.0.1:%d/there", fake_port(server));
    fake *first = fake_start(redirect, other);
    assert_ok(post(&reply, http, fake_url(first, "/a"), &error), error);
    assert_string_equal(reply.body.data, "{\"there\":1}");
    assert_non_null(strstr(fake_get(first, 0)->headers, KEY));
    assert_null(strstr(fake_get(server, 4)->headers, KEY));
    mm_http_reply_free(&reply);
    fake_stop(first);
    fake_stop(server);

    static const char *const bad[] = {"file:///etc/hostname", "ftp://127.0.0.1/", "gopher://x/"};
    for (size_t i = 0; i < 3; i++) {
        server = fake_start(redirect, bad[i]);
        assert_int_equal(post(&reply, http, fake_url(server, "/a"), &error),
                         MMOOD_ERROR_UNSUPPORTED);
        assert_says(&error, "not an http");
        mm_http_reply_free(&reply);
        fake_stop(server);
    }
    server = fake_start(redirect, "/round");
    assert_int_equal(post(&reply, http, fake_url(server, "/a"), &error), MMOOD_ERROR_IO);
    assert_says(&error, "more than 5 times");
    mm_http_reply_free(&reply);
    fake_stop(server);
    mm_http_free(http);
}

static void test_keys_and_options(void **unused) {
    (void)unused;
    mm_http *http;
    mmood_error error;
    mm_http_options options = quick();
    setenv("MMOOD_TEST_KEY", "two\nlines", 1);
    assert_int_equal(mm_http_create(&http, &options, &error), MMOOD_ERROR_ARGUMENT);
    assert_null(http);
    assert_says(&error, "MMOOD_TEST_KEY");
    assert_null(strstr(error.message, "two"));
    setenv("MMOOD_TEST_KEY", KEY "\n", 1);
    http = make(&options);
    char text[] = "x" KEY KEY "y";
    mm_http_redact(http, text, strlen(text));
    assert_null(strstr(text, KEY));
    assert_int_equal(text[0], 'x');
    assert_int_equal(text[strlen(text) - 1], 'y');
    mm_http_free(http);
    options.key = "of a\nfile";
    options.key_variable = "some/file";
    assert_int_equal(mm_http_create(&http, &options, &error), MMOOD_ERROR_ARGUMENT);
    assert_says(&error, "the key in some/file has a character at position 3");
    options = quick();
    setenv("MMOOD_TEST_KEY", KEY, 1);
    options.timeout = 0;
    assert_int_equal(mm_http_create(&http, &options, NULL), MMOOD_ERROR_ARGUMENT);
    options = quick();
    options.retries = -1;
    assert_int_equal(mm_http_create(&http, &options, NULL), MMOOD_ERROR_ARGUMENT);
}

static void test_urls(void **unused) {
    (void)unused;
    static const char *const chat[][2] = {
        {"http://h:1", "http://h:1/v1/chat/completions"},
        {"http://h:1/", "http://h:1/v1/chat/completions"},
        {"http://h:1/v1", "http://h:1/v1/chat/completions"},
        {"http://h:1/v1/", "http://h:1/v1/chat/completions"},
        {"http://h:1/v1//", "http://h:1/v1/chat/completions"},
        {" http://h:1//v1/chat/completions/ ", "http://h:1/v1/chat/completions"},
        {"http://h:1/v1/models", "http://h:1/v1/chat/completions"},
        {"https://h/openai/v1/", "https://h/openai/v1/chat/completions"},
        {"https://h/d/x/chat/completions?api-version=2",
         "https://h/d/x/chat/completions?api-version=2"},
        {"localhost:8080", "http://localhost:8080/v1/chat/completions"},
        {"127.0.0.1:8080/v1", "http://127.0.0.1:8080/v1/chat/completions"},
        {"[::1]:8080", "http://[::1]:8080/v1/chat/completions"},
        {"api.example.com", "https://api.example.com/v1/chat/completions"},
        {"HTTP://h/V1", "http://h/V1/chat/completions"},
    };
    char *url;
    mmood_error error;
    for (size_t i = 0; i < sizeof chat / sizeof *chat; i++) {
        assert_ok(mm_url_openai(&url, chat[i][0], "chat/completions", &error), error);
        assert_string_equal(url, chat[i][1]);
        free(url);
    }
    static const char *const sd[] = {"http://h", "http://h/", "http://h/sdapi",
                                     "http://h/sdapi/v1/", "http://h/sdapi/v1/txt2img"};
    for (size_t i = 0; i < sizeof sd / sizeof *sd; i++) {
        assert_ok(mm_url_sdapi(&url, sd[i], &error), error);
        assert_string_equal(url, "http://h/sdapi/v1/txt2img");
        free(url);
    }
    static const char *const bad[][2] = {
        {"", "is empty"},
        {NULL, "is empty"},
        {"ftp://h/v1", "not an http"},
        {"file:///etc", "not an http"},
        {"http://u:p@h/", "user name"},
        {"http://", "not a URL"},
        {"http://a b/", "not a URL"},
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        assert_int_equal(mm_url_openai(&url, bad[i][0], "x", &error), MMOOD_ERROR_ARGUMENT);
        assert_null(url);
        assert_says(&error, bad[i][1]);
        assert_null(strstr(error.message, "u:p"));
    }
    char shown[64];
    mm_url_show(shown, sizeof shown, "https://user:pass@h:1/p?key=secret#f");
    assert_string_equal(shown, "https://h:1/p");
    assert_int_equal(mm_url_kind("http://h/sdapi/v1"), 's');
    assert_int_equal(mm_url_kind("http://h/v1/"), 'o');
    assert_int_equal(mm_url_kind("http://h"), 0);
    assert_true(mm_url_same_origin("http://h/a", "http://H:80/b"));
    assert_false(mm_url_same_origin("http://h/a", "https://h/a"));
    assert_false(mm_url_same_origin("http://h/a", "http://h.evil/a"));
}

int main(void) {
    setenv("MMOOD_TEST_KEY", KEY, 1);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_plain),
        cmocka_unit_test(test_retries),
        cmocka_unit_test(test_retry_after),
        cmocka_unit_test(test_explained),
        cmocka_unit_test(test_broken),
        cmocka_unit_test(test_redirects),
        cmocka_unit_test(test_keys_and_options),
        cmocka_unit_test(test_urls),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
