/* suite_parts.h - what suite_pictures.c and suite_describe.c share: which pictures a set's list
 * names. */
#ifndef MM_EVAL_SUITE_PARTS_H
#define MM_EVAL_SUITE_PARTS_H

#include "eval/suite.h"

/* "data/folder", and "/name" after it if there is one; NULL if memory is out. */
char *mm_suite_path(const char *data, const char *folder, const char *name);

/* 1 if the name ends as pictures do. */
int mm_suite_is_picture(const char *name);

/* Where the class of a picture ends in its path relative to the set's folder; 0 if it has none. */
size_t mm_suite_class_length(mm_suite_naming naming, const char *relative);

/* Index of the class whose folder is the first `length` bytes of `name`; SIZE_MAX if none is. */
size_t mm_suite_class_index(const mm_suite_set *set, const char *name, size_t length);

/* What a set's list names, in byte order, once each, without what its flags leave out. */
typedef struct mm_suite_list {
    char *text; /* holds the names */
    char **names;
    size_t count;
} mm_suite_list;

mmood_status mm_suite_list_read(mm_suite_list *out, const mm_suite_set *set, const char *data,
                                mmood_error *error);

/* The position of a picture's path relative to the set's folder, with or without its extension;
 * SIZE_MAX if the list does not name it. */
size_t mm_suite_list_find(const mm_suite_list *list, char *relative);
void mm_suite_list_free(mm_suite_list *list);

#endif
