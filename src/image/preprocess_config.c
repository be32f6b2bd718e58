/* preprocess_config.c - reading preprocessor_config.json, or the same inside processor_config.json,
 * with the defaults of transformers' CLIPImageProcessor; and preprocess_cfg of open_clip. */
#include "image/preprocess_config.h"

#include "base/error.h"
#include "base/file.h"
#include "base/json.h"

#include <stdlib.h>
#include <string.h>

enum { MAX_CONFIG = 1 << 20, MAX_SIDE = 1 << 14 };

static mmood_preprocess defaults(int size) {
    mmood_preprocess p = {
        .resize = 1,
        .shortest_edge = size,
        .filter = MMOOD_FILTER_BICUBIC,
        .center_crop = 1,
        .crop_width = size,
        .crop_height = size,
        .rescale_factor = 1.0f / 255.0f,
        .mean = {0.48145466f, 0.4578275f, 0.40821073f},
        .std = {0.26862954f, 0.26130258f, 0.27577711f},
    };
    return p;
}

/* A value as it stands in the file, cut to a message's measure. */
typedef struct shown {
    char text[64];
} shown;

static shown show(const json_t *value) {
    shown s = {"nothing"};
    char *whole =
        value ? json_dumps(value, JSON_ENCODE_ANY | JSON_COMPACT | JSON_ENSURE_ASCII) : NULL;
    if (!whole)
        return s;
    size_t length = strlen(whole), room = sizeof s.text - 1;
    memcpy(s.text, whole, length < room ? length + 1 : room);
    if (length > room)
        memcpy(s.text + room - 3, "...", 4);
    free(whole);
    return s;
}

static mmood_status read_side(int *out, const json_t *value, const char *key, mmood_error *error) {
    if (!json_is_integer(value) || json_integer_value(value) < 1 ||
        json_integer_value(value) > MAX_SIDE)
        return mm_error_set(error, MMOOD_ERROR_FORMAT,
                            "%s is %s; a whole number from 1 to %d is expected", key,
                            show(value).text, (int)MAX_SIDE);
    *out = (int)json_integer_value(value);
    return MMOOD_OK;
}

static mmood_status read_bool(int *out, const json_t *config, const char *key, mmood_error *error) {
    const json_t *value = json_object_get(config, key);
    *out = 1;
    if (!value || json_is_null(value))
        return MMOOD_OK;
    if (!json_is_boolean(value))
        return mm_error_set(error, MMOOD_ERROR_FORMAT, "%s is %s; true or false is expected", key,
                            show(value).text);
    *out = json_is_true(value);
    return MMOOD_OK;
}

/* {"height": h, "width": w} */
static mmood_status read_height_width(int *width, int *height, const json_t *value, const char *key,
                                      mmood_error *error) {
    mmood_status status = read_side(height, json_object_get(value, "height"), "height", error);
    if (status == MMOOD_OK)
        status = read_side(width, json_object_get(value, "width"), "width", error);
    return status == MMOOD_OK ? status : mm_error_prefix(error, status, "%s", key);
}

/* "size": n, {"shortest_edge": n} or {"height": h, "width": w}; "resize_mode": "shortest" or
 * "squash". */
