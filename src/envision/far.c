/* far.c - the far branch: sketch outliers from broad categories of the ID labels, generate pictures
 * of the most representative, and have the model elaborate what it sees in them. */
#include "envision/rounds.h"

#include "base/error.h"
#include "envision/jobs.h"
#include "envision/reply.h"
#include "envision/word_forms.h"

#include <stdlib.h>
#include <string.h>

enum { MORE_DRAFTS = 2, MAX_NAME = 200 }; /* further messages for drafts; bytes of a file's name */

/* A run of the branch. Names are owned by the replies, the filter or the options. */
typedef struct far_run {
    const mm_envisioner *e;
    const mm_far_options *options;
    mm_talk *talk;     /* of sketch and select */
    mm_filter *filter; /* of drafts */
    const char **drafts;
    size_t draft_count;
    const char **chosen; /* representatives */
    size_t chosen_count;
    mm_generated *made;
    mm_job *jobs;
    mm_shown *shown;
    char **names; /* what each shows */
    size_t shown_count;
} far_run;

mm_far_options mm_far_options_default(void) {
    return (mm_far_options){.category_count = 3, .draft_count = 30, .representative_count = 10};
}

static mmood_status no_memory(mmood_error *error) {
    return mm_error_set(error, MMOOD_ERROR_MEMORY, "no memory for the far branch");
}

/* Keeps a step's names and who gave them; `exchange` NULL: nobody was asked. */
static void keep_step(const mm_envisioner *e, const char *step, const char *const *names,
                      size_t count, mm_voice voice, const char *exchange) {
    json_t *list = json_array(), *value = json_object();
    const char *model = e->asker->models[voice];
    int failed = 0;
    for (size_t i = 0; i < count; i++)
        failed |= json_array_append_new(list, mm_text_value(names[i]));
    failed |= json_object_set_new(value, "names", list);
    if (exchange && model)
        failed |= json_object_set_new(value, "model", mm_text_value(model));
    if (exchange && *exchange)
        failed |= json_object_set_new(value, "exchange", mm_text_value(exchange));
    if (!exchange)
        failed |= json_object_set_new(value, "given", json_true());
    e->out->failed |= failed != 0;
    mm_outliers_step(e->out, step, value);
}

/* Asks for a list of names in a conversation; the caller frees `names` after success. */
static mmood_status ask_names(mm_reply *names, char key[65], const mm_envisioner *e, mm_talk *talk,
                              const mm_question *question, const mm_prompt_values *values,
                              mmood_error *error) {
    char *message;
    mm_chat_reply reply;
    mmood_status status = mm_message(&message, e, question->prompt, values, error);
    if (status == MMOOD_OK)
        status = mm_talk_user(talk, message, NULL, 0, error);
    free(message);
    if (status != MMOOD_OK)
        return status;
    status = e->asker->ask(&reply, e->asker->context, question, talk, error);
    if (status != MMOOD_OK)
        return status;
    status = mm_reply_parse(names, reply.text, reply.size, reply.truncated, error);
    memcpy(key, reply.key, 65);
    for (size_t i = 0; i < names->note_count && status == MMOOD_OK; i++)
        mm_outliers_note(e->out, "%s: %s", mm_prompt_name(question->prompt), names->notes[i]);
    mm_chat_reply_free(&reply);
    return status;
}

/* ---- Categories, sketch, select ------------------------------------------------------------- */

mmood_status mm_categories_find(char **text, const mm_envisioner *e, const mm_far_options *o,
                                mmood_error *error) {
    *text = NULL;
    if (o->given_categories > 0) {
        keep_step(e, "categories", o->categories, o->given_categories, MM_VOICE_TEXT, NULL);
        *text = mm_join_names(o->categories, o->given_categories);
        return *text ? MMOOD_OK : no_memory(error);
    }
    const mm_question question = {MM_VOICE_TEXT, MM_PROMPT_CATEGORIES, o->category_count};
    mm_prompt_values values = mm_common_values(e);
    values.count = o->category_count;
    mm_talk *talk;
    mm_reply reply;
    char key[65];
    mmood_status status = mm_talk_create(&talk, error);
    if (status == MMOOD_OK)
        status = ask_names(&reply, key, e, talk, &question, &values, error);
    mm_talk_free(talk);
    if (status != MMOOD_OK)
        return mm_error_prefix(error, status, "categories");
    const char *const *names = (const char *const *)reply.labels;
    size_t count = reply.count < o->category_count ? reply.count : o->category_count;
    keep_step(e, "categories", names, count, MM_VOICE_TEXT, key);
    *text = mm_join_names(names, count);
    mm_reply_free(&reply);
    return *text ? MMOOD_OK : no_memory(error);
}

