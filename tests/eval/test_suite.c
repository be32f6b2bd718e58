/* test_suite.c - suites: what is refused, that those shipped are sound, and their pictures in small
 * trees of the same layout. Runs in tests/. */
#include "test.h"

#include "suite_tree.h"

#include <ctype.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#define ID "\"id\":{\"name\":\"I\",\"source\":\"s\",\"folder\":\"a\",\"classes\":" CLASSES "}"
#define CLASSES "[{\"folder\":\"x\",\"label\":\"cat\"},{\"folder\":\"y\",\"label\":\"dog\"}]"
#define OOD "\"ood\":[{\"name\":\"O\",\"source\":\"s\",\"folder\":\"b\"}]"
#define HEAD "{\"format\":\"mmood-suite/1\",\"name\":\"t-1\",\"title\":\"T\","
#define REST                                                                                       \
    "\"templates\":[\"a {}\"],\"resample\":\"bicubic\",\"outliers\":3,\"scores\":[\"mcm\"],"       \
    "\"fpr\":\"first\","

static const char *const names[] = {"imagenet10-near",
                                    "imagenet20-near",
                                    "imagenet1k-near",
                                    "imagenet1k-far",
                                    "imagenet1k-far-neglabel",
                                    "cub200-far",
                                    "cars-far",
                                    "food101-far",
                                    "pets-far",
                                    "cub100-fine",
                                    "cars98-fine",
                                    "food50-fine",
                                    "pet18-fine"};
static const char *const drawings[] = {"data/drawings/pie.png", "data/drawings/axe.png"};

enum { NAMES = sizeof names / sizeof *names };

static mm_suite load(const char *name) {
    char path[200];
    mm_suite suite;
    mmood_error error;
    snprintf(path, sizeof path, "../suites/%s.json", name);
    assert_ok(mm_suite_load(&suite, path, &error), error);
    return suite;
}

static void test_parse(void **state) {
    (void)state;
    const char *text =
        HEAD REST ID "," OOD ",\"published\":[{\"method\":\"M\",\"set\":\"O\",\"fpr95\":0.25,"
                     "\"source\":\"p\"}]}";
    mm_suite suite;
    mmood_error error;
    assert_ok(mm_suite_parse(&suite, text, strlen(text), &error), error);
    assert_string_equal(suite.name, "t-1");
    assert_string_equal(suite.title, "T");
    assert_null(suite.note);
    assert_string_equal(suite.templates[0], "a {}");
    assert_int_equal(suite.resample, MMOOD_FILTER_BICUBIC);
    assert_int_equal(suite.outliers, 3);
    assert_int_equal(suite.scores[0], MMOOD_SCORE_MCM);
    assert_int_equal(suite.fpr, MM_FPR_FIRST);
    assert_int_equal(suite.set_count, 2);
    assert_string_equal(suite.sets[0].classes[1].label, "dog");
    assert_string_equal(suite.sets[1].folder, "b");
    assert_true(suite.published[0].fpr95 == 0.25 && isnan(suite.published[0].auroc));
    mm_suite_free(&suite);
    mm_suite_free(&suite);
}

static void refuse(const char *text, const char *words) {
    mm_suite suite;
    mmood_error error = {0};
    if (!mm_suite_parse(&suite, text, strlen(text), &error)) {
        mm_suite_free(&suite);
        fail_msg("accepted: %s", text);
    }
    if (!strstr(error.message, words))
        fail_msg("\"%s\" does not say \"%s\"", error.message, words);
}

#define FIGURE(text) HEAD REST ID "," OOD ",\"published\":[{" text "}]}"
#define ID_WITH(text) HEAD REST "\"id\":{\"name\":\"I\",\"source\":\"s\"," text "}," OOD "}"
#define OOD_WITH(text) HEAD REST ID ",\"ood\":[{\"name\":\"O\",\"source\":\"s\"," text "}]}"

