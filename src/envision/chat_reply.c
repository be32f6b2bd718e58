/* chat_reply.c - the answer in the body of a chat completion. */
#include "envision/chat_reply.h"

#include "base/buffer.h"
#include "base/error.h"
#include "base/json.h"
#include "envision/http.h"

#include <stdlib.h>
#include <string.h>

/* What has been read: of one message, or of the pieces of a stream. */
typedef struct answer {
    mm_buffer text;
    mm_buffer refusal;
    char finish[32];
    int choices;   /* 1 once there was one */
    int reasoning; /* 1 if the model thought aloud */
    int done;      /* the stream said that it is complete */
} answer;

void mm_chat_reply_free(mm_chat_reply *reply) {
    free(reply->text);
    *reply = (mm_chat_reply){0};
}

static void append_string(mm_buffer *out, const json_t *value) {
    if (json_is_string(value))
        mm_buffer_append(out, json_string_value(value), json_string_length(value));
}

/* A string, or parts of which those with text count. */
static void append_content(mm_buffer *out, const json_t *content) {
    append_string(out, content);
    size_t i;
    json_t *part;
    json_array_foreach(content, i, part) {
        const char *type = json_string_value(json_object_get(part, "type"));
        if (!type || strcmp(type, "text") == 0 || strcmp(type, "output_text") == 0)
            append_string(out, json_object_get(part, "text"));
    }
}

/* The first choice of a completion or of a piece of one. */
static void take_choice(answer *a, const json_t *root) {
    const json_t *choice = json_array_get(json_object_get(root, "choices"), 0);
    if (!json_is_object(choice))
        return;
    a->choices = 1;
    const json_t *message = json_object_get(choice, "delta");
    if (!json_is_object(message))
        message = json_object_get(choice, "message");
    append_content(&a->text, json_object_get(message, "content"));
    append_string(&a->refusal, json_object_get(message, "refusal"));
    if (json_is_string(json_object_get(message, "reasoning_content")) ||
        json_is_string(json_object_get(message, "reasoning")))
        a->reasoning = 1;
    const char *finish = json_string_value(json_object_get(choice, "finish_reason"));
    if (finish) {
        size_t n = strnlen(finish, sizeof a->finish - 1);
        memcpy(a->finish, finish, n);
        a->finish[n] = 0;
    }
}

static int is_error(const json_t *root) {
    const json_t *value = json_object_get(root, "error");
    return value && !json_is_null(value) && !json_is_false(value);
}

static mmood_status say_error(const void *data, size_t size, mmood_error *error) {
    char said[301];
    mm_http_complaint(said, data, size);
    return mm_error_set(error, MMOOD_ERROR_IO,
                        "the endpoint answered with an error instead of a reply: %s",
                        *said ? said : "it does not say which");
}

static mmood_status take_json(answer *a, const void *data, size_t size, mmood_error *error) {
    json_t *root;
    mmood_status status = mm_json_parse(&root, data, size, error);
    if (status != MMOOD_OK)
        return mm_error_prefix(error, status, "the endpoint's reply");
    if (!json_is_object(root))
        status = mm_error_set(error, MMOOD_ERROR_FORMAT,
                              "the endpoint's reply is JSON, but not an object; expected a chat "
                              "completion");
    else if (is_error(root))
        status = say_error(data, size, error);
    else
        take_choice(a, root);
    json_decref(root);
    return status;
}

/* One event: the lines of "data:" joined. */
static mmood_status take_event(answer *a, mm_buffer *event, mmood_error *error) {
    mmood_status status = MMOOD_OK;
    if (event->failed)
        return mm_error_set(error, MMOOD_ERROR_MEMORY, "no memory for a reply");
    if (event->size == 0)
        return MMOOD_OK;
    if (strcmp(event->data, "[DONE]") == 0)
        a->done = 1;
    else
        status = take_json(a, event->data, event->size, error);
    event->size = 0;
    return status;
}

