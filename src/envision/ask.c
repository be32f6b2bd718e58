/* ask.c - the branches' questions, to endpoints. */
#include "envision/ask.h"

#include "base/error.h"

/* A list of names as an object, since strict schemas allow nothing else at the top. */
static json_t *make_schema(void) {
    return json_pack("{s:s, s:{s:{s:s, s:{s:s}}}, s:[s], s:b}", "type", "object", "properties",
                     "labels", "type", "array", "items", "type", "string", "required", "labels",
                     "additionalProperties", 0);
}

static mmood_status ask(mm_chat_reply *out, void *context, const mm_question *question,
                        mm_talk *talk, mmood_error *error) {
    const mm_endpoints *endpoints = context;
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
    mmood_status status = mm_chat_send(out, chat, talk, schema, error);
    json_decref(schema);
    return status;
}

static mmood_status draw(mm_generated *out, void *context, const char *prompt, long long seed,
                         mmood_error *error) {
    const mm_endpoints *endpoints = context;
    return mm_imagegen_make(out, endpoints->pictures, prompt, seed, error);
}

void mm_asker_connect(mm_asker *asker, mm_endpoints *endpoints) {
    asker->context = endpoints;
    asker->ask = ask;
    asker->draw = endpoints->pictures ? draw : NULL;
}
