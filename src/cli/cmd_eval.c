/* cmd_eval.c - mmood eval: how well a detector tells ID pictures from OOD pictures, or metrics of
 * scores that are there already. */
#include "cli/detectors.h"
#include "cli/eval_suite.h"
#include "cli/eval_table.h"
#include "cli/output.h"

#include "base/file.h"
#include "eval/dataset.h"
#include "eval/report_html.h"
#include "eval/report_text.h"
#include "eval/run.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char usage[] =
    "usage: mmood eval DETECTOR --id DIR --ood [NAME=]DIR... [OPTION]...\n"
    "       mmood eval [DETECTOR | -m MODEL [--outliers FILE]...] --suite NAME --data DIR\n"
    "       mmood eval --from-csv FILE [--fpr DEF] [--format F]\n\n"
    "Scores the pictures of an in-distribution set and of any number of OOD sets and computes "
    "AUROC,\n"
    "AUPR and FPR95 with 95 % bootstrap intervals. A set is a folder whose folders are classes, a "
    "flat\n"
    "folder, or a list (a text file with a path a line, a tab and a class after it if there is "
    "one).\n"
    "With --suite: the sets, labels, texts and scores of a paper, its figures beside ours.\n"
    "Embeddings are kept, so that a second run with other scores takes seconds. With --from-csv: "
    "the\n"
    "same metrics from a table with the columns \"set\" (\"id\" or an OOD set's name) and "
    "\"score\".\n"
    "ID is the positive class. FPR95 has several definitions in this field; the one used is "
    "printed.\n\n"
    "example: mmood eval food.mmood --id food/ --ood cars=cars/ --ood textures/ --scores all "
    "--report food.html\n";

typedef struct settings {
    common_options common;
    const char *csv;
    const char *id;
    option_list ood;
    const char *suite;
    const char *data;
    option_list outliers;
    const char *scores;
    const char *fpr_name;
    const char *format;
    const char *report;
    const char *class_names;
    int bootstrap;
    mm_fpr fpr;
} settings;

typedef mmood_status text_report(mm_buffer *out, const mm_evaluation *evaluation,
                                 mmood_error *error);

static const char *const formats[] = {"table", "json", "csv", "markdown", NULL};
static text_report *const reports[] = {mm_report_table, mm_report_json, mm_report_csv,
                                       mm_report_markdown};

static int print(const mm_evaluation *evaluation, int format) {
    mm_buffer out = {0};
    mmood_error error;
    mmood_status status = reports[format](&out, evaluation, &error);
    output_flush(&out);
    mm_buffer_free(&out);
    return status == MMOOD_OK ? EXIT_DONE : cli_fail(&error);
}

/* ---- An evaluation of pictures ------------------------------------------------------------- */

/* Splits "NAME=DIR"; without a name it is the last part of the path. The caller frees it. */
static char *set_name(const char **path, const char *argument) {
    const char *equals = strchr(argument, '='), *slash = strchr(argument, '/');
    *path = argument;
    if (equals && equals > argument && (!slash || equals < slash)) {
        *path = equals + 1;
        return strndup(argument, (size_t)(equals - argument));
    }
    size_t end = strlen(argument);
    while (end > 1 && argument[end - 1] == '/')
        end--;
    size_t start = end;
    while (start > 0 && argument[start - 1] != '/')
        start--;
    return strndup(argument + start, end - start);
}

static int load_names(mm_name_map *out, const char *path) {
    uint8_t *data;
    size_t size;
    mmood_error error;
    *out = (mm_name_map){0};
    if (!path)
        return EXIT_DONE;
    mmood_status status = mm_file_read(&data, &size, path, (size_t)1 << 24, &error);
    if (status == MMOOD_OK) {
        status = mm_name_map_parse(out, (const char *)data, size, &error);
        free(data);
    }
    if (status != MMOOD_OK)
        cli_error("%s: %s", path, error.message);
    return status == MMOOD_OK ? EXIT_DONE : EXIT_FATAL;
}