static mmood_status take_stream(answer *a, const char *data, size_t size, mmood_error *error) {
    mm_buffer event = {0};
    mmood_status status = MMOOD_OK;
    for (size_t at = 0; at < size && status == MMOOD_OK && !a->done;) {
        const char *line = data + at;
        const char *end = memchr(line, '\n', size - at);
        size_t length = end ? (size_t)(end - line) : size - at;
        at += length + (end ? 1 : 0);
        if (length > 0 && line[length - 1] == '\r')
            length--;
        if (length == 0) {
            status = take_event(a, &event, error);
        } else if (length >= 5 && memcmp(line, "data:", 5) == 0) {
            size_t skip = length > 5 && line[5] == ' ' ? 6 : 5;
            if (event.size > 0)
                mm_buffer_puts(&event, "\n");
            mm_buffer_append(&event, line + skip, length - skip);
        }
    }
    if (status == MMOOD_OK && !a->done)
        status = take_event(a, &event, error);
    if (status == MMOOD_OK && !a->done && !a->finish[0])
        status = mm_error_set(error, MMOOD_ERROR_FORMAT,
                              "the endpoint's stream of events ended before it was complete: "
                              "neither a finish_reason nor [DONE] came");
    mm_buffer_free(&event);
    return status;
}

/* Events begin with a field or a comment; JSON never does. */
static int is_stream(const char *text, size_t size) {
    static const char *const starts[] = {"data:", "event:", "id:", "retry:", ":"};
    for (size_t i = 0; i < sizeof starts / sizeof *starts; i++)
        if (size >= strlen(starts[i]) && memcmp(text, starts[i], strlen(starts[i])) == 0)
            return 1;
    return 0;
}

/* Why there is no text. */
static mmood_status say_nothing(const answer *a, mmood_error *error) {
    if (!a->choices)
        return mm_error_set(error, MMOOD_ERROR_FORMAT,
                            "the endpoint's reply has no choices; expected one with the model's "
                            "message: is this a chat model?");
    if (strcmp(a->finish, "length") == 0)
        return mm_error_set(error, MMOOD_ERROR_LIMIT,
                            "the reply was cut by the limit of tokens before the answer began%s; "
                            "raise --max-tokens",
                            a->reasoning ? " (the model was still reasoning)" : "");
    if (a->refusal.size > 0)
        return mm_error_set(error, MMOOD_ERROR_UNSUPPORTED, "the model refused: %.300s",
                            a->refusal.data);
    if (strcmp(a->finish, "content_filter") == 0)
        return mm_error_set(error, MMOOD_ERROR_UNSUPPORTED,
                            "the endpoint's content filter kept the reply back");
    return mm_error_set(error, MMOOD_ERROR_FORMAT,
                        "the model's message is empty%s (finish_reason \"%s\"); expected text",
                        a->reasoning ? " but for its reasoning" : "", a->finish);
}

static int is_blank(const mm_buffer *text) {
    for (size_t i = 0; i < text->size; i++)
        if (!strchr(" \t\r\n", text->data[i]))
            return 0;
    return 1;
}

mmood_status mm_chat_reply_parse(mm_chat_reply *out, const void *data, size_t size,
                                 mmood_error *error) {
    *out = (mm_chat_reply){0};
    const char *text = data;
    while (size > 0 && strchr(" \t\r\n", *text) && *text) {
        text++;
        size--;
    }
    if (size == 0)
        return mm_error_set(error, MMOOD_ERROR_FORMAT,
                            "the endpoint's reply is empty, expected a chat completion");
    if (*text == '<') {
        char said[301];
        mm_http_complaint(said, text, size);
        return mm_error_set(error, MMOOD_ERROR_FORMAT,
                            "the endpoint answered with %s, expected JSON; check the URL", said);
    }
    answer a = {0};
    mmood_status status = is_stream(text, size) ? take_stream(&a, text, size, error)
                                                : take_json(&a, text, size, error);
    if (status == MMOOD_OK && (a.text.failed || a.refusal.failed))
        status = mm_error_set(error, MMOOD_ERROR_MEMORY, "no memory for a reply");
    if (status == MMOOD_OK && is_blank(&a.text))
        status = say_nothing(&a, error);
    mm_buffer_free(&a.refusal);
    if (status != MMOOD_OK) {
        mm_buffer_free(&a.text);
        return status;
    }
    out->text = a.text.data;
    out->size = a.text.size;
    out->truncated = strcmp(a.finish, "length") == 0;
    return MMOOD_OK;
}
