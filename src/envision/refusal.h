/* refusal.h - what an endpoint's error is about, by its words: endpoints agree on no codes. Pure
 * functions of an error reply's body. */
#ifndef MM_ENVISION_REFUSAL_H
#define MM_ENVISION_REFUSAL_H

#include <stddef.h>

/* The prompt is too long for the model. Such messages list parameters, so ask this first. */
int mm_refusal_is_length(const void *body, size_t size);

/* The model, or the server as it was started, takes no pictures. */
int mm_refusal_is_picture(const void *body, size_t size);

/* The server cannot answer by a JSON schema. */
int mm_refusal_is_schema(const void *body, size_t size);

/* The same, but it can by a schema within {"type": "json_object"}. */
int mm_refusal_wants_object(const void *body, size_t size);

/* The request's member `name` is unknown or not allowed with this value. */
int mm_refusal_is_parameter(const void *body, size_t size, const char *name);

#endif
