/* test_download.c - files from a server to the disk: resumed, retried, checked; headers. */
#include "test.h"

#include "envision/download_head.h"
#include "envision/fake_endpoint.h"
#include "envision/part.h"

#include "base/file.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define KEY "hf_very-secret-0123"

enum { SIZE = 300000 };

static char folder[] = "/tmp/mmood-download-XXXXXX";
static char path[128], part[160];
static uint8_t data[SIZE];
static char hash[65];

/* ---- A server that follows a plan ---------------------------------------------------------- */

/* What it does with its first requests; later ones are answered well, with the Range asked for. */
typedef struct step {
    const char *what; /* "cut", "code", "ignore", "range", "long", "short", "silent", "redirect" */
    int code;
    const char *headers;
    const char *body;
} step;

typedef struct plan {
    step steps[6];
    const char *etag; /* a line */
    fake *other;      /* where "redirect" leads */
} plan;

static size_t asked_from(const fake_request *request) {
    size_t start = 0;
    const char *range = strstr(request->headers, "\r\nRange: bytes=");
    if (range)
        sscanf(range, "\r\nRange: bytes=%zu-", &start);
    return start;
}

static void answer_well(int socket, const fake_request *request, const char *etag) {
    char headers[512];
    size_t start = asked_from(request);
    snprintf(headers, sizeof headers, "%sContent-Range: bytes %zu-%d/%d\r\n", etag, start, SIZE - 1,
             SIZE);
    fake_answer(socket, start ? 206 : 200, "x/y", start ? headers : etag, data + start,
                request->method[0] == 'H' ? 0 : SIZE - start);
}

/* `size` bytes of a reply that announces `length`, -1 for none. */
static void answer_part(int socket, int length, const char *headers, size_t size) {
    char head[512];
    int n = snprintf(head, sizeof head, "HTTP/1.1 200 OK\r\n%s", headers);
    if (length >= 0)
        n += snprintf(head + n, sizeof head - (size_t)n, "Content-Length: %d\r\n", length);
    n += snprintf(head + n, sizeof head - (size_t)n, "Connection: close\r\n\r\n");
    fake_send(socket, head, (size_t)n);
    fake_send(socket, data, size < SIZE ? size : SIZE);
    if (size > SIZE)
        fake_send(socket, data, size - SIZE);
}

static void follow(fake *server, int socket, const fake_request *request) {
    const plan *p = fake_context(server);
    const step *s = request->number <= 6 ? &p->steps[request->number - 1] : NULL;
    const char *etag = p->etag ? p->etag : "", *what = s && s->what ? s->what : "";
    char headers[512];
    if (strcmp(what, "cut") == 0)
        answer_part(socket, SIZE, etag, SIZE / 3);
    else if (strcmp(what, "code") == 0)
        fake_answer(socket, s->code, "text/plain", s->headers, s->body,
                    request->method[0] == 'H' ? 0 : strlen(s->body));
    else if (strcmp(what, "ignore") == 0)
        answer_part(socket, SIZE, etag, SIZE);
    else if (strcmp(what, "range") == 0)
        fake_answer(socket, 206, "x/y", "Content-Range: bytes 7-299999/300000\r\n", data + 7,
                    SIZE - 7);
    else if (strcmp(what, "long") == 0)
        answer_part(socket, -1, "", SIZE + 1);
    else if (strcmp(what, "short") == 0)
        answer_part(socket, -1, "", SIZE / 3);
    else if (strcmp(what, "silent") == 0) {
        answer_part(socket, SIZE, etag, 1000);
        fake_pause(server, 60);
    } else if (strcmp(what, "redirect") == 0) {
        snprintf(headers, sizeof headers, "%sLocation: http://127.0.0.1:%d/store\r\n", s->headers,
                 fake_port(p->other));
        fake_answer(socket, 302, "x/y", headers, "", 0);
    } else
        answer_well(socket, request, etag);
}

/* ---- Downloads ----------------------------------------------------------------------------- */

static char noted[1024];

static void take_note(void *context, const char *text) {
    (void)context;
    snprintf(noted + strlen(noted), sizeof noted - strlen(noted), "%s\n", text);
}

