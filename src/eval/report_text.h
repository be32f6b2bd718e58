/* report_text.h - an evaluation as text: for a terminal, as Markdown, as JSON and as CSV. */
#ifndef MM_EVAL_REPORT_TEXT_H
#define MM_EVAL_REPORT_TEXT_H

#include "base/buffer.h"
#include "eval/evaluation.h"

/* All append to `out`; MEMORY if that fails. docs/report.md says what they hold. */

/* At most 100 columns; per cent. */
mmood_status mm_report_table(mm_buffer *out, const mm_evaluation *evaluation, mmood_error *error);
mmood_status mm_report_markdown(mm_buffer *out, const mm_evaluation *evaluation,
                                mmood_error *error);

/* One object a line: a "result" for every score and OOD set, a "mean" for every score if there are
 * several sets, and a "summary" last. Shares, not per cent; null for what there is not. */
mmood_status mm_report_json(mm_buffer *out, const mm_evaluation *evaluation, mmood_error *error);

/* A header and the same rows, without the summary; empty fields for what there is not. */
mmood_status mm_report_csv(mm_buffer *out, const mm_evaluation *evaluation, mmood_error *error);

#endif
