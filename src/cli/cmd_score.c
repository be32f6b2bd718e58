/* cmd_score.c - mmood score: verdicts on pictures. */
#include "cli/options.h"
#include "cli/output.h"
#include "cli/paths.h"
#include "cli/pipeline.h"
#include "cli/verdicts.h"

#include "base/file.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char usage[] =
    "usage: mmood score DETECTOR PATH... [OPTION]...\n\n"
    "Judges pictures: PATH is a picture, a directory (its pictures in sorted order; hidden files "
    "are\n"
    "skipped and counted) or \"-\" (paths on standard input, separated by NUL bytes or newlines). "
    "The\n"
    "model is the one the detector was built with: at the place that -m names, else at the stored "
    "path, else "
    "at\n$MMOOD_MODEL.\n"
    "A picture that cannot be read gets a row with its error, and the exit code is 3.\n\n"
    "example: mmood score food.mmood pictures/ --format json --top 3\n";

typedef struct settings {
    common_options common;
    const char *format;
    const char *scores;
    int top;
    int batch;
} settings;

/* "all", or names separated by commas, to `writer`; 0 with a message for an unknown name. */
static int choose_scores(verdict_writer *writer, const char *names) {
    mmood_error error;
    if (!names)
        return 1;
    if (strcmp(names, "all") == 0)
        names = "mm-ood,mcm,max-logit,energy";
    char *copy = strdup(names), *state = NULL;
    int ok = copy != NULL;
    for (char *name = ok ? strtok_r(copy, ",", &state) : NULL; name && ok;
         name = strtok_r(NULL, ",", &state)) {
        mmood_score_kind *kind = &writer->scores[writer->score_count];
        ok = writer->score_count < VERDICT_MAX_SCORES &&
             mmood_score_parse(kind, name, &error) == MMOOD_OK;
        for (size_t i = 0; i < writer->score_count && ok; i++)
            ok = writer->scores[i] != *kind;
        if (ok)
            writer->score_count++;
        else
            cli_error(
                "option --scores: unknown or repeated name \"%s\"; all, mm-ood, mcm, max-logit "
                "and energy are known",
                name);
    }
    free(copy);
    return ok;
}

/* Scores all paths, a window at a time; the number that failed goes to *failed. */
static int score_paths(verdict_writer *writer, pipeline *p, const path_list *paths, size_t *failed,
                       int progress) {
    mmood_error error;
    for (size_t at = 0; at < paths->count; at += p->window) {
        size_t n = paths->count - at < p->window ? paths->count - at : p->window;
        if (pipeline_run(p, paths->items + at, n, &error) != MMOOD_OK)
            return cli_fail(&error);
        for (size_t i = 0; i < n; i++) {
            int bad = p->status[i] != MMOOD_OK;
            *failed += (size_t)bad;
            if (verdict_write(writer, paths->items[at + i], p->embeddings + i * p->dimension,
                              bad ? p->errors[i].message : NULL, &error) != MMOOD_OK)
                return cli_fail(&error);
        }
        if (fflush(stdout) != 0 || ferror(stdout))
            return EXIT_FATAL;
        if (progress)
            fprintf(stderr, "\r%zu of %zu pictures", at + n, paths->count);
    }
    if (progress)
        fputs("\r\033[K", stderr);
    return EXIT_DONE;
}

