/* http.c - calls of an HTTP endpoint, by libcurl. What replies mean in words is in
 * http_explain.c. */
#include "envision/http.h"

#include "base/clock.h"
#include "base/error.h"
#include "envision/http_internal.h"
#include "envision/url.h"

#include <ctype.h>
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <curl/curl.h>

enum { MAX_KEY = 4096 };

mm_http_options mm_http_options_default(void) {
    return (mm_http_options){.timeout = 300,
                             .connect_timeout = 10,
                             .retries = 3,
                             .backoff = 1,
                             .backoff_limit = 30,
                             .body_limit = (size_t)64 << 20};
}

void mm_http_wait(double seconds) {
    struct timespec t = {(time_t)seconds, (long)((seconds - floor(seconds)) * 1e9)};
    while (nanosleep(&t, &t) != 0 && errno == EINTR)
        ;
}

/* The key without the newline that files leave behind. */
static mmood_status take_key(mm_http *http, const mm_http_options *options, mmood_error *error) {
    const char *variable = options->key_variable, *key = options->key;
    if (!key && variable)
        key = getenv(variable);
    if (!variable)
        return MMOOD_OK;
    if (!(http->variable = strdup(variable)))
        return mm_error_set(error, MMOOD_ERROR_MEMORY, "no memory for a name");
    if (!key)
        return MMOOD_OK;
    key += strspn(key, " \t\r\n");
    size_t size = strlen(key);
    while (size > 0 && strchr(" \t\r\n", key[size - 1]))
        size--;
    if (size == 0)
        return MMOOD_OK;
    for (size_t i = 0; i < size; i++)
        if ((unsigned char)key[i] <= 0x20 || (unsigned char)key[i] >= 0x7f)
            return mm_error_set(error, MMOOD_ERROR_ARGUMENT,
                                "the key in %s has a character at position %zu that a key cannot "
                                "have; expected letters, digits and signs only",
                                variable, i + 1);
    if (size > MAX_KEY)
        return mm_error_set(error, MMOOD_ERROR_ARGUMENT,
                            "the key in %s has %zu characters, expected at most %d", variable, size,
                            (int)MAX_KEY);
    http->key = strndup(key, size);
    return http->key ? MMOOD_OK : mm_error_set(error, MMOOD_ERROR_MEMORY, "no memory for a key");
}

mmood_status mm_http_create(mm_http **out, const mm_http_options *options, mmood_error *error) {
    *out = NULL;
    const mm_http_options *o = options;
    if (!(o->timeout > 0 && o->timeout <= 1e6) || !(o->connect_timeout > 0))
        return mm_error_set(error, MMOOD_ERROR_ARGUMENT,
                            "a timeout of %g s (%g s to connect), expected more than 0 and at most "
                            "1000000",
                            o->timeout, o->connect_timeout);
    if (o->retries < 0 || o->retries > 100 || !(o->backoff >= 0) || !(o->backoff_limit >= 0))
        return mm_error_set(error, MMOOD_ERROR_ARGUMENT,
                            "%d retries after %g s, expected 0 to 100 after 0 s or more",
                            o->retries, o->backoff);
    if (o->body_limit == 0)
        return mm_error_set(error, MMOOD_ERROR_ARGUMENT,
                            "a limit of 0 bytes for replies, expected more");
    if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK)
        return mm_error_set(error, MMOOD_ERROR_MEMORY, "libcurl cannot be started");
    mm_http *http = calloc(1, sizeof *http);
    if (!http) {
        curl_global_cleanup();
        return mm_error_set(error, MMOOD_ERROR_MEMORY, "no memory for an HTTP client");
    }
    http->options = *o;
    mmood_status status = take_key(http, o, error);
    http->options.key_variable = http->variable;
    http->options.key = NULL;
    if (status != MMOOD_OK) {
        mm_http_free(http);
        return status;
    }
    *out = http;
    return MMOOD_OK;
}

void mm_http_free(mm_http *http) {
    if (!http)
        return;
    free(http->variable);
    free(http->key);
    free(http);
    curl_global_cleanup();
}

void mm_http_reply_free(mm_http_reply *reply) {
    mm_buffer_free(&reply->body);
    *reply = (mm_http_reply){0};
}

double mm_http_deadline(const mm_http *http) {
    return mm_now() + http->options.timeout;
}

/* What libcurl's callbacks see. */
typedef struct transfer {
    mm_http_reply *reply;
    size_t limit;
    int too_long;
} transfer;

static size_t take_body(char *data, size_t one, size_t count, void *user) {
    transfer *t = user;
    size_t size = one * count;
    if (size > t->limit - t->reply->body.size) {
        t->too_long = 1;
        return 0;
    }
    mm_buffer_append(&t->reply->body, data, size);
    return t->reply->body.failed ? 0 : size;
}

static void set_protocols(CURL *curl) {
#if LIBCURL_VERSION_NUM >= 0x075500
    curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "http,https");
#else
    curl_easy_setopt(curl, CURLOPT_PROTOCOLS, (long)(CURLPROTO_HTTP | CURLPROTO_HTTPS));
