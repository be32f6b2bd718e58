/* fuzz_request.c - arbitrary bytes as a client sends them to the whole server, over a socket: head,
 * headers, body, and what follows. The server answers with HTTP whose JSON is JSON, or closes, and
 * lives on. Run from a folder beside tests/. */
#include "base/file.h"
#include "serve/server.h"

#include <arpa/inet.h>
#include <jansson.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static mm_server *server;
static int port;

static void need(int holds, const char *what) {
    if (holds)
        return;
    fprintf(stderr, "fuzz_request: %s\n", what);
    abort();
}

/* A detector with the smallest of the tests' models; its file is read once and not needed then. */
static void start(void) {
    static const char ids[] = "cat\ndog\n", outliers[] = "car\ntree\n";
    char path[] = "/tmp/mmood-fuzz-XXXXXX";
    mmood_model *model;
    mmood_session *session;
    mmood_labels *id, *outlier;
    mmood_detector *detector;
    mmood_error error;
    mmood_model_options model_options = mmood_model_options_default();
    model_options.precision = MMOOD_PRECISION_F32;
    int file = mkstemp(path);
    need(file >= 0 && close(file) == 0, "no temporary file");
    need(mmood_model_open(&model, "../tests/golden/b32-quick", &model_options, &error) == MMOOD_OK,
         "../tests/golden/b32-quick cannot be opened");
    need(mmood_labels_parse(&id, ids, strlen(ids), &error) == MMOOD_OK, "ID labels");
    need(mmood_labels_parse(&outlier, outliers, strlen(outliers), &error) == MMOOD_OK, "outliers");
    need(mmood_session_create(&session, model, NULL, &error) == MMOOD_OK, error.message);
    const mmood_labels *sets[] = {outlier};
    need(mmood_detector_build(&detector, NULL, session, id, sets, 1, NULL, &error) == MMOOD_OK,
         error.message);
    need(mmood_detector_save(detector, path, &error) == MMOOD_OK, error.message);
    mmood_detector_free(detector);
    mmood_session_free(session);
    mmood_labels_free(id);
    mmood_labels_free(outlier);
    const char *const paths[] = {path};
    mm_server_options options = mm_server_options_default();
    options.listen = "127.0.0.1:0";
    options.paths = paths;
    options.path_count = 1;
    options.body_limit = 65536;
    options.head_timeout = 60; /* a client that says it has ended is not left to these */
    options.body_timeout = 60;
    options.crew.threads = 1;
    options.crew.items = 4;
    options.crew.batch = 4;
    options.crew.wait = 0;
    options.crew.image.max_pixels = 1 << 16;
    need(mm_server_create(&server, model, &options, &error) == MMOOD_OK, error.message);
    port = atoi(strrchr(mm_server_url(server), ':') + 1);
    unlink(path);
}

/* Sends, says that no more comes, and reads all until the server closes; the size. */
static size_t exchange(char *out, size_t room, const uint8_t *data, size_t size) {
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    struct timeval patience = {.tv_sec = 10};
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    size_t have = 0;
    int s = socket(AF_INET, SOCK_STREAM, 0);
    need(s >= 0 && connect(s, (struct sockaddr *)&address, sizeof address) == 0, "no connection");
    setsockopt(s, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
    for (size_t sent = 0; sent < size;) {
        ssize_t n = send(s, data + sent, size - sent, MSG_NOSIGNAL);
        if (n <= 0)
            break; /* it does not want more */
        sent += (size_t)n;
    }
    shutdown(s, SHUT_WR);
    struct pollfd ready = {.fd = s, .events = POLLIN};
    for (int idle = 0; have < room; idle++) {
        need(idle < 1000, "the connection is not closed");
        if (poll(&ready, 1, 10) <= 0) { /* nothing, or libFuzzer's timer */
            mm_server_tick(server);     /* finds clients that have left */
            continue;
        }
        ssize_t n = recv(s, out + have, room - have, 0);
        if (n <= 0)
            break;
        have += (size_t)n;
    }
    close(s);
    return have;
}

/* The first answer, if there is one; `text` ends with a NUL. */
static void check_answer(const char *text) {
    static const char json[] = "\r\nContent-Type: application/json\r\n",
                      length[] = "\r\nContent-Length:";
    if (strncmp(text, "HTTP/1.1 100", 12) == 0 && strstr(text, "\r\n\r\n"))
        text = strstr(text, "\r\n\r\n") + 4;
    if (!text[0])
        return;
    int status = strncmp(text, "HTTP/1.1 ", 9) == 0 ? atoi(text + 9) : 0;
    need(status >= 200 && status < 600, "an answer that is not HTTP");
    need(status != 500, "status 500");
    const char *body = strstr(text, "\r\n\r\n"), *type = strstr(text, json),
               *size = strstr(text, length);
    if (!body || !type || type > body || !size || size > body)
        return;
    size_t n = strtoul(size + sizeof length - 1, NULL, 10), have = strlen(body + 4);
    if (n > have) /* HEAD, or what was read of it ends here */
        return;
    json_t *value = json_loadb(body + 4, n, JSON_DISABLE_EOF_CHECK, NULL);
    need(value != NULL, "JSON that is none");
    json_decref(value);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static const char health[] = "GET /healthz HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";
    static char answer[1 << 18];
    static unsigned runs;
    if (!server)
        start();
    size_t n = exchange(answer, sizeof answer - 1, data, size);
    answer[n] = '\0';
    check_answer(answer);
    if (runs++ % 256 == 0) {
        n = exchange(answer, sizeof answer - 1, (const uint8_t *)health, sizeof health - 1);
        answer[n] = '\0';
        need(strncmp(answer, "HTTP/1.1 200", 12) == 0, "the server is not well");
    }
    return 0;
}
