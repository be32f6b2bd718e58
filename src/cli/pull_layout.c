/* pull_layout.c - which files of a repository are the model: transformers' layout or open_clip's,
 * safetensors or PyTorch's pickles, or the hub's conversion in a pull request. */
#include "cli/pull.h"

#include "base/error.h"
#include "base/file.h"
#include "base/json.h"
#include "clip/config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_SHARDS = 10000 };

typedef enum layout { TRANSFORMERS, OPEN_CLIP, LAYOUTS } layout;

static const char *const configs[LAYOUTS] = {"config.json", "open_clip_config.json"};

/* Weights as a repository may have them, the better ones first. Pickles are of the repository's
 * owner and pinned to one commit with the rest, so they come before a pull request of the hub's
 * bot. */
typedef struct weights {
    layout layout;
    const char *file;
    const char *index; /* NULL: never in shards */
    const char *end;   /* of shards' names */
} weights;

static const weights choices[] = {
    {TRANSFORMERS, "model.safetensors", "model.safetensors.index.json", ".safetensors"},
    {OPEN_CLIP, "open_clip_model.safetensors", "open_clip_model.safetensors.index.json",
     ".safetensors"},
    {TRANSFORMERS, "pytorch_model.bin", "pytorch_model.bin.index.json", ".bin"},
    {OPEN_CLIP, "open_clip_pytorch_model.bin", NULL, ".bin"},
};

enum { CHOICES = sizeof choices / sizeof *choices };

/* ---- Configurations ------------------------------------------------------------------------ */

/* What a repository has of a layout's configuration. */
typedef struct found_config {
    int asked;
    int there;
    int usable;      /* it is of a model that mmood runs */
    mmood_error why; /* it is not */
} found_config;

/* Downloads a configuration, if there is one, and looks whether mmood runs the model. */
static mmood_status get_config(found_config *out, pull *p, layout which, mmood_error *error) {
    uint8_t *text = NULL;
    size_t size;
    out->asked = 1;
    mmood_status status = pull_ask(&out->there, p, configs[which], error);
    if (status != MMOOD_OK || !out->there)
        return status;
    status = pull_get(p, pull_find(p, configs[which]), error);
    if (status == MMOOD_OK)
        status = pull_read(&text, &size, p, configs[which], error);
    if (status != MMOOD_OK)
        return status;
    mm_clip_config config;
    mmood_preprocess preprocess;
    status = which == TRANSFORMERS
                 ? mm_clip_config_parse(&config, text, size, &out->why)
                 : mm_open_clip_config_parse(&config, &preprocess, text, size, &out->why);
    if (status != MMOOD_OK)
        mm_error_prefix(&out->why, status, "%s", configs[which]);
    free(text);
    out->usable = status == MMOOD_OK;
    return MMOOD_OK;
}

/* There is no model in the repository that mmood runs: says what is there. */
static mmood_status explain_configs(const found_config found[LAYOUTS], const pull *p,
                                    mmood_error *error) {
    for (int i = LAYOUTS; i-- > 0;) /* beside open_clip's, config.json is often timm's */
        if (found[i].there)
            return mm_error_set(error, found[i].why.status, "%s: %s", p->hub.repo,
                                found[i].why.message);
    return mm_error_set(
        error, MMOOD_ERROR_IO,
        "%s at revision %s has neither config.json nor open_clip_config.json; check "
        "the name; expected a CLIP model in transformers' or open_clip's layout, "
        "see %s",
        p->hub.repo, p->hub.revision, p->hub.page);
}

/* ---- Weights ------------------------------------------------------------------------------- */

/* Asks for the shards that an index names. It is a stranger's: a name may be that of a file of
 * weights in the same folder and nothing else. */
