/* monitor.c - counting verdicts, and how recent scores compare with the calibration's. */
#include "serve/monitor.h"

#include "base/text.h"
#include "detect/detector.h"
#include "serve/drift.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static const double p_bounds[] = {0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2,
                                  0.3,   0.4,   0.5,   0.6,  0.7,  0.8,  0.9, 1};

/* For detectors without calibration scores to say where theirs lie. */
static const double plain_bounds[] = {
    -1,   -0.5, -0.2, -0.1, -0.05, -0.02, -0.01, -0.005, -0.002, -0.001, 0,   0.001, 0.002, 0.005,
    0.01, 0.02, 0.05, 0.1,  0.2,   0.3,   0.4,   0.5,    0.6,    0.7,    0.8, 0.9,   1};

enum { SCORE_BINS = 30 };

void mm_monitor_init(mm_monitor *out) {
    *out = (mm_monitor){0};
    pthread_mutex_init(&out->lock, NULL);
    mm_histogram_set(&out->p_values, p_bounds, sizeof p_bounds / sizeof *p_bounds);
}

void mm_monitor_free(mm_monitor *monitor) {
    pthread_mutex_destroy(&monitor->lock);
    free(monitor->fired);
}

/* Bounds over the range of the calibration scores and as much again below it, where what is out of
 * distribution lies. */
static void score_bounds(mm_histogram *out, const mm_calibration *calibration) {
    double bounds[SCORE_BINS];
    if (!calibration) {
        mm_histogram_set(out, plain_bounds, sizeof plain_bounds / sizeof *plain_bounds);
        return;
    }
    double low = calibration->scores[0], high = calibration->scores[calibration->info.count - 1];
    double range = high > low ? high - low : fabs(high) > 0 ? fabs(high) : 1;
    low -= range;
    for (size_t i = 0; i < SCORE_BINS; i++)
        bounds[i] = low + (high - low) * (double)i / (SCORE_BINS - 1);
    mm_histogram_set(out, bounds, SCORE_BINS);
}

int mm_monitor_watch(mm_monitor *monitor, const mmood_detector *detector) {
    uint64_t *fired = calloc(detector->count + 1, sizeof *fired);
    if (!fired)
        return 0;
    pthread_mutex_lock(&monitor->lock);
    free(monitor->fired);
    monitor->fired = fired;
    monitor->labels = detector->count;
    monitor->detector = detector;
    monitor->seen = 0;
    score_bounds(&monitor->scores, detector->calibration);
    mm_histogram_set(&monitor->p_values, p_bounds, sizeof p_bounds / sizeof *p_bounds);
    pthread_mutex_unlock(&monitor->lock);
    return 1;
}

void mm_monitor_verdict(mm_monitor *monitor, const mmood_detector *detector,
                        const mmood_verdict *verdict) {
    pthread_mutex_lock(&monitor->lock);
    monitor->id += verdict->is_id != 0;
    monitor->ood += verdict->is_id == 0;
    if (detector == monitor->detector) {
        struct mm_seen *seen = &monitor->window[monitor->seen++ % MM_WINDOW];
        *seen = (struct mm_seen){verdict->score, !verdict->is_id};
        mm_histogram_add(&monitor->scores, verdict->score);
        if (!isnan(verdict->p_value))
            mm_histogram_add(&monitor->p_values, verdict->p_value);
        if (verdict->outlier < monitor->labels && verdict->outlier_cosine > verdict->label_cosine)
            monitor->fired[verdict->outlier]++;
    }
    pthread_mutex_unlock(&monitor->lock);
}

void mm_monitor_failure(mm_monitor *monitor) {
    pthread_mutex_lock(&monitor->lock);
    monitor->failed++;
    pthread_mutex_unlock(&monitor->lock);
}