/* Reads the ID set and the OOD sets. */
static int read_sets(mm_evaluation *e, const settings *s) {
    mm_name_map names;
    mmood_error error;
    mm_path_skips skips = {0};
    int code = load_names(&names, s->class_names);
    e->sets = calloc(s->ood.count + 1, sizeof *e->sets);
    if (code == EXIT_DONE && !e->sets) {
        cli_error("no memory for %zu sets", s->ood.count + 1);
        code = EXIT_FATAL;
    }
    for (size_t i = 0; i <= s->ood.count && code == EXIT_DONE; i++) {
        const char *path = s->id;
        char *name = i > 0 ? set_name(&path, s->ood.items[i - 1]) : strdup("id");
        for (size_t j = 0; j < i && name && code == EXIT_DONE; j++)
            if (strcmp(e->sets[j].name, name) == 0 || strcmp(e->sets[j].path, path) == 0) {
                cli_error("the OOD set %s=%s has the name or the folder of an earlier set, %s=%s; "
                          "--ood NAME=DIR gives another name",
                          name, path, e->sets[j].name, e->sets[j].path);
                code = EXIT_USAGE;
            }
        if (code == EXIT_DONE) {
            e->set_count = i + 1;
            if (!name ||
                mm_dataset_read(&e->sets[i], &skips, name, path, &names, &error) != MMOOD_OK) {
                cli_error("%s", name ? error.message : "no memory for the name of a set");
                code = EXIT_FATAL;
            }
        }
        free(name);
    }
    note_skips(&skips, common_talk(&s->common));
    mm_name_map_free(&names);
    return code;
}

static void show_progress(void *context, size_t done, size_t total, size_t cached) {
    (void)context;
    fprintf(stderr, "\r%zu of %zu pictures, %zu known from before", done, total, cached);
}

/* The detector's own score first, then those asked for. */
static mmood_status set_scores(mm_evaluation *e, const opened_detector *opened,
                               const mm_score_list *scores) {
    e->scores = calloc(scores->count + 1, sizeof *e->scores);
    if (!e->scores)
        return MMOOD_ERROR_MEMORY;
    e->scores[e->score_count++] = opened->info.score;
    for (size_t i = 0; i < scores->count; i++)
        if (scores->settings[i].kind != opened->info.score.kind)
            e->scores[e->score_count++] = scores->settings[i];
    return MMOOD_OK;
}

static int write_report(const mm_evaluation *e, const char *path) {
    mm_buffer page = {0};
    mmood_error error;
    mmood_status status = mm_report_html(&page, e, &error);
    if (status == MMOOD_OK)
        status = mm_file_write(path, page.data, page.size, &error);
    mm_buffer_free(&page);
    if (status != MMOOD_OK) {
        cli_error("%s: %s", path, error.message);
        return EXIT_FATAL;
    }
    return EXIT_DONE;
}

static int evaluate(mm_evaluation *e, const opened_detector *opened, const settings *s,
                    int format) {
    mmood_error error;
    mm_buffer cache = {0};
    if (!s->common.no_cache)
        cache = common_cache_folder(s->common.cache, "mmood");
    int progress = !s->common.quiet && isatty(2);
    const mm_eval_options options = {.image = opened->image,
                                     .threads = s->common.threads,
                                     .window = (size_t)common_batch(&s->common),
                                     .resamples = (size_t)s->bootstrap,
                                     .cache = cache.data,
                                     .progress = progress ? show_progress : NULL};
    mmood_status status = mm_eval_run(e, opened->session, &options, &error);
    if (progress)
        fputs("\r\033[K", stderr);
    mm_buffer_free(&cache);
    if (status != MMOOD_OK)
        return cli_fail(&error);
    size_t bad = 0;
    for (size_t i = 0; i < e->set_count; i++) {
        bad += e->sets[i].bad;
        for (size_t j = 0; j < e->sets[i].count; j++)
            if (e->sets[i].items[j].error)
                cli_note(common_talk(&s->common), "%s: %s", e->sets[i].items[j].path,
                         e->sets[i].items[j].error);
    }
    for (size_t i = 0; i < e->warning_count; i++)
        cli_note(common_talk(&s->common), "%s", e->warnings[i]);
    int code = print(e, format);
    if (code == EXIT_DONE && s->report)
        code = write_report(e, s->report);
    return code == EXIT_DONE && bad > 0 ? EXIT_PARTIAL : code;
}

/* Scores and reports on sets that are read, with a detector that is open. */
static int run_opened(mm_evaluation *e, opened_detector *opened, const mm_suite *suite,
                      const settings *s, int format) {
    mm_score_list scores;
    mmood_error error;
    cli_talk talk = common_talk(&s->common);
    e->detector = opened->detector;
    if (suite ? !suite_scores(&scores, suite, s->scores, &opened->info, talk)
              : !scores_choose(&scores, s->scores, &opened->info, talk))
        return EXIT_USAGE;
    if (mmood_detector_check_pictures(opened->detector, &opened->image, opened->precision,
                                      &error) != MMOOD_OK)
        return cli_fail(&error);
    if (set_scores(e, opened, &scores) != MMOOD_OK) {
        cli_error("no memory for a list of scores");
        return EXIT_FATAL;
    }
    return evaluate(e, opened, s, format);
}

