/* wordnet.h - the words of WordNet's database files data.noun and data.adj, as lists of candidates
 * for outlier labels. The format is that of wndb(5WN), version 3.0 and relatives. */
#ifndef MM_ENVISION_WORDNET_H
#define MM_ENVISION_WORDNET_H

#include "base/buffer.h"
#include "mmood.h"

typedef enum mm_wordnet_kind { MM_WORDNET_NOUN = 0, MM_WORDNET_ADJECTIVE } mm_wordnet_kind;

typedef struct mm_wordnet_word {
    size_t text; /* where it begins in the texts; mm_wordnet_text gives it */
    mm_wordnet_kind kind;
    int file; /* number of its lexicographer file, such as 5 for noun.animal */
} mm_wordnet_word;

/* Zero-initialise to start, with the two choices set. Words are lower-case, in file order, with
 * spaces for underscores, and each is there once. */
typedef struct mm_wordnet {
    int all_lemmas;    /* 0: only the first word of each synset, as NegLabel's lists have it */
    uint64_t left_out; /* a bit for each lexicographer file whose synsets are passed over */
    mm_wordnet_word *words;
    size_t count;
    size_t duplicates;  /* words met again, and left out */
    size_t passed_over; /* synsets of the files left out */
    char version[16];   /* as the licence at the top names it, such as "3.0"; "" if it does not */
    size_t room;
    mm_buffer texts;
    size_t *slots; /* hash table: position + 1 of a word, or 0 */
    size_t slot_count;
} mm_wordnet;

/* Adds the words of one database file. FORMAT with the line number if it is not one; LIMIT over 64
 * MB or a million words. */
mmood_status mm_wordnet_add(mm_wordnet *wordnet, const void *data, size_t size,
                            mm_wordnet_kind kind, mmood_error *error);

const char *mm_wordnet_text(const mm_wordnet *wordnet, size_t index);

/* The position of a word, or SIZE_MAX. */
size_t mm_wordnet_find(const mm_wordnet *wordnet, const char *text);

/* The name of a lexicographer file, such as "noun.animal"; NULL if the number has none here. */
const char *mm_wordnet_file_name(int file);

/* Its number, or -1. */
int mm_wordnet_file_number(const char *name);

void mm_wordnet_free(mm_wordnet *wordnet);

#endif
