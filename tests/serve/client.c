/* client.c - requests over plain sockets. */
#include "serve/client.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

void answer_free(answer *a) {
    free(a->head);
    *a = (answer){0};
}

int client_connect(int port) {
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int s = socket(AF_INET, SOCK_STREAM, 0);
    if (s >= 0 && connect(s, (struct sockaddr *)&address, sizeof address) != 0) {
        close(s);
        s = -1;
    }
    return s;
}

int client_send(int socket, const void *data, size_t size) {
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

/* Joins chunks in place; the new size. */
static size_t join_chunks(char *body) {
    char *to = body, *from = body;
    for (;;) {
        char *line = strstr(from, "\r\n");
        size_t n = strtoul(from, NULL, 16);
        if (!line || n == 0 || n > strlen(line + 2))
            break;
        memmove(to, line + 2, n);
        to += n;
        from = line + 2 + n + 2;
    }
    *to = '\0';
    return (size_t)(to - body);
}

answer client_receive(int socket, double seconds) {
    answer a = {.connected = 1};
    size_t size = 0, room = 65536;
    char *data = malloc(room + 1);
    struct pollfd ready = {.fd = socket, .events = POLLIN};
    while (poll(&ready, 1, (int)(1000 * seconds)) > 0) {
        ssize_t n = recv(socket, data + size, room - size, 0);
        if (n <= 0)
            break;
        size += (size_t)n;
        if (size == room)
            data = realloc(data, (room *= 2) + 1);
    }
    close(socket);
    data[size] = '\0';
    static const char interim[] = "HTTP/1.1 100 Continue\r\n\r\n";
    size_t skip = strncmp(data, interim, sizeof interim - 1) == 0 ? sizeof interim - 1 : 0;
    memmove(data, data + skip, size - skip + 1);
    size -= skip;
    a.head = data;
    a.body = data + size;
    char *blank = strstr(data, "\r\n\r\n");
    if (!blank || sscanf(data, "HTTP/1.%*d %d", &a.status) != 1)
        return a;
    blank[2] = '\0';
    a.body = blank + 4;
    a.body_size = size - (size_t)(a.body - data);
    if (strstr(a.head, "chunked"))
        a.body_size = join_chunks(a.body);
    return a;
}

answer client_request(int port, const char *method, const char *path, const char *headers,
                      const void *body, size_t size) {
    char head[4096];
    int s = client_connect(port);
    if (s < 0)
        return (answer){.head = calloc(1, 1)};
    int n = snprintf(head, sizeof head,
                     "%s %s HTTP/1.1\r\nHost: test\r\nConnection: close\r\n%sContent-Length: "
                     "%zu\r\n\r\n",
                     method, path, headers ? headers : "", size);
    client_send(s, head, (size_t)n);
    client_send(s, body, size);
    return client_receive(s, 30);
}
