/* imagegen.c - exchanges with an image endpoint of either kind. */
#include "envision/imagegen.h"

#include "base/error.h"
#include "base/sha256.h"
#include "envision/imagegen_reply.h"
#include "envision/refusal.h"
#include "envision/url.h"

#include <math.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

/* What an OpenAI-style endpoint may not take; a bit each in `learnt`. */
enum { NO_FORMAT = 1, NO_SEED = 2, NO_SIZE = 4 };

enum { SEED_STEP = 1000003 }; /* far from the next seeds, which other pictures may use */

static const long long SEEDS = 4294967296LL;

struct mm_imagegen {
    mm_imagegen_options options;
    mm_http *http;
    char *sdapi; /* URLs; NULL offline */
    char *openai;
    char *model;
    char *negative;
    atomic_int kind;
    atomic_int learnt;
};

/* One picture on its way. */
typedef struct job {
    mm_imagegen *endpoint;
    const char *prompt;
    long long seed;
    double deadline; /* of the picture with this seed */
    const char *url; /* that answered */
} job;

static mmood_status no_memory(mmood_error *error) {
    return mm_error_set(error, MMOOD_ERROR_MEMORY, "no memory for a picture's request");
}

mm_imagegen_options mm_imagegen_options_default(void) {
    return (mm_imagegen_options){.width = 512,
                                 .height = 512,
                                 .steps = 30,
                                 .guidance = 7.5,
                                 .more_seeds = 3,
                                 .http = mm_http_options_default()};
}

static mmood_status check(const mm_imagegen_options *o, mmood_error *error) {
    if (o->width < 64 || o->width > 4096 || o->height < 64 || o->height > 4096)
        return mm_error_set(error, MMOOD_ERROR_ARGUMENT,
                            "pictures of %d x %d pixels, expected 64 to 4096 a side", o->width,
                            o->height);
    if (o->steps < 1 || o->steps > 1000 || !isfinite(o->guidance) || o->guidance < 0)
        return mm_error_set(error, MMOOD_ERROR_ARGUMENT,
                            "%d steps with guidance %g, expected 1 to 1000 and 0 or more", o->steps,
                            o->guidance);
    if (o->more_seeds < 0 || o->more_seeds > 100)
        return mm_error_set(error, MMOOD_ERROR_ARGUMENT, "%d more seeds, expected 0 to 100",
                            o->more_seeds);
    return MMOOD_OK;
}

mmood_status mm_imagegen_create(mm_imagegen **out, const mm_imagegen_options *options,
                                mmood_error *error) {
    *out = NULL;
    mmood_status status = check(options, error);
    if (status != MMOOD_OK)
        return status;
    int offline = options->cache && mm_exchanges_get_mode(options->cache) == MM_EXCHANGES_OFFLINE;
    mm_imagegen *e = calloc(1, sizeof *e);
    if (!e)
        return no_memory(error);
    e->options = *options;
    int named = options->kind == MM_IMAGEGEN_AUTO && options->url ? mm_url_kind(options->url) : 0;
    atomic_init(&e->learnt, 0);
    atomic_init(&e->kind, named == 's'   ? MM_IMAGEGEN_SDAPI
                          : named == 'o' ? MM_IMAGEGEN_OPENAI
                                         : (int)options->kind);
    if (options->model) {
        json_t *valid = json_string(options->model);
        if (!valid)
            status = mm_error_set(error, MMOOD_ERROR_ARGUMENT, "the model's name is not UTF-8");
        else if (!(e->model = strdup(options->model)))
            status = no_memory(error);
        json_decref(valid);
    }
    if (status == MMOOD_OK && options->negative) {
        json_t *valid = json_string(options->negative);
        if (!valid)
            status = mm_error_set(error, MMOOD_ERROR_ARGUMENT, "the negative prompt is not UTF-8");
        else if (!(e->negative = strdup(options->negative)))
            status = no_memory(error);
        json_decref(valid);
    }
    if (status == MMOOD_OK && (options->url || !offline)) {
        status = mm_url_sdapi(&e->sdapi, options->url, error);
        if (status == MMOOD_OK)
            status = mm_url_openai(&e->openai, options->url, "images/generations", error);
    }
    if (status == MMOOD_OK)
        status = mm_http_create(&e->http, &options->http, error);
    if (status != MMOOD_OK) {
        mm_imagegen_free(e);
        return status;
    }
    e->options.url = NULL;
    e->options.model = e->model;
    e->options.negative = e->negative;
    *out = e;
    return MMOOD_OK;
}

