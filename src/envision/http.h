/* http.h - calls of an HTTP endpoint: one deadline for all attempts, retries with backoff, limits,
 * and a key that never shows. Besides url.c and download.c the only place that
 * knows libcurl. */
#ifndef MM_ENVISION_HTTP_H
#define MM_ENVISION_HTTP_H

#include "base/buffer.h"

#include "mmood.h"

typedef struct mm_http_options {
    double timeout;           /* seconds for one exchange, with its attempts and waits */
    double connect_timeout;   /* seconds for one connection */
    int retries;              /* attempts after the first; 0 to 100 */
    double backoff;           /* seconds before the first of them, doubled for each next one */
    double backoff_limit;     /* but at most this; what a server asks for is not cut */
    size_t body_limit;        /* bytes of a reply */
    const char *key_variable; /* environment variable with the key; NULL: none. If it is not set, no
                                 key is sent */
    const char *key; /* the key itself; key_variable then only names its source in messages,
                        such as the path of a file. NULL: the variable's */
} mm_http_options;

/* 300 s, 10 s to connect, 3 retries after 1, 2 and 4 s, at most 30, 64 MB, no key. */
mm_http_options mm_http_options_default(void);

typedef struct mm_http mm_http;

/* ARGUMENT for settings out of range and for a key that cannot stand in a header. The options are
 * copied. Any number of threads may use the result at the same time. */
mmood_status mm_http_create(mm_http **out, const mm_http_options *options, mmood_error *error);
void mm_http_free(mm_http *http);

typedef struct mm_http_reply {
    long code;       /* 200, 404, ... */
    char type[64];   /* of the contents, lower case, without parameters: "application/json" */
    mm_buffer body;  /* in which the key, if the server repeats it, is overwritten with '*' */
    int attempts;    /* how many it took */
    double deadline; /* the one that held */
} mm_http_reply;

typedef struct mm_http_request {
    const char *url;  /* http or https */
    const void *body; /* JSON to POST; NULL: GET */
    size_t size;
    int with_key;    /* 1: send the key to this URL; a redirect to another host never gets it */
    double deadline; /* of mm_http_deadline(); 0: a new one */
    /* 1 if an error reply will not get better by itself, so that it is not asked for again; NULL:
     * the code alone decides */
    int (*is_final)(const void *context, const mm_http_reply *reply);
    const void *context;
} mm_http_request;

/* The point in time at which an exchange that begins now must end. */
double mm_http_deadline(const mm_http *http);

/* Sends and receives. OK for a complete reply of whatever code; codes 408, 425, 429 and most 5xx
 * are first tried again, as are broken connections. A wait that the server asks for (Retry-After)
 * is respected if it ends before the deadline, else it is the error. Redirects are followed 5
 * times, not from https to http. The caller frees `*out` with mm_http_reply_free, also after a
 * failure. */
mmood_status mm_http_send(mm_http_reply *out, const mm_http *http, const mm_http_request *request,
                          mmood_error *error);
void mm_http_reply_free(mm_http_reply *reply);

/* Says what a reply with an error code means, with what the server wrote. Returns
 * MMOOD_ERROR_IO, or MMOOD_ERROR_LIMIT for 413. */
mmood_status mm_http_explain(const mm_http *http, const char *url, const mm_http_reply *reply,
                             mmood_error *error);

/* Overwrites the key wherever it stands in `text`; mm_http_hide in an error's message, too. */
void mm_http_redact(const mm_http *http, char *text, size_t size);
mmood_status mm_http_hide(const mm_http *http, mmood_status status, mmood_error *error);

/* What the server says is wrong, from a body in JSON ("error", "message", "detail"), HTML or text:
 * at most 300 bytes, "" if it says nothing. */
void mm_http_complaint(char out[301], const void *body, size_t size);

#endif
