/* load.c - load on a running mmood serve: clients that send one picture after another over kept
 * connections, as fast as they are answered or at a given rate. Prints throughput, percentiles of
 * latency and statuses; judges nothing.
 *
 *   load PORT PATH PICTURE [--clients N] [--seconds S] [--rate R]
 *
 * With --rate a latency counts from when the request was due, so that a server that stalls is not
 * flattered by clients that wait for it. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE /* strcasestr */
#endif
#include "base/clock.h"
#include "base/file.h"

#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { MOST = 1 << 20, MOST_CLIENTS = 512, MOST_CODES = 600 };

typedef struct load {
    int port, clients;
    double seconds, rate, begun;
    char *request;
    size_t request_size;
    pthread_mutex_t lock;
    double *latencies;
    size_t count;
    size_t codes[MOST_CODES]; /* 0: no answer */
} load;

typedef struct client {
    load *all;
    int number;
} client;

static int connect_to(int port) {
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    int one = 1, s = socket(AF_INET, SOCK_STREAM, 0);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (s < 0 || connect(s, (struct sockaddr *)&address, sizeof address) != 0) {
        perror("load");
        exit(1);
    }
    setsockopt(s, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    return s;
}

/* Sends the request and reads its answer; the status, 0 if there is none. */
static int exchange(const load *all, int s) {
    char data[65536], *blank = NULL;
    size_t sent = 0, have = 0, want = sizeof data;
    int code = 0;
    while (sent < all->request_size) {
        ssize_t n = send(s, all->request + sent, all->request_size - sent, MSG_NOSIGNAL);
        if (n <= 0)
            return 0;
        sent += (size_t)n;
    }
    while (have < want) {
        ssize_t n = recv(s, data + have, sizeof data - 1 - have, 0);
        if (n <= 0)
            return 0;
        have += (size_t)n;
        data[have] = '\0';
        if (blank || !(blank = strstr(data, "\r\n\r\n")))
            continue;
        const char *length = strcasestr(data, "\r\nContent-Length:");
        want = (size_t)(blank - data) + 4 + (length ? strtoul(length + 17, NULL, 10) : 0);
        code = atoi(data + 9);
    }
    return code > 0 && code < MOST_CODES ? code : 0;
}

static void sleep_until(double when) {
    struct timespec t = mm_until(when);
    clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &t, NULL);
}

static void *client_main(void *argument) {
    const client *c = argument;
    load *all = c->all;
    int s = connect_to(all->port);
    double step = all->rate > 0 ? all->clients / all->rate : 0;
    double due = all->begun + step * c->number / all->clients;
    while (mm_now() < all->begun + all->seconds) {
        if (step > 0)
            sleep_until(due);
        double from = step > 0 ? due : mm_now();
        int code = exchange(all, s);
        double took = mm_now() - from;
        due += step;
        if (code == 0) {
            close(s);
            s = connect_to(all->port);
        }
        pthread_mutex_lock(&all->lock);
        all->codes[code]++;
        if (code == 200 && all->count < MOST)
            all->latencies[all->count++] = took;
        pthread_mutex_unlock(&all->lock);
    }
    close(s);
    return NULL;
}

static int compare(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static void print(load *all, double seconds) {
    qsort(all->latencies, all->count, sizeof *all->latencies, compare);
    printf("%d clients, %.1f s: %.1f /s", all->clients, seconds, (double)all->count / seconds);
    static const double shares[] = {0.5, 0.95, 0.99};
    for (int i = 0; i < 3 && all->count > 0; i++)
        printf("  p%g %.1f ms", 100 * shares[i],
               1e3 * all->latencies[(size_t)(shares[i] * (double)(all->count - 1))]);
    for (int code = 0; code < MOST_CODES; code++)
        if (all->codes[code])
            printf("  %d: %zu", code, all->codes[code]);
    printf("\n");
}

static int prepare(load *all, const char *path, const char *picture) {
    uint8_t *data;
    size_t size;
    mmood_error error;
    if (mm_file_read(&data, &size, picture, (size_t)64 << 20, &error) != MMOOD_OK) {
        fprintf(stderr, "load: %s: %s\n", picture, error.message);
        return 0;
    }
    all->request = malloc(size + 1024);
    all->latencies = malloc(MOST * sizeof *all->latencies);
    if (!all->request || !all->latencies)
        return 0;
    int n = snprintf(all->request, 1024,
                     "POST %.500s HTTP/1.1\r\nHost: localhost\r\nContent-Type: "
                     "application/octet-stream\r\nContent-Length: %zu\r\n\r\n",
                     path, size);
    memcpy(all->request + n, data, size);
    all->request_size = (size_t)n + size;
    free(data);
    return 1;
}

int main(int argc, char **argv) {
    load all = {.clients = 16, .seconds = 5};
    client clients[MOST_CLIENTS];
    pthread_t threads[MOST_CLIENTS];
    for (int i = 4; i + 1 < argc; i += 2) {
        if (strcmp(argv[i], "--clients") == 0)
            all.clients = atoi(argv[i + 1]);
        else if (strcmp(argv[i], "--seconds") == 0)
            all.seconds = atof(argv[i + 1]);
        else if (strcmp(argv[i], "--rate") == 0)
            all.rate = atof(argv[i + 1]);
    }
    if (argc < 4 || all.clients < 1 || all.clients > MOST_CLIENTS) {
        fprintf(stderr, "usage: load PORT PATH PICTURE [--clients N] [--seconds S] [--rate R]\n");
        return 2;
    }
    all.port = atoi(argv[1]);
    if (!prepare(&all, argv[2], argv[3]))
        return 1;
    pthread_mutex_init(&all.lock, NULL);
    all.begun = mm_now();
    for (int i = 0; i < all.clients; i++) {
        clients[i] = (client){&all, i};
        if (pthread_create(&threads[i], NULL, client_main, &clients[i]) != 0)
            return 1;
    }
    for (int i = 0; i < all.clients; i++)
        pthread_join(threads[i], NULL);
    print(&all, mm_now() - all.begun);
    free(all.request);
    free(all.latencies);
    return 0;
}
