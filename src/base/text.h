/* text.h - writing values as JSON, as CSV and for a terminal. */
#ifndef MM_BASE_TEXT_H
#define MM_BASE_TEXT_H

#include "base/buffer.h"

#include <stddef.h>

/* A JSON string; NULL gives null. Bytes that are not UTF-8 become U+FFFD. */
void mm_json_text(mm_buffer *out, const char *text);

/* "path": and a JSON string; if the path is not UTF-8, also "path_bytes": its bytes in base64. */
void mm_json_path(mm_buffer *out, const char *path);

/* A number with 9 significant digits, with 17, or null if it is NaN or infinite. */
void mm_json_number(mm_buffer *out, double value);
void mm_json_exact(mm_buffer *out, double value);

/* A CSV field, quoted where RFC 4180 asks for it; NULL gives an empty one. */
void mm_csv_text(mm_buffer *out, const char *text);
void mm_csv_number(mm_buffer *out, double value);

/* Base64 with padding (RFC 4648). */
void mm_base64(mm_buffer *out, const void *data, size_t size);

/* Text for a terminal: at most `width` characters, control characters and broken UTF-8 replaced,
 * filled up with spaces. */
void mm_table_text(mm_buffer *out, const char *text, size_t width);

/* The columns that it takes there, and the bytes of its beginning that take at least `columns`. */
size_t mm_table_width(const char *text);
size_t mm_table_skip(const char *text, size_t columns);

#endif
