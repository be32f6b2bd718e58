/* verdicts.h - writing what a detector says of pictures: a table, JSON lines or CSV. */
#ifndef MM_CLI_VERDICTS_H
#define MM_CLI_VERDICTS_H

#include "base/buffer.h"
#include "cli/detectors.h"

typedef enum verdict_format { VERDICT_TABLE, VERDICT_JSON, VERDICT_CSV } verdict_format;

typedef struct verdict_writer {
    verdict_format format;
    const mmood_detector *detector;
    mmood_detector_info info;
    const mm_score_list *scores; /* further ones */
    size_t top;
    size_t path_width; /* columns of a path in the table, at least 4 */
    const char *dots;  /* stand before the end of a path that is longer */
    double fdr;        /* the false discovery rate that decided; NaN: the threshold did */
    mm_buffer out;
} verdict_writer;

/* Columns for the paths in a table: 36, or on a terminal of `terminal` columns (0: none) as many as
 * the longest path needs, up to a third of them. */
size_t verdict_path_width(char *const *paths, size_t count, size_t terminal);

/* The CSV header or the table's. */
void verdict_begin(verdict_writer *writer);

/* One row; 0 if memory is out. */
int verdict_write(verdict_writer *writer, const mm_row *row);

#endif
