/* chat.h - conversations with a language model that sees pictures, behind an OpenAI-style endpoint,
 * with a cache of exchanges in between. */
#ifndef MM_ENVISION_CHAT_H
#define MM_ENVISION_CHAT_H

#include "envision/chat_reply.h"
#include "envision/exchanges.h"
#include "envision/http.h"
#include "envision/picture.h"

typedef struct mm_chat_options {
    const char *url;      /* see mm_url_openai; may be NULL with an offline cache */
    const char *model;    /* NULL: the endpoint's own choice; exchanges are then found by its URL */
    double temperature;   /* 0 for the same answer every time */
    int max_tokens;       /* of a reply; 0: the endpoint's default */
    long long seed;       /* < 0: none is sent */
    size_t picture_bytes; /* of each picture as JPEG */
    mm_http_options http;
    mm_exchanges *cache; /* NULL: none; must outlive the endpoint */
    int at_once;         /* so many requests at a time, others wait; 0: any number */
} mm_chat_options;

/* Temperature 0, 2048 tokens, no seed, 4 MB a picture, mm_http_options_default(), no cache, any
 * number of requests. */
mm_chat_options mm_chat_options_default(void);

/* An endpoint with its settings. It learns what the endpoint does not take (a JSON schema, a
 * temperature) and leaves it out from then on. Any number of threads may use it. */
typedef struct mm_chat mm_chat;

/* The options are copied. ARGUMENT for a URL or settings that cannot be. */
mmood_status mm_chat_create(mm_chat **out, const mm_chat_options *options, mmood_error *error);
void mm_chat_free(mm_chat *chat);

/* A conversation: what was said so far. One thread at a time. */
typedef struct mm_talk mm_talk;

mmood_status mm_talk_create(mm_talk **out, mmood_error *error);
void mm_talk_free(mm_talk *talk);

/* What the model is told beforehand, and what the user says, with pictures that must outlive the
 * conversation. Texts are copied; FORMAT if one is not UTF-8. */
mmood_status mm_talk_system(mm_talk *talk, const char *text, mmood_error *error);
mmood_status mm_talk_user(mm_talk *talk, const char *text, const mm_picture *const *pictures,
                          size_t count, mmood_error *error);

/* Sends the conversation, whose last message is the user's, and adds the reply to it, so that
 * mm_talk_user() and mm_chat_send() go on from there. `schema` (may be NULL) is a JSON schema that
 * the reply is to follow; endpoints that refuse it are asked in the older form that they name, or
 * without, so the reply may be free text. A 413 is answered once by pictures of half the side. The
 * caller frees `*out`. After a failure the conversation is as before. */
mmood_status mm_chat_send(mm_chat_reply *out, mm_chat *chat, mm_talk *talk, const json_t *schema,
                          mmood_error *error);

#endif
