/* envision_chat.c - mmood envision with models: near, far, mix and the text-only modes; and import.
 */
#include "cli/envision.h"

#include "base/error.h"
#include "base/file.h"
#include "envision/probe.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { SHOWN_LINES = 8 };

/* A run, with all that it opened. */
typedef struct run {
    const envision_settings *s;
    enum envision_mode mode;
    envision_names id;
    envision_names categories;
    envision_names drafts;
    envision_pictures near;
    envision_pictures given;
    mm_prompts *prompts;
    mm_hypernyms *hypernyms;
    char sha256[2][65];
    mm_exchanges *cache;
    mm_endpoints endpoints;
    envision_dry dry;
    mm_asker asker;
    mm_outliers *out;
    char *id_text;
    char *sample;
    char *categories_text;
    size_t wanted;
} run;

static int has_near(const run *r) {
    return r->mode == ENVISION_NEAR || r->mode == ENVISION_MIX;
}

static int has_far(const run *r) {
    return r->mode == ENVISION_FAR || r->mode == ENVISION_MIX;
}

static void show_progress(void *context, const char *step, size_t done, size_t count) {
    (void)context;
    fprintf(stderr, "\r\033[K%s: %zu of %zu%s", step, done, count, done == count ? "\r\033[K" : "");
}

/* ---- Opening ------------------------------------------------------------------------------- */

static mmood_status open_filter(run *r, mmood_error *error) {
    static const char *const names[] = {"keep", "head", "word", NULL};
    mm_filter_options options = {.keep_kinds = r->s->keep_hyponyms};
    mmood_status status = envision_open_hypernyms(&r->hypernyms, r->sha256, r->s, error);
    if (status != MMOOD_OK)
        return status;
    for (int i = 0; names[i]; i++)
        if (strcmp(names[i], r->s->phrases) == 0)
            options.phrases = (mm_filter_phrases)i;
    options.hypernyms = r->hypernyms;
    return mm_outliers_create(&r->out, r->id.texts, r->id.count, &options, error);
}

static mmood_status open_inputs(run *r, mmood_error *error) {
    const envision_settings *s = r->s;
    mmood_status status = mm_prompts_load(&r->prompts, s->prompts, error);
    if (status == MMOOD_OK && r->mode != ENVISION_IMPORT)
        status = envision_names_load(&r->categories, s->categories, error);
    if (status == MMOOD_OK && has_far(r))
        status = envision_names_load(&r->drafts, s->drafts, error);
    if (status == MMOOD_OK && has_far(r) && s->pictures)
        status = envision_pictures_list(&r->given, s->pictures, error);
    if (status == MMOOD_OK && has_near(r) && !s->images)
        status = mm_error_set(error, MMOOD_ERROR_ARGUMENT,
                              "--mode %s needs --images DIR: pictures of the ID classes, a folder "
                              "each, or files of their names",
                              s->mode);
    if (status == MMOOD_OK && has_near(r))
        status = envision_pictures_find(&r->near, s->images, r->id.texts, r->id.count,
                                        (size_t)s->per_class, error);
    r->id_text = mm_join_names(r->id.texts, r->id.count);
    r->sample = mm_join_sample(r->id.texts, r->id.count, (size_t)s->sample);
    if (status == MMOOD_OK && !(r->id_text && r->sample))
        status = mm_error_set(error, MMOOD_ERROR_MEMORY, "no memory for the ID labels");
    return status == MMOOD_OK ? open_filter(r, error) : status;
}

static mmood_status open_models(run *r, mmood_error *error) {
    const envision_settings *s = r->s;
    const char *llm = s->llm_url || s->llm_model ? s->llm_model : s->chat_model;
    r->asker = (mm_asker){.progress = !s->common.quiet && isatty(2) ? show_progress : NULL,
                          .models = {s->chat_model, llm},
                          .jobs = s->jobs,
                          .ahead = s->jobs / 2,
                          .draw_jobs = s->image_jobs};
    if (s->dry_run) {
        envision_dry_connect(&r->asker, &r->dry);
        return MMOOD_OK;
    }
    if (!s->chat_url && !s->offline)
        return mm_error_set(error, MMOOD_ERROR_ARGUMENT,
                            "--mode %s needs --chat-url, such as http://localhost:8080 or "
                            "https://api.openai.com",
                            s->mode);
    if (has_far(r) && !s->pictures && !s->image_url && !s->offline)
        return mm_error_set(error, MMOOD_ERROR_ARGUMENT,
                            "--mode %s needs --image-url, a picture generator, or the pictures "
                            "themselves with --pictures DIR",
                            s->mode);
    mmood_status status = envision_open_cache(&r->cache, s, error);
    if (status == MMOOD_OK)
        status = envision_connect(&r->endpoints, s, r->cache, error);
    mm_asker_connect(&r->asker, &r->endpoints);
    return status;
}

