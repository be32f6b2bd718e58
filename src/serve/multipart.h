/* multipart.h - walking the parts of a multipart/form-data body (RFC 7578). */
#ifndef MM_SERVE_MULTIPART_H
#define MM_SERVE_MULTIPART_H

#include "mmood.h"

enum { MM_BOUNDARY_MAX = 70, MM_PART_HEAD_MAX = 16384 };

typedef struct mm_multipart {
    const char *at; /* behind the delimiter that begins the next part */
    const char *end;
    char delimiter[MM_BOUNDARY_MAX + 5]; /* "\r\n--" and the boundary */
    size_t delimiter_size;
    int finished;
} mm_multipart;

typedef struct mm_part {
    char name[128];     /* of the form's field, cut if longer; "" without one */
    char filename[512]; /* the same */
    int has_filename;
    const uint8_t *data; /* into the body */
    size_t size;
} mm_part;

/* Finds the boundary in `content_type` and the first delimiter in the body, which must stay while
 * parts are read. FORMAT if there is none. */
mmood_status mm_multipart_begin(mm_multipart *out, const char *content_type, const void *data,
                                size_t size, mmood_error *error);

/* The next part; `*found` 0 at the end. FORMAT for a body that is cut off or a part without a head.
 */
mmood_status mm_multipart_next(mm_part *out, int *found, mm_multipart *reader, mmood_error *error);

#endif
