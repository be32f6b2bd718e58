/* test_serve_soak.c - mmood serve as a process under requests of all kinds: good ones in every
 * format, broken, too large, cut off, hostile, slow. Each gets its status, memory and descriptors
 * stay where they were, and one more good request succeeds.
 *
 *   test_serve_soak [REQUESTS]        1,000 by default; tools/check_long.sh asks for 20,000 */
#include "serve/fixture.h"
#include "serve/program.h"

#include "base/file.h"

#include <dirent.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { MEMBERS = 8, SLOW = 12, BIG = 3 << 19 };

#define NDJSON "Accept: application/x-ndjson\r\n"
#define POST "POST /v1/detect HTTP/1.1\r\nHost: a\r\nConnection: close\r\n"

/* Sanitizers keep what is freed for a while, to find who uses it: memory says nothing then. */
#ifdef __has_feature
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define SANITIZED 1
#endif
#elif defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SANITIZED 1
#endif
#ifdef SANITIZED
static const int sanitized = 1;
#else
static const int sanitized = 0;
#endif

static int requests = 1000;
static mm_buffer form, json, embeddings, deep, many;
static uint8_t *bomb;
static size_t bomb_size;
static char *big; /* more than --max-body, which is 1 MB */

/* ---- Kinds of requests --------------------------------------------------------------------- */

typedef struct kind {
    int status;         /* of the answer; 0: none is waited for */
    const char *method; /* NULL: sent as it is */
    const char *path, *headers;
    const void *body;
    size_t size;
} kind;

enum { WHOLE = -1, HALF = -2 }; /* the body is a picture, or half of one */

static const char chunked[] = POST "Transfer-Encoding: chunked\r\n\r\n";
static const char chunked_badly[] = POST "Transfer-Encoding: chunked\r\n\r\nzz\r\nx\r\n0\r\n\r\n";
static const char cut_off[] = POST "Content-Length: 1000\r\n\r\nthe client goes";
static const char no_version[] = "POST /v1/detect\r\n\r\n";
static const char garbage[] = "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n";
static const char two_lengths[] = POST "Content-Length: 5\r\nContent-Length: 7\r\n\r\nhello";
static const char two_framings[] =
    POST "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n";
static const char no_host[] = "GET /healthz HTTP/1.1\r\nConnection: close\r\n\r\n";
static const char bad_length[] = POST "Content-Length: 5e3\r\n\r\n";
static const char expects[] = POST "Content-Length: 3000000\r\nExpect: 100-continue\r\n\r\n";

#define TEXT(s) (s), sizeof(s) - 1

static size_t list_kinds(kind *out) {
    const kind all[] = {
        {200, "POST", "/v1/detect", NULL, NULL, (size_t)WHOLE},
        {200, "POST", "/v1/detect/second?top=5", NULL, NULL, (size_t)WHOLE},
        {200, "POST", "/v1/detect", "Expect: 100-continue\r\n", NULL, (size_t)WHOLE},
        {200, "POST", "/v1/detect", FORM, form.data, form.size},
        {200, "POST", "/v1/detect", FORM NDJSON, form.data, form.size},
        {200, "POST", "/v1/detect/second?scores=all", JSON, json.data, json.size},
        {200, "POST", "/v1/detect", JSON, embeddings.data, embeddings.size},
        {200, NULL, NULL, NULL, chunked, (size_t)WHOLE},
        {200, "GET", "/metrics", NULL, NULL, 0},
        {200, "GET", "/v1/stats/second", NULL, NULL, 0},
        {200, "GET", "/readyz", NULL, NULL, 0},
        {422, "POST", "/v1/detect", NULL, NULL, (size_t)HALF},
        {422, "POST", "/v1/detect", NULL, TEXT("no picture")},
        {422, "POST", "/v1/detect", NULL, bomb, bomb_size},
        {422, "POST", "/v1/detect", JSON, TEXT("{\"pictures\":[\"no base64!\"]}")},
        {422, "POST", "/v1/detect", JSON, TEXT("{\"embeddings\":[[1,2,3]]}")},
        {400, "POST", "/v1/detect", JSON, TEXT("{\"pictures\":[")},
        {413, "POST", "/v1/detect", JSON, deep.data, deep.size},
        {400, "POST", "/v1/detect", JSON, TEXT("{\"pictures\":[],\"pictures\":[]}")},
        {400, "POST", "/v1/detect", FORM, TEXT("--XX\r\n\r\n\r\n--X")},
        {400, "POST", "/v1/detect?top=-1", NULL, NULL, (size_t)WHOLE},
        {400, "POST", "/v1/detect?what=%00", NULL, NULL, (size_t)WHOLE},
        {400, NULL, NULL, NULL, TEXT(chunked_badly)},
        {400, NULL, NULL, NULL, TEXT(bad_length)},
        {400, NULL, NULL, NULL, TEXT(no_version)},
        {400, NULL, NULL, NULL, TEXT(two_lengths)},
        {400, NULL, NULL, NULL, TEXT(two_framings)},
        {400, NULL, NULL, NULL, TEXT(no_host)},
        {413, "POST", "/v1/detect", JSON, many.data, many.size},
        {413, "POST", "/v1/detect", NULL, big, BIG},
        {413, NULL, NULL, NULL, TEXT(expects)},
        {404, "GET", "/v1/../../etc/passwd", NULL, NULL, 0},
        {405, "PUT", "/v1/detect", NULL, NULL, 0},
        {0, NULL, NULL, NULL, TEXT(cut_off)},
        {0, NULL, NULL, NULL, TEXT(garbage)},
    };
    memcpy(out, all, sizeof all);
    return sizeof all / sizeof *all;
}