/* Filters names into drafts. */
static mmood_status add_drafts(far_run *f, const char *const *names, size_t count,
                               mmood_error *error) {
    mmood_status status = MMOOD_OK;
    for (size_t i = 0; i < count && status == MMOOD_OK; i++)
        status = mm_filter_add(f->filter, names[i], NULL, NULL, error);
    return status;
}

static mmood_status sketch(far_run *f, char key[65], mmood_error *error) {
    const mm_far_options *o = f->options;
    mm_prompt_values values = mm_common_values(f->e);
    mmood_status status = MMOOD_OK;
    for (int round = 0; round <= MORE_DRAFTS && status == MMOOD_OK; round++) {
        size_t have = mm_filter_kept_count(f->filter);
        mm_reply names;
        if (have >= o->draft_count)
            break;
        values.count = o->draft_count - have;
        const mm_question question = {o->sketcher, round ? MM_PROMPT_MORE : MM_PROMPT_SKETCH,
                                      values.count};
        status = ask_names(&names, key, f->e, f->talk, &question, &values, error);
        if (status == MMOOD_OK) {
            status = add_drafts(f, (const char *const *)names.labels, names.count, error);
            mm_reply_free(&names);
        } else if (have > 0 && status == MMOOD_ERROR_FORMAT) {
            mm_outliers_note(f->e->out, "sketch: %.800s", error ? error->message : "");
            status = MMOOD_OK;
            break;
        } else {
            mm_error_prefix(error, status, "sketch");
        }
    }
    return status;
}

/* Drafts from a file or from the model, in f->drafts. */
static mmood_status find_drafts(far_run *f, mmood_error *error) {
    const mm_far_options *o = f->options;
    char key[65] = "";
    mmood_status status = mm_filter_create(&f->filter, f->e->ids, f->e->id_count, NULL, error);
    if (status == MMOOD_OK && o->given_drafts > 0)
        status = add_drafts(f, o->drafts, o->given_drafts, error);
    else if (status == MMOOD_OK)
        status = sketch(f, key, error);
    if (status != MMOOD_OK)
        return status;
    size_t count = mm_filter_kept_count(f->filter);
    if (o->given_drafts == 0 && count > o->draft_count)
        count = o->draft_count;
    f->drafts = calloc(count + 1, sizeof *f->drafts);
    f->chosen = calloc(o->representative_count + 1, sizeof *f->chosen);
    if (!f->drafts || !f->chosen)
        return no_memory(error);
    for (size_t i = 0; i < count; i++)
        f->drafts[i] = mm_filter_kept(f->filter, i).label;
    f->draft_count = count;
    keep_step(f->e, "drafts", f->drafts, count, o->sketcher, o->given_drafts ? NULL : key);
    json_t *dropped = json_array();
    for (size_t i = 0; i < mm_filter_dropped_count(f->filter); i++) {
        mm_filter_entry d = mm_filter_dropped(f->filter, i);
        json_array_append_new(dropped, json_pack("{s:o, s:o}", "label", mm_text_value(d.label),
                                                 "reason", mm_text_value(d.reason)));
    }
    mm_outliers_step(f->e->out, "drafts_dropped", dropped);
    return count > 0 ? MMOOD_OK
                     : mm_error_set(error, MMOOD_ERROR_FORMAT,
                                    "sketch: no draft is left, all are ID labels or no labels; "
                                    "give some with --drafts FILE");
}

static int same_name(const char *a, const char *b) {
    mm_buffer clean[2] = {{0}, {0}}, key[2] = {{0}, {0}};
    const char *names[] = {a, b};
    int ok = 1;
    for (int i = 0; i < 2 && ok; i++)
        ok = mm_label_clean(&clean[i], names[i], strlen(names[i])) && clean[i].size > 0 &&
             mm_label_key(&key[i], clean[i].data, clean[i].size) && key[i].size > 0;
    ok = ok && strcmp(key[0].data, key[1].data) == 0;
    for (int i = 0; i < 2; i++) {
        mm_buffer_free(&clean[i]);
        mm_buffer_free(&key[i]);
    }
    return ok;
}

static int is_chosen(const far_run *f, const char *draft) {
    for (size_t i = 0; i < f->chosen_count; i++)
        if (f->chosen[i] == draft)
            return 1;
    return 0;
}

