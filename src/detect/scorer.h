/* scorer.h - a part of a score that evaluations keep, as scorers compute it. */
#ifndef MM_DETECT_SCORER_H
#define MM_DETECT_SCORER_H

#include "mmood.h"

/* mm_score_best_patch at temperature `t` of one picture's patch features [patch_count, dimension]:
 * with mm_score_gl_mcm bit for bit what the scorer's gl-mcm is made of. One thread at a time. */
mmood_status mm_scorer_best_patch(double *out, mmood_scorer *scorer, const float *patches,
                                  size_t patch_count, double t, mmood_error *error);

#endif
