/* json.h - parsing JSON that others wrote: jansson with our limits and our error messages. */
#ifndef MM_BASE_JSON_H
#define MM_BASE_JSON_H

#include "mmood.h"

#include <jansson.h>

/* Parses one JSON value; the caller json_decref()s `*out`. UTF-8 is checked, duplicate keys and
 * trailing data are refused, nesting is limited (jansson's 2,048). A UTF-8 byte-order mark before
 * the value is skipped. Messages give line and column. */
mmood_status mm_json_parse(json_t **out, const void *data, size_t size, mmood_error *error);

/* The same from a file of at most `limit` bytes. Messages begin with `path`. */
mmood_status mm_json_load(json_t **out, const char *path, size_t limit, mmood_error *error);

#endif