static mmood_status ask_shards(pull *p, const json_t *index, const weights *w, mmood_error *error) {
    const char *tensor;
    json_t *value, *map = json_object_get(index, "weight_map");
    if (json_object_size(map) == 0)
        return mm_error_set(error, MMOOD_ERROR_FORMAT, "%s has no \"weight_map\"", w->index);
    size_t before = p->count;
    json_object_foreach(map, tensor, value) {
        const char *name = json_string_value(value);
        int there;
        if (!name || !hub_is_weights_name(name, w->end))
            return mm_error_set(error, MMOOD_ERROR_FORMAT,
                                "%s gives \"%s\" for tensor \"%s\"; the plain name of a %s file is "
                                "expected",
                                w->index, name ? name : "(not a string)", tensor, w->end);
        if (pull_find(p, name))
            continue;
        if (p->count - before == MAX_SHARDS)
            return mm_error_set(error, MMOOD_ERROR_LIMIT, "%s names more than %d shards", w->index,
                                (int)MAX_SHARDS);
        mmood_status status = pull_ask(&there, p, name, error);
        if (status == MMOOD_OK && !there)
            status =
                mm_error_set(error, MMOOD_ERROR_IO, "%s at revision %s has no %s, which %s names",
                             p->hub.repo, p->hub.revision, name, w->index);
        if (status != MMOOD_OK)
            return status;
    }
    return MMOOD_OK;
}

/* Asks for weights; *there is 0 if the repository has none of this kind. */
static mmood_status ask_weights(int *there, pull *p, const weights *w, mmood_error *error) {
    uint8_t *text = NULL;
    size_t size;
    json_t *index = NULL;
    mmood_status status = pull_ask(there, p, w->file, error);
    if (status != MMOOD_OK || *there || !w->index)
        return status;
    status = pull_ask(there, p, w->index, error);
    if (status != MMOOD_OK || !*there)
        return status;
    status = pull_get(p, pull_find(p, w->index), error);
    if (status == MMOOD_OK)
        status = pull_read(&text, &size, p, w->index, error);
    if (status == MMOOD_OK && (status = mm_json_parse(&index, text, size, error)) != MMOOD_OK)
        mm_error_prefix(error, status, "%s", w->index);
    if (status == MMOOD_OK)
        status = ask_shards(p, index, w, error);
    json_decref(index);
    free(text);
    return status;
}

/* The first of the choices that the repository has, with its layout's configuration and not the
 * other's; *found is NULL if it has none of them. A repository without a configuration that mmood
 * reads is an error. */
static mmood_status find_weights(const weights **found, pull *p, mmood_error *error) {
    found_config config[LAYOUTS] = {0};
    mmood_status status = MMOOD_OK;
    int there = 0;
    *found = NULL;
    for (size_t i = 0; i < CHOICES && status == MMOOD_OK && !there; i++) {
        found_config *c = &config[choices[i].layout];
        if (!c->asked)
            status = get_config(c, p, choices[i].layout, error);
        if (status == MMOOD_OK && c->usable)
            status = ask_weights(&there, p, &choices[i], error);
        if (there)
            *found = &choices[i];
    }
    if (status != MMOOD_OK)
        return status;
    if (!config[TRANSFORMERS].usable && !config[OPEN_CLIP].usable)
        return explain_configs(config, p, error);
    if (*found)
        pull_drop(p, configs[(*found)->layout == TRANSFORMERS ? OPEN_CLIP : TRANSFORMERS]);
    return MMOOD_OK;
}

/* The pull request in which the hub's bot offers the weights as safetensors, as transformers takes
 * it. */
