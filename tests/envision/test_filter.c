/* test_filter.c - which outlier labels are kept, the reasons for the others, and the forms of words
 * and kinds of things that decide it. */
#include "test.h"

#include "base/buffer.h"
#include "base/file.h"
#include "envision/filter.h"
#include "envision/word_forms.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The shape of WordNet's files, with a few of its facts: "dog" is also a sausage, "bus" is also an
 * old car, the first cranes are people. */
static const char data_noun[] =
    "  1 A few synsets in the format of WordNet's data.noun.  \n"
    "00000100 03 n 01 entity 0 000 | a gloss  \n"
    "00000200 05 n 02 animal 0 beast 0 001 @ 00000100 n 0000 | a gloss  \n"
    "00000300 05 n 03 dog 0 domestic_dog 0 Canis_familiaris 0 002 @ 00000200 n 0000 ~ 00000350 n "
    "0000 | a gloss  \n"
    "00000350 05 n 01 poodle 0 001 @ 00000300 n 0000 | a gloss  \n"
    "00000400 05 n 02 cat 0 true_cat 0 001 @ 00000200 n 0000 | a gloss  \n"
    "00000450 05 n 02 domestic_cat 0 house_cat 0 001 @ 00000400 n 0000 | a gloss  \n"
    "00000500 05 n 02 tabby 1 tabby_cat 0 001 @ 00000450 n 0000 | a gloss  \n"
    "00000550 05 n 01 gray_wolf 0 001 @ 00000200 n 0000 | a gloss  \n"
    "00000600 13 n 04 frankfurter 0 hot_dog 2 dog 3 wiener 1 001 @ 00000100 n 0000 | a gloss  \n"
    "00000650 13 n 02 hotdog 1 hot_dog 0 001 @ 00000100 n 0000 | a sandwich  \n"
    "00000700 06 n 02 teddy 0 teddy_bear 0 001 @ 00000100 n 0000 | a gloss  \n"
    "00000750 05 n 01 bear 0 001 @ 00000200 n 0000 | a gloss  \n"
    "00000800 05 n 02 ice_bear 0 polar_bear 0 001 @ 00000750 n 0000 | a gloss  \n"
    "00000850 06 n 02 car 0 auto 0 001 @ 00000100 n 0000 | a gloss  \n"
    "00000900 06 n 02 bus 0 coach 1 001 @ 00000100 n 0000 | a gloss  \n"
    "00000950 06 n 02 bus 1 jalopy 0 001 @ 00000850 n 0000 | a gloss  \n"
    "00001000 18 n 01 Crane 0 001 @i 00000100 n 0000 | a writer  \n"
    "00001050 06 n 01 crane 1 001 @ 00000100 n 0000 | a machine  \n"
    "00001100 05 n 01 crane 2 001 @ 00000200 n 0000 | a bird  \n"
    "00001150 05 n 01 whooping_crane 0 001 @ 00001100 n 0000 | a gloss  \n"
    "00001200 15 n 01 Eiffel_Tower 0 001 @i 00000100 n 0000 | a gloss  \n";

static const char index_noun[] = "  1 A few words in the format of WordNet's index.noun.  \n"
                                 "animal n 1 2 @ ~ 1 1 00000200  \n"
                                 "bear n 1 1 @ 1 1 00000750  \n"
                                 "bus n 2 1 @ 2 1 00000900 00000950  \n"
                                 "canis_familiaris n 1 1 @ 1 0 00000300  \n"
                                 "car n 1 1 @ 1 1 00000850  \n"
                                 "cat n 1 1 @ 1 1 00000400  \n"
                                 "crane n 3 2 @ @i 3 0 00001000 00001050 00001100  \n"
                                 "dog n 2 2 @ ~ 2 1 00000300 00000600  \n"
                                 "domestic_dog n 1 1 @ 1 0 00000300  \n"
                                 "eiffel_tower n 1 1 @i 1 0 00001200  \n"
                                 "entity n 1 0 1 1 00000100  \n"
                                 "frankfurter n 1 1 @ 1 0 00000600  \n"
                                 "gray_wolf n 1 1 @ 1 0 00000550  \n"
                                 "hot_dog n 2 1 @ 2 0 00000650 00000600  \n"
                                 "jalopy n 1 1 @ 1 0 00000950  \n"
                                 "polar_bear n 1 1 @ 1 0 00000800  \n"
                                 "poodle n 1 1 @ 1 0 00000350  \n"
                                 "tabby_cat n 1 1 @ 1 0 00000500  \n"
                                 "teddy_bear n 1 1 @ 1 0 00000700  \n"
                                 "whooping_crane n 1 1 @ 1 0 00001150  \n";

