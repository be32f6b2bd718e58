/* server.c - the daemon: listening, connections that take too long, reloading, ending. */
#include "serve/server.h"

#include "base/clock.h"
#include "base/error.h"
#include "base/sha256.h"
#include "base/text.h"
#include "serve/server_internal.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* Seconds for which the server, told to end, takes connections whose opening has begun, and keeps
 * idle ones: a request may be on its way. */
static const double drain_grace = 0.25;

mm_server_options mm_server_options_default(void) {
    mm_server_options options = {.listen = "127.0.0.1:8080",
                                 .body_limit = (size_t)32 << 20,
                                 .connections = 512,
                                 .head_timeout = 10,
                                 .body_timeout = 30,
                                 .deadline = 10,
                                 .crew = {.image = mmood_image_options_default(),
                                          .batch = 32,
                                          .wait = 0.002,
                                          .queue = 256,
                                          .items = 64}};
    options.crew.image.max_pixels = 50000000;
    return options;
}

/* ---- Listening ----------------------------------------------------------------------------- */

/* Splits "[::1]:8080", "127.0.0.1:8080" or ":8080". */
static mmood_status split(char *host, size_t room, const char **port, const char *listen,
                          mmood_error *error) {
    const char *colon = strrchr(listen, ':');
    size_t n = colon ? (size_t)(colon - listen) : 0;
    const char *from = listen;
    if (n >= 2 && listen[0] == '[' && listen[n - 1] == ']') {
        from++;
        n -= 2;
    } else if (n && memchr(listen, ':', n)) {
        colon = NULL;
    }
    /* getaddrinfo takes 65536 for 0, and so on. */
    size_t digits = colon ? strspn(colon + 1, "0123456789") : 0;
    if (digits == 0 || digits > 5 || colon[1 + digits] || atoi(colon + 1) > 65535 || n >= room)
        return mm_error_set(error, MMOOD_ERROR_ARGUMENT,
                            "\"%s\" is no address to listen at; expected such as 127.0.0.1:8080, "
                            "[::1]:8080 or :8080, with a port from 0 to 65535",
                            listen);
    memcpy(host, from, n);
    host[n] = '\0';
    *port = colon + 1;
    return MMOOD_OK;
}

/* "http://127.0.0.1:8080" of a bound socket. */
static void describe(char *out, size_t room, int s) {
    struct sockaddr_storage address;
    socklen_t size = sizeof address;
    char host[64] = "", port[16] = "";
    if (getsockname(s, (struct sockaddr *)&address, &size) == 0)
        getnameinfo((struct sockaddr *)&address, size, host, sizeof host, port, sizeof port,
                    NI_NUMERICHOST | NI_NUMERICSERV);
    snprintf(out, room, strchr(host, ':') ? "http://[%s]:%s" : "http://%s:%s", host, port);
}

