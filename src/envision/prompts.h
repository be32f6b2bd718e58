/* prompts.h - what models are asked: templates that a user can replace, with {placeholders}. */
#ifndef MM_ENVISION_PROMPTS_H
#define MM_ENVISION_PROMPTS_H

#include "mmood.h"

typedef enum mm_prompt {
    MM_PROMPT_NEAR = 0,      /* near.txt: pictures of an ID class */
    MM_PROMPT_MORE,          /* more.txt: any further turn of a conversation */
    MM_PROMPT_CATEGORIES,    /* categories.txt: ID labels to broad categories */
    MM_PROMPT_SKETCH,        /* sketch.txt: categories to drafts of outlier labels */
    MM_PROMPT_SELECT,        /* select.txt: drafts to representatives */
    MM_PROMPT_PICTURE,       /* picture.txt: for the picture generator */
    MM_PROMPT_ELABORATE,     /* elaborate.txt: a generated picture */
    MM_PROMPT_TEXT_NEAR,     /* text-near.txt: the name of an ID class */
    MM_PROMPT_TEXT_FAR,      /* text-far.txt: the names of all */
    MM_PROMPT_TEXT_FINE,     /* text-fine.txt: the names of all, for other kinds of the same sort */
    MM_PROMPT_PROBE,         /* probe.txt: can the model see? */
    MM_PROMPT_EXAMPLES_NEAR, /* examples-near.txt: good answers to near and text-near */
    MM_PROMPT_EXAMPLES_FAR,  /* to sketch and text-far */
    MM_PROMPT_EXAMPLES_ELABORATE, /* to elaborate */
    MM_PROMPT_EXAMPLES_FINE,      /* to text-fine */
    MM_PROMPTS
} mm_prompt;

/* What placeholders stand for; NULL where a template has no use for it. Underscores become spaces
 * where a text is put in. */
typedef struct mm_prompt_values {
    const char *class_name; /* {class} */
    const char *labels;     /* {labels}: all ID labels */
    const char *sample;     /* {sample}: some of the ID labels */
    const char *categories; /* {categories}: the broad ones of the ID labels */
    const char *drafts;     /* {drafts} */
    const char *label;      /* {label} */
    size_t count;           /* {count} */
} mm_prompt_values;

typedef struct mm_prompts mm_prompts;

/* Reads the templates that `directory` has; the others, or all if it is NULL, are mmood's own.
 * FORMAT names a placeholder that a template may not have; IO if the folder has no template. */
mmood_status mm_prompts_load(mm_prompts **out, const char *directory, mmood_error *error);
void mm_prompts_free(mm_prompts *prompts);

/* Replaces one template by a file's contents. FORMAT as above, then nothing is changed. */
mmood_status mm_prompts_set(mm_prompts *prompts, mm_prompt prompt, const void *data, size_t size,
                            mmood_error *error);

/* The name of a template's file, without ".txt"; the text that mmood has for it. Static. */
const char *mm_prompt_name(mm_prompt prompt);
const char *mm_prompt_default(mm_prompt prompt);

/* The template itself. */
const char *mm_prompts_text(const mm_prompts *prompts, mm_prompt prompt);

/* 1 if the template has the placeholder {categories}. */
int mm_prompts_use_categories(const mm_prompts *prompts, mm_prompt prompt);

/* The template with examples of good answers to a prompt; MM_PROMPTS if there is none. */
mm_prompt mm_prompt_examples(mm_prompt prompt);

/* The template with its placeholders replaced, without white space around it, in memory that the
 * caller frees. */
mmood_status mm_prompts_expand(char **out, const mm_prompts *prompts, mm_prompt prompt,
                               const mm_prompt_values *values, mmood_error *error);

/* The same with examples after it, if there are some for this prompt. */
mmood_status mm_prompts_expand_with_examples(char **out, const mm_prompts *prompts,
                                             mm_prompt prompt, const mm_prompt_values *values,
                                             mmood_error *error);

#endif
