/* evaluation.h - what an evaluation found: sets of pictures with their scores, metrics of every
 * score against every OOD set, and what was odd. Filled by run.c, written by report_*.c. */
#ifndef MM_EVAL_EVALUATION_H
#define MM_EVAL_EVALUATION_H

#include "eval/metrics.h"
#include "mmood.h"

/* One picture. A picture that could not be read has `error`; then nothing below it is set. */
typedef struct mm_eval_item {
    char *path;
    size_t group;     /* of the set's groups; SIZE_MAX in a flat folder */
    char *error;      /* why it could not be read, or NULL */
    uint8_t hash[32]; /* SHA-256 of the file */
    double *scores;   /* [score_count] */
    size_t label;     /* the most similar ID label, by index */
    size_t outlier;   /* the most similar outlier label; SIZE_MAX if there are none */
    double label_cosine;
    double outlier_cosine;
} mm_eval_item;

/* A class of a set: a folder. */
typedef struct mm_eval_group {
    char *name;   /* of the folder, or what the name map says */
    size_t label; /* the ID label of that name; SIZE_MAX if none has it */
} mm_eval_group;

/* The ID set or an OOD set. */
typedef struct mm_eval_set {
    char *name; /* "id", or the OOD set's */
    char *path; /* as it was given */
    mm_eval_group *groups;
    size_t group_count; /* 0: a flat folder or a list */
    mm_eval_item *items;
    size_t count;
    size_t bad; /* items with an error */
} mm_eval_set;

/* The metrics of one score against one OOD set, or their plain means over the OOD sets. */
typedef struct mm_eval_result {
    mm_metrics value;
    int has_intervals; /* 0: no bootstrap was asked for */
    mm_interval auroc;
    mm_interval aupr_in;
    mm_interval aupr_out;
    mm_interval fpr95;
} mm_eval_result;

/* A figure that a paper gives, to print beside ours; shares, not per cent; NaN where not given. */
typedef struct mm_published {
    char *method; /* such as "EOE" */
    char *set;    /* the OOD set's name, or "mean" */
    double fpr95;
    double auroc;
    char *source; /* paper and table */
} mm_published;

typedef struct mm_evaluation {
    const mmood_detector *detector; /* not owned */
    char *title;                    /* of the suite, or NULL */
    mm_fpr fpr;
    mmood_score_settings *scores; /* [score_count], temperatures filled in */
    size_t score_count;
    size_t own;        /* the one of them that is the detector's own */
    mm_eval_set *sets; /* sets[0] is ID, the rest OOD */
    size_t set_count;
    mm_eval_result *results; /* [score_count][set_count - 1] */
    mm_eval_result *means;   /* [score_count], over the OOD sets; id_count, ood_count are sums */
    double accuracy;         /* share of ID pictures whose most similar ID label is their folder's;
                                NaN if no folder is named like an ID label */
    size_t accuracy_count;   /* over how many pictures */
    mm_published *published;
    size_t published_count;
    char **warnings; /* one line each: leaks between sets, duplicates, re-used calibration files,
                        a threshold that flags nothing */
    size_t warning_count;
} mm_evaluation;

/* Frees what the struct points to, but for the detector. A zeroed struct is allowed. */
void mm_evaluation_free(mm_evaluation *evaluation);

#endif
