/* transformer_names.h - what the tensors of a transformer's layers are called, by who named them.
 */
#ifndef MM_CLIP_TRANSFORMER_NAMES_H
#define MM_CLIP_TRANSFORMER_NAMES_H

#include "clip/weights_plan.h"

/* Lists the blocks of a tower, which are allocated here; `prefix` stands before all names. */
mmood_status mm_plan_blocks(mm_plan *p, mm_tower *tower, const char *prefix, mmood_error *error);

#endif
