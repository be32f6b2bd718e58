/* hub_cache.c - the Hugging Face hub's folder on this machine: CACHE/models--OWNER--NAME has
 * refs/BRANCH, a file with a commit, and snapshots/COMMIT, a directory of links to blobs/. */
#include "cli/hub_cache.h"

#include "cli/hub.h"

#include "base/error.h"
#include "base/file.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { LONGEST_COMMIT = 64, MAX_REF = 256 };

static const char prefix[] = "models--", snapshots[] = "/snapshots/";

static mmood_status no_memory(mmood_error *error) {
    return mm_error_set(error, MMOOD_ERROR_MEMORY, "no memory for a path");
}

/* ---- Where it is --------------------------------------------------------------------------- */

/* A variable's value; NULL if it is empty or not set. */
static const char *variable(const char *name) {
    const char *value = getenv(name);
    return value && *value ? value : NULL;
}

/* A path with "~/" at its beginning replaced, as the hub's programs do for these variables: not
 * every place that sets them is a shell. */
static void put_path(mm_buffer *out, const char *path) {
    const char *home = variable("HOME");
    if (path[0] == '~' && path[1] == '/' && home)
        mm_buffer_printf(out, "%s%s", home, path + 1);
    else
        mm_buffer_puts(out, path);
}

/* `below` in the hub's folder, unless the variable `name` gives its place. */
static mm_buffer place(const char *name, const char *below) {
    mm_buffer path = {0};
    const char *given = variable(name), *home = variable("HF_HOME");
    const char *cache = variable("XDG_CACHE_HOME"), *user = variable("HOME");
    if (given) {
        put_path(&path, given);
        return path;
    }
    if (home)
        put_path(&path, home);
    else if (cache && *cache == '/')
        mm_buffer_printf(&path, "%s/huggingface", cache);
    else if (user)
        mm_buffer_printf(&path, "%s/.cache/huggingface", user);
    if (path.data)
        mm_buffer_printf(&path, "/%s", below);
    return path;
}

mm_buffer hub_token_path(void) {
    return place("HF_TOKEN_PATH", "token");
}

/* ---- A model's folder ---------------------------------------------------------------------- */

static int is_commit(const char *text, size_t size) {
    return (size == 40 || size == LONGEST_COMMIT) && strspn(text, "0123456789abcdef") >= size;
}

/* The commit that refs/main of a model's folder names; 0 if it names none. */
static int read_main(char out[LONGEST_COMMIT + 1], const char *folder) {
    uint8_t *text;
    size_t size;
    if (mm_file_read_in(&text, &size, folder, "refs/main", MAX_REF, NULL) != MMOOD_OK)
        return 0;
    size_t length = strcspn((const char *)text, " \t\r\n");
    int ok = is_commit((const char *)text, length);
    if (ok)
        snprintf(out, LONGEST_COMMIT + 1, "%.*s", (int)length, (const char *)text);
    free(text);
    return ok;
}

/* The name of the only snapshot; 0 if there are several, or none. */
static int only_snapshot(char out[LONGEST_COMMIT + 1], const char *folder) {
    int count = 0;
    char *path = mm_path_join(folder, "snapshots");
    DIR *open = path ? opendir(path) : NULL;
    for (struct dirent *entry; open && (entry = readdir(open));) {
        size_t length = strlen(entry->d_name);
        if (!is_commit(entry->d_name, length))
            continue;
        memcpy(out, entry->d_name, length + 1);
        count++;
    }
    if (open)
        closedir(open);
    free(path);
    return count == 1;
}

/* The snapshot of a model's folder: refs/main's, and where nothing says which, the only one.
 * MMOOD_ERROR_IO if there is none. */
static mmood_status find_snapshot(char **out, const char *folder, mmood_error *error) {
    char commit[LONGEST_COMMIT + 1];
    int named = read_main(commit, folder);
    mm_buffer path = {0};
    *out = NULL;
    if (!named && !only_snapshot(commit, folder))
        return mm_error_set(
            error, MMOOD_ERROR_IO,
            "%s has no refs/main that names a commit, and not exactly one snapshot; "
            "give one of the directories in its snapshots",
            folder);
    mm_buffer_printf(&path, "%s%s%s", folder, snapshots, commit);
    if (path.failed) {
        mm_buffer_free(&path);
        return no_memory(error);
    }
    if (mm_is_directory(path.data)) {
        *out = path.data;
        return MMOOD_OK;
    }
    mm_error_set(error, MMOOD_ERROR_IO,
                 "%s: refs/main names the commit %s, and snapshots has no such directory", folder,
                 commit);
    mm_buffer_free(&path);
    return MMOOD_ERROR_IO;
}

