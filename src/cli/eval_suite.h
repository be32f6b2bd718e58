/* eval_suite.h - mmood eval --suite: what a suite gives in place of --id, --ood and a detector. */
#ifndef MM_CLI_EVAL_SUITE_H
#define MM_CLI_EVAL_SUITE_H

#include "cli/detectors.h"
#include "eval/suite.h"

/* Finds and reads the suite and checks that its data is below `data`; without it (or with NULL)
 * says what to put where. An exit code; the caller frees the suite. */
int suite_open(mm_suite *out, const char *name, const char *data);

/* The suite's sets with their pictures, its title and published figures, to `evaluation`. */
int suite_sets(mm_evaluation *evaluation, const mm_suite *suite, const char *data);

/* Builds a detector for the suite's ID labels and the outlier labels of the files, with the model
 * of `common`, the suite's templates and its resampling, in memory. */
int suite_detector(opened_detector *out, const mm_suite *suite, const option_list *outliers,
                   const common_options *common);

/* Refuses a detector whose ID labels are not the suite's. */
int suite_check_detector(const opened_detector *opened, const mm_suite *suite);

/* The suite's scores and those that `names` asks for. */
int suite_scores(mm_score_list *out, const mm_suite *suite, const char *names,
                 const mmood_detector_info *info, cli_talk talk);

#endif
