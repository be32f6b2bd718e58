/* client.h - an HTTP client that can be slow, wrong or many. */
#ifndef MM_TESTS_SERVE_CLIENT_H
#define MM_TESTS_SERVE_CLIENT_H

#include <stddef.h>

/* What came back; `status` 0 if nothing did. The strings are of one allocation. */
typedef struct answer {
    int status;
    int connected;
    char *head;
    char *body;
    size_t body_size;
} answer;

void answer_free(answer *a);

/* A connection to 127.0.0.1; -1 if it is refused. */
int client_connect(int port);

/* 1 if all was sent. */
int client_send(int socket, const void *data, size_t size);

/* Everything until the server closes, or `seconds` without a byte; closes the socket. Chunked
 * bodies are put together. */
answer client_receive(int socket, double seconds);

/* A whole request with "Connection: close". `headers` are further lines, each with "\r\n". */
answer client_request(int port, const char *method, const char *path, const char *headers,
                      const void *body, size_t size);

#endif
