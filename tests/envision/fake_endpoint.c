/* fake_endpoint.c - an HTTP server on 127.0.0.1: a thread that accepts and one for each connection.
 */
#include "envision/fake_endpoint.h"

#include <arpa/inet.h>
#include <errno.h>
#include <math.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { MAX_CONNECTIONS = 256, KEPT = 64, MAX_HEAD = 65536 };

struct fake {
    fake_script *script;
    const void *context;
    int socket;
    int port;
    pthread_t acceptor;
    pthread_mutex_t lock;
    pthread_cond_t stopped;
    int stopping;
    int connections; /* slots that were used */
    int count;
    pthread_t threads[MAX_CONNECTIONS];
    int sockets[MAX_CONNECTIONS]; /* -1: the thread is about to end, and joined before its slot is
                                     used again */
    fake_request kept[KEPT];
    char url[1024];
};

typedef struct connection {
    fake *server;
    int socket;
} connection;

static void die(const char *what) {
    perror(what);
    exit(1);
}

static int stopping(fake *server) {
    pthread_mutex_lock(&server->lock);
    int result = server->stopping;
    pthread_mutex_unlock(&server->lock);
    return result;
}

int fake_pause(fake *server, double seconds) {
    struct timespec until;
    clock_gettime(CLOCK_MONOTONIC, &until);
    double whole = floor(seconds);
    until.tv_sec += (time_t)whole;
    until.tv_nsec += (long)((seconds - whole) * 1e9);
    if (until.tv_nsec >= 1000000000) {
        until.tv_nsec -= 1000000000;
        until.tv_sec++;
    }
    pthread_mutex_lock(&server->lock);
    while (!server->stopping &&
           pthread_cond_timedwait(&server->stopped, &server->lock, &until) != ETIMEDOUT)
        continue;
    int lives = !server->stopping;
    pthread_mutex_unlock(&server->lock);
    return lives;
}

int fake_send(int socket, const void *data, size_t size) {
    const char *p = data;
    while (size > 0) {
        ssize_t n = send(socket, p, size, MSG_NOSIGNAL);
        if (n <= 0)
            return 0;
        p += n;
        size -= (size_t)n;
    }
    return 1;
}

void fake_answer(int socket, int code, const char *type, const char *headers, const void *body,
                 size_t size) {
    char head[2048];
    int n = snprintf(head, sizeof head,
                     "HTTP/1.1 %d Test\r\nContent-Type: %s\r\nContent-Length: %zu\r\n"
                     "Connection: close\r\n%s\r\n",
                     code, type, size, headers);
    fake_send(socket, head, (size_t)n);
    fake_send(socket, body, size);
}

void fake_json(int socket, int code, const char *body) {
    fake_answer(socket, code, "application/json", "", body, strlen(body));
}

void fake_reset(int socket) {
    struct linger linger = {1, 0};
    setsockopt(socket, SOL_SOCKET, SO_LINGER, &linger, sizeof linger);
    /* closed by the caller: with nothing to linger for it is a reset */
}

/* Reads the head and the body; 0 if the connection ended before. */
static int read_request(int socket, fake_request *request) {
    char *head = calloc(1, MAX_HEAD + 1), *end = NULL;
    size_t have = 0;
    while (head && !(end = strstr(head, "\r\n\r\n")) && have < MAX_HEAD) {
        ssize_t n = recv(socket, head + have, MAX_HEAD - have, 0);
        if (n <= 0)
            break;
        have += (size_t)n;
        if (head[0] < 'A' || head[0] > 'Z') { /* such as the beginning of TLS */
            fake_json(socket, 400, "{}");
            break;
        }
    }
    if (!end || sscanf(head, "%7s %511s", request->method, request->path) != 2) {
        free(head);
        return 0;
    }
    size_t rest = have - (size_t)(end + 4 - head);
    const char *line = head;
    while ((line = strstr(line, "\r\n")) && line < end) {
        line += 2;
        if (strncasecmp(line, "Content-Length:", 15) == 0)
            request->size = strtoul(line + 15, NULL, 10);
    }
    request->body = calloc(1, request->size + 1);
    if (!request->body)
        die("fake endpoint");
    memcpy(request->body, end + 4, rest < request->size ? rest : request->size);
    end[2] = 0;
    request->headers = head;
    while (rest < request->size) {
        ssize_t n = recv(socket, request->body + rest, request->size - rest, 0);
        if (n <= 0)
            return 1;
        rest += (size_t)n;
    }
    return 1;
}

