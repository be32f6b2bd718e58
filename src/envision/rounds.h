/* rounds.h - conversations that name labels, many at a time, round by round until there are
 * enough. */
#ifndef MM_ENVISION_ROUNDS_H
#define MM_ENVISION_ROUNDS_H

#include "envision/ask.h"
#include "envision/outliers.h"
#include "envision/prompts.h"

/* What every branch works with. */
typedef struct mm_envisioner {
    const mm_asker *asker;
    const mm_prompts *prompts;
    const char *const *ids; /* the ID labels */
    size_t id_count;
    const char *id_text;    /* all of them, for {labels}: mm_join_names */
    const char *sample;     /* some of them, for {sample}: mm_join_sample */
    const char *categories; /* for {categories}: mm_categories_find, or NULL */
    size_t per_turn;        /* names asked for in one message, at most */
    size_t more_rounds;     /* messages of a conversation beyond those that ideally suffice */
    size_t rounds; /* 0, or: messages of a conversation, whatever per_turn and more_rounds are */
    int examples;  /* 1: prompts have examples of good answers */
    mm_outliers *out;
} mm_envisioner;

/* A picture as a file, in memory or by its path. */
typedef struct mm_shown {
    const char *path;    /* used if `data` is NULL */
    const uint8_t *data; /* an encoded picture */
    size_t size;
    char hash[65]; /* of the file; filled in when it is first read */
} mm_shown;

/* A label that a conversation named beyond its share. */
typedef struct mm_surplus {
    char *label;
    char exchange[65];
    size_t round;
} mm_surplus;

/* One conversation. Set the first part; zero the rest. */
typedef struct mm_conversation {
    mm_prompt opening;
    const char *class_name; /* the ID class, or NULL */
    const char *picture;    /* what the generated picture shows, or NULL */
    mm_shown *shown;        /* pictures of the first message */
    size_t shown_count;
    size_t wanted; /* its share of the labels */

    char **said; /* messages in turn: the user's, the model's, ... */
    size_t said_count;
    size_t found; /* labels that were kept */
    size_t round;
    int idle; /* rounds in a row without a new label */
    int over;
    size_t most_rounds;
    mm_surplus *surplus;
    size_t surplus_count;
    size_t surplus_used;
} mm_conversation;

typedef struct mm_rounds {
    const char *branch;
    const char *step; /* for progress and failures */
    mm_voice voice;
    int pooled; /* 1: what one conversation lacks, the others make up for */
} mm_rounds;

/* Asks until every conversation has named what is wanted, has nothing new twice in a row, has
 * failed, or had its rounds. In each round the answers are taken in the order of the list, so that
 * the result does not depend on which came first. What a conversation names beyond its share waits;
 * if labels are missing in the end, it is taken, one of each conversation in turn. Failures are
 * noted, not returned; what is returned ends the run (MEMORY, LIMIT). */
mmood_status mm_rounds_run(mm_conversation *list, size_t count, const mm_rounds *how,
                           const mm_envisioner *e, mmood_error *error);
void mm_conversation_free(mm_conversation *conversation);

/* "a, b, c" in memory that the caller frees; NULL if memory is out. */
char *mm_join_names(const char *const *names, size_t count);

/* The same of `most` of them, evenly spread over the list. */
char *mm_join_sample(const char *const *names, size_t count, size_t most);

/* A prompt as it is sent, with examples if they are wanted; the caller frees it. */
mmood_status mm_message(char **out, const mm_envisioner *e, mm_prompt prompt,
                        const mm_prompt_values *values, mmood_error *error);

/* What the placeholders stand for that are the same in all prompts. */
mm_prompt_values mm_common_values(const mm_envisioner *e);

/* ---- The branches: each adds to e->out about `wanted` labels --------------------------------- */

/* Pictures of one ID class. */
typedef struct mm_class_pictures {
    const char **paths;
    size_t count;
} mm_class_pictures;

/* Pictures of each ID class, `classes` [id_count]; those without any are failures. */
mmood_status mm_near_run(const mm_envisioner *e, const mm_class_pictures *classes, size_t wanted,
                         mmood_error *error);

/* Settings of the far branch. A list that is given replaces the step that makes it. */
typedef struct mm_far_options {
    size_t category_count;
    size_t draft_count;
    size_t representative_count;
    mm_voice sketcher; /* who makes drafts and chooses representatives */
    long long seed;    /* of the first picture; the next ones follow it */
    const char *const *categories;
    size_t given_categories;
    const char *const *drafts;
    size_t given_drafts;
    const char *const *pictures; /* paths; what each shows is its file's name */
    size_t given_pictures;
} mm_far_options;

/* 3 categories, 30 drafts, 10 representatives, by the model that sees, seed 0. */
mm_far_options mm_far_options_default(void);

/* The broad categories of the ID labels, given or asked for, as a text that the caller frees. */
mmood_status mm_categories_find(char **text, const mm_envisioner *e, const mm_far_options *options,
                                mmood_error *error);

/* Sketch, generate, elaborate. Fails when a step before the pictures does. Asks for the categories
 * if the sketch needs them and e->categories is NULL. */
mmood_status mm_far_run(const mm_envisioner *e, const mm_far_options *options, size_t wanted,
                        mmood_error *error);

/* EOE's branches without pictures. */
mmood_status mm_text_near_run(const mm_envisioner *e, size_t wanted, mmood_error *error);
mmood_status mm_text_far_run(const mm_envisioner *e, size_t wanted, mmood_error *error);
mmood_status mm_text_fine_run(const mm_envisioner *e, size_t wanted, mmood_error *error);

/* `wanted` labels shared out among `count` classes: how many are class `index`'s. */
size_t mm_share(size_t wanted, size_t count, size_t index);

#endif
