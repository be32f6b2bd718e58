/* cmd_score.c - mmood score: verdicts on pictures. */
#include "cli/detectors.h"
#include "cli/output.h"
#include "cli/verdicts.h"

#include "eval/paths.h"
#include "eval/pipeline.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char usage[] =
    "usage: mmood score DETECTOR PATH... [OPTION]...\n\n"
    "Judges pictures: PATH is a picture, a directory (its pictures in sorted order; hidden files\n"
    "and files that are no pictures are skipped and counted) or \"-\" (paths on standard input,\n"
    "separated by NUL bytes or newlines). The model is the one the detector was built with: at "
    "the\n"
    "place that -m names, else at the stored path, else at $MMOOD_MODEL.\n"
    "A picture that cannot be read gets a row with its error, and the exit code is 3.\n\n"
    "example: mmood score food.mmood pictures/ --format json --top 3\n";

typedef struct settings {
    common_options common;
    const char *format;
    const char *scores;
    int top;
    int batch;
    double fdr; /* NaN: not asked for */
    int adaptive;
} settings;

/* A run over all pictures. Results are kept for a window of them, or for all where the verdicts
 * depend on all. */
typedef struct scoring {
    const settings *settings;
    const mm_path_list *paths;
    mm_pipeline pipeline;
    mmood_scorer *scorer;
    verdict_writer writer;
    size_t room;
    mm_row *rows;            /* [room] */
    char **failures;         /* [room]: messages that outlive their window */
    double *scores;          /* [room, scores] */
    mmood_match *top;        /* [room, top] */
    mmood_verdict *verdicts; /* [window] */
    size_t failed;
} scoring;

static void scoring_free(scoring *s) {
    for (size_t i = 0; s->failures && i < s->room; i++)
        free(s->failures[i]);
    free(s->rows);
    free(s->failures);
    free(s->scores);
    free(s->top);
    free(s->verdicts);
    mm_buffer_free(&s->writer.out);
    mmood_scorer_free(s->scorer);
    mm_pipeline_free(&s->pipeline);
}

static int scoring_reserve(scoring *s, mmood_error *error) {
    size_t window = s->pipeline.options.window;
    s->room = isnan(s->settings->fdr) ? window : s->paths->count;
    s->rows = calloc(s->room, sizeof *s->rows);
    s->failures = calloc(s->room, sizeof *s->failures);
    s->scores = calloc(s->room * s->writer.scores->count + 1, sizeof *s->scores);
    s->top = calloc(s->room * s->writer.top + 1, sizeof *s->top);
    s->verdicts = calloc(window, sizeof *s->verdicts);
    if (s->rows && s->failures && s->scores && s->top && s->verdicts)
        return 1;
    error->status = MMOOD_ERROR_MEMORY;
    snprintf(error->message, sizeof error->message, "no memory for the results of %zu pictures",
             s->room);
    return 0;
}

/* Scores the pipeline's window into rows from `first` on. */
static mmood_status score_window(scoring *s, size_t first, mmood_error *error) {
    const mm_pipeline *p = &s->pipeline;
    size_t kinds = s->writer.scores->count, top = s->writer.top, good = 0;
    /* Results of good pictures are packed at the window's beginning; rows point to them. */
    mmood_results out = {s->verdicts, s->scores + first * kinds, s->top + first * top};
    mmood_status status = mmood_scorer_run(&out, s->scorer, p->embeddings, p->patches,
                                           p->patch_count, p->good, error);
    for (size_t i = 0; i < p->count && status == MMOOD_OK; i++) {
        mm_row *row = &s->rows[first + i];
        free(s->failures[first + i]);
        s->failures[first + i] = NULL;
        *row = (mm_row){.path = s->paths->items[p->first + i]};
        if (p->status[i] != MMOOD_OK) {
            s->failures[first + i] = strdup(p->errors[i].message);
            row->failure = s->failures[first + i] ? s->failures[first + i] : "no memory";
            s->failed++;
            continue;
        }
        row->verdict = s->verdicts[good];
        row->scores = out.scores + good * kinds;
        row->top = out.top + good * top;
        good++;
    }
    return status;
}

