/* picture.h - pictures on their way to a language model: upright, not too large, not too small,
 * as JPEG, which every endpoint can read. */
#ifndef MM_ENVISION_PICTURE_H
#define MM_ENVISION_PICTURE_H

#include "base/buffer.h"

#include "mmood.h"

/* An upright picture no larger than asked for, and the hash of the file that it came from. */
typedef struct mm_picture mm_picture;

enum {
    MM_PICTURE_SIDE = 1024, /* pixels of the long side that are enough for today's models */
    MM_PICTURE_LEAST = 32,  /* pixels a side below which some models fail */
    MM_PICTURE_BYTES = 4 << 20
};

/* Decodes JPEG, PNG, WebP or GIF, turned upright by EXIF, and scales it down so that its long side
 * is at most `side` (32 to 16384). Errors are those of mmood_image_decode. */
mmood_status mm_picture_decode(mm_picture **out, const void *data, size_t size, int side,
                               mmood_error *error);

/* The same from a file; messages begin with the path. */
mmood_status mm_picture_load(mm_picture **out, const char *path, int side, mmood_error *error);
void mm_picture_free(mm_picture *picture);

/* SHA-256 of the file's bytes in hex, and the cap it was made with. */
const char *mm_picture_hash(const mm_picture *picture);
int mm_picture_side(const mm_picture *picture);

/* Appends it as a JPEG of at most `bytes`, its long side at most `side`: quality falls first, then
 * the size. Sides under 32 pixels are filled up by repeating the border. LIMIT if it cannot be made
 * that small. The picture keeps what it made last for the next call: one thread at a time. */
mmood_status mm_picture_jpeg(mm_buffer *out, const mm_picture *picture, int side, size_t bytes,
                             mmood_error *error);

#endif
