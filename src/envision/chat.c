/* chat.c - exchanges with a chat endpoint: what is sent, what is left out once it was refused, and
 * the cache. */
#include "envision/chat.h"

#include "base/error.h"
#include "envision/refusal.h"
#include "envision/talk.h"
#include "envision/url.h"

#include <math.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

/* What an endpoint may not take; a bit each in `learnt`. */
enum {
    NO_SCHEMA = 1,
    NO_TEMPERATURE = 2,
    NO_SEED = 4,
    NEW_TOKENS = 8,    /* max_completion_tokens in place of max_tokens */
    OBJECT_SCHEMA = 16 /* the schema in a json_object, as before there was json_schema */
};

struct mm_chat {
    mm_chat_options options;
    mm_http *http;
    char *url;
    char *model;
    atomic_int learnt;
    pthread_mutex_t lock; /* of what is below */
    pthread_cond_t left;
    int asking; /* requests that are under way */
};

/* One exchange while it is made. */
typedef struct exchange {
    mm_chat *chat;
    const mm_talk *talk;
    const json_t *schema; /* NULL: none */
    int without;          /* the bits that are left out this time */
    int side;             /* of pictures; 0: there are none */
    int shrunk;           /* 413 was answered */
    double deadline;
} exchange;

static mmood_status no_memory(mmood_error *error) {
    return mm_error_set(error, MMOOD_ERROR_MEMORY, "no memory for a chat request");
}

mm_chat_options mm_chat_options_default(void) {
    return (mm_chat_options){.max_tokens = 2048,
                             .seed = -1,
                             .picture_bytes = MM_PICTURE_BYTES,
                             .http = mm_http_options_default()};
}

mmood_status mm_chat_create(mm_chat **out, const mm_chat_options *options, mmood_error *error) {
    *out = NULL;
    if (!isfinite(options->temperature) || options->temperature < 0 || options->max_tokens < 0 ||
        options->at_once < 0)
        return mm_error_set(
            error, MMOOD_ERROR_ARGUMENT,
            "a temperature of %g, %d tokens, %d requests at a time, expected 0 or more "
            "of each",
            options->temperature, options->max_tokens, options->at_once);
    int offline = options->cache && mm_exchanges_get_mode(options->cache) == MM_EXCHANGES_OFFLINE;
    mm_chat *chat = calloc(1, sizeof *chat);
    if (!chat)
        return no_memory(error);
    atomic_init(&chat->learnt, 0);
    pthread_mutex_init(&chat->lock, NULL);
    pthread_cond_init(&chat->left, NULL);
    chat->options = *options;
    mmood_status status = MMOOD_OK;
    if (options->model) {
        json_t *valid = json_string(options->model);
        if (!valid)
            status = mm_error_set(error, MMOOD_ERROR_ARGUMENT, "the model's name is not UTF-8");
        else if (!(chat->model = strdup(options->model)))
            status = no_memory(error);
        json_decref(valid);
    }
    if (status == MMOOD_OK && (options->url || !offline))
        status = mm_url_openai(&chat->url, options->url, "chat/completions", error);
    if (status == MMOOD_OK)
        status = mm_http_create(&chat->http, &options->http, error);
    if (status != MMOOD_OK) {
        mm_chat_free(chat);
        return status;
    }
    chat->options.url = chat->url;
    chat->options.model = chat->model;
    *out = chat;
    return MMOOD_OK;
}

void mm_chat_free(mm_chat *chat) {
    if (!chat)
        return;
    mm_http_free(chat->http);
    free(chat->url);
    free(chat->model);
    pthread_cond_destroy(&chat->left);
    pthread_mutex_destroy(&chat->lock);
    free(chat);
}

/* What identifies the exchange: all that the answer depends on, but not where a named model is
 * served nor what the endpoint was found not to take. */
