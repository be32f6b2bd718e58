/* envision_settings.c - from the options of mmood envision to endpoints, cache, WordNet, and the
 * settings that the outliers file keeps. */
#include "cli/envision.h"

#include "base/error.h"
#include "base/file.h"
#include "base/sha256.h"
#include "envision/url.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_FILE = 64 << 20 };

static mmood_status no_memory(mmood_error *error) {
    return mm_error_set(error, MMOOD_ERROR_MEMORY, "no memory for the settings");
}

int envision_llm_sketches(const envision_settings *s) {
    return strcmp(s->llm_for, "sketch") == 0;
}

size_t envision_per_turn(const envision_settings *s, enum envision_mode mode) {
    int is_one = mode == ENVISION_TEXT_FAR || mode == ENVISION_TEXT_FINE;
    return s->per_turn > 0 ? (size_t)s->per_turn : is_one ? 50 : 10;
}

size_t envision_count(const char *text, size_t id_count) {
    char *end;
    unsigned long n = text[0] >= '0' && text[0] <= '9' ? strtoul(text, &end, 10) : 0;
    if (n > 0 && n <= MM_FILTER_MAX_LABELS && (*end == 'K' || *end == 'k')) {
        n *= id_count;
        end++;
    }
    if (n > 0 && *end == '\0' && n <= MM_FILTER_MAX_LABELS / 2)
        return n;
    cli_error("option --count: \"%s\" is not a possible number of outlier labels; give one up to "
              "%d, or a multiple of the %zu ID labels such as 12K",
              text, MM_FILTER_MAX_LABELS / 2, id_count);
    return 0;
}

mmood_status envision_names_load(envision_names *out, const char *path, mmood_error *error) {
    *out = (envision_names){0};
    if (!path)
        return MMOOD_OK;
    mmood_status status = mmood_labels_load(&out->labels, path, error);
    if (status != MMOOD_OK)
        return status;
    out->count = mmood_labels_count(out->labels);
    out->texts = calloc(out->count + 1, sizeof *out->texts);
    if (!out->texts)
        return no_memory(error);
    for (size_t i = 0; i < out->count; i++)
        out->texts[i] = mmood_labels_text(out->labels, i);
    return MMOOD_OK;
}

void envision_names_free(envision_names *names) {
    mmood_labels_free(names->labels);
    free(names->texts);
}

/* ---- Endpoints ----------------------------------------------------------------------------- */

/* 1 if `url` is on the host of --chat-url, whose key it then gets too. */
static int is_chat_host(const envision_settings *s, const char *url) {
    char *a = NULL, *b = NULL;
    int same = s->chat_url && url &&
               mm_url_openai(&a, s->chat_url, "chat/completions", NULL) == MMOOD_OK &&
               mm_url_openai(&b, url, "chat/completions", NULL) == MMOOD_OK &&
               mm_url_same_origin(a, b);
    free(a);
    free(b);
    return same;
}

static mm_http_options http_options(const envision_settings *s, const char *url,
                                    const char *key_env) {
    mm_http_options http = mm_http_options_default();
    http.timeout = s->timeout;
    http.key_variable = key_env ? key_env : is_chat_host(s, url) ? s->key_env : NULL;
    return http;
}

static mmood_status open_voice(mm_chat **out, const envision_settings *s, mm_exchanges *cache,
                               mm_voice voice, mmood_error *error) {
    mm_chat_options chat = mm_chat_options_default();
    int own = voice == MM_VOICE_TEXT && s->llm_url;
    chat.url = own ? s->llm_url : s->chat_url;
    chat.model = s->chat_model;
    if (voice == MM_VOICE_TEXT && (s->llm_url || s->llm_model))
        chat.model = s->llm_model;
    chat.max_tokens = s->max_tokens;
    chat.http = http_options(s, chat.url, own ? s->llm_key_env : s->key_env);
    chat.cache = cache;
    chat.at_once = s->jobs;
    if (!chat.url && !s->offline)
        return MMOOD_OK; /* the branch says so if it needs it */
    return mm_chat_create(out, &chat, error);
}