void mm_imagegen_free(mm_imagegen *e) {
    if (!e)
        return;
    mm_http_free(e->http);
    free(e->sdapi);
    free(e->openai);
    free(e->model);
    free(e->negative);
    free(e);
}

void mm_generated_free(mm_generated *picture) {
    free(picture->data);
    *picture = (mm_generated){0};
}

static mmood_status make_record(json_t **out, const job *j, mmood_error *error) {
    const mm_imagegen_options *o = &j->endpoint->options;
    *out = json_pack("{s:s, s:s?, s:s, s:i, s:i, s:i, s:f, s:I, s:i}", "kind", "image", "model",
                     o->model, "prompt", j->prompt, "width", o->width, "height", o->height, "steps",
                     o->steps, "guidance", o->guidance, "seed", (json_int_t)j->seed, "more_seeds",
                     o->more_seeds);
    int failed = !*out;
    if (o->negative)
        failed |= json_object_set_new(*out, "negative", json_string(o->negative));
    if (!o->model && j->endpoint->openai) { /* then the endpoint says which model it is */
        char shown[512];
        mm_url_show(shown, sizeof shown, j->endpoint->openai);
        failed |= json_object_set_new(*out, "endpoint", json_string(shown));
    }
    if (!failed)
        return MMOOD_OK;
    json_decref(*out);
    *out = NULL;
    return no_memory(error);
}

static json_t *sdapi_body(const job *j) {
    const mm_imagegen_options *o = &j->endpoint->options;
    json_t *body =
        json_pack("{s:s, s:i, s:i, s:i, s:f, s:I, s:i, s:i}", "prompt", j->prompt, "width",
                  o->width, "height", o->height, "steps", o->steps, "cfg_scale", o->guidance,
                  "seed", (json_int_t)j->seed, "batch_size", 1, "n_iter", 1);
    if (body && o->negative &&
        json_object_set_new(body, "negative_prompt", json_string(o->negative)) != 0) {
        json_decref(body);
        return NULL;
    }
    if (body && o->model &&
        json_object_set_new(body, "override_settings",
                            json_pack("{s:s}", "sd_model_checkpoint", o->model)) != 0) {
        json_decref(body);
        return NULL;
    }
    return body;
}

static json_t *openai_body(const job *j, int without) {
    const mm_imagegen_options *o = &j->endpoint->options;
    json_t *body = json_pack("{s:s, s:i}", "prompt", j->prompt, "n", 1);
    int failed = !body;
    if (o->model)
        failed |= json_object_set_new(body, "model", json_string(o->model));
    if (!(without & NO_SIZE))
        failed |= json_object_set_new(body, "size", json_sprintf("%dx%d", o->width, o->height));
    if (!(without & NO_SEED))
        failed |= json_object_set_new(body, "seed", json_integer(j->seed));
    if (!(without & NO_FORMAT))
        failed |= json_object_set_new(body, "response_format", json_string("b64_json"));
    if (!failed)
        return body;
    json_decref(body);
    return NULL;
}

static mmood_status post(mm_http_reply *reply, const job *j, json_t *body, const char *url,
                         mmood_error *error) {
    char *text = body ? json_dumps(body, JSON_COMPACT | JSON_REAL_PRECISION(17)) : NULL;
    json_decref(body);
    if (!text)
        return no_memory(error);
    mm_http_request request = {
        .url = url, .body = text, .size = strlen(text), .with_key = 1, .deadline = j->deadline};
    mmood_status status = mm_http_send(reply, j->endpoint->http, &request, error);
    free(text);
    return status;
}

/* The bit of a member that the endpoint refuses, 0 if its complaint is about something else. */
static int refused_part(const mm_http_reply *reply, int without) {
    static const struct {
        int bit;
        const char *name;
    } parts[] = {{NO_FORMAT, "response_format"}, {NO_SEED, "seed"}, {NO_SIZE, "size"}};
    if (reply->code != 400 && reply->code != 422)
        return 0;
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++)
        if (!(without & parts[i].bit) &&
            mm_refusal_is_parameter(reply->body.data, reply->body.size, parts[i].name))
            return parts[i].bit;
    return 0;
}

static mmood_status ask_openai(mm_http_reply *reply, job *j, mmood_error *error) {
    mm_imagegen *e = j->endpoint;
    j->url = e->openai;
    for (;;) {
        int without = atomic_load(&e->learnt);
        mmood_status status = post(reply, j, openai_body(j, without), e->openai, error);
        if (status != MMOOD_OK || (reply->code >= 200 && reply->code <= 299))
            return status;
        int part = refused_part(reply, without);
        if (part == 0)
            return MMOOD_OK;
        atomic_fetch_or(&e->learnt, part);
        mm_http_reply_free(reply);
    }
}

