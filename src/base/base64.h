/* base64.h - reading base64 as others send it. */
#ifndef MM_BASE_BASE64_H
#define MM_BASE_BASE64_H

#include "base/buffer.h"

#include "mmood.h"

/* Appends the bytes that `text` stands for: standard or URL-safe digits, with or without padding,
 * line breaks and a "data:...;base64," prefix. FORMAT for anything else and for nothing. */
mmood_status mm_base64_read(mm_buffer *out, const char *text, size_t size, mmood_error *error);

#endif
