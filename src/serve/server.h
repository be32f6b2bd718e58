/* server.h - detectors over HTTP. The caller's thread calls mm_server_tick every now and then and
 * decides when to reload and to end; everything else happens in threads of the server's own. */
#ifndef MM_SERVE_SERVER_H
#define MM_SERVE_SERVER_H

#include "serve/crew.h"

typedef struct mm_server mm_server;

typedef struct mm_server_options {
    const char *listen;       /* "ADDRESS:PORT", "[IPv6]:PORT" or ":PORT"; port 0: any free one */
    const char *const *paths; /* detector files */
    size_t path_count;
    const char *token; /* what "Authorization: Bearer" has to say; NULL: nothing */
    size_t body_limit; /* bytes */
    size_t connections;
    double head_timeout; /* seconds until a connection has sent the head of a request */
    double body_timeout; /* and then its body */
    double deadline;     /* from then on until the answer begins */
    mm_crew_options crew;
    /* A line of JSON for the log, without its newline; called from several threads; or NULL. */
    void (*log)(void *context, const char *line);
    void *context;
} mm_server_options;

/* 32 MB bodies, 64 pictures a request, 256 in the queue, 512 connections, batches of 32 within 2
 * ms; 127.0.0.1:8080. */
mm_server_options mm_server_options_default(void);

/* Opens the detectors and listens. Strings of `options` and `model` stay until the server is freed.
 */
mmood_status mm_server_create(mm_server **out, const mmood_model *model,
                              const mm_server_options *options, mmood_error *error);

/* "http://ADDRESS:PORT" where it listens. */
const char *mm_server_url(const mm_server *server);

/* Ends connections that take too long, and takes the last ones after mm_server_drain. To be called
 * some times a second, then some times more, by the thread that drains and frees the server. */
void mm_server_tick(mm_server *server);

/* Reads the detector files again; how many were refused. The log says which and why. */
size_t mm_server_reload(mm_server *server);

/* Takes no new connections; those that are there, or whose opening has begun, are answered and then
 * closed. */
void mm_server_drain(mm_server *server);

/* Requests under way. */
size_t mm_server_busy(mm_server *server);

/* Whether all is done after mm_server_drain: nobody is connected who has no answer. */
int mm_server_is_drained(mm_server *server);

/* Ends what is still under way with an error, and everything. */
void mm_server_free(mm_server *server);

#endif
