/* cmd_calibrate.c - mmood calibrate: a threshold from in-distribution pictures. */
#include "cli/detectors.h"

#include "base/sha256.h"
#include "detect/calibrate.h"
#include "eval/paths.h"
#include "eval/pipeline.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char usage[] =
    "usage: mmood calibrate DETECTOR PATH... [--keep Q] [-o FILE] [OPTION]...\n\n"
    "Scores in-distribution pictures that were used for nothing else (PATH as in mmood score) and "
    "stores\n"
    "in the detector the threshold that keeps a new in-distribution picture with probability Q "
    "(split\n"
    "conformal prediction). Out-of-distribution pictures are not needed and must not be among "
    "them.\n\n"
    "example: mmood calibrate food.mmood validation/ --keep 0.95\n";

typedef struct settings {
    common_options common;
    double keep;
    const char *out;
} settings;

/* Scores of the pictures that could be read, and their files' hashes. */
typedef struct sample {
    double *scores;
    char (*hashes)[65];
    const char **hash_list;
    size_t count;
    size_t failed;
    mmood_verdict *verdicts; /* of one window */
} sample;

static mmood_status score_window(sample *s, const mm_pipeline *p, mmood_scorer *scorer,
                                 char *const *paths, cli_talk talk, mmood_error *error) {
    const mmood_results out = {.verdicts = s->verdicts};
    size_t good = 0;
    mmood_status status =
        mmood_scorer_run(&out, scorer, p->embeddings, p->patches, p->patch_count, p->good, error);
    for (size_t i = 0; i < p->count && status == MMOOD_OK; i++) {
        if (p->status[i] != MMOOD_OK) {
            cli_note(talk, "%s: %s", paths[p->first + i], p->errors[i].message);
            s->failed++;
            continue;
        }
        s->scores[s->count] = s->verdicts[good++].score;
        mm_hash_print(s->hashes[s->count], p->hashes[i]);
        s->hash_list[s->count] = s->hashes[s->count];
        s->count++;
    }
    return status;
}

static int collect(sample *s, const opened_detector *opened, const mm_path_list *paths,
                   const common_options *common) {
    mm_pipeline p = {0};
    mmood_scorer *scorer = NULL;
    mmood_error error;
    const mm_pipeline_options options = {.image = opened->image,
                                         .window = (size_t)common_batch(common),
                                         .threads = common->threads,
                                         .hashes = 1,
                                         .patches =
                                             mmood_score_needs_patches(opened->info.score.kind)};
    const mmood_scorer_options scoring = {.threads = 1};
    s->scores = malloc(paths->count * sizeof *s->scores);
    s->hashes = malloc(paths->count * sizeof *s->hashes);
    s->hash_list = malloc(paths->count * sizeof *s->hash_list);
    s->verdicts = malloc(options.window * sizeof *s->verdicts);
    if (!s->scores || !s->hashes || !s->hash_list || !s->verdicts) {
        cli_error("no memory for the scores of %zu pictures", paths->count);
        return EXIT_FATAL;
    }
    mmood_status status = mmood_scorer_create(&scorer, opened->detector, &scoring, &error);
    if (status == MMOOD_OK)
        status = mm_pipeline_create(&p, opened->session, &options, &error);
    int progress = !common->quiet && isatty(2);
    if (status == MMOOD_OK)
        mm_pipeline_start(&p, paths->items, paths->count);
    while (status == MMOOD_OK) {
        status = mm_pipeline_next(&p, &error);
        if (p.count == 0)
            break;
        if (status == MMOOD_OK)
            status = score_window(s, &p, scorer, paths->items, common_talk(common), &error);
        if (progress)
            fprintf(stderr, "\r%zu of %zu pictures", p.first + p.count, paths->count);
    }
    if (progress)
        fputs("\r\033[K", stderr);
    mm_pipeline_free(&p);
    mmood_scorer_free(scorer);
    return status == MMOOD_OK ? EXIT_DONE : cli_fail(&error);
}