static mm_hypernyms *open_hypernyms(void) {
    mm_hypernyms *hypernyms;
    mmood_error error;
    assert_ok(mm_hypernyms_parse(&hypernyms, data_noun, strlen(data_noun), index_noun,
                                 strlen(index_noun), &error),
              error);
    return hypernyms;
}

enum { ROOM = 64 };

/* Splits "a|b" in place. */
static size_t split(const char *parts[ROOM], char *text) {
    size_t count = 0;
    for (char *p = strtok(text, "|"); p && count < ROOM; p = strtok(NULL, "|"))
        parts[count++] = p;
    return count;
}

static mm_filter *run(const char *ids, const char *labels, mm_filter_options options) {
    char copy[4096];
    const char *parts[ROOM];
    mm_filter *filter;
    mmood_error error;
    snprintf(copy, sizeof copy, "%s", ids);
    size_t count = split(parts, copy);
    assert_ok(mm_filter_create(&filter, parts, count, &options, &error), error);
    snprintf(copy, sizeof copy, "%s", labels);
    count = split(parts, copy);
    for (size_t i = 0; i < count; i++)
        assert_ok(mm_filter_add(filter, parts[i], "test", NULL, &error), error);
    return filter;
}

/* What is kept and why the others are not, as "a|b" and "c: reason|d: reason". */
static void expect(const char *ids, const char *labels, mm_filter_options options, const char *kept,
                   const char *dropped) {
    mm_filter *filter = run(ids, labels, options);
    mm_buffer found = {0};
    for (size_t i = 0; i < mm_filter_kept_count(filter); i++)
        mm_buffer_printf(&found, "%s%s", i ? "|" : "", mm_filter_kept(filter, i).label);
    assert_string_equal(found.data ? found.data : "", kept);
    mm_buffer_free(&found);
    for (size_t i = 0; i < mm_filter_dropped_count(filter); i++) {
        mm_filter_entry entry = mm_filter_dropped(filter, i);
        mm_buffer_printf(&found, "%s%s: %s", i ? "|" : "", entry.label, entry.reason);
        assert_string_equal(entry.source, "test");
    }
    if (dropped)
        assert_string_equal(found.data ? found.data : "", dropped);
    mm_buffer_free(&found);
    mm_filter_free(filter);
}

