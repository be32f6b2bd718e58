/* mined.h - mining outlier labels from WordNet: the settings of each mode, the words that each
 * kind has, and the "mmood-outliers/1" document that comes out. */
#ifndef MM_CLI_MINED_H
#define MM_CLI_MINED_H

#include "base/buffer.h"
#include "detect/mine.h"
#include "envision/wordnet.h"
#include "mmood.h"

enum { MINED_KINDS = 2 }; /* nouns and adjectives, as mm_wordnet_kind counts them */

/* What a mode embeds the words in, and which it takes. */
typedef struct mined_mode {
    const char *name;
    const char *left_out; /* lexicographer files, separated by commas */
    const char *const *id_templates;
    size_t id_template_count;
    const char *const *templates[MINED_KINDS];
    size_t template_count[MINED_KINDS];
    const char *const *super_classes; /* what adjectives modify; NULL: they stand alone */
    size_t super_class_count;
    double too_near;
} mined_mode;

extern const mined_mode mined_modes[]; /* ends with a NULL name */

/* The words of one kind, and what became of them. */
typedef struct mined_kind {
    const char **words; /* as they are embedded */
    size_t *from;       /* the word of WordNet that each is */
    size_t count;
    mm_mined *ranked;
    size_t kept;
} mined_kind;

typedef struct mined {
    const mined_mode *mode;
    const mm_wordnet *wordnet;
    int seed;
    mined_kind kinds[MINED_KINDS];
    mm_buffer phrases; /* texts of adjectives with their super-class */
    mm_buffer dropped; /* JSON, without the list's brackets */
    size_t dropped_count;
} mined;

/* Sorts the words by kind and takes out those that are ID labels, with the reason. Free in any
 * case. */
mmood_status mined_collect(mined *m, const mmood_labels *id, mmood_error *error);

/* Facts about a run that only its settings show. */
typedef struct mined_facts {
    const mm_mine_settings *settings;
    const mmood_labels *id;
    const mmood_model *model;
    const char *left_out;
    char sha256[MINED_KINDS][65]; /* of data.noun and data.adj */
} mined_facts;

/* Appends the document. */
void mined_write(mm_buffer *out, const mined *m, const mined_facts *facts);

/* SHA-256 of the labels, a newline after each, in hex. */
void mined_labels_sha256(char out[65], const mmood_labels *labels);

void mined_free(mined *m);

#endif
