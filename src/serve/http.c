/* http.c - requests: which route, may it, its body, and its answer. The daemon's one thread runs
 * what is here, but for `notified`; while the crew works, the connection is suspended. */
#include "base/clock.h"
#include "base/error.h"
#include "base/sha256.h"
#include "base/text.h"
#include "serve/server_internal.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>

static const char json_type[] = "application/json", text_type[] = "text/plain; charset=utf-8";

/* Bytes over the limit that are read and dropped so that the client can read the answer: a client
 * that sends while its connection is closed may lose it. */
enum { SWALLOW = 16 << 20 };

/* ---- Exchanges ----------------------------------------------------------------------------- */

static void exchange_release(mm_exchange *x) {
    if (atomic_fetch_sub(&x->references, 1) > 1)
        return;
    atomic_fetch_sub(&x->server->body_bytes, x->job.data.size);
    mm_job_clear(&x->job);
    mm_served_release(x->job.served);
    mm_buffer_free(&x->rows);
    pthread_mutex_destroy(&x->lock);
    free(x->url);
    free(x);
}

static mm_exchange *exchange_create(mm_server *server, struct MHD_Connection *connection,
                                    const char *url, const char *method) {
    mm_exchange *x = calloc(1, sizeof *x);
    if (!x || !(x->url = strdup(url))) {
        free(x);
        return NULL;
    }
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(connection, MHD_CONNECTION_INFO_SOCKET_CONTEXT);
    x->server = server;
    x->connection = connection;
    x->peer = info ? info->socket_context : NULL;
    atomic_init(&x->references, 1);
    pthread_mutex_init(&x->lock, NULL);
    x->begun = mm_now();
    snprintf(x->method, sizeof x->method, "%s", method);
    atomic_fetch_add(&server->busy, 1);
    mm_peer_set(server, x->peer, PEER_SENDING);
    return x;
}

static const char *header(const mm_exchange *x, const char *name) {
    return MHD_lookup_connection_value(x->connection, MHD_HEADER_KIND, name);
}

static void log_exchange(const mm_exchange *x, int done) {
    char when[32] = "", client[64] = "";
    mm_buffer line = {0};
    struct tm parts;
    time_t now = time(NULL);
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(x->connection, MHD_CONNECTION_INFO_CLIENT_ADDRESS);
    if (info && info->client_addr && info->client_addr->sa_family == AF_INET)
        inet_ntop(AF_INET, &((const struct sockaddr_in *)(const void *)info->client_addr)->sin_addr,
                  client, sizeof client);
    else if (info && info->client_addr && info->client_addr->sa_family == AF_INET6)
        inet_ntop(AF_INET6,
                  &((const struct sockaddr_in6 *)(const void *)info->client_addr)->sin6_addr,
                  client, sizeof client);
    if (gmtime_r(&now, &parts))
        strftime(when, sizeof when, "%Y-%m-%dT%H:%M:%SZ", &parts);
    mm_buffer_printf(&line, "{\"time\":\"%s\",\"client\":\"%s\",\"method\":", when, client);
    mm_json_text(&line, x->method);
    mm_buffer_puts(&line, ",\"path\":");
    mm_json_text(&line, x->url);
    mm_buffer_printf(&line, ",\"status\":%d,\"bytes_in\":%zu,\"bytes_out\":%zu,\"seconds\":%.6f",
                     x->code, x->received, x->sent, mm_now() - x->begun);
    if (x->route == MM_ROUTE_DETECT && x->submitted && done) {
        mm_buffer_puts(&line, ",\"detector\":");
        mm_json_text(&line, x->job.served->name);
        mm_buffer_printf(&line, ",\"pictures\":%zu,\"failed\":%zu", x->job.count, x->job.failures);
    }
    mm_buffer_puts(&line, "}");
    mm_server_log(x->server, &line);
    mm_buffer_free(&line);
}

