/* weights_check.h - whether a set of tensors is what a plan asks for. */
#ifndef MM_CLIP_WEIGHTS_CHECK_H
#define MM_CLIP_WEIGHTS_CHECK_H

#include "clip/weights_plan.h"

/* Binds the table of tokens, of the shape `table`, and sees that the set has every other tensor of
 * the plan with its exact shape, and no tensor besides. */
mmood_status mm_plan_check(mm_plan *p, const size_t table[2], mmood_error *error);

#endif