static mmood_status find_conversion(const weights **found, pull *p, mmood_error *error) {
    int number = 0, is_main = strcmp(p->hub.revision, "main") == 0;
    long code = 200;
    char revision[32];
    mmood_status status = MMOOD_OK;
    *found = NULL;
    if (is_main)
        status = hub_find_conversion(&number, &code, &p->hub, error);
    if (status == MMOOD_OK && number > 0) {
        snprintf(revision, sizeof revision, "refs/pr/%d", number);
        cli_note(common_talk(&p->common),
                 "%s has no weights on main that mmood reads; taking those that the hub's bot "
                 "converted to safetensors: %s, see %s/discussions/%d",
                 p->hub.repo, revision, p->hub.page, number);
        pull_drop_all(p);
        status = hub_set_revision(&p->hub, revision, error);
        if (status == MMOOD_OK)
            status = find_weights(found, p, error);
    }
    if (status != MMOOD_OK || *found)
        return status;
    char answer[64] = "";
    if (code != 200)
        snprintf(answer, sizeof answer, " (the hub answered %ld)", code);
    return mm_error_set(
        error, MMOOD_ERROR_UNSUPPORTED,
        "%s at revision %s has no weights that mmood reads: neither "
        "model.safetensors nor pytorch_model.bin, in one file or with an index, nor "
        "open_clip_config.json with open_clip_model.safetensors or "
        "open_clip_pytorch_model.bin%s%s; look at %s",
        p->hub.repo, p->hub.revision, is_main ? ", and no open pull request of SFconvertbot" : "",
        answer, p->hub.page);
}

/* ---- The rest ------------------------------------------------------------------------------ */

static mmood_status ask_needed(pull *p, const char *name, const char *instead, mmood_error *error) {
    int there;
    mmood_status status = pull_ask(&there, p, name, error);
    if (status == MMOOD_OK && !there)
        return mm_error_set(error, MMOOD_ERROR_UNSUPPORTED,
                            "%s at revision %s has neither %s nor %s; both or the first are needed",
                            p->hub.repo, p->hub.revision, instead, name);
    return status;
}

static mmood_status ask_others(pull *p, layout which, mmood_error *error) {
    int there;
    mmood_status status = MMOOD_OK;
    if (which == TRANSFORMERS) {
        status = pull_ask(&there, p, "processor_config.json", error);
        if (status == MMOOD_OK)
            status = pull_ask(&there, p, "preprocessor_config.json", error);
    }
    if (status == MMOOD_OK)
        status = pull_ask(&there, p, "tokenizer.json", error);
    if (status == MMOOD_OK && !there)
        status = ask_needed(p, "vocab.json", "tokenizer.json", error);
    if (status == MMOOD_OK && !there)
        status = ask_needed(p, "merges.txt", "tokenizer.json", error);
    return status;
}

/* A file of another model that is in the folder, and that would be read instead of one of this
 * model's, or as one that this model lacks: in each row, those before the first that is pulled. */
static mmood_status check_folder(const pull *p, mmood_error *error) {
    static const char *const rows[][CHOICES * 2 + 1] = {
        {"config.json", "open_clip_config.json"},
        {"processor_config.json"},
        {"preprocessor_config.json"},
        {"tokenizer.json", "vocab.json"},
        {"model.safetensors", "model.safetensors.index.json", "open_clip_model.safetensors",
         "open_clip_model.safetensors.index.json", "pytorch_model.bin",
         "pytorch_model.bin.index.json", "open_clip_pytorch_model.bin"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        for (const char *const *name = rows[i]; *name && !pull_find(p, *name); name++)
            if (mm_file_exists_in(p->folder, *name))
                return mm_error_set(
                    error, MMOOD_ERROR_MISMATCH,
                    "the folder %s has the file %s, which is not of this model, %s, and would be "
                    "read with it; choose another folder with -o, or remove the file",
                    p->folder, *name, p->hub.repo);
    return MMOOD_OK;
}

mmood_status pull_plan(pull *p, mmood_error *error) {
    const weights *found;
    mmood_status status = find_weights(&found, p, error);
    if (status == MMOOD_OK && !found)
        status = find_conversion(&found, p, error);
    if (status != MMOOD_OK)
        return status;
    if (found->layout == OPEN_CLIP)
        cli_note(common_talk(&p->common), "taking the model in open_clip's layout");
    if (strcmp(found->end, ".bin") == 0)
        cli_note(common_talk(&p->common),
                 "there are no safetensors, so PyTorch's %s is taken; mmood reads its tensors and "
                 "runs none of its code",
                 found->file);
    status = ask_others(p, found->layout, error);
    return status == MMOOD_OK ? check_folder(p, error) : status;
}