static mmood_status open_socket(int *out, const char *listen_at, mmood_error *error) {
    char host[256];
    const char *port = NULL;
    struct addrinfo *found,
        hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE | AI_NUMERICSERV};
    mmood_status status = split(host, sizeof host, &port, listen_at, error);
    if (status != MMOOD_OK)
        return status;
    int code = getaddrinfo(host[0] ? host : NULL, port, &hints, &found);
    if (code != 0)
        return mm_error_set(error, MMOOD_ERROR_ARGUMENT, "\"%s\" is no address to listen at: %s",
                            listen_at, gai_strerror(code));
    int one = 1;
    int s = socket(found->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (s >= 0)
        setsockopt(s, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    int failed = s < 0 || bind(s, found->ai_addr, found->ai_addrlen) != 0 || listen(s, 511) != 0;
    int why = errno;
    freeaddrinfo(found);
    if (failed) {
        if (s >= 0)
            close(s);
        return mm_error_set(error, MMOOD_ERROR_IO, "cannot listen at %s: %s", listen_at,
                            strerror(why));
    }
    *out = s;
    return MMOOD_OK;
}

static mmood_status start_daemon(mm_server *server, mmood_error *error) {
    int s = -1;
    mmood_status status = open_socket(&s, server->options.listen, error);
    if (status != MMOOD_OK)
        return status;
    describe(server->url, sizeof server->url, s);
    /* The daemon counts a connection a moment longer than we know of it, and closes what is handed
     * to it beyond its limit: so that limit is a little above ours. */
    server->daemon = MHD_start_daemon(
        MHD_USE_EPOLL_INTERNAL_THREAD | MHD_ALLOW_SUSPEND_RESUME, 0, NULL, NULL, mm_http_handle,
        server, MHD_OPTION_LISTEN_SOCKET, s, MHD_OPTION_NOTIFY_COMPLETED, mm_http_completed, server,
        MHD_OPTION_NOTIFY_CONNECTION, mm_http_connected, server, MHD_OPTION_CONNECTION_LIMIT,
        (unsigned)server->options.connections + MM_HANDED, MHD_OPTION_CONNECTION_TIMEOUT,
        (unsigned)(server->options.body_timeout + 1), MHD_OPTION_CONNECTION_MEMORY_LIMIT,
        (size_t)65536, MHD_OPTION_STRICT_FOR_CLIENT, 1, MHD_OPTION_END);
    if (server->daemon)
        return MMOOD_OK;
    close(s);
    return mm_error_set(
        error, MMOOD_ERROR_IO,
        "the HTTP daemon for %s cannot be started: is the limit of open files below "
        "%zu?",
        server->url, server->options.connections);
}

mmood_status mm_server_create(mm_server **out, const mmood_model *model,
                              const mm_server_options *options, mmood_error *error) {
    *out = NULL;
    mm_server *server = calloc(1, sizeof *server);
    if (!server)
        return mm_error_set(error, MMOOD_ERROR_MEMORY, "no memory for the server");
    server->options = *options;
    server->model = model;
    server->listening = -1;
    server->body_budget = 8 * options->body_limit;
    if (server->body_budget < (size_t)256 << 20)
        server->body_budget = (size_t)256 << 20;
    mmood_model_describe(model, &server->model_info);
    pthread_mutex_init(&server->peers_lock, NULL);
    mm_metrics_init(&server->metrics);
    if (options->token) {
        mm_sha256_of(server->token_hash, options->token, strlen(options->token));
    }
    mmood_status status = mm_fleet_open(&server->fleet, options->paths, options->path_count, model,
                                        &options->crew.image, options->crew.threads, error);
    server->fleet_opened = 1;
    if (status == MMOOD_OK)
        status = mm_crew_create(&server->crew, model, &options->crew, &server->metrics, error);
    if (status == MMOOD_OK)
        status = start_daemon(server, error);
    if (status != MMOOD_OK) {
        mm_server_free(server);
        return status;
    }
    *out = server;
    return MMOOD_OK;
}

const char *mm_server_url(const mm_server *server) {
    return server->url;
}

/* ---- Connections --------------------------------------------------------------------------- */

/* The daemon has begun with the connection, or refused it. With the lock. */
static void forget_handed(mm_server *server, int socket) {
    for (size_t i = 0; i < server->handed_count; i++)
        if (server->handed[i] == socket) {
            server->handed[i] = server->handed[--server->handed_count];
            return;
        }
}

void mm_http_connected(void *context, struct MHD_Connection *connection, void **socket_context,
                       enum MHD_ConnectionNotificationCode what) {
    mm_server *server = context;
    mm_peer *peer = *socket_context;
    pthread_mutex_lock(&server->peers_lock);
    if (what == MHD_CONNECTION_NOTIFY_STARTED && (peer = calloc(1, sizeof *peer))) {
        const union MHD_ConnectionInfo *info =
            MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD);
        *peer = (mm_peer){.next = server->peers,
                          .socket = info ? info->connect_fd : -1,
                          .state = PEER_NEW,
                          .since = mm_now()};
        if (server->peers)
            server->peers->previous = peer;
        server->peers = peer;
        server->peer_count++;
        forget_handed(server, peer->socket);
        *socket_context = peer;
    } else if (what == MHD_CONNECTION_NOTIFY_CLOSED && peer) {
        if (peer->next)
            peer->next->previous = peer->previous;
        if (peer->previous)
            peer->previous->next = peer->next;
        else
            server->peers = peer->next;
        server->peer_count--;
        free(peer);
        *socket_context = NULL;
    }
    pthread_mutex_unlock(&server->peers_lock);
}

