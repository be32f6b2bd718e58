/* hub.c - a Hugging Face hub: names, URLs, answers. */
#include "cli/hub.h"

#include "cli/hub_cache.h"

#include "base/error.h"
#include "base/file.h"
#include "envision/discussions.h"
#include "envision/url.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LETTERS "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"

enum { LONGEST_NAME = 96, LONGEST_REVISION = 256, MAX_TOKEN = 65536, MAX_PAGES = 100 };

static mmood_status no_memory(mmood_error *error) {
    return mm_error_set(error, MMOOD_ERROR_MEMORY, "no memory for a name");
}

/* ---- Names --------------------------------------------------------------------------------- */

/* One part of a repository's name. */
static int is_part(const char *text, size_t size) {
    return size > 0 && size <= LONGEST_NAME && text[0] != '.' && text[0] != '-' &&
           strspn(text, LETTERS "-_.") >= size;
}

int hub_is_repo_name(const char *text) {
    const char *slash = strchr(text, '/');
    if (strstr(text, ".."))
        return 0;
    if (!slash)
        return is_part(text, strlen(text));
    return is_part(text, (size_t)(slash - text)) && is_part(slash + 1, strlen(slash + 1));
}

int hub_is_weights_name(const char *name, const char *end) {
    size_t size = strlen(name), tail = strlen(end);
    return size > tail && strcmp(name + size - tail, end) == 0 && size <= 2 * LONGEST_NAME &&
           strspn(name, LETTERS "-_.") == size && name[0] != '.' && !strstr(name, "..");
}

/* The name without the page's address before it and slashes after it. */
static mmood_status take_repo(hub *h, const char *text, mmood_error *error) {
    char *root = NULL;
    mmood_status status = mm_url_under(&root, h->endpoint, "", error);
    if (status != MMOOD_OK)
        return mm_error_prefix(error, status, "HF_ENDPOINT");
    const char *name = text;
    int is_url = strstr(text, "://") != NULL;
    int ours = strncmp(text, root, strlen(root)) == 0;
    if (ours)
        name += strlen(root);
    size_t size = strlen(name);
    while (is_url && size > 0 && name[size - 1] == '/')
        size--;
    h->repo = strndup(name, size);
    if (!h->repo)
        status = no_memory(error);
    else if (is_url && !ours)
        status =
            mm_error_set(error, MMOOD_ERROR_ARGUMENT,
                         "\"%s\" is not a page of %s; HF_ENDPOINT names another hub", text, root);
    else if (!hub_is_repo_name(h->repo))
        status = mm_error_set(error, MMOOD_ERROR_ARGUMENT,
                              "\"%s\" is not the name of a repository; expected one such as "
                              "openai/clip-vit-base-patch32, of letters, digits, \"-\", \"_\" and "
                              "\".\"; --revision gives a branch",
                              text);
    free(root);
    return status;
}

mmood_status hub_set_revision(hub *h, const char *text, mmood_error *error) {
    size_t size = strlen(text);
    if (size == 0 || size > LONGEST_REVISION || strstr(text, "..") || strcmp(text, ".") == 0 ||
        strspn(text, LETTERS "-_./+@") < size)
        return mm_error_set(error, MMOOD_ERROR_ARGUMENT,
                            "\"%s\" is not a revision; expected a branch, a tag, a commit or a "
                            "pull request such as refs/pr/1",
                            text);
    free(h->revision);
    free(h->commit);
    h->commit = NULL;
    h->revision = strdup(text);
    return h->revision ? MMOOD_OK : no_memory(error);
}

/* ---- The hub ------------------------------------------------------------------------------- */

static int has_words(const char *text) {
    return text && text[strspn(text, " \t\r\n")];
}

