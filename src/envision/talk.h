/* talk.h - a conversation inside the library, and its two forms in JSON. */
#ifndef MM_ENVISION_TALK_H
#define MM_ENVISION_TALK_H

#include "envision/chat.h"

typedef struct talk_message {
    const char *role;
    char *text;
    const mm_picture **pictures;
    size_t count;
} talk_message;

struct mm_talk {
    talk_message *messages;
    size_t count;
    size_t capacity;
};

mmood_status mm_talk_assistant(mm_talk *talk, const char *text, mmood_error *error);

/* The largest cap of its pictures in pixels, 0 if there are none. */
int mm_talk_side(const mm_talk *talk);

/* As the cache has it: pictures by hash and cap. */
mmood_status mm_talk_record(json_t **out, const mm_talk *talk, mmood_error *error);

/* As the endpoint gets it: pictures as data URLs, at most `side` pixels and `bytes` bytes each. */
mmood_status mm_talk_messages(json_t **out, const mm_talk *talk, int side, size_t bytes,
                              mmood_error *error);

#endif
