/* hub.c - a Hugging Face hub: names, URLs, answers. */
#include "cli/hub.h"

#include "base/error.h"
#include "envision/url.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LETTERS "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"

enum { LONGEST_NAME = 96, LONGEST_REVISION = 256 };

static mmood_status no_memory(mmood_error *error) {
    return mm_error_set(error, MMOOD_ERROR_MEMORY, "no memory for a name");
}

/* ---- Names --------------------------------------------------------------------------------- */

/* One part of a repository's name. */
static int is_part(const char *text, size_t size) {
    return size > 0 && size <= LONGEST_NAME && text[0] != '.' && text[0] != '-' &&
           strspn(text, LETTERS "-_.") >= size;
}

static int is_repo(const char *text) {
    const char *slash = strchr(text, '/');
    if (strstr(text, ".."))
        return 0;
    if (!slash)
        return is_part(text, strlen(text));
    return is_part(text, (size_t)(slash - text)) && is_part(slash + 1, strlen(slash + 1));
}

int hub_is_weights_name(const char *name) {
    static const char end[] = ".safetensors";
    size_t size = strlen(name), tail = sizeof end - 1;
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
    else if (!is_repo(h->repo))
        status = mm_error_set(error, MMOOD_ERROR_ARGUMENT,
                              "\"%s\" is not the name of a repository; expected one such as "
                              "openai/clip-vit-base-patch32, of letters, digits, \"-\", \"_\" and "
                              "\".\"; --revision gives a branch",
                              text);
    free(root);
    return status;
}

static mmood_status take_revision(hub *h, const char *text, mmood_error *error) {
    size_t size = strlen(text);
    if (size == 0 || size > LONGEST_REVISION || strstr(text, "..") || strcmp(text, ".") == 0 ||
        strspn(text, LETTERS "-_./+@") < size)
        return mm_error_set(error, MMOOD_ERROR_ARGUMENT,
                            "\"%s\" is not a revision; expected a branch, a tag, a commit or a "
                            "pull request such as refs/pr/1",
                            text);
    h->revision = strdup(text);
    return h->revision ? MMOOD_OK : no_memory(error);
}

mmood_status hub_open(hub *out, const char *repo, const char *revision, mmood_error *error) {
    const char *endpoint = getenv("HF_ENDPOINT"), *token = getenv("HF_TOKEN");
    *out = (hub){.has_token = token && *token};
    out->endpoint = strdup(endpoint && *endpoint ? endpoint : "https://huggingface.co");
    if (!out->endpoint)
        return no_memory(error);
    mmood_status status = take_repo(out, repo, error);
    if (status == MMOOD_OK)
        status = take_revision(out, revision, error);
    if (status == MMOOD_OK)
        status = mm_url_under(&out->page, out->endpoint, out->repo, error);
    mm_http_options options = mm_http_options_default();
    options.timeout = 60;
    options.key_variable = "HF_TOKEN";
    if (status == MMOOD_OK)
        status = mm_http_create(&out->http, &options, error);
    return status;
}

void hub_close(hub *h) {
    mm_http_free(h->http);
    free(h->endpoint);
    free(h->page);
    free(h->repo);
    free(h->revision);
    free(h->commit);
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
    const char *repo = h->repo;
    if (is_error(reply, "RepoNotFound"))
        return mm_error_set(error, MMOOD_ERROR_IO,
                            "%s has no model \"%s\", or it is private; check the name, or %s",
                            h->endpoint, repo,
                            h->has_token ? "whether the token in HF_TOKEN may read it"
                                         : "set HF_TOKEN to a token that may read it");
    if (is_error(reply, "RevisionNotFound"))
        return mm_error_set(error, MMOOD_ERROR_IO,
                            "%s has no revision \"%s\"; its page lists them: %s", repo, h->revision,
                            h->page);
    if (is_error(reply, "GatedRepo"))
        return mm_error_set(error, MMOOD_ERROR_IO,
                            "%s is gated%s%s%s; accept its licence at %s, %s", repo, open, said,
                            close, h->page,
                            h->has_token ? "with the account whose token is in HF_TOKEN"
                                         : "and set HF_TOKEN to a token of that account");
    switch (reply->code) {
    case 401:
    case 403:
        return mm_error_set(error, MMOOD_ERROR_IO,
                            "%s: the hub answered %ld to the request for %s%s%s%s; %s; a gated "
                            "model also wants its licence accepted at %s",
                            repo, reply->code, file, open, said, close,
                            h->has_token ? "check the token in HF_TOKEN"
                                         : "set HF_TOKEN to a token that may read it",
                            h->page);
    case 404:
        return mm_error_set(error, MMOOD_ERROR_IO,
                            "%s at revision %s has no %s; check the names at %s", repo, h->revision,
                            file, h->page);
    case 429:
        return mm_error_set(error, MMOOD_ERROR_IO,
                            "%s: the hub is asked too often (429)%s%s%s; it says to wait %.0f s%s",
                            repo, open, said, close, reply->retry_after,
                            h->has_token ? "" : "; with HF_TOKEN it allows more");
    default:
        return mm_error_set(error, MMOOD_ERROR_IO,
                            "%s: the hub answered %ld to the request for %s, after %d attempt%s"
                            "%s%s%s; try again later",
                            repo, reply->code, file, reply->attempts,
                            reply->attempts == 1 ? "" : "s", open, said, close);
    }
}