/* "512" or "768x512". */
static int parse_size(mm_imagegen_options *out, const char *text) {
    char *end;
    out->width = (int)strtol(text, &end, 10);
    out->height = out->width;
    if (end != text && (*end == 'x' || *end == 'X'))
        out->height = (int)strtol(end + 1, &end, 10);
    return *end == '\0';
}

static mmood_status open_pictures(mm_imagegen **out, const envision_settings *s,
                                  mm_exchanges *cache, mmood_error *error) {
    mm_imagegen_options options = mm_imagegen_options_default();
    options.url = s->image_url;
    options.model = s->image_model;
    options.negative = s->negative;
    options.steps = s->steps;
    options.guidance = s->guidance;
    options.http = http_options(s, s->image_url, s->image_key_env);
    options.cache = cache;
    if (!options.url && !s->offline)
        return MMOOD_OK;
    if (s->image_seed > UINT32_MAX)
        return mm_error_set(error, MMOOD_ERROR_ARGUMENT,
                            "option --image-seed: %llu, expected 0 to 4294967295",
                            (unsigned long long)s->image_seed);
    if (s->image_size && !parse_size(&options, s->image_size))
        return mm_error_set(error, MMOOD_ERROR_ARGUMENT,
                            "option --image-size: \"%s\", expected pixels such as 512 or 768x512",
                            s->image_size);
    return mm_imagegen_create(out, &options, error);
}

mmood_status envision_connect(mm_endpoints *out, const envision_settings *s, mm_exchanges *cache,
                              mmood_error *error) {
    out->schema = !s->no_schema;
    mmood_status status = MMOOD_OK;
    for (int voice = MM_VOICE_SEES; voice <= MM_VOICE_TEXT && status == MMOOD_OK; voice++)
        status = open_voice(&out->voices[voice], s, cache, (mm_voice)voice, error);
    return status == MMOOD_OK ? open_pictures(&out->pictures, s, cache, error) : status;
}

mmood_status envision_open_cache(mm_exchanges **out, const envision_settings *s,
                                 mmood_error *error) {
    mm_buffer path = common_cache_folder(s->cache, "mmood/envision");
    *out = NULL;
    if (!path.data && !path.failed)
        return mm_error_set(error, MMOOD_ERROR_ARGUMENT,
                            "there is no folder to keep exchanges in: neither XDG_CACHE_HOME nor "
                            "HOME is set; give --cache DIR");
    mmood_status status = path.failed ? no_memory(error)
                                      : mm_exchanges_open(out, path.data,
                                                          s->offline   ? MM_EXCHANGES_OFFLINE
                                                          : s->refresh ? MM_EXCHANGES_REFRESH
                                                                       : MM_EXCHANGES_USE,
                                                          error);
    mm_buffer_free(&path);
    return status;
}

/* ---- WordNet ------------------------------------------------------------------------------- */

mmood_status envision_open_hypernyms(mm_hypernyms **out, char sha256[2][65],
                                     const envision_settings *s, mmood_error *error) {
    static const char *const names[] = {"data.noun", "index.noun"};
    const char *directory = s->wordnet ? s->wordnet : ENVISION_WORDNET;
    uint8_t *data[2] = {NULL, NULL};
    size_t size[2] = {0, 0};
    *out = NULL;
    sha256[0][0] = sha256[1][0] = '\0';
    if (strcmp(directory, "none") == 0 ||
        (!s->wordnet &&
         !(mm_file_exists_in(directory, names[0]) && mm_file_exists_in(directory, names[1]))))
        return MMOOD_OK;
    mmood_status status = MMOOD_OK;
    for (int i = 0; i < 2 && status == MMOOD_OK; i++) {
        status = mm_file_read_in(&data[i], &size[i], directory, names[i], MAX_FILE, error);
        if (status != MMOOD_OK)
            break;
        mm_sha256_of(sha256[i], data[i], size[i]);
    }
    if (status == MMOOD_OK)
        status = mm_hypernyms_parse(out, data[0], size[0], data[1], size[1], error);
    if (status != MMOOD_OK)
        mm_error_prefix(error, status, "--wordnet %s", directory);
    free(data[0]);
    free(data[1]);
    return status;
}