static void close_run(run *r) {
    mm_outliers_free(r->out);
    mm_endpoints_close(&r->endpoints);
    mm_exchanges_free(r->cache);
    mm_hypernyms_free(r->hypernyms);
    mm_prompts_free(r->prompts);
    envision_pictures_free(&r->near);
    envision_pictures_free(&r->given);
    envision_names_free(&r->categories);
    envision_names_free(&r->drafts);
    envision_names_free(&r->id);
    mm_buffer_free(&r->dry.out);
    free(r->id_text);
    free(r->sample);
    free(r->categories_text);
}

/* ---- Asking -------------------------------------------------------------------------------- */

static mm_far_options far_options(const run *r) {
    return (mm_far_options){.category_count = (size_t)r->s->category_count,
                            .draft_count = (size_t)r->s->draft_count,
                            .representative_count = (size_t)r->s->representatives,
                            .sketcher = envision_llm_sketches(r->s) ? MM_VOICE_TEXT : MM_VOICE_SEES,
                            .seed = (long long)r->s->image_seed,
                            .categories = r->categories.texts,
                            .given_categories = r->categories.count,
                            .drafts = r->drafts.texts,
                            .given_drafts = r->drafts.count,
                            .pictures = (const char *const *)r->given.paths,
                            .given_pictures = r->given.path_count};
}

static int uses_categories(const run *r, mm_prompt prompt) {
    mm_prompt examples = r->s->examples ? mm_prompt_examples(prompt) : MM_PROMPTS;
    return mm_prompts_use_categories(r->prompts, prompt) ||
           (examples != MM_PROMPTS && mm_prompts_use_categories(r->prompts, examples));
}

/* 1 if a prompt of the mode has {categories}; the sketch, which asks for them itself, apart. */
static int needs_categories(const run *r) {
    const struct {
        mm_prompt prompt;
        int is_asked;
    } prompts[] = {{MM_PROMPT_NEAR, has_near(r)},
                   {MM_PROMPT_ELABORATE, has_far(r)},
                   {MM_PROMPT_SELECT, has_far(r) && !r->s->pictures},
                   {MM_PROMPT_TEXT_NEAR, r->mode == ENVISION_TEXT_NEAR},
                   {MM_PROMPT_TEXT_FAR, r->mode == ENVISION_TEXT_FAR},
                   {MM_PROMPT_TEXT_FINE, r->mode == ENVISION_TEXT_FINE},
                   {MM_PROMPT_MORE, 1}};
    for (size_t i = 0; i < sizeof prompts / sizeof *prompts; i++)
        if (prompts[i].is_asked && uses_categories(r, prompts[i].prompt))
            return 1;
    return 0;
}

/* In a mix, a branch that fails does not take the other's labels along. */
static mmood_status run_branches(run *r, const mm_envisioner *e, mmood_error *error) {
    const mm_far_options far = far_options(r);
    size_t near = r->mode == ENVISION_MIX    ? (size_t)llround((double)r->wanted * r->s->mix)
                  : r->mode == ENVISION_NEAR ? r->wanted
                                             : 0;
    if (r->mode == ENVISION_TEXT_NEAR)
        return mm_text_near_run(e, r->wanted, error);
    if (r->mode == ENVISION_TEXT_FAR)
        return mm_text_far_run(e, r->wanted, error);
    if (r->mode == ENVISION_TEXT_FINE)
        return mm_text_fine_run(e, r->wanted, error);
    mmood_status status = MMOOD_OK;
    if (has_near(r))
        status = mm_near_run(e, r->near.classes, near, error);
    if (status == MMOOD_OK && has_far(r))
        status = mm_far_run(e, &far, r->wanted - near, error);
    if (status == MMOOD_OK || mm_outliers_count(r->out) == 0 || status == MMOOD_ERROR_MEMORY)
        return status;
    mmood_error problem = *error;
    mm_outliers_fail(r->out, "far", NULL, &problem);
    return MMOOD_OK;
}

/* The probe, the categories if they are needed from the start, and the branches. */
static mmood_status ask(run *r, mmood_error *error) {
    mm_envisioner e = {.asker = &r->asker,
                       .prompts = r->prompts,
                       .ids = r->id.texts,
                       .id_count = r->id.count,
                       .id_text = r->id_text,
                       .sample = r->sample,
                       .per_turn = envision_per_turn(r->s, r->mode),
                       .more_rounds = (size_t)r->s->more_rounds,
                       .rounds = (size_t)r->s->rounds,
                       .examples = r->s->examples,
                       .out = r->out};
    const mm_far_options far = far_options(r);
    mmood_status status = MMOOD_OK;
    json_t *probe = NULL;
    if ((has_near(r) || has_far(r)) && !r->s->no_probe)
        status = mm_probe_run(&probe, &r->asker, r->prompts, error);
    if (probe)
        mm_outliers_step(r->out, "probe", probe);
    if (status == MMOOD_OK && needs_categories(r))
        status = mm_categories_find(&r->categories_text, &e, &far, error);
    e.categories = r->categories_text;
    return status == MMOOD_OK ? run_branches(r, &e, error) : status;
}

