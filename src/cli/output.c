/* output.c - writing to standard output. */
#include "cli/output.h"

#include <stdio.h>

void output_flush(mm_buffer *out) {
    if (out->size)
        fwrite(out->data, 1, out->size, stdout);
    out->size = 0;
}