static mm_http *client(int retries) {
    mm_http_options options = mm_http_options_default();
    mmood_error error;
    mm_http *http;
    options.retries = retries;
    options.backoff = 0.01;
    options.key_variable = "MMOOD_TEST_KEY";
    assert_ok(mm_http_create(&http, &options, &error), error);
    return http;
}

static mm_download whole(void) {
    mm_download what = {.path = path,
                        .name = "weights",
                        .size = SIZE,
                        .limit = 1 << 20,
                        .stall = 10,
                        .note = take_note};
    memcpy(what.sha256, hash, sizeof hash);
    return what;
}

/* Gets the file from a server with this plan; what it asked for is in `heads`, of `*count`
 * requests. */
static mmood_status get(const plan *p, mm_download what, mm_download_reply *reply, int *count,
                        char heads[6][512], mmood_error *error) {
    fake *server = fake_start(follow, p);
    mm_http *http = client(3);
    noted[0] = 0;
    what.url = fake_url(server, "/a/b/resolve/main/weights");
    mmood_status status = mm_download_get(reply, http, &what, error);
    *count = fake_count(server);
    for (int i = 0; i < *count && i < 6 && heads; i++)
        snprintf(heads[i], 512, "%s", fake_get(server, i)->headers);
    mm_http_free(http);
    fake_stop(server);
    return status;
}

static void assert_complete(void) {
    int changed = 0;
    mmood_error error;
    assert_ok(mm_part_keep(&changed, path, &error), error);
    assert_true(changed);
    assert_true(mm_part_is_done(path, SIZE, hash));
    assert_false(mm_file_exists(part));
    unlink(path);
}

static void assert_says(const mmood_error *error, const char *words) {
    if (!strstr(error->message, words))
        fail_msg("\"%s\" lacks \"%s\"", error->message, words);
    if (strstr(error->message, KEY))
        fail_msg("the key is in \"%s\"", error->message);
}

static void assert_header(const char *head, const char *line, int there) {
    if ((strstr(head, line) != NULL) != there)
        fail_msg("\"%s\" %s in\n%s", line, there ? "is not" : "is", head);
}

static void leave(const void *bytes, size_t size) {
    mmood_error error;
    assert_ok(mm_file_write(part, bytes, size, &error), error);
}

static void test_whole(void **unused) {
    (void)unused;
    plan p = {.etag = "ETag: \"e1\"\r\n"};
    mm_download_reply reply;
    mmood_error error;
    char heads[6][512];
    int count;
    assert_ok(get(&p, whole(), &reply, &count, heads, &error), error);
    assert_int_equal(reply.code, 200);
    assert_int_equal(count, 1);
    assert_header(heads[0], "Authorization: Bearer " KEY, 1);
    assert_header(heads[0], "Range:", 0);
    assert_header(heads[0], "Accept-Encoding: identity", 1);
    assert_complete();
    mm_download what = whole(); /* nothing is known of it */
    what.size = -1;
    what.sha256[0] = 0;
    assert_ok(get(&p, what, &reply, &count, NULL, &error), error);
    assert_complete();
}

static void test_broken(void **unused) {
    (void)unused;
    mm_download_reply reply;
    mmood_error error;
    char heads[6][512];
    int count;
    /* goes on, if the file is still the same */
    plan p = {.steps = {{.what = "cut"}}, .etag = "ETag: \"e1\"\r\n"};
    assert_ok(get(&p, whole(), &reply, &count, heads, &error), error);
    assert_int_equal(count, 2);
    assert_header(heads[1], "Range: bytes=100000-\r\n", 1);
    assert_header(heads[1], "If-Range: \"e1\"\r\n", 1);
    assert_non_null(strstr(noted, "the connection broke at byte 100000"));
    assert_complete();
    /* a weak ETag proves nothing and is not sent */
    p = (plan){.steps = {{.what = "cut"}}, .etag = "ETag: W/\"e1\"\r\n"};
    assert_ok(get(&p, whole(), &reply, &count, heads, &error), error);
    assert_header(heads[1], "If-Range", 0);
    assert_complete();
    /* the whole file where the rest was asked for; another range; none; codes on the way */
    p = (plan){.steps = {{.what = "cut"}, {.what = "ignore"}}};
    assert_ok(get(&p, whole(), &reply, &count, NULL, &error), error);
    assert_int_equal(count, 2);
    assert_complete();
    p = (plan){.steps = {{.what = "cut"}, {.what = "range"}}};
    assert_ok(get(&p, whole(), &reply, &count, heads, &error), error);
    assert_int_equal(count, 3);
    assert_header(heads[2], "Range", 0);
    assert_complete();
    p = (plan){.steps = {{.what = "cut"}, {"code", 416, "", ""}}};
    assert_ok(get(&p, whole(), &reply, &count, NULL, &error), error);
    assert_int_equal(count, 3);
    assert_complete();
    p = (plan){.steps = {{"code", 503, "", ""}, {.what = "cut"}, {"code", 500, "", ""}}};
    assert_ok(get(&p, whole(), &reply, &count, heads, &error), error);
    assert_int_equal(count, 4);
    assert_header(heads[3], "Range: bytes=100000-\r\n", 1);
    assert_complete();
    /* no length, too little: as good as broken */
    p = (plan){.steps = {{.what = "short"}}};
    assert_ok(get(&p, whole(), &reply, &count, NULL, &error), error);
    assert_int_equal(count, 2);
    assert_complete();
}

