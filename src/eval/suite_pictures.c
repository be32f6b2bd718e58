/* suite_pictures.c - the pictures of a suite's set, from a folder of data sets. */
#include "eval/suite.h"

#include "base/error.h"
#include "base/file.h"
#include "eval/paths.h"
#include "eval/suite_parts.h"

#include <stdlib.h>
#include <string.h>

/* A listing under way. */
typedef struct listing {
    const mm_suite_set *set;
    const char *data;
    char *root; /* the set's folder */
    mm_suite_list list;
    unsigned char *seen; /* [list.count]: the picture is there */
    mm_suite_pictures *out;
    size_t room;
    mmood_error *error;
} listing;

static mmood_status no_memory(const listing *l) {
    return mm_error_set(l->error, MMOOD_ERROR_MEMORY, "no memory for the pictures of %s",
                        l->set->name);
}

static mmood_status add_picture(listing *l, const char *path, size_t group) {
    mm_suite_pictures *out = l->out;
    if (out->count == l->room) {
        size_t room = l->room ? 2 * l->room : 256;
        char **paths = realloc(out->paths, room * sizeof *paths);
        if (paths)
            out->paths = paths;
        size_t *groups = paths ? realloc(out->groups, room * sizeof *groups) : NULL;
        if (!groups)
            return no_memory(l);
        out->groups = groups;
        l->room = room;
    }
    out->paths[out->count] = strdup(path);
    if (!out->paths[out->count])
        return no_memory(l);
    out->groups[out->count++] = group;
    return MMOOD_OK;
}

/* Adds a name of a class; `*index` is where. */
static mmood_status add_name(listing *l, const char *name, size_t length, size_t *index) {
    mm_suite_pictures *out = l->out;
    char **names = realloc(out->names, (out->name_count + 1) * sizeof *names);
    if (names)
        out->names = names;
    char *copy = names ? strndup(name, length) : NULL;
    if (!copy)
        return no_memory(l);
    *index = out->name_count;
    out->names[out->name_count++] = copy;
    return MMOOD_OK;
}

/* The class of a picture of a set without a list of classes: the last one or, as paths come in
 * order, a new one. */
static mmood_status find_group(listing *l, const char *relative, size_t *group) {
    size_t length = mm_suite_class_length(l->set->naming, relative);
    *group = SIZE_MAX;
    if (length == 0)
        return MMOOD_OK;
    for (size_t i = l->out->name_count; i-- > 0;) {
        const char *name = l->out->names[i];
        if (strncmp(name, relative, length) == 0 && name[length] == '\0') {
            *group = i;
            return MMOOD_OK;
        }
    }
    return add_name(l, relative, length, group);
}

/* Adds those of `paths` that are pictures, that the list names, and that belong to the set: all to
 * `group`, or with SIZE_MAX each to its own class. */
static mmood_status take(listing *l, const mm_path_list *paths, size_t group) {
    size_t cut = strlen(l->root) + (l->root[strlen(l->root) - 1] != '/');
    mmood_status status = paths->failed ? no_memory(l) : MMOOD_OK;
    for (size_t i = 0; i < paths->count && !status; i++) {
        char *relative = paths->items[i] + cut;
        size_t own = group, listed = 0;
        if (!mm_suite_is_picture(relative)) {
            l->out->skipped++;
            continue;
        }
        if (group == SIZE_MAX && l->set->class_count) {
            size_t length = mm_suite_class_length(l->set->naming, relative);
            own = mm_suite_class_index(l->set, relative, length);
            if (own == SIZE_MAX)
                continue;
        }
        if (l->set->list && (listed = mm_suite_list_find(&l->list, relative)) == SIZE_MAX)
            continue;
        if (group == SIZE_MAX && !l->set->class_count)
            status = find_group(l, relative, &own);
        if (l->set->list)
            l->seen[listed] = 1;
        if (!status)
            status = add_picture(l, paths->items[i], own);
    }
    return status;
}

static mmood_status walk(listing *l, const char *folder, size_t group) {
    mm_path_list paths = {0};
    if (!mm_is_directory(folder))
        return mm_error_set(l->error, MMOOD_ERROR_IO,
                            "%s: is not there; it should be a folder with pictures of %s", folder,
                            l->set->name);
    mm_path_list_add(&paths, folder);
    l->out->skipped += paths.skips.others;
    mmood_status status = take(l, &paths, group);
    mm_path_list_free(&paths);
    return status;
}

