/* ask.h - whom the branches ask: an interface, so that tests and dry runs can answer, and the
 * endpoints behind it. */
#ifndef MM_ENVISION_ASK_H
#define MM_ENVISION_ASK_H

#include "envision/chat.h"
#include "envision/imagegen.h"
#include "envision/prompts.h"

#include <pthread.h>
#include <stdatomic.h>

typedef enum mm_voice {
    MM_VOICE_SEES = 0, /* the multimodal model */
    MM_VOICE_TEXT      /* the language model that makes categories, drafts and representatives */
} mm_voice;

/* What the last message of a conversation is. */
typedef struct mm_question {
    mm_voice voice;
    mm_prompt prompt;
    size_t wanted; /* how many names are asked for; 0: the answer is free text */
} mm_question;

typedef struct mm_asker {
    void *context;
    /* Answers the last message of a conversation and adds the answer to it. Called by several
     * threads. */
    mmood_status (*ask)(mm_chat_reply *out, void *context, const mm_question *question,
                        mm_talk *talk, mmood_error *error);
    /* Makes a picture. Called by several threads. NULL: there is no generator. */
    mmood_status (*draw)(mm_generated *out, void *context, const char *prompt, long long seed,
                         mmood_error *error);
    /* Told how far a step is; may be NULL. One call at a time. */
    void (*progress)(void *context, const char *step, size_t done, size_t count);
    const char *models[2]; /* names by voice; NULL: the endpoint's own choice */
    int jobs;              /* conversations at a time */
    int ahead;             /* others that are prepared while these wait; `ask` has them wait */
    int draw_jobs;         /* pictures at a time */
} mm_asker;

/* Endpoints with their settings; any may be NULL. `schema` 1: names are asked for by a JSON schema,
 * where the endpoint takes one, which the first request finds out alone. Set these three. */
typedef struct mm_endpoints {
    mm_chat *voices[2];
    mm_imagegen *pictures;
    int schema;

    int open;
    pthread_mutex_t first[2]; /* held by the request that finds out */
    atomic_int found_out[2];
} mm_endpoints;

/* Fills in context, ask and draw. `endpoints` must outlive the asker. */
void mm_asker_connect(mm_asker *asker, mm_endpoints *endpoints);

/* Frees the endpoints, connected or not. */
void mm_endpoints_close(mm_endpoints *endpoints);

#endif
