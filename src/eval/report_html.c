/* report_html.c - the HTML report: the page, its figures in a table, settings, what was odd. */
#include "eval/report_html.h"

#include "eval/report.h"
#include "eval/report_parts.h"

#include <math.h>
#include <string.h>

enum { UNREADABLE_SHOWN = 200 };

/* ---- What all parts use -------------------------------------------------------------------- */

void mm_html_text(mm_buffer *out, const char *text) {
    mm_buffer plain = {0};
    mm_report_utf8(&plain, text, ' ');
    for (size_t i = 0; i < plain.size; i++) {
        switch (plain.data[i]) {
        case '&':
            mm_buffer_puts(out, "&amp;");
            break;
        case '<':
            mm_buffer_puts(out, "&lt;");
            break;
        case '>':
            mm_buffer_puts(out, "&gt;");
            break;
        case '"':
            mm_buffer_puts(out, "&quot;");
            break;
        case '\'':
            mm_buffer_puts(out, "&#39;");
            break;
        default:
            mm_buffer_append(out, plain.data + i, 1);
        }
    }
    out->failed |= plain.failed;
    mm_buffer_free(&plain);
}

void mm_html_share(mm_buffer *out, double share) {
    if (isfinite(share))
        mm_buffer_printf(out, "%.1f", 100 * share);
    else
        mm_buffer_puts(out, "&ndash;");
}

const char *mm_html_label(const mm_evaluation *evaluation, size_t label) {
    mmood_detector_info info;
    if (!evaluation->detector)
        return "?";
    mmood_detector_describe(evaluation->detector, &info);
    if (label >= info.id_count + info.outlier_count)
        return "?";
    return mmood_detector_label(evaluation->detector, label);
}

/* ---- Figures ------------------------------------------------------------------------------- */

static void metric_cell(mm_buffer *out, double value, const mm_eval_result *result,
                        const mm_interval *interval) {
    mm_buffer_puts(out, "<td class=\"n\">");
    mm_html_share(out, value);
    if (result->has_intervals && isfinite(value)) {
        mm_buffer_puts(out, "<small>");
        mm_html_share(out, interval->low);
        mm_buffer_puts(out, " to ");
        mm_html_share(out, interval->high);
        mm_buffer_puts(out, "</small>");
    }
    mm_buffer_puts(out, "</td>");
}

static void metric_row(mm_buffer *out, const mm_evaluation *evaluation, size_t score, size_t set) {
    const mm_eval_result *r = mm_report_result(evaluation, score, set);
    mm_buffer_printf(out, "<tr%s><th scope=\"row\">", set ? "" : " class=\"mean\"");
    mm_html_text(out, set ? evaluation->sets[set].name : "mean over the sets");
    mm_buffer_puts(out, "</th>");
    metric_cell(out, r->value.auroc, r, &r->auroc);
    metric_cell(out, r->value.aupr_in, r, &r->aupr_in);
    metric_cell(out, r->value.aupr_out, r, &r->aupr_out);
    metric_cell(out, r->value.fpr95, r, &r->fpr95);
    if (set)
        mm_buffer_printf(out, "<td class=\"n\">%zu</td><td class=\"n\">%zu</td></tr>\n",
                         r->value.id_count, r->value.ood_count);
    else
        mm_buffer_puts(out, "<td></td><td></td></tr>\n");
}

static void metrics(mm_buffer *out, const mm_evaluation *evaluation) {
    mm_buffer_printf(out,
                     "<h2 id=\"figures\">Figures</h2>\n<p class=\"soft\">Per cent; ID is the "
                     "positive class. Below a figure: its 95 %% bootstrap interval, where one was "
                     "asked for.</p>\n<div class=\"wide\" tabindex=\"0\"><table><thead><tr>"
                     "<th scope=\"col\">OOD set</th><th class=\"n\" scope=\"col\">AUROC</th>"
                     "<th class=\"n\" scope=\"col\">AUPR-in</th><th class=\"n\" scope=\"col\">"
                     "AUPR-out</th><th class=\"n\" scope=\"col\">FPR95 (%s)</th>"
                     "<th class=\"n\" scope=\"col\">n ID</th><th class=\"n\" scope=\"col\">n OOD"
                     "</th></tr></thead>\n",
                     mm_fpr_name(evaluation->fpr));
    for (size_t score = 0; score < evaluation->score_count; score++) {
        mm_buffer_puts(out, "<tbody><tr><th colspan=\"7\" scope=\"rowgroup\">");
        mm_report_score(out, &evaluation->scores[score]);
        mm_buffer_puts(out, score == evaluation->own ? ", the detector&#39;s own" : "");
        mm_buffer_puts(out, "</th></tr>\n");
        for (size_t set = 1; set < evaluation->set_count; set++)
            metric_row(out, evaluation, score, set);
        if (mm_report_has_mean(evaluation))
            metric_row(out, evaluation, score, 0);
        mm_buffer_puts(out, "</tbody>\n");
    }
    mm_buffer_puts(out, "</table></div>\n");
}

