/* envision_pictures.c - which pictures belong to which ID class: by the name of their folder, or by
 * their own. */
#include "cli/envision.h"

#include "base/error.h"
#include "base/file.h"
#include "eval/dataset.h"
#include "eval/paths.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

typedef struct named {
    char *name; /* folded */
    size_t index;
} named;

static mmood_status no_memory(mmood_error *error) {
    return mm_error_set(error, MMOOD_ERROR_MEMORY, "no memory for a list of pictures");
}

static int by_name(const void *a, const void *b) {
    return strcmp(((const named *)a)->name, ((const named *)b)->name);
}

static int is_picture(const char *path) {
    static const char *const ends[] = {".jpg", ".jpeg", ".png", ".webp", ".gif"};
    size_t n = strlen(path);
    for (size_t i = 0; i < sizeof ends / sizeof *ends; i++)
        if (n > strlen(ends[i]) && strcasecmp(path + n - strlen(ends[i]), ends[i]) == 0)
            return 1;
    return 0;
}

mmood_status envision_pictures_list(envision_pictures *out, const char *directory,
                                    mmood_error *error) {
    mm_path_list list = {0};
    if (!mm_is_directory(directory))
        return mm_error_set(error, MMOOD_ERROR_IO, "%s is not a folder of pictures", directory);
    mm_path_list_add(&list, directory);
    size_t kept = 0;
    for (size_t i = 0; i < list.count; i++)
        if (is_picture(list.items[i]))
            list.items[kept++] = list.items[i];
        else
            free(list.items[i]);
    out->paths = list.items;
    out->path_count = kept;
    if (list.failed)
        return no_memory(error);
    return kept > 0 ? MMOOD_OK
                    : mm_error_set(error, MMOOD_ERROR_IO,
                                   "%s holds no pictures, expected .jpg, .png, .webp or .gif",
                                   directory);
}

/* The name that says the class: the folder below `directory`, or else the file's own name without
 * its suffix and a number at its end. */
static char *class_of(const char *path, const char *directory) {
    const char *rest = path + strlen(directory);
    rest += strspn(rest, "/");
    const char *slash = strchr(rest, '/');
    if (slash)
        return mm_dataset_fold(rest, (size_t)(slash - rest));
    const char *dot = strrchr(rest, '.');
    size_t n = (size_t)(dot - rest), bare = n;
    while (bare > 0 && strchr("0123456789_- ", rest[bare - 1]))
        bare--;
    return mm_dataset_fold(rest, bare > 0 ? bare : n);
}

static mmood_status fold_names(named *names, const char *const *ids, size_t count,
                               mmood_error *error) {
    for (size_t i = 0; i < count; i++) {
        names[i] = (named){mm_dataset_fold(ids[i], strlen(ids[i])), i};
        if (!names[i].name)
            return no_memory(error);
    }
    qsort(names, count, sizeof *names, by_name);
    return MMOOD_OK;
}

static mmood_status sort_in(envision_pictures *out, const named *names, const char *directory,
                            size_t per_class, mmood_error *error) {
    for (size_t i = 0; i < out->path_count; i++) {
        named wanted = {class_of(out->paths[i], directory), 0};
        if (!wanted.name)
            return no_memory(error);
        const named *found = bsearch(&wanted, names, out->count, sizeof wanted, by_name);
        free(wanted.name);
        if (!found || out->classes[found->index].count == per_class)
            continue;
        mm_class_pictures *c = &out->classes[found->index];
        const char **grown = realloc(c->paths, (c->count + 1) * sizeof *grown);
        if (!grown)
            return no_memory(error);
        c->paths = grown;
        c->paths[c->count++] = out->paths[i];
    }
    return MMOOD_OK;
}

mmood_status envision_pictures_find(envision_pictures *out, const char *directory,
                                    const char *const *ids, size_t count, size_t per_class,
                                    mmood_error *error) {
    named *names = calloc(count + 1, sizeof *names);
    out->classes = calloc(count + 1, sizeof *out->classes);
    out->count = count;
    mmood_status status = names && out->classes ? MMOOD_OK : no_memory(error);
    if (status == MMOOD_OK)
        status = fold_names(names, ids, count, error);
    if (status == MMOOD_OK)
        status = envision_pictures_list(out, directory, error);
    if (status == MMOOD_OK)
        status = sort_in(out, names, directory, per_class, error);
    for (size_t i = 0; i < count && names; i++)
        free(names[i].name);
    free(names);
    return status;
}

void envision_pictures_free(envision_pictures *p) {
    for (size_t i = 0; i < p->count && p->classes; i++)
        free(p->classes[i].paths);
    for (size_t i = 0; i < p->path_count; i++)
        free(p->paths[i]);
    free(p->classes);
    free(p->paths);
    *p = (envision_pictures){0};
}