/* Verdicts by Benjamini and Hochberg over all pictures that could be read. */
static mmood_status decide_together(scoring *s, mmood_error *error) {
    double *p = malloc((s->room + 1) * sizeof *p);
    unsigned char *flagged = malloc(s->room + 1);
    size_t n = 0;
    mmood_status status = MMOOD_ERROR_MEMORY;
    if (p && flagged) {
        for (size_t i = 0; i < s->room; i++)
            if (!s->rows[i].failure)
                p[n++] = s->rows[i].verdict.p_value;
        status = mmood_fdr_select(flagged, p, n, s->settings->fdr, error);
        n = 0;
        for (size_t i = 0; i < s->room && status == MMOOD_OK; i++)
            if (!s->rows[i].failure)
                s->rows[i].verdict.is_id = !flagged[n++];
    } else {
        error->status = status;
        snprintf(error->message, sizeof error->message, "no memory for %zu p-values", s->room);
    }
    free(p);
    free(flagged);
    return status;
}

static int write_rows(scoring *s, size_t count) {
    for (size_t i = 0; i < count; i++)
        if (!verdict_write(&s->writer, &s->rows[i])) {
            cli_error("no memory for a row of results");
            return EXIT_FATAL;
        }
    return fflush(stdout) != 0 || ferror(stdout) ? EXIT_FATAL : EXIT_DONE;
}

static int score_all(scoring *s) {
    mmood_error error;
    mm_pipeline *p = &s->pipeline;
    size_t count = s->paths->count;
    int together = !isnan(s->settings->fdr), code = EXIT_DONE;
    int progress = !s->settings->common.quiet && isatty(2) && (together || !isatty(1));
    verdict_begin(&s->writer);
    mm_pipeline_start(p, s->paths->items, count);
    while (code == EXIT_DONE) {
        mmood_status status = mm_pipeline_next(p, &error);
        if (p->count == 0)
            break;
        if (status == MMOOD_OK)
            status = score_window(s, together ? p->first : 0, &error);
        if (status != MMOOD_OK)
            code = cli_fail(&error);
        else if (!together)
            code = write_rows(s, p->count);
        if (progress)
            fprintf(stderr, "\r%zu of %zu pictures", p->first + p->count, count);
    }
    if (progress)
        fputs("\r\033[K", stderr);
    if (together && code == EXIT_DONE)
        code = decide_together(s, &error) == MMOOD_OK ? write_rows(s, count) : cli_fail(&error);
    return code;
}

static int run_opened(scoring *s, const opened_detector *opened, const mm_score_list *scores) {
    const settings *set = s->settings;
    mmood_error error;
    const mmood_scorer_options options = {.scores = scores->settings,
                                          .score_count = scores->count,
                                          .top = (size_t)set->top,
                                          .threads = set->common.threads,
                                          .adaptive = set->adaptive};
    const mm_pipeline_options pipeline = {.image = opened->image,
                                          .window = (size_t)set->batch,
                                          .threads = set->common.threads,
                                          .patches = scores->needs_patches};
    mmood_status status = mmood_scorer_create(&s->scorer, opened->detector, &options, &error);
    if (status != MMOOD_OK)
        return cli_fail(&error);
    status = mm_pipeline_create(&s->pipeline, opened->session, &pipeline, &error);
    s->writer.top = mmood_scorer_top(s->scorer);
    if (status != MMOOD_OK || !scoring_reserve(s, &error))
        return cli_fail(&error);
    int code = score_all(s);
    if (code == EXIT_DONE && s->failed > 0) {
        cli_note(common_talk(&set->common), "%zu of %zu pictures could not be scored", s->failed,
                 s->paths->count);
        code = s->failed == s->paths->count ? EXIT_FATAL : EXIT_PARTIAL;
    }
    return code;
}

