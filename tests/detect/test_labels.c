/* test_labels.c - files of labels in every form, and what is found odd about them. */
#include "test.h"

#include "base/buffer.h"
#include "base/entities.h"
#include "detect/templates.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <utf8proc.h>

static mmood_labels *parse(const char *text, size_t size) {
    mmood_labels *labels;
    mmood_error error;
    mmood_status status = mmood_labels_parse(&labels, text, size, &error);
    if (status != MMOOD_OK)
        fail_msg("%s", error.message);
    return labels;
}

static void expect_labels(const char *text, const char *const *expected) {
    mmood_labels *labels = parse(text, strlen(text));
    size_t count = 0;
    while (expected[count])
        count++;
    assert_int_equal(mmood_labels_count(labels), count);
    for (size_t i = 0; i < count; i++)
        assert_string_equal(mmood_labels_text(labels, i), expected[i]);
    mmood_labels_free(labels);
}

#define EXPECT(text, ...) expect_labels(text, (const char *const[]){__VA_ARGS__, NULL})

static size_t findings_of(const mmood_labels *labels, mmood_finding_kind kind, size_t *line) {
    size_t count = 0;
    for (size_t i = 0; i < mmood_labels_finding_count(labels); i++) {
        mmood_finding finding = mmood_labels_finding(labels, i);
        if (finding.kind == kind) {
            count++;
            *line = finding.line;
        }
    }
    return count;
}

/* A byte-order mark, Windows line ends, a blank line, trailing spaces, "cat" twice. */
static void test_untidy_file(void **unused) {
    (void)unused;
    static const char text[] = "\xef\xbb\xbf"
                               "cat\r\ndog  \r\n\r\ncat\r\nhot dog";
    mmood_labels *labels = parse(text, sizeof text - 1);
    size_t line;
    assert_int_equal(mmood_labels_count(labels), 3);
    assert_string_equal(mmood_labels_text(labels, 0), "cat");
    assert_string_equal(mmood_labels_text(labels, 1), "dog");
    assert_string_equal(mmood_labels_text(labels, 2), "hot dog");
    assert_int_equal(findings_of(labels, MMOOD_FINDING_BOM, &line), 1);
    assert_int_equal(findings_of(labels, MMOOD_FINDING_SPACES, &line), 1);
    assert_int_equal(line, 2);
    assert_int_equal(findings_of(labels, MMOOD_FINDING_BLANK, &line), 1);
    assert_int_equal(line, 3);
    assert_int_equal(findings_of(labels, MMOOD_FINDING_DUPLICATE, &line), 1);
    assert_int_equal(line, 4);
    mmood_labels_free(labels);
}

static void test_text(void **unused) {
    (void)unused;
    EXPECT("cat", "cat");
    EXPECT("cat\n", "cat");
    EXPECT("a\rb\rc", "a", "b", "c");
    EXPECT("golden_retriever\nCat\ncat", "golden_retriever", "Cat", "cat");
    EXPECT("# not a comment\nx", "# not a comment", "x");
    EXPECT("\xc2\xa0nbsp\xe3\x80\x80\nb", "nbsp", "b");
    EXPECT("Black &amp;amp; white\n&#233;t&#xE9;\na&b;c&#;&#1;", "Black & white",
           "\xc3\xa9t\xc3\xa9", "a&b;c&#;&#1;");
}

static void test_json(void **unused) {
    (void)unused;
    EXPECT("[\"cat\", \"dog\", \"cat\"]", "cat", "dog");
    EXPECT(" {\"far\": [\"owl\", \"fox\"]}", "owl", "fox");
    EXPECT("{\"0\": \"tench\", \"1\": \"goldfish\"}", "tench", "goldfish");
    static const char outliers[] =
        "{\"format\":\"mmood-outliers/"
        "1\",\"settings\":{},\"dropped\":[{\"label\":\"cat\",\"reason\":\"id\"}],"
        "\"labels\":[{\"label\":\"owl\",\"source\":\"near: cat\"},{\"label\":\"fox\"}]}";
    mmood_labels *labels = parse(outliers, strlen(outliers));
    assert_int_equal(mmood_labels_count(labels), 2);
    assert_string_equal(mmood_labels_source(labels, 0), "near: cat");
    assert_string_equal(mmood_labels_source(labels, 1), "");
    mmood_labels_free(labels);
    static const char cache[] = "{\"cat\":[\"lynx\",\"owl\"],\"dog\":[\"wolf\"]}";
    labels = parse(cache, strlen(cache));
    assert_string_equal(mmood_labels_source(labels, 2), "dog");
    mmood_labels_free(labels);
}