static void test_refused(void **state) {
    (void)state;
    refuse("", "empty");
    refuse("[1]", "no evaluation suite");
    refuse("{\"format\":\"mmood-suite/2\"}", "mmood-suite/1");
    refuse(HEAD "\"colour\":1}", "unknown key \"colour\"");
    refuse("{\"format\":\"mmood-suite/1\",\"name\":\"A b\"}", "lower-case");
    refuse(HEAD "\"templates\":[]}", "not empty");
    refuse(HEAD "\"templates\":[\"a photo\"]}", "{}");
    refuse(HEAD "\"templates\":[\"{}\"],\"scores\":[\"best\"]}", "\"best\" is not known");
    refuse(HEAD "\"templates\":[\"{}\"],\"scores\":[\"mcm\",\"mcm\"]}", "twice");
    refuse(HEAD "\"templates\":[\"{}\"],\"scores\":[\"mcm\"],\"resample\":\"box\"}", "bilinear");
    refuse(HEAD REST "\"id\":3," OOD "}", "must be an object");
    refuse(HEAD REST ID "}", "\"ood\"");
    refuse(ID_WITH("\"folder\":\"a\""), "\"classes\"");
    refuse(ID_WITH("\"folder\":\"../a\",\"classes\":" CLASSES), "relative");
    refuse(ID_WITH("\"folder\":\"/a\",\"classes\":" CLASSES), "relative");
    refuse(ID_WITH("\"folder\":\"a/\",\"classes\":" CLASSES), "relative");
    refuse(ID_WITH("\"folder\":\"a\",\"classes\":[\"x\"]"), "class 1");
    refuse(ID_WITH("\"folder\":\"a\",\"classes\":[{\"folder\":\"x/y\",\"label\":\"c\"}]"), "\"/\"");
    refuse(ID_WITH("\"folder\":\"a\",\"classes\":[{\"folder\":\"x\",\"label\":\"c\"},"
                   "{\"folder\":\"y\",\"label\":\"c\"}]"),
           "label \"c\" occurs twice");
    refuse(OOD_WITH("\"folder\":\"b\",\"classes\":[\"x\",\"x\"]"), "\"x\" occurs twice");
    refuse(OOD_WITH("\"folder\":\"b\",\"naming\":\"suffix\""), "\"prefix\"");
    refuse(OOD_WITH("\"folder\":\"b\",\"split\":{\"flags\":\"f\"}"), "\"list\"");
    refuse(OOD_WITH("\"folder\":\"b\",\"split\":{\"list\":\"l\",\"flags\":\"f\"}"), "each other");
    refuse(OOD_WITH("\"folder\":\"a\""), "overlap");
    refuse(OOD_WITH("\"folder\":\"a/x\""), "overlap");
    refuse(OOD_WITH("\"folder\":\"a\",\"classes\":[\"z\",\"x\"]"), "\"x\" occurs twice");
    refuse(HEAD REST ID ",\"ood\":[{\"name\":\"I\",\"source\":\"s\",\"folder\":\"b\"}]}", "called");
    refuse(FIGURE("\"method\":\"M\",\"set\":\"P\",\"auroc\":1,\"source\":\"s\""), "neither");
    refuse(FIGURE("\"method\":\"M\",\"set\":\"O\",\"auroc\":97.5,\"source\":\"s\""), "per cent");
    refuse(FIGURE("\"method\":\"M\",\"set\":\"O\",\"source\":\"s\""), "is needed");
}

static int is_wnid(const char *text) {
    if (strlen(text) != 9 || text[0] != 'n')
        return 0;
    for (int i = 1; i < 9; i++)
        if (!isdigit((unsigned char)text[i]))
            return 0;
    return 1;
}

/* Labels differ by more than case, which CLIP does not see; ImageNet's folders are wnids. */
static void check_shipped(const mm_suite *suite) {
    for (size_t s = 0; s < suite->set_count; s++) {
        const mm_suite_set *set = &suite->sets[s];
        for (size_t i = 0; i < set->class_count; i++) {
            const mm_suite_class *class = &set->classes[i];
            if (strcmp(set->folder, "ImageNet/val") == 0 && !is_wnid(class->folder))
                fail_msg("%s: %s is no wnid", suite->name, class->folder);
            if (strchr(class->label, '_'))
                fail_msg("%s: \"%s\" has an underscore", suite->name, class->label);
            for (size_t j = 0; j < i; j++)
                if (strcasecmp(class->label, set->classes[j].label) == 0)
                    fail_msg("%s: \"%s\" twice", suite->name, class->label);
        }
    }
}