static mmood_status read_size(mmood_preprocess *p, const json_t *config, mmood_error *error) {
    const json_t *size = json_object_get(config, "size");
    const json_t *mode = json_object_get(config, "resize_mode");
    mmood_status status = MMOOD_OK;
    if (json_is_integer(size))
        status = read_side(&p->shortest_edge, size, "size", error);
    else if (json_object_get(size, "shortest_edge") && !json_object_get(size, "longest_edge"))
        status = read_side(&p->shortest_edge, json_object_get(size, "shortest_edge"),
                           "size.shortest_edge", error);
    else if (json_object_get(size, "height") && json_object_get(size, "width")) {
        p->shortest_edge = 0;
        status = read_height_width(&p->resize_width, &p->resize_height, size, "size", error);
    } else if (size && !json_is_null(size))
        status = mm_error_set(
            error, MMOOD_ERROR_UNSUPPORTED,
            "size is %s; a number, {\"shortest_edge\"} or {\"height\", \"width\"} can be done",
            show(size).text);
    if (status != MMOOD_OK || !mode || json_is_null(mode))
        return status;
    const char *name = json_string_value(mode);
    if (name && strcmp(name, "squash") == 0) {
        if (p->shortest_edge)
            p->resize_width = p->resize_height = p->shortest_edge;
        p->shortest_edge = 0;
        return MMOOD_OK;
    }
    if (!name || strcmp(name, "shortest") != 0)
        return mm_error_set(error, MMOOD_ERROR_UNSUPPORTED,
                            "resize_mode is %s; \"shortest\" and \"squash\" can be done",
                            show(mode).text);
    if (!p->shortest_edge && p->resize_width != p->resize_height)
        return mm_error_set(error, MMOOD_ERROR_UNSUPPORTED,
                            "resize_mode is \"shortest\", but size is %s: with two numbers, which "
                            "must be equal for that, it is not clear what the shorter side becomes",
                            show(size).text);
    if (!p->shortest_edge)
        p->shortest_edge = p->resize_width;
    return MMOOD_OK;
}

static mmood_status read_crop(mmood_preprocess *p, const json_t *config, mmood_error *error) {
    const json_t *crop = json_object_get(config, "crop_size");
    mmood_status status = read_bool(&p->center_crop, config, "do_center_crop", error);
    if (status != MMOOD_OK)
        return status;
    if (!p->center_crop) { /* the model sees what resizing leaves */
        p->crop_width = p->shortest_edge ? p->shortest_edge : p->resize_width;
        p->crop_height = p->shortest_edge ? p->shortest_edge : p->resize_height;
        return MMOOD_OK;
    }
    if (!crop || json_is_null(crop))
        return MMOOD_OK;
    if (json_is_object(crop))
        return read_height_width(&p->crop_width, &p->crop_height, crop, "crop_size", error);
    status = read_side(&p->crop_width, crop, "crop_size", error);
    p->crop_height = p->crop_width;
    return status;
}

static mmood_status read_filter(mmood_preprocess *p, const json_t *config, mmood_error *error) {
    const json_t *value = json_object_get(config, "resample");
    if (!value || json_is_null(value))
        return MMOOD_OK;
    if (!json_is_integer(value) || (json_integer_value(value) != MMOOD_FILTER_BILINEAR &&
                                    json_integer_value(value) != MMOOD_FILTER_BICUBIC))
        return mm_error_set(error, MMOOD_ERROR_UNSUPPORTED,
                            "resample is %s; 2 (bilinear) and 3 (bicubic) can be done",
                            show(value).text);
    p->filter = (mmood_filter)json_integer_value(value);
    return MMOOD_OK;
}

/* Three numbers, or one for all channels. */
static mmood_status read_channels(float out[3], const json_t *config, const char *key, double least,
                                  mmood_error *error) {
    const json_t *value = json_object_get(config, key);
    if (!value || json_is_null(value))
        return MMOOD_OK;
    for (size_t c = 0; c < 3; c++) {
        const json_t *number = json_is_number(value) ? value : json_array_get(value, c);
        double x = json_number_value(number);
        if (!json_is_number(number) || (json_is_array(value) && json_array_size(value) != 3) ||
            x < least || x > 1000)
            return mm_error_set(error, MMOOD_ERROR_FORMAT,
                                "%s is %s; three numbers from %g to 1000 are expected, for red, "
                                "green and blue",
                                key, show(value).text, least);
        out[c] = (float)x;
    }
    return MMOOD_OK;
}

static mmood_status read_values(mmood_preprocess *p, const json_t *config, mmood_error *error) {
    int rescale = 1, normalize = 1;
    const json_t *factor = json_object_get(config, "rescale_factor");
    mmood_status status = read_bool(&rescale, config, "do_rescale", error);
    if (status == MMOOD_OK)
        status = read_bool(&normalize, config, "do_normalize", error);
    if (status == MMOOD_OK && normalize)
        status = read_channels(p->mean, config, "image_mean", -1000, error);
    if (status == MMOOD_OK && normalize)
        status = read_channels(p->std, config, "image_std", 1e-6, error);
    if (status != MMOOD_OK)
        return status;
    if (factor && !json_is_null(factor)) {
        double x = json_number_value(factor);
        if (!json_is_number(factor) || !(x > 0) || x > 1000)
            return mm_error_set(error, MMOOD_ERROR_FORMAT,
                                "rescale_factor is %s; a number above 0 and up to 1000 is expected",
                                show(factor).text);
        p->rescale_factor = (float)x;
    }
    if (!rescale)
        p->rescale_factor = 0;
    for (int c = 0; c < 3 && !normalize; c++) {
        p->mean[c] = 0;
        p->std[c] = 1;
    }
    return MMOOD_OK;
}

