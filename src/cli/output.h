/* output.h - what the commands print: a buffer of text, to standard output. */
#ifndef MM_CLI_OUTPUT_H
#define MM_CLI_OUTPUT_H

#include "base/text.h"

/* Writes a buffer to standard output and empties it. */
void output_flush(mm_buffer *out);

#endif
