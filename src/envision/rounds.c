/* rounds.c - conversations with a model, round by round. */
#include "envision/rounds.h"

#include "base/error.h"
#include "envision/jobs.h"
#include "envision/reply.h"
#include "envision/talk.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { IDLE_ROUNDS = 2, MAX_THREADS = 256 };

/* One message of one conversation, with its answer. */
typedef struct turn {
    mm_conversation *of;
    size_t count; /* of names asked for */
    char *message;
    mm_chat_reply reply;
    mmood_status status;
    mmood_error error;
    mmood_error unreadable; /* a picture that was left out; status MMOOD_OK: none was */
} turn;

typedef struct round {
    turn *turns;
    size_t count;
    size_t all; /* labels wanted of all conversations together */
    const mm_rounds *how;
    const mm_envisioner *e;
} round;

static mmood_status no_memory(mmood_error *error) {
    return mm_error_set(error, MMOOD_ERROR_MEMORY, "no memory for a conversation");
}

char *mm_join_names(const char *const *names, size_t count) {
    mm_buffer text = {0};
    mm_buffer_puts(&text, "");
    for (size_t i = 0; i < count; i++)
        mm_buffer_printf(&text, "%s%s", i ? ", " : "", names[i]);
    if (!text.failed)
        return text.data;
    mm_buffer_free(&text);
    return NULL;
}

char *mm_join_sample(const char *const *names, size_t count, size_t most) {
    size_t n = most < count ? most : count;
    const char **some = calloc(n + 1, sizeof *some);
    for (size_t i = 0; i < n && some; i++)
        some[i] = names[i * count / n];
    char *text = some ? mm_join_names(some, n) : NULL;
    free(some);
    return text;
}

mmood_status mm_message(char **out, const mm_envisioner *e, mm_prompt prompt,
                        const mm_prompt_values *values, mmood_error *error) {
    return e->examples ? mm_prompts_expand_with_examples(out, e->prompts, prompt, values, error)
                       : mm_prompts_expand(out, e->prompts, prompt, values, error);
}

mm_prompt_values mm_common_values(const mm_envisioner *e) {
    return (mm_prompt_values){
        .labels = e->id_text, .sample = e->sample, .categories = e->categories};
}

size_t mm_share(size_t wanted, size_t count, size_t index) {
    return wanted / count + (index < wanted % count);
}

void mm_conversation_free(mm_conversation *c) {
    for (size_t i = 0; i < c->said_count; i++)
        free(c->said[i]);
    free(c->said);
    for (size_t i = 0; i < c->surplus_count; i++)
        free(c->surplus[i].label);
    free(c->surplus);
    c->said = NULL;
    c->surplus = NULL;
    c->said_count = c->surplus_count = 0;
}

/* ---- Asking, on threads of the jobs --------------------------------------------------------- */

/* Reads the pictures; those that cannot be read are left out unless none is left. */
static mmood_status read_pictures(mm_picture **pictures, size_t *count, turn *t) {
    *count = 0;
    for (size_t i = 0; i < t->of->shown_count; i++) {
        mm_shown *s = &t->of->shown[i];
        mmood_error problem;
        mm_picture *picture;
        mmood_status status =
            s->data ? mm_picture_decode(&picture, s->data, s->size, MM_PICTURE_SIDE, &problem)
                    : mm_picture_load(&picture, s->path, MM_PICTURE_SIDE, &problem);
        if (status == MMOOD_OK) {
            pictures[(*count)++] = picture;
            memcpy(s->hash, mm_picture_hash(picture), sizeof s->hash);
        } else if (t->unreadable.status == MMOOD_OK) {
            t->unreadable = problem;
        }
    }
    if (*count > 0 || t->of->shown_count == 0)
        return MMOOD_OK;
    t->error = t->unreadable;
    t->unreadable.status = MMOOD_OK; /* it is told once */
    return t->error.status;
}