static void test_endless(void **unused) {
    (void)unused;
    mm_download_reply reply;
    mmood_error error;
    int count;
    plan p = {.steps = {{.what = "cut"},
                        {"code", 500, "", "no"},
                        {"code", 500, "", "no"},
                        {"code", 500, "", "{\"error\":\"key " KEY " is bad\"}"}}};
    assert_ok(get(&p, whole(), &reply, &count, NULL, &error), error);
    assert_int_equal(reply.code, 500);
    assert_int_equal(count, 4);
    assert_non_null(strstr(reply.said, "is bad"));
    assert_null(strstr(reply.said, KEY));
    struct stat about;
    assert_int_equal(stat(part, &about), 0); /* it stays, and is gone on with */
    assert_int_equal(about.st_size, SIZE / 3);
    p = (plan){0};
    char heads[6][512];
    assert_ok(get(&p, whole(), &reply, &count, heads, &error), error);
    assert_header(heads[0], "Range: bytes=100000-\r\n", 1);
    assert_complete();
    /* nothing to compare with: what an earlier run left is not used, nor left */
    mm_download what = whole();
    what.sha256[0] = 0;
    leave(data, 5000);
    assert_ok(get(&p, what, &reply, &count, heads, &error), error);
    assert_header(heads[0], "Range", 0);
    assert_complete();
    p = (plan){.steps = {{.what = "cut"}, {"code", 404, "", ""}}};
    assert_ok(get(&p, what, &reply, &count, NULL, &error), error);
    assert_int_equal(reply.code, 404);
    assert_false(mm_file_exists(part));
}

static void test_stall(void **unused) {
    (void)unused;
    mm_download_reply reply;
    mmood_error error;
    int count;
    plan p = {.steps = {{.what = "silent"}}};
    mm_download what = whole();
    what.stall = 1;
    assert_ok(get(&p, what, &reply, &count, NULL, &error), error);
    assert_int_equal(count, 2);
    assert_non_null(strstr(noted, "no data comes"));
    assert_complete();
}

static void test_wrong(void **unused) {
    (void)unused;
    mm_download_reply reply;
    mmood_error error;
    int count;
    plan p = {0};
    mm_download what = whole();
    memset(what.sha256, '0', 64);
    assert_int_equal(get(&p, what, &reply, &count, NULL, &error), MMOOD_ERROR_MISMATCH);
    assert_says(&error, "weights: the contents have the SHA-256");
    assert_false(mm_file_exists(part));
    what = whole();
    what.size = SIZE - 1;
    assert_int_equal(get(&p, what, &reply, &count, NULL, &error), MMOOD_ERROR_MISMATCH);
    assert_says(&error, "300000 bytes are announced where the hub said 299999");
    assert_false(mm_file_exists(part));
    p = (plan){.steps = {{.what = "long"}}};
    assert_int_equal(get(&p, whole(), &reply, &count, NULL, &error), MMOOD_ERROR_MISMATCH);
    assert_says(&error, "more bytes come than the 300000");
    what = whole();
    what.size = -1;
    what.limit = SIZE;
    assert_int_equal(get(&p, what, &reply, &count, NULL, &error), MMOOD_ERROR_LIMIT);
    assert_false(mm_file_exists(part));
    /* always another range */
    p = (plan){.steps = {{.what = "cut"}, {.what = "range"}, {.what = "cut"}, {.what = "range"}}};
    assert_int_equal(get(&p, whole(), &reply, &count, NULL, &error), MMOOD_ERROR_MISMATCH);
    assert_says(&error, "another part of the file");
}

