/* rows.c - a picture's row in JSON, and lists of further scores. */
#include "detect/rows.h"

#include "base/error.h"
#include "base/text.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* ---- Which scores -------------------------------------------------------------------------- */

int mm_score_list_add(mm_score_list *list, mmood_score_kind kind, const mmood_detector_info *info) {
    for (size_t i = 0; i < list->count; i++)
        if (list->settings[i].kind == kind)
            return 0;
    if (list->count == MM_MOST_SCORES)
        return 0;
    mmood_score_settings *settings = &list->settings[list->count++];
    *settings = info->score;
    if (kind != info->score.kind) {
        settings->kind = kind;
        settings->temperature = 0; /* the kind's own */
        settings->temperature = mmood_score_temperature(settings);
    }
    list->needs_patches |= mmood_score_needs_patches(kind);
    return 1;
}

void mm_score_list_all(mm_score_list *out, const mmood_detector_info *info) {
    *out = (mm_score_list){0};
    for (int kind = 0; mmood_score_name((mmood_score_kind)kind); kind++)
        if (info->outlier_count > 0 || !mmood_score_needs_outliers((mmood_score_kind)kind))
            mm_score_list_add(out, (mmood_score_kind)kind, info);
}

mmood_status mm_score_list_parse(mm_score_list *out, const char *names,
                                 const mmood_detector_info *info, mmood_error *error) {
    mmood_score_kind kind;
    mmood_status status = MMOOD_OK;
    char *copy = strdup(names), *state = NULL;
    *out = (mm_score_list){0};
    if (!copy)
        return mm_error_set(error, MMOOD_ERROR_MEMORY, "no memory for names of scores");
    for (char *name = strtok_r(copy, ",", &state); name && status == MMOOD_OK;
         name = strtok_r(NULL, ",", &state)) {
        mmood_error unknown;
        status = mmood_score_parse(&kind, name, &unknown);
        if (status != MMOOD_OK)
            mm_error_set(error, status, "%s; or \"all\"", unknown.message);
        else if (!mm_score_list_add(out, kind, info))
            status = mm_error_set(error, MMOOD_ERROR_ARGUMENT, "\"%s\" comes twice", name);
    }
    free(copy);
    return status;
}

/* ---- Rows ---------------------------------------------------------------------------------- */

static void put_top(mm_buffer *out, const mm_row_style *style, const mm_row *row, size_t ids) {
    if (row->failure) {
        mm_buffer_puts(out, "null");
        return;
    }
    mm_buffer_puts(out, "[");
    for (size_t i = 0; i < style->top; i++) {
        const mmood_match *match = &row->top[i];
        mm_buffer_puts(out, i ? ",{\"label\":" : "{\"label\":");
        mm_json_text(out, mmood_detector_label(style->detector, match->label));
        mm_buffer_printf(out,
                         ",\"kind\":\"%s\",\"cosine\":", match->label < ids ? "id" : "outlier");
        mm_json_number(out, match->cosine);
        mm_buffer_puts(out, ",\"probability\":");
        mm_json_number(out, match->probability);
        mm_buffer_puts(out, "}");
    }
    mm_buffer_puts(out, "]");
}

static void put_label(mm_buffer *out, const mmood_detector *detector, int known, size_t label) {
    mm_json_text(out, known ? mmood_detector_label(detector, label) : NULL);
}

void mm_row_members(mm_buffer *out, const mm_row_style *style, const mm_row *row) {
    mmood_detector_info info;
    const mmood_verdict *v = &row->verdict;
    int good = row->failure == NULL;
    mmood_detector_describe(style->detector, &info);
    mm_buffer_puts(out, "\"verdict\":");
    mm_json_text(out, !good ? NULL : v->is_id ? "id" : "ood");
    mm_buffer_printf(out, ",\"calibrated\":%s,\"score\":",
                     !good           ? "null"
                     : v->calibrated ? "true"
                                     : "false");
    mm_json_number(out, good ? v->score : NAN);
    mm_buffer_puts(out, ",\"threshold\":");
    mm_json_exact(out, good ? v->threshold : NAN);
    mm_buffer_puts(out, ",\"p_value\":");
    mm_json_number(out, good ? v->p_value : NAN);
    if (!isnan(style->fdr)) {
        mm_buffer_puts(out, ",\"fdr\":");
        mm_json_number(out, style->fdr);
    }
    mm_buffer_puts(out, ",\"label\":");
    put_label(out, style->detector, good, v->label);
    mm_buffer_puts(out, ",\"outlier\":");
    put_label(out, style->detector, good && v->outlier != SIZE_MAX, v->outlier);
    mm_buffer_puts(out, ",\"top\":");
    put_top(out, style, row, info.id_count);
    if (style->score_count) {
        mm_buffer_puts(out, ",\"scores\":{");
        for (size_t i = 0; i < style->score_count; i++) {
            mm_buffer_printf(out, "%s\"%s\":", i ? "," : "",
                             mmood_score_name(style->scores[i].kind));
            mm_json_number(out, good ? row->scores[i] : NAN);
        }
        mm_buffer_puts(out, "}");
    }
    mm_buffer_puts(out, ",\"error\":");
    mm_json_text(out, row->failure);
}