static mmood_status converse(turn *t, const round *r, const mm_picture *const *pictures,
                             size_t count) {
    mm_talk *talk;
    mmood_error *error = &t->error;
    mmood_status status = mm_talk_create(&talk, error);
    for (size_t i = 0; i <= t->of->said_count && status == MMOOD_OK; i++) {
        const char *text = i < t->of->said_count ? t->of->said[i] : t->message;
        status = i % 2 == 0 ? mm_talk_user(talk, text, pictures, i == 0 ? count : 0, error)
                            : mm_talk_assistant(talk, text, error);
    }
    const mm_question question = {
        r->how->voice, t->of->said_count == 0 ? t->of->opening : MM_PROMPT_MORE, t->count};
    if (status == MMOOD_OK)
        status = r->e->asker->ask(&t->reply, r->e->asker->context, &question, talk, error);
    mm_talk_free(talk);
    return status;
}

/* Pictures are read anew for each message: a thousand classes' would fill the memory. */
static mmood_status take_turn(void *context, size_t index, mmood_error *error) {
    const round *r = context;
    turn *t = &r->turns[index];
    size_t count = 0;
    mm_picture **pictures = calloc(t->of->shown_count + 1, sizeof(mm_picture *));
    t->status = pictures ? read_pictures(pictures, &count, t) : no_memory(&t->error);
    int is_picture = t->status != MMOOD_OK;
    if (t->status == MMOOD_OK)
        t->status = converse(t, r, (const mm_picture *const *)pictures, count);
    for (size_t i = 0; i < count; i++)
        mm_picture_free(pictures[i]);
    free(pictures);
    if (t->status != MMOOD_ERROR_IO || is_picture)
        return MMOOD_OK; /* not the endpoint's failure: no reason to give up the rest */
    *error = t->error;
    return t->status;
}

static void show_progress(void *context, size_t done, size_t count) {
    const round *r = context;
    r->e->asker->progress(r->e->asker->context, r->how->step, done, count);
}

/* ---- Taking the answers, in order ----------------------------------------------------------- */

static int keep_said(mm_conversation *c, char **message, const char *reply) {
    char **grown = realloc(c->said, (c->said_count + 2) * sizeof *grown);
    char *copy = strdup(reply);
    if (grown)
        c->said = grown;
    if (!grown || !copy) {
        free(copy);
        return 0;
    }
    c->said[c->said_count++] = *message;
    c->said[c->said_count++] = copy;
    *message = NULL;
    return 1;
}

static const char *subject(const mm_conversation *c) {
    return c->class_name ? c->class_name : c->picture;
}

static mm_origin origin_of(const mm_conversation *c, const round *r, const char *exchange,
                           size_t number) {
    return (mm_origin){.branch = r->how->branch,
                       .class_name = c->class_name,
                       .picture = c->picture,
                       .model = r->e->asker->models[r->how->voice],
                       .exchange = exchange,
                       .round = number};
}

/* Keeps a label that is over the conversation's share until it is known whether one is missing. */
static mmood_status set_aside(mm_conversation *c, const char *label, const char *exchange,
                              mmood_error *error) {
    mm_surplus *grown = realloc(c->surplus, (c->surplus_count + 1) * sizeof *grown);
    if (!grown)
        return no_memory(error);
    c->surplus = grown;
    mm_surplus *s = &c->surplus[c->surplus_count];
    *s = (mm_surplus){.label = strdup(label), .round = c->round};
    if (!s->label)
        return no_memory(error);
    snprintf(s->exchange, sizeof s->exchange, "%s", exchange);
    c->surplus_count++;
    return MMOOD_OK;
}

static mmood_status take_labels(turn *t, const round *r, const mm_reply *reply,
                                mmood_error *error) {
    mm_conversation *c = t->of;
    mm_outliers *out = r->e->out;
    const mm_origin origin = origin_of(c, r, t->reply.key, c->round);
    size_t before = c->found, left = r->e->rounds ? t->count : c->wanted - c->found;
    mmood_status status = MMOOD_OK;
    for (size_t i = 0; i < reply->count && status == MMOOD_OK; i++) {
        int kept = 0;
        if (c->found - before == left)
            status = set_aside(c, reply->labels[i], t->reply.key, error);
        else
            status = mm_outliers_add(out, reply->labels[i], &origin, &kept, error);
        c->found += (size_t)kept;
    }
    for (size_t i = 0; i < reply->dropped_count; i++)
        mm_outliers_drop(out, reply->dropped[i].text, reply->dropped[i].reason, &origin);
    for (size_t i = 0; i < reply->note_count; i++)
        mm_outliers_note(out, "%s%s%s: %s", r->how->step, subject(c) ? ", " : "",
                         subject(c) ? subject(c) : "", reply->notes[i]);
    c->idle = c->found > before ? 0 : c->idle + 1;
    return status;
}

