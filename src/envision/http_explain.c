/* http_explain.c - what goes wrong with an endpoint, in words, and the key kept out of them. */
#include "base/error.h"
#include "base/json.h"
#include "envision/http_internal.h"
#include "envision/url.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

enum { SHORTEST_SECRET = 4, SHORTEST_IN_BODY = 8 };

static void overwrite(char *text, size_t size, const char *key, size_t length) {
    for (size_t i = 0; i + length <= size; i++) {
        char *found = memchr(text + i, key[0], size - length - i + 1);
        if (!found)
            return;
        i = (size_t)(found - text);
        if (memcmp(found, key, length) == 0)
            memset(found, '*', length);
    }
}

/* A short key such as "none" is no secret and may be a word of the reply. */
void mm_http_redact(const mm_http *http, char *text, size_t size) {
    size_t length = http->key ? strlen(http->key) : 0;
    if (text && length >= SHORTEST_IN_BODY)
        overwrite(text, size, http->key, length);
}

mmood_status mm_http_hide(const mm_http *http, mmood_status status, mmood_error *error) {
    size_t length = http->key ? strlen(http->key) : 0;
    if (status != MMOOD_OK && error && length >= SHORTEST_SECRET)
        overwrite(error->message, strlen(error->message), http->key, length);
    return status;
}

/* At most 300 bytes, not in the middle of a character. */
static void copy_short(char out[301], const char *text, size_t size) {
    size_t n = size < 300 ? size : 300;
    if (n < size)
        while (n > 0 && ((unsigned char)text[n] & 0xc0) == 0x80)
            n--;
    memcpy(out, text, n);
    out[n] = 0;
}

/* The text of a value that holds a complaint: a string, or one of its usual members. */
static const char *complaint_in(const json_t *value, int depth) {
    static const char *const names[] = {"error", "message", "detail", "msg", "errors"};
    if (json_is_string(value))
        return json_string_value(value);
    if (json_is_array(value) && depth > 0)
        return complaint_in(json_array_get(value, 0), depth - 1);
    for (size_t i = 0; i < sizeof names / sizeof *names && depth > 0; i++) {
        const char *text = complaint_in(json_object_get(value, names[i]), depth - 1);
        if (text && *text)
            return text;
    }
    return NULL;
}

static const char *find_word(const char *text, size_t size, const char *word) {
    size_t length = strlen(word);
    for (size_t i = 0; i + length <= size; i++)
        if (strncasecmp(text + i, word, length) == 0)
            return text + i;
    return NULL;
}

/* The title of an HTML page, or nothing. */
static void page_title(char out[301], const char *text, size_t size) {
    char title[301] = "";
    const char *start = find_word(text, size, "<title");
    const char *open = start ? memchr(start, '>', size - (size_t)(start - text)) : NULL;
    const char *end = open ? memchr(open, '<', size - (size_t)(open - text)) : NULL;
    if (end)
        copy_short(title, open + 1, (size_t)(end - open - 1));
    title[200] = 0;
    if (title[0])
        snprintf(out, 301, "an HTML page \"%s\"", title);
    else
        snprintf(out, 301, "an HTML page");
}

void mm_http_complaint(char out[301], const void *body, size_t size) {
    const char *text = body;
    out[0] = 0;
    while (size > 0 && strchr(" \t\r\n", *text) && *text) {
        text++;
        size--;
    }
    if (size == 0)
        return;
    json_t *root = NULL;
    if (*text == '{' || *text == '[' || *text == '"')
        mm_json_parse(&root, text, size < 1 << 20 ? size : 1 << 20, NULL);
    const char *said = complaint_in(root, 4);
    if (said)
        copy_short(out, said, strlen(said));
    else if (*text == '<')
        page_title(out, text, size);
    else
        copy_short(out, text, strnlen(text, size));
    json_decref(root);
}

static const char *advice(const mm_http *http, long code, char *room, size_t size) {
    const char *variable = http->variable;
    if (code == 401 || code == 403) {
        if (http->key)
            snprintf(room, size, "; check the key in %s", variable);
        else if (variable)
            snprintf(room, size, "; it wants a key: set %s", variable);
        else
            snprintf(room, size, "; it wants a key, and none was given");
        return room;
    }
    switch (code) {
    case 404:
    case 405:
        return "; check the URL and the model's name";
    case 413:
        return "; the request is too large for it";
    case 429:
        return "; it is asked too often: fewer --jobs, or later";
    default:
        return code >= 500 ? "; its own log may say more" : "";
    }
}

