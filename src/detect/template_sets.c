/* template_sets.c - distinct lists of templates, found by comparing: there are few. */
#include "detect/template_sets.h"

#include "base/error.h"
#include "detect/templates.h"

#include <stdlib.h>
#include <string.h>

enum { MAX_SETS = 256, MAX_TEMPLATES = 100, MAX_TEMPLATE = 4096 };

static void free_set(mm_template_set *set) {
    for (size_t i = 0; set->items && i < set->count; i++)
        free(set->items[i]);
    free(set->items);
}

void mm_template_sets_free(mm_template_sets *sets) {
    for (size_t i = 0; i < sets->count; i++)
        free_set(&sets->items[i]);
    free(sets->items);
    *sets = (mm_template_sets){0};
}

static int equal(const mm_template_set *set, const char *const *templates, size_t count) {
    for (size_t i = 0; i < set->count && set->count == count; i++)
        if (strcmp(set->items[i], templates[i]) != 0)
            return 0;
    return set->count == count;
}

static mmood_status check(const mm_template_sets *sets, const char *const *templates, size_t count,
                          mmood_error *error) {
    mmood_status status = MMOOD_OK;
    if (count == 0 || count > MAX_TEMPLATES)
        return mm_error_set(error, MMOOD_ERROR_LIMIT,
                            "a label has %zu templates of its own; 1 to %d are possible", count,
                            (int)MAX_TEMPLATES);
    if (sets->count == MAX_SETS)
        return mm_error_set(error, MMOOD_ERROR_LIMIT,
                            "the labels have more than %d different lists of templates",
                            (int)MAX_SETS);
    for (size_t i = 0; i < count && status == MMOOD_OK; i++)
        status = strlen(templates[i]) > MAX_TEMPLATE
                     ? mm_error_set(error, MMOOD_ERROR_LIMIT,
                                    "a template has %zu bytes; at most %d are possible",
                                    strlen(templates[i]), (int)MAX_TEMPLATE)
                     : mm_template_check(templates[i], error);
    return status;
}

mmood_status mm_template_sets_add(mm_template_sets *sets, size_t *number,
                                  const char *const *templates, size_t count, mmood_error *error) {
    *number = 0;
    for (size_t i = 0; i < sets->count; i++)
        if (equal(&sets->items[i], templates, count)) {
            *number = i + 1;
            return MMOOD_OK;
        }
    mmood_status status = check(sets, templates, count, error);
    if (status != MMOOD_OK)
        return status;
    mm_template_set *grown = realloc(sets->items, (sets->count + 1) * sizeof *grown);
    if (grown)
        sets->items = grown;
    mm_template_set set = {grown ? calloc(count, sizeof *set.items) : NULL, count};
    int ok = set.items != NULL;
    for (size_t i = 0; i < count && ok; i++)
        ok = (set.items[i] = strdup(templates[i])) != NULL;
    if (!ok) {
        free_set(&set);
        return mm_error_set(error, MMOOD_ERROR_MEMORY, "no memory for templates");
    }
    sets->items[sets->count++] = set;
    *number = sets->count;
    return MMOOD_OK;
}

mmood_status mm_template_sets_read(mm_template_sets *sets, size_t *number, const json_t *value,
                                   mmood_error *error) {
    const char *texts[MAX_TEMPLATES];
    size_t count = json_is_array(value) ? json_array_size(value) : 1;
    *number = 0;
    if (!value)
        return MMOOD_OK;
    for (size_t i = 0; i < count && i < MAX_TEMPLATES; i++) {
        const json_t *text = json_is_array(value) ? json_array_get(value, i) : value;
        texts[i] = json_string_value(text);
        if (!texts[i])
            return mm_error_set(error, MMOOD_ERROR_FORMAT,
                                "\"template\" must be a text with {}, or a list of such texts");
    }
    mmood_status status = mm_template_sets_add(sets, number, texts, count, error);
    return status == MMOOD_ERROR_ARGUMENT
               ? mm_error_prefix(error, MMOOD_ERROR_FORMAT, "\"template\"")
               : status;
}

const mm_template_set *mm_template_sets_get(const mm_template_sets *sets, size_t number) {
    return number ? &sets->items[number - 1] : NULL;
}

int mm_template_sets_copy(mm_template_sets *to, const mm_template_sets *from) {
    size_t number;
    for (size_t i = 0; i < from->count; i++)
        if (mm_template_sets_add(to, &number, (const char *const *)from->items[i].items,
                                 from->items[i].count, NULL) != MMOOD_OK)
            return 0;
    return 1;
}

json_t *mm_template_set_to_json(const mm_template_set *set) {
    if (set->count == 1)
        return json_string(set->items[0]);
    json_t *list = json_array();
    for (size_t i = 0; list && i < set->count; i++)
        if (json_array_append_new(list, json_string(set->items[i])) != 0) {
            json_decref(list);
            return NULL;
        }
    return list;
}
