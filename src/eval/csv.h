/* csv.h - reading a table of scores: columns "set" and "score", as `mmood eval --from-csv` takes
 * it. */
#ifndef MM_EVAL_CSV_H
#define MM_EVAL_CSV_H

#include "mmood.h"

/* The scores of one set, in file order. */
typedef struct mm_score_set {
    char *name;
    double *scores;
    size_t count;
    size_t room;
} mm_score_set;

typedef struct mm_score_table {
    mm_score_set *sets; /* in order of first appearance */
    size_t count;
} mm_score_table;

/* Parses RFC 4180 CSV with a header line that names "set" and "score" among any columns. A score
 * may be infinite; one that is NaN or no number, or a row with too few fields, is an error that
 * names the line. Limits: 1,000 sets, 64 kB a field. The caller calls mm_score_table_free also
 * after a failure. */
mmood_status mm_score_table_parse(mm_score_table *out, const char *data, size_t size,
                                  mmood_error *error);
void mm_score_table_free(mm_score_table *table);

#endif
