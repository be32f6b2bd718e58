/* suite.c - reading evaluation suites from JSON. */
#include "eval/suite.h"

#include "base/error.h"
#include "base/file.h"
#include "base/json.h"
#include "detect/templates.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    MAX_FILE = 4 << 20,
    MAX_TEXT = 2000,
    MAX_NAME = 200,
    MAX_SETS = 64,
    MAX_CLASSES = 20000,
    MAX_TEMPLATES = 100,
    MAX_PUBLISHED = 1000,
    MAX_OUTLIERS = 1000000
};

/* ---- Pieces -------------------------------------------------------------------------------- */

/* Refuses keys of `object` that are not in `known`: a key that is misspelled would be ignored. */
static mmood_status check_keys(const json_t *object, const char *what, const char *const *known,
                               mmood_error *error) {
    if (!json_is_object(object))
        return mm_error_set(error, MMOOD_ERROR_FORMAT, "%s must be an object", what);
    for (void *at = json_object_iter((json_t *)object); at;
         at = json_object_iter_next((json_t *)object, at)) {
        const char *key = json_object_iter_key(at);
        size_t i = 0;
        while (known[i] && strcmp(known[i], key) != 0)
            i++;
        if (!known[i])
            return mm_error_set(error, MMOOD_ERROR_FORMAT, "%s has an unknown key \"%.100s\"", what,
                                key);
    }
    return MMOOD_OK;
}

/* Copies a text of 1 to `limit` bytes without control characters. */
static mmood_status copy_text(char **out, const json_t *value, const char *what, size_t limit,
                              mmood_error *error) {
    const char *text = json_string_value(value);
    if (!text)
        return mm_error_set(error, MMOOD_ERROR_FORMAT, "%s must be a text", what);
    size_t size = json_string_length(value);
    if (size == 0 || size > limit)
        return mm_error_set(error, MMOOD_ERROR_LIMIT, "%s has %zu bytes; 1 to %zu are allowed",
                            what, size, limit);
    for (size_t i = 0; i < size; i++)
        if ((unsigned char)text[i] < 0x20 || text[i] == 0x7F)
            return mm_error_set(error, MMOOD_ERROR_FORMAT, "%s holds a control character", what);
    *out = strdup(text);
    return *out ? MMOOD_OK : mm_error_set(error, MMOOD_ERROR_MEMORY, "no memory for %s", what);
}

/* A member that must be there, or with `optional` may be absent. */
static mmood_status copy_member(char **out, const json_t *object, const char *key, size_t limit,
                                int optional, mmood_error *error) {
    const json_t *value = json_object_get(object, key);
    char what[64];
    if (!value && optional)
        return MMOOD_OK;
    snprintf(what, sizeof what, "\"%s\"", key);
    return copy_text(out, value, what, limit, error);
}

/* A list of 1 to `limit` values. */
static mmood_status check_list(const json_t *list, const char *what, size_t limit,
                               mmood_error *error) {
    size_t count = json_array_size(list);
    if (!json_is_array(list) || count == 0)
        return mm_error_set(error, MMOOD_ERROR_FORMAT, "%s must be a list that is not empty", what);
    if (count > limit)
        return mm_error_set(error, MMOOD_ERROR_LIMIT, "%s has %zu entries; at most %zu are allowed",
                            what, count, limit);
    return MMOOD_OK;
}

/* Relative, and never up: parts between "/" are neither empty nor begin with a dot. */
static mmood_status check_path(const char *path, const char *what, int parts, mmood_error *error) {
    for (const char *at = path;; at++) {
        const char *end = strchr(at, '/');
        if (*at == '.' || *at == '/' || *at == '\0')
            return mm_error_set(error, MMOOD_ERROR_FORMAT,
                                "%s \"%.200s\" must be relative, without empty parts and without "
                                "parts that begin with a dot",
                                what, path);
        if (!end)
            return MMOOD_OK;
        if (!parts)
            return mm_error_set(error, MMOOD_ERROR_FORMAT, "%s \"%.200s\" must not hold \"/\"",
                                what, path);
        at = end;
    }
}

