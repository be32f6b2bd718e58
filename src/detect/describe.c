/* describe.c - what a detector's threshold belongs to, in JSON. */
#include "detect/describe.h"

const char *mm_alpha_name(mmood_alpha alpha) {
    static const char *const names[] = {"drop", "white", "black"};
    return names[alpha];
}

void mm_calibration_json(mm_buffer *out, const mmood_detector *detector) {
    mmood_calibration_info c;
    if (!mmood_detector_calibration(detector, &c)) {
        mm_buffer_puts(out, "null");
        return;
    }
    mm_buffer_printf(out,
                     "{\"n\":%zu,\"keep\":%.17g,\"kept\":%zu,\"keep_interval\":[%.17g,%.17g],"
                     "\"precision\":\"%s\",\"orient\":%s,\"alpha\":\"%s\",\"fast_decode\":%s}",
                     c.count, c.keep, c.kept, c.keep_low, c.keep_high,
                     mmood_precision_name(c.precision),
                     c.image.apply_orientation ? "true" : "false", mm_alpha_name(c.image.alpha),
                     c.image.fast_decode ? "true" : "false");
}
