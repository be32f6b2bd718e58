/* histogram.h - a histogram as Prometheus has them: cumulative counts up to bounds, sum, count. */
#ifndef MM_SERVE_HISTOGRAM_H
#define MM_SERVE_HISTOGRAM_H

#include "base/buffer.h"

#include <stdint.h>

enum { MM_BOUNDS_MAX = 40 };

typedef struct mm_histogram {
    double bounds[MM_BOUNDS_MAX];       /* rising */
    size_t count;                       /* of bounds */
    uint64_t counts[MM_BOUNDS_MAX + 1]; /* the last one: above all bounds */
    double sum;
} mm_histogram;

void mm_histogram_set(mm_histogram *out, const double *bounds, size_t count);
void mm_histogram_add(mm_histogram *histogram, double value);

/* The lines of one histogram; `labels` is "" or such as `stage="model"`. */
void mm_histogram_write(mm_buffer *out, const mm_histogram *histogram, const char *name,
                        const char *labels);

/* "# HELP" and "# TYPE". */
void mm_metric_head(mm_buffer *out, const char *name, const char *type, const char *help);

/* A label's value with quotes, escaped as Prometheus wants it. */
void mm_metric_text(mm_buffer *out, const char *text);

/* A sample's value. */
void mm_metric_number(mm_buffer *out, double value);

#endif
