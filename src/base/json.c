/* json.c - jansson with our limits and error messages. */
#include "base/json.h"

#include "base/error.h"
#include "base/file.h"

#include <stdlib.h>
#include <string.h>

mmood_status mm_json_parse(json_t **out, const void *data, size_t size, mmood_error *error) {
    *out = NULL;
    const char *text = data;
    if (size >= 3 && memcmp(text, "\xEF\xBB\xBF", 3) == 0) {
        text += 3;
        size -= 3;
    }
    if (size == 0)
        return mm_error_set(error, MMOOD_ERROR_FORMAT, "is empty, expected JSON");
    json_error_t problem;
    *out = json_loadb(text, size, JSON_REJECT_DUPLICATES | JSON_DECODE_ANY, &problem);
    if (!*out && json_error_code(&problem) == json_error_out_of_memory)
        return mm_error_set(error, MMOOD_ERROR_MEMORY, "no memory to parse JSON of %zu bytes",
                            size);
    if (!*out)
        return mm_error_set(error, MMOOD_ERROR_FORMAT, "is not valid JSON: line %d, column %d: %s",
                            problem.line, problem.column, problem.text);
    return MMOOD_OK;
}

mmood_status mm_json_load(json_t **out, const char *path, size_t limit, mmood_error *error) {
    *out = NULL;
    uint8_t *data;
    size_t size;
    mmood_status status = mm_file_read(&data, &size, path, limit, error);
    if (!status) {
        status = mm_json_parse(out, data, size, error);
        free(data);
    }
    return status ? mm_error_prefix(error, status, "%s", path) : MMOOD_OK;
}