void mm_peer_set(mm_server *server, mm_peer *peer, mm_peer_state state) {
    if (!peer)
        return;
    pthread_mutex_lock(&server->peers_lock);
    peer->state = state;
    peer->since = mm_now();
    peer->ended = 0;
    pthread_mutex_unlock(&server->peers_lock);
}

/* Packets that have come over more than 255 - `hops` routers are dropped; 0: none. */
static int set_hops(int s, int hops) {
#ifdef IP_MINTTL
    int four = setsockopt(s, IPPROTO_IP, IP_MINTTL, &hops, sizeof hops) == 0;
    int six = setsockopt(s, IPPROTO_IPV6, IPV6_MINHOPCOUNT, &hops, sizeof hops) == 0;
    return four || six;
#else
    (void)s, (void)hops;
    return 0;
#endif
}

/* The system completes connections that nobody has accepted yet, so between the last accept() and
 * close() there may always be one more, whose request would be lost. Packets start with far fewer
 * than 255 hops to go, so when a listening socket asks for as many, Linux drops the first packet of
 * a new connection (the client sends it again after a second, and finds the port closed, or the
 * next server), while those whose opening has begun become complete. They inherit the setting, and
 * what they drop of a request until it is undone comes again soon. A filter of packets would do the
 * same, but is not for every user. Systems that know no such setting are left with that moment. */
static void refuse_new(mm_server *server) {
    server->refuses = set_hops(server->listening, 255);
}

static void stop_listening(mm_server *server) {
    if (server->listening >= 0)
        close(server->listening);
    server->listening = -1;
}

/* Hands connections that are complete to the daemon, which no longer listens itself, as long as it
 * has room for them. When none has been left for long enough, the socket is closed. */
static void take_last(mm_server *server) {
    for (;;) {
        struct sockaddr_storage address;
        socklen_t size = sizeof address;
        pthread_mutex_lock(&server->peers_lock);
        int full = server->handed_count == MM_HANDED ||
                   server->peer_count + server->handed_count >= server->options.connections;
        pthread_mutex_unlock(&server->peers_lock);
        if (full && server->refuses)
            return;
        if (full)
            break; /* where new ones go on coming there may be no end of them */
        int s = accept(server->listening, (struct sockaddr *)&address, &size);
        if (s < 0 && (errno == EINTR || errno == ECONNABORTED))
            continue;
        if (s < 0 && errno != EAGAIN)
            return; /* no descriptor, no memory: after some answers there are */
        if (s < 0)
            break;
        set_hops(s, 0);
        pthread_mutex_lock(&server->peers_lock);
        server->handed[server->handed_count++] = s;
        server->handed_at = mm_now();
        pthread_mutex_unlock(&server->peers_lock);
        if (MHD_add_connection(server->daemon, s, (struct sockaddr *)&address, size) == MHD_YES)
            continue;
        pthread_mutex_lock(&server->peers_lock);
        forget_handed(server, s);
        pthread_mutex_unlock(&server->peers_lock);
    }
    if (mm_now() - server->drained_at > drain_grace)
        stop_listening(server);
}

void mm_server_tick(mm_server *server) {
    static const char late[] = "HTTP/1.1 408 Request Timeout\r\nContent-Length: 0\r\n"
                               "Connection: close\r\n\r\n";
    double now = mm_now();
    int draining = atomic_load(&server->draining);
    if (server->listening >= 0)
        take_last(server);
    pthread_mutex_lock(&server->peers_lock);
    for (mm_peer *peer = server->peers; peer; peer = peer->next) {
        double waited = now - peer->since;
        int sending = peer->state == PEER_SENDING;
        double limit = sending ? server->options.body_timeout : server->options.head_timeout;
        if (draining && peer->state == PEER_IDLE) {
            waited = now - server->drained_at;
            limit = drain_grace;
        }
        if (peer->state == PEER_ANSWERING || peer->socket < 0)
            continue;
        /* The daemon does not see an end that came together with the last bytes before it, and
         * would keep such connections until they time out. Seen twice, so that what the daemon has
         * just read is not taken from it. */
        char byte;
        ssize_t unread = recv(peer->socket, &byte, 1, MSG_PEEK | MSG_DONTWAIT);
        int left = unread == 0 && ++peer->ended >= 2;
        if (!left && waited <= limit)
            continue;
        if (unread > 0 && peer->state == PEER_IDLE)
            continue;           /* the next request has just come */
        if (sending && !left) { /* nothing of an answer has been sent yet, so this can be one */
            send(peer->socket, late, sizeof late - 1, MSG_DONTWAIT | MSG_NOSIGNAL);
            mm_metrics_trouble(&server->metrics, MM_TROUBLE_TIMEOUT);
        }
        shutdown(peer->socket, SHUT_RDWR); /* the daemon sees the end and closes it */
        peer->state = PEER_ANSWERING;
    }
    pthread_mutex_unlock(&server->peers_lock);
}