/* Other processors give the same keys another meaning. */
static mmood_status check_type(const json_t *config, mmood_error *error) {
    static const char *const keys[] = {"image_processor_type", "feature_extractor_type"};
    if (!json_is_object(config))
        return mm_error_set(error, MMOOD_ERROR_FORMAT, "is %s; a JSON object is expected",
                            show(config).text);
    if (json_is_true(json_object_get(config, "do_pad")))
        return mm_error_set(error, MMOOD_ERROR_UNSUPPORTED,
                            "do_pad is true; padding cannot be done, only false is accepted");
    for (size_t i = 0; i < 2; i++) {
        const char *type = json_string_value(json_object_get(config, keys[i]));
        if (type && strncmp(type, "CLIP", 4) != 0)
            return mm_error_set(error, MMOOD_ERROR_UNSUPPORTED,
                                "%s is \"%s\"; CLIPImageProcessor is the one that is understood",
                                keys[i], type);
    }
    return MMOOD_OK;
}

static mmood_status read_config(mmood_preprocess *out, const json_t *config, mmood_error *error) {
    *out = defaults(224);
    mmood_status status = check_type(config, error);
    if (status == MMOOD_OK)
        status = read_bool(&out->resize, config, "do_resize", error);
    if (status == MMOOD_OK)
        status = read_size(out, config, error);
    if (status == MMOOD_OK)
        status = read_crop(out, config, error);
    if (status == MMOOD_OK)
        status = read_filter(out, config, error);
    if (status == MMOOD_OK)
        status = read_values(out, config, error);
    return status;
}

mmood_status mm_preprocess_parse(mmood_preprocess *out, const void *data, size_t size,
                                 mmood_error *error) {
    json_t *config;
    mmood_status status = mm_json_parse(&config, data, size, error);
    if (status != MMOOD_OK)
        return status;
    status = read_config(out, config, error);
    json_decref(config);
    return status;
}

/* Reads `directory`/`name` if there is one and, if it must nest an image processor, if it does. */
static mmood_status load_file(int *found, mmood_preprocess *out, const char *directory,
                              const char *name, int nested, mmood_error *error) {
    json_t *config;
    uint8_t *data;
    size_t size;
    *found = 0;
    if (!mm_file_exists_in(directory, name))
        return MMOOD_OK;
    mmood_status status = mm_file_read_in(&data, &size, directory, name, MAX_CONFIG, error);
    if (status != MMOOD_OK)
        return status;
    status = mm_json_parse(&config, data, size, error);
    free(data);
    const json_t *inner = nested ? json_object_get(config, "image_processor") : config;
    if (status == MMOOD_OK && inner) {
        *found = 1;
        status = read_config(out, inner, error);
    }
    json_decref(config);
    return status == MMOOD_OK ? status : mm_error_prefix(error, status, "%s", name);
}

mmood_status mm_preprocess_load(mmood_preprocess *out, const char **source, const char *directory,
                                int image_size, mmood_error *error) {
    /* transformers 5 writes processor_config.json alone, and prefers it. */
    static const char *const names[] = {"processor_config.json", "preprocessor_config.json"};
    int found = 0;
    mmood_status status = MMOOD_OK;
    *source = "";
    for (int i = 0; i < 2 && status == MMOOD_OK && !found; i++) {
        status = load_file(&found, out, directory, names[i], i == 0, error);
        if (found)
            *source = names[i];
    }
    if (status == MMOOD_OK && !found)
        *out = defaults(image_size);
    return status;
}

/* ---- open_clip ----------------------------------------------------------------------------- */

