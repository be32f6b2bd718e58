/* error.h - filling a caller's mmood_error.
 * Internal functions follow the public convention: result first, status returned, error last. */
#ifndef MM_BASE_ERROR_H
#define MM_BASE_ERROR_H

#include "mmood.h"

/* Writes status and a formatted one-line message to `error` (may be NULL) and returns `status`. */
mmood_status mm_error_set(mmood_error *error, mmood_status status, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* Puts "prefix: " before the message already in `error` and returns its status: for adding the name
 * of the thing on the way up. Does nothing to a NULL error. */
mmood_status mm_error_prefix(mmood_error *error, mmood_status status, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

#endif
