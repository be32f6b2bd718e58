/* buffer.c - a growable byte buffer. */
#include "base/buffer.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int reserve(mm_buffer *buffer, size_t more) {
    if (buffer->failed)
        return 0;
    if (more > SIZE_MAX / 2 - buffer->size - 1) {
        buffer->failed = 1;
        return 0;
    }
    size_t need = buffer->size + more + 1;
    if (need <= buffer->capacity)
        return 1;
    size_t capacity = buffer->capacity ? buffer->capacity : 64;
    while (capacity < need)
        capacity *= 2;
    char *data = realloc(buffer->data, capacity);
    if (!data) {
        buffer->failed = 1;
        return 0;
    }
    buffer->data = data;
    buffer->capacity = capacity;
    return 1;
}

void mm_buffer_append(mm_buffer *buffer, const void *data, size_t size) {
    if (!reserve(buffer, size))
        return;
    if (size > 0)
        memcpy(buffer->data + buffer->size, data, size);
    buffer->size += size;
    buffer->data[buffer->size] = 0;
}

void mm_buffer_puts(mm_buffer *buffer, const char *text) {
    mm_buffer_append(buffer, text, strlen(text));
}

void mm_buffer_printf(mm_buffer *buffer, const char *format, ...) {
    va_list args, again;
    va_start(args, format);
    va_copy(again, args);
    int n = vsnprintf(NULL, 0, format, args);
    va_end(args);
    if (n >= 0 && reserve(buffer, (size_t)n)) {
        vsnprintf(buffer->data + buffer->size, (size_t)n + 1, format, again);
        buffer->size += (size_t)n;
    }
    va_end(again);
}

void mm_buffer_free(mm_buffer *buffer) {
    free(buffer->data);
    *buffer = (mm_buffer){0};
}
