/* cmd_serve.c - mmood serve: detectors over HTTP, until a signal ends it. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE /* SOCK_CLOEXEC, mallopt */
#endif
#include "cli/detectors.h"

#include "base/clock.h"
#include "base/file.h"
#include "serve/server.h"

#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>
#ifdef __GLIBC__
#include <malloc.h>
#endif

static const char usage[] =
    "usage: mmood serve DETECTOR... [--listen 127.0.0.1:8080] [OPTION]...\n\n"
    "Judges pictures over HTTP: POST a picture, several as multipart/form-data, or JSON to "
    "/v1/detect,\n"
    "or /v1/detect/NAME for one of several detectors, named as their files. A page to try it is at "
    "/.\n"
    "SIGTERM finishes what is under way and ends, a second one ends at once; SIGHUP reads the "
    "detector files again.\n\n"
    "example: mmood serve food.mmood --listen 0.0.0.0:8080 --token-file token\n";

typedef struct settings {
    common_options common;
    mm_server_options server;
    const char *token_file;
    const char *access_log;
    double wait; /* milliseconds */
    uint64_t body;
    int connections, batch, queue, items;
    double shutdown;
    char *token;
    FILE *log;
} settings;

/* ---- Settings ------------------------------------------------------------------------------ */

static int check(settings *s) {
    mm_server_options *o = &s->server;
    if (s->batch < 0)
        s->batch = common_batch(&s->common);
    if (!option_in_range("max-body", (double)s->body, 1024, 1e9) ||
        !option_in_range("batch", s->batch, 1, 1024) ||
        !option_in_range("batch-wait", s->wait, 0, 10000) ||
        !option_in_range("queue", s->queue, 1, 100000) ||
        !option_in_range("max-items", s->items, 1, 10000) ||
        !option_in_range("connections", s->connections, 1, 100000) ||
        !option_in_range("deadline", o->deadline, 0.001, 3600) ||
        !option_in_range("head-timeout", o->head_timeout, 0.1, 3600) ||
        !option_in_range("body-timeout", o->body_timeout, 0.1, 3600) ||
        !option_in_range("shutdown-timeout", s->shutdown, 0, 3600))
        return 0;
    if (s->items > s->queue) {
        cli_error("option --max-items: %d pictures of a request never fit a queue of %d (--queue)",
                  s->items, s->queue);
        return 0;
    }
    o->body_limit = (size_t)s->body;
    o->connections = (size_t)s->connections;
    o->crew.wait = s->wait / 1000;
    o->crew.batch = (size_t)s->batch;
    o->crew.queue = (size_t)s->queue;
    o->crew.items = (size_t)s->items;
    o->crew.threads = s->common.threads;
    return common_image_options(&o->crew.image, &s->common);
}

/* The first line of the file; 0 after a message. */
static int read_token(settings *s) {
    mmood_error error;
    uint8_t *data;
    size_t size;
    if (!s->token_file)
        return 1;
    if (mm_file_read(&data, &size, s->token_file, 65536, &error) != MMOOD_OK) {
        cli_error("%s: %s", s->token_file, error.message);
        return 0;
    }
    s->token = (char *)data;
    s->token[strcspn(s->token, "\r\n")] = '\0';
    s->server.token = s->token;
    if (s->token[0])
        return 1;
    cli_error("%s: the first line is empty; expected a token", s->token_file);
    return 0;
}

static void write_log(void *context, const char *line) {
    settings *s = context;
    flockfile(s->log);
    fputs(line, s->log);
    putc_unlocked('\n', s->log);
    fflush(s->log);
    funlockfile(s->log);
}

static int open_log(settings *s) {
    if (!s->access_log || strcmp(s->access_log, "none") == 0)
        return 1;
    s->log = strcmp(s->access_log, "-") == 0 ? stdout : fopen(s->access_log, "ae");
    if (!s->log) {
        cli_error("%s: the log cannot be opened for writing", s->access_log);
        return 0;
    }
    s->server.log = write_log;
    s->server.context = s;
    return 1;
}

/* ---- Running ------------------------------------------------------------------------------- */

/* Tells systemd, if it started us (Type=notify). */
static void tell_systemd(const char *state) {
    const char *path = getenv("NOTIFY_SOCKET");
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    if (!path || !path[0] || strlen(path) >= sizeof address.sun_path)
        return;
    memcpy(address.sun_path, path, strlen(path));
    if (address.sun_path[0] == '@')
        address.sun_path[0] = '\0';
    socklen_t size = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + strlen(path));
    int s = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (s < 0)
        return;
    sendto(s, state, strlen(state), MSG_NOSIGNAL, (struct sockaddr *)&address, size);
    close(s);
}

static void reload(mm_server *server, cli_talk talk) {
    char state[64];
    snprintf(state, sizeof state, "RELOADING=1\nMONOTONIC_USEC=%.0f", floor(1e6 * mm_now()));
    tell_systemd(state);
    size_t refused = mm_server_reload(server);
    if (refused > 0)
        cli_error("%zu detectors could not be replaced: the old ones go on, the log says why",
                  refused);
    else
        cli_note(talk, "the detectors are up to date");
    tell_systemd("READY=1");
}

