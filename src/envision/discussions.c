/* discussions.c - a hub's list of discussions, page by page, for the conversion to safetensors. */
#include "envision/discussions.h"

#include "base/error.h"
#include "base/json.h"

#include <string.h>

enum { MAX_PAGE = 16 << 20, MAX_NUMBER = 1000000000 };

static int is_text(const json_t *value, const char *expected) {
    const char *text = json_string_value(value);
    return text && strcmp(text, expected) == 0;
}

/* The number of a pull request that is the conversion, else 0. Anyone may use the bot's title, so
 * its author counts. */
static int conversion_number(const json_t *entry) {
    const json_t *number = json_object_get(entry, "num");
    json_int_t n = json_is_integer(number) ? json_integer_value(number) : 0;
    int is_ours =
        json_is_true(json_object_get(entry, "isPullRequest")) &&
        is_text(json_object_get(entry, "status"), "open") &&
        is_text(json_object_get(json_object_get(entry, "author"), "name"), "SFconvertbot") &&
        is_text(json_object_get(entry, "title"), "Adding `safetensors` variant of this model");
    return is_ours && n > 0 && n <= MAX_NUMBER ? (int)n : 0;
}

/* 1 if the page's position in the list and the list's length say that more follow. */
static int more_follow(const json_t *root, size_t here) {
    const json_t *count = json_object_get(root, "count"), *start = json_object_get(root, "start");
    json_int_t before = json_is_integer(start) ? json_integer_value(start) : -1;
    if (here == 0 || !json_is_integer(count) || before < 0)
        return 0;
    return json_integer_value(count) > before &&
           (size_t)(json_integer_value(count) - before) > here;
}

mmood_status mm_discussions_parse(mm_discussions *out, const void *data, size_t size,
                                  mmood_error *error) {
    json_t *root, *entry;
    size_t i;
    *out = (mm_discussions){.is_last = 1};
    if (size > MAX_PAGE)
        return mm_error_set(error, MMOOD_ERROR_LIMIT,
                            "the hub's list of discussions has %zu bytes, expected at most %d",
                            size, (int)MAX_PAGE);
    mmood_status status = mm_json_parse(&root, data, size, error);
    if (status != MMOOD_OK)
        return mm_error_prefix(error, status, "the hub's list of discussions");
    const json_t *list = json_object_get(root, "discussions");
    if (!json_is_array(list))
        status = mm_error_set(error, MMOOD_ERROR_FORMAT,
                              "the hub's list of discussions has no array \"discussions\"");
    json_array_foreach(list, i, entry) {
        out->conversion = conversion_number(entry);
        if (out->conversion)
            break;
    }
    out->is_last = !more_follow(root, json_array_size(list));
    json_decref(root);
    return status;
}
