/* report.c - what the reports of an evaluation share. */
#include "eval/report.h"

#include "base/error.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <utf8proc.h>

const char *mm_report_score_name(const mmood_score_settings *settings) {
    const char *name = mmood_score_name(settings->kind);
    return name ? name : "unknown";
}

void mm_report_score(mm_buffer *out, const mmood_score_settings *settings) {
    const char *name = mm_report_score_name(settings);
    mm_buffer_puts(out, name);
    /* The scores of plain cosines have no temperature. */
    if (strncmp(name, "max-logit", 9) == 0)
        return;
    mm_buffer_printf(out, " (T = %g", settings->temperature);
    if (settings->kind == MMOOD_SCORE_MM_OOD)
        mm_buffer_printf(out, ", beta = %g", settings->beta);
    if (settings->kind == MMOOD_SCORE_GL_MCM)
        mm_buffer_printf(out, ", lambda = %g", settings->lambda);
    if (settings->kind == MMOOD_SCORE_NEGLABEL || settings->kind == MMOOD_SCORE_CSP)
        mm_buffer_printf(out, ", %u groups, seed %u", settings->groups ? settings->groups : 100,
                         settings->seed);
    mm_buffer_puts(out, ")");
}

const mm_eval_result *mm_report_result(const mm_evaluation *evaluation, size_t score, size_t set) {
    if (set == 0)
        return &evaluation->means[score];
    return &evaluation->results[score * (evaluation->set_count - 1) + set - 1];
}

int mm_report_has_mean(const mm_evaluation *evaluation) {
    return evaluation->set_count > 2;
}

/* The evaluated score with the method's name, letters of any case; else the detector's own. */
static size_t score_of_method(const mm_evaluation *evaluation, const char *method) {
    char name[32];
    size_t length = strlen(method);
    mmood_score_kind kind;
    if (length >= sizeof name)
        return evaluation->own;
    for (size_t i = 0; i <= length; i++)
        name[i] = (char)(method[i] >= 'A' && method[i] <= 'Z' ? method[i] - 'A' + 'a' : method[i]);
    if (mmood_score_parse(&kind, name, NULL) != MMOOD_OK ||
        evaluation->scores[evaluation->own].kind == kind)
        return evaluation->own;
    for (size_t i = 0; i < evaluation->score_count; i++)
        if (evaluation->scores[i].kind == kind)
            return i;
    return evaluation->own;
}

const mm_eval_result *mm_report_beside(size_t *score, const mm_evaluation *evaluation,
                                       const mm_published *published) {
    *score = score_of_method(evaluation, published->method);
    for (size_t i = 1; i < evaluation->set_count; i++)
        if (strcmp(evaluation->sets[i].name, published->set) == 0)
            return mm_report_result(evaluation, *score, i);
    if (strcmp(published->set, "mean") == 0 && evaluation->set_count > 1)
        return mm_report_result(evaluation, *score, 0);
    return NULL;
}

double *mm_report_scores(size_t *count, const mm_eval_set *set, size_t score) {
    double *scores = malloc((set->count + 1) * sizeof *scores);
    *count = 0;
    for (size_t i = 0; scores && i < set->count; i++)
        if (!set->items[i].error && !isnan(set->items[i].scores[score]))
            scores[(*count)++] = set->items[i].scores[score];
    return scores;
}

void mm_report_utf8(mm_buffer *out, const char *text, char control) {
    while (*text) {
        utf8proc_int32_t code;
        utf8proc_ssize_t n = utf8proc_iterate((const utf8proc_uint8_t *)text,
                                              (utf8proc_ssize_t)strnlen(text, 4), &code);
        if (n <= 0)
            mm_buffer_puts(out, "\xef\xbf\xbd");
        else if (code < 0x20 || (code >= 0x7f && code < 0xa0))
            mm_buffer_append(out, &control, 1);
        else
            mm_buffer_append(out, text, (size_t)n);
        text += n > 0 ? n : 1;
    }
}

mmood_status mm_report_done(const mm_buffer *out, mmood_error *error) {
    if (out->failed)
        return mm_error_set(error, MMOOD_ERROR_MEMORY, "no memory for the report");
    return MMOOD_OK;
}