static void published(mm_buffer *out, const mm_evaluation *evaluation) {
    if (evaluation->published_count == 0)
        return;
    mm_buffer_puts(out,
                   "<h3>Published figures beside ours</h3>\n<div class=\"wide\" tabindex=\"0\">"
                   "<table><thead><tr><th scope=\"col\">method</th><th scope=\"col\">OOD set"
                   "</th><th class=\"n\" scope=\"col\">AUROC</th><th class=\"n\" "
                   "scope=\"col\">FPR95</th><th scope=\"col\">our score</th><th class=\"n\" "
                   "scope=\"col\">our AUROC</th><th class=\"n\" scope=\"col\">our FPR95</th>"
                   "<th scope=\"col\">source</th></tr></thead><tbody>\n");
    for (size_t i = 0; i < evaluation->published_count; i++) {
        const mm_published *p = &evaluation->published[i];
        size_t score;
        const mm_eval_result *ours = mm_report_beside(&score, evaluation, p);
        mm_buffer_puts(out, "<tr><th scope=\"row\">");
        mm_html_text(out, p->method);
        mm_buffer_puts(out, "</th><td>");
        mm_html_text(out, p->set);
        mm_buffer_puts(out, "</td><td class=\"n\">");
        mm_html_share(out, p->auroc);
        mm_buffer_puts(out, "</td><td class=\"n\">");
        mm_html_share(out, p->fpr95);
        mm_buffer_printf(out, "</td><td>%s</td><td class=\"n\">",
                         mm_report_score_name(&evaluation->scores[score]));
        mm_html_share(out, ours ? ours->value.auroc : NAN);
        mm_buffer_puts(out, "</td><td class=\"n\">");
        mm_html_share(out, ours ? ours->value.fpr95 : NAN);
        mm_buffer_puts(out, "</td><td>");
        mm_html_text(out, p->source ? p->source : "");
        mm_buffer_puts(out, "</td></tr>\n");
    }
    mm_buffer_puts(out, "</tbody></table></div>\n");
}

/* ---- What was odd -------------------------------------------------------------------------- */

static void warnings(mm_buffer *out, const mm_evaluation *evaluation) {
    if (evaluation->warning_count == 0)
        return;
    mm_buffer_puts(out, "<div class=\"warn\" role=\"note\"><strong>Warnings</strong><ul>\n");
    for (size_t i = 0; i < evaluation->warning_count; i++) {
        mm_buffer_puts(out, "<li>");
        mm_html_text(out, evaluation->warnings[i]);
        mm_buffer_puts(out, "</li>\n");
    }
    mm_buffer_puts(out, "</ul></div>\n");
}

static size_t count_bad(const mm_evaluation *evaluation) {
    size_t bad = 0;
    for (size_t i = 0; i < evaluation->set_count; i++)
        for (size_t k = 0; k < evaluation->sets[i].count; k++)
            bad += evaluation->sets[i].items[k].error != NULL;
    return bad;
}

static void unreadable(mm_buffer *out, const mm_evaluation *evaluation) {
    size_t bad = count_bad(evaluation), shown = 0;
    mm_buffer_puts(out, "<h2 id=\"unreadable\">Unreadable pictures</h2>\n");
    if (bad == 0) {
        mm_buffer_puts(out, "<p>None.</p>\n");
        return;
    }
    mm_buffer_puts(out, "<p>They take no part in any figure.</p>\n<div class=\"wide\" "
                        "tabindex=\"0\"><table><thead><tr><th scope=\"col\">set</th><th "
                        "scope=\"col\">picture</th><th scope=\"col\">why</th></tr></thead>"
                        "<tbody>\n");
    for (size_t i = 0; i < evaluation->set_count; i++)
        for (size_t k = 0; k < evaluation->sets[i].count && shown < UNREADABLE_SHOWN; k++) {
            const mm_eval_item *item = &evaluation->sets[i].items[k];
            if (!item->error)
                continue;
            mm_buffer_puts(out, "<tr><td>");
            mm_html_text(out, evaluation->sets[i].name);
            mm_buffer_puts(out, "</td><td class=\"path\">");
            mm_html_text(out, item->path);
            mm_buffer_puts(out, "</td><td class=\"path\">");
            mm_html_text(out, item->error);
            mm_buffer_puts(out, "</td></tr>\n");
            shown++;
        }
    mm_buffer_puts(out, "</tbody></table></div>\n");
    if (bad > shown)
        mm_buffer_printf(out, "<p>And %zu more.</p>\n", bad - shown);
}