void mm_http_completed(void *context, struct MHD_Connection *connection, void **slot,
                       enum MHD_RequestTerminationCode why) {
    mm_server *server = context;
    mm_exchange *x = *slot;
    (void)connection;
    if (!x)
        return;
    *slot = NULL;
    pthread_mutex_lock(&x->lock);
    int done = x->done || !x->submitted;
    pthread_mutex_unlock(&x->lock);
    if (!done)
        atomic_store(&x->job.cancelled, 1);
    if (why != MHD_REQUEST_TERMINATED_COMPLETED_OK && x->code == 0)
        x->code = 499; /* the client went, or was too slow: nothing was answered */
    log_exchange(x, done);
    mm_metrics_request(&server->metrics, (int)x->route, x->code, mm_now() - x->begun);
    mm_peer_set(server, x->peer, PEER_IDLE);
    atomic_fetch_sub(&server->busy, 1);
    exchange_release(x);
}

/* ---- Answers ------------------------------------------------------------------------------- */

static enum MHD_Result queue(mm_exchange *x, int code, struct MHD_Response *response,
                             const char *type) {
    if (!response)
        return MHD_NO;
    MHD_add_response_header(response, "Content-Type", type);
    MHD_add_response_header(response, "X-Content-Type-Options", "nosniff");
    MHD_add_response_header(response, "Cache-Control", "no-store");
    if (code == 503)
        MHD_add_response_header(response, "Retry-After", "1");
    if (code == 401)
        MHD_add_response_header(response, "WWW-Authenticate", "Bearer");
    if (code == 405)
        MHD_add_response_header(response, "Allow",
                                x->route == MM_ROUTE_DETECT ? "POST" : "GET, HEAD");
    if (x->route == MM_ROUTE_PAGE)
        MHD_add_response_header(response, "Content-Security-Policy",
                                "default-src 'none'; style-src 'unsafe-inline'; script-src "
                                "'unsafe-inline'; img-src blob: data:; media-src blob:; "
                                "connect-src 'self'; base-uri 'none'; form-action 'none'; "
                                "frame-ancestors 'none'");
    if (atomic_load(&x->server->draining) || x->misframed)
        MHD_add_response_header(response, "Connection", "close");
    x->code = code;
    mm_peer_set(x->server, x->peer, PEER_ANSWERING);
    enum MHD_Result result = MHD_queue_response(x->connection, (unsigned)code, response);
    MHD_destroy_response(response);
    return result;
}

/* Answers with what is in `body`, which is used up. */
static enum MHD_Result answer(mm_exchange *x, int code, const char *type, mm_buffer *body) {
    if (body->failed) {
        mm_buffer_free(body);
        code = 503;
        type = text_type;
    }
    x->sent = body->size;
    if (!body->data)
        return queue(x, code, MHD_create_response_from_buffer(0, NULL, MHD_RESPMEM_PERSISTENT),
                     type);
    struct MHD_Response *response =
        MHD_create_response_from_buffer(body->size, body->data, MHD_RESPMEM_MUST_FREE);
    if (!response)
        mm_buffer_free(body);
    return queue(x, code, response, type);
}

static enum MHD_Result answer_error(mm_exchange *x, int code, const char *message) {
    mm_buffer body = {0};
    mm_buffer_puts(&body, "{\"error\":");
    mm_json_text(&body, message);
    mm_buffer_puts(&body, "}\n");
    return answer(x, code, json_type, &body);
}

static enum MHD_Result answer_file(mm_exchange *x, const char *type, const unsigned char *data,
                                   size_t size) {
    x->sent = size;
    return queue(
        x, 200,
        MHD_create_response_from_buffer(size, (void *)(uintptr_t)data, MHD_RESPMEM_PERSISTENT),
        type);
}

/* ---- Routes -------------------------------------------------------------------------------- */

