/* verdicts.h - writing what a detector says of pictures: a table, JSON lines or CSV. */
#ifndef MM_CLI_VERDICTS_H
#define MM_CLI_VERDICTS_H

#include "base/buffer.h"
#include "mmood.h"

typedef enum verdict_format { VERDICT_TABLE, VERDICT_JSON, VERDICT_CSV } verdict_format;

enum { VERDICT_MAX_SCORES = 16 };

typedef struct verdict_writer {
    verdict_format format;
    size_t top;
    mmood_score_kind scores[VERDICT_MAX_SCORES]; /* further ones */
    size_t score_count;
    const mmood_detector *detector;
    mmood_detector_info info;
    double *cosines;
    mmood_match *matches;
    mm_buffer out;
} verdict_writer;

/* With format, top and scores set; 0 if memory is out. */
int verdict_writer_open(verdict_writer *writer, const mmood_detector *detector);
void verdict_writer_close(verdict_writer *writer);

/* The CSV header or the table's. */
void verdict_begin(verdict_writer *writer);

/* One row. `failure` is NULL, or why the picture could not be read; then `embedding` is not used.
 */
mmood_status verdict_write(verdict_writer *writer, const char *path, const float *embedding,
                           const char *failure, mmood_error *error);

#endif
