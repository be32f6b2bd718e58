/* monitor.h - what one detector has said lately: verdicts, scores, drift from its calibration. */
#ifndef MM_SERVE_MONITOR_H
#define MM_SERVE_MONITOR_H

#include "serve/histogram.h"

#include "mmood.h"

#include <pthread.h>

enum { MM_WINDOW = 1000, MM_OUTLIERS_SHOWN = 20 };

typedef struct mm_monitor {
    pthread_mutex_t lock;
    const mmood_detector *detector; /* whose verdicts are counted; others' are left out */
    uint64_t id, ood, failed;
    mm_histogram scores;
    mm_histogram p_values;
    struct mm_seen {
        double score;
        int ood;
    } window[MM_WINDOW]; /* a ring */
    size_t seen;         /* in the window's life; it holds the last MM_WINDOW */
    uint64_t *fired;     /* [labels]: how often an outlier label was the most similar of all */
    size_t labels;
} mm_monitor;

/* What the window says. NaN where there is nothing to say. */
typedef struct mm_drift {
    size_t count;
    double ood_rate;
    double ks;
    double ks_p;
    double psi;
} mm_drift;

void mm_monitor_init(mm_monitor *out);
void mm_monitor_free(mm_monitor *monitor);

/* Counts from now on for `detector`: the window, the histograms and the labels start anew, the
 * verdict counts go on. 0 if memory is out, and then nothing changes. */
int mm_monitor_watch(mm_monitor *monitor, const mmood_detector *detector);

void mm_monitor_verdict(mm_monitor *monitor, const mmood_detector *detector,
                        const mmood_verdict *verdict);
void mm_monitor_failure(mm_monitor *monitor);

mm_drift mm_monitor_drift(mm_monitor *monitor);

/* The lines of the metric families of several detectors. */
void mm_monitor_metrics(mm_buffer *out, mm_monitor *const *monitors, const char *const *names,
                        size_t count);

/* Counts, rates, drift and the window's histogram as a JSON object, without a newline. */
void mm_monitor_json(mm_buffer *out, mm_monitor *monitor, const char *name);

#endif
