/* fixture.c - two detectors, some pictures, and servers on free ports. */
#include "serve/fixture.h"

#include "base/file.h"
#include "base/text.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

mmood_model *fixture_model;
char fixture_first_path[64], fixture_second_path[64];
mm_buffer fixture_log_lines;
uint8_t *fixture_pictures[FIXTURE_PICTURES];
size_t fixture_sizes[FIXTURE_PICTURES];

static const char model_path[] = "golden/b32-quick";
static char folder[] = "/tmp/mmood-serve-XXXXXX";
static pthread_mutex_t log_lock = PTHREAD_MUTEX_INITIALIZER;

/* ---- Servers ------------------------------------------------------------------------------- */

void fixture_write_detector(const char *path, const char *ids, const char *outliers) {
    mmood_labels *id, *outlier;
    mmood_session *session;
    mmood_detector *plain, *calibrated;
    mmood_error error;
    double scores[40];
    assert_ok(mmood_labels_parse(&id, ids, strlen(ids), &error), error);
    assert_ok(mmood_labels_parse(&outlier, outliers, strlen(outliers), &error), error);
    assert_ok(mmood_session_create(&session, fixture_model, NULL, &error), error);
    const mmood_labels *sets[] = {outlier};
    assert_ok(mmood_detector_build(&plain, NULL, session, id, sets, 1, NULL, &error), error);
    for (int i = 0; i < 40; i++)
        scores[i] = 0.02 + 0.01 * i;
    assert_ok(mmood_detector_calibrate(&calibrated, plain, scores, 40, NULL, &error), error);
    assert_ok(mmood_detector_save(calibrated, path, &error), error);
    mmood_detector_free(calibrated);
    mmood_detector_free(plain);
    mmood_session_free(session);
    mmood_labels_free(id);
    mmood_labels_free(outlier);
}

static void keep_line(void *context, const char *line) {
    (void)context;
    pthread_mutex_lock(&log_lock);
    if (fixture_log_lines.size < 1 << 20)
        mm_buffer_printf(&fixture_log_lines, "%s\n", line);
    pthread_mutex_unlock(&log_lock);
}

mm_server_options fixture_small_options(void) {
    static const char *const paths[] = {fixture_first_path, fixture_second_path};
    mm_server_options options = mm_server_options_default();
    options.listen = "127.0.0.1:0";
    options.paths = paths;
    options.path_count = 2;
    options.body_limit = 1 << 20;
    options.crew.threads = 2;
    options.crew.items = 8;
    options.crew.batch = 8;
    options.log = keep_line;
    return options;
}

mm_server *fixture_start(const mm_server_options *options, int *port) {
    mm_server *server;
    mmood_error error;
    assert_ok(mm_server_create(&server, fixture_model, options, &error), error);
    *port = atoi(strrchr(mm_server_url(server), ':') + 1);
    return server;
}

answer fixture_post(int port, const char *path, const char *headers, const void *body,
                    size_t size) {
    return client_request(port, "POST", path, headers, body, size);
}

answer fixture_get(int port, const char *path) {
    return client_request(port, "GET", path, NULL, NULL, 0);
}

/* The status of a request whose answer does not matter otherwise. */
int fixture_status_of(answer a) {
    int status = a.status;
    answer_free(&a);
    return status;
}

int fixture_setup(void **state) {
    mmood_error error;
    mmood_model_options options = mmood_model_options_default();
    static const char *const names[FIXTURE_PICTURES] = {"doughnut", "bacon", "bread",
                                                        "cake",     "candy", "cookie"};
    (void)state;
    options.precision = MMOOD_PRECISION_F32;
    if (!mkdtemp(folder) ||
        mmood_model_open(&fixture_model, model_path, &options, &error) != MMOOD_OK)
        return -1;
    snprintf(fixture_first_path, sizeof fixture_first_path, "%s/first.mmood", folder);
    snprintf(fixture_second_path, sizeof fixture_second_path, "%s/second.mmood", folder);
    fixture_write_detector(fixture_first_path, "cat\ndog\nbird\n", "car\ntree\nhouse\n");
    fixture_write_detector(fixture_second_path, "red\nblue\n", "green\nblack\n");
    for (size_t i = 0; i < FIXTURE_PICTURES; i++) {
        char path[128];
        snprintf(path, sizeof path, "data/drawings/%s.png", names[i]);
        if (mm_file_read(&fixture_pictures[i], &fixture_sizes[i], path, 1 << 20, &error) !=
            MMOOD_OK)
            return -1;
    }
    return 0;
}

int fixture_teardown(void **state) {
    (void)state;
    for (size_t i = 0; i < FIXTURE_PICTURES; i++)
        free(fixture_pictures[i]);
    mmood_model_free(fixture_model);
    mm_buffer_free(&fixture_log_lines);
    unlink(fixture_first_path);
    unlink(fixture_second_path);
    return rmdir(folder);
}

/* ---- Bodies -------------------------------------------------------------------------------- */

static void put_part(mm_buffer *out, const char *name, const void *data, size_t size) {
    mm_buffer_printf(
        out, "--XX\r\nContent-Disposition: form-data; name=\"p\"; filename=\"%s\"\r\n\r\n", name);
    mm_buffer_append(out, data, size);
    mm_buffer_puts(out, "\r\n");
}

mm_buffer fixture_form_of_all(void) {
    mm_buffer out = {0};
    for (size_t i = 0; i < FIXTURE_PICTURES; i++)
        put_part(&out, "x", fixture_pictures[i], fixture_sizes[i]);
    put_part(&out, "bad", "no picture", 10);
    mm_buffer_puts(&out, "--XX--\r\n");
    return out;
}

mm_buffer fixture_json_of_all(void) {
    mm_buffer out = {0};
    mm_buffer_puts(&out, "{\"pictures\":[");
    for (size_t i = 0; i < FIXTURE_PICTURES; i++) {
        mm_buffer_puts(&out, i ? ",{\"name\":\"x\",\"data\":\"" : "{\"name\":\"x\",\"data\":\"");
        mm_base64(&out, fixture_pictures[i], fixture_sizes[i]);
        mm_buffer_puts(&out, "\"}");
    }
    mm_buffer_puts(&out, "]}");
    return out;
}