static mmood_status make_record(json_t **out, const exchange *x, mmood_error *error) {
    const mm_chat_options *o = &x->chat->options;
    json_t *messages;
    *out = NULL;
    mmood_status status = mm_talk_record(&messages, x->talk, error);
    if (status != MMOOD_OK)
        return status;
    *out = json_pack("{s:s, s:s?, s:f, s:i, s:o}", "kind", "chat", "model", o->model, "temperature",
                     o->temperature, "max_tokens", o->max_tokens, "messages", messages);
    int failed = !*out;
    if (!o->model && o->url) { /* then it is the endpoint that says which model it is */
        char shown[512];
        mm_url_show(shown, sizeof shown, o->url);
        failed |= json_object_set_new(*out, "endpoint", json_string(shown));
    }
    if (o->seed >= 0)
        failed |= json_object_set_new(*out, "seed", json_integer(o->seed));
    if (x->schema)
        failed |= json_object_set(*out, "schema", (json_t *)(uintptr_t)x->schema);
    if (x->side > 0)
        failed |=
            json_object_set_new(*out, "picture_bytes", json_integer((json_int_t)o->picture_bytes));
    if (!failed)
        return MMOOD_OK;
    json_decref(*out);
    *out = NULL;
    return no_memory(error);
}

static json_t *format_of(const exchange *x) {
    if (x->without & OBJECT_SCHEMA)
        return json_pack("{s:s, s:O}", "type", "json_object", "schema", x->schema);
    return json_pack("{s:s, s:{s:s, s:b, s:O}}", "type", "json_schema", "json_schema", "name",
                     "labels", "strict", 1, "schema", x->schema);
}

/* The request's body, as text that the caller frees. */
static mmood_status make_body(char **out, const exchange *x, mmood_error *error) {
    const mm_chat_options *o = &x->chat->options;
    json_t *messages;
    *out = NULL;
    mmood_status status = mm_talk_messages(&messages, x->talk, x->side, o->picture_bytes, error);
    if (status != MMOOD_OK)
        return status;
    json_t *body = json_pack("{s:b, s:o}", "stream", 0, "messages", messages);
    int failed = !body;
    if (o->model)
        failed |= json_object_set_new(body, "model", json_string(o->model));
    if (!(x->without & NO_TEMPERATURE))
        failed |= json_object_set_new(body, "temperature", json_real(o->temperature));
    if (o->max_tokens > 0)
        failed |= json_object_set_new(
            body, x->without & NEW_TOKENS ? "max_completion_tokens" : "max_tokens",
            json_integer(o->max_tokens));
    if (o->seed >= 0 && !(x->without & NO_SEED))
        failed |= json_object_set_new(body, "seed", json_integer(o->seed));
    if (x->schema && !(x->without & NO_SCHEMA))
        failed |= json_object_set_new(body, "response_format", format_of(x));
    if (!failed)
        *out = json_dumps(body, JSON_COMPACT | JSON_REAL_PRECISION(17));
    json_decref(body);
    return *out ? MMOOD_OK : no_memory(error);
}

/* A server error that says what it cannot do will say so again. */
static int is_final(const void *context, const mm_http_reply *reply) {
    const exchange *x = context;
    const void *body = reply->body.data;
    size_t size = reply->body.size;
    if (mm_refusal_is_length(body, size))
        return 1;
    return (x->side > 0 && mm_refusal_is_picture(body, size)) ||
           (x->schema && !(x->without & NO_SCHEMA) && mm_refusal_is_schema(body, size));
}

/* The bit of what a refusal is about and can be left out, 0 if it is about something else. */
static int refused_part(const exchange *x, const mm_http_reply *reply) {
    const void *body = reply->body.data;
    size_t size = reply->body.size;
    const mm_chat_options *o = &x->chat->options;
    if (reply->code != 400 && reply->code != 422 && reply->code < 500)
        return 0;
    if (x->schema && !(x->without & NO_SCHEMA) && mm_refusal_is_schema(body, size))
        return !(x->without & OBJECT_SCHEMA) && mm_refusal_wants_object(body, size) ? OBJECT_SCHEMA
                                                                                    : NO_SCHEMA;
    if (reply->code >= 500)
        return 0;
    if (o->max_tokens > 0 && !(x->without & NEW_TOKENS) &&
        mm_refusal_is_parameter(body, size, "max_completion_tokens"))
        return NEW_TOKENS;
    if (!(x->without & NO_TEMPERATURE) && mm_refusal_is_parameter(body, size, "temperature"))
        return NO_TEMPERATURE;
    if (o->seed >= 0 && !(x->without & NO_SEED) && mm_refusal_is_parameter(body, size, "seed"))
        return NO_SEED;
    return 0;
}