/* Where the token is, and for a file its contents. Having none is no mistake. */
static mmood_status find_token(hub *h, uint8_t **text, mmood_error *error) {
    *text = NULL;
    if (has_words(getenv("HF_TOKEN"))) {
        h->token_at = strdup("HF_TOKEN");
        return h->token_at ? MMOOD_OK : no_memory(error);
    }
    mm_buffer path = hub_token_path();
    mmood_status status = path.failed ? no_memory(error) : MMOOD_OK;
    size_t size = 0;
    if (status == MMOOD_OK && path.data && mm_file_exists(path.data)) {
        status = mm_file_read(text, &size, path.data, MAX_TOKEN, error);
        if (status == MMOOD_OK && memchr(*text, 0, size))
            status = mm_error_set(error, MMOOD_ERROR_FORMAT, "has a zero byte");
        if (status != MMOOD_OK)
            mm_error_prefix(error, status, "the file with the hub's token, %s", path.data);
        else if (has_words((const char *)*text) && !(h->token_at = strdup(path.data)))
            status = no_memory(error);
    }
    mm_buffer_free(&path);
    return status;
}

static mmood_status make_http(hub *h, mmood_error *error) {
    uint8_t *token;
    mmood_status status = find_token(h, &token, error);
    mm_http_options options = mm_http_options_default();
    options.timeout = 60;
    options.key_variable = h->token_at ? h->token_at : "HF_TOKEN";
    options.key = (const char *)token;
    if (status == MMOOD_OK)
        status = mm_http_create(&h->http, &options, error);
    free(token);
    return status;
}

mmood_status hub_open(hub *out, const char *repo, const char *revision, mmood_error *error) {
    const char *endpoint = getenv("HF_ENDPOINT");
    *out = (hub){0};
    out->endpoint = strdup(endpoint && *endpoint ? endpoint : "https://huggingface.co");
    if (!out->endpoint)
        return no_memory(error);
    mmood_status status = take_repo(out, repo, error);
    if (status == MMOOD_OK)
        status = hub_set_revision(out, revision, error);
    if (status == MMOOD_OK)
        status = mm_url_under(&out->page, out->endpoint, out->repo, error);
    return status == MMOOD_OK ? make_http(out, error) : status;
}

void hub_close(hub *h) {
    mm_http_free(h->http);
    free(h->endpoint);
    free(h->page);
    free(h->repo);
    free(h->revision);
    free(h->commit);
    free(h->token_at);
    *h = (hub){0};
}

const char *hub_name(const hub *h) {
    const char *slash = strrchr(h->repo, '/');
    return slash ? slash + 1 : h->repo;
}

mmood_status hub_pin(hub *h, const char *commit, mmood_error *error) {
    free(h->commit);
    h->commit = strdup(commit);
    return h->commit ? MMOOD_OK : no_memory(error);
}

mmood_status hub_url(char **out, const hub *h, const char *file, mmood_error *error) {
    mm_buffer path = {0};
    *out = NULL;
    mm_buffer_printf(&path, "%s/resolve/", h->repo);
    const char *revision = h->commit ? h->commit : h->revision;
    for (const char *p = revision; *p; p++) /* a slash in it is no folder */
        mm_buffer_printf(&path, strchr(LETTERS "-_.", *p) ? "%c" : "%%%02X", *p);
    mm_buffer_printf(&path, "/%s", file);
    mmood_status status =
        path.failed ? no_memory(error) : mm_url_under(out, h->endpoint, path.data, error);
    mm_buffer_free(&path);
    return status;
}

/* One page of the discussions; *code is what the hub answered, and without a list there is none. */
static mmood_status get_discussions(mm_discussions *out, long *code, const hub *h, const char *url,
                                    int page, mmood_error *error) {
    *out = (mm_discussions){.is_last = 1};
    mm_buffer full = {0};
    mm_http_reply reply = {0};
    mm_buffer_printf(&full, "%s%cp=%d", url, strchr(url, '?') ? '&' : '?', page);
    mm_http_request request = {.url = full.data, .with_key = 1};
    mmood_status status = full.failed ? no_memory(error) : MMOOD_OK;
    if (status == MMOOD_OK)
        status = mm_http_send(&reply, h->http, &request, error);
    *code = reply.code;
    if (status == MMOOD_OK && reply.code == 200)
        status = mm_discussions_parse(out, reply.body.data, reply.body.size, error);
    mm_http_reply_free(&reply);
    mm_buffer_free(&full);
    return status;
}

