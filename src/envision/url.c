/* url.c - forms of URLs, taken apart and put together by libcurl's parser. */
#include "envision/url.h"

#include "base/buffer.h"
#include "base/error.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include <curl/curl.h>

static mmood_status no_memory(mmood_error *error) {
    return mm_error_set(error, MMOOD_ERROR_MEMORY, "no memory for a URL");
}

/* A part of a URL, or NULL; curl_free() it. */
static char *part(CURLU *url, CURLUPart which) {
    char *text = NULL;
    unsigned flags = which == CURLUPART_PORT ? CURLU_DEFAULT_PORT : 0;
    return curl_url_get(url, which, &text, flags) == CURLUE_OK ? text : NULL;
}

static int is_web(const CURLU *url) {
    char *scheme = part((CURLU *)(uintptr_t)url, CURLUPART_SCHEME);
    int web = scheme && (strcmp(scheme, "http") == 0 || strcmp(scheme, "https") == 0);
    curl_free(scheme);
    return web;
}

/* Whether a URL without a scheme is more likely https: a name on the internet has a dot. */
static int looks_public(const char *text, size_t size) {
    size_t host = strcspn(text, ":/?#");
    int dot = 0, letter = 0;
    for (size_t i = 0; i < host && i < size; i++) {
        dot |= text[i] == '.';
        letter |= isalpha((unsigned char)text[i]) != 0;
    }
    return dot && letter;
}

/* `example` is a URL for messages. */
static mmood_status parse_base(CURLU **out, const char *base, const char *example,
                               mmood_error *error) {
    *out = NULL;
    const char *text = base ? base : "";
    text += strspn(text, " \t\r\n");
    size_t size = strlen(text);
    while (size > 0 && strchr(" \t\r\n", text[size - 1]))
        size--;
    if (size == 0)
        return mm_error_set(error, MMOOD_ERROR_ARGUMENT,
                            "the endpoint's URL is empty, expected one such as %s", example);
    mm_buffer full = {0};
    if (!strstr(text, "://"))
        mm_buffer_puts(&full, looks_public(text, size) ? "https://" : "http://");
    mm_buffer_append(&full, text, size);
    CURLU *url = curl_url();
    if (full.failed || !url) {
        mm_buffer_free(&full);
        curl_url_cleanup(url);
        return no_memory(error);
    }
    CURLUcode code = curl_url_set(url, CURLUPART_URL, full.data, CURLU_NON_SUPPORT_SCHEME);
    mm_buffer_free(&full);
    char shown[256];
    mm_url_show(shown, sizeof shown, base);
    char *user = part(url, CURLUPART_USER), *password = part(url, CURLUPART_PASSWORD);
    mmood_status status = MMOOD_OK;
    if (code != CURLUE_OK)
        status = mm_error_set(error, MMOOD_ERROR_ARGUMENT,
                              "\"%s\" is not a URL (%s); expected one such as %s", shown,
                              curl_url_strerror(code), example);
    else if (!is_web(url))
        status = mm_error_set(error, MMOOD_ERROR_ARGUMENT,
                              "\"%s\" is not an http or https URL; others are not called", shown);
    else if (user || password)
        status = mm_error_set(error, MMOOD_ERROR_ARGUMENT,
                              "the URL %s holds a user name or password; give the key by an "
                              "environment variable instead",
                              shown);
    curl_free(user);
    curl_free(password);
    if (status != MMOOD_OK)
        curl_url_cleanup(url);
    else
        *out = url;
    return status;
}

/* Doubled slashes become one, those at the end go. */
static void tidy(char *path) {
    char *to = path;
    for (const char *from = path; *from; from++)
        if (!(*from == '/' && to > path && to[-1] == '/'))
            *to++ = *from;
    while (to > path && to[-1] == '/')
        to--;
    *to = 0;
}

static int strip_end(char *path, const char *end) {
    size_t a = strlen(path), b = strlen(end);
    if (a < b || strcasecmp(path + a - b, end) != 0)
        return 0;
    path[a - b] = 0;
    return 1;
}

static mmood_status with_path(char **out, CURLU *url, const char *path, const char *prefix,
                              const char *rest, mmood_error *error) {
    mm_buffer full = {0};
    mm_buffer_printf(&full, "%s%s/%s", path, prefix, rest);
    char *made = NULL;
    if (!full.failed && curl_url_set(url, CURLUPART_PATH, full.data, 0) == CURLUE_OK &&
        curl_url_set(url, CURLUPART_FRAGMENT, NULL, 0) == CURLUE_OK)
        made = part(url, CURLUPART_URL);
    mm_buffer_free(&full);
    *out = made ? strdup(made) : NULL;
    curl_free(made);
    return *out ? MMOOD_OK : no_memory(error);
}

/* A base URL taken apart: `*path` is its path, tidied; the caller frees both. */
static mmood_status open_base(CURLU **url, char **path, const char *base, const char *example,
                              mmood_error *error) {
    mmood_status status = parse_base(url, base, example, error);
    if (status != MMOOD_OK)
        return status;
    *path = part(*url, CURLUPART_PATH);
    if (!*path) {
        curl_url_cleanup(*url);
        return no_memory(error);
    }
    tidy(*path);
    return MMOOD_OK;
}