/* Takes those of the named drafts that are drafts, then, if they are too few, the first others. */
static void choose(far_run *f, const mm_reply *names) {
    size_t most = f->options->representative_count;
    for (size_t i = 0; i < names->count && f->chosen_count < most; i++)
        for (size_t k = 0; k < f->draft_count; k++)
            if (same_name(names->labels[i], f->drafts[k]) && !is_chosen(f, f->drafts[k])) {
                f->chosen[f->chosen_count++] = f->drafts[k];
                break;
            }
    if (f->chosen_count < most)
        mm_outliers_note(f->e->out,
                         "select: %zu of %zu representatives were chosen from the drafts; the "
                         "first of the others were taken for the rest",
                         f->chosen_count, most);
    for (size_t k = 0; k < f->draft_count && f->chosen_count < most; k++)
        if (!is_chosen(f, f->drafts[k]))
            f->chosen[f->chosen_count++] = f->drafts[k];
}

static mmood_status find_representatives(far_run *f, mmood_error *error) {
    size_t most = f->options->representative_count;
    mm_voice voice = f->options->sketcher;
    char key[65] = "";
    if (f->draft_count <= most) { /* there is nothing to choose: all are taken */
        for (size_t i = 0; i < f->draft_count; i++)
            f->chosen[f->chosen_count++] = f->drafts[i];
        keep_step(f->e, "representatives", f->chosen, f->chosen_count, voice, NULL);
        return MMOOD_OK;
    }
    char *drafts = mm_join_names(f->drafts, f->draft_count);
    mm_prompt_values values = mm_common_values(f->e);
    values.drafts = drafts;
    values.count = most;
    const mm_question question = {voice, MM_PROMPT_SELECT, most};
    mm_reply names;
    mmood_status status = drafts ? MMOOD_OK : no_memory(error);
    if (status == MMOOD_OK)
        status = ask_names(&names, key, f->e, f->talk, &question, &values, error);
    free(drafts);
    if (status != MMOOD_OK)
        return mm_error_prefix(error, status, "select");
    choose(f, &names);
    mm_reply_free(&names);
    keep_step(f->e, "representatives", f->chosen, f->chosen_count, voice, key);
    return MMOOD_OK;
}

/* ---- Generate ------------------------------------------------------------------------------ */

static mmood_status draw_one(void *context, size_t index, mmood_error *error) {
    const far_run *f = context;
    const mm_prompt_values values = {.label = f->chosen[index]};
    char *prompt;
    mmood_status status =
        mm_prompts_expand(&prompt, f->e->prompts, MM_PROMPT_PICTURE, &values, error);
    if (status == MMOOD_OK)
        status = f->e->asker->draw(&f->made[index], f->e->asker->context, prompt,
                                   (f->options->seed + (long long)index) % 4294967296LL, error);
    free(prompt);
    return status;
}

static void draw_progress(void *context, size_t done, size_t count) {
    const far_run *f = context;
    f->e->asker->progress(f->e->asker->context, "generate", done, count);
}

/* Keeps what each picture is, and which were not made. */
static void note_pictures(far_run *f) {
    json_t *list = json_array();
    for (size_t i = 0; i < f->chosen_count; i++) {
        const mm_generated *g = &f->made[i];
        if (f->jobs[i].status != MMOOD_OK) {
            mm_outliers_fail(f->e->out, "generate", f->chosen[i], &f->jobs[i].error);
            continue;
        }
        f->names[f->shown_count] = strdup(f->chosen[i]);
        f->e->out->failed |= !f->names[f->shown_count];
        f->shown[f->shown_count++] = (mm_shown){.data = g->data, .size = g->size};
        json_t *entry = json_pack("{s:o, s:I, s:i, s:s, s:s, s:s}", "label",
                                  mm_text_value(f->chosen[i]), "seed", (json_int_t)g->seed, "blank",
                                  g->blank, "sha256", g->hash, "type", g->type, "exchange", g->key);
        f->e->out->failed |= json_array_append_new(list, entry) != 0;
    }
    mm_outliers_step(f->e->out, "generated_pictures", list);
}

static mmood_status make_room(far_run *f, size_t count, mmood_error *error) {
    f->shown = calloc(count + 1, sizeof *f->shown);
    f->names = calloc(count + 1, sizeof *f->names);
    f->made = calloc(count + 1, sizeof *f->made);
    f->jobs = calloc(count + 1, sizeof *f->jobs);
    return f->shown && f->names && f->made && f->jobs ? MMOOD_OK : no_memory(error);
}