/* A picture in two chunks. */
static answer send_chunked(int port, const uint8_t *picture, size_t size) {
    char line[64];
    int s = client_connect(port);
    client_send(s, TEXT(chunked));
    client_send(s, line, (size_t)snprintf(line, sizeof line, "%x\r\n", 100));
    client_send(s, picture, 100);
    client_send(s, line, (size_t)snprintf(line, sizeof line, "\r\n%zx\r\n", size - 100));
    client_send(s, picture + 100, size - 100);
    client_send(s, TEXT("\r\n0\r\n\r\n"));
    return client_receive(s, 30);
}

static answer send_kind(int port, const kind *k, size_t picture) {
    const void *body = k->body;
    size_t size = k->size;
    if (size == (size_t)WHOLE || size == (size_t)HALF) {
        body = fixture_pictures[picture];
        size = size == (size_t)HALF ? fixture_sizes[picture] / 2 : fixture_sizes[picture];
    }
    if (k->method)
        return client_request(port, k->method, k->path, k->headers, body, size);
    if (k->body == chunked)
        return send_chunked(port, body, size);
    int s = client_connect(port);
    client_send(s, body, size);
    if (k->status)
        return client_receive(s, 30);
    close(s);
    return (answer){.head = calloc(1, 1)};
}

/* ---- Clients ------------------------------------------------------------------------------- */

typedef struct soak {
    int port;
    atomic_int next, until, wrong, stop, slow_ends;
    char complaint[256];
} soak;

static void complain(soak *all, const char *what, int kind_number, int status) {
    if (atomic_fetch_add(&all->wrong, 1) == 0)
        snprintf(all->complaint, sizeof all->complaint, "%s %d: status %d", what, kind_number,
                 status);
}

static void *member_main(void *argument) {
    soak *all = argument;
    kind kinds[64];
    int count = (int)list_kinds(kinds);
    for (int i; (i = atomic_fetch_add(&all->next, 1)) < atomic_load(&all->until);) {
        const kind *k = &kinds[i % count];
        int status =
            fixture_status_of(send_kind(all->port, k, (size_t)(i / count) % FIXTURE_PICTURES));
        if (status != k->status)
            complain(all, "kind", i % count, status);
    }
    return NULL;
}

/* Clients that send a byte now and then, half of them of a head, half of a body: they are closed,
 * those of a body with 408. */
static void *slow_main(void *argument) {
    soak *all = argument;
    static const char half[] = POST "Content-Length: 1000\r\n\r\nx";
    while (!atomic_load(&all->stop)) {
        int sockets[SLOW];
        for (int i = 0; i < SLOW; i++) {
            sockets[i] = client_connect(all->port);
            client_send(sockets[i], half, i % 2 ? sizeof half - 1 : 30);
        }
        for (int round = 0; round < 20; round++) {
            poll(NULL, 0, 50);
            for (int i = 0; i < SLOW; i++)
                client_send(sockets[i], "y", 1);
        }
        for (int i = 0; i < SLOW; i++) {
            int status = fixture_status_of(client_receive(sockets[i], 5));
            /* the answer may be lost with what was sent after it */
            if (status != 0 && (status != 408 || i % 2 == 0))
                complain(all, "slow", i, status);
            atomic_fetch_add(&all->slow_ends, 1);
        }
    }
    return NULL;
}

