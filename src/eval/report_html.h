/* report_html.h - an evaluation as one web page: nothing is loaded, no script is needed. */
#ifndef MM_EVAL_REPORT_HTML_H
#define MM_EVAL_REPORT_HTML_H

#include "base/buffer.h"
#include "eval/evaluation.h"

/* Appends the page to `out`; reads the files of up to 24 pictures that it shows. MEMORY only. */
mmood_status mm_report_html(mm_buffer *out, const mm_evaluation *evaluation, mmood_error *error);

#endif
