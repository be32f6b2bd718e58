/* body.c - bodies of requests: a raw picture, multipart/form-data, JSON. */
#include "serve/body.h"

#include "base/base64.h"
#include "base/error.h"
#include "base/json.h"
#include "serve/multipart.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* ---- Inputs -------------------------------------------------------------------------------- */

static mmood_status no_memory(mmood_error *error) {
    return mm_error_set(error, MMOOD_ERROR_MEMORY, "no memory for the pictures of a request");
}

/* A new input at the end; NULL with the error set if there are too many. */
static mm_input *add_input(mm_body *body, const char *name, const mm_body_limits *limits,
                           mmood_status *status, mmood_error *error) {
    if (body->count == limits->items) {
        *status = mm_error_set(error, MMOOD_ERROR_LIMIT,
                               "more than %zu pictures in a request: send them in several",
                               limits->items);
        return NULL;
    }
    if (body->count == body->room) {
        size_t room = body->room ? 2 * body->room : 4;
        mm_input *grown = realloc(body->inputs, room * sizeof *grown);
        if (!grown) {
            *status = no_memory(error);
            return NULL;
        }
        body->inputs = grown;
        body->room = room;
    }
    mm_input *input = &body->inputs[body->count];
    *input = (mm_input){0};
    if (name && !(input->name = strdup(name))) {
        *status = no_memory(error);
        return NULL;
    }
    body->count++;
    return input;
}