/* ---- Log ----------------------------------------------------------------------------------- */

void mm_server_log(mm_server *server, const mm_buffer *line) {
    if (server->options.log && line->data && !line->failed)
        server->options.log(server->options.context, line->data);
}

static void report_reload(void *context, const char *name, const mmood_error *error) {
    mm_server *server = context;
    mm_buffer line = {0};
    mm_metrics_reload(&server->metrics, error != NULL);
    mm_buffer_puts(&line, error ? "{\"event\":\"reload refused\",\"detector\":"
                                : "{\"event\":\"reloaded\",\"detector\":");
    mm_json_text(&line, name);
    mm_buffer_puts(&line, ",\"error\":");
    mm_json_text(&line, error ? error->message : NULL);
    mm_buffer_puts(&line, "}");
    mm_server_log(server, &line);
    mm_buffer_free(&line);
}

size_t mm_server_reload(mm_server *server) {
    return mm_fleet_reload(&server->fleet, report_reload, server);
}

/* ---- Ending -------------------------------------------------------------------------------- */

void mm_server_drain(mm_server *server) {
    if (atomic_exchange(&server->draining, 1))
        return;
    pthread_mutex_lock(&server->peers_lock);
    server->drained_at = mm_now();
    pthread_mutex_unlock(&server->peers_lock);
    server->listening = MHD_quiesce_daemon(server->daemon);
    if (server->listening < 0)
        return;
    refuse_new(server);
    take_last(server);
}

size_t mm_server_busy(mm_server *server) {
    return atomic_load(&server->busy);
}

int mm_server_is_drained(mm_server *server) {
    pthread_mutex_lock(&server->peers_lock);
    int drained = server->listening < 0 && atomic_load(&server->busy) == 0 &&
                  (server->handed_count == 0 || mm_now() - server->handed_at > drain_grace);
    /* Requests on their way. */
    for (const mm_peer *peer = server->peers; peer && drained; peer = peer->next)
        drained = peer->state != PEER_NEW && peer->state != PEER_IDLE;
    pthread_mutex_unlock(&server->peers_lock);
    return drained;
}

void mm_server_free(mm_server *server) {
    if (!server)
        return;
    if (server->daemon) {
        mm_server_drain(server);
        stop_listening(server);
        atomic_store(&server->stopping, 1);
        mm_crew_abandon(server->crew);
        pthread_mutex_lock(&server->peers_lock);
        for (mm_peer *peer = server->peers; peer; peer = peer->next)
            if (peer->state != PEER_ANSWERING && peer->socket >= 0)
                shutdown(peer->socket, SHUT_RDWR);
        pthread_mutex_unlock(&server->peers_lock);
        /* Connections that wait for the crew have to be woken before the daemon may stop: the
         * crew does so as it hurries through what it has. */
        while (atomic_load(&server->waiting) > 0)
            poll(NULL, 0, 5);
        for (int i = 0; i < 100 && atomic_load(&server->busy) > 0; i++)
            poll(NULL, 0, 5); /* answers on their way out */
        MHD_stop_daemon(server->daemon);
    }
    mm_crew_free(server->crew);
    if (server->fleet_opened)
        mm_fleet_free(&server->fleet);
    pthread_mutex_destroy(&server->peers_lock);
    pthread_mutex_destroy(&server->metrics.lock);
    free(server);
}