static int run(const settings *set, int format, const char *path, const mm_path_list *paths) {
    opened_detector opened;
    mm_score_list scores;
    mmood_error error;
    cli_talk talk = common_talk(&set->common);
    int code = detector_open(&opened, path, &set->common);
    if (code == EXIT_DONE && !scores_choose(&scores, set->scores, &opened.info, talk))
        code = EXIT_USAGE;
    if (code == EXIT_DONE && !set->adaptive &&
        mmood_detector_check_pictures(opened.detector, &opened.image, opened.precision, &error) !=
            MMOOD_OK)
        code = cli_fail(&error);
    if (code == EXIT_DONE && !isnan(set->fdr) && (!opened.info.calibrated || set->adaptive)) {
        cli_error("option --fdr needs p-values: calibrate the detector first (mmood calibrate)%s",
                  set->adaptive ? ", and leave --adaptive out, which changes the scores" : "");
        code = EXIT_USAGE;
    }
    if (code == EXIT_DONE) {
        scoring s = {.settings = set,
                     .paths = paths,
                     .writer = {.format = (verdict_format)format,
                                .detector = opened.detector,
                                .path_width = verdict_path_width(paths->items, paths->count,
                                                                 output_columns()),
                                .dots = output_is_utf8() ? "\xe2\x80\xa6" : "...",
                                .info = opened.info,
                                .scores = &scores,
                                .fdr = set->fdr}};
        if (set->adaptive && opened.info.calibrated)
            cli_note(talk, "the threshold does not apply to adaptive scores: verdicts are those of "
                           "the most similar label");
        code = run_opened(&s, &opened, &scores);
        scoring_free(&s);
    }
    detector_close(&opened);
    return code;
}

int cmd_score(int argc, char **argv) {
    static const char *const formats[] = {"table", "json", "csv", NULL}; /* as verdict_format */
    settings s = {
        .common = common_options_default(), .format = "table", .top = 3, .batch = -1, .fdr = NAN};
    int count;
    const option table[] = {
        {"format", 0, OPTION_TEXT, &s.format, "F",
         "table (default), json (one object a line) or csv"},
        {"top", 0, OPTION_COUNT, &s.top, "N", "how many labels to show; default 3"},
        {"scores", 0, OPTION_TEXT, &s.scores, "NAMES", "further scores: all, or names with commas"},
        {"fdr", 0, OPTION_NUMBER, &s.fdr, "Q",
         "judge all pictures together: of those flagged at most the share Q is in-distribution "
         "(Benjamini-Hochberg); needs a calibrated detector"},
        {"adaptive", 0, OPTION_FLAG, &s.adaptive, NULL,
         "let neglabel and csp learn from the pictures (AdaNeg); results depend on their order"},
        {"batch", 0, OPTION_COUNT, &s.batch, "N",
         "pictures at a time; changes no result; default 32, or twice the threads"},
        {"model", 'm', OPTION_TEXT, &s.common.model, "MODEL", "where the detector's model is now"},
        OPTION_THREADS(s.common),
        OPTION_PRECISION(s.common),
        OPTION_PICTURE(s.common),
        OPTION_CACHE(s.common),
        OPTION_TALK(s.common),
        OPTION_END};
    parse_result parsed = options_parse(table, usage, argc, argv, &count);
    if (parsed != PARSE_GO)
        return parsed == PARSE_DONE ? EXIT_DONE : EXIT_USAGE;
    int format = option_choose("format", s.format, formats);
    if (format < 0)
        return EXIT_USAGE;
    if (count < 2) {
        cli_error("score needs a detector and at least one picture, directory or \"-\"");
        return EXIT_USAGE;
    }
    if (s.batch < 0)
        s.batch = common_batch(&s.common);
    if (!option_in_range("batch", s.batch, 1, 4096) ||
        (!isnan(s.fdr) && !option_in_range("fdr", s.fdr, 0, 1)))
        return EXIT_USAGE;
    mm_path_list paths = {0};
    int code = collect_pictures(&paths, argv + 1, count - 1, common_talk(&s.common));
    if (code == EXIT_DONE)
        code = run(&s, format, argv[0], &paths);
    mm_path_list_free(&paths);
    return code;
}
