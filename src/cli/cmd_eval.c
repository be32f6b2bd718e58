/* cmd_eval.c - mmood eval --from-csv: metrics of scores that are there already. */
#include "cli/options.h"
#include "cli/output.h"

#include "base/file.h"
#include "eval/csv.h"
#include "eval/metrics.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char usage[] =
    "usage: mmood eval --from-csv FILE [--fpr nearest|first|ood-positive] [--format table|json]\n\n"
    "Computes FPR95, AUROC and AUPR from a CSV table with the columns \"set\" and \"score\": set "
    "is \"id\"\n"
    "or the name of an OOD set; higher scores mean ID. ID is the positive class. FPR95 has "
    "several\n"
    "definitions in this field; the one used is always printed.\n\n"
    "example: mmood eval --from-csv scores.csv --fpr nearest\n";

static void print_row(mm_buffer *out, const char *name, const mm_metrics *m, mm_fpr fpr, int json) {
    if (json) {
        mm_buffer_puts(out, "{\"set\":");
        mm_json_text(out, name);
        mm_buffer_printf(
            out,
            ",\"fpr95\":%.12g,\"fpr95_definition\":\"%s\",\"auroc\":%.12g,\"aupr_in\":%.12g,"
            "\"aupr_out\":%.12g,\"n_id\":%zu,\"n_ood\":%zu}\n",
            m->fpr95, mm_fpr_name(fpr), m->auroc, m->aupr_in, m->aupr_out, m->id_count,
            m->ood_count);
    } else {
        mm_table_text(out, name, 24);
        mm_buffer_printf(out, "  %8.4f  %8.4f  %8.4f  %8.4f  %7zu  %7zu\n", m->fpr95, m->auroc,
                         m->aupr_in, m->aupr_out, m->id_count, m->ood_count);
    }
    output_flush(out);
}

static int print_metrics(const mm_score_table *table, mm_fpr fpr, int json) {
    const mm_score_set *id = NULL;
    mm_buffer out = {0};
    mmood_error error;
    int code = EXIT_DONE;
    for (size_t i = 0; i < table->count; i++)
        if (strcmp(table->sets[i].name, "id") == 0)
            id = &table->sets[i];
    if (!id || table->count < 2) {
        cli_error("the table needs rows of the set \"id\" and of at least one OOD set");
        return EXIT_FATAL;
    }
    if (!json)
        printf("%-24s  %8s  %8s  %8s  %8s  %7s  %7s   (FPR95: %s)\n", "OOD set", "FPR95", "AUROC",
               "AUPR in", "AUPR out", "n ID", "n OOD", mm_fpr_name(fpr));
    mm_metrics mean = {0};
    size_t sets = 0;
    for (size_t i = 0; i < table->count && code == EXIT_DONE; i++) {
        const mm_score_set *set = &table->sets[i];
        mm_metrics m;
        if (set == id)
            continue;
        if (mm_metrics_compute(&m, id->scores, id->count, set->scores, set->count, fpr, &error) !=
            MMOOD_OK) {
            code = cli_fail(&error);
            break;
        }
        print_row(&out, set->name, &m, fpr, json);
        mean.fpr95 += m.fpr95;
        mean.auroc += m.auroc;
        mean.aupr_in += m.aupr_in;
        mean.aupr_out += m.aupr_out;
        mean.id_count = id->count;
        mean.ood_count += set->count;
        sets++;
    }
    if (code == EXIT_DONE && sets > 1) {
        mean.fpr95 /= (double)sets;
        mean.auroc /= (double)sets;
        mean.aupr_in /= (double)sets;
        mean.aupr_out /= (double)sets;
        print_row(&out, "mean", &mean, fpr, json);
    }
    mm_buffer_free(&out);
    return code;
}

static int run(const char *path, mm_fpr fpr, int json) {
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
        code = print_metrics(&table, fpr, json);
    mm_score_table_free(&table);
    free(data);
    return code;
}

int cmd_eval(int argc, char **argv) {
    static const char *const formats[] = {"table", "json", NULL};
    const char *csv = NULL, *fpr_name = "nearest", *format = "table";
    int count;
    const option table[] = {
        {"from-csv", 0, OPTION_TEXT, &csv, "FILE", "the table of scores"},
        {"fpr", 0, OPTION_TEXT, &fpr_name, "DEF", "nearest (default), first or ood-positive"},
        {"format", 0, OPTION_TEXT, &format, "F", "table (default) or json (one object a line)"},
        OPTION_END};
    parse_result parsed = options_parse(table, usage, argc, argv, &count);
    if (parsed != PARSE_GO)
        return parsed == PARSE_DONE ? EXIT_DONE : EXIT_USAGE;
    mm_fpr fpr;
    mmood_error error;
    if (!csv || count > 0) {
        cli_error("eval needs --from-csv FILE");
        return EXIT_USAGE;
    }
    int json = option_choose("format", format, formats);
    if (json < 0)
        return EXIT_USAGE;
    if (mm_fpr_parse(&fpr, fpr_name, &error) != MMOOD_OK)
        return cli_fail(&error);
    return run(csv, fpr, json);
}
