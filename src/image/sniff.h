/* sniff.h - what kind of file some bytes are, by their first ones; names and suffixes lie. */
#ifndef MM_IMAGE_SNIFF_H
#define MM_IMAGE_SNIFF_H

#include <stddef.h>
#include <stdint.h>

typedef enum mm_format_kind {
    MM_FORMAT_OTHER,
    MM_FORMAT_JPEG,
    MM_FORMAT_PNG,
    MM_FORMAT_WEBP,
    MM_FORMAT_GIF
} mm_format_kind;

typedef struct mm_format {
    mm_format_kind kind;
    int is_picture;   /* a picture, if in a format that is not read */
    const char *name; /* with its article: "a TIFF picture" */
} mm_format;

mm_format mm_sniff(const uint8_t *data, size_t size);

#endif