/* Whether a reply says that there is no such API, rather than that something is wrong. */
static int is_absent(const mm_http_reply *reply) {
    const char *body = reply->body.data;
    return reply->code == 404 || reply->code == 405 ||
           (reply->code == 200 && body && body[strspn(body, " \t\r\n")] == '<');
}

/* Asks the API that the endpoint has; a reply with any code. */
static mmood_status ask(mm_http_reply *reply, job *j, mmood_error *error) {
    mm_imagegen *e = j->endpoint;
    int kind = atomic_load(&e->kind);
    if (kind == MM_IMAGEGEN_OPENAI)
        return ask_openai(reply, j, error);
    j->url = e->sdapi;
    mmood_status status = post(reply, j, sdapi_body(j), e->sdapi, error);
    if (status != MMOOD_OK || kind == MM_IMAGEGEN_SDAPI)
        return status;
    if (!is_absent(reply)) {
        if (reply->code == 200)
            atomic_store(&e->kind, MM_IMAGEGEN_SDAPI);
        return MMOOD_OK;
    }
    mm_http_reply_free(reply);
    status = ask_openai(reply, j, error);
    if (status == MMOOD_OK && reply->code == 200)
        atomic_store(&e->kind, MM_IMAGEGEN_OPENAI);
    return status;
}

/* Gets a picture by its link, without the key: it may be anybody's host. */
static mmood_status fetch(mm_buffer *picture, const job *j, const char *link, mmood_error *error) {
    char *url;
    mmood_status status = mm_url_resolve(&url, j->url, link, error);
    if (status != MMOOD_OK)
        return mm_error_prefix(error, status, "the generated picture");
    mm_http_request request = {.url = url, .deadline = j->deadline};
    mm_http_reply reply;
    status = mm_http_send(&reply, j->endpoint->http, &request, error);
    if (status == MMOOD_OK && reply.code != 200)
        status = mm_http_explain(j->endpoint->http, url, &reply, error);
    if (status == MMOOD_OK) {
        *picture = reply.body;
        reply.body = (mm_buffer){0};
    }
    mm_http_reply_free(&reply);
    free(url);
    return status == MMOOD_OK ? status : mm_error_prefix(error, status, "the generated picture");
}

/* One picture with the job's seed, blank or not. */
static mmood_status make_once(mm_buffer *picture, mm_picture_facts *facts, json_t **rest, job *j,
                              mmood_error *error) {
    mm_http_reply reply = {0};
    char *link = NULL;
    *picture = (mm_buffer){0};
    *rest = NULL;
    mmood_status status = ask(&reply, j, error);
    if (status == MMOOD_OK && (reply.code < 200 || reply.code > 299))
        status = mm_http_explain(j->endpoint->http, j->url, &reply, error);
    else if (status == MMOOD_OK)
        status = mm_imagegen_reply_parse(
            picture, &link, rest, reply.body.data ? reply.body.data : "", reply.body.size, error);
    mm_http_reply_free(&reply);
    if (status == MMOOD_OK && link)
        status = fetch(picture, j, link, error);
    free(link);
    if (status == MMOOD_OK)
        status =
            mm_picture_examine(facts, picture->data ? picture->data : "", picture->size, error);
    if (status != MMOOD_OK) {
        mm_buffer_free(picture);
        json_decref(*rest);
        *rest = NULL;
    }
    return status;
}

static mmood_status store(const mm_generated *made, const job *j, const json_t *record,
                          json_t *rest, mmood_error *error) {
    mm_exchanges *cache = j->endpoint->options.cache;
    char hash[65], shown[512];
    mmood_status status =
        mm_exchanges_store_picture(hash, cache, made->data, made->size, made->type, error);
    if (status != MMOOD_OK)
        return status;
    mm_url_show(shown, sizeof shown, j->url);
    int openai = j->url == j->endpoint->openai, learnt = atomic_load(&j->endpoint->learnt);
    json_t *entry =
        json_pack("{s:s, s:{s:b, s:b}, s:{s:s, s:s}, s:I, s:i, s:O}", "endpoint", shown, "left_out",
                  "seed", openai && (learnt & NO_SEED), "size", openai && (learnt & NO_SIZE),
                  "picture", "sha256", hash, "type", made->type, "seed", (json_int_t)made->seed,
                  "blank", made->blank, "reply", rest);
    status = entry ? mm_exchanges_store(cache, record, entry, error) : no_memory(error);
    json_decref(entry);
    return status;
}

