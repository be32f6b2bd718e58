/* url.h - the URLs that people give for an endpoint, made into the one that is called. */
#ifndef MM_ENVISION_URL_H
#define MM_ENVISION_URL_H

#include "mmood.h"

/* The URL of `path` ("chat/completions") of an OpenAI-style endpoint, in memory that the caller
 * frees. `base` may be host, host/, host/v1, host/v1/ or a full URL of any of its paths; a prefix
 * before v1 and a query are kept. Without a scheme, names with a dot are taken as https, others
 * (localhost, addresses) as http. ARGUMENT for other schemes and for a user name or password in
 * the URL. */
mmood_status mm_url_openai(char **out, const char *base, const char *path, mmood_error *error);

/* The same for AUTOMATIC1111's sdapi/v1/txt2img. */
mmood_status mm_url_sdapi(char **out, const char *base, mmood_error *error);

/* `path`, percent-encoded where it must be, below `base`, which keeps its own path and query. */
mmood_status mm_url_under(char **out, const char *base, const char *path, mmood_error *error);

/* Which kind of picture endpoint the URL itself names: 's' sdapi, 'o' OpenAI, 0 it does not say. */
int mm_url_kind(const char *base);

/* `link`, which may be relative, as seen from `base`; http and https only. The caller frees it. */
mmood_status mm_url_resolve(char **out, const char *base, const char *link, mmood_error *error);

/* The URL without query, fragment, user and password, for messages and records, to a buffer of
 * `size` bytes. */
void mm_url_show(char *out, size_t size, const char *url);

/* 1 if scheme, host and port are the same. */
int mm_url_same_origin(const char *a, const char *b);

/* 1 for https. */
int mm_url_is_https(const char *url);

/* 1 if the host is this machine: no proxy is asked then. */
int mm_url_is_loopback(const char *url);

#endif
