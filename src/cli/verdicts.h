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
    double fdr; /* the false discovery rate that decided; NaN: the threshold did */
    mm_buffer out;
} verdict_writer;

/* The CSV header or the table's. */
void verdict_begin(verdict_writer *writer);

/* One row; 0 if memory is out. */
int verdict_write(verdict_writer *writer, const mm_row *row);

#endif
