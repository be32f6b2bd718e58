/* make_suite_tree.c - makes a small tree of the layout that a suite describes, for trying commands:
 *   make_suite_tree SUITE.json DIR DRAWING... */
#include "suite_tree.h"

#include <stdio.h>

int main(int argc, char **argv) {
    mm_suite suite;
    mmood_error error;
    if (argc < 4) {
        fprintf(stderr, "usage: make_suite_tree SUITE.json DIR DRAWING...\n");
        return 2;
    }
    if (mm_suite_load(&suite, argv[1], &error)) {
        fprintf(stderr, "%s\n", error.message);
        return 1;
    }
    int ok = suite_tree_make(&suite, argv[2], (const char *const *)argv + 3, (size_t)argc - 3);
    mm_suite_free(&suite);
    return ok ? 0 : 1;
}
