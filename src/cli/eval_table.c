/* eval_table.c - the rows of "set,score" tables: every OOD set against "id", and their mean. */
#include "cli/eval_table.h"

#include "base/file.h"
#include "base/text.h"
#include "cli/cli.h"
#include "cli/output.h"
#include "eval/csv.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

typedef struct row {
    const char *name;
    mm_metrics value;
    mm_metric_intervals interval; /* NaN without a bootstrap */
} row;

static void put_interval(mm_buffer *out, const char *name, mm_interval interval) {
    mm_buffer_printf(out, ",\"%s_interval\":[", name);
    mm_json_number(out, interval.low);
    mm_buffer_puts(out, ",");
    mm_json_number(out, interval.high);
    mm_buffer_puts(out, "]");
}

static void put_json(mm_buffer *out, const row *r, mm_fpr fpr) {
    const mm_metrics *m = &r->value;
    mm_buffer_puts(out, "{\"set\":");
    mm_json_text(out, r->name);
    mm_buffer_printf(
        out,
        ",\"fpr95\":%.12g,\"fpr95_definition\":\"%s\",\"auroc\":%.12g,\"aupr_in\":%.12g,"
        "\"aupr_out\":%.12g,\"n_id\":%zu,\"n_ood\":%zu",
        m->fpr95, mm_fpr_name(fpr), m->auroc, m->aupr_in, m->aupr_out, m->id_count, m->ood_count);
    if (!isnan(r->interval.auroc.low)) {
        put_interval(out, "fpr95", r->interval.fpr95);
        put_interval(out, "auroc", r->interval.auroc);
        put_interval(out, "aupr_in", r->interval.aupr_in);
        put_interval(out, "aupr_out", r->interval.aupr_out);
    }
    mm_buffer_puts(out, "}\n");
}

static void put_table(mm_buffer *out, const row *r) {
    const mm_metrics *m = &r->value;
    mm_table_text(out, r->name, 24);
    mm_buffer_printf(out, "  %8.4f  %8.4f  %8.4f  %8.4f  %7zu  %7zu", m->fpr95, m->auroc,
                     m->aupr_in, m->aupr_out, m->id_count, m->ood_count);
    if (!isnan(r->interval.auroc.low))
        mm_buffer_printf(out, "   [%.4f, %.4f] [%.4f, %.4f]", r->interval.fpr95.low,
                         r->interval.fpr95.high, r->interval.auroc.low, r->interval.auroc.high);
    mm_buffer_puts(out, "\n");
}

static void put_csv(mm_buffer *out, const row *r, mm_fpr fpr) {
    const mm_metrics *m = &r->value;
    const mm_interval *const intervals[] = {&r->interval.fpr95, &r->interval.auroc,
                                            &r->interval.aupr_in, &r->interval.aupr_out};
    const double values[] = {m->fpr95, m->auroc, m->aupr_in, m->aupr_out};
    mm_csv_text(out, r->name);
    for (int i = 0; i < 4; i++) {
        mm_buffer_puts(out, ",");
        mm_csv_number(out, values[i]);
        mm_buffer_puts(out, ",");
        mm_csv_number(out, intervals[i]->low);
        mm_buffer_puts(out, ",");
        mm_csv_number(out, intervals[i]->high);
    }
    mm_buffer_printf(out, ",%s,%zu,%zu\n", mm_fpr_name(fpr), m->id_count, m->ood_count);
}

static void put_markdown(mm_buffer *out, const row *r) {
    const mm_metrics *m = &r->value;
    mm_buffer_puts(out, "| ");
    for (const char *c = r->name; *c; c++) /* a bar would end the cell, a newline the table */
        mm_buffer_printf(out, *c == '|' ? "\\|" : "%c", *c == '\n' ? ' ' : *c);
    mm_buffer_printf(out, " | %.4f | %.4f | %.4f | %.4f | %zu | %zu |\n", m->fpr95, m->auroc,
                     m->aupr_in, m->aupr_out, m->id_count, m->ood_count);
}

