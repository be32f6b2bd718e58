/* test_bodies.c - bodies of requests, drift and histograms, without a server. */
#include "test.h"

#include "serve/body.h"
#include "serve/drift.h"
#include "serve/histogram.h"
#include "serve/multipart.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const mm_body_limits limits = {.items = 4, .dimension = 3};

/* ---- Multipart ----------------------------------------------------------------------------- */

#define FORM "multipart/form-data; boundary=XX"

static void test_multipart_parts(void **state) {
    static const char body[] = "preamble\r\n--XX\r\nContent-Disposition: form-data; name=\"a\"; "
                               "filename=\"b \\\"c\\\".png\""
                               "\r\nContent-Type: image/png\r\n\r\n12\r\n--XY\r\n34\r\n--XX  \r\n"
                               "content-disposition: form-data; filename=plain; "
                               "name=q\r\n\r\n\r\n--XX\r\n\r\nbare\r\n--XX--"
                               "\r\nepilogue";
    static const struct {
        const char *name, *filename, *data;
    } parts[] = {{"a", "b \"c\".png", "12\r\n--XY\r\n34"}, {"q", "plain", ""}, {"", "", "bare"}};
    mm_multipart reader;
    mm_part part;
    mmood_error error;
    int found;
    (void)state;
    assert_ok(mm_multipart_begin(&reader, FORM, body, sizeof body - 1, &error), error);
    for (size_t i = 0; i < 3; i++) {
        assert_ok(mm_multipart_next(&part, &found, &reader, &error), error);
        assert_int_equal(found, 1);
        assert_string_equal(part.name, parts[i].name);
        assert_string_equal(part.filename, parts[i].filename);
        assert_int_equal(part.size, strlen(parts[i].data));
        assert_memory_equal(part.data, parts[i].data, part.size);
    }
    assert_ok(mm_multipart_next(&part, &found, &reader, &error), error);
    assert_int_equal(found, 0);
}