#endif
}

struct curl_slist *mm_http_add_header(struct curl_slist *list, int *failed, const char *line) {
    struct curl_slist *longer = curl_slist_append(list, line);
    *failed |= !longer;
    return longer ? longer : list;
}

struct curl_slist *mm_http_add_key(struct curl_slist *list, int *failed, const mm_http *http) {
    if (!http->key)
        return list;
    mm_buffer line = {0};
    mm_buffer_printf(&line, "Authorization: Bearer %s", http->key);
    if (line.failed)
        *failed = 1;
    else
        list = mm_http_add_header(list, failed, line.data);
    mm_buffer_free(&line);
    return list;
}

/* The headers of one call; the key only when `with_key`. */
static struct curl_slist *make_headers(const mm_http *http, int with_key, int posts, int *failed) {
    struct curl_slist *list = NULL;
    *failed = 0;
    if (posts) {
        list = mm_http_add_header(list, failed, "Content-Type: application/json");
        list = mm_http_add_header(list, failed, "Expect:"); /* no pause before the body */
    }
    return with_key ? mm_http_add_key(list, failed, http) : list;
}

void mm_http_begin(CURL *curl, failure *why, const char *url, struct curl_slist *headers,
                   double connect_timeout) {
    why->text[0] = 0;
    curl_easy_reset(curl);
    set_protocols(curl);
    curl_easy_setopt(curl, CURLOPT_URL, url);
    curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(curl, CURLOPT_USERAGENT, "mmood/" MMOOD_VERSION_STRING);
    curl_easy_setopt(curl, CURLOPT_HTTPHEADER, headers);
    curl_easy_setopt(curl, CURLOPT_ERRORBUFFER, why->text);
    curl_easy_setopt(curl, CURLOPT_CONNECTTIMEOUT_MS, (long)ceil(connect_timeout * 1000));
    if (mm_url_is_loopback(url))
        curl_easy_setopt(curl, CURLOPT_PROXY, "");
}

void mm_http_end(CURL *curl, failure *why, struct curl_slist *headers) {
    curl_off_t seconds = 0;
    curl_easy_getinfo(curl, CURLINFO_RETRY_AFTER, &seconds);
    why->retry_after = (double)seconds;
    curl_easy_setopt(curl, CURLOPT_ERRORBUFFER, NULL);
    curl_easy_setopt(curl, CURLOPT_HTTPHEADER, NULL);
    curl_slist_free_all(headers);
}

static void note_type(mm_http_reply *reply, const char *type) {
    size_t n = 0;
    reply->type[0] = 0;
    if (!type)
        return;
    for (; type[n] && !strchr("; \t", type[n]) && n + 1 < sizeof reply->type; n++)
        reply->type[n] = (char)tolower((unsigned char)type[n]);
    reply->type[n] = 0;
}

/* One request to one URL, no redirect followed. */
static CURLcode call(CURL *curl, failure *why, mm_http_reply *reply, const mm_http *http,
                     const char *url, const mm_http_request *request, int posts, int with_key,
                     double left) {
    int failed;
    struct curl_slist *headers = make_headers(http, with_key, posts, &failed);
    if (failed) {
        curl_slist_free_all(headers);
        return CURLE_OUT_OF_MEMORY;
    }
    transfer t = {reply, http->options.body_limit, 0};
    double connect = http->options.connect_timeout < left ? http->options.connect_timeout : left;
    mm_buffer_free(&reply->body);
    mm_http_begin(curl, why, url, headers, connect);
    curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, take_body);
    curl_easy_setopt(curl, CURLOPT_WRITEDATA, &t);
    curl_easy_setopt(curl, CURLOPT_MAXFILESIZE_LARGE, (curl_off_t)http->options.body_limit);
    curl_easy_setopt(curl, CURLOPT_TIMEOUT_MS, (long)ceil(left * 1000));
    if (posts) {
        curl_easy_setopt(curl, CURLOPT_POST, 1L);
        curl_easy_setopt(curl, CURLOPT_POSTFIELDS, request->body);
        curl_easy_setopt(curl, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)request->size);
    }
    CURLcode code = curl_easy_perform(curl);
    why->too_long = t.too_long || code == CURLE_FILESIZE_EXCEEDED;
    const char *type = NULL;
    curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &reply->code);
    curl_easy_getinfo(curl, CURLINFO_CONTENT_TYPE, &type);
    note_type(reply, type);
    mm_http_end(curl, why, headers);
    if (t.reply->body.failed)
        return CURLE_OUT_OF_MEMORY;
    return code;
}