static void send_until(soak *all, int count) {
    pthread_t threads[MEMBERS];
    atomic_store(&all->until, count);
    atomic_store(&all->next, atomic_load(&all->next) < count ? atomic_load(&all->next) : count);
    for (int i = 0; i < MEMBERS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, member_main, all), 0);
    for (int i = 0; i < MEMBERS; i++)
        pthread_join(threads[i], NULL);
    atomic_store(&all->next, count);
}

/* ---- What the process holds ---------------------------------------------------------------- */

static long kilobytes(const process *p) {
    char path[64];
    long pages = 0;
    snprintf(path, sizeof path, "/proc/%d/statm", (int)p->id);
    FILE *file = fopen(path, "r");
    assert_non_null(file);
    assert_int_equal(fscanf(file, "%*d %ld", &pages), 1);
    fclose(file);
    return pages * (sysconf(_SC_PAGESIZE) / 1024);
}

static int descriptors(const process *p) {
    char path[64];
    int count = 0;
    snprintf(path, sizeof path, "/proc/%d/fd", (int)p->id);
    DIR *directory = opendir(path);
    assert_non_null(directory);
    while (readdir(directory))
        count++;
    closedir(directory);
    return count;
}

/* Once connections that are closing are closed. */
static int settled(const process *p, int most) {
    for (int i = 0; i < 200 && descriptors(p) > most; i++)
        poll(NULL, 0, 20);
    return descriptors(p);
}

static void test_soak(void **state) {
    const char *const options[] = {
        fixture_second_path, "--max-body", "1048576",        "--max-items", "8", "--batch", "8",
        "--head-timeout",    "0.3",        "--body-timeout", "0.6",         NULL};
    soak all = {0};
    pthread_t slow;
    (void)state;
    process p = program_start(options);
    all.port = p.port;
    int files = descriptors(&p);
    assert_int_equal(pthread_create(&slow, NULL, slow_main, &all), 0);
    send_until(&all, requests < 5000 ? requests / 2 : 2000);
    long before = kilobytes(&p);
    send_until(&all, requests);
    long after = kilobytes(&p);
    atomic_store(&all.stop, 1);
    pthread_join(slow, NULL);
    if (atomic_load(&all.wrong))
        fail_msg("%d wrong, first: %s", atomic_load(&all.wrong), all.complaint);
    assert_true(atomic_load(&all.slow_ends) > 0);
    assert_int_equal(settled(&p, files), files);
    printf("%d requests and %d slow ones: %ld kB, then %ld kB\n", requests,
           atomic_load(&all.slow_ends), before, after);
    if (!sanitized)
        assert_true(after - before < 20480);
    assert_int_equal(fixture_status_of(fixture_post(p.port, "/v1/detect", NULL, fixture_pictures[0],
                                                    fixture_sizes[0])),
                     200);
    kill(p.id, SIGTERM);
    assert_int_equal(program_finish(&p), 0);
}

static int setup(void **state) {
    mmood_error error;
    mmood_model_info info;
    if (fixture_setup(state) != 0 ||
        mm_file_read(&bomb, &bomb_size, "data/image/bomb_60000x60000.png", 1 << 20, &error) !=
            MMOOD_OK)
        return -1;
    form = fixture_form_of_all();
    json = fixture_json_of_all();
    mmood_model_describe(fixture_model, &info);
    mm_buffer_puts(&embeddings, "{\"embeddings\":[[");
    for (int i = 0; i < info.dimension; i++)
        mm_buffer_printf(&embeddings, "%s%d", i ? "," : "", 1 + i % 7);
    mm_buffer_puts(&embeddings, "]]}");
    for (int i = 0; i < 100000; i++)
        mm_buffer_puts(&deep, "[");
    mm_buffer_puts(&many, "{\"pictures\":[\"\"");
    for (int i = 0; i < 1000; i++)
        mm_buffer_puts(&many, ",\"\"");
    mm_buffer_puts(&many, "]}");
    big = calloc(1, BIG);
    return big ? 0 : -1;
}

static int teardown(void **state) {
    mm_buffer *const buffers[] = {&form, &json, &embeddings, &deep, &many};
    for (size_t i = 0; i < sizeof buffers / sizeof *buffers; i++)
        mm_buffer_free(buffers[i]);
    free(big);
    free(bomb);
    return fixture_teardown(state);
}

int main(int argc, char **argv) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_soak)};
    if (argc > 1)
        requests = atoi(argv[1]);
    signal(SIGPIPE, SIG_IGN);
    return cmocka_run_group_tests(tests, setup, teardown);
}
