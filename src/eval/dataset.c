/* dataset.c - walking folders and lists into sets of pictures, and matching class names with
 * labels.
 */
#include "eval/dataset.h"

#include "base/error.h"
#include "base/file.h"
#include "eval/paths.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <utf8proc.h>

static mmood_status no_memory(mmood_error *error) {
    return mm_error_set(error, MMOOD_ERROR_MEMORY, "no memory for a list of pictures");
}

/* ---- Names --------------------------------------------------------------------------------- */

char *mm_dataset_fold(const char *name, size_t size) {
    utf8proc_uint8_t *folded = NULL;
    utf8proc_ssize_t length =
        utf8proc_map((const utf8proc_uint8_t *)name, (utf8proc_ssize_t)size, &folded,
                     (utf8proc_option_t)(UTF8PROC_STABLE | UTF8PROC_COMPOSE | UTF8PROC_CASEFOLD));
    char *out = length >= 0 ? (char *)folded : strndup(name, size); /* not UTF-8: as it is */
    size_t to = 0;
    for (size_t i = 0; out && out[i]; i++) {
        int space = out[i] == '_' || out[i] == '-' || out[i] == ' ' || out[i] == '\t';
        if (!space)
            out[to++] = out[i];
        else if (to > 0 && out[to - 1] != ' ')
            out[to++] = ' ';
    }
    if (out)
        out[to > 0 && out[to - 1] == ' ' ? to - 1 : to] = '\0';
    return out;
}

typedef struct pair {
    char *from;
    char *to;
} pair;

static int by_from(const void *a, const void *b) {
    return strcmp(((const pair *)a)->from, ((const pair *)b)->from);
}

/* Splits one line at the first white space. */
static mmood_status read_pair(pair *out, const char *line, size_t size, size_t number,
                              mmood_error *error) {
    size_t end = 0, start;
    while (end < size && line[end] != '\t' && line[end] != ' ')
        end++;
    for (start = end; start < size && (line[start] == '\t' || line[start] == ' ');)
        start++;
    if (end == 0 || start == size || memchr(line, 0, size))
        return mm_error_set(
            error, MMOOD_ERROR_FORMAT,
            "line %zu of the class names needs a folder's name, a space or tab, and "
            "what it means",
            number);
    *out = (pair){strndup(line, end), strndup(line + start, size - start)};
    return out->from && out->to ? MMOOD_OK : no_memory(error);
}

mmood_status mm_name_map_parse(mm_name_map *out, const char *text, size_t size,
                               mmood_error *error) {
    enum { MOST = 100000 };
    pair *pairs = calloc(MOST, sizeof *pairs);
    mmood_status status = pairs ? MMOOD_OK : no_memory(error);
    size_t count = 0, number = 0;
    *out = (mm_name_map){0};
    if (size >= 3 && memcmp(text, "\xef\xbb\xbf", 3) == 0) {
        text += 3;
        size -= 3;
    }
    for (size_t at = 0; at < size && status == MMOOD_OK;) {
        const char *end = memchr(text + at, '\n', size - at);
        size_t length = end ? (size_t)(end - (text + at)) : size - at, kept = length;
        number++;
        while (kept > 0 && (text[at + kept - 1] == '\r' || text[at + kept - 1] == ' '))
            kept--;
        if (kept > 0 && count == MOST)
            status = mm_error_set(error, MMOOD_ERROR_LIMIT, "more than %d class names", (int)MOST);
        else if (kept > 0)
            status = read_pair(&pairs[count++], text + at, kept, number, error);
        at += length + 1;
    }
    out->from = calloc(count + 1, sizeof *out->from);
    out->to = calloc(count + 1, sizeof *out->to);
    if (status == MMOOD_OK && (!out->from || !out->to))
        status = no_memory(error);
    if (status == MMOOD_OK && count > 0)
        qsort(pairs, count, sizeof *pairs, by_from);
    for (size_t i = 0; i < count; i++) {
        if (status == MMOOD_OK) {
            out->from[i] = pairs[i].from;
            out->to[i] = pairs[i].to;
            out->count++;
        } else {
            free(pairs[i].from);
            free(pairs[i].to);
        }
    }
    free(pairs);
    return status;
}

