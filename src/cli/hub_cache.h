/* hub_cache.h - what the Hugging Face hub's own programs leave on this machine: the token of a
 * login, and models that they downloaded. */
#ifndef MM_CLI_HUB_CACHE_H
#define MM_CLI_HUB_CACHE_H

#include "base/buffer.h"

#include "mmood.h"

/* The file with the token: $HF_TOKEN_PATH, else "token" in $HF_HOME, else in "huggingface" in
 * $XDG_CACHE_HOME or ~/.cache. With no data if there is no such place; the caller frees it. */
mm_buffer hub_token_path(void);

/* 1 for "OWNER/NAME" where no such file is: a model's name, if anything. */
int hub_cache_is_name(const char *given);

/* The directory that `given` stands for, in memory that the caller frees; *out is NULL if it is
 * `given` itself.
 *   - A directory models--OWNER--NAME of the cache: its snapshot of the branch main.
 *   - A model's name: its snapshot in the cache ($HF_HUB_CACHE, else "hub" in $HF_HOME, else in
 *     "huggingface" in $XDG_CACHE_HOME or ~/.cache).
 * IO with what was looked at if there is none. */
mmood_status hub_cache_find(char **out, const char *given, mmood_error *error);

/* A path into a cache that is not there, such as another machine's: the same snapshot, or else the
 * model's snapshot of main, in the cache of this machine. NULL if there is none, or if `path` is
 * no such path. The caller frees it. */
char *hub_cache_find_again(const char *path);

#endif