/* ---- The record ---------------------------------------------------------------------------- */

static json_t *prompts_value(const mm_prompts *prompts) {
    json_t *object = json_object();
    for (int i = 0; i < MM_PROMPTS; i++) {
        const char *text = mm_prompts_text(prompts, (mm_prompt)i);
        char hex[65];
        mm_sha256_of(hex, text, strlen(text));
        json_object_set_new(object, mm_prompt_name((mm_prompt)i), json_string(hex));
    }
    return object;
}

static void describe_pictures(json_t *object, const envision_settings *s, enum envision_mode mode) {
    if (mode == ENVISION_NEAR || mode == ENVISION_MIX)
        json_object_set_new(object, "per_class", json_integer(s->per_class));
    if (mode == ENVISION_MIX)
        json_object_set_new(object, "mix", json_real(s->mix));
    if (mode != ENVISION_FAR && mode != ENVISION_MIX)
        return;
    const char *llm = s->llm_url || s->llm_model ? s->llm_model : s->chat_model;
    json_object_set_new(object, "llm",
                        json_pack("{s:o, s:s}", "model", mm_text_value(llm), "for", s->llm_for));
    json_object_set_new(object, "far",
                        json_pack("{s:i, s:i, s:i}", "categories", s->category_count, "drafts",
                                  s->draft_count, "representatives", s->representatives));
    if (!s->pictures)
        json_object_set_new(object, "image",
                            json_pack("{s:o, s:s, s:i, s:f, s:I, s:o}", "model",
                                      mm_text_value(s->image_model), "size",
                                      s->image_size ? s->image_size : "512", "steps", s->steps,
                                      "guidance", s->guidance, "seed", (json_int_t)s->image_seed,
                                      "negative", mm_text_value(s->negative)));
}

static void describe_rounds(json_t *object, const envision_settings *s, enum envision_mode mode) {
    if (s->rounds > 0) {
        json_object_set_new(object, "rounds", json_integer(s->rounds));
    } else {
        size_t per_turn = envision_per_turn(s, mode);
        json_object_set_new(object, "per_turn", json_integer((json_int_t)per_turn));
        json_object_set_new(object, "more_rounds", json_integer(s->more_rounds));
    }
    json_object_set_new(object, "sample", json_integer(s->sample));
    json_object_set_new(object, "examples", json_boolean(s->examples));
}

json_t *envision_describe(const envision_settings *s, enum envision_mode mode, size_t wanted,
                          const mmood_labels *id, const mm_prompts *prompts, char sha256[2][65]) {
    char ids[65];
    mined_labels_sha256(ids, id);
    json_t *object =
        json_pack("{s:s, s:s, s:{s:I, s:s}}", "mode", s->mode, "mmood", mmood_version(),
                  "id_labels", "count", (json_int_t)mmood_labels_count(id), "sha256", ids);
    if (mode != ENVISION_IMPORT) {
        json_object_set_new(object, "wanted", json_integer((json_int_t)wanted));
        describe_rounds(object, s, mode);
        json_object_set_new(object, "chat",
                            json_pack("{s:o, s:i, s:i, s:b}", "model", mm_text_value(s->chat_model),
                                      "temperature", 0, "max_tokens", s->max_tokens, "schema",
                                      !s->no_schema));
        describe_pictures(object, s, mode);
        json_object_set_new(object, "prompts", prompts_value(prompts));
    }
    json_object_set_new(object, "phrases", json_string(s->phrases));
    json_object_set_new(object, "hyponyms",
                        json_string(!sha256[0][0]      ? "unknown"
                                    : s->keep_hyponyms ? "kept"
                                                       : "dropped"));
    if (sha256[0][0])
        json_object_set_new(
            object, "wordnet",
            json_pack("{s:s, s:s}", "data.noun", sha256[0], "index.noun", sha256[1]));
    return object;
}