static int run_pictures(const settings *s, const char *path, int format) {
    opened_detector opened = {0};
    mm_evaluation e = {.fpr = s->fpr, .accuracy = NAN};
    int code = read_sets(&e, s);
    if (code == EXIT_DONE)
        code = detector_open(&opened, path, &s->common);
    if (code == EXIT_DONE)
        code = run_opened(&e, &opened, NULL, s, format);
    mm_evaluation_free(&e);
    detector_close(&opened);
    return code;
}

static int run_suite(const settings *s, const char *path, int format) {
    opened_detector opened = {0};
    mm_evaluation e = {.accuracy = NAN};
    mm_suite suite;
    int code = suite_open(&suite, s->suite, s->data);
    if (code == EXIT_DONE)
        code = suite_sets(&e, &suite, s->data);
    if (s->fpr_name)
        e.fpr = s->fpr;
    if (code == EXIT_DONE)
        code = path ? detector_open(&opened, path, &s->common)
                    : suite_detector(&opened, &suite, &s->outliers, &s->common);
    if (code == EXIT_DONE && path)
        code = suite_check_detector(&opened, &suite);
    if (code == EXIT_DONE)
        code = run_opened(&e, &opened, &suite, s, format);
    mm_evaluation_free(&e);
    detector_close(&opened);
    mm_suite_free(&suite);
    return code;
}

static int run(settings *s, int count, char **argv) {
    mmood_error error;
    int format = option_choose("format", s->format, formats);
    if (format < 0)
        return EXIT_USAGE;
    if (s->fpr_name && mm_fpr_parse(&s->fpr, s->fpr_name, &error) != MMOOD_OK)
        return cli_fail(&error);
    int folders = s->id || s->ood.count > 0, suite = s->suite || s->data || s->outliers.count > 0;
    if (s->csv && count == 0 && !folders && !suite)
        return eval_table(s->csv, s->fpr, format, (size_t)s->bootstrap);
    if (s->suite && count <= 1 && !folders && !s->csv && !(count == 1 && s->outliers.count > 0))
        return run_suite(s, count ? argv[0] : NULL, format);
    if (!s->csv && !suite && count == 1 && s->id && s->ood.count > 0)
        return run_pictures(s, argv[0], format);
    cli_error("eval needs a detector, --id DIR and at least one --ood DIR; or --suite NAME, --data "
              "DIR and a detector or -m MODEL; or --from-csv FILE alone");
    return EXIT_USAGE;
}

int cmd_eval(int argc, char **argv) {
    settings s = {.common = common_options_default(), .format = "table", .bootstrap = 1000};
    int count;
    const option table[] = {
        {"id", 0, OPTION_TEXT, &s.id, "DIR", "the in-distribution pictures"},
        {"ood", 0, OPTION_LIST, &s.ood, "[NAME=]DIR", "a set of others; may come several times"},
        {"suite", 0, OPTION_TEXT, &s.suite, "NAME", "a paper's protocol, see docs/suites.md"},
        {"data", 0, OPTION_TEXT, &s.data, "DIR", "where the suite's data sets are"},
        {"outliers", 0, OPTION_LIST, &s.outliers, "FILE",
         "outlier labels for the suite's detector; may come several times"},
        {"scores", 0, OPTION_TEXT, &s.scores, "NAMES",
         "scores beside the detector's own: all, or names with commas"},
        {"fpr", 0, OPTION_TEXT, &s.fpr_name, "DEF", "nearest (default), first or ood-positive"},
        {"report", 0, OPTION_TEXT, &s.report, "FILE",
         "also write a page: tables, curves, pictures"},
        {"format", 0, OPTION_TEXT, &s.format, "F",
         "table (default), json (one object a line), csv or markdown"},
        {"bootstrap", 0, OPTION_COUNT, &s.bootstrap, "N",
         "resamples for the intervals; default 1000, 0 none"},
        {"class-names", 0, OPTION_TEXT, &s.class_names, "FILE",
         "what folder names mean: lines \"n01440764 tench\""},
        OPTION_CACHE(s.common),
        {"from-csv", 0, OPTION_TEXT, &s.csv, "FILE", "a table of scores instead of pictures"},
        {"model", 'm', OPTION_TEXT, &s.common.model, "MODEL", "where the detector's model is now"},
        OPTION_THREADS(s.common),
        OPTION_PRECISION(s.common),
        OPTION_PICTURE(s.common),
        OPTION_TALK(s.common),
        OPTION_END};
    parse_result parsed = options_parse(table, usage, argc, argv, &count);
    int code = parsed == PARSE_DONE ? EXIT_DONE : EXIT_USAGE;
    if (parsed == PARSE_GO)
        code = run(&s, count, argv);
    option_list_free(&s.ood);
    option_list_free(&s.outliers);
    return code;
}
