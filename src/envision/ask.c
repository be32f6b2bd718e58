/* ask.c - the branches' questions, to endpoints. */
#include "envision/ask.h"

#include "base/error.h"

/* A list of names as an object, since strict schemas allow nothing else at the top. */
static json_t *make_schema(void) {
    return json_pack("{s:s, s:{s:{s:s, s:{s:s}}}, s:[s], s:b}", "type", "object", "properties",
                     "labels", "type", "array", "items", "type", "string", "required", "labels",
                     "additionalProperties", 0);
}

/* Sends the request that shows whether the endpoint takes schemas; the others wait for it, else all
 * of the first ones would be refused. An answer from the cache shows nothing. */
static mmood_status find_out(mm_chat_reply *out, mm_endpoints *endpoints, mm_voice voice,
                             mm_talk *talk, const json_t *schema, mmood_error *error) {
    pthread_mutex_lock(&endpoints->first[voice]);
    int mine = !atomic_load(&endpoints->found_out[voice]);
    mmood_status status = MMOOD_OK;
    if (mine) {
        status = mm_chat_send(out, endpoints->voices[voice], talk, schema, error);
        if (status != MMOOD_OK || !out->cached)
            atomic_store(&endpoints->found_out[voice], 1);
    }
    pthread_mutex_unlock(&endpoints->first[voice]);
    return mine ? status : mm_chat_send(out, endpoints->voices[voice], talk, schema, error);
}

static mmood_status ask(mm_chat_reply *out, void *context, const mm_question *question,
                        mm_talk *talk, mmood_error *error) {
    mm_endpoints *endpoints = context;
    mm_chat *chat = endpoints->voices[question->voice];
    if (!chat) {
        *out = (mm_chat_reply){0};
        return mm_error_set(error, MMOOD_ERROR_ARGUMENT,
                            "there is no language model to ask: give --chat-url");
    }
    json_t *schema = NULL;
    if (question->wanted > 0 && endpoints->schema && !(schema = make_schema())) {
        *out = (mm_chat_reply){0};
        return mm_error_set(error, MMOOD_ERROR_MEMORY, "no memory for a JSON schema");
    }
    mmood_status status = schema && !atomic_load(&endpoints->found_out[question->voice])
                              ? find_out(out, endpoints, question->voice, talk, schema, error)
                              : mm_chat_send(out, chat, talk, schema, error);
    json_decref(schema);
    return status;
}

static mmood_status draw(mm_generated *out, void *context, const char *prompt, long long seed,
                         mmood_error *error) {
    const mm_endpoints *endpoints = context;
    return mm_imagegen_make(out, endpoints->pictures, prompt, seed, error);
}

void mm_asker_connect(mm_asker *asker, mm_endpoints *endpoints) {
    endpoints->open = 1;
    for (int i = 0; i < 2; i++) {
        pthread_mutex_init(&endpoints->first[i], NULL);
        atomic_init(&endpoints->found_out[i], 0);
    }
    asker->context = endpoints;
    asker->ask = ask;
    asker->draw = endpoints->pictures ? draw : NULL;
}

void mm_endpoints_close(mm_endpoints *endpoints) {
    for (int i = 0; i < 2; i++) {
        mm_chat_free(endpoints->voices[i]);
        if (endpoints->open)
            pthread_mutex_destroy(&endpoints->first[i]);
    }
    mm_imagegen_free(endpoints->pictures);
}
