/* detectors.h - what score, calibrate and eval begin with: a detector, its model, and the scores
 * asked for. */
#ifndef MM_CLI_DETECTORS_H
#define MM_CLI_DETECTORS_H

#include "cli/options.h"
#include "detect/rows.h"
#include "eval/paths.h"

typedef struct opened_detector {
    mmood_detector *detector;
    mmood_detector_info info;
    mmood_model *model;
    mmood_session *session;
    mmood_precision precision;
    mmood_image_options image;
} opened_detector;

/* Opens a detector file and the model it was built with, found where -m says, else at the stored
 * path, else, if that is in a Hugging Face cache, in this machine's, else at $MMOOD_MODEL, and
 * checks that they fit; an exit code, after a message. Where --precision leaves it open, the
 * model's precision is that of the detector's calibration if this CPU has it. The caller calls
 * detector_close also after a failure. */
int detector_open(opened_detector *out, const char *path, const common_options *common);

/* For several detectors with one model: sets an open --precision to that of the first calibration
 * among them that this CPU has. */
void detectors_choose_precision(common_options *common, char *const *paths, size_t count);

void detector_close(opened_detector *opened);

/* The pictures that PATH arguments stand for; EXIT_FATAL after a message if there is none. The
 * caller frees the list. */
int collect_pictures(mm_path_list *out, char *const *arguments, int count, cli_talk talk);

/* Tells what was left out of directories. */
void note_skips(const mm_path_skips *skips, cli_talk talk);

/* The scores that `names` (NULL: none; "all"; or names separated by commas) asks for, each with its
 * default temperature and the detector's other settings, the detector's own with its own. "all"
 * leaves out those that need outlier labels where there are none. `needs_patches` is of the
 * detector's own score too. 0 after a message. */
int scores_choose(mm_score_list *out, const char *names, const mmood_detector_info *info,
                  cli_talk talk);

#endif
