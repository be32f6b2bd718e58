/* fake_endpoint.h - an HTTP server on 127.0.0.1 that misbehaves as a test wants. */
#ifndef MM_TESTS_FAKE_ENDPOINT_H
#define MM_TESTS_FAKE_ENDPOINT_H

#include <stddef.h>
#include <stdint.h>

typedef struct fake fake;

typedef struct fake_request {
    int number; /* from 1 */
    char method[8];
    char path[512];
    char *headers; /* all of them, as they came */
    char *body;    /* a NUL follows */
    size_t size;
} fake_request;

/* Answers one request; runs on a thread of its own. The connection is closed after it. */
typedef void fake_script(fake *server, int socket, const fake_request *request);

/* Listens on a free port. Exits the test program if that is impossible. */
fake *fake_start(fake_script *script, const void *context);
void fake_stop(fake *server);

const void *fake_context(const fake *server);
int fake_port(const fake *server);

/* "http://127.0.0.1:PORT" + path; valid until the next call on this thread of the test. */
const char *fake_url(const fake *server, const char *path);

/* How many requests came, and request `index` of them (the first 64), until fake_stop. */
int fake_count(fake *server);
const fake_request *fake_get(fake *server, int index);

/* Waits, but no longer than the server lives. 1 if it still lives. */
int fake_pause(fake *server, double seconds);

/* Sends everything; 0 if the other side is gone. */
int fake_send(int socket, const void *data, size_t size);

/* A whole reply with Content-Length; `headers` are more lines, each with its CRLF, or "". */
void fake_answer(int socket, int code, const char *type, const char *headers, const void *body,
                 size_t size);
void fake_json(int socket, int code, const char *body);

/* Breaks the connection so that the other side sees a reset. */
void fake_reset(int socket);

#endif
