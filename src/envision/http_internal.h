/* http_internal.h - what http.c and http_explain.c share. */
#ifndef MM_ENVISION_HTTP_INTERNAL_H
#define MM_ENVISION_HTTP_INTERNAL_H

#include "envision/http.h"

#include <curl/curl.h>

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

/* Says why there is no reply; returns the status. */
mmood_status mm_http_failed(const mm_http *http, const char *url, const failure *why,
                            const mm_http_reply *reply, mmood_error *error);

/* The same when another attempt would begin after the deadline: `asked` seconds are what the server
 * wants to wait, 0 if the pause is ours. */
mmood_status mm_http_no_time(const mm_http *http, const char *url, const failure *why,
                             const mm_http_reply *reply, double asked, double left,
                             mmood_error *error);

#endif