static void test_refused(void **unused) {
    (void)unused;
    static const struct {
        const char *text;
        size_t size;
        const char *says;
    } cases[] = {
        {"", 0, "no label"},
        {"\n \n\t\n", 5, "no label"},
        {"[]", 2, "no label"},
        {"cat\ncaf\xe9\n", 9, "line 2 is not UTF-8"},
        {"\xff\xfe"
         "c\0a\0t\0",
         8, "UTF-16"},
        {"\xfe\xff\0c\0a", 6, "UTF-16"},
        {"c\0a\0t\0\r\0\n\0", 10, "UTF-16"},
        {"\0c\0a\0t", 6, "UTF-16"},
        {"cat\0dog", 7, "binary"},
        {"\x89PNG\r\n\x1a\n\0\0", 10, "PNG picture"},
        {"GIF89a\x90\x01\x2c\x01\xf7", 11, "GIF picture"},
        {"\xff\xd8\xff\xe1", 4, "JPEG picture"},
        {"\x40\x01\0\0\0\0\0\0{\"", 10, "safetensors"},
        {"<!DOCTYPE html>", 15, "HTML"},
        {"\n <!doctype HTML>", 17, "HTML"},
        {"\xef\xbb\xbf<HTML lang=en>", 17, "HTML"},
        {"<?xml version='1.0'?>", 21, "XML"},
        {"version https://git-lfs.github.com/spec/v1\noid", 46, "git lfs pull"},
        {"%PDF-1.4\n", 9, "PDF"},
        {"{cat}", 5, "near 'cat'"},
        {"{\"a\":{\"b\":[\"c\"]}}", 17, "label 1 is not a string"},
        {"[\"cat\", 3]", 10, "label 2 is not a string"},
        {"{\"a\":[\"b\"],\"n\":3}", 0, "member \"n\": label 2 is not a string"},
        {"{\"id2label\":{\"0\":1}}", 0, "label 1 is not a string"},
        {"0: cat\n1: dog\n", 0, "every line is a label and a number"},
        {"cat, 0\ndog, 1", 0, "every line is a label and a number"},
        {"names: cat", 0, "line 1, \"names\" in YAML: a single value"},
        {"nc: 2\nnames:\n  - a: b", 0, "line 3, \"names\" in YAML: a map"},
        {"names:\n  0:\n    - a", 0, "line 2, \"names\" in YAML: nothing"},
        {"names:\n  - *x", 0, "neither a plain nor a quoted"},
        {"names:\n  cat", 0, "no colon"},
        {"names:\n  - \"cat", 0, "without its partner"},
        {"names:\n  - \"c\\x41\"", 0, "an escape other"},
        {"names:\n  - 'cat' dog", 0, "behind a label"},
        {"names: [cat, dog\n", 0, "does not end"},
        {"names: [[cat]]", 0, "neither a plain nor a quoted"},
        {"names: []", 0, "no label"},
        {"label,id\ncat,1\ndog", 0, "line 3 has 1 columns, and the header 2"},
        {"[\"cat\"", 6, "line 1"},
        {"{\"format\":\"x/9\",\"labels\":[]}", 28, "x/9"},
        {"{\"format\":\"mmood-outliers/1\"}", 29, "labels"},
        {"[\"a\\u0000b\"]", 12, "JSON"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        mmood_labels *labels;
        mmood_error error;
        size_t size = cases[i].size ? cases[i].size : strlen(cases[i].text);
        if (mmood_labels_parse(&labels, cases[i].text, size, &error) == MMOOD_OK)
            fail_msg("case %zu was accepted", i);
        assert_null(labels);
        if (!strstr(error.message, cases[i].says))
            fail_msg("case %zu: \"%s\" lacks \"%s\"", i, error.message, cases[i].says);
    }
    char *huge = malloc(5000);
    memset(huge, 'x', 5000);
    mmood_labels *labels;
    assert_int_equal(mmood_labels_parse(&labels, huge, 5000, NULL), MMOOD_ERROR_LIMIT);
    free(huge);
    mmood_error error;
    assert_int_equal(mmood_labels_load(&labels, "no-such-file.txt", &error), MMOOD_ERROR_IO);
    assert_non_null(strstr(error.message, "no-such-file.txt"));
    mmood_labels_free(NULL);
}

static void test_hints(void **unused) {
    (void)unused;
    char text[400] = "caf\xc3\xa9\n\xe7\x8c\xab\n\xd0\xba\xd0\xbe\xd1\x82\n\xce\xb1\xce\xb2\n";
    size_t line;
    for (int i = 0; i < 210; i++)
        strcat(text, "y");
    mmood_labels *labels = parse(text, strlen(text));
    assert_int_equal(findings_of(labels, MMOOD_FINDING_NON_LATIN, &line), 2);
    assert_int_equal(findings_of(labels, MMOOD_FINDING_LONG, &line), 1);
    assert_int_equal(line, 5);
    assert_int_equal(mmood_labels_count(labels), 5); /* hints drop nothing */
    mmood_labels_free(labels);
}

/* Labels with the same tokens: a model cannot tell them apart. */
static void test_twins(void **unused) {
    (void)unused;
    static const char text[] =
        "cat\nCat\ncaf\xc3\xa9\nCAFE\xcc\x81\nhot dog\nhot  dog\nhot_dog\nCAT\ncat";
    mmood_labels *labels = parse(text, sizeof text - 1);
    size_t line;
    assert_int_equal(mmood_labels_count(labels), 8);
    assert_int_equal(findings_of(labels, MMOOD_FINDING_TWIN, &line), 4);
    assert_int_equal(line, 8);
    assert_int_equal(findings_of(labels, MMOOD_FINDING_DUPLICATE, &line), 1);
    assert_int_equal(line, 9);
    mmood_labels_free(labels);
    EXPECT("BMW\nII*\nGIF89a\nPK\n%PDF", "BMW", "II*", "GIF89a", "PK", "%PDF");
    EXPECT("{\"format\":[\"PDF\"],\"colour\":[\"red\"]}", "PDF", "red");
}

/* Findings stay valid UTF-8 when they cut a label, and are bounded. */
static void test_findings(void **unused) {
    (void)unused;
    for (size_t shift = 0; shift < 3; shift++) {
        mm_buffer text = {0};
        mm_buffer_append(&text, "xx", shift);
        for (int i = 0; i < 100; i++)
            mm_buffer_puts(&text, "\xe7\x8c\xab");
        mmood_labels *labels = parse(text.data, text.size);
        assert_int_equal(mmood_labels_finding_count(labels), 2);
        for (size_t i = 0; i < 2; i++) {
            const char *message = mmood_labels_finding(labels, i).message;
            utf8proc_uint8_t *copy;
            assert_true(
                utf8proc_map((const utf8proc_uint8_t *)message, 0, &copy, UTF8PROC_NULLTERM) > 0);
            free(copy);
        }
        mmood_labels_free(labels);
        mm_buffer_free(&text);
    }
    mm_buffer blanks = {0};
    for (int i = 0; i < 150000; i++)
        mm_buffer_puts(&blanks, "\n");
    mm_buffer_puts(&blanks, "cat");
    mmood_labels *labels = parse(blanks.data, blanks.size);
    assert_int_equal(mmood_labels_finding_count(labels), 100000);
    assert_non_null(strstr(mmood_labels_finding(labels, 99999).message, "left out"));
    mmood_labels_free(labels);
    mm_buffer_free(&blanks);
}

static void test_entities(void **unused) {
    (void)unused;
    static const char *const cases[][2] = {
        {"&lt;&gt;&quot;&apos;&nbsp;&amp;", "<>\"' &"},
        {"&#65;&#x41;&#X41;&#x1F600;", "AAA\xf0\x9f\x98\x80"},
        {"&amp", "&amp"}, /* without its semicolon */
        {"&AMP;", "&AMP;"},
        {"&", "&"},
        {"&#;&#x;&#xg;", "&#;&#x;&#xg;"},
        {"&#0;&#31;", "&#0;&#31;"},                   /* no control characters */
        {"&#xd800;&#x110000;", "&#xd800;&#x110000;"}, /* no characters at all */
        {"&#99999999999;", "&#99999999999;"},
        {"&#65", "&#65"},
        {"&&amp;&", "&&&"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        mm_buffer out = {0};
        int changed = mm_unescape_html(&out, cases[i][0], strlen(cases[i][0]));
        assert_string_equal(out.data, cases[i][1]);
        assert_int_equal(changed, strcmp(cases[i][0], cases[i][1]) != 0);
        mm_buffer_free(&out);
    }
}

/* Many labels: the search for duplicates must not be quadratic. */
static void test_many(void **unused) {
    (void)unused;
    enum { COUNT = 200000 };
    mm_buffer text = {0};
    for (int i = 0; i < COUNT; i++)
        mm_buffer_printf(&text, "label %d\n", i);
    mm_buffer_puts(&text, "label 77\n");
    mmood_labels *labels = parse(text.data, text.size);
    assert_int_equal(mmood_labels_count(labels), COUNT);
    assert_int_equal(mmood_labels_finding_count(labels), 1);
    assert_string_equal(mmood_labels_text(labels, COUNT - 1), "label 199999");
    mmood_labels_free(labels);
    mm_buffer_free(&text);
}

static void test_templates(void **unused) {
    (void)unused;
    mmood_error error;
    mm_buffer out = {0};
    assert_ok(mm_template_check("a photo of a {}", &error), error);
    assert_ok(mm_template_check("{}", &error), error);
    assert_int_equal(mm_template_check("a photo", &error), MMOOD_ERROR_ARGUMENT);
    assert_non_null(strstr(error.message, "0 times"));
    assert_int_equal(mm_template_check("{} and {}", &error), MMOOD_ERROR_ARGUMENT);
    mm_template_expand(&out, "a {}, drawn", "{} cat");
    assert_string_equal(out.data, "a {} cat, drawn");
    mm_buffer_free(&out);
}

/* What others keep labels in: only the labels are read, and a finding says so. */
static void test_other_files(void **unused) {
    (void)unused;
    EXPECT(
        "# COCO\npath: ../data # here\ntrain: images\n\nnames:\n  0: person\n  1: \"hot dog\" # x\n"
        "  2: it''s\n\ndownload: |\n  curl\n",
        "person", "hot dog", "it''s");
    EXPECT("%YAML 1.2\nx\n", "%YAML 1.2", "x");
    EXPECT("nc: 2\r\nnames:\r\n- cat\r\n- 'it''s'\r\nnc: 2\r\n", "cat", "it's");
    EXPECT("---\ntrain:\n  - a\n  - b\nnames: ['cat', \"a \\\"b\\\"\",\n  hot dog, # yes\n  "
           "bird,]\nval: x\n",
           "cat", "a \"b\"", "hot dog", "bird");
    EXPECT("names: {0: cat, '1': \"dog\",\r\n 2: c d}", "cat", "dog", "c d");
    EXPECT("names:\n- cat", "cat");
    EXPECT("cat\nnames:\n", "cat", "names:"); /* labels, not YAML */
    EXPECT("name,id\npizza,1\n\n\"hot dog, large\",2\n", "pizza", "hot dog, large");
    EXPECT("id;Label\r\n1;pizza\r\n2;\"a \"\"b\"\"\"\r\n", "pizza", "a \"b\"");
    EXPECT("index\tclass_name\n0\tcat", "cat");
    EXPECT("great white shark, white shark\nname\n3 of 4: x\n", "great white shark, white shark",
           "name", "3 of 4: x");
    EXPECT("{\"architectures\":[\"X\"],\"id2label\":{\"0\":\"cat\",\"1\":\"dog\"},\"n\":3}", "cat",
           "dog");
    static const char yaml[] = "nc: 1\nnames:\n  0: cat";
    size_t line = 0;
    mmood_labels *labels = parse(yaml, sizeof yaml - 1);
    assert_int_equal(findings_of(labels, MMOOD_FINDING_FORMAT, &line), 1);
    assert_int_equal(line, 2);
    assert_string_equal(mmood_labels_source(labels, 0), "");
    mmood_labels_free(labels);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_other_files), cmocka_unit_test(test_untidy_file),
        cmocka_unit_test(test_text),        cmocka_unit_test(test_json),
        cmocka_unit_test(test_refused),     cmocka_unit_test(test_hints),
        cmocka_unit_test(test_many),        cmocka_unit_test(test_templates),
        cmocka_unit_test(test_twins),       cmocka_unit_test(test_findings),
        cmocka_unit_test(test_entities),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