static void test_multipart_refuses(void **state) {
    static const struct {
        const char *type, *body, *message;
    } cases[] = {
        {"multipart/form-data", "--XX\r\n", "no boundary"},
        {"multipart/form-data; boundary=\"\"", "--\r\n", "no boundary"},
        {FORM, "", "does not contain its boundary"},
        {FORM, "--XY\r\n\r\n--XY--", "does not contain its boundary"},
        {FORM, "--XX\r\nContent-Disposition: form-data", "no head"},
        {FORM, "--XX\r\n\r\ncut off", "last boundary is missing"},
        {FORM, "--XX\r\n\r\ncut off\r\n--XX", "last boundary is missing"},
        {"multipart/form-data; boundary="
         "0123456789012345678901234567890123456789012345678901234567890123456789x",
         "--0", "longer than 70"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        mm_body body = {0};
        mmood_error error;
        /* a copy of exact size, so that sanitizers see a read behind it */
        size_t size = strlen(cases[i].body);
        char *copy = malloc(size + 1);
        memcpy(copy, cases[i].body, size);
        mm_multipart reader;
        mm_part part;
        int found = 1;
        mmood_status status = mm_multipart_begin(&reader, cases[i].type, copy, size, &error);
        while (status == MMOOD_OK && found)
            status = mm_multipart_next(&part, &found, &reader, &error);
        assert_int_equal(status, MMOOD_ERROR_FORMAT);
        if (!strstr(error.message, cases[i].message))
            fail_msg("case %zu: \"%s\"", i, error.message);
        free(copy);
        mm_body_free(&body);
    }
}

static void test_multipart_body(void **state) {
    static const char text[] =
        "--XX\r\nContent-Disposition: form-data; name=top\r\n\r\n7\r\n--XX\r\n"
        "Content-Disposition: form-data; name=\"p\"; filename=\"x.png\"\r\n\r\nabc\r\n--XX\r\n"
        "Content-Disposition: form-data; name=\"scores\"\r\n\r\nmcm\r\n--XX\r\n"
        "Content-Disposition: form-data; name=\"e\"; filename=\"\"\r\n\r\n\r\n--XX--\r\n";
    mm_body body = {.top = 3};
    mmood_error error;
    (void)state;
    assert_ok(mm_body_read(&body, FORM, text, sizeof text - 1, &limits, &error), error);
    assert_int_equal(body.count, 2);
    assert_int_equal(body.top, 7);
    assert_string_equal(body.scores, "mcm");
    assert_string_equal(body.inputs[0].name, "x.png");
    assert_memory_equal(body.inputs[0].data, "abc", 3);
    assert_string_equal(body.inputs[1].name, "e");
    assert_int_equal(body.inputs[1].status, MMOOD_ERROR_FORMAT);
    mm_body_free(&body);
}

/* ---- JSON ---------------------------------------------------------------------------------- */

static void test_json_body(void **state) {
    static const char text[] =
        "{\"top\": 2, \"scores\": [\"mcm\", \"energy\"], \"pictures\": [\"YWJj\", "
        "{\"name\": \"n\", \"data\": \"data:image/png;base64,YWI\"}, 5], "
        "\"embeddings\": [{\"name\": \"e\", \"embedding\": [3, 0, 4]}]}";
    mm_body body = {.top = 3};
    mmood_error error;
    (void)state;
    assert_ok(mm_body_read(&body, "application/json; charset=utf-8", text, sizeof text - 1, &limits,
                           &error),
              error);
    assert_int_equal(body.count, 4);
    assert_int_equal(body.top, 2);
    assert_string_equal(body.scores, "mcm,energy");
    assert_int_equal(body.inputs[0].size, 3);
    assert_memory_equal(body.inputs[0].data, "abc", 3);
    assert_string_equal(body.inputs[1].name, "n");
    assert_int_equal(body.inputs[1].size, 2);
    assert_string_equal(body.inputs[2].failure,
                        "the picture is a number; expected base64 in a string");
    assert_float_equal(body.inputs[3].embedding[0], 0.6, 1e-7);
    assert_float_equal(body.inputs[3].embedding[2], 0.8, 1e-7);
    mm_body_free(&body);
}

static void test_json_unit_embedding_stays(void **state) {
    static const char text[] = "{\"embeddings\": [[0.57735026, 0.57735026, 0.577350259]]}";
    mm_body body = {0};
    mmood_error error;
    (void)state;
    assert_ok(mm_body_read(&body, "application/json", text, sizeof text - 1, &limits, &error),
              error);
    assert_true(body.inputs[0].embedding[0] == 0.57735026F);
    mm_body_free(&body);
}

static void test_json_refuses(void **state) {
    static const struct {
        const char *body;
        mmood_status status;
        const char *message;
    } cases[] = {
        {"", MMOOD_ERROR_ARGUMENT, "is empty"},
        {"{", MMOOD_ERROR_FORMAT, "the body: is not valid JSON: line 1"},
        {"[]", MMOOD_ERROR_ARGUMENT, "the body is a list"},
        {"{}", MMOOD_ERROR_ARGUMENT, "has no picture"},
        {"{\"pictures\": []}", MMOOD_ERROR_ARGUMENT, "has no picture"},
        {"{\"pictures\": \"a\"}", MMOOD_ERROR_ARGUMENT, "\"pictures\" is a string"},
        {"{\"picture\": []}", MMOOD_ERROR_ARGUMENT, "no member \"picture\""},
        {"{\"top\": -1}", MMOOD_ERROR_ARGUMENT, "\"top\" is not a number from 0"},
        {"{\"top\": 1.5}", MMOOD_ERROR_ARGUMENT, "\"top\" is not a number from 0"},
        {"{\"scores\": 1}", MMOOD_ERROR_ARGUMENT, "\"scores\" is not"},
        {"{\"scores\": [1]}", MMOOD_ERROR_ARGUMENT, "\"scores\" is not"},
        {"{\"pictures\": [1,1,1,1,1]}", MMOOD_ERROR_LIMIT, "more than 4 pictures"},
        {"{\"top\": 1, \"top\": 1}", MMOOD_ERROR_FORMAT, "duplicate"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        mm_body body = {0};
        mmood_error error;
        mmood_status status = mm_body_read(&body, "application/json", cases[i].body,
                                           strlen(cases[i].body), &limits, &error);
        if (status != cases[i].status || !strstr(error.message, cases[i].message))
            fail_msg("case %zu: %d, \"%s\"", i, status, error.message);
        mm_body_free(&body);
    }
}

static void test_json_bad_items(void **state) {
    static const char *const items[] = {
        "[1, 2]",        "[1, 2, \"x\"]",        "[0, 0, 0]",          "[1e39, 0, 0]",
        "{\"name\": 1}", "{\"embeddings\": []}", "{\"x\": 1}",         "null",
        "[[], [], []]",  "[1, 2, 3, 4]",         "{\"embedding\": 1}", "[1e-9, 0, 0]"};
    (void)state;
    for (size_t i = 0; i < sizeof items / sizeof *items; i++) {
        char text[128];
        mm_body body = {0};
        mmood_error error;
        int n = snprintf(text, sizeof text, "{\"embeddings\": [%s, [1, 0, 0]]}", items[i]);
        assert_ok(mm_body_read(&body, "application/json", text, (size_t)n, &limits, &error), error);
        if (body.count != 2 || body.inputs[0].status == MMOOD_OK || !body.inputs[0].failure)
            fail_msg("%s was taken", items[i]);
        assert_int_equal(body.inputs[1].status, MMOOD_OK);
        mm_body_free(&body);
    }
}

/* A body that would take gigabytes once parsed is refused before. */
static void test_json_values_are_limited(void **state) {
    size_t size = 1 << 20;
    char *text = malloc(size);
    mm_body body = {0};
    mmood_error error;
    (void)state;
    memset(text, ',', size);
    text[0] = '[';
    assert_int_equal(mm_body_read(&body, "application/json", text, size, &limits, &error),
                     MMOOD_ERROR_LIMIT);
    memset(text, '[', size);
    assert_int_equal(mm_body_read(&body, "application/json", text, size, &limits, &error),
                     MMOOD_ERROR_LIMIT);
    free(text);
}

static void test_options(void **state) {
    mm_body body = {0};
    mmood_error error;
    (void)state;
    assert_ok(mm_body_option(&body, "top", "12", &error), error);
    assert_int_equal(body.top, 12);
    assert_int_equal(mm_body_option(&body, "top", "1001", NULL), MMOOD_ERROR_ARGUMENT);
    assert_int_equal(mm_body_option(&body, "top", "", NULL), MMOOD_ERROR_ARGUMENT);
    assert_int_equal(mm_body_option(&body, "top", "-1", NULL), MMOOD_ERROR_ARGUMENT);
    assert_int_equal(mm_body_option(&body, "tip", "1", NULL), MMOOD_ERROR_ARGUMENT);
    assert_true(mm_media_is("Application/JSON ;x", "application/json"));
    assert_false(mm_media_is("application/jsonx", "application/json"));
    assert_false(mm_media_is(NULL, "application/json"));
    mm_body_free(&body);
}

/* ---- Numbers ------------------------------------------------------------------------------- */

static size_t read_list(double *out, size_t room, char *text) {
    size_t n = 0;
    char *state = NULL;
    for (char *p = strtok_r(text, " ", &state); p && n < room; p = strtok_r(NULL, " ", &state))
        out[n++] = strtod(p, NULL);
    return n;
}

/* Against scipy: tools/make_golden_drift.py. */
static void test_drift(void **state) {
    char line[4096], name[32];
    double a[128], b[128], ks, p_value, psi, p;
    int cases = 0, at;
    (void)state;
    FILE *file = fopen("serve/drift.tsv", "r");
    assert_non_null(file);
    for (; fgets(line, sizeof line, file); cases++) {
        assert_int_equal(sscanf(line, "%31s %lf %lf %lf\t%n", name, &ks, &p_value, &psi, &at), 4);
        char *tab = strchr(line + at, '\t');
        assert_non_null(tab);
        *tab = '\0';
        size_t n = read_list(a, 128, line + at), m = read_list(b, 128, tab + 1);
        assert_float_equal(mm_drift_ks(&p, a, n, b, m), ks, 1e-12);
        assert_float_equal(p, p_value, 1e-9);
        assert_float_equal(mm_drift_psi(a, n, b, m), psi, 1e-12);
    }
    fclose(file);
    assert_int_equal(cases, 7);
    assert_true(isnan(mm_drift_ks(&p, a, 0, b, 1)) && isnan(p));
    assert_true(isnan(mm_drift_psi(a, 1, b, 0)));
}

static void test_histogram(void **state) {
    static const double bounds[] = {1, 2};
    mm_histogram h;
    mm_buffer out = {0};
    (void)state;
    mm_histogram_set(&h, bounds, 2);
    mm_histogram_add(&h, 0.5);
    mm_histogram_add(&h, 2);
    mm_histogram_add(&h, 3);
    mm_histogram_add(&h, 3);
    mm_histogram_write(&out, &h, "x", "k=\"v\"");
    assert_string_equal(out.data, "x_bucket{k=\"v\",le=\"1\"} 1\nx_bucket{k=\"v\",le=\"2\"} 2\n"
                                  "x_bucket{k=\"v\",le=\"+Inf\"} 4\nx_sum{k=\"v\"} 8.5\n"
                                  "x_count{k=\"v\"} 4\n");
    out.size = 0;
    mm_metric_text(&out, "a\"b\\c\nd");
    assert_string_equal(out.data, "\"a\\\"b\\\\c\\nd\"");
    mm_buffer_free(&out);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_multipart_parts),
        cmocka_unit_test(test_multipart_refuses),
        cmocka_unit_test(test_multipart_body),
        cmocka_unit_test(test_json_body),
        cmocka_unit_test(test_json_unit_embedding_stays),
        cmocka_unit_test(test_json_refuses),
        cmocka_unit_test(test_json_bad_items),
        cmocka_unit_test(test_json_values_are_limited),
        cmocka_unit_test(test_options),
        cmocka_unit_test(test_drift),
        cmocka_unit_test(test_histogram),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