/* ---- Settings ------------------------------------------------------------------------------ */

static void entry(mm_buffer *out, const char *name, const char *value) {
    mm_buffer_printf(out, "<dt>%s</dt><dd>", name);
    mm_html_text(out, value);
    mm_buffer_puts(out, "</dd>\n");
}

static void detector_settings(mm_buffer *out, const mmood_detector *detector) {
    mmood_detector_info info;
    if (!detector)
        return;
    mmood_detector_describe(detector, &info);
    entry(out, "model", info.model_path);
    entry(out, "its fingerprint", info.model_fingerprint);
    entry(out, "precision", mmood_precision_name(info.precision));
    mm_buffer_printf(out, "<dt>labels</dt><dd>%zu ID, %zu outliers</dd>\n<dt>templates</dt><dd>",
                     info.id_count, info.outlier_count);
    for (size_t i = 0; i < info.template_count; i++) {
        mm_buffer_puts(out, i ? "<br>&quot;" : "&quot;");
        mm_html_text(out, mmood_detector_template(detector, i));
        mm_buffer_puts(out, "&quot;");
    }
    mm_buffer_puts(out, "</dd>\n<dt>own score</dt><dd>");
    mm_report_score(out, &info.score);
    mm_buffer_puts(out, "</dd>\n<dt>threshold</dt><dd>");
    if (info.calibrated)
        mm_buffer_printf(out, "%.9g, calibrated before", info.threshold);
    else
        mm_buffer_puts(out, "none: not calibrated");
    mm_buffer_puts(out, "</dd>\n");
}

static void settings(mm_buffer *out, const mm_evaluation *evaluation) {
    mm_buffer_puts(out, "<h2 id=\"settings\">Settings and sets</h2>\n<dl>\n");
    detector_settings(out, evaluation->detector);
    entry(out, "FPR95 definition", mm_fpr_name(evaluation->fpr));
    entry(out, "made with", "mmood " MMOOD_VERSION_STRING);
    mm_buffer_puts(out, "</dl>\n<div class=\"wide\" tabindex=\"0\"><table><thead><tr><th "
                        "scope=\"col\">kind</th><th scope=\"col\">set</th><th class=\"n\" "
                        "scope=\"col\">pictures</th><th class=\"n\" scope=\"col\">unreadable</th>"
                        "<th class=\"n\" scope=\"col\">classes</th><th scope=\"col\">from</th></tr>"
                        "</thead><tbody>\n");
    for (size_t i = 0; i < evaluation->set_count; i++) {
        const mm_eval_set *set = &evaluation->sets[i];
        mm_buffer_printf(out, "<tr><td>%s</td><th scope=\"row\">", i ? "OOD" : "ID");
        mm_html_text(out, set->name);
        mm_buffer_printf(out,
                         "</th><td class=\"n\">%zu</td><td class=\"n\">%zu</td><td class=\"n\">",
                         set->count, set->bad);
        if (set->group_count > 0)
            mm_buffer_printf(out, "%zu", set->group_count);
        mm_buffer_puts(out, "</td><td class=\"path\">");
        mm_html_text(out, set->path ? set->path : "");
        mm_buffer_puts(out, "</td></tr>\n");
    }
    mm_buffer_puts(out, "</tbody></table></div>\n");
}

/* ---- The page ------------------------------------------------------------------------------ */

