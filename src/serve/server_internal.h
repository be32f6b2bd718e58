/* server_internal.h - what server.c (the daemon), http.c (requests) and documents.c (what GET
 * answers) share. */
#ifndef MM_SERVE_SERVER_INTERNAL_H
#define MM_SERVE_SERVER_INTERNAL_H

#include "serve/server.h"

#include <microhttpd.h>

typedef enum mm_route {
    MM_ROUTE_DETECT, /* metrics.c measures route 0 */
    MM_ROUTE_DETECTOR,
    MM_ROUTE_DETECTORS,
    MM_ROUTE_STATS,
    MM_ROUTE_HEALTH,
    MM_ROUTE_READY,
    MM_ROUTE_METRICS,
    MM_ROUTE_PAGE,
    MM_ROUTE_OPENAPI,
    MM_ROUTE_NONE
} mm_route;

extern const char *const mm_route_names[];

typedef enum mm_peer_state { PEER_NEW, PEER_IDLE, PEER_SENDING, PEER_ANSWERING } mm_peer_state;

/* A client's connection. `since`: when it began to wait for a request or for the request's body. */
typedef struct mm_peer {
    struct mm_peer *next, *previous;
    int socket;
    mm_peer_state state;
    double since;
    int ended; /* ticks that saw the client's end of the connection closed */
} mm_peer;

enum { MM_HANDED = 8 };

struct mm_server {
    mm_server_options options;
    const mmood_model *model;
    mmood_model_info model_info;
    mm_fleet fleet;
    int fleet_opened;
    mm_metrics metrics;
    mm_crew *crew;
    struct MHD_Daemon *daemon;
    int listening; /* the socket, from when the daemon has given it back until it is closed, or -1
                    */
    int refuses;   /* `listening` lets no new connection begin */
    char url[128];
    char token_hash[65];
    atomic_int draining;
    atomic_int stopping; /* no request waits for the crew any more */
    double drained_at;
    atomic_size_t busy;       /* exchanges */
    atomic_size_t waiting;    /* jobs that the crew has */
    atomic_size_t body_bytes; /* held by bodies */
    size_t body_budget;
    atomic_llong
        ready_until; /* milliseconds of mm_now: when the model was last seen to run, + 1 s */
    pthread_mutex_t peers_lock;
    mm_peer *peers;
    size_t peer_count;
    int handed[MM_HANDED]; /* connections that the daemon was given and has not begun with yet */
    size_t handed_count;
    double handed_at; /* the last of them */
};

/* One request and its answer; counted by references: the connection's, and the crew's. */
typedef struct mm_exchange {
    mm_server *server;
    struct MHD_Connection *connection;
    mm_peer *peer;
    atomic_int references;
    mm_route route;
    double begun;
    char *url;
    char method[16];
    size_t received;
    int too_large;
    int no_room;
    int misframed; /* what follows on the connection may be no request */
    int submitted;
    int code; /* of the answer; 0 before */
    size_t sent;
    mm_job job;
    int stream;
    pthread_mutex_t lock; /* for what follows, which the crew's threads change: */
    int suspended;
    int taken;
    int done;
    mm_buffer rows; /* of a stream, not yet sent */
    size_t rows_at;
} mm_exchange;

/* The callbacks of the daemon. */
enum MHD_Result mm_http_handle(void *server, struct MHD_Connection *connection, const char *url,
                               const char *method, const char *version, const char *data,
                               size_t *size, void **exchange);
void mm_http_completed(void *server, struct MHD_Connection *connection, void **exchange,
                       enum MHD_RequestTerminationCode why);
void mm_http_connected(void *server, struct MHD_Connection *connection, void **peer,
                       enum MHD_ConnectionNotificationCode what);

/* What the connection does now. */
void mm_peer_set(mm_server *server, mm_peer *peer, mm_peer_state state);

/* A line of JSON for the log. */
void mm_server_log(mm_server *server, const mm_buffer *line);

/* Documents. */
void mm_document_detector(mm_buffer *out, const mm_server *server, const mm_served *served);
void mm_document_detectors(mm_buffer *out, mm_server *server);
void mm_document_metrics(mm_buffer *out, mm_server *server);

/* Files embedded in the program. */
extern const unsigned char mm_embedded_page[];
extern const size_t mm_embedded_page_size;
extern const unsigned char mm_embedded_openapi[];
extern const size_t mm_embedded_openapi_size;

#endif