static int run_model(verdict_writer *writer, const settings *s, const path_list *paths,
                     const mmood_image_options *image) {
    mmood_detector_info info;
    mmood_model *model;
    mmood_session *session;
    mmood_error error;
    pipeline p;
    size_t failed = 0;
    mmood_detector_describe(writer->detector, &info);
    const char *place = s->common.model;
    if (!place && (mm_file_exists(info.model_path) || !getenv("MMOOD_MODEL")))
        place = info.model_path;
    int code = common_open_model(&model, &session, place, &s->common);
    if (code != EXIT_DONE) {
        if (!s->common.model)
            cli_note(common_talk(&s->common),
                     "the detector was built with the model in \"%s\"; -m gives another place",
                     info.model_path);
        return code == EXIT_USAGE ? code : EXIT_FATAL;
    }
    mmood_status status = mmood_detector_check_model(writer->detector, model, &error);
    if (status == MMOOD_OK)
        status = pipeline_create(&p, session, image, (size_t)s->batch, s->common.threads, &error);
    if (status == MMOOD_OK) {
        verdict_begin(writer);
        code = score_paths(writer, &p, paths, &failed, !s->common.quiet && isatty(2) && !isatty(1));
        pipeline_free(&p);
    } else {
        code = cli_fail(&error);
    }
    mmood_session_free(session);
    mmood_model_free(model);
    if (code == EXIT_DONE && failed > 0) {
        cli_note(common_talk(&s->common), "%zu of %zu pictures could not be scored", failed,
                 paths->count);
        code = failed == paths->count ? EXIT_FATAL : EXIT_PARTIAL;
    }
    return code;
}

static int run(const settings *s, int count, char **argv) {
    static const char *const formats[] = {"table", "json", "csv", NULL}; /* as verdict_format */
    verdict_writer writer = {.top = (size_t)s->top};
    mmood_image_options image;
    mmood_error error;
    mmood_detector *detector;
    path_list paths = {0};
    int format = option_choose("format", s->format, formats);
    if (format < 0 || !choose_scores(&writer, s->scores) ||
        !common_image_options(&image, &s->common))
        return EXIT_USAGE;
    writer.format = (verdict_format)format;
    if (mmood_detector_open(&detector, argv[0], &error) != MMOOD_OK)
        return cli_fail(&error);
    for (int i = 1; i < count; i++)
        path_list_add(&paths, argv[i]);
    if (paths.hidden)
        cli_note(common_talk(&s->common), "%zu hidden files and folders skipped", paths.hidden);
    int code = EXIT_FATAL;
    if (paths.failed)
        cli_error("no memory for the list of pictures");
    else if (paths.count == 0)
        cli_error("no picture found");
    else if (!verdict_writer_open(&writer, detector))
        cli_error("no memory for verdicts");
    else
        code = run_model(&writer, s, &paths, &image);
    verdict_writer_close(&writer);
    path_list_free(&paths);
    mmood_detector_free(detector);
    return code;
}

int cmd_score(int argc, char **argv) {
    settings s = {.common = common_options_default(), .format = "table", .top = 3, .batch = 32};
    int count;
    const option table[] = {
        {"format", 0, OPTION_TEXT, &s.format, "F",
         "table (default), json (one object a line) or csv"},
        {"top", 0, OPTION_COUNT, &s.top, "N", "how many labels to show; default 3"},
        {"scores", 0, OPTION_TEXT, &s.scores, "NAMES", "further scores: all, or names with commas"},
        {"batch", 0, OPTION_COUNT, &s.batch, "N",
         "pictures at a time; changes no result; default 32"},
        {"model", 'm', OPTION_TEXT, &s.common.model, "DIR", "where the detector's model is now"},
        OPTION_THREADS(s.common),
        OPTION_PRECISION(s.common),
        OPTION_PICTURE(s.common),
        OPTION_TALK(s.common),
        OPTION_END};
    parse_result parsed = options_parse(table, usage, argc, argv, &count);
    if (parsed != PARSE_GO)
        return parsed == PARSE_DONE ? EXIT_DONE : EXIT_USAGE;
    if (count < 2) {
        cli_error("score needs a detector and at least one picture, directory or \"-\"");
        return EXIT_USAGE;
    }
    if (s.batch < 1 || s.batch > 4096) {
        cli_error("option --batch: %d is not from 1 to 4096", s.batch);
        return EXIT_USAGE;
    }
    return run(&s, count, argv);
}