mmood_status hub_find_conversion(int *number, long *code, const hub *h, mmood_error *error) {
    mm_buffer path = {0};
    char *url = NULL;
    mm_discussions found = {0};
    *code = 0;
    mm_buffer_printf(&path, "api/models/%s/discussions", h->repo);
    mmood_status status =
        path.failed ? no_memory(error) : mm_url_under(&url, h->endpoint, path.data, error);
    for (int page = 0; page < MAX_PAGES && status == MMOOD_OK; page++) {
        status = get_discussions(&found, code, h, url, page, error);
        if (found.conversion || found.is_last)
            break;
    }
    *number = status == MMOOD_OK ? found.conversion : 0;
    free(url);
    mm_buffer_free(&path);
    return status;
}

/* ---- Answers ------------------------------------------------------------------------------- */

static int is_error(const mm_download_reply *reply, const char *code) {
    return strcmp(reply->error_code, code) == 0;
}

int hub_lacks_file(const mm_download_reply *reply) {
    return reply->code == 404 && !is_error(reply, "RepoNotFound") &&
           !is_error(reply, "RevisionNotFound") && !is_error(reply, "GatedRepo");
}

mmood_status hub_explain(const hub *h, const char *file, const mm_download_reply *reply,
                         mmood_error *error) {
    const char *said = reply->said, *open = *said ? " (" : "", *close = *said ? ")" : "";
    const char *repo = h->repo, *token = h->token_at;
    if (is_error(reply, "RepoNotFound"))
        return mm_error_set(error, MMOOD_ERROR_IO,
                            "%s has no model \"%s\", or it is private; check the name, or %s%s%s",
                            h->endpoint, repo, token ? "whether the token in " : "set HF_TOKEN to ",
                            token ? token : "a token that", " may read it");
    if (is_error(reply, "RevisionNotFound"))
        return mm_error_set(error, MMOOD_ERROR_IO,
                            "%s has no revision \"%s\"; its page lists them: %s", repo, h->revision,
                            h->page);
    if (is_error(reply, "GatedRepo"))
        return mm_error_set(error, MMOOD_ERROR_IO,
                            "%s is gated%s%s%s; accept its licence at %s, %s%s", repo, open, said,
                            close, h->page,
                            token ? "with the account whose token is in "
                                  : "and set HF_TOKEN to a token of that account",
                            token ? token : "");
    switch (reply->code) {
    case 401:
    case 403:
        return mm_error_set(error, MMOOD_ERROR_IO,
                            "%s: the hub answered %ld to the request for %s%s%s%s; %s%s; a gated "
                            "model also wants its licence accepted at %s",
                            repo, reply->code, file, open, said, close,
                            token ? "check the token in "
                                  : "set HF_TOKEN to a token that may read it",
                            token ? token : "", h->page);
    case 404:
        return mm_error_set(error, MMOOD_ERROR_IO,
                            "%s at revision %s has no %s; check the names at %s", repo, h->revision,
                            file, h->page);
    case 429:
        return mm_error_set(error, MMOOD_ERROR_IO,
                            "%s: the hub is asked too often (429)%s%s%s; it says to wait %.0f s%s",
                            repo, open, said, close, reply->retry_after,
                            token ? "" : "; with a token in HF_TOKEN it allows more");
    default:
        return mm_error_set(error, MMOOD_ERROR_IO,
                            "%s: the hub answered %ld to the request for %s, after %d attempt%s"
                            "%s%s%s; try again later",
                            repo, reply->code, file, reply->attempts,
                            reply->attempts == 1 ? "" : "s", open, said, close);
    }
}
