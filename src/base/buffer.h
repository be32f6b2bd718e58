/* buffer.h - a growable byte buffer, for building text and files. */
#ifndef MM_BASE_BUFFER_H
#define MM_BASE_BUFFER_H

#include <stddef.h>

/* Zero-initialise to start. `data` is always followed by a NUL that `size` does not count, or NULL
 * while empty. After a failed allocation `failed` is 1 and further appends do nothing, so a caller
 * checks once at the end. */
typedef struct mm_buffer {
    char *data;
    size_t size;
    size_t capacity;
    int failed;
} mm_buffer;

/* Bytes somewhere else. */
typedef struct mm_bytes {
    const void *data;
    size_t size;
} mm_bytes;

void mm_buffer_append(mm_buffer *buffer, const void *data, size_t size);
void mm_buffer_puts(mm_buffer *buffer, const char *text);
void mm_buffer_printf(mm_buffer *buffer, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
void mm_buffer_free(mm_buffer *buffer);

#endif