/* The error that a refusal is, in words that say what to do. */
static mmood_status give_up(const exchange *x, const mm_http_reply *reply, mmood_error *error) {
    const void *body = reply->body.data;
    size_t size = reply->body.size;
    mmood_status status = mm_http_explain(x->chat->http, x->chat->url, reply, error);
    if (mm_refusal_is_length(body, size))
        return mm_error_prefix(error, MMOOD_ERROR_LIMIT,
                               "the conversation is longer than the model can read: fewer ID "
                               "labels a prompt, fewer or smaller pictures, or a larger context");
    if (x->side > 0 && mm_refusal_is_picture(body, size))
        return mm_error_prefix(error, MMOOD_ERROR_UNSUPPORTED,
                               "the model %s%sdoes not take pictures here: choose one that sees, "
                               "or start its server with its vision part (llama.cpp: --mmproj)",
                               x->chat->model ? x->chat->model : "", x->chat->model ? " " : "");
    return status;
}

/* Acts on a reply with an error code: 1 to ask again, changed. */
static int change(exchange *x, const mm_http_reply *reply) {
    if (reply->code == 413 && x->side > 0 && !x->shrunk) {
        x->shrunk = 1;
        x->side /= 2;
        return 1;
    }
    int part = refused_part(x, reply);
    x->without |= part;
    atomic_fetch_or(&x->chat->learnt, part);
    return part != 0;
}

/* Sends `body`, which it frees, and what is made in its place when it is refused. */
static mmood_status ask(mm_http_reply *reply, exchange *x, char *body, mmood_error *error) {
    for (;;) {
        mm_http_request request = {.url = x->chat->url,
                                   .body = body,
                                   .size = strlen(body),
                                   .with_key = 1,
                                   .deadline = x->deadline,
                                   .is_final = is_final,
                                   .context = x};
        mmood_status status = mm_http_send(reply, x->chat->http, &request, error);
        free(body);
        if (status != MMOOD_OK || (reply->code >= 200 && reply->code <= 299))
            return status;
        if (!change(x, reply))
            return give_up(x, reply, error);
        mm_http_reply_free(reply);
        status = make_body(&body, x, error);
        if (status != MMOOD_OK)
            return status;
    }
}

/* The pictures as they were sent go beside the exchange, so that one can see what the model saw. */
static mmood_status store_pictures(json_t *list, const exchange *x, mmood_error *error) {
    mmood_status status = MMOOD_OK;
    for (size_t i = 0; i < x->talk->count; i++)
        for (size_t k = 0; k < x->talk->messages[i].count && status == MMOOD_OK; k++) {
            const mm_picture *picture = x->talk->messages[i].pictures[k];
            mm_buffer jpeg = {0};
            char hash[65];
            status =
                mm_picture_jpeg(&jpeg, picture, x->side, x->chat->options.picture_bytes, error);
            if (status == MMOOD_OK)
                status = mm_exchanges_store_picture(hash, x->chat->options.cache, jpeg.data,
                                                    jpeg.size, "jpg", error);
            if (status == MMOOD_OK &&
                json_array_append_new(list, json_pack("{s:s, s:s, s:s}", "source",
                                                      mm_picture_hash(picture), "sent", hash,
                                                      "type", "jpg")) != 0)
                status = no_memory(error);
            mm_buffer_free(&jpeg);
        }
    return status;
}

static mmood_status store(const exchange *x, const json_t *record, const mm_http_reply *reply,
                          const mm_chat_reply *answer, mmood_error *error) {
    char shown[512];
    mm_url_show(shown, sizeof shown, x->chat->url);
    json_t *pictures = json_array();
    if (!pictures)
        return no_memory(error);
    mmood_status status = store_pictures(pictures, x, error);
    /* an event stream's comments may be anything; such a reply is not kept */
    json_t *raw = json_stringn(reply->body.data, reply->body.size);
    json_t *entry = NULL;
    if (status == MMOOD_OK && raw) {
        entry = json_pack("{s:s, s:{s:b, s:b, s:b}, s:O, s:O, s:s}", "endpoint", shown, "left_out",
                          "schema", (x->without & NO_SCHEMA) != 0, "temperature",
                          (x->without & NO_TEMPERATURE) != 0, "seed", (x->without & NO_SEED) != 0,
                          "pictures", pictures, "reply", raw, "text", answer->text);
        status = entry ? mm_exchanges_store(x->chat->options.cache, record, entry, error)
                       : no_memory(error);
    }
    json_decref(entry);
    json_decref(raw);
    json_decref(pictures);
    return status;
}

