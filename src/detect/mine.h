/* mine.h - choosing outlier labels from many candidate words by their texts: those whose embedding
 * is farthest from the ID labels' (NegLabel, Jiang et al. 2024; CSP, Chen et al. 2024). */
#ifndef MM_DETECT_MINE_H
#define MM_DETECT_MINE_H

#include "mmood.h"

typedef struct mm_mine_settings {
    const char *const *id_templates; /* checked; several are averaged */
    size_t id_template_count;
    double quantile; /* over ID labels of the cosines of a word, 0 to 1: its distance */
    double keep;     /* the share of words to keep, over 0 up to 1 */
    double too_near; /* words with a cosine over this to an ID label come last; 1 or more: none */
    void (*progress)(void *context, size_t done); /* may be NULL; after each slice of words */
    void *context;
} mm_mine_settings;

typedef struct mm_mined {
    size_t word;     /* its position among the candidates */
    double distance; /* the quantile: low is far from the ID labels */
    int too_near;
} mm_mined;

typedef struct mm_miner mm_miner;

/* Embeds the ID labels in the settings' templates. `session` and `settings` must outlive the miner.
 */
mmood_status mm_miner_create(mm_miner **out, mmood_session *session, const mmood_labels *id,
                             const mm_mine_settings *settings, mmood_error *error);

/* Ranks words of one kind, each embedded in `templates`, to out[0 .. count): smallest distance
 * first, equal ones in their order, those too near last. `*kept` is how many at the front to keep:
 * the whole part of keep * count. */
mmood_status mm_miner_rank(mm_mined *out, size_t *kept, mm_miner *miner, const char *const *words,
                           size_t count, const char *const *templates, size_t template_count,
                           mmood_error *error);

void mm_miner_free(mm_miner *miner);

/* For each word the position of the ID label that it is but for cases, or SIZE_MAX. */
mmood_status mm_mine_match(size_t *out, const mmood_labels *id, const char *const *words,
                           size_t count, mmood_error *error);

/* The quantile q of values[0 .. count), count >= 1, linear between neighbours as numpy and torch
 * have it. Reorders the values. */
double mm_quantile(double *values, size_t count, double q);

#endif
