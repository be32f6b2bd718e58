/* report_data.c - an evaluation for programs: JSON, one object a line, and CSV. */
#include "eval/report_text.h"

#include "base/text.h"
#include "eval/report.h"

#include <math.h>

typedef void write_row(mm_buffer *out, const mm_evaluation *evaluation, size_t score, size_t set);

/* Every score with every OOD set, then its mean. */
static void each_row(mm_buffer *out, const mm_evaluation *evaluation, write_row *row) {
    for (size_t score = 0; score < evaluation->score_count; score++) {
        for (size_t set = 1; set < evaluation->set_count; set++)
            row(out, evaluation, score, set);
        if (mm_report_has_mean(evaluation))
            row(out, evaluation, score, 0);
    }
}

/* The same digits as `eval --from-csv` prints. */
static void json_share(mm_buffer *out, const char *key, double value) {
    mm_buffer_printf(out, ",\"%s\":", key);
    if (isfinite(value))
        mm_buffer_printf(out, "%.12g", value);
    else
        mm_buffer_puts(out, "null");
}

static void json_interval(mm_buffer *out, const char *key, const mm_interval *interval) {
    mm_buffer_printf(out, ",\"%s_interval\":[", key);
    mm_json_number(out, interval->low);
    mm_buffer_puts(out, ",");
    mm_json_number(out, interval->high);
    mm_buffer_puts(out, "]");
}

static void json_settings(mm_buffer *out, const mmood_score_settings *settings) {
    mm_json_text(out, mm_report_score_name(settings));
    mm_buffer_puts(out, ",\"temperature\":");
    mm_json_number(out, settings->temperature);
    mm_buffer_puts(out, ",\"beta\":");
    mm_json_number(out, settings->beta);
    mm_buffer_puts(out, ",\"lambda\":");
    mm_json_number(out, settings->lambda);
    mm_buffer_printf(out, ",\"groups\":%u,\"seed\":%u", settings->groups, settings->seed);
}

static void json_row(mm_buffer *out, const mm_evaluation *evaluation, size_t score, size_t set) {
    const mm_eval_result *result = mm_report_result(evaluation, score, set);
    const mm_metrics *m = &result->value;
    mm_buffer_printf(out, "{\"type\":\"%s\",\"score\":", set ? "result" : "mean");
    json_settings(out, &evaluation->scores[score]);
    mm_buffer_printf(out, ",\"own\":%s,\"set\":", score == evaluation->own ? "true" : "false");
    mm_json_text(out, set ? evaluation->sets[set].name : "mean");
    json_share(out, "fpr95", m->fpr95);
    mm_buffer_printf(out, ",\"fpr95_definition\":\"%s\"", mm_fpr_name(evaluation->fpr));
    json_share(out, "auroc", m->auroc);
    json_share(out, "aupr_in", m->aupr_in);
    json_share(out, "aupr_out", m->aupr_out);
    mm_buffer_printf(out, ",\"n_id\":%zu,\"n_ood\":%zu", m->id_count, m->ood_count);
    if (result->has_intervals) {
        json_interval(out, "fpr95", &result->fpr95);
        json_interval(out, "auroc", &result->auroc);
        json_interval(out, "aupr_in", &result->aupr_in);
        json_interval(out, "aupr_out", &result->aupr_out);
    }
    mm_buffer_puts(out, "}\n");
}

static void json_sets(mm_buffer *out, const mm_evaluation *evaluation) {
    mm_buffer_puts(out, ",\"sets\":[");
    for (size_t i = 0; i < evaluation->set_count; i++) {
        const mm_eval_set *set = &evaluation->sets[i];
        mm_buffer_printf(out, "%s{\"name\":", i ? "," : "");
        mm_json_text(out, set->name);
        mm_buffer_printf(out, ",\"kind\":\"%s\",", i ? "ood" : "id");
        mm_json_path(out, set->path ? set->path : "");
        mm_buffer_printf(out, ",\"count\":%zu,\"bad\":%zu,\"groups\":%zu}", set->count, set->bad,
                         set->group_count);
    }
    mm_buffer_puts(out, "],\"unreadable\":[");
    const char *comma = "";
    for (size_t i = 0; i < evaluation->set_count; i++)
        for (size_t k = 0; k < evaluation->sets[i].count; k++) {
            const mm_eval_item *item = &evaluation->sets[i].items[k];
            if (!item->error)
                continue;
            mm_buffer_printf(out, "%s{\"set\":", comma);
            mm_json_text(out, evaluation->sets[i].name);
            mm_buffer_puts(out, ",");
            mm_json_path(out, item->path);
            mm_buffer_puts(out, ",\"error\":");
            mm_json_text(out, item->error);
            mm_buffer_puts(out, "}");
            comma = ",";
        }
    mm_buffer_puts(out, "]");
}

static void json_detector(mm_buffer *out, const mmood_detector *detector) {
    if (!detector) {
        mm_buffer_puts(out, ",\"detector\":null");
        return;
    }
    mmood_detector_info info;
    mmood_detector_describe(detector, &info);
    mm_buffer_puts(out, ",\"detector\":{\"model\":{");
    mm_json_path(out, info.model_path);
    mm_buffer_puts(out, ",\"fingerprint\":");
    mm_json_text(out, info.model_fingerprint);
    mm_buffer_puts(out, ",\"precision\":");
    mm_json_text(out, mmood_precision_name(info.precision));
    mm_buffer_printf(out, "},\"id_labels\":%zu,\"outlier_labels\":%zu,\"templates\":[",
                     info.id_count, info.outlier_count);
    for (size_t i = 0; i < info.template_count; i++) {
        mm_buffer_puts(out, i ? "," : "");
        mm_json_text(out, mmood_detector_template(detector, i));
    }
    mm_buffer_puts(out, "],\"score\":");
    json_settings(out, &info.score);
    mm_buffer_puts(out, ",\"threshold\":");
    mm_json_exact(out, info.calibrated ? info.threshold : NAN);
    mm_buffer_puts(out, "}");
}