static mmood_status take(turn *t, const round *r, mmood_error *error) {
    mm_conversation *c = t->of;
    mm_outliers *out = r->e->out;
    c->round++;
    if (t->unreadable.status != MMOOD_OK && c->round == 1)
        mm_outliers_fail(out, r->how->step, subject(c), &t->unreadable);
    if (t->status != MMOOD_OK) {
        c->over = 1;
        mm_outliers_fail(out, r->how->step, subject(c), &t->error);
        return t->status == MMOOD_ERROR_MEMORY ? no_memory(error) : MMOOD_OK;
    }
    mm_reply reply;
    mmood_error problem;
    mmood_status status =
        mm_reply_parse(&reply, t->reply.text, t->reply.size, t->reply.truncated, &problem);
    if (status != MMOOD_OK) {
        c->over = 1;
        if (c->found == 0)
            mm_outliers_fail(out, r->how->step, subject(c), &problem);
        else /* it has no more to say */
            mm_outliers_note(out, "%s%s%s, round %zu: %.800s", r->how->step, subject(c) ? ", " : "",
                             subject(c) ? subject(c) : "", c->round, problem.message);
        return status == MMOOD_ERROR_MEMORY ? no_memory(error) : MMOOD_OK;
    }
    status = take_labels(t, r, &reply, error);
    mm_reply_free(&reply);
    if (status == MMOOD_OK && !keep_said(c, &t->message, t->reply.text))
        status = no_memory(error);
    return status;
}

/* ---- Surplus ------------------------------------------------------------------------------- */

static size_t missing(const mm_conversation *list, size_t count, const round *r) {
    size_t found = 0;
    for (size_t i = 0; i < count; i++)
        found += list[i].found;
    return found < r->all ? r->all - found : 0;
}

/* Takes a conversation's next surplus label. */
static mmood_status take_surplus(mm_conversation *c, const round *r, mmood_error *error) {
    const mm_surplus *s = &c->surplus[c->surplus_used++];
    const mm_origin origin = origin_of(c, r, s->exchange, s->round);
    int kept = 0;
    mmood_status status = mm_outliers_add(r->e->out, s->label, &origin, &kept, error);
    c->found += (size_t)kept;
    return status;
}

/* Deals out surplus labels, one of each conversation in turn, until none is missing. */
static mmood_status deal_surplus(mm_conversation *list, size_t count, const round *r,
                                 mmood_error *error) {
    mmood_status status = MMOOD_OK;
    int dealt = 1;
    while (dealt && status == MMOOD_OK) {
        dealt = 0;
        for (size_t i = 0; i < count && status == MMOOD_OK; i++) {
            mm_conversation *c = &list[i];
            int lacks = r->how->pooled ? missing(list, count, r) > 0 : c->found < c->wanted;
            if (!lacks || c->surplus_used == c->surplus_count)
                continue;
            status = take_surplus(c, r, error);
            dealt = 1;
        }
    }
    return status;
}

static mmood_status drop_surplus(mm_conversation *list, size_t count, const round *r,
                                 mmood_error *error) {
    mmood_status status = deal_surplus(list, count, r, error);
    for (size_t i = 0; i < count && status == MMOOD_OK; i++)
        for (size_t k = list[i].surplus_used; k < list[i].surplus_count; k++) {
            const mm_surplus *s = &list[i].surplus[k];
            const mm_origin origin = origin_of(&list[i], r, s->exchange, s->round);
            mm_outliers_drop(r->e->out, s->label, "is over the number asked for", &origin);
        }
    return status;
}

/* ---- Rounds -------------------------------------------------------------------------------- */

static void plan(mm_conversation *list, size_t count, round *r) {
    const mm_envisioner *e = r->e;
    for (size_t i = 0; i < count; i++) {
        size_t ideal = (list[i].wanted + e->per_turn - 1) / e->per_turn;
        list[i].most_rounds = e->rounds ? e->rounds : ideal + e->more_rounds;
        r->all += list[i].wanted;
    }
}

static int may_go_on(const mm_conversation *c) {
    return !c->over && c->idle < IDLE_ROUNDS && c->round < c->most_rounds;
}