/* Number of classes and of OOD sets as the papers give them. */
static void test_shipped(void **state) {
    (void)state;
    static const size_t classes[NAMES] = {10,  20, 1000, 1000, 1000, 200, 196,
                                          101, 37, 100,  98,   50,   18};
    static const size_t ood_sets[NAMES] = {1, 1, 2, 4, 4, 4, 4, 4, 4, 1, 1, 1, 1};
    static const size_t ood_classes[NAMES] = {20, 10, 0, 0, 0, 0, 0, 0, 0, 100, 98, 51, 19};
    static const size_t outliers[NAMES] = {30,  60,  3000, 500, 10000, 500, 500,
                                           500, 500, 500,  500, 500,   500};
    for (size_t i = 0; i < NAMES; i++) {
        mm_suite suite = load(names[i]);
        assert_string_equal(suite.name, names[i]);
        assert_int_equal(suite.sets[0].class_count, classes[i]);
        assert_int_equal(suite.set_count, ood_sets[i] + 1);
        assert_int_equal(suite.sets[1].class_count, ood_classes[i]);
        assert_int_equal(suite.outliers, outliers[i]);
        int words = strcmp(names[i], "imagenet1k-far-neglabel") == 0;
        assert_int_equal(suite.scores[0], words ? MMOOD_SCORE_NEGLABEL : MMOOD_SCORE_MM_OOD);
        assert_string_equal(suite.templates[0], words ? "the nice {}" : "a photo of a {}");
        assert_int_equal(suite.resample, MMOOD_FILTER_BILINEAR);
        assert_int_equal(suite.fpr, MM_FPR_NEAREST);
        check_shipped(&suite);
        mm_suite_free(&suite);
    }
}

/* Every picture once, with its class; copies 2 only where no list leaves them out. */
static void check_set(const mm_suite *suite, size_t s, const char *data) {
    const mm_suite_set *set = &suite->sets[s];
    size_t classes = set->class_count ? set->class_count : 1;
    size_t copies = set->list ? 1 : 2;
    mm_suite_pictures pictures;
    mmood_error error;
    assert_ok(mm_suite_pictures_list(&pictures, suite, s, data, &error), error);
    assert_int_equal(pictures.count, classes * copies);
    assert_int_equal(pictures.name_count, classes);
    for (size_t i = 0; i < pictures.count; i++) {
        const char *class = set->class_count ? set->classes[i / copies].folder : "images";
        char between = set->naming == MM_SUITE_PREFIX ? '_' : '/';
        char expected[1000];
        snprintf(expected, sizeof expected, "%s/%s/%s%c%zu.png", data, set->folder, class, between,
                 i % copies + 1);
        assert_string_equal(pictures.paths[i], expected);
        assert_int_equal(pictures.groups[i], i / copies);
    }
    assert_string_equal(pictures.names[0], set->class_count ? set->classes[0].label : "images");
    mm_suite_pictures_free(&pictures);
}

/* The first MOST classes of every set are enough to see the layout, and 1,000 take seconds. */
static void test_trees(void **state) {
    (void)state;
    enum { MOST = 15, SETS = 5 };
    for (size_t i = 0; i < NAMES; i++) {
        char data[] = "/tmp/suite-XXXXXX";
        mm_suite suite = load(names[i]);
        mm_buffer text = {0};
        size_t whole[SETS];
        assert_true(suite.set_count <= SETS);
        for (size_t s = 0; s < suite.set_count; s++) {
            whole[s] = suite.sets[s].class_count;
            suite.sets[s].class_count = whole[s] < MOST ? whole[s] : MOST;
        }
        assert_non_null(mkdtemp(data));
        assert_true(suite_tree_make(&suite, data, drawings, 2));
        for (size_t s = 0; s < suite.set_count; s++)
            check_set(&suite, s, data);
        assert_int_equal(mm_suite_describe(&text, &suite, data), 0);
        assert_null(strstr(text.data, "missing"));
        mm_buffer_free(&text);
        for (size_t s = 0; s < suite.set_count; s++)
            suite.sets[s].class_count = whole[s];
        mm_suite_free(&suite);
        suite_tree_remove(data);
    }
}

static void refuse_pictures(const mm_suite *suite, size_t set, const char *data,
                            const char *words) {
    mm_suite_pictures pictures;
    mmood_error error = {0};
    assert_int_equal(mm_suite_pictures_list(&pictures, suite, set, data, &error), MMOOD_ERROR_IO);
    assert_int_equal(pictures.count, 0);
    if (!strstr(error.message, words))
        fail_msg("\"%s\" does not say \"%s\"", error.message, words);
}

static void remove_in(const char *data, const char *name) {
    char path[1000];
    snprintf(path, sizeof path, "%s/%s", data, name);
    suite_tree_remove(path);
    unlink(path);
}

