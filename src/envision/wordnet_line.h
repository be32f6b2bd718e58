/* wordnet_line.h - the lines and fields of WordNet's database files. */
#ifndef MM_ENVISION_WORDNET_LINE_H
#define MM_ENVISION_WORDNET_LINE_H

#include "mmood.h"

enum { MM_WORDNET_MAX_FILE = 64 << 20 };

/* Where a line is read; `number` counts from 1. */
typedef struct mm_wordnet_line {
    const char *at;
    const char *end;
    size_t number;
} mm_wordnet_line;

/* Takes the next line off `text`; 0 at the end. Zero-initialise `line` for the first. */
int mm_wordnet_next_line(mm_wordnet_line *line, const char **text, const char *end);

/* Lines of the licence begin with two spaces. */
int mm_wordnet_is_licence(const mm_wordnet_line *line);

/* The next field, up to a space; empty at the end of the line. */
size_t mm_wordnet_field(mm_wordnet_line *line, const char **field);

/* A number of exactly `digits` digits (0: of 1 to 8) in `base`; -1 if it is not one. */
int mm_wordnet_number(const char *field, size_t size, size_t digits, int base);

/* FORMAT: the line, what it has and what should be there. */
mmood_status mm_wordnet_wrong(const mm_wordnet_line *line, const char *field, size_t size,
                              const char *expected, mmood_error *error);

#endif