/* The route of a path; `*name` is the detector's, or NULL. */
static mm_route find_route(const char *url, const char **name) {
    static const struct {
        const char *path;
        mm_route route;
        int named; /* "/NAME" may follow */
    } routes[] = {{"/v1/detect", MM_ROUTE_DETECT, 1},
                  {"/v1/detector", MM_ROUTE_DETECTOR, 1},
                  {"/v1/detectors", MM_ROUTE_DETECTORS, 0},
                  {"/v1/stats", MM_ROUTE_STATS, 1},
                  {"/healthz", MM_ROUTE_HEALTH, 0},
                  {"/readyz", MM_ROUTE_READY, 0},
                  {"/metrics", MM_ROUTE_METRICS, 0},
                  {"/openapi.json", MM_ROUTE_OPENAPI, 0},
                  {"/", MM_ROUTE_PAGE, 0}};
    *name = NULL;
    for (size_t i = 0; i < sizeof routes / sizeof *routes; i++) {
        size_t n = strlen(routes[i].path);
        if (strcmp(url, routes[i].path) == 0)
            return routes[i].route;
        if (routes[i].named && strncmp(url, routes[i].path, n) == 0 && url[n] == '/' &&
            url[n + 1]) {
            *name = url + n + 1;
            return routes[i].route;
        }
    }
    return MM_ROUTE_NONE;
}

/* Whether the request carries the token; takes as long whatever it carries. */
static int is_authorized(const mm_exchange *x) {
    const char *value = header(x, "Authorization");
    char found[65];
    unsigned differ = 0;
    if (!x->server->options.token)
        return 1;
    int bearer = value && strncasecmp(value, "Bearer ", 7) == 0;
    const char *token = bearer ? value + 7 : "";
    mm_sha256_of(found, token, strlen(token));
    for (size_t i = 0; i < sizeof found; i++)
        differ |= (unsigned)(found[i] ^ x->server->token_hash[i]);
    return bearer && differ == 0;
}

static int needs_token(mm_route route) {
    return route <= MM_ROUTE_STATS || route == MM_ROUTE_METRICS;
}

static enum MHD_Result read_option(void *context, enum MHD_ValueKind kind, const char *key,
                                   const char *value) {
    mm_exchange *x = context;
    (void)kind;
    if (x->job.error.status == MMOOD_OK)
        mm_body_option(&x->job.body, key, value ? value : "", &x->job.error);
    return MHD_YES;
}

typedef struct framing {
    int lengths, codings;
} framing;

static enum MHD_Result count_framing(void *context, enum MHD_ValueKind kind, const char *key,
                                     const char *value) {
    framing *found = context;
    (void)kind;
    (void)value;
    found->lengths += strcasecmp(key, "Content-Length") == 0;
    found->codings += strcasecmp(key, "Transfer-Encoding") == 0;
    return MHD_YES;
}

/* Whether it is plain where the body ends: a proxy in front that takes the other of two lengths
 * would let clients hide a request in another. */
static int is_framed(const mm_exchange *x) {
    framing found = {0};
    MHD_get_connection_values(x->connection, MHD_HEADER_KIND, count_framing, &found);
    return found.lengths + found.codings <= 1;
}