static void fail_input(mm_input *input, mmood_status status, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

static void fail_input(mm_input *input, mmood_status status, const char *format, ...) {
    char text[1024];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    free(input->failure);
    input->failure = strdup(text);
    input->status = status;
}

void mm_body_free(mm_body *body) {
    for (size_t i = 0; i < body->count; i++) {
        free(body->inputs[i].name);
        free(body->inputs[i].owned);
        free(body->inputs[i].embedding);
        free(body->inputs[i].failure);
    }
    free(body->inputs);
    free(body->scores);
    *body = (mm_body){0};
}

/* ---- Options ------------------------------------------------------------------------------- */

static mmood_status set_scores(mm_body *out, const char *names, mmood_error *error) {
    char *copy = strdup(names);
    if (!copy)
        return no_memory(error);
    free(out->scores);
    out->scores = copy;
    return MMOOD_OK;
}

mmood_status mm_body_option(mm_body *out, const char *name, const char *value, mmood_error *error) {
    if (strlen(value) > 1000)
        return mm_error_set(error, MMOOD_ERROR_ARGUMENT, "the option \"%s\" is too long", name);
    if (strcmp(name, "scores") == 0)
        return set_scores(out, value, error);
    if (strcmp(name, "top") != 0)
        return mm_error_set(error, MMOOD_ERROR_ARGUMENT,
                            "there is no option \"%.64s\"; expected top or scores", name);
    char *end;
    unsigned long top = strtoul(value, &end, 10);
    if (value[0] < '0' || value[0] > '9' || *end || top > MM_TOP_MAX)
        return mm_error_set(error, MMOOD_ERROR_ARGUMENT,
                            "top is \"%.64s\"; expected a number from 0 to %d", value, MM_TOP_MAX);
    out->top = top;
    return MMOOD_OK;
}

/* ---- JSON ---------------------------------------------------------------------------------- */

/* jansson takes some 50 bytes a value: bodies with far more values than a request can mean are
 * refused before they are parsed. */
static mmood_status check_values(const char *text, size_t size, const mm_body_limits *limits,
                                 mmood_error *error) {
    size_t values = 0, most = limits->items * (limits->dimension + 16) + 64;
    int quoted = 0;
    for (size_t i = 0; i < size; i++) {
        if (quoted && text[i] == '\\')
            i++;
        else if (text[i] == '"')
            quoted = !quoted;
        else if (!quoted && (text[i] == ',' || text[i] == '[' || text[i] == '{'))
            values++;
    }
    if (values > most)
        return mm_error_set(error, MMOOD_ERROR_LIMIT,
                            "the JSON body has over %zu values; %zu pictures or embeddings of %zu "
                            "numbers need no more",
                            most, limits->items, limits->dimension);
    return MMOOD_OK;
}

static const char *type_name(const json_t *value) {
    switch (json_typeof(value)) {
    case JSON_OBJECT:
        return "an object";
    case JSON_ARRAY:
        return "a list";
    case JSON_STRING:
        return "a string";
    case JSON_INTEGER:
    case JSON_REAL:
        return "a number";
    case JSON_TRUE:
    case JSON_FALSE:
        return "true or false";
    default:
        return "null";
    }
}

/* The member `key` of an object with that and perhaps "name", or the value itself. NULL with the
 * input's failure set if it is an object with other members. */
static const json_t *unwrap(mm_input *input, const json_t *value, const char *key) {
    const char *found;
    json_t *member;
    if (!json_is_object(value))
        return value;
    json_object_foreach((json_t *)value, found, member) {
        if (strcmp(found, key) != 0 && strcmp(found, "name") != 0) {
            fail_input(input, MMOOD_ERROR_ARGUMENT,
                       "there is no member \"%.64s\" here; expected \"name\" and \"%s\"", found,
                       key);
            return NULL;
        }
    }
    const json_t *wanted = json_object_get(value, key);
    if (!wanted)
        fail_input(input, MMOOD_ERROR_ARGUMENT, "the member \"%s\" is missing", key);
    return wanted;
}

static void read_picture(mm_input *input, const json_t *value) {
    mm_buffer data = {0};
    mmood_error error;
    if (!(value = unwrap(input, value, "data")))
        return;
    if (!json_is_string(value)) {
        fail_input(input, MMOOD_ERROR_ARGUMENT, "the picture is %s; expected base64 in a string",
                   type_name(value));
        return;
    }
    mmood_status status =
        mm_base64_read(&data, json_string_value(value), json_string_length(value), &error);
    if (status != MMOOD_OK) {
        fail_input(input, status, "%s", error.message);
        mm_buffer_free(&data);
        return;
    }
    input->owned = (uint8_t *)data.data;
    input->data = input->owned;
    input->size = data.size;
}

static void read_embedding(mm_input *input, const json_t *value, size_t dimension) {
    double squares = 0;
    if (!(value = unwrap(input, value, "embedding")))
        return;
    if (!json_is_array(value) || json_array_size(value) != dimension) {
        fail_input(input, MMOOD_ERROR_ARGUMENT,
                   "the embedding is %s of %zu values; expected a list of %zu numbers",
                   type_name(value), json_array_size(value), dimension);
        return;
    }
    input->embedding = malloc(dimension * sizeof *input->embedding);
    if (!input->embedding) {
        fail_input(input, MMOOD_ERROR_MEMORY, "no memory for an embedding");
        return;
    }
    for (size_t i = 0; i < dimension; i++) {
        const json_t *number = json_array_get(value, i);
        if (!json_is_number(number)) {
            fail_input(input, MMOOD_ERROR_ARGUMENT, "value %zu of the embedding is %s", i + 1,
                       type_name(number));
            return;
        }
        input->embedding[i] = (float)json_number_value(number);
        squares += (double)input->embedding[i] * (double)input->embedding[i];
    }
    if (!(squares > 1e-12) || !isfinite(squares)) {
        fail_input(input, MMOOD_ERROR_NUMERIC,
                   "the embedding has no direction: its length is %g; expected about 1",
                   sqrt(squares));
        return;
    }
    /* What is of unit length but for rounding stays as it is, so that scores are the same as for
     * the picture. */
    if (fabs(squares - 1) > 1e-5)
        for (size_t i = 0; i < dimension; i++)
            input->embedding[i] = (float)((double)input->embedding[i] / sqrt(squares));
}

/* All of a list of pictures or of embeddings. */
static mmood_status read_list(mm_body *out, const json_t *list, const char *key,
                              const mm_body_limits *limits, mmood_error *error) {
    mmood_status status = MMOOD_OK;
    if (!json_is_array(list))
        return mm_error_set(error, MMOOD_ERROR_ARGUMENT, "\"%s\" is %s; expected a list", key,
                            type_name(list));
    for (size_t i = 0; i < json_array_size(list); i++) {
        const json_t *value = json_array_get(list, i);
        const char *name = json_string_value(json_object_get(value, "name"));
        mm_input *input = add_input(out, name, limits, &status, error);
        if (!input)
            return status;
        if (strcmp(key, "pictures") == 0)
            read_picture(input, value);
        else
            read_embedding(input, value, limits->dimension);
    }
    return MMOOD_OK;
}

/* "scores": "all", "a,b", or ["a", "b"]. */
static mmood_status read_scores(mm_body *out, const json_t *value, mmood_error *error) {
    mm_buffer names = {0};
    int good = json_is_string(value) || json_is_array(value);
    if (json_is_string(value))
        mm_buffer_puts(&names, json_string_value(value));
    for (size_t i = 0; i < json_array_size(value) && good && names.size <= 1000; i++) {
        const char *name = json_string_value(json_array_get(value, i));
        good = name != NULL;
        mm_buffer_printf(&names, "%s%s", i ? "," : "", name ? name : "");
    }
    mmood_status status =
        good ? mm_body_option(out, "scores", names.data ? names.data : "", error)
             : mm_error_set(error, MMOOD_ERROR_ARGUMENT,
                            "\"scores\" is not \"all\" nor a list of names of scores");
    mm_buffer_free(&names);
    return status;
}

static mmood_status read_json(mm_body *out, const char *data, size_t size,
                              const mm_body_limits *limits, mmood_error *error) {
    json_t *root;
    const char *key;
    json_t *value;
    mmood_status status = check_values(data, size, limits, error);
    if (status == MMOOD_OK && (status = mm_json_parse(&root, data, size, error)) != MMOOD_OK)
        return mm_error_prefix(error, status, "the body");
    if (status != MMOOD_OK)
        return status;
    if (!json_is_object(root))
        status = mm_error_set(error, MMOOD_ERROR_ARGUMENT,
                              "the body is %s; expected an object with \"pictures\" or "
                              "\"embeddings\"",
                              type_name(root));
    else
        json_object_foreach(root, key, value) {
            if (strcmp(key, "pictures") == 0 || strcmp(key, "embeddings") == 0)
                status = read_list(out, value, key, limits, error);
            else if (strcmp(key, "scores") == 0)
                status = read_scores(out, value, error);
            else if (strcmp(key, "top") == 0 && json_is_integer(value) &&
                     json_integer_value(value) >= 0 && json_integer_value(value) <= MM_TOP_MAX)
                out->top = (size_t)json_integer_value(value);
            else
                status = strcmp(key, "top") == 0
                             ? mm_error_set(error, MMOOD_ERROR_ARGUMENT,
                                            "\"top\" is not a number from 0 to %d", MM_TOP_MAX)
                             : mm_error_set(error, MMOOD_ERROR_ARGUMENT,
                                            "there is no member \"%.64s\"; expected pictures, "
                                            "embeddings, top or scores",
                                            key);
            if (status != MMOOD_OK)
                break;
        }
    json_decref(root);
    return status;
}

/* ---- Multipart ----------------------------------------------------------------------------- */

static mmood_status form_option(mm_body *out, const mm_part *part, mmood_error *error) {
    char value[1008];
    size_t n = part->size < sizeof value ? part->size : sizeof value - 1;
    memcpy(value, part->data, n);
    value[n] = '\0';
    return mm_body_option(out, part->name, value, error);
}

static mmood_status read_multipart(mm_body *out, const char *content_type, const void *data,
                                   size_t size, const mm_body_limits *limits, mmood_error *error) {
    mm_multipart reader;
    mm_part part;
    int found = 1;
    mmood_status status = mm_multipart_begin(&reader, content_type, data, size, error);
    while (status == MMOOD_OK) {
        status = mm_multipart_next(&part, &found, &reader, error);
        if (status != MMOOD_OK || !found)
            break;
        if (!part.has_filename &&
            (strcmp(part.name, "top") == 0 || strcmp(part.name, "scores") == 0)) {
            status = form_option(out, &part, error);
            continue;
        }
        const char *name = part.filename[0] ? part.filename : part.name[0] ? part.name : NULL;
        mm_input *input = add_input(out, name, limits, &status, error);
        if (!input)
            break;
        input->data = part.data;
        input->size = part.size;
        if (part.size == 0)
            fail_input(input, MMOOD_ERROR_FORMAT, "the picture is empty");
    }
    return status;
}

/* ---- The body ------------------------------------------------------------------------------ */

int mm_media_is(const char *content_type, const char *type) {
    size_t n = strlen(type);
    return content_type && strncasecmp(content_type, type, n) == 0 &&
           (content_type[n] == '\0' || content_type[n] == ';' || content_type[n] == ' ' ||
            content_type[n] == '\t');
}

mmood_status mm_body_read(mm_body *out, const char *content_type, const void *data, size_t size,
                          const mm_body_limits *limits, mmood_error *error) {
    mmood_status status = MMOOD_OK;
    if (size == 0)
        return mm_error_set(error, MMOOD_ERROR_ARGUMENT,
                            "the body is empty; expected a picture, multipart/form-data with "
                            "several, or JSON");
    if (mm_media_is(content_type, "application/json"))
        status = read_json(out, data, size, limits, error);
    else if (mm_media_is(content_type, "multipart/form-data"))
        status = read_multipart(out, content_type, data, size, limits, error);
    else {
        mm_input *input = add_input(out, NULL, limits, &status, error);
        if (input) {
            input->data = data;
            input->size = size;
        }
    }
    if (status == MMOOD_OK && out->count == 0)
        status = mm_error_set(error, MMOOD_ERROR_ARGUMENT, "the request has no picture");
    return status;
}
