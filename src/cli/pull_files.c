/* pull_files.c - one file of a repository: asked for, downloaded to its ".part", and named. */
#include "cli/pull.h"

#include "base/error.h"
#include "base/file.h"
#include "envision/part.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { STALL = 30 };
static const uint64_t max_weights = (uint64_t)1 << 40;

/* "605.2 MB", "572 bytes". */
static const char *size_text(char out[32], int64_t size) {
    if (size < 1000)
        snprintf(out, 32, "%lld byte%s", (long long)size, size == 1 ? "" : "s");
    else if (size < 1000000)
        snprintf(out, 32, "%.1f kB", (double)size / 1e3);
    else
        snprintf(out, 32, "%.1f MB", (double)size / 1e6);
    return out;
}

static void show_progress(void *context, uint64_t done, int64_t size) {
    (void)context;
    fprintf(stderr, "\r\033[K%.1f", (double)done / 1e6);
    if (size > 0)
        fprintf(stderr, " of %.1f MB, %d %%", (double)size / 1e6,
                (int)(100 * (double)done / (double)size));
    else
        fprintf(stderr, " MB");
}

static void end_progress(const pull *p) {
    if (p->progress)
        fputs("\r\033[K", stderr);
}

static void show_note(void *context, const char *text) {
    const pull *p = context;
    end_progress(p);
    cli_note(common_talk(&p->common), "%s", text);
}

/* What to download, except the file's own facts; url and path are freed by the caller. */
static mmood_status describe(mm_download *out, char **url, char **path, pull *p, const char *name,
                             mmood_error *error) {
    *path = mm_path_join(p->folder, name);
    mmood_status status = hub_url(url, &p->hub, name, error);
    if (status == MMOOD_OK && !*path)
        status = mm_error_set(error, MMOOD_ERROR_MEMORY, "no memory for a path");
    *out = (mm_download){.url = *url,
                         .path = *path,
                         .name = name,
                         .size = -1,
                         .stall = STALL,
                         .progress = p->progress ? show_progress : NULL,
                         .note = show_note,
                         .context = p};
    return status;
}

/* Adds a file that the hub has to the list. */
static mmood_status add(pull *p, const char *name, const mm_download_reply *reply,
                        mmood_error *error) {
    remote *longer = realloc(p->files, (p->count + 1) * sizeof *longer);
    char *copy = strdup(name);
    if (longer)
        p->files = longer;
    if (!longer || !copy) {
        free(copy);
        return mm_error_set(error, MMOOD_ERROR_MEMORY, "no memory for a list of files");
    }
    remote *file = &p->files[p->count++];
    *file = (remote){.name = copy,
                     .size = reply->size,
                     .is_weights = hub_is_weights_name(name, ".safetensors") ||
                                   hub_is_weights_name(name, ".bin")};
    memcpy(file->sha256, reply->sha256, sizeof file->sha256);
    return MMOOD_OK;
}

mmood_status pull_ask(int *there, pull *p, const char *name, mmood_error *error) {
    mm_download what;
    mm_download_reply reply;
    char *url, *path;
    *there = 0;
    mmood_status status = describe(&what, &url, &path, p, name, error);
    if (status == MMOOD_OK)
        status = mm_download_ask(&reply, p->hub.http, &what, error);
    free(url);
    free(path);
    if (status != MMOOD_OK || hub_lacks_file(&reply))
        return status;
    if (reply.code != 200)
        return hub_explain(&p->hub, name, &reply, error);
    status = add(p, name, &reply, error);
    *there = status == MMOOD_OK;
    if (status == MMOOD_OK && !p->hub.commit && reply.commit[0])
        status = hub_pin(&p->hub, reply.commit, error);
    return status;
}

remote *pull_find(const pull *p, const char *name) {
    for (size_t i = 0; i < p->count; i++)
        if (strcmp(p->files[i].name, name) == 0)
            return &p->files[i];
    return NULL;
}

mmood_status pull_get(pull *p, remote *file, mmood_error *error) {
    mm_download what;
    mm_download_reply reply;
    char *url, *path;
    mmood_status status = describe(&what, &url, &path, p, file->name, error);
    what.size = file->size;
    memcpy(what.sha256, file->sha256, sizeof what.sha256);
    what.limit = file->is_weights ? max_weights : PULL_MAX_SMALL;
    if (status == MMOOD_OK && !file->is_weights && file->size > PULL_MAX_SMALL)
        status = mm_error_set(error, MMOOD_ERROR_LIMIT, "%s: %lld bytes, expected at most %d",
                              file->name, (long long)file->size, (int)PULL_MAX_SMALL);
    char text[32];
    cli_note(common_talk(&p->common), "fetching %s%s%s", file->name, file->size >= 0 ? ", " : "",
             file->size >= 0 ? size_text(text, file->size) : "");
    if (status == MMOOD_OK)
        status = mm_download_get(&reply, p->hub.http, &what, error);
    end_progress(p);
    if (status == MMOOD_OK && reply.code != 200)
        status = hub_explain(&p->hub, file->name, &reply, error);
    if (status == MMOOD_OK)
        file->state = COMPLETE_PART;
    free(url);
    free(path);
    return status;
}

mmood_status pull_read(uint8_t **text, size_t *size, const pull *p, const char *name,
                       mmood_error *error) {
    mm_buffer part = {0};
    mm_buffer_printf(&part, "%s.part", name);
    mmood_status status =
        part.failed ? mm_error_set(error, MMOOD_ERROR_MEMORY, "no memory for a name")
                    : mm_file_read_in(text, size, p->folder, part.data, PULL_MAX_SMALL, error);
    mm_buffer_free(&part);
    return status;
}

/* Such a file needs no download. Without a hash nothing but its contents would tell it from
 * another. */
int pull_has(const pull *p, const remote *file) {
    char *path = mm_path_join(p->folder, file->name);
    int kept = path && file->sha256[0] && file->size >= 0 &&
               mm_part_is_done(path, (uint64_t)file->size, file->sha256);
    if (kept)
        mm_part_remove(path); /* which an earlier run may have left */
    free(path);
    return kept;
}

mmood_status pull_keep(const pull *p, remote *file, mmood_error *error) {
    int changed = 0;
    char *path = mm_path_join(p->folder, file->name);
    if (!path)
        return mm_error_set(error, MMOOD_ERROR_MEMORY, "no memory for a path");
    mmood_status status = mm_part_keep(&changed, path, error);
    if (status == MMOOD_OK && !changed)
        file->state = UNCHANGED;
    free(path);
    return status;
}

/* What is small is not worth resuming: only weights stay. */
static void remove_part(const pull *p, const remote *file) {
    char *path = file->is_weights ? NULL : mm_path_join(p->folder, file->name);
    if (path)
        mm_part_remove(path);
    free(path);
}

void pull_drop(pull *p, const char *name) {
    remote *file = pull_find(p, name);
    if (!file)
        return;
    remove_part(p, file);
    free(file->name);
    size_t after = (size_t)(p->files + p->count - file) - 1;
    memmove(file, file + 1, after * sizeof *file);
    p->count--;
}

void pull_drop_all(pull *p) {
    for (size_t i = 0; i < p->count; i++) {
        remove_part(p, &p->files[i]);
        free(p->files[i].name);
    }
    free(p->files);
    p->files = NULL;
    p->count = 0;
}