static const char *times(char room[32], int attempts) {
    if (attempts < 2)
        return "";
    snprintf(room, 32, " after %d attempts", attempts);
    return room;
}

mmood_status mm_http_explain(const mm_http *http, const char *url, const mm_http_reply *reply,
                             mmood_error *error) {
    char shown[256], said[301], tries[32], room[192];
    mm_url_show(shown, sizeof shown, url);
    mm_http_complaint(said, reply->body.data, reply->body.size);
    mmood_status status = reply->code == 413 ? MMOOD_ERROR_LIMIT : MMOOD_ERROR_IO;
    mm_error_set(error, status, "%s answered %ld%s%s%s%s", shown, reply->code,
                 times(tries, reply->attempts), *said ? ": " : "", said,
                 advice(http, reply->code, room, sizeof room));
    return mm_http_hide(http, status, error);
}

mmood_status mm_http_failed(const mm_http *http, const char *url, const failure *why,
                            const mm_http_reply *reply, mmood_error *error) {
    char shown[256], tries[32];
    const char *detail = why->text[0] ? why->text : curl_easy_strerror(why->code);
    mm_url_show(shown, sizeof shown, url);
    times(tries, reply->attempts);
    const char *after = reply->attempts > 1 ? tries : "";
    if (why->too_long)
        return mm_error_set(error, MMOOD_ERROR_LIMIT,
                            "%s sends more than the %zu bytes that a reply may have", shown,
                            http->options.body_limit);
    switch (why->code) {
    case CURLE_OUT_OF_MEMORY:
        return mm_error_set(error, MMOOD_ERROR_MEMORY, "no memory for the reply of %s", shown);
    case CURLE_COULDNT_RESOLVE_HOST:
        return mm_error_set(error, MMOOD_ERROR_IO,
                            "%s: the host is not known (%s); check the URL and the network", shown,
                            detail);
    case CURLE_COULDNT_CONNECT:
        return mm_error_set(error, MMOOD_ERROR_IO,
                            "%s: no connection%s (%s); check that it runs and that the port is "
                            "right",
                            shown, after, detail);
    case CURLE_OPERATION_TIMEDOUT:
        if (why->connecting)
            return mm_error_set(error, MMOOD_ERROR_IO,
                                "%s: no connection within %g s%s; check the URL and the network",
                                shown, http->options.connect_timeout, after);
        return mm_error_set(error, MMOOD_ERROR_IO,
                            "%s: no complete answer within %g s%s (%s); raise --timeout if it is "
                            "only slow",
                            shown, why->timeout, after, detail);
    case CURLE_RECV_ERROR:
    case CURLE_SEND_ERROR:
    case CURLE_GOT_NOTHING:
    case CURLE_PARTIAL_FILE:
        return mm_error_set(error, MMOOD_ERROR_IO,
                            "%s: the connection broke before the answer was complete%s (%s)", shown,
                            after, detail);
    case CURLE_SSL_CONNECT_ERROR:
    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_SSL_CERTPROBLEM:
    case CURLE_SSL_CACERT_BADFILE:
    case CURLE_SSL_ISSUER_ERROR:
        return mm_error_set(error, MMOOD_ERROR_IO,
                            "%s: no secure connection (%s); check its certificate, or use http:// "
                            "if it has none",
                            shown, detail);
    default:
        return mm_error_set(error, MMOOD_ERROR_IO, "%s: %s%s", shown, detail, after);
    }
}

mmood_status mm_http_no_time(const mm_http *http, const char *url, const failure *why,
                             const mm_http_reply *reply, double asked, double left,
                             mmood_error *error) {
    mmood_status status = why->code == CURLE_OK ? mm_http_explain(http, url, reply, error)
                                                : mm_http_failed(http, url, why, reply, error);
    if (asked > 0)
        return mm_error_prefix(error, status,
                               "it asks to wait %.0f s (Retry-After) and %.3g of the %g s of "
                               "--timeout are left",
                               asked, left > 0 ? left : 0, why->timeout);
    return mm_error_prefix(error, status, "no time is left of the %g s of --timeout to try again",
                           why->timeout);
}