/* Until a signal ends it; an exit code. */
static int run(mm_server *server, const settings *s, const sigset_t *signals) {
    cli_talk talk = common_talk(&s->common);
    double end = INFINITY;
    for (;;) {
        const struct timespec pause = {.tv_nsec = isfinite(end) ? 10000000 : 100000000};
        int number = sigtimedwait(signals, NULL, &pause);
        mm_server_tick(server);
        if (number == SIGHUP && !isfinite(end)) {
            reload(server, talk);
        } else if (number == SIGTERM || number == SIGINT) {
            if (isfinite(end)) {
                size_t busy = mm_server_busy(server);
                if (busy == 0)
                    return EXIT_DONE;
                cli_error("ended at once by a second signal, with %zu requests under way", busy);
                return EXIT_FATAL;
            }
            end = mm_now() + s->shutdown;
            tell_systemd("STOPPING=1");
            mm_server_drain(server);
            cli_note(talk, "finishing %zu requests", mm_server_busy(server));
        }
        if (!isfinite(end))
            continue;
        if (mm_server_is_drained(server))
            return EXIT_DONE;
        if (mm_now() >= end) {
            size_t busy = mm_server_busy(server);
            if (busy == 0)
                return EXIT_DONE;
            cli_error("%zu requests did not end within %g s (--shutdown-timeout)", busy,
                      s->shutdown);
            return EXIT_FATAL;
        }
    }
}

static int serve(settings *s, size_t count, char **paths) {
    opened_detector opened;
    mm_server *server;
    mmood_error error;
    sigset_t signals;
    sigemptyset(&signals);
    sigaddset(&signals, SIGTERM);
    sigaddset(&signals, SIGINT);
    sigaddset(&signals, SIGHUP);
    /* All threads inherit this, so that only `run` sees them. */
    pthread_sigmask(SIG_BLOCK, &signals, NULL);
#ifdef __GLIBC__
    /* Bodies and pictures go straight back to the system, and threads share their heaps: without
     * this, memory creeps up with the sizes that have been seen. */
    mallopt(M_MMAP_THRESHOLD, 256 << 10);
    mallopt(M_ARENA_MAX, 4);
#endif
    if (count > 1)
        detectors_choose_precision(&s->common, paths, count);
    int code = detector_open(&opened, paths[0], &s->common);
    mmood_session_free(opened.session); /* the server has its own */
    opened.session = NULL;
    if (code == EXIT_DONE) {
        s->server.paths = (const char *const *)paths;
        s->server.path_count = count;
        if (mm_server_create(&server, opened.model, &s->server, &error) != MMOOD_OK) {
            code = cli_fail(&error);
        } else {
            cli_note(common_talk(&s->common), "listening at %s", mm_server_url(server));
            tell_systemd("READY=1");
            code = run(server, s, &signals);
            mm_server_free(server);
        }
    }
    detector_close(&opened);
    return code;
}

int cmd_serve(int argc, char **argv) {
    settings s = {.common = common_options_default(),
                  .server = mm_server_options_default(),
                  .access_log = "-",
                  .wait = 2,
                  .body = (uint64_t)32 << 20,
                  .connections = 512,
                  .batch = -1,
                  .queue = 256,
                  .items = 64,
                  .shutdown = 30};
    int count;
    s.common.max_pixels = s.server.crew.image.max_pixels;
    const option table[] = {
        {"listen", 0, OPTION_TEXT, &s.server.listen, "A:P",
         "where to listen; default 127.0.0.1:8080; port 0 is any free one"},
        {"token-file", 0, OPTION_TEXT, &s.token_file, "FILE",
         "clients must send the token on its first line"},
        {"batch", 0, OPTION_COUNT, &s.batch, "N",
         "pictures that the model takes at a time; default 32, or twice the threads"},
        {"batch-wait", 0, OPTION_NUMBER, &s.wait, "MS",
         "milliseconds that a picture waits for others; default 2"},
        {"queue", 0, OPTION_COUNT, &s.queue, "N",
         "pictures under way, above which clients are told to come later; default 256"},
        {"deadline", 0, OPTION_NUMBER, &s.server.deadline, "S",
         "seconds to answer a request in; default 10"},
        {"max-body", 0, OPTION_SIZE, &s.body, "BYTES", "largest body; default 33554432"},
        {"max-items", 0, OPTION_COUNT, &s.items, "N", "pictures of a request; default 64"},
        {"connections", 0, OPTION_COUNT, &s.connections, "N", "at a time; default 512"},
        {"head-timeout", 0, OPTION_NUMBER, &s.server.head_timeout, "S",
         "seconds for a request to begin; default 10"},
        {"body-timeout", 0, OPTION_NUMBER, &s.server.body_timeout, "S",
         "seconds for its body to come; default 30"},
        {"shutdown-timeout", 0, OPTION_NUMBER, &s.shutdown, "S",
         "seconds to finish requests in when told to end; default 30"},
        {"access-log", 0, OPTION_TEXT, &s.access_log, "FILE",
         "a line of JSON a request; - (default) is standard output, none is none"},
        {"model", 'm', OPTION_TEXT, &s.common.model, "MODEL", "where the detectors' model is now"},
        OPTION_THREADS(s.common),
        OPTION_PRECISION(s.common),
        OPTION_PICTURE(s.common),
        OPTION_CACHE(s.common),
        OPTION_TALK(s.common),
        OPTION_END};
    parse_result parsed = options_parse(table, usage, argc, argv, &count);
    if (parsed != PARSE_GO)
        return parsed == PARSE_DONE ? EXIT_DONE : EXIT_USAGE;
    if (count < 1) {
        cli_error("serve needs a detector; mmood build makes one");
        return EXIT_USAGE;
    }
    if (!check(&s))
        return EXIT_USAGE;
    int code = EXIT_FATAL;
    if (read_token(&s) && open_log(&s))
        code = serve(&s, (size_t)count, argv);
    if (s.log && s.log != stdout)
        fclose(s.log);
    free(s.token);
    return code;
}