/* D11 of the cases that this program is built for: outliers that are the ID classes. */
static void test_id_labels(void **unused) {
    (void)unused;
    static const char ids[] = "cat|dog|polar bear";
    static const char labels[] =
        "cat|Dog|hot dog|Cats|tabby cat|gray wolf|teddy bear|The Polar Bears|polar_bear|Polar-bear";
    static const char forms[] = "cat: is the ID label \"cat\"|Dog: is the ID label \"dog\"|"
                                "Cats: is a form of the ID label \"cat\"|";
    static const char bears[] = "The Polar Bears: is a form of the ID label \"polar bear\"|"
                                "polar_bear: is the ID label \"polar bear\"|"
                                "Polar-bear: is a form of the ID label \"polar bear\"";
    char expected[1024];
    mm_hypernyms *hypernyms = open_hypernyms();
    snprintf(expected, sizeof expected, "%s%s", forms, bears);
    expect(ids, labels, (mm_filter_options){0}, "hot dog|tabby cat|gray wolf|teddy bear", expected);
    expect(ids, labels, (mm_filter_options){.hypernyms = hypernyms, .keep_kinds = 1},
           "hot dog|tabby cat|gray wolf|teddy bear", expected);
    snprintf(expected, sizeof expected,
             "%stabby cat: is a kind of the ID label \"cat\", says WordNet|%s", forms, bears);
    expect(ids, labels, (mm_filter_options){.hypernyms = hypernyms}, "hot dog|gray wolf|teddy bear",
           expected);
    expect(ids, labels, (mm_filter_options){.phrases = MM_FILTER_PHRASES_HEAD},
           "gray wolf|teddy bear", NULL);
    expect(ids, "cat food|teddy bear|dog|hot dogs|owl",
           (mm_filter_options){.phrases = MM_FILTER_PHRASES_WORD}, "owl",
           "cat food: shares a word with the ID label \"cat\"|"
           "teddy bear: shares a word with the ID label \"polar bear\"|"
           "dog: is the ID label \"dog\"|hot dogs: ends in the ID label \"dog\"");
    mm_hypernyms_free(hypernyms);
}

/* Synonyms go even where kinds are kept; rare senses and people's names do not count. */
static void test_kinds(void **unused) {
    (void)unused;
    mm_hypernyms *h = open_hypernyms();
    mm_filter_options drop = {.hypernyms = h}, keep = {.hypernyms = h, .keep_kinds = 1};
    expect("dog", "poodles|Canis familiaris|frankfurter|animal", drop, "frankfurter|animal",
           "poodles: is a kind of the ID label \"dog\", says WordNet|"
           "Canis familiaris: is another word for the ID label \"dog\", says WordNet");
    expect("dog", "poodle|domestic dogs", keep, "poodle",
           "domestic dogs: is another word for the ID label \"dog\", says WordNet");
    expect("car", "bus|jalopy", drop, "bus",
           "jalopy: is a kind of the ID label \"car\", says WordNet");
    expect("crane", "whooping crane|entity", drop, "entity",
           "whooping crane: is a kind of the ID label \"crane\", says WordNet");
    expect("animal|entity", "Eiffel Tower", drop, "",
           "Eiffel Tower: is a kind of the ID label \"entity\", says WordNet");
    expect("hot dog", "frankfurter|dog", drop, "dog", NULL);
    mm_hypernyms_free(h);
}

/* D12: duplicates and junk. */
static void test_duplicates(void **unused) {
    (void)unused;
    mm_filter_options none = {0};
    expect("cat",
           "Gray wolf|gray wolf|Gray Wolf.|gray  wolf|a gray wolf|gray wolves|gray-wolf|owl|Owls",
           none, "gray wolf|owl",
           "gray wolf: is there already|Gray Wolf.: is there already|"
           "gray  wolf: is there already|a gray wolf: is there already|"
           "gray wolves: is there already, as \"gray wolf\"|"
           "gray-wolf: is there already, as \"gray wolf\"|"
           "Owls: is there already, as \"owl\"");
    expect("cat", "caf\u00e9|cafe\u0301|cafe|Stra\u00dfe|STRASSE|T-shirt|t shirt|tshirts", none,
           "caf\u00e9|cafe|stra\u00dfe|t-shirt", NULL);
    expect("cat",
           "none|N/A|Other|etc.|42|...|https://a.org|www.a.org|one two three four five six seven|"
           "abcdefghijabcdefghijabcdefghijabcdefghijabcdefghijabcdefghijk|caf\xe9|owl",
           none, "owl",
           "none: no thing that a picture could show|N/A: no thing that a picture could show|"
           "Other: no thing that a picture could show|etc.: no thing that a picture could show|"
           "42: no letters|...: no letters|https://a.org: an address|www.a.org: an address|"
           "one two three four five six seven: more than 6 words|"
           "abcdefghijabcdefghijabcdefghijabcdefghijabcdefghijabcdefghijk: more than 60 characters|"
           "caf\uFFFD: not UTF-8");
    expect("", "cat", none, "cat", "");
}