/* Bytes that only look like the file, where no hash would tell. */
static void test_odd(void **unused) {
    (void)unused;
    mm_download_reply reply;
    mmood_error error;
    char heads[6][512];
    int count;
    mm_download what = whole();
    what.sha256[0] = 0;
    plan p = {.steps = {{"code", 200, "Content-Encoding: gzip\r\n", "zip"}}};
    what.size = 3;
    assert_int_equal(get(&p, what, &reply, &count, NULL, &error), MMOOD_ERROR_MISMATCH);
    assert_says(&error, "weights: the server sends it compressed");
    assert_false(mm_file_exists(part));
    /* a part that nobody asked for: asked for again, once */
    what.size = -1;
    p = (plan){.steps = {{.what = "range"}}};
    assert_ok(get(&p, what, &reply, &count, NULL, &error), error);
    assert_int_equal(count, 2);
    assert_complete();
    p = (plan){.steps = {{.what = "range"}, {.what = "range"}}};
    assert_int_equal(get(&p, what, &reply, &count, NULL, &error), MMOOD_ERROR_MISMATCH);
    assert_says(&error, "another part of the file");
    assert_false(mm_file_exists(part));
    /* nothing says that the rest is of the same file as the beginning */
    what.size = SIZE;
    p = (plan){.steps = {{.what = "cut"}}};
    assert_ok(get(&p, what, &reply, &count, heads, &error), error);
    assert_int_equal(count, 2);
    assert_header(heads[1], "Range:", 0);
    assert_complete();
}

/* What an earlier run left may be of another file, too long, or complete. */
static void test_left(void **unused) {
    (void)unused;
    mm_download_reply reply;
    mmood_error error;
    int count;
    plan p = {0};
    static uint8_t more[SIZE + 1];
    leave(more, 5000);
    assert_ok(get(&p, whole(), &reply, &count, NULL, &error), error);
    assert_int_equal(count, 2);
    assert_non_null(strstr(noted, "fetched anew"));
    assert_complete();
    leave(more, SIZE);
    assert_ok(get(&p, whole(), &reply, &count, NULL, &error), error);
    assert_int_equal(count, 1);
    assert_complete();
    leave(more, SIZE + 1);
    assert_ok(get(&p, whole(), &reply, &count, NULL, &error), error);
    assert_int_equal(count, 1);
    assert_complete();
    leave(data, SIZE);
    assert_ok(get(&p, whole(), &reply, &count, NULL, &error), error);
    assert_int_equal(count, 0);
    assert_complete();
}

static void test_redirect(void **unused) {
    (void)unused;
    mm_download_reply reply;
    mmood_error error;
    plan there = {0};
    plan here = {
        .steps = {{.what = "redirect", .headers = ""}, {.what = "redirect", .headers = ""}}};
    here.other = fake_start(follow, &there);
    int count;
    assert_ok(get(&here, whole(), &reply, &count, NULL, &error), error);
    assert_int_equal(fake_count(here.other), 1);
    assert_header(fake_get(here.other, 0)->headers, "Authorization", 0);
    assert_complete();
    /* HEAD follows if nothing is told, and believes no hash of another host */
    char etag[128];
    snprintf(etag, sizeof etag, "ETag: \"%s\"\r\n", hash);
    there.etag = etag;
    fake *server = fake_start(follow, &here);
    mm_http *http = client(0);
    mm_download what = whole();
    what.url = fake_url(server, "/x");
    assert_ok(mm_download_ask(&reply, http, &what, &error), error);
    assert_int_equal(reply.code, 200);
    assert_string_equal(reply.sha256, "");
    assert_int_equal(fake_count(here.other), 2);
    assert_header(fake_get(here.other, 1)->headers, "Authorization", 0);
    /* and does not if the size and the hash are */
    char headers[256];
    snprintf(headers, sizeof headers, "x-linked-size: 300000\r\nx-linked-etag: \"%s\"\r\n", hash);
    here.steps[1].headers = headers;
    assert_ok(mm_download_ask(&reply, http, &what, &error), error);
    assert_int_equal(reply.code, 200);
    assert_int_equal(reply.size, SIZE);
    assert_string_equal(reply.sha256, hash);
    assert_int_equal(fake_count(here.other), 2);
    mm_http_free(http);
    fake_stop(server);
    fake_stop(here.other);
}