mmood_status mm_url_openai(char **out, const char *base, const char *path, mmood_error *error) {
    *out = NULL;
    CURLU *url;
    char *old;
    mmood_status status = open_base(&url, &old, base, "http://localhost:8080/v1", error);
    if (status != MMOOD_OK)
        return status;
    static const char *const ends[] = {"/chat/completions", "/completions", "/images/generations",
                                       "/responses", "/models"};
    for (size_t i = 0; i < sizeof ends / sizeof *ends; i++)
        if (strip_end(old, ends[i]))
            break;
    status = with_path(out, url, old, *old ? "" : "/v1", path, error);
    curl_free(old);
    curl_url_cleanup(url);
    return status;
}

mmood_status mm_url_sdapi(char **out, const char *base, mmood_error *error) {
    *out = NULL;
    CURLU *url;
    char *old;
    mmood_status status = open_base(&url, &old, base, "http://localhost:8080/v1", error);
    if (status != MMOOD_OK)
        return status;
    strip_end(old, "/txt2img");
    strip_end(old, "/v1");
    strip_end(old, "/sdapi");
    status = with_path(out, url, old, "", "sdapi/v1/txt2img", error);
    curl_free(old);
    curl_url_cleanup(url);
    return status;
}

mmood_status mm_url_under(char **out, const char *base, const char *path, mmood_error *error) {
    *out = NULL;
    CURLU *url;
    char *old;
    mmood_status status = open_base(&url, &old, base, "https://huggingface.co", error);
    if (status != MMOOD_OK)
        return status;
    status = with_path(out, url, old, "", path, error);
    curl_free(old);
    curl_url_cleanup(url);
    return status;
}

int mm_url_kind(const char *base) {
    if (strstr(base, "/sdapi"))
        return 's';
    size_t size = strcspn(base, "?#");
    while (size > 0 && strchr("/ \t\r\n", base[size - 1]))
        size--;
    if (size >= 3 && strncmp(base + size - 3, "/v1", 3) == 0)
        return 'o';
    if (strstr(base, "/images/generations") || strstr(base, "/v1/") ||
        strstr(base, "api.openai.com"))
        return 'o';
    return 0;
}

mmood_status mm_url_resolve(char **out, const char *base, const char *link, mmood_error *error) {
    *out = NULL;
    CURLU *url = curl_url();
    if (!url)
        return no_memory(error);
    CURLUcode code = curl_url_set(url, CURLUPART_URL, base, 0);
    if (code == CURLUE_OK)
        code = curl_url_set(url, CURLUPART_URL, link, CURLU_NON_SUPPORT_SCHEME);
    mmood_status status = MMOOD_OK;
    char shown[256];
    mm_url_show(shown, sizeof shown, link);
    char *full = part(url, CURLUPART_URL);
    if (code == CURLUE_OUT_OF_MEMORY || (code == CURLUE_OK && !full))
        status = no_memory(error);
    else if (code != CURLUE_OK || !is_web(url))
        status = mm_error_set(
            error, MMOOD_ERROR_UNSUPPORTED,
            "the link \"%s\" is not an http or https URL; others are not followed", shown);
    else if (!(*out = strdup(full)))
        status = no_memory(error);
    curl_free(full);
    curl_url_cleanup(url);
    return status;
}

void mm_url_show(char *out, size_t size, const char *url) {
    const char *scheme = strstr(url, "://");
    size_t start = scheme ? (size_t)(scheme - url) + 3 : 0;
    size_t host = strcspn(url + start, "/?#");
    size_t end = start + strcspn(url + start, "?#");
    size_t skip = 0; /* "user:password@" */
    for (size_t i = 0; i < host; i++)
        if (url[start + i] == '@')
            skip = i + 1;
    snprintf(out, size, "%.*s%.*s", (int)(start < 64 ? start : 64), url,
             (int)(end - start - skip < 4096 ? end - start - skip : 4096), url + start + skip);
}

int mm_url_same_origin(const char *a, const char *b) {
    static const CURLUPart parts[] = {CURLUPART_SCHEME, CURLUPART_HOST, CURLUPART_PORT};
    CURLU *first = curl_url(), *second = curl_url();
    int same = first && second && curl_url_set(first, CURLUPART_URL, a, 0) == CURLUE_OK &&
               curl_url_set(second, CURLUPART_URL, b, 0) == CURLUE_OK;
    for (size_t i = 0; i < 3 && same; i++) {
        char *x = part(first, parts[i]), *y = part(second, parts[i]);
        same = x && y && strcasecmp(x, y) == 0;
        curl_free(x);
        curl_free(y);
    }
    curl_url_cleanup(first);
    curl_url_cleanup(second);
    return same;
}

int mm_url_is_https(const char *url) {
    return strncasecmp(url, "https://", 8) == 0;
}

int mm_url_is_loopback(const char *url) {
    CURLU *parsed = curl_url();
    char *host = NULL;
    if (parsed && curl_url_set(parsed, CURLUPART_URL, url, 0) == CURLUE_OK)
        host = part(parsed, CURLUPART_HOST);
    int loopback = host && (strcasecmp(host, "localhost") == 0 || strncmp(host, "127.", 4) == 0 ||
                            strcmp(host, "[::1]") == 0);
    curl_free(host);
    curl_url_cleanup(parsed);
    return loopback;
}