static mmood_status import(run *r, const char *path, mmood_error *error) {
    envision_names names;
    mmood_status status = envision_names_load(&names, path, error);
    const char *slash = strrchr(path, '/');
    for (size_t i = 0; i < names.count && status == MMOOD_OK; i++) {
        const char *source = mmood_labels_source(names.labels, i);
        const mm_origin origin = {.branch = "import",
                                  .class_name = *source ? source : NULL,
                                  .file = slash ? slash + 1 : path};
        int kept;
        status = mm_outliers_add(r->out, names.texts[i], &origin, &kept, error);
    }
    envision_names_free(&names);
    return status;
}

/* ---- Telling ------------------------------------------------------------------------------- */

/* Says what failed, and what should be known; the file has all of it. */
static void tell(const run *r) {
    cli_talk talk = common_talk(&r->s->common);
    size_t failures = json_array_size(r->out->failures), notes = json_array_size(r->out->notes);
    size_t most = talk == TALK_VERBOSE ? SIZE_MAX : SHOWN_LINES;
    for (size_t i = 0; i < failures && i < most; i++) {
        const json_t *f = json_array_get(r->out->failures, i);
        const char *of = json_string_value(json_object_get(f, "subject"));
        cli_error("%s%s%s: %s", json_string_value(json_object_get(f, "step")), of ? ", " : "",
                  of ? of : "", json_string_value(json_object_get(f, "error")));
    }
    if (failures > most)
        cli_error("%zu more failures", failures - most);
    for (size_t i = 0; i < notes && i < most; i++)
        cli_note(talk, "%s", json_string_value(json_array_get(r->out->notes, i)));
    if (notes > most)
        cli_note(talk, "%zu more notes; --verbose shows them", notes - most);
}

static int write_file(const run *r) {
    mm_buffer text = {0};
    mmood_error error;
    json_t *settings = envision_describe(r->s, r->mode, r->wanted, r->id.labels, r->prompts,
                                         (char(*)[65])r->sha256);
    mmood_status status =
        settings ? mm_outliers_write(&text, r->out, settings, &error)
                 : mm_error_set(&error, MMOOD_ERROR_MEMORY, "no memory for the settings");
    json_decref(settings);
    if (status == MMOOD_OK)
        status = mm_file_write(r->s->out, text.data, text.size, &error);
    mm_buffer_free(&text);
    if (status == MMOOD_OK)
        return EXIT_DONE;
    cli_error("%s: %s", r->s->out, error.message);
    return EXIT_FATAL;
}

static int finish(const run *r) {
    size_t kept = mm_outliers_count(r->out), dropped = json_array_size(r->out->dropped);
    size_t failures = json_array_size(r->out->failures);
    tell(r);
    if (kept == 0) {
        const json_t *first = json_array_get(r->out->dropped, 0);
        cli_error("there is no outlier label%s%s%s%s",
                  dropped ? ": all were dropped, the first, \"" : "",
                  dropped ? json_string_value(json_object_get(first, "label")) : "",
                  dropped ? "\", since: " : "",
                  dropped ? json_string_value(json_object_get(first, "reason")) : "");
        return EXIT_FATAL;
    }
    if (r->wanted > kept)
        cli_note(
            common_talk(&r->s->common),
            "only %zu of %zu labels were found; more may come with a larger %s or another model",
            kept, r->wanted, r->s->rounds ? "--rounds" : "--more-rounds");
    int code = write_file(r);
    if (code == EXIT_DONE)
        cli_note(common_talk(&r->s->common), "%s: %zu outlier label%s, %zu dropped", r->s->out,
                 kept, kept == 1 ? "" : "s", dropped);
    return code == EXIT_DONE && failures > 0 ? EXIT_PARTIAL : code;
}

/* As many as the method has: 3 a class near, else 500. */
static size_t default_count(const run *r) {
    return r->mode == ENVISION_NEAR || r->mode == ENVISION_TEXT_NEAR ? 3 * r->id.count : 500;
}

static int go(run *r, char **files, size_t file_count) {
    mmood_error error;
    mmood_status status = open_inputs(r, &error);
    if (r->mode == ENVISION_IMPORT) {
        for (size_t i = 0; i < file_count && status == MMOOD_OK; i++)
            status = import(r, files[i], &error);
        return status == MMOOD_OK ? finish(r) : cli_fail(&error);
    }
    r->wanted = r->s->count ? envision_count(r->s->count, r->id.count) : default_count(r);
    if (r->wanted == 0)
        return EXIT_USAGE;
    if (status == MMOOD_OK)
        status = open_models(r, &error);
    if (status == MMOOD_OK)
        status = ask(r, &error);
    if (status != MMOOD_OK) {
        if (r->out)
            tell(r);
        return cli_fail(&error);
    }
    if (!r->s->dry_run)
        return finish(r);
    envision_dry_print(&r->dry, (size_t)r->s->context, (size_t)r->s->max_tokens);
    return EXIT_DONE;
}

int envision_chat(const envision_settings *s, enum envision_mode mode, char **files,
                  size_t file_count) {
    run r = {.s = s, .mode = mode};
    mmood_error error;
    int code = envision_names_load(&r.id, s->id, &error) == MMOOD_OK ? go(&r, files, file_count)
                                                                     : cli_fail(&error);
    close_run(&r);
    return code;
}
