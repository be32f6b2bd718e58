/* imagegen_reply.c - the picture in an image endpoint's reply. */
#include "envision/imagegen_reply.h"

#include "base/base64.h"
#include "base/error.h"
#include "base/json.h"
#include "envision/http.h"
#include "image/sniff.h"

#include <stdlib.h>
#include <string.h>

/* Between the darkest and the lightest value of a channel in a blank picture. */
enum { BLANK_RANGE = 8 };

/* The string that holds the first picture; *is_link when it may be a URL. */
static const json_t *find_picture(int *is_link, const json_t *root) {
    *is_link = 0;
    const json_t *image = json_array_get(json_object_get(root, "images"), 0);
    if (json_is_string(image))
        return image;
    const json_t *entry = json_array_get(json_object_get(root, "data"), 0);
    const json_t *text = json_object_get(entry, "b64_json");
    if (json_is_string(text))
        return text;
    text = json_object_get(entry, "url");
    *is_link = json_is_string(text) && strncmp(json_string_value(text), "data:", 5) != 0;
    return json_is_string(text) ? text : NULL;
}

static int tells_error(const json_t *root) {
    const json_t *value = json_object_get(root, "error");
    return value && !json_is_null(value) && !json_is_false(value) &&
           !(json_is_string(value) && json_string_length(value) == 0);
}

static mmood_status take(mm_buffer *picture, char **link, const json_t *root, const void *data,
                         size_t size, mmood_error *error) {
    int is_link;
    const json_t *found = find_picture(&is_link, root);
    char said[301];
    if (!found && tells_error(root)) {
        mm_http_complaint(said, data, size);
        return mm_error_set(error, MMOOD_ERROR_IO,
                            "the endpoint answered with an error instead of a picture: %s",
                            *said ? said : "it does not say which");
    }
    if (!found)
        return mm_error_set(error, MMOOD_ERROR_FORMAT,
                            "the endpoint's reply holds no picture; expected \"images\" or "
                            "\"data\" with one in base64 or its URL");
    if (is_link) {
        *link = strdup(json_string_value(found));
        return *link ? MMOOD_OK : mm_error_set(error, MMOOD_ERROR_MEMORY, "no memory for a URL");
    }
    return mm_base64_read(picture, json_string_value(found), json_string_length(found), error);
}

mmood_status mm_imagegen_reply_parse(mm_buffer *picture, char **link, json_t **rest,
                                     const void *data, size_t size, mmood_error *error) {
    json_t *root;
    *picture = (mm_buffer){0};
    *link = NULL;
    *rest = NULL;
    const char *text = data;
    while (size > 0 && strchr(" \t\r\n", *text) && *text) {
        text++;
        size--;
    }
    if (size > 0 && *text == '<') {
        char said[301];
        mm_http_complaint(said, text, size);
        return mm_error_set(error, MMOOD_ERROR_FORMAT,
                            "the endpoint answered with %s, expected JSON; check the URL", said);
    }
    mmood_status status = mm_json_parse(&root, text, size, error);
    if (status != MMOOD_OK)
        return mm_error_prefix(error, status, "the endpoint's reply");
    status = take(picture, link, root, text, size, error);
    if (status == MMOOD_OK) {
        size_t i;
        json_t *entry;
        json_object_del(root, "images");
        json_array_foreach(json_object_get(root, "data"), i, entry) {
            json_object_del(entry, "b64_json");
            json_object_del(entry, "url");
        }
        *rest = root;
        return MMOOD_OK;
    }
    json_decref(root);
    mm_buffer_free(picture);
    return status;
}

static const char *type_name(mm_format_kind kind) {
    switch (kind) {
    case MM_FORMAT_JPEG:
        return "jpg";
    case MM_FORMAT_PNG:
        return "png";
    case MM_FORMAT_WEBP:
        return "webp";
    default:
        return "gif";
    }
}

static int is_blank(const mmood_image *image) {
    const uint8_t *p = mmood_image_pixels(image);
    size_t count = mmood_image_width(image) * mmood_image_height(image);
    uint8_t low[3] = {255, 255, 255}, high[3] = {0, 0, 0};
    for (size_t i = 0; i < count; i++)
        for (int c = 0; c < 3; c++) {
            uint8_t v = p[3 * i + (size_t)c];
            low[c] = v < low[c] ? v : low[c];
            high[c] = v > high[c] ? v : high[c];
        }
    return high[0] - low[0] <= BLANK_RANGE && high[1] - low[1] <= BLANK_RANGE &&
           high[2] - low[2] <= BLANK_RANGE;
}

mmood_status mm_picture_examine(mm_picture_facts *out, const void *data, size_t size,
                                mmood_error *error) {
    mmood_image *image;
    mmood_status status = mmood_image_decode(&image, data, size, NULL, error);
    if (status != MMOOD_OK)
        return mm_error_prefix(error, status, "the generated picture");
    *out = (mm_picture_facts){type_name(mm_sniff(data, size).kind), mmood_image_width(image),
                              mmood_image_height(image), is_blank(image)};
    mmood_image_free(image);
    return MMOOD_OK;
}