/* What can be refused before the body comes: the code and why, or 0. */
static int check_head(mm_exchange *x, const char *name, const char **why) {
    mm_server *server = x->server;
    int is_get = strcmp(x->method, "GET") == 0 || strcmp(x->method, "HEAD") == 0;
    const char *length = header(x, "Content-Length"), *coding = header(x, "Content-Encoding");
    *why = "a request has one Content-Length, or one Transfer-Encoding, and not both";
    x->misframed = !is_framed(x);
    if (x->misframed)
        return 400;
    if (x->route == MM_ROUTE_NONE) {
        *why = "there is nothing here; POST pictures to /v1/detect";
        return 404;
    }
    if (needs_token(x->route) && !is_authorized(x)) {
        mm_metrics_trouble(&server->metrics, MM_TROUBLE_TOKEN);
        *why = "the request needs the header \"Authorization: Bearer TOKEN\" with the server's "
               "token";
        return 401;
    }
    if (x->route == MM_ROUTE_DETECT ? strcmp(x->method, "POST") != 0 : !is_get) {
        *why =
            x->route == MM_ROUTE_DETECT ? "pictures are sent with POST" : "this is read with GET";
        return 405;
    }
    if (x->route == MM_ROUTE_DETECT || x->route == MM_ROUTE_DETECTOR ||
        x->route == MM_ROUTE_STATS) {
        x->job.served = mm_fleet_find(&server->fleet, name);
        *why = "there is no detector with that name; /v1/detectors lists them";
        if (!x->job.served)
            return 404;
    }
    if (x->route != MM_ROUTE_DETECT)
        return 0;
    if (coding && strcasecmp(coding, "identity") != 0) {
        *why = "bodies are taken as they are, without Content-Encoding";
        return 415;
    }
    x->job.body.top = 3;
    MHD_get_connection_values(x->connection, MHD_GET_ARGUMENT_KIND, read_option, x);
    if (x->job.error.status != MMOOD_OK) {
        *why = x->job.error.message;
        return 400;
    }
    *why = "the body is larger than this server takes; --max-body sets how much";
    unsigned long long size = length ? strtoull(length, NULL, 10) : 0;
    if (size > server->options.body_limit) {
        int waits = header(x, "Expect") != NULL;
        x->too_large = 1;
        if (waits || size > server->options.body_limit + SWALLOW) {
            mm_metrics_trouble(&server->metrics, MM_TROUBLE_TOO_LARGE);
            return 413;
        }
    }
    *why = "the queue is full; try again in a second";
    if (mm_crew_is_full(server->crew) && header(x, "Expect")) {
        mm_metrics_trouble(&server->metrics, MM_TROUBLE_BUSY);
        return 503;
    }
    return 0;
}

/* A part of the body. MHD_NO ends the connection. */
static enum MHD_Result take_body(mm_exchange *x, const char *data, size_t size) {
    mm_server *server = x->server;
    x->received += size;
    if (x->received > server->options.body_limit + SWALLOW)
        return MHD_NO;
    if (x->route != MM_ROUTE_DETECT)
        return MHD_YES;
    if (x->received > server->options.body_limit)
        x->too_large = 1;
    if (atomic_load(&server->body_bytes) + size > server->body_budget)
        x->no_room = 1;
    if (x->too_large || x->no_room) {
        atomic_fetch_sub(&server->body_bytes, x->job.data.size);
        mm_buffer_free(&x->job.data);
        return MHD_YES;
    }
    mm_buffer_append(&x->job.data, data, size);
    if (x->job.data.failed) {
        x->no_room = 1;
        return MHD_YES;
    }
    atomic_fetch_add(&server->body_bytes, size);
    return MHD_YES;
}

/* ---- The crew's side --------------------------------------------------------------------- */

static void notified(mm_job *job, mm_job_event event, size_t index) {
    mm_exchange *x = job->owner;
    pthread_mutex_lock(&x->lock);
    if (event == MM_JOB_TAKEN)
        x->taken = 1;
    else if (event == MM_JOB_DONE)
        x->done = 1;
    else if (x->stream)
        mm_buffer_append(&x->rows, job->items[index].row.data, job->items[index].row.size);
    int resume = x->suspended && (event == MM_JOB_DONE || x->stream);
    if (resume)
        x->suspended = 0;
    pthread_mutex_unlock(&x->lock);
    if (resume) /* nobody else would: it stays until then */
        MHD_resume_connection(x->connection);
    if (event == MM_JOB_DONE) {
        atomic_fetch_sub(&x->server->waiting, 1);
        exchange_release(x);
    }
}

