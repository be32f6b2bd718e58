/* outliers.c - outlier labels and their document. */
#include "envision/outliers.h"

#include "base/error.h"
#include "base/text.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static mmood_status no_memory(mmood_error *error) {
    return mm_error_set(error, MMOOD_ERROR_MEMORY, "no memory for the outlier labels");
}

mmood_status mm_outliers_create(mm_outliers **out, const char *const *ids, size_t count,
                                const mm_filter_options *options, mmood_error *error) {
    *out = NULL;
    mm_outliers *o = calloc(1, sizeof *o);
    if (!o)
        return no_memory(error);
    o->labels = json_array();
    o->dropped = json_array();
    o->notes = json_array();
    o->failures = json_array();
    o->steps = json_object();
    mmood_status status = mm_filter_create(&o->filter, ids, count, options, error);
    if (status == MMOOD_OK && (!o->labels || !o->dropped || !o->notes || !o->failures || !o->steps))
        status = no_memory(error);
    if (status == MMOOD_OK)
        *out = o;
    else
        mm_outliers_free(o);
    return status;
}

void mm_outliers_free(mm_outliers *o) {
    if (!o)
        return;
    mm_filter_free(o->filter);
    json_decref(o->labels);
    json_decref(o->dropped);
    json_decref(o->notes);
    json_decref(o->failures);
    json_decref(o->steps);
    free(o);
}

json_t *mm_text_value(const char *text) {
    mm_buffer quoted = {0};
    if (!text)
        return json_null();
    json_t *value = json_string(text);
    if (value)
        return value;
    mm_json_text(&quoted, text);
    if (!quoted.failed)
        value = json_loadb(quoted.data, quoted.size, JSON_DECODE_ANY, NULL);
    mm_buffer_free(&quoted);
    return value;
}

/* For a person: the detector keeps it and tables show it. */
static void readable(mm_buffer *out, const mm_origin *origin) {
    int text = strncmp(origin->branch, "text-", 5) == 0 || strcmp(origin->branch, "import") == 0;
    mm_buffer_printf(out, "%s%s", origin->branch, text ? "" : " branch");
    if (origin->class_name)
        mm_buffer_printf(out, ", from '%s'", origin->class_name);
    else if (origin->picture)
        mm_buffer_printf(out, ", from a picture of '%s'", origin->picture);
    else if (origin->file)
        mm_buffer_printf(out, ", from %s", origin->file);
}

/* An entry of "labels" or, with a reason, of "dropped". */
static json_t *entry(const char *label, const char *reason, const mm_origin *origin) {
    mm_buffer source = {0};
    const struct {
        const char *name;
        const char *value;
    } fields[] = {{"branch", origin->branch},   {"class", origin->class_name},
                  {"picture", origin->picture}, {"file", origin->file},
                  {"model", origin->model},     {"exchange", origin->exchange}};
    readable(&source, origin);
    json_t *object = json_object();
    int failed = source.failed || json_object_set_new(object, "label", mm_text_value(label));
    if (reason)
        failed |= json_object_set_new(object, "reason", mm_text_value(reason));
    failed |= json_object_set_new(object, "source", mm_text_value(source.data));
    for (size_t i = 0; i < sizeof fields / sizeof *fields; i++)
        if (fields[i].value && *fields[i].value)
            failed |= json_object_set_new(object, fields[i].name, mm_text_value(fields[i].value));
    if (origin->round)
        failed |= json_object_set_new(object, "round", json_integer((json_int_t)origin->round));
    mm_buffer_free(&source);
    if (!failed)
        return object;
    json_decref(object);
    return NULL;
}

mmood_status mm_outliers_add(mm_outliers *o, const char *label, const mm_origin *origin, int *kept,
                             mmood_error *error) {
    mmood_status status = mm_filter_add(o->filter, label, NULL, kept, error);
    if (status != MMOOD_OK)
        return status;
    if (*kept) {
        mm_filter_entry e = mm_filter_kept(o->filter, mm_filter_kept_count(o->filter) - 1);
        o->failed |= json_array_append_new(o->labels, entry(e.label, NULL, origin)) != 0;
    } else {
        mm_filter_entry e = mm_filter_dropped(o->filter, mm_filter_dropped_count(o->filter) - 1);
        mm_outliers_drop(o, e.label, e.reason, origin);
    }
    return o->failed ? no_memory(error) : MMOOD_OK;
}

void mm_outliers_drop(mm_outliers *o, const char *text, const char *reason,
                      const mm_origin *origin) {
    o->failed |= json_array_append_new(o->dropped, entry(text, reason, origin)) != 0;
}

void mm_outliers_note(mm_outliers *o, const char *format, ...) {
    char text[1024];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    o->failed |= json_array_append_new(o->notes, mm_text_value(text)) != 0;
}

void mm_outliers_fail(mm_outliers *o, const char *step, const char *subject,
                      const mmood_error *problem) {
    json_t *object = json_object();
    int failed = json_object_set_new(object, "step", mm_text_value(step));
    if (subject)
        failed |= json_object_set_new(object, "subject", mm_text_value(subject));
    failed |= json_object_set_new(object, "error", mm_text_value(problem->message));
    failed |= json_array_append_new(o->failures, object);
    o->failed |= failed != 0;
}

void mm_outliers_step(mm_outliers *o, const char *name, json_t *value) {
    o->failed |= json_object_set_new(o->steps, name, value) != 0;
}

size_t mm_outliers_count(const mm_outliers *o) {
    return json_array_size(o->labels);
}

/* ---- The document -------------------------------------------------------------------------- */

static void put(mm_buffer *out, const json_t *value) {
    char *text = json_dumps(value, JSON_ENCODE_ANY | JSON_REAL_PRECISION(9));
    if (text)
        mm_buffer_puts(out, text);
    else
        out->failed = 1;
    free(text);
}

/* A list or an object with a line for each item, for reading and comparing. */
static void put_lines(mm_buffer *out, const char *name, const json_t *value) {
    const char *key;
    json_t *item;
    size_t i;
    int n = 0;
    mm_buffer_printf(out, ",\n \"%s\": %s", name, json_is_array(value) ? "[" : "{");
    json_array_foreach((json_t *)(uintptr_t)value, i, item) {
        mm_buffer_puts(out, n++ ? ",\n  " : "\n  ");
        put(out, item);
    }
    json_object_foreach((json_t *)(uintptr_t)value, key, item) {
        mm_buffer_puts(out, n++ ? ",\n  " : "\n  ");
        mm_json_text(out, key);
        mm_buffer_puts(out, ": ");
        put(out, item);
    }
    mm_buffer_puts(out, json_is_array(value) ? "]" : "}");
}

mmood_status mm_outliers_write(mm_buffer *out, const mm_outliers *o, const json_t *settings,
                               mmood_error *error) {
    mm_buffer_puts(out, "{\"format\": \"mmood-outliers/1\"");
    put_lines(out, "settings", settings);
    if (json_object_size(o->steps) > 0)
        put_lines(out, "steps", o->steps);
    put_lines(out, "labels", o->labels);
    put_lines(out, "dropped", o->dropped);
    if (json_array_size(o->notes) > 0)
        put_lines(out, "notes", o->notes);
    if (json_array_size(o->failures) > 0)
        put_lines(out, "failures", o->failures);
    mm_buffer_puts(out, "}\n");
    return out->failed || o->failed ? no_memory(error) : MMOOD_OK;
}
