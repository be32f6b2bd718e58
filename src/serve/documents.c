/* documents.c - what the server says of its detectors and of itself. */
#include "serve/server_internal.h"

#include "base/text.h"
#include "detect/describe.h"

const char *const mm_route_names[] = {"detect",  "detector", "detectors", "stats",
                                      "healthz", "readyz",   "metrics",   "page",
                                      "openapi", "none",     NULL};

/* The members that the list of detectors has too. */
static void put_summary(mm_buffer *out, const mm_served *served) {
    const mmood_detector_info *info = &served->info;
    mm_buffer_puts(out, "{\"name\":");
    mm_json_text(out, served->name);
    mm_buffer_printf(out,
                     ",\"file_sha256\":\"%s\",\"score\":\"%s\",\"temperature\":%.17g,"
                     "\"beta\":%.17g,\"calibrated\":%s,\"threshold\":",
                     served->hash, mmood_score_name(info->score.kind), info->score.temperature,
                     info->score.beta, info->calibrated ? "true" : "false");
    mm_json_exact(out, info->threshold);
    mm_buffer_puts(out, ",\"calibration\":");
    mm_calibration_json(out, served->detector);
    mm_buffer_printf(out, ",\"n_id\":%zu,\"n_outlier\":%zu", info->id_count, info->outlier_count);
}

void mm_document_detector(mm_buffer *out, const mm_server *server, const mm_served *served) {
    const mmood_detector_info *info = &served->info;
    put_summary(out, served);
    mm_buffer_printf(out, ",\"dimension\":%zu,\"templates\":[", info->dimension);
    for (size_t i = 0; i < info->template_count; i++) {
        mm_buffer_puts(out, i ? "," : "");
        mm_json_text(out, mmood_detector_template(served->detector, i));
    }
    mm_buffer_puts(out, "],\"labels\":[");
    for (size_t i = 0; i < info->id_count + info->outlier_count; i++) {
        mm_buffer_puts(out, i ? ",{\"label\":" : "{\"label\":");
        mm_json_text(out, mmood_detector_label(served->detector, i));
        mm_buffer_printf(out,
                         ",\"kind\":\"%s\",\"source\":", i < info->id_count ? "id" : "outlier");
        mm_json_text(out, mmood_detector_source(served->detector, i));
        mm_buffer_puts(out, "}");
    }
    mm_buffer_printf(out, "],\"model\":{\"fingerprint\":\"%s\",\"precision\":\"%s\"}}\n",
                     server->model_info.fingerprint,
                     mmood_precision_name(server->model_info.precision));
}

void mm_document_detectors(mm_buffer *out, mm_server *server) {
    mm_buffer_puts(out, "{\"detectors\":[");
    pthread_mutex_lock(&server->fleet.lock);
    for (size_t i = 0; i < server->fleet.count; i++) {
        mm_buffer_puts(out, i ? "," : "");
        put_summary(out, server->fleet.current[i]);
        mm_buffer_puts(out, "}");
    }
    pthread_mutex_unlock(&server->fleet.lock);
    mm_buffer_puts(out, "]}\n");
}

static void put_gauge(mm_buffer *out, const char *name, const char *help, size_t value) {
    mm_metric_head(out, name, "gauge", help);
    mm_buffer_printf(out, "%s %zu\n", name, value);
}

void mm_document_metrics(mm_buffer *out, mm_server *server) {
    mm_monitor *monitors[MM_FLEET_MAX];
    mm_served *served[MM_FLEET_MAX];
    const char *names[MM_FLEET_MAX];
    pthread_mutex_lock(&server->fleet.lock);
    size_t count = server->fleet.count;
    for (size_t i = 0; i < count; i++) {
        served[i] = server->fleet.current[i];
        mm_served_keep(served[i]);
        names[i] = served[i]->name;
        monitors[i] = served[i]->monitor;
    }
    pthread_mutex_unlock(&server->fleet.lock);
    mm_metric_head(out, "mmood_build_info", "gauge", "The version that runs.");
    mm_buffer_printf(out, "mmood_build_info{version=\"%s\",precision=\"%s\"} 1\n", mmood_version(),
                     mmood_precision_name(server->model_info.precision));
    mm_monitor_metrics(out, monitors, names, count);
    for (size_t i = 0; i < count; i++)
        mm_served_release(served[i]);
    mm_metrics_write(out, &server->metrics, mm_route_names);
    put_gauge(out, "mmood_queue_pictures", "Pictures taken and not yet judged.",
              mm_crew_depth(server->crew));
    put_gauge(out, "mmood_queue_limit", "Above this many, requests are turned away.",
              server->options.crew.queue);
    put_gauge(out, "mmood_requests_under_way", "Requests being received or answered.",
              atomic_load(&server->busy));
    pthread_mutex_lock(&server->peers_lock);
    size_t peers = server->peer_count;
    pthread_mutex_unlock(&server->peers_lock);
    put_gauge(out, "mmood_connections", "Open connections.", peers);
    put_gauge(out, "mmood_body_bytes", "Memory that bodies of requests hold.",
              atomic_load(&server->body_bytes));
}
