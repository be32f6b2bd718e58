/* envision.h - what the files of mmood envision share. */
#ifndef MM_CLI_ENVISION_H
#define MM_CLI_ENVISION_H

#include "cli/mined.h"
#include "cli/options.h"

#include "envision/rounds.h"

#define ENVISION_WORDNET "/usr/share/wordnet"

/* The options, as they are given. */
typedef struct envision_settings {
    common_options common;
    const char *id;
    const char *mode;
    const char *out;
    const char *wordnet;
    /* wordnet and csp */
    const char *lemmas;
    const char *left_out;
    double keep;
    double quantile;
    int seed;
    /* models */
    const char *chat_url;
    const char *chat_model;
    const char *key_env;
    const char *llm_url;
    const char *llm_model;
    const char *llm_key_env;
    const char *llm_for;
    const char *image_url;
    const char *image_model;
    const char *image_key_env;
    const char *image_size;
    int steps;
    double guidance;
    uint64_t image_seed;
    const char *negative;
    int jobs;
    int image_jobs;
    double timeout;
    int max_tokens;
    int no_schema;
    const char *cache;
    int offline;
    int refresh;
    /* labels */
    const char *prompts;
    const char *count;
    int per_turn;
    int more_rounds;
    int rounds;
    int sample;
    int examples;
    const char *images;
    int per_class;
    double mix;
    int category_count;
    int draft_count;
    int representatives;
    const char *categories;
    const char *drafts;
    const char *pictures;
    const char *phrases;
    int keep_hyponyms;
    int no_probe;
    int dry_run;
    int context;
} envision_settings;

enum envision_mode {
    ENVISION_WORDNET_MODE = 0,
    ENVISION_CSP,
    ENVISION_NEAR,
    ENVISION_FAR,
    ENVISION_MIX,
    ENVISION_TEXT_NEAR,
    ENVISION_TEXT_FAR,
    ENVISION_TEXT_FINE,
    ENVISION_IMPORT
};

/* The whole of a mode; an exit code. */
int envision_wordnet(const envision_settings *s, const mined_mode *mode, int all_lemmas);
int envision_chat(const envision_settings *s, enum envision_mode mode, char **files,
                  size_t file_count);

/* A file of labels, as texts that live as long as the labels; an empty list for no path. */
typedef struct envision_names {
    mmood_labels *labels;
    const char **texts;
    size_t count;
} envision_names;

mmood_status envision_names_load(envision_names *out, const char *path, mmood_error *error);
void envision_names_free(envision_names *names);

/* 1 if --llm-* also make drafts and choose representatives. */
int envision_llm_sketches(const envision_settings *s);

/* Labels asked for in one message: --per-turn, or the mode's. */
size_t envision_per_turn(const envision_settings *s, enum envision_mode mode);

/* "500", or "12K" times the number of ID labels; 0 after a message. */
size_t envision_count(const char *text, size_t id_count);

/* Endpoints from the options into `*out`, all zero before; `cache` may be NULL. Close in any case.
 */
mmood_status envision_connect(mm_endpoints *out, const envision_settings *s, mm_exchanges *cache,
                              mmood_error *error);

/* The cache that the options name. */
mmood_status envision_open_cache(mm_exchanges **out, const envision_settings *s,
                                 mmood_error *error);

/* WordNet's nouns, for the filter: NULL if --wordnet is none, or is not given and WordNet is not
 * installed. `sha256` [2]: of data.noun and index.noun, "" if there is none. */
mmood_status envision_open_hypernyms(mm_hypernyms **out, char sha256[2][65],
                                     const envision_settings *s, mmood_error *error);

/* All that the labels depend on, for the outliers file; NULL if memory is out. */
json_t *envision_describe(const envision_settings *s, enum envision_mode mode, size_t wanted,
                          const mmood_labels *id, const mm_prompts *prompts, char sha256[2][65]);

/* The pictures of each ID label under a folder. `*found` counts them. */
typedef struct envision_pictures {
    mm_class_pictures *classes;
    size_t count;
    char **paths;
    size_t path_count;
} envision_pictures;

mmood_status envision_pictures_find(envision_pictures *out, const char *directory,
                                    const char *const *ids, size_t count, size_t per_class,
                                    mmood_error *error);

/* All pictures under a folder, for `out->paths`. */
mmood_status envision_pictures_list(envision_pictures *out, const char *directory,
                                    mmood_error *error);
void envision_pictures_free(envision_pictures *pictures);

/* An asker that asks nobody: it invents answers, counts, and shows what it was asked. */
typedef struct envision_dry {
    size_t calls[MM_PROMPTS];
    size_t pictures_sent;
    size_t tokens_in;
    size_t tokens_out;
    mm_prompt largest; /* the request with the most tokens, answer included */
    size_t largest_in;
    size_t largest_out;
    size_t drawn;
    size_t invented;
    mm_buffer out;
} envision_dry;

void envision_dry_connect(mm_asker *asker, envision_dry *dry);

/* Writes what was asked, and how much, to stdout. `context` 0: unknown. */
void envision_dry_print(envision_dry *dry, size_t context, size_t max_tokens);

#endif