/* Hands the body to the crew; the connection waits meanwhile. */
static enum MHD_Result submit(mm_exchange *x) {
    mm_server *server = x->server;
    const char *type = header(x, "Content-Type"), *accept = header(x, "Accept");
    if (type && !(x->job.content_type = strdup(type)))
        return answer_error(x, 503, "no memory");
    x->stream = x->route == MM_ROUTE_DETECT && accept && strstr(accept, "application/x-ndjson");
    /* Counted before the look at `stopping`: who stops sets that first and then waits for the
     * count, so no connection is suspended behind its back. */
    atomic_fetch_add(&server->waiting, 1);
    if (atomic_load(&server->stopping)) {
        atomic_fetch_sub(&server->waiting, 1);
        return answer_error(x, 503, "the server is stopping");
    }
    x->job.deadline = mm_now() + server->options.deadline;
    x->job.notify = notified;
    x->job.owner = x;
    x->submitted = 1;
    atomic_fetch_add(&x->references, 1);
    mm_peer_set(server, x->peer, PEER_ANSWERING);
    pthread_mutex_lock(&x->lock);
    x->suspended = 1;
    MHD_suspend_connection(x->connection);
    pthread_mutex_unlock(&x->lock);
    mm_crew_submit(server->crew, &x->job);
    return MHD_YES;
}

/* Rows of a stream as they come. */
static ssize_t stream_rows(void *context, uint64_t position, char *out, size_t room) {
    mm_exchange *x = context;
    ssize_t result = 0;
    (void)position;
    pthread_mutex_lock(&x->lock);
    size_t left = x->rows.size - x->rows_at, n = left < room ? left : room;
    if (x->rows.failed) {
        result = MHD_CONTENT_READER_END_WITH_ERROR;
    } else if (n > 0) {
        memcpy(out, x->rows.data + x->rows_at, n);
        x->rows_at += n;
        x->sent += n;
        if (x->rows_at == x->rows.size)
            x->rows.size = x->rows_at = 0;
        result = (ssize_t)n;
    } else if (x->done) {
        result = MHD_CONTENT_READER_END_OF_STREAM;
    } else {
        x->suspended = 1;
        MHD_suspend_connection(x->connection);
    }
    pthread_mutex_unlock(&x->lock);
    return result;
}

static int code_of(mmood_status status) {
    switch (status) {
    case MMOOD_ERROR_LIMIT:
        return 413;
    case MMOOD_ERROR_UNSUPPORTED:
        return 415;
    case MMOOD_ERROR_MEMORY:
        return 503;
    default:
        return 400;
    }
}

static enum MHD_Result answer_rows(mm_exchange *x) {
    mm_job *job = &x->job;
    mm_buffer body = {0};
    mm_buffer_puts(&body, "{\"detector\":");
    mm_json_text(&body, job->served->name);
    mm_buffer_puts(&body, ",\"results\":[\n");
    for (size_t i = 0; i < job->count; i++) {
        const mm_buffer *row = &job->items[i].row;
        if (row->failed || row->size == 0)
            body.failed = 1;
        else
            mm_buffer_append(&body, row->data, row->size - 1);
        mm_buffer_puts(&body, i + 1 < job->count ? ",\n" : "\n]}\n");
    }
    return answer(x, job->failures == job->count ? 422 : 200, json_type, &body);
}

/* After the crew has woken the connection. */
static enum MHD_Result answer_job(mm_exchange *x) {
    pthread_mutex_lock(&x->lock);
    int done = x->done, taken = x->taken;
    pthread_mutex_unlock(&x->lock);
    if (x->route == MM_ROUTE_READY) {
        mm_buffer body = {0};
        int ready = x->job.outcome == MM_OUTCOME_DONE && x->job.failures == 0;
        if (ready)
            atomic_store(&x->server->ready_until, (long long)(1000 * (mm_now() + 1)));
        mm_buffer_puts(&body, ready ? "ready\n" : "the model does not answer\n");
        return answer(x, ready ? 200 : 503, text_type, &body);
    }
    if (x->stream && taken)
        return queue(
            x, 200,
            MHD_create_response_from_callback(MHD_SIZE_UNKNOWN, 16384, stream_rows, x, NULL),
            "application/x-ndjson");
    if (!done)
        return MHD_NO;
    if (x->job.outcome == MM_OUTCOME_REFUSED)
        return answer_error(x, code_of(x->job.error.status), x->job.error.message);
    if (x->job.outcome == MM_OUTCOME_BUSY)
        return answer_error(x, 503, "the queue is full; try again in a second");
    if (x->job.outcome == MM_OUTCOME_LATE)
        return answer_error(x, 504, "the server could not answer in time; try again later");
    return answer_rows(x);
}

