/* test_csv.c - tables of scores: quoting, line ends, columns, and what is refused where. */
#include "test.h"

#include "eval/csv.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static mm_score_table parse(const char *text) {
    mm_score_table table;
    mmood_error error;
    assert_ok(mm_score_table_parse(&table, text, strlen(text), &error), error);
    return table;
}

static void test_plain(void **state) {
    (void)state;
    mm_score_table table = parse("set,score\nid,1.5\nsun,-2e-3\nid,0x1p-2\nplaces,-inf\nsun,3");
    assert_int_equal(table.count, 3);
    assert_string_equal(table.sets[0].name, "id");
    assert_string_equal(table.sets[1].name, "sun");
    assert_string_equal(table.sets[2].name, "places");
    assert_int_equal(table.sets[0].count, 2);
    assert_true(table.sets[0].scores[0] == 1.5 && table.sets[0].scores[1] == 0.25);
    assert_true(table.sets[1].scores[0] == -2e-3 && table.sets[1].scores[1] == 3);
    assert_true(isinf(table.sets[2].scores[0]));
    mm_score_table_free(&table);
}

/* Other columns in any order, byte-order mark, CRLF, blank lines, quotes, line ends in fields. */
static void test_dialects(void **state) {
    (void)state;
    static const char *const texts[] = {
        "score,set\n1,id\n2,o\n",
        "\xef\xbb\xbfpath,score,label,set\r\na.png,1,cat,id\r\nb.png,2,,o\r\n",
        "\"set\",\"score\"\n\"id\",\"1\"\n\n\"o\",2\n\n",
        "score,set\r\n\r\n1,id\r\n2,o",
        "path,set,score\n\"a \"\"b\"\", c\nd\",id,1\n,o,2\n",
        "set,score,label\nid,1,\"\"\no,2,\n",
    };
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        mm_score_table table = parse(texts[i]);
        if (table.count != 2 || table.sets[0].count != 1 || table.sets[0].scores[0] != 1 ||
            table.sets[1].scores[0] != 2 || strcmp(table.sets[0].name, "id") != 0 ||
            strcmp(table.sets[1].name, "o") != 0)
            fail_msg("text %zu was misread", i);
        mm_score_table_free(&table);
    }
    mm_score_table table = parse("set,score\n\"a, \"\"b\"\"\nc\",1\n");
    assert_string_equal(table.sets[0].name, "a, \"b\"\nc");
    mm_score_table_free(&table);
}

static void refuse(const char *text, size_t size, mmood_status expected, const char *words) {
    mm_score_table table;
    mmood_error error = {0};
    mmood_status status = mm_score_table_parse(&table, text, size, &error);
    mm_score_table_free(&table);
    if (status != expected || !strstr(error.message, words))
        fail_msg("\"%.40s\": status %d, \"%s\"; expected %d and \"%s\"", text, (int)status,
                 error.message, (int)expected, words);
}

static void test_refusals(void **state) {
    (void)state;
    static const struct {
        const char *text;
        mmood_status status;
        const char *words;
    } cases[] = {
        {"", MMOOD_ERROR_FORMAT, "first line"},
        {"set;score\nid;1\n", MMOOD_ERROR_FORMAT, "first line"},
        {"set,value\nid,1\n", MMOOD_ERROR_FORMAT, "first line"},
        {"set,score,score\nid,1,2\n", MMOOD_ERROR_FORMAT, "two columns"},
        {"set,score\nid,1\n\nid,nan\n", MMOOD_ERROR_NUMERIC, "line 4"},
        {"set,score\nid,\n", MMOOD_ERROR_NUMERIC, "failed"},
        {"set,score\nid,1 apple\n", MMOOD_ERROR_NUMERIC, "1 apple"},
        {"set,score\n\"a\nb\",1\nid,x\n", MMOOD_ERROR_NUMERIC, "line 4"},
        {"set,score\nid\n", MMOOD_ERROR_FORMAT, "line 2"},
        {"set,score\n,1\n", MMOOD_ERROR_FORMAT, "line 2"},
        {"set,score\n\"id,1\n", MMOOD_ERROR_FORMAT, "no end"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        refuse(cases[i].text, strlen(cases[i].text), cases[i].status, cases[i].words);
    refuse("set,score\nid,1\0002\n", 17, MMOOD_ERROR_NUMERIC, "line 2");
}

static void test_limits(void **state) {
    (void)state;
    size_t size = 70000;
    char *text = malloc(size);
    assert_non_null(text);
    memset(text, 'x', size);
    memcpy(text, "set,score\n", 10);
    refuse(text, size, MMOOD_ERROR_LIMIT, "line 2");
    size = (size_t)snprintf(text, size, "set,score\n");
    for (int i = 0; i < 1001; i++)
        size += (size_t)snprintf(text + size, 70000 - size, "s%d,1\n", i);
    refuse(text, size, MMOOD_ERROR_LIMIT, "1000 sets");
    free(text);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_plain),
        cmocka_unit_test(test_dialects),
        cmocka_unit_test(test_refusals),
        cmocka_unit_test(test_limits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
