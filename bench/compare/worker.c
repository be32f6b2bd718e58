/* worker.c - answers bench/compare/run.py on behalf of one peer. */
#include "worker.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

double bench_worker_now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

/* The most memory this program has had. Not ru_maxrss, which begins with the parent's. */
static long peak_kib(void) {
    char line[256];
    long kib = 0;
    FILE *file = fopen("/proc/self/status", "r");
    while (file && fgets(line, sizeof line, file))
        if (sscanf(line, "VmHWM: %ld", &kib) == 1)
            break;
    if (file)
        fclose(file);
    return kib;
}

void *bench_worker_bytes(const char *path, size_t *size) {
    FILE *file = fopen(path, "rb");
    char *data = NULL;
    size_t room = 0;
    *size = 0;
    if (!file)
        return NULL;
    for (;;) {
        if (room - *size < 2) {
            room = room ? 2 * room : 65536;
            char *larger = realloc(data, room);
            if (!larger)
                break;
            data = larger;
        }
        size_t got = fread(data + *size, 1, room - *size - 1, file);
        if (got == 0) {
            data[*size] = 0;
            fclose(file);
            return data;
        }
        *size += got;
    }
    free(data);
    fclose(file);
    return NULL;
}

char **bench_worker_lines(const char *path, size_t *count) {
    size_t size, lines = 0;
    char *data = bench_worker_bytes(path, &size);
    if (!data)
        return NULL;
    for (size_t i = 0; i < size; i++)
        lines += data[i] == '\n';
    char **out = malloc((lines + 1) * sizeof *out);
    if (!out)
        return NULL;
    *count = 0;
    for (char *line = strtok(data, "\n"); line; line = strtok(NULL, "\n"))
        out[(*count)++] = line;
    return out;
}

static int run(bench_worker *worker, size_t n, double least, float *out) {
    static size_t warm;
    if (warm != n && !worker->embed(worker, n < 1000 ? n : 1000, out))
        return 0;
    warm = n;
    double begin = bench_worker_now(), elapsed;
    size_t items = 0;
    do {
        if (!worker->embed(worker, n, out))
            return 0;
        items += n;
        elapsed = bench_worker_now() - begin;
    } while (elapsed < least);
    printf("%zu %.6f %ld\n", items, elapsed, peak_kib());
    return 1;
}

static int save(bench_worker *worker, size_t n, const char *path, float *out) {
    FILE *file = fopen(path, "wb");
    int ok = file && worker->embed(worker, n, out) &&
             fwrite(out, worker->dimension * sizeof *out, n, file) == n;
    if (file && fclose(file) != 0)
        ok = 0;
    if (ok)
        printf("ok %zu %ld\n", worker->dimension, peak_kib());
    return ok;
}

int bench_worker_serve(bench_worker *worker, double started) {
    char line[4096], path[4000];
    size_t n;
    double least;
    float *out = malloc(worker->count * worker->dimension * sizeof *out);
    int ok = out != NULL;
    printf("ready %.3f %ld\n", bench_worker_now() - started, peak_kib());
    fflush(stdout);
    while (ok && fgets(line, sizeof line, stdin)) {
        if (sscanf(line, "run %zu %lf", &n, &least) == 2 && n >= 1 && n <= worker->count)
            ok = run(worker, n, least, out);
        else if (sscanf(line, "write %zu %3999[^\n]", &n, path) == 2 && n <= worker->count)
            ok = save(worker, n, path, out);
        else
            ok = 0;
        fflush(stdout);
    }
    free(out);
    return ok ? 0 : 1;
}
