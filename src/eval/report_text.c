/* report_text.c - an evaluation for people: a table for a terminal of 100 columns, and Markdown. */
#include "eval/report_text.h"

#include "base/text.h"
#include "eval/report.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

enum { COLUMNS = 100, METRICS = 4, WARNINGS_SHOWN = 20 };

/* A share in per cent, with its interval: "87.7 [85.1, 90.2]". 100 loses its decimal beside an
 * interval, so that no cell is wider than this one. */
static void format_metric(char *out, size_t size, double value, const mm_interval *interval) {
    if (!isfinite(value)) {
        snprintf(out, size, "-");
        return;
    }
    if (!interval) {
        snprintf(out, size, "%.1f", 100 * value);
        return;
    }
    const double parts[3] = {value, interval->low, interval->high};
    char text[3][16];
    for (int i = 0; i < 3; i++)
        if (isfinite(parts[i]))
            snprintf(text[i], sizeof text[i], "%.*f", 100 * parts[i] >= 99.95 ? 0 : 1,
                     100 * parts[i]);
        else
            snprintf(text[i], sizeof text[i], "-");
    snprintf(out, size, "%s [%s, %s]", text[0], text[1], text[2]);
}

typedef char cell[64];

static void format_row(cell cells[METRICS], const mm_eval_result *r) {
    int shown = r->has_intervals;
    format_metric(cells[0], sizeof(cell), r->value.auroc, shown ? &r->auroc : NULL);
    format_metric(cells[1], sizeof(cell), r->value.aupr_in, shown ? &r->aupr_in : NULL);
    format_metric(cells[2], sizeof(cell), r->value.aupr_out, shown ? &r->aupr_out : NULL);
    format_metric(cells[3], sizeof(cell), r->value.fpr95, shown ? &r->fpr95 : NULL);
}

static void format_header(cell cells[METRICS], const mm_evaluation *evaluation) {
    snprintf(cells[0], sizeof(cell), "AUROC");
    snprintf(cells[1], sizeof(cell), "AUPR-in");
    snprintf(cells[2], sizeof(cell), "AUPR-out");
    snprintf(cells[3], sizeof(cell), "FPR95 (%s)", mm_fpr_name(evaluation->fpr));
}

static size_t larger(size_t a, size_t b) {
    return a > b ? a : b;
}

static size_t smaller(size_t a, size_t b) {
    return a < b ? a : b;
}

/* ---- For a terminal ------------------------------------------------------------------------ */

typedef struct layout {
    size_t name;
    size_t metric[METRICS];
    size_t counts;
} layout;

/* "1000/400": readable ID and OOD pictures. */
static void format_counts(cell out, const mm_eval_result *result) {
    snprintf(out, sizeof(cell), "%zu/%zu", result->value.id_count, result->value.ood_count);
}

/* The width of every column over all scores, so that their tables stand under each other; names
 * get what is left. */
static layout make_layout(const mm_evaluation *evaluation) {
    layout out = {.name = strlen("OOD set"), .counts = strlen("n ID/OOD")};
    cell cells[METRICS], counts;
    format_header(cells, evaluation);
    for (size_t i = 0; i < METRICS; i++)
        out.metric[i] = strlen(cells[i]);
    for (size_t score = 0; score < evaluation->score_count; score++)
        for (size_t set = mm_report_has_mean(evaluation) ? 0 : 1; set < evaluation->set_count;
             set++) {
            const mm_eval_result *result = mm_report_result(evaluation, score, set);
            format_row(cells, result);
            format_counts(counts, result);
            for (size_t i = 0; i < METRICS; i++)
                out.metric[i] = larger(out.metric[i], strlen(cells[i]));
            out.counts = larger(out.counts, strlen(counts));
        }
    for (size_t set = 0; set < evaluation->set_count; set++)
        out.name = larger(out.name, strlen(evaluation->sets[set].name));
    size_t rest = out.counts + 2 + METRICS;
    for (size_t i = 0; i < METRICS; i++)
        rest += out.metric[i];
    out.name = smaller(out.name, rest + 8 < COLUMNS ? COLUMNS - rest : 8);
    return out;
}

static void table_row(mm_buffer *out, const layout *widths, const char *name, cell cells[METRICS],
                      const char *counts) {
    mm_table_text(out, name, widths->name);
    for (size_t i = 0; i < METRICS; i++)
        mm_buffer_printf(out, " %*s", (int)widths->metric[i], cells[i]);
    mm_buffer_printf(out, "  %*s\n", (int)widths->counts, counts);
}