/* How many names to ask a conversation for next; 0: none. */
static size_t names_wanted(const mm_conversation *c, const mm_envisioner *e) {
    if (!may_go_on(c) || c->found >= c->wanted)
        return 0;
    size_t rest = c->wanted - c->found;
    size_t rounds = e->rounds ? e->rounds - c->round : (rest + e->per_turn - 1) / e->per_turn;
    return (rest + rounds - 1) / rounds;
}

/* Has those that may go on make up for what others lack. */
static void raise_shares(mm_conversation *list, size_t count, const round *r) {
    size_t lack = missing(list, count, r), able = 0, index = 0;
    for (size_t i = 0; i < count; i++)
        able += (size_t)may_go_on(&list[i]);
    for (size_t i = 0; i < count; i++)
        if (may_go_on(&list[i]))
            list[i].wanted = list[i].found + mm_share(lack, able, index++);
}

static mmood_status prepare(turn *t, mm_conversation *c, size_t names, const round *r,
                            mmood_error *error) {
    mm_prompt_values values = mm_common_values(r->e);
    values.class_name = c->class_name;
    values.label = c->picture;
    values.count = names;
    *t = (turn){.of = c, .count = names};
    return mm_message(&t->message, r->e, c->said_count == 0 ? c->opening : MM_PROMPT_MORE, &values,
                      error);
}

/* Prepares a turn of each conversation that is to name more. */
static mmood_status prepare_all(round *r, mm_conversation *list, size_t count, mmood_error *error) {
    mmood_status status = MMOOD_OK;
    r->count = 0;
    for (size_t i = 0; i < count && status == MMOOD_OK; i++) {
        size_t names = names_wanted(&list[i], r->e);
        if (names > 0)
            status = prepare(&r->turns[r->count++], &list[i], names, r, error);
    }
    return status;
}

/* Begins a round; if no conversation has anything to name, with the shares of those that failed. */
static mmood_status begin(round *r, mm_conversation *list, size_t count, mmood_error *error) {
    mmood_status status = prepare_all(r, list, count, error);
    if (status != MMOOD_OK || r->count > 0 || !r->how->pooled)
        return status;
    status = deal_surplus(list, count, r, error);
    if (status != MMOOD_OK || missing(list, count, r) == 0)
        return status;
    raise_shares(list, count, r);
    return prepare_all(r, list, count, error);
}

static mmood_status ask_all(round *r, mmood_error *error) {
    const mm_asker *asker = r->e->asker;
    int threads = asker->jobs + asker->ahead;
    mm_jobs_options options = {threads < MAX_THREADS ? threads : MAX_THREADS, 2 * asker->jobs + 2,
                               asker->progress ? show_progress : NULL};
    mm_job *jobs = calloc(r->count, sizeof *jobs);
    mmood_error first;
    if (!jobs)
        return no_memory(error);
    mmood_status status = mm_jobs_run(jobs, r->count, &options, take_turn, r, &first);
    int ran = 0;
    for (size_t i = 0; i < r->count; i++) {
        ran |= jobs[i].tried;
        if (!jobs[i].tried) {
            r->turns[i].status = jobs[i].status;
            r->turns[i].error = jobs[i].error;
        }
    }
    free(jobs);
    if (ran)
        return MMOOD_OK;
    if (error)
        *error = first;
    return status;
}

mmood_status mm_rounds_run(mm_conversation *list, size_t count, const mm_rounds *how,
                           const mm_envisioner *e, mmood_error *error) {
    round r = {.turns = calloc(count + 1, sizeof(turn)), .how = how, .e = e};
    if (!r.turns)
        return no_memory(error);
    plan(list, count, &r);
    mmood_status status = begin(&r, list, count, error);
    while (status == MMOOD_OK && r.count > 0) {
        status = ask_all(&r, error);
        for (size_t i = 0; i < r.count; i++) {
            if (status == MMOOD_OK)
                status = take(&r.turns[i], &r, error);
            mm_chat_reply_free(&r.turns[i].reply);
            free(r.turns[i].message);
        }
        r.count = 0;
        if (status == MMOOD_OK)
            status = begin(&r, list, count, error);
    }
    for (size_t i = 0; i < r.count; i++)
        free(r.turns[i].message);
    free(r.turns);
    return status == MMOOD_OK ? drop_surplus(list, count, &r, error) : status;
}
