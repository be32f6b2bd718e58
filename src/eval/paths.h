/* paths.h - from PATH arguments to files. */
#ifndef MM_EVAL_PATHS_H
#define MM_EVAL_PATHS_H

#include <stddef.h>

/* What a walk over directories leaves out. */
typedef struct mm_path_skips {
    size_t hidden; /* files and folders whose names begin with a dot */
    size_t others; /* files that are no pictures */
} mm_path_skips;

typedef struct mm_path_list {
    char **items;
    size_t count;
    size_t room;
    mm_path_skips skips;
    int failed; /* memory is out */
} mm_path_list;

/* Adds what one argument stands for: a file as it is, even if it does not exist; the pictures of a
 * directory, of its folders too, in byte order; or "-", paths on standard input, separated by NUL
 * bytes if there are any, else by newlines. A directory's pictures are files whose names end as
 * those of pictures do, readable or not, and others that begin as a JPEG, PNG, WebP or GIF does. */
void mm_path_list_add(mm_path_list *list, const char *argument);

/* Adds a text as it is, or those on standard input for "-". */
void mm_path_list_add_text(mm_path_list *list, const char *argument);

/* Adds the lines of a file ("-" is standard input), blank ones left out; 0 if it cannot be read. */
int mm_path_list_read(mm_path_list *list, const char *file);
void mm_path_list_free(mm_path_list *list);

#endif
