/* similar.h - what a mistyped word may have meant. */
#ifndef MM_CLI_SIMILAR_H
#define MM_CLI_SIMILAR_H

#include <stddef.h>

/* How many letters have to be inserted, dropped, replaced or swapped with their neighbour to make
 * one word of the other (optimal string alignment); SIZE_MAX for words over 40 bytes. */
size_t similar_distance(const char *a, const char *b);

/* The most similar of several words, which are offered one after the other. Start with
 * {.word = what was typed}. */
typedef struct similar {
    const char *word;
    const char *best; /* NULL: none is at most two letters, and less than half of the word, off */
    size_t distance;
} similar;

void similar_offer(similar *s, const char *candidate);

#endif
