/* test_wordnet.c - reading WordNet's database files: which words come out, and what is refused. */
#include "test.h"

#include "base/file.h"
#include "envision/wordnet.h"

#include <stdlib.h>
#include <string.h>

static void add_file(mm_wordnet *w, const char *path, mm_wordnet_kind kind) {
    uint8_t *data;
    size_t size;
    mmood_error error;
    assert_ok(mm_file_read(&data, &size, path, 1 << 20, &error), error);
    assert_ok(mm_wordnet_add(w, data, size, kind, &error), error);
    free(data);
}

static void add_both(mm_wordnet *w) {
    add_file(w, "data/wordnet/data.noun", MM_WORDNET_NOUN);
    add_file(w, "data/wordnet/data.adj", MM_WORDNET_ADJECTIVE);
}

static void test_first_words(void **unused) {
    (void)unused;
    mm_wordnet w = {0};
    add_both(&w);
    assert_string_equal(w.version, "3.0");
    assert_string_equal(mm_wordnet_text(&w, 1), "physical entity");
    assert_string_equal(mm_wordnet_text(&w, 3), "rubik's cube");
    assert_int_equal(mm_wordnet_find(&w, "vessel"), SIZE_MAX); /* not the first of its synset */
    size_t dog = mm_wordnet_find(&w, "dog"), galore = mm_wordnet_find(&w, "galore");
    assert_string_equal(mm_wordnet_file_name(w.words[dog].file), "noun.animal");
    assert_int_equal(w.words[galore].kind, MM_WORDNET_ADJECTIVE);
    assert_true(mm_wordnet_find(&w, "awake") != SIZE_MAX);
    assert_true(mm_wordnet_find(&w, "former") != SIZE_MAX);
    /* "hot_dog" twice, "boat" and "Boat", and the adjective "iron" after the noun */
    assert_int_equal(w.duplicates, 3);
    assert_int_equal(w.count, 30 - 2 + 15 - 1);
    size_t iron = mm_wordnet_find(&w, "iron");
    assert_int_equal(w.words[iron].kind, MM_WORDNET_NOUN);
    mm_wordnet_free(&w);
}

static void test_choices(void **unused) {
    (void)unused;
    mm_wordnet w = {.all_lemmas = 1,
                    .left_out = (uint64_t)1 << mm_wordnet_file_number("noun.food") |
                                (uint64_t)1 << mm_wordnet_file_number("adj.ppl")};
    add_both(&w);
    assert_true(mm_wordnet_find(&w, "johann sebastian bach") != SIZE_MAX);
    assert_int_equal(mm_wordnet_find(&w, "pizza"), SIZE_MAX);
    assert_int_equal(mm_wordnet_find(&w, "broken"), SIZE_MAX);
    size_t hot_dog = mm_wordnet_find(&w, "hot dog"); /* the person stays */
    assert_string_equal(mm_wordnet_file_name(w.words[hot_dog].file), "noun.person");
    assert_int_equal(w.passed_over, 4);
    mm_wordnet_free(&w);
    assert_int_equal(mm_wordnet_file_number("noun.nothing"), -1);
    assert_int_equal(mm_wordnet_file_number(""), -1);
    assert_null(mm_wordnet_file_name(2));
    assert_null(mm_wordnet_file_name(45));
}

static void test_refused(void **unused) {
    (void)unused;
    static const struct {
        const char *text;
        mm_wordnet_kind kind;
        const char *says;
    } cases[] = {
        {"", MM_WORDNET_NOUN, "no synset"},
        {"  1 only a licence\n", MM_WORDNET_NOUN, "no synset"},
        {"hello\n", MM_WORDNET_NOUN, "line 1: \"hello\" where an offset of 8 digits"},
        {"00000000 06 n 01 boat 0 000 |\n\n", MM_WORDNET_NOUN, "line 2: \"\""},
        {"00000000 00 n 01 boat 0 000 |\n", MM_WORDNET_NOUN, "\"00\" where the number of a noun"},
        {"00000000 06 n 01 boat 0 000 |\n", MM_WORDNET_ADJECTIVE, "an adjective file"},
        {"00000000 99 n 01 boat 0 000 |\n", MM_WORDNET_NOUN, "\"99\""},
        {"00000000 06 v 01 boat 0 000 |\n", MM_WORDNET_NOUN, "the type n"},
        {"00000000 06 n 00 boat 0 000 |\n", MM_WORDNET_NOUN, "the number of words"},
        {"00000000 06 n 02 boat 0 000 |\n", MM_WORDNET_NOUN, "\"|\" where the id of a word"},
        {"00000000 06 n 01 b\xc3\xb6t 0 000 |\n", MM_WORDNET_NOUN,
         "\"b??t\" where a word in ASCII"},
        {"00000000 06 n 01 __ 0 000 |\n", MM_WORDNET_NOUN, "a word in ASCII"},
        {"00000000 06 n 01 boat g 000 |\n", MM_WORDNET_NOUN, "the id of a word"},
        {"00000000 06 n 01 boat 0", MM_WORDNET_NOUN, "the number of pointers"},
        {"00000000 00 a 01 (ip) 0 000 |\n00000000 00 a 01", MM_WORDNET_ADJECTIVE, "line 2"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        mm_wordnet w = {0};
        mmood_error error;
        assert_int_equal(
            mm_wordnet_add(&w, cases[i].text, strlen(cases[i].text), cases[i].kind, &error),
            MMOOD_ERROR_FORMAT);
        if (!strstr(error.message, cases[i].says))
            fail_msg("\"%s\" does not say \"%s\"", error.message, cases[i].says);
        mm_wordnet_free(&w);
    }
    char longest[400] = "00000000 06 n 01 ";
    memset(longest + strlen(longest), 'x', 256);
    strcat(longest, " 0 000 |\n");
    mm_wordnet w = {0};
    assert_int_equal(mm_wordnet_add(&w, longest, strlen(longest), MM_WORDNET_NOUN, NULL),
                     MMOOD_ERROR_FORMAT);
    mm_wordnet_free(&w);
}

/* No newline at the end, and lines from Windows. */
static void test_line_ends(void **unused) {
    (void)unused;
    static const char text[] = "00000000 06 n 01 boat 0 000 |\r\n00000032 06 n 01 ship 0 000";
    mm_wordnet w = {0};
    mmood_error error;
    assert_ok(mm_wordnet_add(&w, text, sizeof text - 1, MM_WORDNET_NOUN, &error), error);
    assert_int_equal(w.count, 2);
    assert_string_equal(w.version, "");
    mm_wordnet_free(&w);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_first_words),
        cmocka_unit_test(test_choices),
        cmocka_unit_test(test_refused),
        cmocka_unit_test(test_line_ends),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
