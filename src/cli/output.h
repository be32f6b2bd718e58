/* output.h - what the commands print: a buffer of text, to standard output. */
#ifndef MM_CLI_OUTPUT_H
#define MM_CLI_OUTPUT_H

#include "base/text.h"

/* Writes a buffer to standard output and empties it. */
void output_flush(mm_buffer *out);

/* The width of the terminal that standard output is; 0 if it is none or does not say. */
size_t output_columns(void);

/* 1 if the locale of the environment is a UTF-8 one. */
int output_is_utf8(void);

#endif
