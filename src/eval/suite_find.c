/* suite_find.c - where suites are: $MMOOD_SUITES, beside the program, ./suites. */
#include "eval/suite.h"

#include "base/error.h"
#include "base/file.h"
#include "eval/suite_parts.h"

#include <dirent.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Folders to look in, in order; NULL for one that there is not. */
enum { PLACES = 3 };

/* The installed suites' folder, from where the running program is: an installed tree can be moved.
 * NULL if that is not known or memory is out. */
static char *installed_place(void) {
    char program[4096];
    ssize_t length = readlink("/proc/self/exe", program, sizeof program);
    if (length <= 0 || (size_t)length >= sizeof program)
        return NULL;
    program[length] = '\0';
    char *slash = strrchr(program, '/');
    if (!slash)
        return NULL;
    slash[1] = '\0';
    return mm_path_join(program, MMOOD_SUITES_FROM_PROGRAM);
}

static int by_name(const void *a, const void *b) {
    return strcmp(*(char *const *)a, *(char *const *)b);
}

typedef struct names {
    char **items;
    size_t count;
} names;

/* Adds the names of a folder's suites. What cannot be read or kept is left out: the names only help
 * a message. */
static void add_names(names *list, const char *place) {
    DIR *directory = opendir(place);
    struct dirent *entry;
    while (directory && (entry = readdir(directory))) {
        size_t length = strlen(entry->d_name);
        if (length <= 5 || strcmp(entry->d_name + length - 5, ".json") != 0)
            continue;
        char **grown = realloc(list->items, (list->count + 1) * sizeof *grown);
        char *name = strndup(entry->d_name, length - 5);
        if (grown)
            list->items = grown;
        if (grown && name)
            list->items[list->count++] = name;
        else
            free(name);
    }
    if (directory)
        closedir(directory);
}

static mmood_status refuse(const char *name, char *const places[PLACES], mmood_error *error) {
    names known = {0};
    mm_buffer text = {0};
    for (size_t i = 0; i < PLACES; i++)
        if (places[i])
            add_names(&known, places[i]);
    if (known.count)
        qsort(known.items, known.count, sizeof *known.items, by_name);
    for (size_t i = 0; i < known.count; i++)
        if (i == 0 || strcmp(known.items[i - 1], known.items[i]) != 0)
            mm_buffer_printf(&text, "%s%s", text.size ? ", " : "", known.items[i]);
    for (size_t i = 0; i < known.count; i++)
        free(known.items[i]);
    free(known.items);
    mmood_status status =
        text.size
            ? mm_error_set(error, MMOOD_ERROR_ARGUMENT, "no suite is called \"%.100s\"; known: %s",
                           name, text.data)
            : mm_error_set(error, MMOOD_ERROR_ARGUMENT,
                           "no suite is called \"%.100s\", and no folder of suites was found: set "
                           "MMOOD_SUITES to the suites folder of the source tree",
                           name);
    mm_buffer_free(&text);
    return status;
}

/* place/name.json if that is there. */
static char *look(const char *place, const char *name) {
    mm_buffer file = {0};
    mm_buffer_printf(&file, "%s.json", name);
    char *path = file.failed ? NULL : mm_path_join(place, file.data);
    mm_buffer_free(&file);
    if (path && !mm_file_exists(path)) {
        free(path);
        return NULL;
    }
    return path;
}

mmood_status mm_suite_find(char **path, const char *name, mmood_error *error) {
    size_t length = strlen(name);
    *path = NULL;
    if (strchr(name, '/') || (length > 5 && strcmp(name + length - 5, ".json") == 0)) {
        *path = strdup(name);
        return *path ? MMOOD_OK : mm_error_set(error, MMOOD_ERROR_MEMORY, "no memory for a path");
    }
    const char *own = getenv("MMOOD_SUITES");
    char *places[PLACES] = {own && *own ? strdup(own) : NULL, installed_place(), strdup("suites")};
    for (size_t i = 0; i < PLACES && !*path && length; i++)
        if (places[i])
            *path = look(places[i], name);
    mmood_status status = *path ? MMOOD_OK : refuse(name, places, error);
    for (size_t i = 0; i < PLACES; i++)
        free(places[i]);
    return status;
}
