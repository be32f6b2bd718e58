/* report_parts.h - the parts of the HTML report, and what they share. */
#ifndef MM_EVAL_REPORT_PARTS_H
#define MM_EVAL_REPORT_PARTS_H

#include "base/buffer.h"
#include "eval/evaluation.h"

/* The page's style sheet, with its element. */
void mm_report_style(mm_buffer *out);

/* Text with what HTML would act on escaped, in elements and in quoted attributes; what is not UTF-8
 * becomes U+FFFD, control characters spaces. */
void mm_html_text(mm_buffer *out, const char *text);

/* A share in per cent with one decimal, or a dash. */
void mm_html_share(mm_buffer *out, double share);

/* The label's text; "?" for an index that the detector does not have. */
const char *mm_html_label(const mm_evaluation *evaluation, size_t label);

/* A threshold of the score that keeps 95 % of ID, by the ID scores of the evaluation; NaN if they
 * are too few. MEMORY. */
mmood_status mm_report_threshold(double *out, const mm_evaluation *evaluation, size_t score,
                                 mmood_error *error);

/* Histograms, curves and thresholds of one score. */
mmood_status mm_report_score_part(mm_buffer *out, const mm_evaluation *evaluation, size_t score,
                                  mmood_error *error);

/* For every ID class its accuracy, for every OOD class what is taken for ID. */
mmood_status mm_report_classes_part(mm_buffer *out, const mm_evaluation *evaluation,
                                    mmood_error *error);

/* The pictures that the detector's own score gets the most wrong, with why. */
void mm_report_pictures_part(mm_buffer *out, const mm_evaluation *evaluation);

/* The outlier labels that are most often nearer to a picture than all ID labels. */
mmood_status mm_report_outliers_part(mm_buffer *out, const mm_evaluation *evaluation,
                                     mmood_error *error);

#endif
