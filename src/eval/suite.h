/* suite.h - evaluation suites: which classes of which data sets are ID and OOD, with which texts,
 * scores and published figures. One JSON file each, of the format "mmood-suite/1"; docs/suites.md
 * describes it. */
#ifndef MM_EVAL_SUITE_H
#define MM_EVAL_SUITE_H

#include "base/buffer.h"
#include "eval/evaluation.h"

/* Where a picture's class stands. */
typedef enum mm_suite_naming {
    MM_SUITE_FOLDERS, /* a folder a class */
    MM_SUITE_PREFIX   /* files without folders: what stands before the last "_" of the name */
} mm_suite_naming;

typedef struct mm_suite_class {
    char *folder; /* of the set's folder, or the prefix of file names */
    char *label;  /* as the detector knows it; in OOD sets the folder's name if none is given */
} mm_suite_class;

/* A set of pictures: below one folder of the data directory. */
typedef struct mm_suite_set {
    char *name;
    char *source; /* where the data set comes from, for people */
    char *folder; /* relative to the data directory */
    mm_suite_naming naming;
    mm_suite_class *classes; /* only these; none: every picture of the folder */
    size_t class_count;
    /* If a list is given, only pictures that it names, relative to `folder`, with or without their
     * extension, at the start of each line. With flags, lines of the list are a key and a name,
     * lines of the flags a key and a flag, and only pictures whose flag is `keep` count. */
    char *list;
    char *flags;
    char *keep;
} mm_suite_set;

typedef struct mm_suite {
    char *name;  /* lower-case letters, digits and "-" */
    char *title; /* for reports */
    char *note;  /* what to know about it, or NULL */
    char **templates;
    size_t template_count;
    mmood_filter resample;
    size_t outliers; /* how many outlier labels the protocol wants */
    mmood_score_kind *scores;
    size_t score_count;
    mm_fpr fpr;
    mm_suite_set *sets; /* sets[0] is ID: its classes' labels are the ID labels; the rest OOD */
    size_t set_count;   /* at least 2 */
    mm_published *published;
    size_t published_count;
} mm_suite;

/* Parses a suite. All is checked: names and folders once each, folders that stay inside the data
 * directory, no class both ID and OOD, templates with one "{}", known scores, figures from 0 to 1,
 * no key that is not known. */
mmood_status mm_suite_parse(mm_suite *out, const void *data, size_t size, mmood_error *error);

/* The same from a file; messages begin with its path. */
mmood_status mm_suite_load(mm_suite *out, const char *path, mmood_error *error);

/* Frees what the struct points to. A zeroed struct is allowed. */
void mm_suite_free(mm_suite *suite);

/* The path of the suite `name`: in $MMOOD_SUITES, in the folder installed with the program, or in
 * ./suites; a name with "/" or ".json" is a path already. The caller frees it. The error lists the
 * names that are known. */
mmood_status mm_suite_find(char **path, const char *name, mmood_error *error);

/* The pictures of one set. */
typedef struct mm_suite_pictures {
    char **paths;   /* in the order of the classes, then by name */
    size_t *groups; /* [count]: the class of each; SIZE_MAX for a picture in no folder of its set */
    size_t count;
    char **names; /* [name_count]: what the classes are called: labels, or folder names */
    size_t name_count;
    size_t skipped; /* files that are no pictures by their names */
} mm_suite_pictures;

/* Lists the pictures of sets[set] below the data directory. IO if a folder, a list or a picture
 * that a list names is not there, or a class has no pictures; mm_suite_describe says more. */
mmood_status mm_suite_pictures_list(mm_suite_pictures *out, const mm_suite *suite, size_t set,
                                    const char *data, mmood_error *error);
void mm_suite_pictures_free(mm_suite_pictures *pictures);

/* Appends what to put where, set by set. `data` NULL: all of it; else with what is missing there.
 * Returns how many folders and lists are missing; 0 if `data` is NULL. */
size_t mm_suite_describe(mm_buffer *out, const mm_suite *suite, const char *data);

#endif
