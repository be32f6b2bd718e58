/* test_report.c - an evaluation as a table, Markdown, JSON and CSV: what they say, read back, and
 * names that are made to break them. */
#include "test.h"

#include "sample.h"

#include "eval/report_text.h"

#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef mmood_status writer(mm_buffer *out, const mm_evaluation *evaluation, mmood_error *error);

static const sample_shape usual = {.id_labels = 4,
                                   .outliers = 5,
                                   .score_count = 3,
                                   .ood_sets = 2,
                                   .pictures = 60,
                                   .groups = 4,
                                   .intervals = 1};

static char *written(writer *write, const mm_evaluation *evaluation) {
    mm_buffer out = {0};
    mmood_error error;
    assert_ok(write(&out, evaluation, &error), error);
    assert_non_null(out.data);
    return out.data;
}

static void publish(mm_evaluation *e, size_t count) {
    e->published = calloc(count, sizeof *e->published);
    assert_non_null(e->published);
    e->published_count = count;
    for (size_t i = 0; i < count; i++)
        e->published[i] = (mm_published){.method = strdup(i ? "MCM" : "EOE"),
                                         .set = strdup(i ? "mean" : e->sets[1].name),
                                         .fpr95 = i ? NAN : 0.0701,
                                         .auroc = 0.9935,
                                         .source = strdup("Paper 2024, table 1")};
}

static void warn(mm_evaluation *e, const char *text) {
    char **warnings = realloc(e->warnings, (e->warning_count + 1) * sizeof *warnings);
    assert_non_null(warnings);
    e->warnings = warnings;
    e->warnings[e->warning_count++] = strdup(text);
}

/* ---- JSON ---------------------------------------------------------------------------------- */

static void check_result(const json_t *line, const mm_evaluation *e, size_t score, size_t set) {
    const mm_eval_result *r =
        set ? &e->results[score * (e->set_count - 1) + set - 1] : &e->means[score];
    assert_string_equal(json_string_value(json_object_get(line, "type")), set ? "result" : "mean");
    assert_string_equal(json_string_value(json_object_get(line, "score")),
                        mmood_score_name(e->scores[score].kind));
    assert_string_equal(json_string_value(json_object_get(line, "fpr95_definition")), "nearest");
    if (set)
        assert_string_equal(json_string_value(json_object_get(line, "set")), e->sets[set].name);
    double auroc = json_real_value(json_object_get(line, "auroc"));
    assert_true(fabs(auroc - r->value.auroc) < 1e-11);
    assert_int_equal(json_integer_value(json_object_get(line, "n_ood")), r->value.ood_count);
    const json_t *low = json_array_get(json_object_get(line, "fpr95_interval"), 0);
    assert_true(fabs(json_number_value(low) - r->fpr95.low) < 1e-8);
}

static void test_json(void **unused) {
    (void)unused;
    mm_evaluation e;
    sample_make(&e, &usual);
    publish(&e, 2);
    warn(&e, "two pictures are one");
    sample_set(&e.sets[2].items[3].error, "truncated");
    sample_measure(&e, 1);
    char *text = written(mm_report_json, &e);
    size_t lines = 0;
    json_t *last = NULL;
    for (char *at = text, *end; (end = strchr(at, '\n')); at = end + 1, lines++) {
        json_error_t error;
        json_decref(last);
        last = json_loadb(at, (size_t)(end - at), 0, &error);
        if (!last)
            fail_msg("line %zu: %s", lines + 1, error.text);
        if (lines < 9)
            check_result(last, &e, lines / 3, (lines + 1) % 3);
    }
    assert_int_equal(lines, 3 * 3 + 1);
    assert_string_equal(json_string_value(json_object_get(last, "type")), "summary");
    assert_int_equal(json_integer_value(json_object_get(last, "bad")), 1);
    assert_int_equal(json_array_size(json_object_get(last, "warnings")), 1);
    const json_t *beside = json_array_get(json_object_get(last, "published"), 1);
    assert_true(json_is_null(json_object_get(beside, "fpr95")));
    assert_string_equal(json_string_value(json_object_get(beside, "our_score")), "mcm");
    assert_true(fabs(json_real_value(json_object_get(beside, "our_auroc")) -
                     e.means[1].value.auroc) < 1e-11);
    const json_t *bad = json_array_get(json_object_get(last, "unreadable"), 0);
    assert_string_equal(json_string_value(json_object_get(bad, "path")), "pictures/far-2/3.png");
    json_decref(last);
    free(text);
    sample_free(&e);
}

/* ---- CSV ----------------------------------------------------------------------------------- */

/* One field of RFC 4180; moves behind it and its comma or line end. */
static void next_field(char *out, size_t room, const char **at) {
    const char *p = *at;
    size_t n = 0;
    int quoted = *p == '"';
    for (p += quoted; *p; p++) {
        if (quoted && *p == '"' && *++p != '"')
            break;
        if (!quoted && (*p == ',' || *p == '\n'))
            break;
        assert_true(n + 1 < room);
        out[n++] = *p;
    }
    out[n] = 0;
    assert_true(*p == ',' || *p == '\n');
    *at = p + 1;
}

