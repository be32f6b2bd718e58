/* histogram.c - histograms, and what lines of Prometheus' text format need. */
#include "serve/histogram.h"

#include <math.h>
#include <string.h>

void mm_histogram_set(mm_histogram *out, const double *bounds, size_t count) {
    *out = (mm_histogram){.count = count < MM_BOUNDS_MAX ? count : MM_BOUNDS_MAX};
    memcpy(out->bounds, bounds, out->count * sizeof *bounds);
}

void mm_histogram_add(mm_histogram *histogram, double value) {
    size_t i = 0;
    while (i < histogram->count && !(value <= histogram->bounds[i]))
        i++;
    histogram->counts[i]++;
    histogram->sum += value;
}

void mm_metric_head(mm_buffer *out, const char *name, const char *type, const char *help) {
    mm_buffer_printf(out, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, type);
}

void mm_metric_text(mm_buffer *out, const char *text) {
    mm_buffer_puts(out, "\"");
    for (; *text; text++) {
        if (*text == '"' || *text == '\\')
            mm_buffer_puts(out, "\\");
        if (*text == '\n')
            mm_buffer_puts(out, "\\n");
        else
            mm_buffer_append(out, text, 1);
    }
    mm_buffer_puts(out, "\"");
}

void mm_metric_number(mm_buffer *out, double value) {
    if (isnan(value))
        mm_buffer_puts(out, "NaN");
    else
        mm_buffer_printf(out, "%.9g", value);
}

void mm_histogram_write(mm_buffer *out, const mm_histogram *histogram, const char *name,
                        const char *labels) {
    uint64_t sum = 0;
    const char *comma = labels[0] ? "," : "";
    for (size_t i = 0; i < histogram->count; i++) {
        sum += histogram->counts[i];
        mm_buffer_printf(out, "%s_bucket{%s%sle=\"%.6g\"} %llu\n", name, labels, comma,
                         histogram->bounds[i], (unsigned long long)sum);
    }
    sum += histogram->counts[histogram->count];
    mm_buffer_printf(out, "%s_bucket{%s%sle=\"+Inf\"} %llu\n", name, labels, comma,
                     (unsigned long long)sum);
    const char *open = labels[0] ? "{" : "", *close = labels[0] ? "}" : "";
    mm_buffer_printf(out, "%s_sum%s%s%s %.9g\n%s_count%s%s%s %llu\n", name, open, labels, close,
                     histogram->sum, name, open, labels, close, (unsigned long long)sum);
}