static void *serve(void *argument) {
    connection c = *(connection *)argument;
    free(argument);
    fake_request request = {0};
    if (read_request(c.socket, &request)) {
        pthread_mutex_lock(&c.server->lock);
        request.number = ++c.server->count;
        if (request.number <= KEPT)
            c.server->kept[request.number - 1] = request;
        pthread_mutex_unlock(&c.server->lock);
        c.server->script(c.server, c.socket, &request);
        if (request.number > KEPT) {
            free(request.headers);
            free(request.body);
        }
    }
    pthread_mutex_lock(&c.server->lock);
    int slot = 0;
    while (c.server->sockets[slot] != c.socket)
        slot++;
    close(c.socket);
    c.server->sockets[slot] = -1;
    pthread_mutex_unlock(&c.server->lock);
    return NULL;
}

/* With the lock held; a thread whose socket is -1 needs it no more. */
static int free_slot(fake *server) {
    for (int i = 0; i < server->connections; i++)
        if (server->sockets[i] < 0) {
            pthread_join(server->threads[i], NULL);
            return i;
        }
    if (server->connections == MAX_CONNECTIONS)
        die("fake endpoint: too many connections");
    return server->connections++;
}

static void *accept_all(void *argument) {
    fake *server = argument;
    for (;;) {
        int socket = accept(server->socket, NULL, NULL);
        if (socket < 0 || stopping(server)) {
            if (socket >= 0)
                close(socket);
            return NULL;
        }
        connection *c = malloc(sizeof *c);
        if (!c)
            die("fake endpoint");
        *c = (connection){server, socket};
        pthread_mutex_lock(&server->lock);
        int slot = free_slot(server);
        server->sockets[slot] = socket;
        if (pthread_create(&server->threads[slot], NULL, serve, c) != 0)
            die("fake endpoint");
        pthread_mutex_unlock(&server->lock);
    }
}

fake *fake_start(fake_script *script, const void *context) {
    fake *server = calloc(1, sizeof *server);
    struct sockaddr_in address = {.sin_family = AF_INET};
    socklen_t size = sizeof address;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (!server || (server->socket = socket(AF_INET, SOCK_STREAM, 0)) < 0 ||
        bind(server->socket, (struct sockaddr *)&address, size) != 0 ||
        listen(server->socket, 64) != 0 ||
        getsockname(server->socket, (struct sockaddr *)&address, &size) != 0)
        die("fake endpoint");
    server->port = ntohs(address.sin_port);
    server->script = script;
    server->context = context;
    pthread_mutex_init(&server->lock, NULL);
    pthread_condattr_t monotonic;
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(&server->stopped, &monotonic);
    pthread_condattr_destroy(&monotonic);
    if (pthread_create(&server->acceptor, NULL, accept_all, server) != 0)
        die("fake endpoint");
    return server;
}

void fake_stop(fake *server) {
    pthread_mutex_lock(&server->lock);
    server->stopping = 1;
    pthread_cond_broadcast(&server->stopped);
    for (int i = 0; i < server->connections; i++)
        if (server->sockets[i] >= 0)
            shutdown(server->sockets[i], SHUT_RDWR);
    pthread_mutex_unlock(&server->lock);
    shutdown(server->socket, SHUT_RDWR);
    pthread_join(server->acceptor, NULL);
    for (int i = 0; i < server->connections; i++)
        pthread_join(server->threads[i], NULL);
    close(server->socket);
    for (int i = 0; i < KEPT; i++) {
        free(server->kept[i].headers);
        free(server->kept[i].body);
    }
    pthread_cond_destroy(&server->stopped);
    pthread_mutex_destroy(&server->lock);
    free(server);
}

const void *fake_context(const fake *server) {
    return server->context;
}

int fake_port(const fake *server) {
    return server->port;
}

const char *fake_url(const fake *server, const char *path) {
    char *url = ((fake *)(uintptr_t)server)->url;
    snprintf(url, sizeof server->url, "http://127.0.0.1:%d%s", server->port, path);
    return url;
}

int fake_count(fake *server) {
    pthread_mutex_lock(&server->lock);
    int count = server->count;
    pthread_mutex_unlock(&server->lock);
    return count;
}

const fake_request *fake_get(fake *server, int index) {
    return &server->kept[index];
}
