/* refusal.c - what an endpoint's error is about, by its words. */
#include "envision/refusal.h"

#include <string.h>
#include <strings.h>

/* Errors are short; what comes after is a page or a trace. */
enum { READ_AT_MOST = 16384 };

/* Some servers repeat the whole request after what is wrong with it. */
static size_t without_echo(const char *text, size_t size) {
    static const char echo[] = "\"input\":";
    size = size < READ_AT_MOST ? size : READ_AT_MOST;
    for (size_t i = 0; i + sizeof echo - 1 <= size; i++)
        if (memcmp(text + i, echo, sizeof echo - 1) == 0)
            return i;
    return size;
}

static int has(const void *body, size_t size, const char *word) {
    const char *text = body;
    size_t length = strlen(word);
    size = without_echo(text, size);
    for (size_t i = 0; i + length <= size; i++)
        if (strncasecmp(text + i, word, length) == 0)
            return 1;
    return 0;
}

static int has_any(const void *body, size_t size, const char *const *words) {
    for (; *words; words++)
        if (has(body, size, *words))
            return 1;
    return 0;
}

int mm_refusal_is_length(const void *body, size_t size) {
    static const char *const words[] = {"context length",     "context_length",  "context size",
                                        "context window",     "maximum context", "too many tokens",
                                        "prompt is too long", "max_model_len",   NULL};
    return has_any(body, size, words);
}

int mm_refusal_is_picture(const void *body, size_t size) {
    static const char *const words[] = {"unsupported content",
                                        "image input",
                                        "images are not supported",
                                        "mmproj",
                                        "multimodal model",
                                        "support image",
                                        "does not support vision",
                                        "at most 0 image",
                                        "invalid content type",
                                        "image_url is only supported",
                                        "unknown variant `image_url`",
                                        NULL};
    return has_any(body, size, words);
}

int mm_refusal_is_schema(const void *body, size_t size) {
    static const char *const words[] = {
        "response_format",   "json_schema",     "json schema", "grammar",
        "structured output", "guided decoding", "guided_json", NULL};
    return !mm_refusal_is_length(body, size) && has_any(body, size, words);
}

int mm_refusal_wants_object(const void *body, size_t size) {
    return mm_refusal_is_schema(body, size) && has(body, size, "json_object");
}

int mm_refusal_is_parameter(const void *body, size_t size, const char *name) {
    static const char *const words[] = {
        "unknown",    "unsupported", "unrecognized",  "unrecognised",
        "unexpected", "not support", "not permitted", "not allowed",
        "extra",      "invalid",     "must be",       "only",
        NULL};
    return !mm_refusal_is_length(body, size) && has(body, size, name) && has_any(body, size, words);
}