static void test_plurals(void **unused) {
    (void)unused;
    static const char *const forms[][2] = {
        {"cats", "cat"},
        {"boxes", "box"},
        {"watches", "watch"},
        {"brushes", "brush"},
        {"glasses", "glass"},
        {"berries", "berry"},
        {"ties", "tie"},
        {"pies", "pie"},
        {"cookies", "cookie"},
        {"tomatoes", "tomato"},
        {"shoes", "shoe"},
        {"tacos", "taco"},
        {"houses", "house"},
        {"horses", "horse"},
        {"prizes", "prize"},
        {"wolves", "wolf"},
        {"olives", "olive"},
        {"firemen", "fireman"},
        {"men", "man"},
        {"women", "woman"},
        {"red foxes", "red fox"},
        {"mice", "mouse"},
        {"buses", "bus"},
        {"lenses", "lens"},
        {"headaches", "headache"},
        {"cacti", "cactus"},
        {"jack-o-lanterns", "jack-o-lantern"},
        {"lens", "lens"},
        {"glass", "glass"},
        {"bus", "bus"},
        {"cactus", "cactus"},
        {"tennis", "tennis"},
        {"gas", "gas"},
        {"ramen", "ramen"},
        {"series", "series"},
        {"rhinoceros", "rhinoceros"},
        {"owl", "owl"},
        {"s", "s"},
        {"chef's", "chef's"},
        {"\u0444\u043e\u0442\u043e", "\u0444\u043e\u0442\u043e"},
    };
    for (size_t i = 0; i < sizeof forms / sizeof *forms; i++) {
        mm_buffer word = {0};
        mm_buffer_puts(&word, forms[i][0]);
        mm_make_singular(&word);
        assert_string_equal(word.data, forms[i][1]);
        mm_buffer_free(&word);
    }
}

static void test_clean(void **unused) {
    (void)unused;
    static const char *const forms[][2] = {
        {"  The_Gray\tWolf. ", "gray wolf"}, {"A", "a"},     {"an owl", "owl"}, {"\"Owl\"", "owl"},
        {"\u00c9T\u00c9", "\u00e9t\u00e9"},  {"...", ""},    {"", ""},          {"R2-D2", "r2-d2"},
        {"\u00a0owl\u3000", "owl"},          {"the", "the"},
    };
    for (size_t i = 0; i < sizeof forms / sizeof *forms; i++) {
        mm_buffer clean = {0};
        assert_true(mm_label_clean(&clean, forms[i][0], strlen(forms[i][0])));
        assert_string_equal(clean.data ? clean.data : "", forms[i][1]);
        mm_buffer_free(&clean);
    }
}

