/* chat_reply.h - the answer in the body of an OpenAI-style chat completion, whole or as a stream of
 * events. */
#ifndef MM_ENVISION_CHAT_REPLY_H
#define MM_ENVISION_CHAT_REPLY_H

#include "mmood.h"

/* Zero-initialise, or have it filled. */
typedef struct mm_chat_reply {
    char *text;    /* what the model wrote, without its reasoning; not empty */
    size_t size;   /* bytes of it; a NUL follows */
    int truncated; /* 1: cut by the limit of tokens, so that its last item may be half */
    int cached;    /* 1: it was not asked for, but found in the cache */
    char key[65];  /* the exchange's name in the cache; "" if it was not asked by mm_chat_send */
} mm_chat_reply;

/* Reads a body with code 200. FORMAT when it is not what it should be, IO when it tells an error of
 * the endpoint, LIMIT when the model was cut before it said anything, UNSUPPORTED when the model
 * refused. The caller frees the reply. */
mmood_status mm_chat_reply_parse(mm_chat_reply *out, const void *data, size_t size,
                                 mmood_error *error);
void mm_chat_reply_free(mm_chat_reply *reply);

#endif
