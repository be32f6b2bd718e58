/* reply.h - one reply of a chat model, as the labels it names. Each reply is parsed by itself. */
#ifndef MM_ENVISION_REPLY_H
#define MM_ENVISION_REPLY_H

#include "mmood.h"

enum {
    MM_REPLY_MAX_SIZE = 1 << 20, /* bytes of a reply */
    MM_REPLY_MAX_ITEMS = 10000,  /* labels and dropped items; the rest is left out with a note */
    MM_REPLY_MAX_DEPTH = 32,     /* of JSON */
    MM_LABEL_MAX_WORDS = 6,
    MM_LABEL_MAX_CHARACTERS = 60
};

typedef struct mm_reply_dropped {
    char *text;         /* as the model wrote it; its first 160 bytes if it is longer */
    const char *reason; /* static */
} mm_reply_dropped;

/* Everything is valid UTF-8. Labels are composed (NFC), as the model wrote them otherwise: letter
 * case and duplicates are the filter's work. */
typedef struct mm_reply {
    char **labels;
    size_t count;
    mm_reply_dropped *dropped;
    size_t dropped_count;
    char **notes; /* what the reader of a log should know, such as that the reply was cut */
    size_t note_count;
    size_t room[3];
    int failed; /* memory ran out */
} mm_reply;

/* Reads lists of any style: bullets, numbers, commas, tables, JSON. `truncated` says that the model
 * stopped at its token limit: a last item that may be half is dropped. FORMAT for a refusal and for
 * a reply without a label, both with its beginning; LIMIT over 1 MB. `out` need not be initialised
 * and is to be freed after success. */
mmood_status mm_reply_parse(mm_reply *out, const char *text, size_t size, int truncated,
                            mmood_error *error);

void mm_reply_free(mm_reply *reply);

#endif
