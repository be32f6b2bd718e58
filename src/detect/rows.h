/* rows.h - what is said of one picture as a JSON object, and which further scores are asked for:
 * shared by the program's commands and the server. */
#ifndef MM_DETECT_ROWS_H
#define MM_DETECT_ROWS_H

#include "base/buffer.h"
#include "mmood.h"

enum { MM_MOST_SCORES = 16 };

typedef struct mm_score_list {
    mmood_score_settings settings[MM_MOST_SCORES];
    size_t count;
    int needs_patches; /* one of these does */
} mm_score_list;

/* Adds one kind with its default temperature and the detector's other settings, the detector's own
 * kind with its own; 0 if it is there already or there is no room. */
int mm_score_list_add(mm_score_list *list, mmood_score_kind kind, const mmood_detector_info *info);

/* Every kind that the detector has labels for. */
void mm_score_list_all(mm_score_list *out, const mmood_detector_info *info);

/* The kinds that `names` has, separated by commas; ARGUMENT for an unknown one, or one that comes
 * twice. */
mmood_status mm_score_list_parse(mm_score_list *out, const char *names,
                                 const mmood_detector_info *info, mmood_error *error);

/* What a row's numbers belong to. */
typedef struct mm_row_style {
    const mmood_detector *detector;
    const mmood_score_settings *scores; /* further ones */
    size_t score_count;
    size_t top;
    double fdr; /* the false discovery rate that decided; NaN: the threshold did */
} mm_row_style;

/* One picture's results. */
typedef struct mm_row {
    const char *path;
    const char *failure; /* why it could not be read, or NULL; then nothing below is looked at */
    mmood_verdict verdict;
    const double *scores;   /* [score_count] */
    const mmood_match *top; /* [top] */
} mm_row;

/* "verdict" to "error" of the row's object, without braces and path. */
void mm_row_members(mm_buffer *out, const mm_row_style *style, const mm_row *row);

#endif