static int by_text(const void *a, const void *b) {
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* Refuses texts that occur twice; `texts` is put in order. */
static mmood_status check_unique(const char **texts, size_t count, const char *what,
                                 mmood_error *error) {
    if (count)
        qsort(texts, count, sizeof *texts, by_text);
    for (size_t i = 1; i < count; i++)
        if (strcmp(texts[i - 1], texts[i]) == 0)
            return mm_error_set(error, MMOOD_ERROR_FORMAT, "%s \"%.200s\" occurs twice", what,
                                texts[i]);
    return MMOOD_OK;
}

/* ---- Sets ---------------------------------------------------------------------------------- */

static mmood_status read_class(mm_suite_class *out, const json_t *entry, int is_id,
                               mmood_error *error) {
    static const char *const known[] = {"folder", "label", NULL};
    mmood_status status;
    if (json_is_string(entry) && !is_id) {
        status = copy_text(&out->folder, entry, "a class", MAX_NAME, error);
    } else {
        status = check_keys(entry, "a class", known, error);
        if (!status)
            status = copy_member(&out->folder, entry, "folder", MAX_NAME, 0, error);
        if (!status)
            status = copy_member(&out->label, entry, "label", MAX_NAME, !is_id, error);
    }
    if (!status)
        status = check_path(out->folder, "the class folder", 0, error);
    if (!status && !out->label && !(out->label = strdup(out->folder)))
        status = mm_error_set(error, MMOOD_ERROR_MEMORY, "no memory for a label");
    return status;
}

static mmood_status check_classes(const mm_suite_set *set, mmood_error *error) {
    const char **texts = calloc(set->class_count, sizeof *texts);
    if (!texts)
        return mm_error_set(error, MMOOD_ERROR_MEMORY, "no memory for %zu classes",
                            set->class_count);
    for (size_t i = 0; i < set->class_count; i++)
        texts[i] = set->classes[i].folder;
    mmood_status status = check_unique(texts, set->class_count, "the class folder", error);
    for (size_t i = 0; i < set->class_count; i++)
        texts[i] = set->classes[i].label;
    if (!status)
        status = check_unique(texts, set->class_count, "the label", error);
    free(texts);
    return status;
}

static mmood_status read_classes(mm_suite_set *set, const json_t *list, int is_id,
                                 mmood_error *error) {
    if (!list && !is_id)
        return MMOOD_OK;
    mmood_status status = check_list(list, "\"classes\"", MAX_CLASSES, error);
    if (status)
        return status;
    set->classes = calloc(json_array_size(list), sizeof *set->classes);
    if (!set->classes)
        return mm_error_set(error, MMOOD_ERROR_MEMORY, "no memory for classes");
    for (size_t i = 0; i < json_array_size(list) && !status; i++) {
        set->class_count++;
        status = read_class(&set->classes[i], json_array_get(list, i), is_id, error);
        if (status)
            mm_error_prefix(error, status, "class %zu", i + 1);
    }
    return status ? status : check_classes(set, error);
}

static mmood_status read_split(mm_suite_set *set, const json_t *split, mmood_error *error) {
    static const char *const known[] = {"list", "flags", "keep", NULL};
    if (!split)
        return MMOOD_OK;
    mmood_status status = check_keys(split, "\"split\"", known, error);
    if (!status)
        status = copy_member(&set->list, split, "list", MAX_NAME, 0, error);
    if (!status)
        status = check_path(set->list, "\"list\"", 1, error);
    if (!status)
        status = copy_member(&set->flags, split, "flags", MAX_NAME, 1, error);
    if (!status && set->flags)
        status = check_path(set->flags, "\"flags\"", 1, error);
    if (!status)
        status = copy_member(&set->keep, split, "keep", MAX_NAME, 1, error);
    if (!status && !set->flags != !set->keep)
        status = mm_error_set(error, MMOOD_ERROR_FORMAT,
                              "\"flags\" and \"keep\" of \"split\" need each other");
    return status;
}

static mmood_status read_naming(mm_suite_set *set, const json_t *value, mmood_error *error) {
    const char *name = json_string_value(value);
    set->naming = name && strcmp(name, "prefix") == 0 ? MM_SUITE_PREFIX : MM_SUITE_FOLDERS;
    if (value && (!name || (set->naming == MM_SUITE_FOLDERS && strcmp(name, "folders") != 0)))
        return mm_error_set(error, MMOOD_ERROR_FORMAT,
                            "\"naming\" must be \"folders\" or \"prefix\"");
    return MMOOD_OK;
}

static mmood_status read_set(mm_suite_set *set, const json_t *object, int is_id,
                             mmood_error *error) {
    static const char *const known[] = {"name",    "source", "folder", "naming",
                                        "classes", "split",  NULL};
    mmood_status status = check_keys(object, "it", known, error);
    if (!status)
        status = copy_member(&set->name, object, "name", MAX_NAME, 0, error);
    if (!status)
        status = copy_member(&set->source, object, "source", MAX_TEXT, 0, error);
    if (!status)
        status = copy_member(&set->folder, object, "folder", MAX_NAME, 0, error);
    if (!status)
        status = check_path(set->folder, "\"folder\"", 1, error);
    if (!status)
        status = read_naming(set, json_object_get(object, "naming"), error);
    if (!status)
        status = read_classes(set, json_object_get(object, "classes"), is_id, error);
    if (!status)
        status = read_split(set, json_object_get(object, "split"), error);
    return status;
}

/* 1 if one of two folders is the other or holds it. */
static int overlap(const char *a, const char *b) {
    size_t n = strlen(a) < strlen(b) ? strlen(a) : strlen(b);
    return strncmp(a, b, n) == 0 && (a[n] == '\0' || a[n] == '/') && (b[n] == '\0' || b[n] == '/');
}

/* A picture must not be in two sets: sets of one folder have different classes. */
static mmood_status check_apart(const mm_suite_set *a, const mm_suite_set *b, mmood_error *error) {
    if (!overlap(a->folder, b->folder))
        return MMOOD_OK;
    if (strcmp(a->folder, b->folder) != 0 || !a->class_count || !b->class_count)
        return mm_error_set(error, MMOOD_ERROR_FORMAT,
                            "%s and %s have the same pictures: the folders \"%s\" and \"%s\" "
                            "overlap; lists of classes of one folder are needed",
                            a->name, b->name, a->folder, b->folder);
    const char **texts = calloc(a->class_count + b->class_count, sizeof *texts);
    if (!texts)
        return mm_error_set(error, MMOOD_ERROR_MEMORY, "no memory for classes");
    for (size_t i = 0; i < a->class_count; i++)
        texts[i] = a->classes[i].folder;
    for (size_t i = 0; i < b->class_count; i++)
        texts[a->class_count + i] = b->classes[i].folder;
    mmood_status status = check_unique(texts, a->class_count + b->class_count, "the class", error);
    free(texts);
    return status ? mm_error_prefix(error, status, "%s and %s", a->name, b->name) : MMOOD_OK;
}

static mmood_status check_sets(const mm_suite *suite, mmood_error *error) {
    mmood_status status = MMOOD_OK;
    for (size_t i = 0; i < suite->set_count && !status; i++)
        for (size_t j = 0; j < i && !status; j++) {
            const char *name = suite->sets[i].name;
            if (strcmp(name, suite->sets[j].name) == 0)
                status =
                    mm_error_set(error, MMOOD_ERROR_FORMAT, "two sets are called \"%s\"", name);
            else
                status = check_apart(&suite->sets[j], &suite->sets[i], error);
        }
    return status;
}

static mmood_status read_sets(mm_suite *suite, const json_t *document, mmood_error *error) {
    const json_t *ood = json_object_get(document, "ood");
    mmood_status status = check_list(ood, "\"ood\"", MAX_SETS - 1, error);
    if (status)
        return status;
    suite->sets = calloc(json_array_size(ood) + 1, sizeof *suite->sets);
    if (!suite->sets)
        return mm_error_set(error, MMOOD_ERROR_MEMORY, "no memory for sets");
    suite->set_count = 1;
    status = read_set(&suite->sets[0], json_object_get(document, "id"), 1, error);
    if (status)
        return mm_error_prefix(error, status, "\"id\"");
    for (size_t i = 0; i < json_array_size(ood); i++) {
        suite->set_count++;
        status = read_set(&suite->sets[i + 1], json_array_get(ood, i), 0, error);
        if (status)
            return mm_error_prefix(error, status, "set %zu of \"ood\"", i + 1);
    }
    return check_sets(suite, error);
}

/* ---- The rest ------------------------------------------------------------------------------ */

static mmood_status read_templates(mm_suite *suite, const json_t *list, mmood_error *error) {
    mmood_status status = check_list(list, "\"templates\"", MAX_TEMPLATES, error);
    if (status)
        return status;
    suite->templates = calloc(json_array_size(list), sizeof *suite->templates);
    if (!suite->templates)
        return mm_error_set(error, MMOOD_ERROR_MEMORY, "no memory for templates");
    for (size_t i = 0; i < json_array_size(list) && !status; i++) {
        status =
            copy_text(&suite->templates[i], json_array_get(list, i), "a template", MAX_TEXT, error);
        suite->template_count++;
        if (!status)
            status = mm_template_check(suite->templates[i], error);
    }
    return status;
}

static mmood_status read_scores(mm_suite *suite, const json_t *list, mmood_error *error) {
    mmood_status status = check_list(list, "\"scores\"", MAX_TEMPLATES, error);
    if (status)
        return status;
    suite->scores = calloc(json_array_size(list), sizeof *suite->scores);
    if (!suite->scores)
        return mm_error_set(error, MMOOD_ERROR_MEMORY, "no memory for scores");
    for (size_t i = 0; i < json_array_size(list); i++) {
        const char *name = json_string_value(json_array_get(list, i));
        if (!name)
            return mm_error_set(error, MMOOD_ERROR_FORMAT, "a score must be a text");
        if (mmood_score_parse(&suite->scores[i], name, error))
            return mm_error_set(error, MMOOD_ERROR_FORMAT, "the score \"%.100s\" is not known",
                                name);
        for (size_t j = 0; j < i; j++)
            if (suite->scores[j] == suite->scores[i])
                return mm_error_set(error, MMOOD_ERROR_FORMAT, "the score \"%s\" occurs twice",
                                    name);
        suite->score_count++;
    }
    return MMOOD_OK;
}

static mmood_status read_share(double *out, const json_t *object, const char *key,
                               mmood_error *error) {
    const json_t *value = json_object_get(object, key);
    *out = value ? json_number_value(value) : NAN;
    if (value && (!json_is_number(value) || !(*out >= 0 && *out <= 1)))
        return mm_error_set(error, MMOOD_ERROR_FORMAT,
                            "\"%s\" must be a share from 0 to 1, not per cent", key);
    return MMOOD_OK;
}

/* The set of a figure is an OOD set or "mean". */
static mmood_status check_figure_set(const mm_suite *suite, const char *name, mmood_error *error) {
    if (strcmp(name, "mean") == 0)
        return MMOOD_OK;
    for (size_t i = 1; i < suite->set_count; i++)
        if (strcmp(name, suite->sets[i].name) == 0)
            return MMOOD_OK;
    return mm_error_set(error, MMOOD_ERROR_FORMAT, "\"%s\" is neither an OOD set nor \"mean\"",
                        name);
}

static mmood_status read_figure(mm_published *out, const mm_suite *suite, const json_t *entry,
                                mmood_error *error) {
    static const char *const known[] = {"method", "set", "fpr95", "auroc", "source", NULL};
    mmood_status status = check_keys(entry, "it", known, error);
    if (!status)
        status = copy_member(&out->method, entry, "method", MAX_NAME, 0, error);
    if (!status)
        status = copy_member(&out->set, entry, "set", MAX_NAME, 0, error);
    if (!status)
        status = check_figure_set(suite, out->set, error);
    if (!status)
        status = copy_member(&out->source, entry, "source", MAX_TEXT, 0, error);
    if (!status)
        status = read_share(&out->fpr95, entry, "fpr95", error);
    if (!status)
        status = read_share(&out->auroc, entry, "auroc", error);
    if (!status && isnan(out->fpr95) && isnan(out->auroc))
        status = mm_error_set(error, MMOOD_ERROR_FORMAT, "\"fpr95\" or \"auroc\" is needed");
    return status;
}

static mmood_status read_published(mm_suite *suite, const json_t *list, mmood_error *error) {
    if (!list)
        return MMOOD_OK;
    if (!json_is_array(list) || json_array_size(list) > MAX_PUBLISHED)
        return mm_error_set(error, MMOOD_ERROR_FORMAT,
                            "\"published\" must be a list of at most %d figures",
                            (int)MAX_PUBLISHED);
    suite->published = calloc(json_array_size(list) + 1, sizeof *suite->published);
    if (!suite->published)
        return mm_error_set(error, MMOOD_ERROR_MEMORY, "no memory for published figures");
    for (size_t i = 0; i < json_array_size(list); i++) {
        suite->published_count++;
        mmood_status status =
            read_figure(&suite->published[i], suite, json_array_get(list, i), error);
        if (status)
            return mm_error_prefix(error, status, "figure %zu of \"published\"", i + 1);
    }
    return MMOOD_OK;
}

static mmood_status read_name(mm_suite *suite, const json_t *document, mmood_error *error) {
    mmood_status status = copy_member(&suite->name, document, "name", MAX_NAME, 0, error);
    if (!status &&
        strspn(suite->name, "abcdefghijklmnopqrstuvwxyz0123456789-") != strlen(suite->name))
        status = mm_error_set(error, MMOOD_ERROR_FORMAT,
                              "\"name\" may hold only lower-case letters, digits and \"-\"");
    return status;
}

static mmood_status read_settings(mm_suite *suite, const json_t *document, mmood_error *error) {
    const char *filter = json_string_value(json_object_get(document, "resample"));
    const char *fpr = json_string_value(json_object_get(document, "fpr"));
    const json_t *outliers = json_object_get(document, "outliers");
    json_int_t count = json_integer_value(outliers);
    if (!filter || (strcmp(filter, "bilinear") != 0 && strcmp(filter, "bicubic") != 0))
        return mm_error_set(error, MMOOD_ERROR_FORMAT,
                            "\"resample\" must be \"bilinear\" or \"bicubic\"");
    suite->resample =
        strcmp(filter, "bilinear") == 0 ? MMOOD_FILTER_BILINEAR : MMOOD_FILTER_BICUBIC;
    if (!fpr || mm_fpr_parse(&suite->fpr, fpr, error))
        return mm_error_set(error, MMOOD_ERROR_FORMAT,
                            "\"fpr\" must be \"nearest\", \"first\" or \"ood-positive\"");
    if (!json_is_integer(outliers) || count < 0 || count > MAX_OUTLIERS)
        return mm_error_set(error, MMOOD_ERROR_FORMAT,
                            "\"outliers\" must be a whole number from 0 to %d", (int)MAX_OUTLIERS);
    suite->outliers = (size_t)count;
    return MMOOD_OK;
}

static mmood_status read_suite(mm_suite *suite, const json_t *document, mmood_error *error) {
    static const char *const known[] = {"format",   "name",      "title",  "note", "templates",
                                        "resample", "outliers",  "scores", "fpr",  "id",
                                        "ood",      "published", NULL};
    const char *format = json_string_value(json_object_get(document, "format"));
    if (!format || strcmp(format, "mmood-suite/1") != 0)
        return mm_error_set(error, MMOOD_ERROR_UNSUPPORTED,
                            "is no evaluation suite: \"format\" is \"%.100s\", expected "
                            "\"mmood-suite/1\"",
                            format ? format : "");
    mmood_status status = check_keys(document, "the suite", known, error);
    if (!status)
        status = read_name(suite, document, error);
    if (!status)
        status = copy_member(&suite->title, document, "title", MAX_TEXT, 0, error);
    if (!status)
        status = copy_member(&suite->note, document, "note", MAX_TEXT, 1, error);
    if (!status)
        status = read_templates(suite, json_object_get(document, "templates"), error);
    if (!status)
        status = read_scores(suite, json_object_get(document, "scores"), error);
    if (!status)
        status = read_settings(suite, document, error);
    if (!status)
        status = read_sets(suite, document, error);
    if (!status)
        status = read_published(suite, json_object_get(document, "published"), error);
    return status;
}

mmood_status mm_suite_parse(mm_suite *out, const void *data, size_t size, mmood_error *error) {
    json_t *document;
    *out = (mm_suite){0};
    if (size > MAX_FILE)
        return mm_error_set(error, MMOOD_ERROR_LIMIT, "has %zu bytes; at most %d are allowed", size,
                            (int)MAX_FILE);
    mmood_status status = mm_json_parse(&document, data, size, error);
    if (status)
        return status;
    status = read_suite(out, document, error);
    json_decref(document);
    if (status)
        mm_suite_free(out);
    return status;
}

mmood_status mm_suite_load(mm_suite *out, const char *path, mmood_error *error) {
    uint8_t *data;
    size_t size;
    *out = (mm_suite){0};
    mmood_status status = mm_file_read(&data, &size, path, MAX_FILE, error);
    if (!status) {
        status = mm_suite_parse(out, data, size, error);
        free(data);
    }
    return status ? mm_error_prefix(error, status, "%s", path) : MMOOD_OK;
}

static void free_set(mm_suite_set *set) {
    for (size_t i = 0; i < set->class_count; i++) {
        free(set->classes[i].folder);
        free(set->classes[i].label);
    }
    free(set->classes);
    free(set->name);
    free(set->source);
    free(set->folder);
    free(set->list);
    free(set->flags);
    free(set->keep);
}

void mm_suite_free(mm_suite *suite) {
    for (size_t i = 0; i < suite->set_count; i++)
        free_set(&suite->sets[i]);
    for (size_t i = 0; i < suite->template_count; i++)
        free(suite->templates[i]);
    for (size_t i = 0; i < suite->published_count; i++) {
        free(suite->published[i].method);
        free(suite->published[i].set);
        free(suite->published[i].source);
    }
    free(suite->sets);
    free(suite->templates);
    free(suite->scores);
    free(suite->published);
    free(suite->name);
    free(suite->title);
    free(suite->note);
    *suite = (mm_suite){0};
}
