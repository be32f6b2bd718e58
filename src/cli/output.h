/* output.h - writing values as JSON and CSV. */
#ifndef MM_CLI_OUTPUT_H
#define MM_CLI_OUTPUT_H

#include "base/buffer.h"

#include <stddef.h>

/* A JSON string; NULL gives null. Bytes that are not UTF-8 become U+FFFD. */
void json_text(mm_buffer *out, const char *text);

/* "path": and a JSON string; if the path is not UTF-8, also "path_bytes": its bytes in base64. */
void json_path(mm_buffer *out, const char *path);

/* A number with 9 significant digits, with 17, or null if it is NaN. */
void json_number(mm_buffer *out, double value);
void json_exact(mm_buffer *out, double value);

/* A CSV field, quoted where RFC 4180 asks for it; NULL gives an empty one. */
void csv_text(mm_buffer *out, const char *text);
void csv_number(mm_buffer *out, double value);

/* Writes a buffer to standard output and empties it. */
void output_flush(mm_buffer *out);

/* Text for a terminal: at most `width` characters, control characters and broken UTF-8 replaced,
 * filled up with spaces. */
void table_text(mm_buffer *out, const char *text, size_t width);

#endif
