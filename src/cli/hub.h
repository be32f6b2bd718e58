/* hub.h - a Hugging Face hub: names of repositories, URLs, and what its answers mean. */
#ifndef MM_CLI_HUB_H
#define MM_CLI_HUB_H

#include "envision/download.h"

typedef struct hub {
    mm_http *http;
    char *endpoint;
    char *page;     /* URL of the repository's page */
    char *repo;     /* "owner/name" or "name" */
    char *revision; /* a branch, a tag, a commit */
    char *commit;   /* that it is, after hub_pin; else NULL */
    char *token_at; /* where the token is from: "HF_TOKEN", or a file; NULL: there is none */
} hub;

/* `repo` may be the URL of its page, too. $HF_ENDPOINT names the hub; the token is in $HF_TOKEN, or
 * in the file that logging in leaves (hub_cache.h). The caller frees it with hub_close, also after
 * a failure. ARGUMENT for names that no repository has. */
mmood_status hub_open(hub *out, const char *repo, const char *revision, mmood_error *error);
void hub_close(hub *h);

/* 1 for "owner/name" and "name" as hubs allow them: letters, digits, "-_.", no "..". */
int hub_is_repo_name(const char *text);

/* The last part of the repository's name; points into it. */
const char *hub_name(const hub *h);

/* From now on files are of this commit, so that none is of a later one. */
mmood_status hub_pin(hub *h, const char *commit, mmood_error *error);

/* Another revision, not pinned yet. ARGUMENT for what is none. */
mmood_status hub_set_revision(hub *h, const char *revision, mmood_error *error);

/* The URL of a file, in memory that the caller frees. */
mmood_status hub_url(char **out, const hub *h, const char *file, mmood_error *error);

/* Asks for the pull request with which the hub's bot converts the weights to safetensors; *number
 * is 0 if there is none, or no list of them: *code is the hub's answer, such as 200 or 404. */
mmood_status hub_find_conversion(int *number, long *code, const hub *h, mmood_error *error);

/* 1 if the answer says that the repository has no such file. */
int hub_lacks_file(const mm_download_reply *reply);

/* Says what an answer other than 200 means, with what to do. */
mmood_status hub_explain(const hub *h, const char *file, const mm_download_reply *reply,
                         mmood_error *error);

/* 1 for the name of a file of weights that an index may give: letters, digits, "-_.", no folder,
 * `end` (".safetensors" or ".bin") at the end. */
int hub_is_weights_name(const char *name, const char *end);

#endif
