/* talk.c - a conversation, for the cache and for the endpoint. */
#include "envision/talk.h"

#include "base/error.h"
#include "base/text.h"

#include <stdlib.h>
#include <string.h>

static mmood_status no_memory(mmood_error *error) {
    return mm_error_set(error, MMOOD_ERROR_MEMORY, "no memory for a conversation");
}

mmood_status mm_talk_create(mm_talk **out, mmood_error *error) {
    *out = calloc(1, sizeof **out);
    return *out ? MMOOD_OK : no_memory(error);
}

void mm_talk_free(mm_talk *talk) {
    if (!talk)
        return;
    for (size_t i = 0; i < talk->count; i++) {
        free(talk->messages[i].text);
        free(talk->messages[i].pictures);
    }
    free(talk->messages);
    free(talk);
}

static mmood_status say(mm_talk *talk, const char *role, const char *text,
                        const mm_picture *const *pictures, size_t count, mmood_error *error) {
    json_t *valid = json_string(text);
    if (!valid)
        return mm_error_set(error, MMOOD_ERROR_FORMAT,
                            "the %s's message is not UTF-8: save the prompt as UTF-8", role);
    json_decref(valid);
    if (talk->count == talk->capacity) {
        size_t capacity = talk->capacity ? talk->capacity * 2 : 8;
        talk_message *more = realloc(talk->messages, capacity * sizeof *more);
        if (!more)
            return no_memory(error);
        talk->messages = more;
        talk->capacity = capacity;
    }
    talk_message message = {role, strdup(text), NULL, count};
    if (count > 0)
        message.pictures = malloc(count * sizeof(const mm_picture *));
    if (!message.text || (count > 0 && !message.pictures)) {
        free(message.text);
        free(message.pictures);
        return no_memory(error);
    }
    for (size_t i = 0; i < count; i++)
        message.pictures[i] = pictures[i];
    talk->messages[talk->count++] = message;
    return MMOOD_OK;
}

mmood_status mm_talk_system(mm_talk *talk, const char *text, mmood_error *error) {
    return say(talk, "system", text, NULL, 0, error);
}

mmood_status mm_talk_user(mm_talk *talk, const char *text, const mm_picture *const *pictures,
                          size_t count, mmood_error *error) {
    return say(talk, "user", text, pictures, count, error);
}

mmood_status mm_talk_assistant(mm_talk *talk, const char *text, mmood_error *error) {
    return say(talk, "assistant", text, NULL, 0, error);
}

int mm_talk_side(const mm_talk *talk) {
    int side = 0;
    for (size_t i = 0; i < talk->count; i++)
        for (size_t k = 0; k < talk->messages[i].count; k++)
            if (mm_picture_side(talk->messages[i].pictures[k]) > side)
                side = mm_picture_side(talk->messages[i].pictures[k]);
    return side;
}

mmood_status mm_talk_record(json_t **out, const mm_talk *talk, mmood_error *error) {
    json_t *list = json_array();
    int failed = !list;
    for (size_t i = 0; i < talk->count && !failed; i++) {
        const talk_message *m = &talk->messages[i];
        json_t *entry = json_pack("{s:s, s:s}", "role", m->role, "text", m->text);
        json_t *pictures = m->count > 0 ? json_array() : NULL;
        for (size_t k = 0; k < m->count; k++)
            failed |= json_array_append_new(
                pictures, json_pack("{s:s, s:i}", "sha256", mm_picture_hash(m->pictures[k]), "side",
                                    mm_picture_side(m->pictures[k])));
        if (m->count > 0)
            failed |= json_object_set_new(entry, "pictures", pictures);
        failed |= json_array_append_new(list, entry);
    }
    if (failed) {
        json_decref(list);
        list = NULL;
    }
    *out = list;
    return list ? MMOOD_OK : no_memory(error);
}

static mmood_status picture_part(json_t **out, const mm_picture *picture, int side, size_t bytes,
                                 mmood_error *error) {
    mm_buffer jpeg = {0}, url = {0};
    *out = NULL;
    mmood_status status = mm_picture_jpeg(&jpeg, picture, side, bytes, error);
    if (status == MMOOD_OK) {
        mm_buffer_puts(&url, "data:image/jpeg;base64,");
        mm_base64(&url, jpeg.data, jpeg.size);
        if (!url.failed)
            *out = json_pack("{s:s, s:{s:s}}", "type", "image_url", "image_url", "url", url.data);
        if (!*out)
            status = no_memory(error);
    }
    mm_buffer_free(&jpeg);
    mm_buffer_free(&url);
    return status;
}

/* Plain text stays a string: some servers know no parts. Pictures come before the text, which the
 * models that care want. */
static mmood_status content_of(json_t **out, const talk_message *m, int side, size_t bytes,
                               mmood_error *error) {
    *out = m->count > 0 ? json_array() : json_string(m->text);
    mmood_status status = *out ? MMOOD_OK : no_memory(error);
    for (size_t k = 0; k < m->count && status == MMOOD_OK; k++) {
        json_t *part;
        status = picture_part(&part, m->pictures[k], side, bytes, error);
        if (status == MMOOD_OK && json_array_append_new(*out, part) != 0)
            status = no_memory(error);
    }
    if (status == MMOOD_OK && m->count > 0 &&
        json_array_append_new(*out, json_pack("{s:s, s:s}", "type", "text", "text", m->text)) != 0)
        status = no_memory(error);
    if (status != MMOOD_OK) {
        json_decref(*out);
        *out = NULL;
    }
    return status;
}

mmood_status mm_talk_messages(json_t **out, const mm_talk *talk, int side, size_t bytes,
                              mmood_error *error) {
    json_t *list = json_array();
    mmood_status status = list ? MMOOD_OK : no_memory(error);
    for (size_t i = 0; i < talk->count && status == MMOOD_OK; i++) {
        const talk_message *m = &talk->messages[i];
        json_t *content;
        status = content_of(&content, m, side, bytes, error);
        if (status == MMOOD_OK &&
            json_array_append_new(
                list, json_pack("{s:s, s:o}", "role", m->role, "content", content)) != 0)
            status = no_memory(error);
    }
    if (status != MMOOD_OK) {
        json_decref(list);
        list = NULL;
    }
    *out = list;
    return status;
}