static mmood_status check_open_clip_keys(const json_t *config, mmood_error *error) {
    static const char *const known[] = {"size",          "mode",        "mean",      "std",
                                        "interpolation", "resize_mode", "fill_color"};
    const char *key;
    json_t *value;
    json_object_foreach((json_t *)(uintptr_t)config, key, value) {
        size_t i = 0, count = sizeof known / sizeof *known;
        while (i < count && strcmp(known[i], key) != 0)
            i++;
        if (i == count)
            return mm_error_set(error, MMOOD_ERROR_UNSUPPORTED,
                                "%s is %s; this setting is not known", key, show(value).text);
    }
    const json_t *mode = json_object_get(config, "mode");
    const char *word = json_string_value(mode);
    if (!mode || json_is_null(mode) || (word && strcmp(word, "RGB") == 0))
        return MMOOD_OK;
    return mm_error_set(error, MMOOD_ERROR_UNSUPPORTED, "mode is %s; \"RGB\" can be done",
                        show(mode).text);
}

/* One of three words, or the first if the key is not there. */
static mmood_status read_word(size_t *out, const json_t *config, const char *key,
                              const char *const words[3], mmood_error *error) {
    const json_t *value = json_object_get(config, key);
    const char *word = json_string_value(value);
    *out = 0;
    if (!value || json_is_null(value))
        return MMOOD_OK;
    for (; word && *out < 3; ++*out)
        if (strcmp(words[*out], word) == 0)
            return MMOOD_OK;
    return mm_error_set(error, MMOOD_ERROR_UNSUPPORTED,
                        "%s is %s; \"%s\", \"%s\" and \"%s\" can be done", key, show(value).text,
                        words[0], words[1], words[2]);
}

/* "size": n or [n, n]: the sides that the tower takes, if they are given. */
static mmood_status read_open_clip_size(int *out, const json_t *config, mmood_error *error) {
    const json_t *size = json_object_get(config, "size"), *side = size;
    if (!size || json_is_null(size))
        return MMOOD_OK;
    if (json_is_array(size) && json_array_size(size) == 2 &&
        json_equal(json_array_get(size, 0), json_array_get(size, 1)))
        side = json_array_get(size, 0);
    return read_side(out, side, "size", error);
}

mmood_status mm_preprocess_from_open_clip(mmood_preprocess *out, const json_t *config,
                                          int image_size, mmood_error *error) {
    /* "random" is of training; open_clip takes bicubic for it otherwise. */
    static const char *const filters[] = {"bicubic", "bilinear", "random"};
    static const char *const modes[] = {"shortest", "longest", "squash"};
    size_t filter = 0, mode = 0;
    int size = image_size;
    if (config && !json_is_object(config) && !json_is_null(config))
        return mm_error_set(error, MMOOD_ERROR_FORMAT, "is %s; a JSON object is expected",
                            show(config).text);
    mmood_status status = check_open_clip_keys(config, error);
    if (status == MMOOD_OK)
        status = read_open_clip_size(&size, config, error);
    *out = defaults(size);
    out->crop_rule = MMOOD_CROP_TORCHVISION;
    if (status == MMOOD_OK)
        status = read_channels(out->mean, config, "mean", -1000, error);
    if (status == MMOOD_OK)
        status = read_channels(out->std, config, "std", 1e-6, error);
    if (status == MMOOD_OK)
        status = read_word(&filter, config, "interpolation", filters, error);
    if (status == MMOOD_OK)
        status = read_word(&mode, config, "resize_mode", modes, error);
    const json_t *fill = json_object_get(config, "fill_color");
    if (status == MMOOD_OK && fill && !json_is_null(fill)) {
        if (!json_is_integer(fill) || json_integer_value(fill) < 0 ||
            json_integer_value(fill) > 255)
            status = mm_error_set(error, MMOOD_ERROR_FORMAT,
                                  "fill_color is %s; a whole number from 0 to 255 is expected",
                                  show(fill).text);
        else
            out->fill = (int)json_integer_value(fill);
    }
    if (filter == 1)
        out->filter = MMOOD_FILTER_BILINEAR;
    if (mode)
        out->shortest_edge = 0;
    if (mode == 1)
        out->longest_edge = size;
    if (mode == 2)
        out->resize_width = out->resize_height = size;
    return status;
}
