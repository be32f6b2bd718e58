/* metrics.c - the server's own counters, in Prometheus' text format. */
#include "serve/metrics.h"

#include <stdio.h>

static const char *const stage_names[] = {"read", "decode", "queue", "model", "score"};
static const char *const trouble_names[] = {"busy", "deadline", "too_large", "token", "timeout"};

void mm_metrics_init(mm_metrics *out) {
    static const double seconds[] = {0.0001, 0.0002, 0.0005, 0.001, 0.002, 0.005, 0.01, 0.02,
                                     0.05,   0.1,    0.2,    0.5,   1,     2,     5,    10};
    static const double sizes[] = {1, 2, 4, 8, 16, 24, 32, 48, 64, 96, 128};
    *out = (mm_metrics){0};
    pthread_mutex_init(&out->lock, NULL);
    for (int i = 0; i < MM_STAGES; i++)
        mm_histogram_set(&out->stages[i], seconds, sizeof seconds / sizeof *seconds);
    mm_histogram_set(&out->seconds, seconds, sizeof seconds / sizeof *seconds);
    mm_histogram_set(&out->batches, sizes, sizeof sizes / sizeof *sizes);
}

void mm_metrics_stage(mm_metrics *metrics, mm_stage stage, double seconds) {
    pthread_mutex_lock(&metrics->lock);
    mm_histogram_add(&metrics->stages[stage], seconds);
    pthread_mutex_unlock(&metrics->lock);
}

void mm_metrics_batch(mm_metrics *metrics, size_t size) {
    pthread_mutex_lock(&metrics->lock);
    mm_histogram_add(&metrics->batches, (double)size);
    pthread_mutex_unlock(&metrics->lock);
}

void mm_metrics_error(mm_metrics *metrics, mmood_status status) {
    pthread_mutex_lock(&metrics->lock);
    if ((size_t)status < MM_STATUSES)
        metrics->errors[status]++;
    pthread_mutex_unlock(&metrics->lock);
}

void mm_metrics_trouble(mm_metrics *metrics, mm_trouble trouble) {
    pthread_mutex_lock(&metrics->lock);
    metrics->troubles[trouble]++;
    pthread_mutex_unlock(&metrics->lock);
}

void mm_metrics_request(mm_metrics *metrics, int route, int code, double seconds) {
    pthread_mutex_lock(&metrics->lock);
    if (route >= 0 && route < MM_ROUTES_MAX && code >= 0 && code < MM_CODES)
        metrics->requests[route][code]++;
    if (route == 0)
        mm_histogram_add(&metrics->seconds, seconds);
    pthread_mutex_unlock(&metrics->lock);
}

void mm_metrics_reload(mm_metrics *metrics, int refused) {
    pthread_mutex_lock(&metrics->lock);
    metrics->reloads += !refused;
    metrics->refused_reloads += refused != 0;
    pthread_mutex_unlock(&metrics->lock);
}

static void write_errors(mm_buffer *out, const mm_metrics *metrics) {
    mm_metric_head(out, "mmood_errors_total", "counter",
                   "Pictures and requests that failed, by kind.");
    for (int i = 1; i < MM_STATUSES; i++)
        mm_buffer_printf(out, "mmood_errors_total{kind=\"%s\"} %llu\n",
                         mmood_status_name((mmood_status)i),
                         (unsigned long long)metrics->errors[i]);
    for (int i = 0; i < MM_TROUBLES; i++)
        mm_buffer_printf(out, "mmood_errors_total{kind=\"%s\"} %llu\n", trouble_names[i],
                         (unsigned long long)metrics->troubles[i]);
}

void mm_metrics_write(mm_buffer *out, mm_metrics *metrics, const char *const *routes) {
    pthread_mutex_lock(&metrics->lock);
    mm_metric_head(out, "mmood_http_requests_total", "counter", "Requests answered.");
    for (int route = 0; routes[route] && route < MM_ROUTES_MAX; route++)
        for (int code = 0; code < MM_CODES; code++)
            if (metrics->requests[route][code])
                mm_buffer_printf(out, "mmood_http_requests_total{route=\"%s\",code=\"%d\"} %llu\n",
                                 routes[route], code,
                                 (unsigned long long)metrics->requests[route][code]);
    write_errors(out, metrics);
    mm_metric_head(out, "mmood_request_seconds", "histogram",
                   "From the head of a request to judge pictures to the end of its answer.");
    mm_histogram_write(out, &metrics->seconds, "mmood_request_seconds", "");
    mm_metric_head(out, "mmood_stage_seconds", "histogram", "Time a stage took.");
    for (int i = 0; i < MM_STAGES; i++) {
        char label[32];
        snprintf(label, sizeof label, "stage=\"%s\"", stage_names[i]);
        mm_histogram_write(out, &metrics->stages[i], "mmood_stage_seconds", label);
    }
    mm_metric_head(out, "mmood_batch_pictures", "histogram", "Pictures of a batch.");
    mm_histogram_write(out, &metrics->batches, "mmood_batch_pictures", "");
    mm_metric_head(out, "mmood_reloads_total", "counter", "Detectors replaced, and refused.");
    mm_buffer_printf(out,
                     "mmood_reloads_total{result=\"replaced\"} %llu\n"
                     "mmood_reloads_total{result=\"refused\"} %llu\n",
                     (unsigned long long)metrics->reloads,
                     (unsigned long long)metrics->refused_reloads);
    pthread_mutex_unlock(&metrics->lock);
}