void mm_name_map_free(mm_name_map *map) {
    for (size_t i = 0; i < map->count; i++) {
        free(map->from[i]);
        free(map->to[i]);
    }
    free(map->from);
    free(map->to);
    *map = (mm_name_map){0};
}

static const char *meaning(const mm_name_map *names, const char *folder) {
    size_t low = 0, high = names ? names->count : 0;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        int difference = strcmp(names->from[middle], folder);
        if (difference == 0)
            return names->to[middle];
        if (difference < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return folder;
}

/* ---- Pictures ------------------------------------------------------------------------------ */

/* Room for one more in an array that doubles: when `count` is a power of two, and at first. */
static void *grow(void *array, size_t count, size_t size) {
    if (count & (count - 1))
        return array;
    return realloc(array, (count ? 2 * count : 1) * size);
}

static mmood_status find_group(size_t *out, mm_eval_set *set, const char *name,
                               mmood_error *error) {
    for (size_t i = set->group_count; i-- > 0;) /* sorted walks ask for the last one */
        if (strcmp(set->groups[i].name, name) == 0) {
            *out = i;
            return MMOOD_OK;
        }
    mm_eval_group *groups = grow(set->groups, set->group_count, sizeof *groups);
    char *copy = strdup(name);
    if (groups)
        set->groups = groups;
    if (!groups || !copy) {
        free(copy);
        return no_memory(error);
    }
    *out = set->group_count;
    set->groups[set->group_count++] = (mm_eval_group){copy, SIZE_MAX};
    return MMOOD_OK;
}

mmood_status mm_dataset_add(mm_eval_set *set, const char *path, const char *group,
                            mmood_error *error) {
    size_t index = SIZE_MAX;
    mmood_status status = group ? find_group(&index, set, group, error) : MMOOD_OK;
    if (status != MMOOD_OK)
        return status;
    mm_eval_item *items = grow(set->items, set->count, sizeof *items);
    char *copy = strdup(path);
    if (items)
        set->items = items;
    if (!items || !copy) {
        free(copy);
        return no_memory(error);
    }
    set->items[set->count++] = (mm_eval_item){.path = copy, .group = index, .outlier = SIZE_MAX};
    return MMOOD_OK;
}

/* Pictures of a directory; the class is the first folder below it. */
static mmood_status read_directory(mm_eval_set *set, mm_path_skips *skips, const char *path,
                                   const mm_name_map *names, mmood_error *error) {
    mm_path_list list = {0};
    size_t prefix = strlen(path);
    mm_path_list_add(&list, path);
    skips->hidden += list.skips.hidden;
    skips->others += list.skips.others;
    mmood_status status = list.failed ? no_memory(error) : MMOOD_OK;
    for (size_t i = 0; i < list.count && status == MMOOD_OK; i++) {
        const char *rest = list.items[i] + prefix;
        rest += strspn(rest, "/");
        const char *slash = strchr(rest, '/');
        char *folder = slash ? strndup(rest, (size_t)(slash - rest)) : NULL;
        if (slash && !folder)
            status = no_memory(error);
        else
            status =
                mm_dataset_add(set, list.items[i], folder ? meaning(names, folder) : NULL, error);
        free(folder);
    }
    mm_path_list_free(&list);
    return status;
}

/* A picture given in a set's place would be read as a list of nonsense. */
static mmood_status check_text(const char *path, mmood_error *error) {
    mm_map map;
    mmood_status status = mm_map_open(&map, path, error);
    if (status != MMOOD_OK)
        return mm_error_prefix(error, status, "%s", path);
    if (map.size > 0 && memchr(map.data, 0, map.size))
        status =
            mm_error_set(error, MMOOD_ERROR_FORMAT,
                         "%s is no list of paths: it holds NUL bytes; a set is a folder, or a text "
                         "file with a path a line",
                         path);
    mm_map_close(&map);
    return status;
}

/* Pictures of a list. */
static mmood_status read_list(mm_eval_set *set, const char *path, const mm_name_map *names,
                              mmood_error *error) {
    mm_path_list list = {0};
    const char *slash = strrchr(path, '/');
    char *folder = slash ? strndup(path, (size_t)(slash - path) + 1) : strdup("");
    mmood_status status = folder ? check_text(path, error) : no_memory(error);
    if (status == MMOOD_OK && !mm_path_list_read(&list, path))
        status = mm_error_set(error, MMOOD_ERROR_IO, "%s: the list cannot be read", path);
    if (list.failed)
        status = no_memory(error);
    for (size_t i = 0; i < list.count && status == MMOOD_OK; i++) {
        char *group = strchr(list.items[i], '\t');
        if (group)
            *group++ = '\0';
        char *full = list.items[i][0] == '/' || !folder[0] ? strdup(list.items[i])
                                                           : mm_path_join(folder, list.items[i]);
        status = full ? mm_dataset_add(set, full, group ? meaning(names, group) : NULL, error)
                      : no_memory(error);
        free(full);
    }
    free(folder);
    mm_path_list_free(&list);
    return status;
}

mmood_status mm_dataset_read(mm_eval_set *set, mm_path_skips *skips, const char *name,
                             const char *path, const mm_name_map *names, mmood_error *error) {
    struct stat st;
    *set = (mm_eval_set){.name = strdup(name), .path = strdup(path)};
    if (!set->name || !set->path)
        return no_memory(error);
    if (stat(path, &st) != 0)
        return mm_error_set(
            error, MMOOD_ERROR_IO,
            "%s: there is no such folder or list; a folder of class folders, a flat "
            "folder, or a text file with a path a line is needed",
            path);
    mmood_status status = S_ISDIR(st.st_mode) ? read_directory(set, skips, path, names, error)
                                              : read_list(set, path, names, error);
    if (status == MMOOD_OK && set->count == 0)
        status = mm_error_set(error, MMOOD_ERROR_FORMAT, "%s: no picture is there", path);
    return status;
}

/* ---- Labels -------------------------------------------------------------------------------- */

/* The label whose folded text is one of the group's names, which commas separate; SIZE_MAX if none
 * is. `place` then has where in the group's name it stands. */
static size_t find_label(size_t *place, size_t *length, const char *group, char *const *folded,
                         size_t count) {
    for (const char *at = group; at;) {
        const char *comma = strchr(at, ',');
        size_t size = comma ? (size_t)(comma - at) : strlen(at);
        char *name = mm_dataset_fold(at, size);
        for (size_t i = 0; name && i < count; i++)
            if (name[0] && strcmp(name, folded[i]) == 0) {
                *place = (size_t)(at - group) + strspn(at, " ");
                *length = size - strspn(at, " ");
                free(name);
                return i;
            }
        free(name);
        at = comma ? comma + 1 : NULL;
    }
    return SIZE_MAX;
}

mmood_status mm_dataset_find_labels(mm_eval_set *set, const mmood_detector *detector,
                                    mmood_error *error) {
    mmood_detector_info info;
    mmood_detector_describe(detector, &info);
    char **folded = calloc(info.id_count, sizeof *folded);
    mmood_status status = folded ? MMOOD_OK : no_memory(error);
    for (size_t i = 0; i < info.id_count && status == MMOOD_OK; i++) {
        const char *label = mmood_detector_label(detector, i);
        folded[i] = mm_dataset_fold(label, strlen(label));
        if (!folded[i])
            status = no_memory(error);
    }
    for (size_t i = 0; i < set->group_count && status == MMOOD_OK; i++) {
        mm_eval_group *group = &set->groups[i];
        size_t place = 0, length = strcspn(group->name, ",");
        group->label = find_label(&place, &length, group->name, folded, info.id_count);
        char *name = strndup(group->name + place, length); /* one name of several */
        if (name) {
            free(group->name);
            group->name = name;
        } else {
            status = no_memory(error);
        }
    }
    for (size_t i = 0; folded && i < info.id_count; i++)
        free(folded[i]);
    free(folded);
    return status;
}
