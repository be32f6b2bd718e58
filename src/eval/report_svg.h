/* report_svg.h - drawings for the HTML report. Colours come from the page's style sheet. */
#ifndef MM_EVAL_REPORT_SVG_H
#define MM_EVAL_REPORT_SVG_H

#include "base/buffer.h"
#include "eval/curves.h"

enum { MM_SVG_BINS = 40, MM_SVG_STYLES = 8 };

/* Two histograms of MM_SVG_BINS shares over one range, and a threshold (NaN: none). `title` says in
 * words what is seen; it is plain text. */
void mm_svg_histogram(mm_buffer *out, const mm_range *range, const double *id, const double *ood,
                      double threshold, const char *title);

/* Curves over the unit square; curve i has the style i modulo MM_SVG_STYLES. */
typedef struct mm_svg_axes {
    const char *x;
    const char *y;
    int diagonal; /* 1: a line from (0, 0) to (1, 1), what chance gives */
} mm_svg_axes;

void mm_svg_curves(mm_buffer *out, const mm_curve *curves, size_t count, const mm_svg_axes *axes,
                   const char *title);

/* A short line in the style of curve `index`, for a legend. */
void mm_svg_swatch(mm_buffer *out, size_t index);

#endif