/* What a reader wants first, in a sentence. */
static void lead(mm_buffer *out, const mm_evaluation *evaluation) {
    if (evaluation->set_count < 2)
        return;
    size_t set = mm_report_has_mean(evaluation) ? 0 : 1;
    const mm_metrics *m = &mm_report_result(evaluation, evaluation->own, set)->value;
    mm_buffer_puts(out, "<p class=\"lead\">");
    mm_buffer_printf(out, "<strong>%s</strong>: AUROC ",
                     mm_report_score_name(&evaluation->scores[evaluation->own]));
    mm_html_share(out, m->auroc);
    mm_buffer_printf(out, " %%, FPR95 (%s) ", mm_fpr_name(evaluation->fpr));
    mm_html_share(out, m->fpr95);
    mm_buffer_puts(out, " %, ");
    if (set == 0)
        mm_buffer_printf(out, "the mean over %zu OOD sets.", evaluation->set_count - 1);
    else {
        mm_buffer_puts(out, "against ");
        mm_html_text(out, evaluation->sets[1].name);
        mm_buffer_puts(out, ".");
    }
    if (!isnan(evaluation->accuracy)) {
        mm_buffer_puts(out, " Of the ID pictures ");
        mm_html_share(out, evaluation->accuracy);
        mm_buffer_printf(out,
                         " %% are nearest to their own label (zero-shot accuracy, %zu "
                         "pictures).",
                         evaluation->accuracy_count);
    }
    size_t bad = count_bad(evaluation);
    if (bad > 0)
        mm_buffer_printf(out, " <a href=\"#unreadable\">%zu picture%s could not be read.</a>", bad,
                         bad > 1 ? "s" : "");
    mm_buffer_puts(out, "</p>\n");
}

static void head(mm_buffer *out, const mm_evaluation *evaluation) {
    const char *title = evaluation->title ? evaluation->title : "Out-of-distribution evaluation";
    mm_buffer_puts(out, "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
                        "<meta name=\"viewport\" content=\"width=device-width,initial-scale=1\">\n"
                        /* Nothing is fetched and nothing runs, whatever a name holds. */
                        "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src "
                        "'none'; img-src data:; style-src 'unsafe-inline'\">\n<title>");
    mm_html_text(out, title);
    mm_buffer_puts(out, "</title>\n");
    mm_report_style(out);
    mm_buffer_puts(out, "</head>\n<body>\n<header><h1>");
    mm_html_text(out, title);
    mm_buffer_puts(out, "</h1>\n");
    lead(out, evaluation);
    mm_buffer_puts(out, "<nav aria-label=\"Parts\"><a href=\"#figures\">Figures</a> <a "
                        "href=\"#scores\">Scores</a> <a href=\"#classes\">Classes</a> <a "
                        "href=\"#pictures\">Pictures</a> <a href=\"#outliers\">Outlier labels</a> "
                        "<a href=\"#unreadable\">Unreadable</a> <a href=\"#settings\">Settings</a>"
                        "</nav></header>\n<main>\n");
}

static mmood_status scores(mm_buffer *out, const mm_evaluation *evaluation, mmood_error *error) {
    mm_buffer_puts(out, "<h2 id=\"scores\">Scores</h2>\n<h3>");
    mm_report_score(out, &evaluation->scores[evaluation->own]);
    mm_buffer_puts(out, ", the detector&#39;s own</h3>\n");
    mmood_status status = mm_report_score_part(out, evaluation, evaluation->own, error);
    for (size_t i = 0; i < evaluation->score_count && status == MMOOD_OK; i++) {
        if (i == evaluation->own)
            continue;
        mm_buffer_puts(out, "<details><summary>");
        mm_report_score(out, &evaluation->scores[i]);
        mm_buffer_puts(out, "</summary>\n");
        status = mm_report_score_part(out, evaluation, i, error);
        mm_buffer_puts(out, "</details>\n");
    }
    return status;
}

mmood_status mm_report_html(mm_buffer *out, const mm_evaluation *evaluation, mmood_error *error) {
    head(out, evaluation);
    warnings(out, evaluation);
    metrics(out, evaluation);
    published(out, evaluation);
    mmood_status status = scores(out, evaluation, error);
    if (status == MMOOD_OK)
        status = mm_report_classes_part(out, evaluation, error);
    if (status == MMOOD_OK) {
        mm_report_pictures_part(out, evaluation);
        status = mm_report_outliers_part(out, evaluation, error);
    }
    if (status != MMOOD_OK)
        return status;
    unreadable(out, evaluation);
    settings(out, evaluation);
    mm_buffer_puts(out, "</main>\n</body>\n</html>\n");
    return mm_report_done(out, error);
}