static void table_score(mm_buffer *out, const mm_evaluation *evaluation, const layout *widths,
                        size_t score) {
    cell cells[METRICS], counts;
    mm_buffer_puts(out, "\n");
    mm_report_score(out, &evaluation->scores[score]);
    mm_buffer_puts(out, score == evaluation->own ? ", the detector's own score" : "");
    mm_buffer_puts(out, ", in per cent");
    if (evaluation->set_count > 1 && mm_report_result(evaluation, score, 1)->has_intervals)
        mm_buffer_puts(out, " [95 % bootstrap interval]");
    mm_buffer_puts(out, "\n");
    format_header(cells, evaluation);
    table_row(out, widths, "OOD set", cells, "n ID/OOD");
    for (size_t set = 1; set < evaluation->set_count + 1; set++) {
        int mean = set == evaluation->set_count;
        if (mean && !mm_report_has_mean(evaluation))
            break;
        const mm_eval_result *result = mm_report_result(evaluation, score, mean ? 0 : set);
        format_row(cells, result);
        format_counts(counts, result);
        table_row(out, widths, mean ? "mean" : evaluation->sets[set].name, cells,
                  mean ? "" : counts);
    }
}

/* Text without filling, as far as the columns go. */
static void table_line(mm_buffer *out, const char *text) {
    mm_table_text(out, text, COLUMNS);
    while (!out->failed && out->size > 0 && out->data[out->size - 1] == ' ')
        out->data[--out->size] = 0;
    mm_buffer_puts(out, "\n");
}

static void table_sets(mm_buffer *out, const mm_evaluation *evaluation) {
    mm_buffer_printf(out, "%-5s %-24s %9s %10s  %s\n", "", "set", "pictures", "unreadable", "from");
    for (size_t i = 0; i < evaluation->set_count; i++) {
        const mm_eval_set *set = &evaluation->sets[i];
        mm_buffer_printf(out, "%-5s ", i ? "OOD" : "ID");
        mm_table_text(out, set->name, 24);
        mm_buffer_printf(out, " %9zu %10zu  ", set->count, set->bad);
        size_t length = strlen(set->path ? set->path : ""), room = COLUMNS - 53;
        table_line(out, set->path ? set->path + (length > room ? length - room : 0) : "");
    }
}

static void table_published(mm_buffer *out, const mm_evaluation *evaluation) {
    if (evaluation->published_count == 0)
        return;
    mm_buffer_printf(out,
                     "\npublished figures beside ours, in per cent\n%-12s %-12s %6s %6s  "
                     "%-12s %6s %6s  %s\n",
                     "method", "OOD set", "AUROC", "FPR95", "ours", "AUROC", "FPR95", "source");
    for (size_t i = 0; i < evaluation->published_count; i++) {
        const mm_published *p = &evaluation->published[i];
        size_t score;
        const mm_eval_result *ours = mm_report_beside(&score, evaluation, p);
        cell theirs[2], our[2];
        format_metric(theirs[0], sizeof(cell), p->auroc, NULL);
        format_metric(theirs[1], sizeof(cell), p->fpr95, NULL);
        format_metric(our[0], sizeof(cell), ours ? ours->value.auroc : NAN, NULL);
        format_metric(our[1], sizeof(cell), ours ? ours->value.fpr95 : NAN, NULL);
        mm_table_text(out, p->method, 12);
        mm_buffer_puts(out, " ");
        mm_table_text(out, p->set, 12);
        mm_buffer_printf(out, " %6s %6s  ", theirs[0], theirs[1]);
        mm_table_text(out, mm_report_score_name(&evaluation->scores[score]), 12);
        mm_buffer_printf(out, " %6s %6s  ", our[0], our[1]);
        mm_table_text(out, p->source ? p->source : "", 28);
        while (!out->failed && out->data[out->size - 1] == ' ')
            out->data[--out->size] = 0;
        mm_buffer_puts(out, "\n");
    }
}

mmood_status mm_report_table(mm_buffer *out, const mm_evaluation *evaluation, mmood_error *error) {
    layout widths = make_layout(evaluation);
    if (evaluation->title)
        table_line(out, evaluation->title);
    table_sets(out, evaluation);
    for (size_t score = 0; score < evaluation->score_count; score++)
        table_score(out, evaluation, &widths, score);
    table_published(out, evaluation);
    if (!isnan(evaluation->accuracy))
        mm_buffer_printf(out, "\nzero-shot accuracy of ID: %.1f %% of %zu pictures\n",
                         100 * evaluation->accuracy, evaluation->accuracy_count);
    for (size_t i = 0; i < evaluation->warning_count; i++) {
        if (i == 0)
            mm_buffer_puts(out, "\nwarnings\n");
        if (i == WARNINGS_SHOWN) {
            mm_buffer_printf(out, "- and %zu more\n", evaluation->warning_count - i);
            break;
        }
        mm_buffer_puts(out, "- ");
        mm_report_utf8(out, evaluation->warnings[i], '?');
        mm_buffer_puts(out, "\n");
    }
    return mm_report_done(out, error);
}

/* ---- Markdown ------------------------------------------------------------------------------ */