/* ---- Requests ------------------------------------------------------------------------------ */

static enum MHD_Result answer_get(mm_exchange *x) {
    mm_server *server = x->server;
    mm_buffer body = {0};
    switch (x->route) {
    case MM_ROUTE_DETECTOR:
        mm_document_detector(&body, server, x->job.served);
        return answer(x, 200, json_type, &body);
    case MM_ROUTE_DETECTORS:
        mm_document_detectors(&body, server);
        return answer(x, 200, json_type, &body);
    case MM_ROUTE_STATS:
        mm_monitor_json(&body, x->job.served->monitor, x->job.served->name);
        mm_buffer_puts(&body, "\n");
        return answer(x, 200, json_type, &body);
    case MM_ROUTE_METRICS:
        mm_document_metrics(&body, server);
        return answer(x, 200, "text/plain; version=0.0.4; charset=utf-8", &body);
    case MM_ROUTE_PAGE:
        return answer_file(x, "text/html; charset=utf-8", mm_embedded_page, mm_embedded_page_size);
    case MM_ROUTE_OPENAPI:
        return answer_file(x, json_type, mm_embedded_openapi, mm_embedded_openapi_size);
    case MM_ROUTE_READY:
        if (atomic_load(&server->draining)) {
            mm_buffer_puts(&body, "shutting down\n");
            return answer(x, 503, text_type, &body);
        }
        if (atomic_load(&server->ready_until) < (long long)(1000 * mm_now())) {
            x->job.served = mm_fleet_find(&server->fleet, NULL);
            x->job.probe = 1;
            return submit(x);
        }
        mm_buffer_puts(&body, "ready\n");
        return answer(x, 200, text_type, &body);
    default:
        mm_buffer_puts(&body, "ok\n");
        return answer(x, 200, text_type, &body);
    }
}

static enum MHD_Result begin(mm_server *server, struct MHD_Connection *connection, const char *url,
                             const char *method, void **slot) {
    const char *name, *why;
    mm_exchange *x = exchange_create(server, connection, url, method);
    if (!x)
        return MHD_NO;
    *slot = x;
    x->route = find_route(x->url, &name);
    int code = check_head(x, name, &why);
    return code ? answer_error(x, code, why) : MHD_YES;
}

enum MHD_Result mm_http_handle(void *context, struct MHD_Connection *connection, const char *url,
                               const char *method, const char *version, const char *data,
                               size_t *size, void **slot) {
    mm_exchange *x = *slot;
    (void)version;
    if (!x)
        return begin(context, connection, url, method, slot);
    if (*size > 0) {
        size_t n = *size;
        *size = 0;
        return take_body(x, data, n);
    }
    if (x->submitted)
        return answer_job(x);
    if (x->route != MM_ROUTE_DETECT)
        return answer_get(x);
    if (x->too_large) {
        mm_metrics_trouble(&x->server->metrics, MM_TROUBLE_TOO_LARGE);
        return answer_error(x, 413,
                            "the body is larger than this server takes; --max-body sets "
                            "how much");
    }
    if (x->no_room || mm_crew_is_full(x->server->crew)) {
        mm_metrics_trouble(&x->server->metrics, MM_TROUBLE_BUSY);
        return answer_error(x, 503, "the queue is full; try again in a second");
    }
    return submit(x);
}
