/* body.h - what a client asks for: the body of a request to judge pictures, as a raw picture,
 * multipart/form-data or JSON. */
#ifndef MM_SERVE_BODY_H
#define MM_SERVE_BODY_H

#include "mmood.h"

typedef struct mm_body_limits {
    size_t items;     /* pictures and embeddings of a request */
    size_t dimension; /* of an embedding */
} mm_body_limits;

enum { MM_TOP_MAX = 1000 };

/* One picture or embedding. */
typedef struct mm_input {
    char *name; /* as the client gave it, or NULL */
    const uint8_t *data;
    size_t size;
    uint8_t *owned;      /* what `data` points to, unless it is the body */
    float *embedding;    /* [dimension], of unit length, instead of a picture; or NULL */
    char *failure;       /* why this one cannot be judged, or NULL */
    mmood_status status; /* of the failure */
} mm_input;

typedef struct mm_body {
    mm_input *inputs;
    size_t count;
    size_t room;
    size_t top;
    char *scores; /* names with commas, "all", or NULL */
} mm_body;

/* Reads the body, which must stay while `*out` is used. `out->top` and `out->scores` are set before
 * (from the query) and replaced where the body has them. ARGUMENT or FORMAT for what is not
 * understood at all, LIMIT for too many inputs; one that is bad has its failure set. mm_body_free
 * also after a failure. */
mmood_status mm_body_read(mm_body *out, const char *content_type, const void *data, size_t size,
                          const mm_body_limits *limits, mmood_error *error);
void mm_body_free(mm_body *body);

/* Reads "top", or "scores", as a query or a form has it: `value` is not longer than 1,000 bytes. */
mmood_status mm_body_option(mm_body *out, const char *name, const char *value, mmood_error *error);

/* 1 if the media type of `content_type` is `type`, whatever its case and parameters. */
int mm_media_is(const char *content_type, const char *type);

#endif