static int compare(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static size_t window_size(const mm_monitor *monitor) {
    return monitor->seen < MM_WINDOW ? monitor->seen : MM_WINDOW;
}

/* With the lock held; the window's scores come rising to `sorted` [MM_WINDOW]. */
static mm_drift measure(const mm_monitor *monitor, double *sorted) {
    mm_drift drift = {
        .count = window_size(monitor), .ood_rate = NAN, .ks = NAN, .ks_p = NAN, .psi = NAN};
    size_t ood = 0;
    for (size_t i = 0; i < drift.count; i++) {
        sorted[i] = monitor->window[i].score;
        ood += monitor->window[i].ood != 0;
    }
    qsort(sorted, drift.count, sizeof *sorted, compare);
    if (drift.count > 0)
        drift.ood_rate = (double)ood / (double)drift.count;
    const mm_calibration *c = monitor->detector ? monitor->detector->calibration : NULL;
    if (c && drift.count > 0) {
        drift.ks = mm_drift_ks(&drift.ks_p, sorted, drift.count, c->scores, c->info.count);
        drift.psi = mm_drift_psi(c->scores, c->info.count, sorted, drift.count);
    }
    return drift;
}

mm_drift mm_monitor_drift(mm_monitor *monitor) {
    double sorted[MM_WINDOW];
    pthread_mutex_lock(&monitor->lock);
    mm_drift drift = measure(monitor, sorted);
    pthread_mutex_unlock(&monitor->lock);
    return drift;
}

/* The labels that fired most, best first; how many there are. With the lock held. */
static size_t most_fired(const mm_monitor *monitor, size_t *out) {
    size_t count = 0;
    for (size_t i = 0; i < monitor->labels; i++) {
        if (monitor->fired[i] == 0)
            continue;
        if (count == MM_OUTLIERS_SHOWN && monitor->fired[out[count - 1]] >= monitor->fired[i])
            continue;
        size_t at = count < MM_OUTLIERS_SHOWN ? count++ : count - 1;
        for (; at > 0 && monitor->fired[out[at - 1]] < monitor->fired[i]; at--)
            out[at] = out[at - 1];
        out[at] = i;
    }
    return count;
}

/* ---- Metrics ------------------------------------------------------------------------------- */

static void counts(mm_buffer *out, mm_monitor *const *monitors, char (*labels)[320], size_t count) {
    mm_metric_head(out, "mmood_verdicts_total", "counter", "Pictures judged, by verdict.");
    for (size_t i = 0; i < count; i++)
        mm_buffer_printf(out,
                         "mmood_verdicts_total{%s,verdict=\"id\"} %llu\n"
                         "mmood_verdicts_total{%s,verdict=\"ood\"} %llu\n"
                         "mmood_verdicts_total{%s,verdict=\"error\"} %llu\n",
                         labels[i], (unsigned long long)monitors[i]->id, labels[i],
                         (unsigned long long)monitors[i]->ood, labels[i],
                         (unsigned long long)monitors[i]->failed);
    mm_metric_head(out, "mmood_score", "histogram", "The detector's score; higher means ID.");
    for (size_t i = 0; i < count; i++)
        mm_histogram_write(out, &monitors[i]->scores, "mmood_score", labels[i]);
    mm_metric_head(out, "mmood_p_value", "histogram",
                   "Share of calibration pictures that score as low.");
    for (size_t i = 0; i < count; i++)
        mm_histogram_write(out, &monitors[i]->p_values, "mmood_p_value", labels[i]);
    mm_metric_head(out, "mmood_outlier_fired_total", "counter",
                   "Pictures whose most similar label is this outlier; the most frequent ones.");
    for (size_t i = 0; i < count; i++) {
        size_t top[MM_OUTLIERS_SHOWN], n = most_fired(monitors[i], top);
        for (size_t k = 0; k < n; k++) {
            mm_buffer_printf(out, "mmood_outlier_fired_total{%s,label=", labels[i]);
            mm_metric_text(out, mmood_detector_label(monitors[i]->detector, top[k]));
            mm_buffer_printf(out, "} %llu\n", (unsigned long long)monitors[i]->fired[top[k]]);
        }
    }
}

static void gauge(mm_buffer *out, const char *name, const char *labels, double value) {
    mm_buffer_printf(out, "%s{%s} ", name, labels);
    mm_metric_number(out, value);
    mm_buffer_puts(out, "\n");
}

void mm_monitor_metrics(mm_buffer *out, mm_monitor *const *monitors, const char *const *names,
                        size_t count) {
    static const char *const gauges[][2] = {
        {"mmood_window_pictures", "Pictures in the rolling window."},
        {"mmood_window_ood_rate", "Share of the rolling window judged out of distribution."},
        {"mmood_drift_ks", "Kolmogorov-Smirnov distance of the window's scores from the "
                           "calibration's."},
        {"mmood_drift_ks_p_value", "Its p-value: small where scores have drifted."},
        {"mmood_drift_psi", "Population stability index against the calibration; over 0.25 is "
                            "a large shift."}};
    char(*labels)[320] = calloc(count + 1, sizeof *labels);
    mm_drift *drift = calloc(count + 1, sizeof *drift);
    if (!labels || !drift) {
        out->failed = 1;
        free(labels);
        free(drift);
        return;
    }
    for (size_t i = 0; i < count; i++) {
        mm_buffer label = {0};
        mm_buffer_puts(&label, "detector=");
        mm_metric_text(&label, names[i]);
        if (label.data && label.size < sizeof labels[i])
            memcpy(labels[i], label.data, label.size + 1);
        mm_buffer_free(&label);
        drift[i] = mm_monitor_drift(monitors[i]);
    }
    for (size_t i = 0; i < count; i++)
        pthread_mutex_lock(&monitors[i]->lock);
    counts(out, monitors, labels, count);
    for (size_t i = count; i-- > 0;)
        pthread_mutex_unlock(&monitors[i]->lock);
    for (size_t g = 0; g < sizeof gauges / sizeof *gauges; g++) {
        mm_metric_head(out, gauges[g][0], "gauge", gauges[g][1]);
        for (size_t i = 0; i < count; i++) {
            const double values[] = {(double)drift[i].count, drift[i].ood_rate, drift[i].ks,
                                     drift[i].ks_p, drift[i].psi};
            gauge(out, gauges[g][0], labels[i], values[g]);
        }
    }
    free(labels);
    free(drift);
}

/* ---- JSON ---------------------------------------------------------------------------------- */

enum { SHOWN_BINS = 24 };

/* The window's scores in equal bins over their range and the threshold's, and a little more. */
static void window_json(mm_buffer *out, const double *sorted, size_t count, double threshold) {
    size_t bins[SHOWN_BINS] = {0};
    double low = sorted[0], high = sorted[count - 1];
    if (!isnan(threshold)) {
        low = threshold < low ? threshold : low;
        high = threshold > high ? threshold : high;
    }
    double margin = 0.05 * (high - low);
    low -= margin;
    high += margin;
    double width = high > low ? (high - low) / SHOWN_BINS : 1;
    for (size_t i = 0; i < count; i++) {
        size_t bin = (size_t)((sorted[i] - low) / width);
        bins[bin < SHOWN_BINS ? bin : SHOWN_BINS - 1]++;
    }
    mm_buffer_puts(out, "{\"low\":");
    mm_json_number(out, low);
    mm_buffer_puts(out, ",\"high\":");
    mm_json_number(out, low + width * SHOWN_BINS);
    for (size_t i = 0; i < SHOWN_BINS; i++)
        mm_buffer_printf(out, "%s%zu", i ? "," : ",\"counts\":[", bins[i]);
    mm_buffer_puts(out, "]}");
}

void mm_monitor_json(mm_buffer *out, mm_monitor *monitor, const char *name) {
    double sorted[MM_WINDOW];
    size_t top[MM_OUTLIERS_SHOWN];
    pthread_mutex_lock(&monitor->lock);
    mm_drift drift = measure(monitor, sorted);
    const mm_calibration *c = monitor->detector->calibration;
    mm_buffer_puts(out, "{\"detector\":");
    mm_json_text(out, name);
    mm_buffer_printf(out, ",\"id\":%llu,\"ood\":%llu,\"errors\":%llu,\"window\":{\"count\":%zu",
                     (unsigned long long)monitor->id, (unsigned long long)monitor->ood,
                     (unsigned long long)monitor->failed, drift.count);
    const struct {
        const char *key;
        double value;
    } numbers[] = {{"ood_rate", drift.ood_rate},
                   {"ks", drift.ks},
                   {"ks_p_value", drift.ks_p},
                   {"psi", drift.psi}};
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) {
        mm_buffer_printf(out, ",\"%s\":", numbers[i].key);
        mm_json_number(out, numbers[i].value);
    }
    double threshold = c ? c->info.threshold : NAN;
    mm_buffer_puts(out, ",\"threshold\":");
    mm_json_exact(out, threshold);
    mm_buffer_puts(out, ",\"histogram\":");
    if (drift.count > 0)
        window_json(out, sorted, drift.count, threshold);
    else
        mm_buffer_puts(out, "null");
    mm_buffer_puts(out, "},\"outliers\":[");
    size_t n = most_fired(monitor, top);
    for (size_t i = 0; i < n; i++) {
        mm_buffer_puts(out, i ? ",{\"label\":" : "{\"label\":");
        mm_json_text(out, mmood_detector_label(monitor->detector, top[i]));
        mm_buffer_printf(out, ",\"count\":%llu}", (unsigned long long)monitor->fired[top[i]]);
    }
    mm_buffer_puts(out, "]}");
    pthread_mutex_unlock(&monitor->lock);
}
