/* suite_parts.c - paths of a suite's pictures, and the lists that data sets come with. */
#include "eval/suite_parts.h"

#include "base/error.h"
#include "base/file.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum { MAX_LIST = 64 << 20 };

char *mm_suite_path(const char *data, const char *folder, const char *name) {
    char *path = mm_path_join(data, folder);
    if (!path || !name)
        return path;
    char *full = mm_path_join(path, name);
    free(path);
    return full;
}

int mm_suite_is_picture(const char *name) {
    static const char *const endings[] = {".jpg", ".jpeg", ".png", ".webp", ".gif"};
    const char *dot = strrchr(name, '.');
    for (size_t i = 0; dot && i < sizeof endings / sizeof *endings; i++)
        if (strcasecmp(dot, endings[i]) == 0)
            return 1;
    return 0;
}

size_t mm_suite_class_length(mm_suite_naming naming, const char *relative) {
    if (naming == MM_SUITE_FOLDERS)
        return strchr(relative, '/') ? strcspn(relative, "/") : 0;
    const char *end = strrchr(relative, '_');
    return end && !strchr(relative, '/') ? (size_t)(end - relative) : 0;
}

size_t mm_suite_class_index(const mm_suite_set *set, const char *name, size_t length) {
    for (size_t i = 0; i < set->class_count; i++)
        if (strncmp(set->classes[i].folder, name, length) == 0 &&
            set->classes[i].folder[length] == '\0')
            return i;
    return SIZE_MAX;
}

/* The next field of a line, NUL-terminated in place; NULL at the line's end. */
static char *next_field(char **at) {
    char *field = *at + strspn(*at, " \t\r");
    if (*field == '\0')
        return NULL;
    size_t length = strcspn(field, " \t\r");
    *at = field + length + (field[length] != '\0');
    field[length] = '\0';
    return field;
}

/* A line's key and what follows it. */
typedef struct row {
    char *key;
    char *value; /* NULL if there is none */
} row;

typedef struct table {
    char *text;
    row *rows;
    size_t count;
} table;

static void free_table(table *t) {
    free(t->text);
    free(t->rows);
}

/* The first two fields of every line that is not blank. */
static mmood_status read_table(table *out, const char *data, const char *file, mmood_error *error) {
    size_t size, lines = 1;
    uint8_t *bytes;
    *out = (table){0};
    mmood_status status = mm_file_read_in(&bytes, &size, data, file, MAX_LIST, error);
    if (status)
        return mm_error_prefix(error, status, "%s", data);
    out->text = (char *)bytes;
    if (memchr(bytes, 0, size))
        return mm_error_set(error, MMOOD_ERROR_FORMAT, "%s: %s holds a NUL byte, expected text",
                            data, file);
    for (size_t i = 0; i < size; i++)
        lines += bytes[i] == '\n';
    out->rows = calloc(lines, sizeof *out->rows);
    if (!out->rows)
        return mm_error_set(error, MMOOD_ERROR_MEMORY, "no memory for %s", file);
    for (char *line = out->text; line;) {
        char *end = strchr(line, '\n');
        if (end)
            *end = '\0';
        char *key = next_field(&line);
        if (key)
            out->rows[out->count++] = (row){key, next_field(&line)};
        line = end ? end + 1 : NULL;
    }
    return MMOOD_OK;
}

static int by_key(const void *a, const void *b) {
    return strcmp(((const row *)a)->key, ((const row *)b)->key);
}

static int by_name(const void *a, const void *b) {
    return strcmp(*(char *const *)a, *(char *const *)b);
}

/* 1 if the row counts: its flag is the one to keep. */
static int is_kept(const table *flags, const row *r, const char *keep) {
    const row *flag =
        flags->count ? bsearch(r, flags->rows, flags->count, sizeof *r, by_key) : NULL;
    return flag && flag->value && strcmp(flag->value, keep) == 0;
}

/* Moves the names that count to `out`. */
static mmood_status take_names(mm_suite_list *out, const table *list, const table *flags,
                               const mm_suite_set *set, mmood_error *error) {
    out->names = calloc(list->count + 1, sizeof *out->names);
    if (!out->names)
        return mm_error_set(error, MMOOD_ERROR_MEMORY, "no memory for %s", set->list);
    size_t count = 0;
    for (size_t i = 0; i < list->count; i++) {
        char *name = set->flags ? list->rows[i].value : list->rows[i].key;
        if (name && (!set->flags || is_kept(flags, &list->rows[i], set->keep)))
            out->names[count++] = name;
    }
    qsort(out->names, count, sizeof *out->names, by_name);
    for (size_t i = 0; i < count; i++)
        if (out->count == 0 || strcmp(out->names[out->count - 1], out->names[i]) != 0)
            out->names[out->count++] = out->names[i];
    return MMOOD_OK;
}

mmood_status mm_suite_list_read(mm_suite_list *out, const mm_suite_set *set, const char *data,
                                mmood_error *error) {
    table list, flags = {0};
    *out = (mm_suite_list){0};
    mmood_status status = read_table(&list, data, set->list, error);
    if (!status && set->flags)
        status = read_table(&flags, data, set->flags, error);
    if (!status && flags.count)
        qsort(flags.rows, flags.count, sizeof *flags.rows, by_key);
    if (!status)
        status = take_names(out, &list, &flags, set, error);
    out->text = list.text;
    list.text = NULL;
    free_table(&list);
    free_table(&flags);
    if (status)
        mm_suite_list_free(out);
    return status;
}

size_t mm_suite_list_find(const mm_suite_list *list, char *relative) {
    if (list->count == 0)
        return SIZE_MAX;
    char **found = bsearch(&relative, list->names, list->count, sizeof *list->names, by_name);
    char *dot = strrchr(relative, '.');
    if (!found && dot) {
        *dot = '\0';
        found = bsearch(&relative, list->names, list->count, sizeof *list->names, by_name);
        *dot = '.';
    }
    return found ? (size_t)(found - list->names) : SIZE_MAX;
}

void mm_suite_list_free(mm_suite_list *list) {
    free(list->text);
    free(list->names);
    *list = (mm_suite_list){0};
}