static void put_rows(mm_buffer *out, const row *rows, size_t count, mm_fpr fpr, int format) {
    const char *name = mm_fpr_name(fpr);
    if (format == 0)
        mm_buffer_printf(
            out, "%-24s  %8s  %8s  %8s  %8s  %7s  %7s   (FPR95: %s%s)\n", "OOD set", "FPR95",
            "AUROC", "AUPR in", "AUPR out", "n ID", "n OOD", name,
            isnan(rows[0].interval.auroc.low) ? "" : "; 95 % intervals of FPR95 and AUROC behind");
    else if (format == 2)
        mm_buffer_puts(out, "set,fpr95,fpr95_low,fpr95_high,auroc,auroc_low,auroc_high,aupr_in,"
                            "aupr_in_low,aupr_in_high,aupr_out,aupr_out_low,aupr_out_high,"
                            "fpr95_definition,n_id,n_ood\n");
    else if (format == 3)
        mm_buffer_printf(out,
                         "| OOD set | FPR95 (%s) | AUROC | AUPR in | AUPR out | n ID | n OOD |\n"
                         "|---|--:|--:|--:|--:|--:|--:|\n",
                         name);
    for (size_t i = 0; i < count; i++) {
        if (format == 0)
            put_table(out, &rows[i]);
        else if (format == 1)
            put_json(out, &rows[i], fpr);
        else if (format == 2)
            put_csv(out, &rows[i], fpr);
        else
            put_markdown(out, &rows[i]);
    }
}

/* Metrics of `count` samples against `id` to rows [count], and their means to rows[count]. */
static mmood_status measure(row *rows, mm_sample id, const mm_sample *samples, size_t count,
                            mm_fpr fpr, size_t resamples, mmood_error *error) {
    row *mean = &rows[count];
    const mm_interval none = {NAN, NAN};
    *mean = (row){.name = "mean", .value.id_count = id.count};
    for (size_t i = 0; i < count; i++) {
        mm_metrics *m = &rows[i].value;
        mmood_status status = mm_metrics_compute(m, id.scores, id.count, samples[i].scores,
                                                 samples[i].count, fpr, error);
        if (status != MMOOD_OK)
            return status;
        mean->value.fpr95 += m->fpr95 / (double)count;
        mean->value.auroc += m->auroc / (double)count;
        mean->value.aupr_in += m->aupr_in / (double)count;
        mean->value.aupr_out += m->aupr_out / (double)count;
        mean->value.ood_count += m->ood_count;
    }
    for (size_t i = 0; i <= count; i++)
        rows[i].interval = (mm_metric_intervals){none, none, none, none};
    if (resamples == 0)
        return MMOOD_OK;
    mm_metric_intervals *intervals = calloc(count + 1, sizeof *intervals);
    mmood_status status = MMOOD_ERROR_MEMORY;
    if (intervals)
        status = mm_metrics_bootstrap(intervals, id, samples, count, fpr, resamples, 0, error);
    for (size_t i = 0; i <= count && status == MMOOD_OK; i++)
        rows[i].interval = intervals[i];
    free(intervals);
    return status;
}

static int print_metrics(const mm_score_table *table, mm_fpr fpr, int format, size_t resamples) {
    mm_sample id = {0}, *samples = calloc(table->count, sizeof *samples);
    row *rows = calloc(table->count + 1, sizeof *rows);
    mmood_error error = {MMOOD_ERROR_MEMORY, "no memory for metrics"};
    mm_buffer out = {0};
    size_t count = 0;
    int code = EXIT_FATAL;
    for (size_t i = 0; i < table->count && samples && rows; i++) {
        const mm_score_set *set = &table->sets[i];
        const mm_sample sample = {set->scores, set->count};
        if (strcmp(set->name, "id") == 0) {
            id = sample;
            continue;
        }
        rows[count].name = set->name;
        samples[count++] = sample;
    }
    if (samples && rows && (id.count == 0 || count == 0)) {
        cli_error("the table needs rows of the set \"id\" and of at least one OOD set");
    } else if (!samples || !rows ||
               measure(rows, id, samples, count, fpr, resamples, &error) != MMOOD_OK) {
        code = cli_fail(&error);
    } else {
        put_rows(&out, rows, count + (count > 1), fpr, format);
        code = out.failed ? EXIT_FATAL : EXIT_DONE;
        output_flush(&out);
    }
    mm_buffer_free(&out);
    free(samples);
    free(rows);
    return code;
}

int eval_table(const char *path, mm_fpr fpr, int format, size_t resamples) {
    uint8_t *data;
    size_t size;
    mmood_error error;
    mm_score_table table;
    if (mm_file_read(&data, &size, path, (size_t)1 << 30, &error) != MMOOD_OK) {
        cli_error("%s: %s", path, error.message);
        return EXIT_FATAL;
    }
    int code = EXIT_FATAL;
    if (mm_score_table_parse(&table, (const char *)data, size, &error) != MMOOD_OK)
        cli_error("%s: %s", path, error.message);
    else
        code = print_metrics(&table, fpr, format, resamples);
    mm_score_table_free(&table);
    free(data);
    return code;
}
