/* test_deploy.c - the dashboard, the alert rules and docs/serve.md name the metrics and labels that
 * the server has, and no others. */
#include "serve/fixture.h"

#include "base/file.h"

#include <ctype.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static char *metrics; /* of a server that has judged something */

static mm_buffer read_text(const char *path) {
    uint8_t *data;
    size_t size;
    mmood_error error;
    mm_buffer out = {0};
    assert_ok(mm_file_read(&data, &size, path, 1 << 20, &error), error);
    mm_buffer_append(&out, data, size);
    free(data);
    return out;
}

static int setup(void **state) {
    if (fixture_setup(state) != 0)
        return -1;
    int port;
    mm_server_options options = fixture_small_options();
    fixture_write_detector(fixture_second_path, "house\n", "cat\nbird\n"); /* its outliers fire */
    mm_server *server = fixture_start(&options, &port);
    for (size_t i = 0; i < FIXTURE_PICTURES; i++)
        fixture_status_of(
            fixture_post(port, "/v1/detect/second", NULL, fixture_pictures[i], fixture_sizes[i]));
    answer a = fixture_get(port, "/metrics");
    metrics = strdup(a.body);
    answer_free(&a);
    mm_server_free(server);
    return metrics ? 0 : -1;
}

static int teardown(void **state) {
    free(metrics);
    return fixture_teardown(state);
}

/* Whether a line of the metrics begins with `name` and has `label="`; no label: any line. */
static int has_label(const char *name, size_t size, const char *label, size_t label_size) {
    char wanted[128];
    snprintf(wanted, sizeof wanted, "%.*s=\"", (int)label_size, label);
    for (const char *line = metrics; line; line = strchr(line, '\n')) {
        line += *line == '\n';
        size_t n = strcspn(line, "\n");
        if (n <= size || strncmp(line, name, size) != 0 || (line[size] != '{' && line[size] != ' '))
            continue;
        const char *found = strstr(line, wanted);
        if (label_size == 0 || (found && found < line + n))
            return 1;
    }
    return 0;
}

/* Checks each mmood_name and mmood_name{label=...} of a text; how many there were. */
static int check_names(const char *what, const char *text) {
    int count = 0;
    for (const char *at = text; (at = strstr(at, "mmood_")); count++) {
        const char *name = at;
        while (islower((unsigned char)*at) || *at == '_')
            at++;
        size_t size = (size_t)(at - name);
        if (!has_label(name, size, "", 0))
            fail_msg("%s names %.*s, which /metrics does not have", what, (int)size, name);
        if (*at != '{')
            continue;
        for (at++; *at && *at != '}';) {
            size_t n = strspn(at, "abcdefghijklmnopqrstuvwxyz_");
            if (!has_label(name, size, at, n))
                fail_msg("%s: %.*s has no label %.*s", what, (int)size, name, (int)n, at);
            at += n + strcspn(at + n, "\"");
            if (*at) /* the value */
                at += 1 + strcspn(at + 1, "\"");
            at += *at == '"';
            at += strspn(at, ", ");
        }
    }
    return count;
}

static int check_panel(json_t *panel) {
    int count = 0;
    json_t *targets = json_object_get(panel, "targets");
    assert_true(json_is_string(json_object_get(panel, "title")));
    assert_true(json_array_size(targets) > 0);
    for (size_t i = 0; i < json_array_size(targets); i++) {
        const char *expression =
            json_string_value(json_object_get(json_array_get(targets, i), "expr"));
        assert_non_null(expression);
        int found = check_names("dashboard.json", expression);
        assert_true(found > 0);
        count += found;
    }
    return count;
}

static void test_dashboard(void **state) {
    mm_buffer text = read_text("../deploy/dashboard.json");
    json_error_t error;
    (void)state;
    json_t *dashboard = json_loads(text.data, JSON_REJECT_DUPLICATES, &error);
    if (!dashboard)
        fail_msg("dashboard.json:%d: %s", error.line, error.text);
    json_t *panels = json_object_get(dashboard, "panels");
    int count = 0;
    for (size_t i = 0; i < json_array_size(panels); i++)
        count += check_panel(json_array_get(panels, i));
    assert_true(count >= 12);
    json_t *variables = json_object_get(json_object_get(dashboard, "templating"), "list");
    for (size_t i = 0; i < json_array_size(variables); i++) {
        const char *query =
            json_string_value(json_object_get(json_array_get(variables, i), "query"));
        if (query)
            check_names("dashboard.json", query);
    }
    json_decref(dashboard);
    mm_buffer_free(&text);
}

static void test_alerts(void **state) {
    mm_buffer text = read_text("../deploy/alerts.yaml");
    (void)state;
    assert_true(check_names("alerts.yaml", text.data) >= 8);
    mm_buffer_free(&text);
}

/* Every metric is documented. */
static void test_documented(void **state) {
    static const char begin[] = "# TYPE ";
    mm_buffer text = read_text("../docs/serve.md");
    int count = 0;
    (void)state;
    for (const char *at = metrics; (at = strstr(at, begin)); count++) {
        char name[128];
        at += sizeof begin - 1;
        snprintf(name, sizeof name, "`%.*s", (int)strcspn(at, " "), at);
        const char *found = strstr(text.data, name);
        if (!found || (found[strlen(name)] != '`' && found[strlen(name)] != '{'))
            fail_msg("docs/serve.md does not name %s", name + 1);
    }
    assert_true(count >= 15);
    mm_buffer_free(&text);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_dashboard),
        cmocka_unit_test(test_alerts),
        cmocka_unit_test(test_documented),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