static int by_hash(const void *a, const void *b) {
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* One content counts once: copies of a picture are not exchangeable with new ones. Puts one score a
 * content first and returns how many were dropped. */
static size_t drop_copies(sample *s) {
    size_t kept = 0, all = s->count;
    qsort(s->hash_list, all, sizeof *s->hash_list, by_hash);
    double *scores = malloc((all + 1) * sizeof *scores);
    for (size_t i = 0; scores && i < all; i++) {
        if (i > 0 && strcmp(s->hash_list[kept - 1], s->hash_list[i]) == 0)
            continue;
        scores[kept] = s->scores[(size_t)(s->hash_list[i] - s->hashes[0]) / sizeof *s->hashes];
        s->hash_list[kept++] = s->hash_list[i];
    }
    if (!scores)
        return 0;
    memcpy(s->scores, scores, kept * sizeof *scores);
    free(scores);
    s->count = kept;
    return all - kept;
}

static int calibrate(const sample *s, const opened_detector *opened, const settings *set,
                     const char *path) {
    mmood_error error;
    mmood_detector *calibrated;
    mmood_calibration_info info;
    mmood_calibration_options options = mmood_calibration_options_default();
    options.keep = set->keep;
    options.image = opened->image;
    options.precision = opened->precision;
    options.hashes = s->hash_list;
    mmood_status status = mmood_detector_calibrate(&calibrated, opened->detector, s->scores,
                                                   s->count, &options, &error);
    if (status == MMOOD_OK)
        status = mmood_detector_save(calibrated, path, &error);
    if (status != MMOOD_OK) {
        mmood_detector_free(calibrated);
        cli_error("%s", error.message);
        return EXIT_FATAL;
    }
    mmood_detector_calibration(calibrated, &info);
    printf("threshold  %.17g\n"
           "keeps      %g of in-distribution pictures, expected; %zu of the %zu given reach it\n"
           "interval   %.4f to %.4f (95 %%, Clopper-Pearson)\n"
           "stored in  %s\n",
           info.threshold, info.keep, info.kept, info.count, info.keep_low, info.keep_high, path);
    char warning[512];
    if (mm_calibration_warning(warning, sizeof warning, calibrated))
        cli_note(common_talk(&set->common), "%s", warning);
    mmood_detector_free(calibrated);
    return EXIT_DONE;
}

static int run(const settings *set, const char *path, const mm_path_list *paths) {
    opened_detector opened;
    sample s = {0};
    cli_talk talk = common_talk(&set->common);
    int code = detector_open(&opened, path, &set->common);
    mmood_calibration_info before;
    if (code == EXIT_DONE && mmood_detector_calibration(opened.detector, &before) &&
        before.precision != opened.precision)
        cli_note(talk, "the earlier threshold was made in %s%s; the new one is made in %s",
                 mmood_precision_name(before.precision),
                 mmood_precision_available(before.precision) ? "" : ", which this CPU lacks",
                 mmood_precision_name(opened.precision));
    if (code == EXIT_DONE)
        code = collect(&s, &opened, paths, &set->common);
    if (code == EXIT_DONE) {
        size_t copies = drop_copies(&s);
        if (copies)
            cli_note(talk, "%zu copies of pictures already counted are left out", copies);
        if (s.failed)
            cli_note(talk, "%zu of %zu pictures could not be read and took no part", s.failed,
                     paths->count);
        code = calibrate(&s, &opened, set, set->out ? set->out : path);
    }
    if (code == EXIT_DONE && s.failed)
        code = EXIT_PARTIAL;
    free(s.scores);
    free(s.hashes);
    free(s.hash_list);
    free(s.verdicts);
    detector_close(&opened);
    return code;
}

int cmd_calibrate(int argc, char **argv) {
    settings s = {.common = common_options_default(), .keep = 0.95};
    int count;
    const option table[] = {
        {"keep", 0, OPTION_NUMBER, &s.keep, "Q",
         "share of in-distribution pictures to keep; default 0.95"},
        {"output", 'o', OPTION_TEXT, &s.out, "FILE",
         "where the calibrated detector goes; default: it replaces the one given"},
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
    if (count < 2) {
        cli_error("calibrate needs a detector and in-distribution pictures");
        return EXIT_USAGE;
    }
    if (!(s.keep > 0 && s.keep < 1)) {
        if (s.keep > 1 && s.keep < 100)
            cli_error("option --keep: %g is not above 0 and below 1; did you mean %g?", s.keep,
                      s.keep / 100);
        else
            cli_error("option --keep: %g is not above 0 and below 1", s.keep);
        return EXIT_USAGE;
    }
    mm_path_list paths = {0};
    int code = collect_pictures(&paths, argv + 1, count - 1, common_talk(&s.common));
    if (code == EXIT_DONE)
        code = run(&s, argv[0], &paths);
    mm_path_list_free(&paths);
    return code;
}
