/* describe.h - what a detector's threshold belongs to, in JSON. */
#ifndef MM_DETECT_DESCRIBE_H
#define MM_DETECT_DESCRIBE_H

#include "base/buffer.h"

#include "mmood.h"

/* "drop", "white" or "black", as --alpha takes them. */
const char *mm_alpha_name(mmood_alpha alpha);

/* {"n":...,"keep":...,...} with how the pictures were decoded and embedded, or null. */
void mm_calibration_json(mm_buffer *out, const mmood_detector *detector);

#endif