/* Plain text: what Markdown or the HTML in it would act on is escaped. */
static void markdown_text(mm_buffer *out, const char *text) {
    mm_buffer plain = {0};
    mm_report_utf8(&plain, text, ' ');
    for (size_t i = 0; i < plain.size; i++) {
        if (strchr("\\`*_{}[]()<>#+!|~&$", plain.data[i]))
            mm_buffer_puts(out, "\\");
        mm_buffer_append(out, plain.data + i, 1);
    }
    out->failed |= plain.failed;
    mm_buffer_free(&plain);
}

static void markdown_score(mm_buffer *out, const mm_evaluation *evaluation, size_t score) {
    cell cells[METRICS];
    mm_buffer_puts(out, "\n### ");
    mm_report_score(out, &evaluation->scores[score]);
    mm_buffer_puts(out, score == evaluation->own ? ", the detector's own score\n\n" : "\n\n");
    format_header(cells, evaluation);
    mm_buffer_printf(out,
                     "| OOD set | %s | %s | %s | %s | n ID | n OOD |\n"
                     "|---|--:|--:|--:|--:|--:|--:|\n",
                     cells[0], cells[1], cells[2], cells[3]);
    for (size_t set = 1; set < evaluation->set_count + 1; set++) {
        int mean = set == evaluation->set_count;
        if (mean && !mm_report_has_mean(evaluation))
            break;
        const mm_eval_result *result = mm_report_result(evaluation, score, mean ? 0 : set);
        format_row(cells, result);
        mm_buffer_puts(out, "| ");
        if (mean)
            mm_buffer_puts(out, "**mean**");
        else
            markdown_text(out, evaluation->sets[set].name);
        mm_buffer_printf(out, " | %s | %s | %s | %s | ", cells[0], cells[1], cells[2], cells[3]);
        if (mean)
            mm_buffer_puts(out, "| |\n");
        else
            mm_buffer_printf(out, "%zu | %zu |\n", result->value.id_count, result->value.ood_count);
    }
}

static void markdown_published(mm_buffer *out, const mm_evaluation *evaluation) {
    if (evaluation->published_count == 0)
        return;
    mm_buffer_puts(out, "\n### Published figures beside ours\n\n"
                        "| method | OOD set | AUROC | FPR95 | our score | our AUROC | our FPR95 | "
                        "source |\n|---|---|--:|--:|---|--:|--:|---|\n");
    for (size_t i = 0; i < evaluation->published_count; i++) {
        const mm_published *p = &evaluation->published[i];
        size_t score;
        const mm_eval_result *ours = mm_report_beside(&score, evaluation, p);
        const double values[4] = {p->auroc, p->fpr95, ours ? ours->value.auroc : NAN,
                                  ours ? ours->value.fpr95 : NAN};
        cell cells[4];
        for (int k = 0; k < 4; k++)
            format_metric(cells[k], sizeof(cell), values[k], NULL);
        mm_buffer_puts(out, "| ");
        markdown_text(out, p->method);
        mm_buffer_puts(out, " | ");
        markdown_text(out, p->set);
        mm_buffer_printf(out, " | %s | %s | %s | %s | %s | ", cells[0], cells[1],
                         mm_report_score_name(&evaluation->scores[score]), cells[2], cells[3]);
        markdown_text(out, p->source ? p->source : "");
        mm_buffer_puts(out, " |\n");
    }
}

mmood_status mm_report_markdown(mm_buffer *out, const mm_evaluation *evaluation,
                                mmood_error *error) {
    mm_buffer_puts(out, "## ");
    markdown_text(out, evaluation->title ? evaluation->title : "Evaluation");
    mm_buffer_puts(out, "\n\n| | set | pictures | unreadable |\n|---|---|--:|--:|\n");
    for (size_t i = 0; i < evaluation->set_count; i++) {
        mm_buffer_printf(out, "| %s | ", i ? "OOD" : "ID");
        markdown_text(out, evaluation->sets[i].name);
        mm_buffer_printf(out, " | %zu | %zu |\n", evaluation->sets[i].count,
                         evaluation->sets[i].bad);
    }
    mm_buffer_puts(out, "\nAll figures in per cent, with 95 % bootstrap intervals where given.\n");
    for (size_t score = 0; score < evaluation->score_count; score++)
        markdown_score(out, evaluation, score);
    markdown_published(out, evaluation);
    if (!isnan(evaluation->accuracy))
        mm_buffer_printf(out, "\nZero-shot accuracy of ID: %.1f %% of %zu pictures.\n",
                         100 * evaluation->accuracy, evaluation->accuracy_count);
    if (evaluation->warning_count > 0)
        mm_buffer_puts(out, "\n### Warnings\n\n");
    for (size_t i = 0; i < evaluation->warning_count; i++) {
        mm_buffer_puts(out, "- ");
        markdown_text(out, evaluation->warnings[i]);
        mm_buffer_puts(out, "\n");
    }
    return mm_report_done(out, error);
}