static void json_published(mm_buffer *out, const mm_evaluation *evaluation) {
    mm_buffer_puts(out, ",\"published\":[");
    for (size_t i = 0; i < evaluation->published_count; i++) {
        const mm_published *p = &evaluation->published[i];
        size_t score;
        const mm_eval_result *ours = mm_report_beside(&score, evaluation, p);
        mm_buffer_printf(out, "%s{\"method\":", i ? "," : "");
        mm_json_text(out, p->method);
        mm_buffer_puts(out, ",\"set\":");
        mm_json_text(out, p->set);
        json_share(out, "fpr95", p->fpr95);
        json_share(out, "auroc", p->auroc);
        mm_buffer_puts(out, ",\"source\":");
        mm_json_text(out, p->source);
        mm_buffer_puts(out, ",\"our_score\":");
        mm_json_text(out, mm_report_score_name(&evaluation->scores[score]));
        json_share(out, "our_fpr95", ours ? ours->value.fpr95 : NAN);
        json_share(out, "our_auroc", ours ? ours->value.auroc : NAN);
        mm_buffer_puts(out, "}");
    }
    mm_buffer_puts(out, "]");
}

static void json_summary(mm_buffer *out, const mm_evaluation *evaluation) {
    size_t bad = 0;
    for (size_t i = 0; i < evaluation->set_count; i++)
        bad += evaluation->sets[i].bad;
    mm_buffer_puts(out, "{\"type\":\"summary\",\"title\":");
    mm_json_text(out, evaluation->title);
    mm_buffer_printf(out, ",\"version\":\"%s\",\"fpr95_definition\":\"%s\"", mmood_version(),
                     mm_fpr_name(evaluation->fpr));
    json_share(out, "accuracy", evaluation->accuracy);
    mm_buffer_printf(out, ",\"accuracy_count\":%zu,\"bad\":%zu,\"warnings\":[",
                     evaluation->accuracy_count, bad);
    for (size_t i = 0; i < evaluation->warning_count; i++) {
        mm_buffer_puts(out, i ? "," : "");
        mm_json_text(out, evaluation->warnings[i]);
    }
    mm_buffer_puts(out, "]");
    json_sets(out, evaluation);
    json_published(out, evaluation);
    json_detector(out, evaluation->detector);
    mm_buffer_puts(out, "}\n");
}

mmood_status mm_report_json(mm_buffer *out, const mm_evaluation *evaluation, mmood_error *error) {
    each_row(out, evaluation, json_row);
    json_summary(out, evaluation);
    return mm_report_done(out, error);
}

static void csv_metric(mm_buffer *out, double value, const mm_eval_result *result,
                       const mm_interval *interval) {
    mm_buffer_puts(out, ",");
    mm_csv_number(out, value);
    mm_buffer_puts(out, ",");
    mm_csv_number(out, result->has_intervals ? interval->low : NAN);
    mm_buffer_puts(out, ",");
    mm_csv_number(out, result->has_intervals ? interval->high : NAN);
}

static void csv_row(mm_buffer *out, const mm_evaluation *evaluation, size_t score, size_t set) {
    const mm_eval_result *result = mm_report_result(evaluation, score, set);
    const mmood_score_settings *settings = &evaluation->scores[score];
    size_t bad = 0;
    for (size_t i = 1; i < evaluation->set_count; i++)
        bad += set == 0 || set == i ? evaluation->sets[i].bad : 0;
    mm_buffer_printf(out, "%s,", set ? "result" : "mean");
    mm_csv_text(out, mm_report_score_name(settings));
    mm_buffer_puts(out, ",");
    mm_csv_number(out, settings->temperature);
    mm_buffer_puts(out, ",");
    mm_csv_number(out, settings->beta);
    mm_buffer_puts(out, ",");
    mm_csv_text(out, set ? evaluation->sets[set].name : "mean");
    csv_metric(out, result->value.fpr95, result, &result->fpr95);
    csv_metric(out, result->value.auroc, result, &result->auroc);
    csv_metric(out, result->value.aupr_in, result, &result->aupr_in);
    csv_metric(out, result->value.aupr_out, result, &result->aupr_out);
    mm_buffer_printf(out, ",%s,%zu,%zu,%zu,%zu\n", mm_fpr_name(evaluation->fpr),
                     result->value.id_count, result->value.ood_count, evaluation->sets[0].bad, bad);
}

mmood_status mm_report_csv(mm_buffer *out, const mm_evaluation *evaluation, mmood_error *error) {
    mm_buffer_puts(out, "type,score,temperature,beta,set,fpr95,fpr95_low,fpr95_high,auroc,auroc_"
                        "low,auroc_high,aupr_in,aupr_in_low,aupr_in_high,aupr_out,aupr_out_low,"
                        "aupr_out_high,fpr95_definition,n_id,n_ood,bad_id,bad_ood\n");
    each_row(out, evaluation, csv_row);
    return mm_report_done(out, error);
}