static void fill(mm_generated *out, uint8_t *data, size_t size, const mm_picture_facts *facts,
                 long long seed, int blank) {
    *out = (mm_generated){.data = data,
                          .size = size,
                          .type = facts->type,
                          .width = facts->width,
                          .height = facts->height,
                          .seed = seed,
                          .blank = blank};
    mm_sha256_of(out->hash, data, size);
}

static mmood_status make_and_store(mm_generated *out, job *j, const json_t *record,
                                   mmood_error *error) {
    int most = j->endpoint->options.more_seeds;
    for (int blank = 0; blank <= most; blank++) {
        mm_buffer picture;
        mm_picture_facts facts;
        json_t *rest;
        j->deadline = mm_http_deadline(j->endpoint->http);
        mmood_status status = make_once(&picture, &facts, &rest, j, error);
        if (status != MMOOD_OK)
            return status;
        if (!facts.blank) {
            fill(out, (uint8_t *)picture.data, picture.size, &facts, j->seed, blank);
            if (j->endpoint->options.cache)
                status = store(out, j, record, rest, error);
            json_decref(rest);
            return status;
        }
        mm_buffer_free(&picture);
        json_decref(rest);
        j->seed = (j->seed + SEED_STEP) % SEEDS;
    }
    return mm_error_set(error, MMOOD_ERROR_NUMERIC,
                        "all %d pictures were of one colour, as a generator sends them whose "
                        "safety checker blocks or whose numbers overflow; change the prompt, or "
                        "its checker or precision",
                        most + 1);
}

/* A picture from the cache; `out->data` stays NULL if there is none. */
static mmood_status look_up(mm_generated *out, const job *j, const json_t *record,
                            mmood_error *error) {
    mm_exchanges *cache = j->endpoint->options.cache;
    json_t *entry;
    mmood_status status = mm_exchanges_find(&entry, cache, record, error);
    if (status != MMOOD_OK || !entry)
        return status;
    const json_t *picture = json_object_get(entry, "picture");
    const char *hash = json_string_value(json_object_get(picture, "sha256"));
    const char *type = json_string_value(json_object_get(picture, "type"));
    const json_t *seed = json_object_get(entry, "seed"), *blank = json_object_get(entry, "blank");
    uint8_t *data = NULL;
    size_t size = 0;
    mm_picture_facts facts;
    mmood_error problem;
    if (!hash || !type || !json_is_integer(seed) || !json_is_integer(blank))
        status = mm_error_set(&problem, MMOOD_ERROR_FORMAT,
                              "the exchange lacks its picture, seed or number of blank ones");
    else
        status = mm_exchanges_read_picture(&data, &size, cache, hash, type, &problem);
    if (status == MMOOD_OK)
        status = mm_picture_examine(&facts, data, size, &problem);
    if (status == MMOOD_OK) {
        fill(out, data, size, &facts, json_integer_value(seed), (int)json_integer_value(blank));
        out->cached = 1;
    } else {
        free(data);
        status = mm_exchanges_reject(cache, &problem, error);
    }
    json_decref(entry);
    return status;
}

mmood_status mm_imagegen_make(mm_generated *out, mm_imagegen *endpoint, const char *prompt,
                              long long seed, mmood_error *error) {
    *out = (mm_generated){0};
    json_t *valid = json_string(prompt);
    json_decref(valid);
    if (!valid)
        return mm_error_set(error, MMOOD_ERROR_FORMAT, "the picture's prompt is not UTF-8");
    if (seed < 0 || seed >= SEEDS)
        return mm_error_set(error, MMOOD_ERROR_ARGUMENT, "seed %lld, expected 0 to 4294967295",
                            seed);
    job j = {.endpoint = endpoint, .prompt = prompt, .seed = seed};
    json_t *record;
    mmood_status status = make_record(&record, &j, error);
    if (status == MMOOD_OK && endpoint->options.cache)
        status = look_up(out, &j, record, error);
    if (status == MMOOD_OK && !out->data)
        status = make_and_store(out, &j, record, error);
    if (status == MMOOD_OK)
        status = mm_exchanges_key(out->key, record, error);
    json_decref(record);
    if (status != MMOOD_OK)
        mm_generated_free(out);
    return mm_http_hide(endpoint->http, status, error);
}
