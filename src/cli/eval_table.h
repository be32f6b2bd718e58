/* eval_table.h - metrics of a table of scores, for mmood eval --from-csv. */
#ifndef MM_CLI_EVAL_TABLE_H
#define MM_CLI_EVAL_TABLE_H

#include "eval/metrics.h"

/* Prints the metrics of the table at `path` with intervals from `resamples` resamples (0: none);
 * `format` 0: for a terminal, 1: one JSON object a line, 2: CSV, 3: Markdown. An exit code. */
int eval_table(const char *path, mm_fpr fpr, int format, size_t resamples);

#endif
