/* error.c - fills mmood_error; names of status codes; the version. */
#include "base/error.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <utf8proc.h>

const char *mmood_version(void) {
    return MMOOD_VERSION_STRING;
}

const char *mmood_status_name(mmood_status status) {
    switch (status) {
    case MMOOD_OK:
        return "ok";
    case MMOOD_ERROR_ARGUMENT:
        return "argument";
    case MMOOD_ERROR_MEMORY:
        return "memory";
    case MMOOD_ERROR_IO:
        return "io";
    case MMOOD_ERROR_FORMAT:
        return "format";
    case MMOOD_ERROR_UNSUPPORTED:
        return "unsupported";
    case MMOOD_ERROR_LIMIT:
        return "limit";
    case MMOOD_ERROR_MISMATCH:
        return "mismatch";
    case MMOOD_ERROR_NUMERIC:
        return "numeric";
    }
    return "unknown";
}

/* Messages are promised to be one line of UTF-8: what comes from a file may hold control characters
 * or other bytes, and a cut may have split a character. */
static void flatten(char *text) {
    utf8proc_int32_t c;
    while (*text) {
        utf8proc_ssize_t n = utf8proc_iterate((const utf8proc_uint8_t *)text,
                                              (utf8proc_ssize_t)strnlen(text, 4), &c);
        if (n < 1)
            *text = '?';
        else if (c < 0x20 || c == 0x7f)
            *text = ' ';
        else if (c >= 0x80 && c < 0xa0) /* to terminals as good as an escape */
            memset(text, ' ', 2);
        text += n < 1 ? 1 : n;
    }
}

mmood_status mm_error_set(mmood_error *error, mmood_status status, const char *format, ...) {
    if (!error)
        return status;
    va_list args;
    va_start(args, format);
    error->status = status;
    vsnprintf(error->message, sizeof error->message, format, args);
    va_end(args);
    flatten(error->message);
    return status;
}

mmood_status mm_error_prefix(mmood_error *error, mmood_status status, const char *format, ...) {
    if (!error)
        return status;
    char old[sizeof error->message];
    memcpy(old, error->message, sizeof old);
    va_list args;
    va_start(args, format);
    int n = vsnprintf(error->message, sizeof error->message, format, args);
    va_end(args);
    size_t used = n < 0 ? 0 : (size_t)n;
    if (used + 3 < sizeof error->message)
        snprintf(error->message + used, sizeof error->message - used, ": %.*s",
                 (int)(sizeof error->message - used - 3), old);
    error->status = status;
    flatten(error->message);
    return status;
}