static void test_errors(void **unused) {
    (void)unused;
    static const struct {
        const char *data, *index, *says;
    } cases[] = {
        {"", "", "data.noun: there is no synset"},
        {"hello\n", "", "data.noun: line 1: \"hello\" where an offset"},
        {"00000100 03 n 01 entity 0 001 @ 00000999 n 0000\n", "", "00000999, where no synset is"},
        {"00000100 03 n 01 entity 0 000\n00000100 03 n 01 a 0 000\n", "", "line 2"},
        {"00000100 03 n 01 entity 0 002 @ 0000", "", "the offset of a pointer"},
        {"00000100 03 n 01 entity 0 000\n", "", "index.noun: there is no word"},
        {"00000100 03 n 01 entity 0 000\n", "entity n 1 0 1 1 00000200\n",
         "index.noun: line 1: \"00000200\" where the offset of a synset"},
        {"00000100 03 n 01 entity 0 000\n", "entity n 1\n", "where a number is expected"},
        {"00000100 03 n 01 entity 0 000\n",
         "entity n 1 0 1 1 00000100\nentity n 1 0 1 1 00000100\n", "there twice"},
    };
    mm_hypernyms *hypernyms;
    mm_filter *filter;
    mmood_error error;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        assert_int_equal(mm_hypernyms_parse(&hypernyms, cases[i].data, strlen(cases[i].data),
                                            cases[i].index, strlen(cases[i].index), &error),
                         MMOOD_ERROR_FORMAT);
        assert_null(hypernyms);
        if (!strstr(error.message, cases[i].says))
            fail_msg("\"%s\" does not say \"%s\"", error.message, cases[i].says);
    }
    /* A circle of pointers ends. */
    static const char circle[] = "00000100 03 n 01 a 0 001 @ 00000200 n 0000\n"
                                 "00000200 03 n 01 b 0 001 @ 00000100 n 0000\n";
    size_t ancestors[MM_HYPERNYMS_MAX_ANCESTORS];
    assert_ok(mm_hypernyms_parse(&hypernyms, circle, strlen(circle), "a n 1 1 @ 1 0 00000100\n", 23,
                                 &error),
              error);
    assert_int_equal(mm_hypernyms_ancestors(hypernyms, 0, ancestors), 2);
    mm_hypernyms_free(hypernyms);
    const char *broken = "caf\xe9";
    assert_int_equal(mm_filter_create(&filter, &broken, 1, NULL, &error), MMOOD_ERROR_FORMAT);
    assert_non_null(strstr(error.message, "ID label 1"));
    assert_null(filter);
}

static void test_limit(void **unused) {
    (void)unused;
    mm_filter *filter;
    mmood_error error;
    const char *id = "cat";
    int kept;
    assert_ok(mm_filter_create(&filter, &id, 1, NULL, &error), error);
    for (int i = 0; i < MM_FILTER_MAX_LABELS; i++) {
        char label[32];
        snprintf(label, sizeof label, "thing %d", i / 2);
        assert_ok(mm_filter_add(filter, label, NULL, &kept, &error), error);
        assert_int_equal(kept, i % 2 == 0);
    }
    assert_int_equal(mm_filter_add(filter, "owl", NULL, &kept, &error), MMOOD_ERROR_LIMIT);
    assert_int_equal(mm_filter_kept_count(filter), MM_FILTER_MAX_LABELS / 2);
    assert_string_equal(mm_filter_kept(filter, 7).label, "thing 7");
    mm_filter_free(filter);
}

/* The facts of the real WordNet that the rules rest on, where it is installed. */
static void test_real_wordnet(void **unused) {
    (void)unused;
    static const char folder[] = "/usr/share/wordnet";
    uint8_t *data = NULL, *list = NULL;
    size_t data_size = 0, list_size = 0;
    mm_hypernyms *h;
    mmood_error error;
    if (mm_file_read_in(&data, &data_size, folder, "data.noun", 64 << 20, NULL) != MMOOD_OK ||
        mm_file_read_in(&list, &list_size, folder, "index.noun", 64 << 20, NULL) != MMOOD_OK) {
        free(data);
        skip();
    }
    assert_ok(mm_hypernyms_parse(&h, data, data_size, list, list_size, &error), error);
    free(data);
    free(list);
    mm_filter_options options = {.hypernyms = h};
    expect("cat|dog|polar bear",
           "cat|Dog|hot dog|Cats|tabby cat|gray wolf|teddy bear|poodle|Siamese cat|tiger|ice bear",
           options, "hot dog|gray wolf|teddy bear|tiger", NULL);
    expect("car|bird|boat", "bus|truck|crane|owl|eagle|gondola|convertible|bat", options,
           "bus|truck|bat", NULL);
    mm_hypernyms_free(h);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_id_labels),  cmocka_unit_test(test_kinds),
        cmocka_unit_test(test_duplicates), cmocka_unit_test(test_plurals),
        cmocka_unit_test(test_clean),      cmocka_unit_test(test_errors),
        cmocka_unit_test(test_limit),      cmocka_unit_test(test_real_wordnet),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