/* The folder of a model in this machine's cache, as "models--OWNER--NAME". */
static mm_buffer model_folder(const char *directory_name) {
    mm_buffer path = place("HF_HUB_CACHE", "hub");
    if (path.data)
        mm_buffer_printf(&path, "/%s", directory_name);
    return path;
}

/* ---- Names --------------------------------------------------------------------------------- */

/* 1 for a directory such as models--openai--clip-vit-base-patch32 with snapshots in it. */
static int is_model_folder(const char *path) {
    size_t size = strlen(path);
    while (size > 0 && path[size - 1] == '/')
        size--;
    size_t start = size;
    while (start > 0 && path[start - 1] != '/')
        start--;
    return strncmp(path + start, prefix, sizeof prefix - 1) == 0 &&
           mm_file_exists_in(path, "snapshots");
}

static mmood_status not_found(const char *given, const char *folder, mmood_error *error) {
    const char *last = strchr(given, '/') + 1;
    int is_here = mm_is_directory(last);
    return mm_error_set(
        error, MMOOD_ERROR_IO,
        "%s: there is no such file or directory, and the Hugging Face cache has no model "
        "of this name%s%s%s; %s%s%s\"mmood pull %s\" downloads it",
        given, folder ? " (" : "", folder ? folder : "", folder ? " is not there)" : "",
        is_here ? "the directory " : "", is_here ? last : "",
        is_here ? " here is taken with its own name; " : "", given);
}

static mmood_status find_name(char **out, const char *given, mmood_error *error) {
    const char *slash = strchr(given, '/');
    mm_buffer name = {0};
    mm_buffer_printf(&name, "%s%.*s--%s", prefix, (int)(slash - given), given, slash + 1);
    mm_buffer folder = name.failed ? (mm_buffer){0} : model_folder(name.data);
    mmood_status status;
    if (name.failed || folder.failed)
        status = no_memory(error);
    else if (!folder.data || !mm_is_directory(folder.data))
        status = not_found(given, folder.data, error);
    else if ((status = find_snapshot(out, folder.data, error)) == MMOOD_ERROR_IO)
        mm_error_prefix(error, status, "%s (\"mmood pull %s\" downloads it)", given, given);
    mm_buffer_free(&folder);
    mm_buffer_free(&name);
    return status;
}

int hub_cache_is_name(const char *given) {
    return strchr(given, '/') && hub_is_repo_name(given) && !mm_file_exists(given);
}

mmood_status hub_cache_find(char **out, const char *given, mmood_error *error) {
    *out = NULL;
    if (is_model_folder(given))
        return find_snapshot(out, given, error);
    return hub_cache_is_name(given) ? find_name(out, given, error) : MMOOD_OK;
}

char *hub_cache_find_again(const char *path) {
    const char *end = strstr(path, snapshots), *start = end;
    while (start && start > path && start[-1] != '/')
        start--;
    if (!end || strncmp(start, prefix, sizeof prefix - 1) != 0)
        return NULL;
    const char *commit = end + sizeof snapshots - 1;
    mm_buffer name = {0}, snapshot = {0};
    char *found = NULL;
    mm_buffer_printf(&name, "%.*s", (int)(end - start), start);
    mm_buffer folder = name.failed ? (mm_buffer){0} : model_folder(name.data);
    size_t length = strcspn(commit, "/");
    if (folder.data && !folder.failed && is_commit(commit, length)) {
        mm_buffer_printf(&snapshot, "%s%s%.*s", folder.data, snapshots, (int)length, commit);
        if (!snapshot.failed && mm_is_directory(snapshot.data))
            found = strdup(snapshot.data);
        else if (find_snapshot(&found, folder.data, NULL) != MMOOD_OK)
            found = NULL;
    }
    mm_buffer_free(&snapshot);
    mm_buffer_free(&folder);
    mm_buffer_free(&name);
    return found;
}
