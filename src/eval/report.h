/* report.h - what the reports of an evaluation share: looking things up, and naming them. */
#ifndef MM_EVAL_REPORT_H
#define MM_EVAL_REPORT_H

#include "base/buffer.h"
#include "eval/evaluation.h"

/* "mm-ood (T = 1, beta = 0.25)": the name and the settings that matter to it. */
void mm_report_score(mm_buffer *out, const mmood_score_settings *settings);

/* The name of a score; "unknown" for a kind that has none. */
const char *mm_report_score_name(const mmood_score_settings *settings);

/* A score against the OOD set sets[set], set >= 1; set 0: the mean over the OOD sets. */
const mm_eval_result *mm_report_result(const mm_evaluation *evaluation, size_t score, size_t set);

/* 1 if there is a mean worth a row: more than one OOD set. */
int mm_report_has_mean(const mm_evaluation *evaluation);

/* Our figures that a published one stands beside: of the score that the method's name says, or of
 * the detector's own, which goes to `*score`. NULL if its set was not evaluated. */
const mm_eval_result *mm_report_beside(size_t *score, const mm_evaluation *evaluation,
                                       const mm_published *published);

/* The scores of the readable pictures of a set, without NaN, in memory that the caller frees; NULL
 * if memory is out. */
double *mm_report_scores(size_t *count, const mm_eval_set *set, size_t score);

/* Text as valid UTF-8: bytes that are not become U+FFFD; control characters become `control`. */
void mm_report_utf8(mm_buffer *out, const char *text, char control);

/* OK, or MEMORY if the buffer failed. */
mmood_status mm_report_done(const mm_buffer *out, mmood_error *error);

#endif
