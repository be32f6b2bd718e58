/* entities.h - HTML entities in labels that came from web pages or language models. */
#ifndef MM_BASE_ENTITIES_H
#define MM_BASE_ENTITIES_H

#include "base/buffer.h"

/* Appends `text` with &amp; &lt; &gt; &quot; &apos; &nbsp; and numeric entities replaced; 1 if any
 * was. */
int mm_unescape_html(mm_buffer *out, const char *text, size_t size);

#endif