static void test_ask(void **unused) {
    (void)unused;
    mm_download_reply reply;
    mmood_error error;
    plan p = {.steps = {{"code", 503, "", ""},
                        {"code", 404, "X-Error-Code: EntryNotFound\r\nX-Error-Message: no\r\n", ""},
                        {"code", 429, "Retry-After: 301\r\n", ""}}};
    fake *server = fake_start(follow, &p);
    mm_http *http = client(3);
    mm_download what = whole();
    char url[128]; /* outlives the server */
    snprintf(url, sizeof url, "%s", fake_url(server, "/x"));
    what.url = url;
    assert_ok(mm_download_ask(&reply, http, &what, &error), error);
    assert_int_equal(reply.code, 404);
    assert_int_equal(reply.attempts, 2);
    assert_string_equal(reply.error_code, "EntryNotFound");
    assert_string_equal(reply.said, "no");
    assert_ok(mm_download_ask(&reply, http, &what, &error), error);
    assert_int_equal(reply.code, 429);
    assert_int_equal(reply.attempts, 1); /* nobody waits that long */
    assert_true(reply.retry_after > 300.5);
    fake_stop(server);
    assert_int_equal(mm_download_ask(&reply, http, &what, &error), MMOOD_ERROR_IO);
    assert_says(&error, "there is no way to the server");
    assert_int_equal(reply.code, 0);
    mm_http_free(http);
}

/* ---- Parts and headers --------------------------------------------------------------------- */

static void test_part(void **unused) {
    (void)unused;
    mm_part first;
    mmood_error error;
    assert_ok(mm_part_open(&first, path, 0, &error), error);
    pid_t child = fork(); /* locks are a process's */
    if (child == 0) {
        mm_part second;
        mmood_status status = mm_part_open(&second, path, 0, &error);
        _exit(status == MMOOD_ERROR_IO && strstr(error.message, "another process") ? 0 : 1);
    }
    int code = 1;
    waitpid(child, &code, 0);
    assert_int_equal(code, 0);
    assert_true(mm_part_add(&first, "abc", 3));
    char found[65], wanted[65];
    mm_sha256_of(wanted, "abc", 3);
    assert_ok(mm_part_finish(found, &first, &error), error);
    assert_string_equal(found, wanted);
    mm_part_close(&first, 0);
    int changed = 0;
    assert_ok(mm_part_keep(&changed, path, &error), error);
    assert_true(changed);
    assert_int_equal(mm_part_left(path), 0);
    leave("abc", 3);
    assert_int_equal(mm_part_left(path), 3);
    assert_ok(mm_part_keep(&changed, path, &error), error);
    assert_false(changed);
    assert_false(mm_file_exists(part));
    assert_true(mm_part_is_done(path, 3, wanted));
    assert_false(mm_part_is_done(path, 4, wanted));
    assert_false(mm_part_is_done(path, 3, hash));
    assert_false(mm_part_is_done(folder, 3, hash));
    unlink(path);
    assert_int_equal(mm_part_open(&first, "/proc/nothing/here", 0, &error), MMOOD_ERROR_IO);
    assert_says(&error, "cannot be written");
    assert_int_equal(symlink(path, part), 0); /* would empty what it leads to */
    assert_ok(mm_file_write(path, "abc", 3, &error), error);
    assert_int_equal(mm_part_open(&first, path, 0, &error), MMOOD_ERROR_IO);
    assert_says(&error, "is a symbolic link");
    assert_true(mm_part_is_done(path, 3, wanted));
    unlink(part);
    unlink(path);
    assert_int_equal(mkdir(part, 0777), 0);
    assert_int_equal(mm_part_open(&first, path, 0, &error), MMOOD_ERROR_IO);
    rmdir(part);
    if (access("/dev/full", W_OK) == 0) { /* a disk without room */
        mm_part full = {.path = strdup("x"), .file = open("/dev/full", O_WRONLY)};
        assert_false(mm_part_add(&full, "abc", 3));
        assert_int_equal(mm_part_explain(&full, &error), MMOOD_ERROR_IO);
        assert_says(&error, "make room and run it again");
        mm_part_close(&full, 0);
    }
}