char *mm_http_next_url(CURL *curl, mmood_status *status, const char *url, long code,
                       mmood_error *error) {
    char *to = NULL, *full = NULL;
    if (code < 300 || code > 399)
        return NULL;
    curl_easy_getinfo(curl, CURLINFO_REDIRECT_URL, &to);
    if (!to)
        return NULL;
    *status = mm_url_resolve(&full, url, to, error);
    if (*status == MMOOD_OK && mm_url_is_https(url) && !mm_url_is_https(full)) {
        char shown[256];
        mm_url_show(shown, sizeof shown, full);
        *status = mm_error_set(error, MMOOD_ERROR_UNSUPPORTED,
                               "redirects from https to %s, which is not encrypted", shown);
    }
    if (*status != MMOOD_OK) {
        char shown[256];
        mm_url_show(shown, sizeof shown, url);
        mm_error_prefix(error, *status, "%s", shown);
        free(full);
        return NULL;
    }
    return full;
}

/* One attempt: the request and the redirects that follow. `why->code` is libcurl's result. */
static mmood_status attempt(CURL *curl, failure *why, mm_http_reply *reply, const mm_http *http,
                            const mm_http_request *request, double deadline, mmood_error *error) {
    char *url = strdup(request->url);
    int posts = request->body != NULL;
    mmood_status status = MMOOD_OK;
    for (int hops = 0; url; hops++) {
        double left = deadline - mm_now();
        if (left <= 0) {
            why->code = CURLE_OPERATION_TIMEDOUT;
            break;
        }
        int with_key = request->with_key && mm_url_same_origin(url, request->url);
        why->code = call(curl, why, reply, http, url, request, posts, with_key, left);
        curl_off_t connected = 0; /* when, in microseconds; 0: never */
        curl_easy_getinfo(curl, CURLINFO_CONNECT_TIME_T, &connected);
        why->connecting =
            why->code == CURLE_OPERATION_TIMEDOUT && connected == 0 && mm_now() < deadline;
        if (why->code != CURLE_OK)
            break;
        char *next = mm_http_next_url(curl, &status, url, reply->code, error);
        if (!next)
            break;
        if (hops == MM_HTTP_REDIRECTS) {
            char shown[256];
            mm_url_show(shown, sizeof shown, request->url);
            status = mm_error_set(error, MMOOD_ERROR_IO, "%s redirects more than %d times", shown,
                                  (int)MM_HTTP_REDIRECTS);
            free(next);
            break;
        }
        if (reply->code == 303)
            posts = 0;
        free(url);
        url = next;
    }
    if (!url)
        status = mm_error_set(error, MMOOD_ERROR_MEMORY, "no memory for a URL");
    free(url);
    return status;
}

int mm_http_is_transient(long code) {
    return code == 408 || code == 425 || code == 429 || (code >= 500 && code != 501 && code != 505);
}

int mm_http_broke(CURLcode code) {
    return code == CURLE_COULDNT_CONNECT || code == CURLE_RECV_ERROR || code == CURLE_SEND_ERROR ||
           code == CURLE_GOT_NOTHING || code == CURLE_PARTIAL_FILE || code == CURLE_HTTP2 ||
           code == CURLE_HTTP2_STREAM;
}

/* Whether asking again may help. */
static int try_again(const failure *why, const mm_http_request *request,
                     const mm_http_reply *reply) {
    if (why->code == CURLE_OK)
        return mm_http_is_transient(reply->code) &&
               !(request->is_final && request->is_final(request->context, reply));
    return mm_http_broke(why->code) || (why->code == CURLE_OPERATION_TIMEDOUT && why->connecting);
}

double mm_http_backoff(const mm_http *http, int number) {
    double seconds = ldexp(http->options.backoff, number);
    return seconds < http->options.backoff_limit ? seconds : http->options.backoff_limit;
}

static mmood_status send_all(mm_http_reply *out, CURL *curl, const mm_http *http,
                             const mm_http_request *request, double deadline, mmood_error *error) {
    for (int number = 0;; number++) {
        failure why = {.timeout = http->options.timeout};
        out->attempts = number + 1;
        mmood_status status = attempt(curl, &why, out, http, request, deadline, error);
        if (status != MMOOD_OK)
            return status;
        mm_http_redact(http, out->body.data, out->body.size);
        int again = try_again(&why, request, out);
        if (!again || number == http->options.retries)
            return why.code == CURLE_OK ? MMOOD_OK
                                        : mm_http_failed(http, request->url, &why, out, error);
        double wait = mm_http_backoff(http, number), left = deadline - mm_now();
        int asked = why.code == CURLE_OK && why.retry_after > wait;
        if (asked)
            wait = why.retry_after;
        if (wait >= left)
            return mm_http_no_time(http, request->url, &why, out, asked ? wait : 0, left, error);
        mm_http_wait(wait);
    }
}

mmood_status mm_http_send(mm_http_reply *out, const mm_http *http, const mm_http_request *request,
                          mmood_error *error) {
    *out = (mm_http_reply){0};
    CURL *curl = curl_easy_init();
    if (!curl)
        return mm_error_set(error, MMOOD_ERROR_MEMORY, "no memory for an HTTP request");
    double deadline = request->deadline > 0 ? request->deadline : mm_http_deadline(http);
    out->deadline = deadline;
    mmood_status status = send_all(out, curl, http, request, deadline, error);
    curl_easy_cleanup(curl);
    return mm_http_hide(http, status, error);
}
