/* dataset.h - the pictures of a set, with their classes: from a folder of class folders, a flat
 * folder or a list. */
#ifndef MM_EVAL_DATASET_H
#define MM_EVAL_DATASET_H

#include "eval/evaluation.h"
#include "eval/paths.h"

/* What folder names stand for, such as "n01440764" for "tench". Zero-initialise to start. */
typedef struct mm_name_map {
    char **from; /* sorted */
    char **to;
    size_t count;
} mm_name_map;

/* Lines "NAME<tab or spaces>MEANING", of at most 1 MB in all 100,000; the meaning may be several
 * names with commas. FORMAT names the line. */
mmood_status mm_name_map_parse(mm_name_map *out, const char *text, size_t size, mmood_error *error);
void mm_name_map_free(mm_name_map *map);

/* Fills `set` with the pictures of `path`: a directory, whose folders are classes (files beside
 * them have none); or a text file with a path a line, relative to the file's folder, with a tab and
 * a class after it if there is one. `names` may be NULL. `*skips` counts what was left out of
 * folders. Fails if there is no picture. The caller frees the set by way
 * of mm_evaluation_free also after a failure. */
mmood_status mm_dataset_read(mm_eval_set *set, mm_path_skips *skips, const char *name,
                             const char *path, const mm_name_map *names, mmood_error *error);

/* Adds a picture; `group` NULL: of no class. */
mmood_status mm_dataset_add(mm_eval_set *set, const char *path, const char *group,
                            mmood_error *error);

/* Finds for each class the ID label of its name: without regard to case, and with "_" and "-" as
 * spaces. */
mmood_status mm_dataset_find_labels(mm_eval_set *set, const mmood_detector *detector,
                                    mmood_error *error);

/* A name in the form in which names are compared, in memory that the caller frees; NULL if memory
 * is out. */
char *mm_dataset_fold(const char *name, size_t size);

#endif