/* Folders, pictures and lists that are missing are named, by the listing and by the description. */
static void test_missing(void **state) {
    (void)state;
    char data[] = "/tmp/suite-XXXXXX";
    mm_suite pets = load("pets-far"), ten = load("imagenet10-near");
    mm_buffer text = {0};
    assert_non_null(mkdtemp(data));
    assert_true(suite_tree_make(&pets, data, drawings, 2));
    refuse_pictures(&ten, 0, data, "ImageNet/val/n01530575: is not there");
    assert_int_equal(mm_suite_describe(&text, &ten, data), 2);
    assert_non_null(strstr(text.data, "missing: ImageNet/val/\n"));
    assert_non_null(strstr(text.data, "10 classes, a folder each: n01530575, n01641577, "));
    text.size = 0;
    assert_true(suite_tree_make(&ten, data, drawings, 2));
    remove_in(data, "ImageNet/val/n02389026");
    refuse_pictures(&ten, 0, data, "n02389026");
    assert_int_equal(mm_suite_describe(&text, &ten, data), 1);
    assert_non_null(strstr(text.data, "missing: ImageNet/val/n02389026/\n"));
    remove_in(data, "ImageNet/val/n02123597/1.png");
    remove_in(data, "ImageNet/val/n02123597/2.png");
    remove_in(data, "oxford-iiit-pet/images/boxer_1.png");
    refuse_pictures(&pets, 0, data, "the first is \"boxer_1\"");
    remove_in(data, "oxford-iiit-pet/annotations/test.txt");
    refuse_pictures(&pets, 0, data, "test.txt");
    text.size = 0;
    assert_int_equal(mm_suite_describe(&text, &pets, data), 1);
    assert_non_null(strstr(text.data, "missing: oxford-iiit-pet/annotations/test.txt\n"));
    remove_in(data, "ImageNet_OOD_dataset/SUN/images");
    refuse_pictures(&pets, 2, data, "has no pictures");
    mm_buffer_free(&text);
    mm_suite_free(&pets);
    mm_suite_free(&ten);
    suite_tree_remove(data);
}

/* Without a list, a class folder that is empty is an error, not a class that is left out. */
static void test_empty_class(void **state) {
    (void)state;
    char data[] = "/tmp/suite-XXXXXX";
    mm_suite ten = load("imagenet10-near");
    assert_non_null(mkdtemp(data));
    assert_true(suite_tree_make(&ten, data, drawings, 2));
    remove_in(data, "ImageNet/val/n02123597/1.png");
    remove_in(data, "ImageNet/val/n02123597/2.png");
    refuse_pictures(&ten, 0, data, "no pictures of the class \"n02123597\"");
    mm_suite_free(&ten);
    suite_tree_remove(data);
}

/* What a person reads before anything is there. */
static void test_describe(void **state) {
    (void)state;
    mm_suite suite = load("food50-fine");
    mm_buffer text = {0};
    assert_int_equal(mm_suite_describe(&text, &suite, NULL), 0);
    assert_non_null(strstr(text.data, "  food-101/images/\n"
                                      "    Food-50 (ID): 50 classes, a folder each: apple_pie, "
                                      "baby_back_ribs, beef_carpaccio, ...\n"
                                      "    only pictures that food-101/meta/test.txt names\n"
                                      "    from https://"));
    assert_non_null(strstr(text.data, "Food-50 rest (OOD): 51 classes"));
    mm_buffer_free(&text);
    mm_suite_free(&suite);
}

static void test_find(void **state) {
    (void)state;
    char *path;
    mmood_error error = {0};
    setenv("MMOOD_SUITES", "../suites", 1);
    assert_ok(mm_suite_find(&path, "pet18-fine", &error), error);
    assert_string_equal(path, "../suites/pet18-fine.json");
    free(path);
    assert_ok(mm_suite_find(&path, "./mine", &error), error);
    assert_string_equal(path, "./mine");
    free(path);
    assert_int_equal(mm_suite_find(&path, "pet19", &error), MMOOD_ERROR_ARGUMENT);
    assert_null(path);
    assert_non_null(strstr(error.message, "\"pet19\"; known: cars-far, cars98-fine, cub100-fine"));
    assert_non_null(strstr(error.message, "pets-far"));
    setenv("MMOOD_SUITES", "eval", 1);
    assert_int_equal(mm_suite_find(&path, "", &error), MMOOD_ERROR_ARGUMENT);
    unsetenv("MMOOD_SUITES");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_parse),    cmocka_unit_test(test_refused),
        cmocka_unit_test(test_shipped),  cmocka_unit_test(test_trees),
        cmocka_unit_test(test_missing),  cmocka_unit_test(test_empty_class),
        cmocka_unit_test(test_describe), cmocka_unit_test(test_find),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