/* An exchange from the cache; `*out` stays empty if there is none. */
static mmood_status look_up(mm_chat_reply *out, const mm_chat *chat, const json_t *record,
                            mmood_error *error) {
    json_t *entry;
    mmood_status status = mm_exchanges_find(&entry, chat->options.cache, record, error);
    if (status != MMOOD_OK || !entry)
        return status;
    mmood_error problem;
    const json_t *raw = json_object_get(entry, "reply");
    if (json_is_string(raw))
        status =
            mm_chat_reply_parse(out, json_string_value(raw), json_string_length(raw), &problem);
    else
        status = mm_error_set(&problem, MMOOD_ERROR_FORMAT, "the exchange has no \"reply\"");
    json_decref(entry);
    if (status != MMOOD_OK)
        return mm_exchanges_reject(chat->options.cache, &problem, error);
    out->cached = 1;
    return MMOOD_OK;
}

static void enter(mm_chat *chat) {
    pthread_mutex_lock(&chat->lock);
    while (chat->options.at_once > 0 && chat->asking >= chat->options.at_once)
        pthread_cond_wait(&chat->left, &chat->lock);
    chat->asking++;
    pthread_mutex_unlock(&chat->lock);
}

static void leave(mm_chat *chat) {
    pthread_mutex_lock(&chat->lock);
    chat->asking--;
    pthread_cond_signal(&chat->left);
    pthread_mutex_unlock(&chat->lock);
}

/* What is sent is made before the turn comes, so that no turn is spent on it. The turn ends when
 * the reply is kept: whoever is stopped loses no more replies than there are turns. */
static mmood_status ask_and_store(mm_chat_reply *out, exchange *x, const json_t *record,
                                  mmood_error *error) {
    mm_http_reply reply = {0};
    char *body;
    mmood_status status = make_body(&body, x, error);
    if (status != MMOOD_OK)
        return status;
    enter(x->chat);
    x->deadline = mm_http_deadline(x->chat->http);
    status = ask(&reply, x, body, error);
    if (status == MMOOD_OK)
        status = mm_chat_reply_parse(out, reply.body.data, reply.body.size, error);
    if (status == MMOOD_OK && x->chat->options.cache)
        status = store(x, record, &reply, out, error);
    leave(x->chat);
    mm_http_reply_free(&reply);
    return status;
}

mmood_status mm_chat_send(mm_chat_reply *out, mm_chat *chat, mm_talk *talk, const json_t *schema,
                          mmood_error *error) {
    *out = (mm_chat_reply){0};
    if (talk->count == 0 || strcmp(talk->messages[talk->count - 1].role, "user") != 0)
        return mm_error_set(error, MMOOD_ERROR_ARGUMENT,
                            "the conversation's last message is not the user's: there is nothing "
                            "to answer");
    exchange x = {.chat = chat,
                  .talk = talk,
                  .schema = schema,
                  .without = atomic_load(&chat->learnt),
                  .side = mm_talk_side(talk)};
    json_t *record;
    mmood_status status = make_record(&record, &x, error);
    if (status == MMOOD_OK && chat->options.cache)
        status = look_up(out, chat, record, error);
    if (status == MMOOD_OK && !out->text)
        status = ask_and_store(out, &x, record, error);
    if (status == MMOOD_OK)
        status = mm_exchanges_key(out->key, record, error);
    if (status == MMOOD_OK)
        status = mm_talk_assistant(talk, out->text, error);
    json_decref(record);
    if (status != MMOOD_OK)
        mm_chat_reply_free(out);
    return mm_http_hide(chat->http, status, error);
}
