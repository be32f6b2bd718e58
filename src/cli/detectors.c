/* detectors.c - opening a detector with its model, and choosing scores. */
#include "cli/detectors.h"

#include "cli/hub_cache.h"

#include "base/file.h"

#include <stdlib.h>
#include <string.h>

/* The precision to embed in where the user leaves the choice: the one that the detector's threshold
 * was made in; NULL if there is none or this CPU lacks it. */
static const char *calibrated_precision(const mmood_detector *detector) {
    mmood_calibration_info calibration;
    if (!mmood_detector_calibration(detector, &calibration) ||
        !mmood_precision_available(calibration.precision))
        return NULL;
    return mmood_precision_name(calibration.precision);
}

static int precision_is_open(const common_options *common) {
    return !common->precision || strcmp(common->precision, "auto") == 0;
}

void detectors_choose_precision(common_options *common, char *const *paths, size_t count) {
    for (size_t i = 0; i < count && precision_is_open(common); i++) {
        mmood_detector *detector;
        if (mmood_detector_open(&detector, paths[i], NULL) != MMOOD_OK)
            continue; /* whoever needs it explains */
        const char *precision = calibrated_precision(detector);
        common->precision = precision ? precision : common->precision;
        mmood_detector_free(detector);
    }
}

int detector_open(opened_detector *out, const char *path, const common_options *common) {
    mmood_error error;
    mmood_model_info model;
    *out = (opened_detector){0};
    if (!common_image_options(&out->image, common))
        return EXIT_USAGE;
    if (mm_is_directory(path)) {
        cli_error("%s is a directory, not a detector; the detector file comes first", path);
        return EXIT_FATAL;
    }
    if (mmood_detector_open(&out->detector, path, &error) != MMOOD_OK)
        return cli_fail(&error);
    mmood_detector_describe(out->detector, &out->info);
    common_options chosen = *common;
    const char *calibrated = precision_is_open(common) ? calibrated_precision(out->detector) : NULL;
    if (calibrated) {
        chosen.precision = calibrated;
        if (common->verbose)
            cli_note(TALK_VERBOSE, "precision %s: the detector's threshold was made in it",
                     calibrated);
    }
    const char *place = common->model, *stored = out->info.model_path;
    char *here = place || mm_file_exists(stored) ? NULL : hub_cache_find_again(stored);
    if (!place)
        place = here ? here : stored;
    if (place == stored && !mm_file_exists(stored) && getenv("MMOOD_MODEL"))
        place = NULL;
    int code = common_open_model(&out->model, &out->session, place, &chosen);
    if (code != EXIT_DONE) {
        const char *tried = place ? place : getenv("MMOOD_MODEL");
        if (!common->model && !mm_file_exists(tried))
            cli_note(common_talk(common),
                     "the detector was built with the model in \"%s\"; -m gives another place",
                     out->info.model_path);
        free(here);
        return code == EXIT_USAGE ? code : EXIT_FATAL;
    }
    free(here);
    if (mmood_detector_check_model(out->detector, out->model, &error) != MMOOD_OK)
        return cli_fail(&error);
    mmood_model_describe(out->model, &model);
    out->precision = model.precision;
    return EXIT_DONE;
}

void note_skips(const mm_path_skips *skips, cli_talk talk) {
    if (skips->hidden)
        cli_note(talk, "%zu hidden files and folders skipped", skips->hidden);
    if (skips->others)
        cli_note(talk, "%zu %s skipped: not pictures by name or content", skips->others,
                 skips->others == 1 ? "file" : "files");
}

int collect_pictures(mm_path_list *out, char *const *arguments, int count, cli_talk talk) {
    for (int i = 0; i < count; i++)
        mm_path_list_add(out, arguments[i]);
    note_skips(&out->skips, talk);
    if (out->failed)
        cli_error("no memory for the list of pictures");
    else if (out->count == 0)
        cli_error("no picture found");
    return out->failed || out->count == 0 ? EXIT_FATAL : EXIT_DONE;
}

void detector_close(opened_detector *opened) {
    mmood_session_free(opened->session);
    mmood_model_free(opened->model);
    mmood_detector_free(opened->detector);
    *opened = (opened_detector){0};
}

int scores_choose(mm_score_list *out, const char *names, const mmood_detector_info *info,
                  cli_talk talk) {
    mmood_error error;
    *out = (mm_score_list){0};
    if (names && strcmp(names, "all") == 0) {
        mm_score_list_all(out, info);
        for (int kind = 0; mmood_score_name((mmood_score_kind)kind); kind++)
            if (info->outlier_count == 0 && mmood_score_needs_outliers((mmood_score_kind)kind))
                cli_note(talk, "%s is left out: it needs outlier labels, and the detector has none",
                         mmood_score_name((mmood_score_kind)kind));
    } else if (names && mm_score_list_parse(out, names, info, &error) != MMOOD_OK) {
        cli_error("option --scores: %s", error.message);
        return 0;
    }
    out->needs_patches |= mmood_score_needs_patches(info->score.kind);
    for (size_t i = 0; i < out->count; i++) {
        mmood_score_kind kind = out->settings[i].kind;
        if (info->id_count == 1 &&
            (kind == MMOOD_SCORE_MCM || kind == MMOOD_SCORE_MAX || kind == MMOOD_SCORE_GL_MCM))
            cli_note(talk, "with one ID label %s is the same for every picture",
                     mmood_score_name(kind));
    }
    return 1;
}
