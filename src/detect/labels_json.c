/* labels_json.c - labels from JSON: a list, an object of lists or of strings, "id2label", or
 * "mmood-outliers/1". Line numbers of findings are positions in the document's order, from 1. */
#include "detect/labels.h"

#include "base/error.h"
#include "base/json.h"

#include <string.h>

static mmood_status add(mmood_labels *labels, const json_t *text, const char *source,
                        size_t *position, mmood_error *error) {
    ++*position;
    if (!json_is_string(text))
        return mm_error_set(
            error, MMOOD_ERROR_FORMAT,
            "label %zu is not a string; a list of strings, or an object whose values "
            "are lists of strings, is expected",
            *position);
    return mm_labels_add(labels, json_string_value(text), json_string_length(text), source,
                         *position, error);
}

static mmood_status add_list(mmood_labels *labels, const json_t *list, const char *source,
                             size_t *position, mmood_error *error) {
    mmood_status status = MMOOD_OK;
    for (size_t i = 0; i < json_array_size(list) && status == MMOOD_OK; i++)
        status = add(labels, json_array_get(list, i), source, position, error);
    return status;
}

/* {"format": "mmood-outliers/1", "labels": [{"label": ..., "source": ..., "template": ...}, ...]}
 */
static mmood_status read_outliers(mmood_labels *labels, const json_t *document,
                                  mmood_error *error) {
    const char *format = json_string_value(json_object_get(document, "format"));
    const json_t *list = json_object_get(document, "labels");
    size_t position = 0;
    if (!format || strcmp(format, "mmood-outliers/1") != 0)
        return mm_error_set(error, MMOOD_ERROR_UNSUPPORTED,
                            "the format is \"%s\"; \"mmood-outliers/1\" is known",
                            format ? format : "");
    if (!json_is_array(list))
        return mm_error_set(error, MMOOD_ERROR_FORMAT, "\"labels\" must be a list");
    mmood_status status = MMOOD_OK;
    for (size_t i = 0; i < json_array_size(list) && status == MMOOD_OK; i++) {
        const json_t *entry = json_array_get(list, i);
        size_t before = mmood_labels_count(labels);
        status = add(labels, json_object_get(entry, "label"),
                     json_string_value(json_object_get(entry, "source")), &position, error);
        if (status == MMOOD_OK && mmood_labels_count(labels) > before)
            status = mm_labels_give_templates(labels, json_object_get(entry, "template"), error);
        if (status != MMOOD_OK && mmood_labels_count(labels) > before)
            status = mm_error_prefix(error, status, "label %zu", position);
    }
    return status;
}

/* The labels of a classifier's config.json: {"id2label": {"0": ...}, ...}. */
static mmood_status read_config(mmood_labels *labels, const json_t *map, mmood_error *error) {
    const char *key;
    json_t *value;
    size_t position = 0;
    mmood_status status = mm_labels_note(labels, MMOOD_FINDING_FORMAT, 1, error,
                                         "read as a model's configuration: only \"id2label\"");
    json_object_foreach((json_t *)(uintptr_t)map, key, value) {
        if (status != MMOOD_OK)
            break;
        status = add(labels, value, NULL, &position, error);
    }
    return status;
}

mmood_status mm_labels_read_json(mmood_labels *labels, const void *data, size_t size,
                                 mmood_error *error) {
    json_t *document;
    mmood_status status = mm_json_parse(&document, data, size, error);
    if (status != MMOOD_OK)
        return status;
    size_t position = 0;
    const char *key;
    json_t *value;
    if (json_is_array(document)) {
        status = add_list(labels, document, NULL, &position, error);
    } else if (json_is_string(json_object_get(document, "format"))) {
        status = read_outliers(labels, document, error);
    } else if (json_is_object(json_object_get(document, "id2label"))) {
        status = read_config(labels, json_object_get(document, "id2label"), error);
    } else {
        json_object_foreach(document, key, value) {
            status = json_is_array(value) ? add_list(labels, value, key, &position, error)
                                          : add(labels, value, key, &position, error);
            if (status != MMOOD_OK) {
                status = mm_error_prefix(error, status, "member \"%.100s\"", key);
                break;
            }
        }
    }
    json_decref(document);
    return status;
}
