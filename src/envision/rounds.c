/* rounds.c - conversations with a model, round by round. */
#include "envision/rounds.h"

#include "base/error.h"
#include "envision/jobs.h"
#include "envision/reply.h"
#include "envision/talk.h"

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

size_t mm_share(size_t wanted, size_t count, size_t index) {
    return wanted / count + (index < wanted % count);
}

void mm_conversation_free(mm_conversation *c) {
    for (size_t i = 0; i < c->said_count; i++)
        free(c->said[i]);
    free(c->said);
    c->said = NULL;
    c->said_count = 0;
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

static int is_enough(const mm_conversation *c, const round *r) {
    return r->how->pooled ? mm_outliers_count(r->e->out) >= r->how->pooled : c->found >= c->wanted;
}

static mmood_status take_labels(turn *t, const round *r, const mm_reply *reply,
                                mmood_error *error) {
    mm_conversation *c = t->of;
    mm_outliers *out = r->e->out;
    const mm_origin origin = {.branch = r->how->branch,
                              .class_name = c->class_name,
                              .picture = c->picture,
                              .model = r->e->asker->models[r->how->voice],
                              .exchange = t->reply.key,
                              .round = c->round};
    mmood_status status = MMOOD_OK;
    size_t before = c->found;
    for (size_t i = 0; i < reply->count && status == MMOOD_OK; i++) {
        int kept;
        if (is_enough(c, r)) {
            mm_outliers_drop(out, reply->labels[i], "is over the number asked for", &origin);
            continue;
        }
        status = mm_outliers_add(out, reply->labels[i], &origin, &kept, error);
        if (status == MMOOD_OK)
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

/* ---- Rounds -------------------------------------------------------------------------------- */

/* How many names to ask a conversation for; 0: it is over. `active` ones share what is wanted. */
static size_t names_wanted(mm_conversation *c, const round *r, size_t count, size_t active) {
    size_t per_turn = r->e->per_turn, all = r->how->pooled;
    size_t fair = all ? (all + count - 1) / count : c->wanted;
    size_t rounds = (fair + per_turn - 1) / per_turn + r->e->more_rounds;
    if (c->over || c->idle >= IDLE_ROUNDS || c->round >= rounds || is_enough(c, r))
        return 0;
    size_t rest =
        all ? (all - mm_outliers_count(r->e->out) + active - 1) / active : c->wanted - c->found;
    return rest < per_turn ? rest : per_turn;
}

static mmood_status prepare(turn *t, mm_conversation *c, size_t names, const round *r,
                            mmood_error *error) {
    const mm_prompt_values values = {
        .class_name = c->class_name, .labels = r->e->id_text, .label = c->picture, .count = names};
    *t = (turn){.of = c, .count = names};
    return mm_prompts_expand(&t->message, r->e->prompts,
                             c->said_count == 0 ? c->opening : MM_PROMPT_MORE, &values, error);
}

/* Begins the turns of all conversations that go on. */
static mmood_status begin(round *r, mm_conversation *list, size_t count, mmood_error *error) {
    mmood_status status = MMOOD_OK;
    size_t active = 0;
    for (size_t i = 0; i < count; i++)
        active += names_wanted(&list[i], r, count, 1) > 0;
    r->count = 0;
    for (size_t i = 0; i < count && status == MMOOD_OK; i++) {
        size_t names = names_wanted(&list[i], r, count, active);
        if (names > 0)
            status = prepare(&r->turns[r->count++], &list[i], names, r, error);
    }
    return status;
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
    round r = {calloc(count + 1, sizeof(turn)), 0, how, e};
    if (!r.turns)
        return no_memory(error);
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
    return status;
}
