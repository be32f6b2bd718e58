/* suite_tree.h - small folders of the layout that a suite describes, for tests. */
#ifndef MM_TESTS_SUITE_TREE_H
#define MM_TESTS_SUITE_TREE_H

#include "eval/suite.h"

/* Makes the suite's folders below `data`, two copies of a drawing a class, numbered 1 and 2: the
 * ID set's of drawings[0], the first OOD set's of drawings[1] and so on, round again. Sets without
 * classes get a folder "images". Lists name copies 1, flags leave out copies 2, and each set's
 * folder gets a file that is no picture. 0 and a message on stderr if something fails. */
int suite_tree_make(const mm_suite *suite, const char *data, const char *const *drawings,
                    size_t count);

/* Removes a folder and all in it. */
void suite_tree_remove(const char *folder);

#endif
