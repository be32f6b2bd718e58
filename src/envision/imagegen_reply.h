/* imagegen_reply.h - the picture in the body of an image endpoint's reply. */
#ifndef MM_ENVISION_IMAGEGEN_REPLY_H
#define MM_ENVISION_IMAGEGEN_REPLY_H

#include "base/buffer.h"

#include "mmood.h"

#include <jansson.h>

/* Reads a body with code 200: the bytes of its first picture to `picture`, or the link to it to
 * `*link`, else NULL. `*rest` is the reply without its pictures, for the record. The caller frees
 * all three. FORMAT when it is not what it should be, IO when it tells an error. */
mmood_status mm_imagegen_reply_parse(mm_buffer *picture, char **link, json_t **rest,
                                     const void *data, size_t size, mmood_error *error);

/* What kind of file a picture is and how large, and whether it is blank: all of one colour, but for
 * what compression adds. FORMAT or UNSUPPORTED if it cannot be decoded. */
typedef struct mm_picture_facts {
    const char *type; /* "png", "jpg", "webp", "gif" */
    size_t width;
    size_t height;
    int blank;
} mm_picture_facts;

mmood_status mm_picture_examine(mm_picture_facts *out, const void *data, size_t size,
                                mmood_error *error);

#endif