static void take(mm_head *head, const char *line) {
    mm_head_take(head, line, strlen(line));
}

static void test_heads(void **unused) {
    (void)unused;
    static const char *const no_sizes[] = {"",   "x", "-1", "1x", "1 2", "1234567890123456789",
                                           "0x1"};
    static const char *const no_ranges[] = {"bytes */5", "bytes 5-4/9",  "bytes 5",    "5-9/10",
                                            "bytes 5-9", "items 5-9/10", "bytes -9/10"};
    char line[512];
    mm_head head;
    mm_head_begin(&head);
    for (size_t i = 0; i < sizeof no_sizes / sizeof *no_sizes; i++) {
        snprintf(line, sizeof line, "Content-Length: %s\r\n", no_sizes[i]);
        take(&head, line);
        assert_int_equal(head.length, -1);
    }
    for (size_t i = 0; i < sizeof no_ranges / sizeof *no_ranges; i++) {
        snprintf(line, sizeof line, "Content-Range: %s\r\n", no_ranges[i]);
        take(&head, line);
        assert_int_equal(head.range_start, -1);
    }
    take(&head, "CONTENT-length:123456789012\r\n");
    assert_int_equal(head.length, 123456789012);
    take(&head, "Content-Range: bytes 5-9/*\r\n");
    assert_int_equal(head.range_start, 5);
    assert_int_equal(head.range_total, -1);
    take(&head, "X-Error-Message: a\x1b[31mb\xff\r\n");
    assert_string_equal(head.error_message, "a [31mb");
    take(&head, "HTTP/2 302 \r\n");
    assert_int_equal(head.code, 302);
    assert_int_equal(head.length, -1);
    assert_string_equal(head.error_message, "");
    take(&head, "no colon");
    take(&head, "");
    for (size_t n = 0; n < 4096; n += 64) { /* however long, and cut anywhere */
        char *text = calloc(1, n + 16);
        memset(text, 'e', n + 8);
        memcpy(text, "ETag: ", 6);
        mm_head_take(&head, text, n + 8);
        free(text);
    }
    assert_false(mm_head_is_strong(""));
    assert_false(mm_head_is_strong("W/\"a\""));
    assert_true(mm_head_is_strong("\"a\""));
    /* hashes: of 64 hex digits, at home */
    mm_download_reply reply = {.size = -1};
    for (int i = 0; i < 3; i++) {
        reply = (mm_download_reply){.size = -1};
        mm_head_begin(&head);
        head.code = 200;
        snprintf(line, sizeof line, "ETag: %s%s%s", i == 2 ? "W/" : "", i ? "\"" : "", hash);
        take(&head, line);
        mm_head_tell(&reply, &head, 0);
        assert_string_equal(reply.sha256, "");
        mm_head_tell(&reply, &head, 1);
        assert_string_equal(reply.sha256, hash);
    }
    take(&head, "X-Repo-Commit: ../../0123456789abcdef0123456789abcdef01");
    mm_head_tell(&reply, &head, 1);
    assert_string_equal(reply.commit, "");
}

static int set_up(void **unused) {
    (void)unused;
    setenv("MMOOD_TEST_KEY", KEY, 1);
    if (!mkdtemp(folder))
        return 1;
    snprintf(path, sizeof path, "%s/weights", folder);
    snprintf(part, sizeof part, "%s.part", path);
    uint32_t x = 1;
    for (size_t i = 0; i < SIZE; i++) {
        x = x * 1664525u + 1013904223u;
        data[i] = (uint8_t)(x >> 24);
    }
    mm_sha256_of(hash, data, SIZE);
    return 0;
}

static int tear_down(void **unused) {
    (void)unused;
    return rmdir(folder); /* nothing is left */
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_whole),   cmocka_unit_test(test_broken),
        cmocka_unit_test(test_endless), cmocka_unit_test(test_stall),
        cmocka_unit_test(test_wrong),   cmocka_unit_test(test_odd),
        cmocka_unit_test(test_left),    cmocka_unit_test(test_redirect),
        cmocka_unit_test(test_ask),     cmocka_unit_test(test_part),
        cmocka_unit_test(test_heads)};
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