/* Every class has pictures, and what the list names of the set's classes is there. */
static mmood_status check_complete(const listing *l) {
    const mm_suite_set *set = l->set;
    size_t missing = 0, first = 0;
    for (size_t i = 0; set->list && i < l->list.count; i++) {
        size_t length = mm_suite_class_length(set->naming, l->list.names[i]);
        if (l->seen[i] ||
            (set->class_count && mm_suite_class_index(set, l->list.names[i], length) == SIZE_MAX))
            continue;
        if (missing++ == 0)
            first = i;
    }
    if (missing)
        return mm_error_set(l->error, MMOOD_ERROR_IO,
                            "%s: %zu pictures that %s names are not there, the first is \"%s\"",
                            l->root, missing, set->list, l->list.names[first]);
    unsigned char *used = calloc(set->class_count + 1, 1);
    if (!used)
        return no_memory(l);
    for (size_t i = 0; i < l->out->count; i++)
        if (set->class_count)
            used[l->out->groups[i]] = 1;
    size_t empty = 0;
    while (empty < set->class_count && used[empty])
        empty++;
    free(used);
    if (empty < set->class_count)
        return mm_error_set(l->error, MMOOD_ERROR_IO,
                            "%s: has no pictures of the class \"%s\" of %s", l->root,
                            set->classes[empty].folder, set->name);
    if (l->out->count == 0)
        return mm_error_set(l->error, MMOOD_ERROR_IO,
                            "%s: has no pictures; those of %s belong here", l->root, set->name);
    return MMOOD_OK;
}

/* Puts the pictures of flat folders in the order of their classes; qsort is not stable, so the
 * path decides last. */
typedef struct entry {
    size_t group;
    char *path;
} entry;

static int by_group(const void *a, const void *b) {
    const entry *x = a, *y = b;
    return x->group != y->group ? (x->group > y->group) - (x->group < y->group)
                                : strcmp(x->path, y->path);
}

static mmood_status sort(listing *l) {
    mm_suite_pictures *out = l->out;
    entry *entries = malloc(out->count * sizeof *entries);
    if (!entries)
        return no_memory(l);
    for (size_t i = 0; i < out->count; i++)
        entries[i] = (entry){out->groups[i], out->paths[i]};
    qsort(entries, out->count, sizeof *entries, by_group);
    for (size_t i = 0; i < out->count; i++) {
        out->groups[i] = entries[i].group;
        out->paths[i] = entries[i].path;
    }
    free(entries);
    return MMOOD_OK;
}

static mmood_status list_all(listing *l) {
    const mm_suite_set *set = l->set;
    mmood_status status = MMOOD_OK;
    size_t index;
    for (size_t i = 0; i < set->class_count && !status; i++)
        status = add_name(l, set->classes[i].label, strlen(set->classes[i].label), &index);
    if (status)
        return status;
    if (!set->class_count || set->naming == MM_SUITE_PREFIX) {
        status = walk(l, l->root, SIZE_MAX);
    } else {
        for (size_t i = 0; i < set->class_count && !status; i++) {
            char *folder = mm_suite_path(l->data, set->folder, set->classes[i].folder);
            status = folder ? walk(l, folder, i) : no_memory(l);
            free(folder);
        }
    }
    if (!status)
        status = check_complete(l);
    return status ? status : sort(l);
}

mmood_status mm_suite_pictures_list(mm_suite_pictures *out, const mm_suite *suite, size_t set,
                                    const char *data, mmood_error *error) {
    *out = (mm_suite_pictures){0};
    if (set >= suite->set_count || !*data)
        return mm_error_set(error, MMOOD_ERROR_ARGUMENT,
                            "the suite %s has %zu sets, and its data directory needs a name",
                            suite->name, suite->set_count);
    listing l = {.set = &suite->sets[set], .data = data, .out = out, .error = error};
    mmood_status status = MMOOD_OK;
    l.root = mm_suite_path(data, l.set->folder, NULL);
    if (!l.root)
        status = no_memory(&l);
    if (!status && l.set->list)
        status = mm_suite_list_read(&l.list, l.set, data, error);
    if (!status && l.set->list && !(l.seen = calloc(l.list.count + 1, 1)))
        status = no_memory(&l);
    if (!status)
        status = list_all(&l);
    mm_suite_list_free(&l.list);
    free(l.seen);
    free(l.root);
    if (status)
        mm_suite_pictures_free(out);
    return status;
}

void mm_suite_pictures_free(mm_suite_pictures *pictures) {
    for (size_t i = 0; i < pictures->count; i++)
        free(pictures->paths[i]);
    for (size_t i = 0; i < pictures->name_count; i++)
        free(pictures->names[i]);
    free(pictures->paths);
    free(pictures->groups);
    free(pictures->names);
    *pictures = (mm_suite_pictures){0};
}