static mmood_status generate(far_run *f, mmood_error *error) {
    const mm_asker *asker = f->e->asker;
    if (!asker->draw)
        return mm_error_set(error, MMOOD_ERROR_ARGUMENT,
                            "generate: there is no picture generator: give --image-url, or the "
                            "pictures themselves with --pictures DIR");
    mm_jobs_options options = {asker->draw_jobs, asker->draw_jobs + 1,
                               asker->progress ? draw_progress : NULL};
    mmood_status status = make_room(f, f->chosen_count, error);
    if (status != MMOOD_OK)
        return status;
    mmood_error problem;
    status = mm_jobs_run(f->jobs, f->chosen_count, &options, draw_one, f, &problem);
    note_pictures(f);
    if (f->shown_count > 0 || status == MMOOD_OK)
        return MMOOD_OK;
    if (error)
        *error = problem;
    return mm_error_prefix(error, status, "generate");
}

/* What a picture file shows, by its name: "owl_2.png" shows an owl. */
static char *name_of(const char *path) {
    const char *slash = strrchr(path, '/');
    const char *name = slash ? slash + 1 : path;
    size_t n = strnlen(name, MAX_NAME);
    const char *dot = memchr(name, '.', n);
    n = dot && dot > name ? (size_t)(dot - name) : n;
    size_t bare = n;
    while (bare > 0 && strchr("0123456789_- ", name[bare - 1]))
        bare--;
    char *copy = strndup(name, bare > 0 ? bare : n);
    for (char *p = copy; p && *p; p++)
        *p = *p == '_' ? ' ' : *p;
    return copy;
}

static mmood_status take_pictures(far_run *f, mmood_error *error) {
    const mm_far_options *o = f->options;
    mmood_status status = make_room(f, o->given_pictures, error);
    for (size_t i = 0; i < o->given_pictures && status == MMOOD_OK; i++) {
        f->shown[i].path = o->pictures[i];
        f->names[i] = name_of(o->pictures[i]);
        f->shown_count++;
        status = f->names[i] ? MMOOD_OK : no_memory(error);
    }
    return status;
}

/* ---- Elaborate ----------------------------------------------------------------------------- */

static mmood_status elaborate(far_run *f, size_t wanted, mmood_error *error) {
    mm_conversation *list = calloc(f->shown_count + 1, sizeof *list);
    if (!list)
        return no_memory(error);
    for (size_t i = 0; i < f->shown_count; i++)
        list[i] = (mm_conversation){.opening = MM_PROMPT_ELABORATE,
                                    .picture = f->names[i],
                                    .shown = &f->shown[i],
                                    .shown_count = 1,
                                    .wanted = mm_share(wanted, f->shown_count, i)};
    const mm_rounds how = {
        .branch = "far", .step = "elaborate", .voice = MM_VOICE_SEES, .pooled = 1};
    mmood_status status = mm_rounds_run(list, f->shown_count, &how, f->e, error);
    json_t *given = json_array();
    for (size_t i = 0; i < f->shown_count; i++) {
        if (f->shown[i].path)
            json_array_append_new(
                given, json_pack("{s:o, s:o, s:s}", "label", mm_text_value(f->names[i]), "path",
                                 mm_text_value(f->shown[i].path), "sha256", f->shown[i].hash));
        mm_conversation_free(&list[i]);
    }
    if (f->options->given_pictures > 0)
        mm_outliers_step(f->e->out, "given_pictures", given);
    else
        json_decref(given);
    free(list);
    return status;
}

static void free_run(far_run *f) {
    for (size_t i = 0; i < f->chosen_count && f->made; i++)
        mm_generated_free(&f->made[i]);
    for (size_t i = 0; i < f->shown_count; i++)
        free(f->names[i]);
    mm_talk_free(f->talk);
    mm_filter_free(f->filter);
    free(f->drafts);
    free(f->chosen);
    free(f->made);
    free(f->jobs);
    free(f->shown);
    free(f->names);
}

/* Pictures from nothing: drafts, representatives, and the generator. */
static mmood_status make_pictures(far_run *f, mmood_error *error) {
    mmood_status status = find_drafts(f, error);
    if (status == MMOOD_OK)
        status = find_representatives(f, error);
    return status == MMOOD_OK ? generate(f, error) : status;
}

mmood_status mm_far_run(const mm_envisioner *e, const mm_far_options *options, size_t wanted,
                        mmood_error *error) {
    mm_envisioner own = *e;
    far_run f = {.e = &own, .options = options};
    char *categories = NULL;
    mmood_status status = mm_talk_create(&f.talk, error);
    int is_sketch = options->given_pictures == 0 && options->given_drafts == 0;
    if (status == MMOOD_OK && is_sketch && !own.categories) {
        status = mm_categories_find(&categories, e, options, error);
        own.categories = categories;
    }
    if (status == MMOOD_OK)
        status = options->given_pictures > 0 ? take_pictures(&f, error) : make_pictures(&f, error);
    if (status == MMOOD_OK)
        status = elaborate(&f, wanted, error);
    free_run(&f);
    free(categories);
    return status;
}
