/* normalize.h - what CLIP's tokenizer does to a text before it looks for words. Two texts that are
 * equal after it have the same tokens. */
#ifndef MM_CLIP_NORMALIZE_H
#define MM_CLIP_NORMALIZE_H

#include "base/buffer.h"
#include "mmood.h"

#include <utf8proc.h>

/* White_Space of the Unicode character database. */
int mm_is_space(utf8proc_int32_t c);

/* Appends valid UTF-8 composed (NFC), with one space for a run of white space, in lower case. */
mmood_status mm_normalize(mm_buffer *out, const char *text, size_t size, mmood_error *error);

#endif
