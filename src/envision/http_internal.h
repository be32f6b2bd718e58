/* http_internal.h - what http.c, http_explain.c and download.c share. */
#ifndef MM_ENVISION_HTTP_INTERNAL_H
#define MM_ENVISION_HTTP_INTERNAL_H

#include "envision/http.h"

#include <curl/curl.h>

enum { MM_HTTP_REDIRECTS = 5 };

struct mm_http {
    mm_http_options options;
    char *variable;
    char *key;
};

/* How an attempt ended. */
typedef struct failure {
    CURLcode code;
    char text[CURL_ERROR_SIZE]; /* libcurl's words */
    int too_long;               /* the reply is over the limit */
    double retry_after;         /* seconds the server asks to wait, 0 if it does not */
    double timeout;             /* of the exchange */
    int connecting;             /* a timeout, but that of the connection */
} failure;

/* Sets what all calls have in common: protocols, headers, no proxy to this machine. After the call
 * mm_http_end takes what the failure's fields need and frees the headers. */
void mm_http_begin(CURL *curl, failure *why, const char *url, struct curl_slist *headers,
                   double connect_timeout);
void mm_http_end(CURL *curl, failure *why, struct curl_slist *headers);

/* A list with one line more; *failed becomes 1 if memory is out. The second adds the key, if there
 * is one. */
struct curl_slist *mm_http_add_header(struct curl_slist *list, int *failed, const char *line);
struct curl_slist *mm_http_add_key(struct curl_slist *list, int *failed, const mm_http *http);

/* The address that a redirect names, or NULL if the reply with this code is none; *status tells a
 * refused one. The caller frees it. */
char *mm_http_next_url(CURL *curl, mmood_status *status, const char *url, long code,
                       mmood_error *error);

/* 1 if asking again may help: for a code of HTTP, and for how a connection ended. */
int mm_http_is_transient(long code);
int mm_http_broke(CURLcode code);

/* Seconds to wait before attempt `number` + 1, and the wait. */
double mm_http_backoff(const mm_http *http, int number);
void mm_http_wait(double seconds);

/* Says why there is no reply; returns the status. */
mmood_status mm_http_failed(const mm_http *http, const char *url, const failure *why,
                            const mm_http_reply *reply, mmood_error *error);

/* The same when another attempt would begin after the deadline: `asked` seconds are what the server
 * wants to wait, 0 if the pause is ours. */
mmood_status mm_http_no_time(const mm_http *http, const char *url, const failure *why,
                             const mm_http_reply *reply, double asked, double left,
                             mmood_error *error);

#endif