static void test_csv(void **unused) {
    (void)unused;
    enum { FIELDS = 22 };
    static char fields[FIELDS][512];
    mm_evaluation e;
    sample_make(&e, &usual);
    sample_set(&e.sets[1].name, "a,\"b\"\nc");
    e.results[1].has_intervals = 0;
    char *text = written(mm_report_csv, &e);
    const char *at = text;
    size_t rows = 0;
    for (; *at; rows++) {
        for (int i = 0; i < FIELDS; i++) {
            next_field(fields[i], sizeof fields[i], &at);
            assert_int_equal(at[-1], i + 1 < FIELDS ? ',' : '\n');
        }
        if (rows == 0) {
            assert_string_equal(fields[4], "set");
            assert_string_equal(fields[8], "auroc");
            continue;
        }
        size_t score = (rows - 1) / 3, set = rows % 3;
        const mm_eval_result *r = set ? &e.results[score * 2 + set - 1] : &e.means[score];
        assert_string_equal(fields[4], set ? e.sets[set].name : "mean");
        assert_true(fabs(strtod(fields[8], NULL) - r->value.auroc) < 1e-8);
        assert_true(fabs(strtod(fields[5], NULL) - r->value.fpr95) < 1e-8);
        assert_string_equal(fields[17], "nearest");
        if (r->has_intervals)
            assert_true(fabs(strtod(fields[16], NULL) - r->aupr_out.high) < 1e-8);
        else
            assert_string_equal(fields[16], "");
    }
    assert_int_equal(rows, 1 + 3 * 3);
    free(text);
    sample_free(&e);
}

/* ---- For people ---------------------------------------------------------------------------- */

static void assert_has(const char *text, const char *words) {
    if (!strstr(text, words))
        fail_msg("\"%s\" is not in:\n%s", words, text);
}

static void test_table(void **unused) {
    (void)unused;
    mm_evaluation e;
    sample_make(&e, &usual);
    publish(&e, 2);
    warn(&e, "two pictures are one");
    e.title = strdup("A suite");
    e.means[0].value.auroc = 0.8774;
    e.means[0].auroc = (mm_interval){0.851, 0.90249};
    e.results[0].value.aupr_in = 1;
    e.results[0].aupr_in = (mm_interval){0.9991, 1};
    sample_set(&e.sets[2].name, "a set whose name is longer than any column could be, \x1b[1m");
    char *text = written(mm_report_table, &e);
    assert_has(text, "A suite\n");
    assert_has(text, "mm-ood (T = 1, beta = 0.25), the detector's own score");
    assert_has(text, "max-logit, in per cent");
    assert_has(text, "FPR95 (nearest)");
    assert_has(text, "87.7 [85.1, 90.2]");
    assert_has(text, "100 [99.9, 100]");
    assert_has(text, "EOE          far-1          99.4    7.0  mm-ood");
    assert_has(text, "MCM          mean           99.4      -  mcm");
    assert_has(text, "zero-shot accuracy of ID: 80.0 % of 60 pictures");
    assert_has(text, "warnings\n- two pictures are one\n");
    assert_null(strchr(text, '\x1b'));
    for (const char *at = text; *at;) {
        size_t length = strcspn(at, "\n");
        if (length > 100)
            fail_msg("%zu columns: %.*s", length, (int)length, at);
        at += length + 1;
    }
    free(text);
    sample_free(&e);
}

static void test_markdown(void **unused) {
    (void)unused;
    mm_evaluation e;
    sample_make(&e, &usual);
    publish(&e, 1);
    sample_set(&e.sets[1].name, "a|b <script>\n*c* \xff");
    warn(&e, "[x](y)");
    char *text = written(mm_report_markdown, &e);
    assert_has(text, "a\\|b \\<script\\> \\*c\\* \xef\xbf\xbd");
    assert_has(text, "- \\[x\\]\\(y\\)");
    assert_has(text, "| **mean** |");
    /* Every row of a table has as many unescaped bars as the line above it. */
    int above = 0;
    for (const char *at = text; *at; at = strchr(at, '\n') + 1) {
        int bars = 0;
        for (const char *p = at; *p != '\n'; p++)
            bars += *p == '|' && p[-1] != '\\';
        if (*at == '|' && above && bars != above)
            fail_msg("%d bars, not %d: %.60s", bars, above, at);
        above = *at == '|' ? bars : 0;
    }
    free(text);
    sample_free(&e);
}

/* What there is not: no mean of one set, no intervals, no outliers, no classes, nothing readable,
 * no detector. */
static void test_bare(void **unused) {
    (void)unused;
    static writer *const writers[] = {mm_report_table, mm_report_markdown, mm_report_json,
                                      mm_report_csv};
    const sample_shape bare = {.id_labels = 1, .score_count = 1, .ood_sets = 1, .pictures = 1};
    mm_evaluation e;
    for (int only_errors = 0; only_errors < 2; only_errors++) {
        sample_make(&e, &bare);
        if (only_errors) {
            sample_set(&e.sets[1].items[0].error, "truncated");
            sample_measure(&e, 1);
        }
        for (int i = 0; i < 4; i++) {
            char *text = written(writers[i], &e);
            if (i != 2)
                assert_null(strstr(text, "mean"));
            assert_null(strstr(text, "nan"));
            assert_null(strstr(text, "accuracy of"));
            free(text);
        }
        sample_free(&e);
    }
    sample_make(&e, &bare);
    mmood_detector_free((mmood_detector *)(uintptr_t)e.detector);
    e.detector = NULL;
    char *text = written(mm_report_json, &e);
    assert_has(text, "\"detector\":null");
    free(text);
    sample_free(&e);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_json), cmocka_unit_test(test_csv), cmocka_unit_test(test_table),
        cmocka_unit_test(test_markdown), cmocka_unit_test(test_bare)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
