/* test_run.c - an evaluation from folders to figures: sets and classes, the cache and its recovery,
 * bad pictures, leaks between sets. */
#include "test.h"

#include "base/buffer.h"
#include "base/file.h"
#include "eval/cache.h"
#include "eval/dataset.h"
#include "eval/metrics.h"
#include "eval/run.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static mmood_model *model;
static mmood_session *session;
static mmood_detector *detector;
static char root[] = "eval-test-XXXXXX";

static void make_dir(const char *name) {
    char path[256];
    snprintf(path, sizeof path, "%s/%s", root, name);
    assert_int_equal(mkdir(path, 0777), 0);
}

/* A copy of a picture of the tests' data, with `tail` after its end, which decoders ignore but
 * which makes the content another. */
static void add_picture(const char *to, const char *from, const char *tail) {
    char path[256], source[256];
    uint8_t *data;
    size_t size;
    mmood_error error;
    mm_buffer out = {0};
    snprintf(path, sizeof path, "%s/%s", root, to);
    snprintf(source, sizeof source, "data/image/%s", from);
    assert_ok(mm_file_read(&data, &size, source, 1 << 24, &error), error);
    mm_buffer_append(&out, data, size);
    mm_buffer_puts(&out, tail);
    assert_ok(mm_file_write(path, out.data, out.size, &error), error);
    mm_buffer_free(&out);
    free(data);
}

static void remove_all(void) {
    char command[64];
    snprintf(command, sizeof command, "rm -rf %s", root);
    assert_int_equal(system(command), 0);
}

static int open_all(void **unused) {
    mmood_error error;
    mmood_model_options options = mmood_model_options_default();
    mmood_labels *id, *outliers;
    static const char ids[] = "cat\nhot dog\nTree frog", others[] = "wolf\ncar";
    (void)unused;
    options.precision = MMOOD_PRECISION_F32;
    if (!mkdtemp(root) || mmood_model_open(&model, "golden/b32-quick", &options, &error) ||
        mmood_session_create(&session, model, NULL, &error) ||
        mmood_labels_parse(&id, ids, strlen(ids), &error) ||
        mmood_labels_parse(&outliers, others, strlen(others), &error))
        return 1;
    const mmood_labels *sets[] = {outliers};
    int failed = mmood_detector_build(&detector, NULL, session, id, sets, 1, NULL, &error) != 0;
    mmood_labels_free(id);
    mmood_labels_free(outliers);
    make_dir("id");
    make_dir("id/cat");
    make_dir("id/hot_dog");
    make_dir("id/n0123");
    make_dir("far");
    make_dir("near");
    make_dir("near/Tree-Frog");
    add_picture("id/cat/a.png", "rgb.png", "");
    add_picture("id/cat/b.jpg", "ok.jpg", "");
    add_picture("id/cat/broken.png", "trunc.png", "");
    add_picture("id/hot_dog/c.png", "gray.png", "");
    add_picture("id/n0123/d.png", "palette.png", "");
    add_picture("id/.hidden.png", "rgb.png", "");
    add_picture("id/loose.png", "rgba.png", "");
    add_picture("far/e.png", "checker_896.png", "");
    add_picture("far/f.png", "three_3x3.png", "");
    add_picture("far/g.png", "three_3x3.png", "");
    add_picture("near/Tree-Frog/h.jpg", "gray.jpg", "");
    add_picture("near/Tree-Frog/a-again.png", "rgb.png", "");
    return failed;
}

static int close_all(void **unused) {
    (void)unused;
    mmood_detector_free(detector);
    mmood_session_free(session);
    mmood_model_free(model);
    remove_all();
    return 0;
}

static void read_set(mm_eval_set *set, const char *name, const char *folder,
                     const mm_name_map *names) {
    char path[256];
    mm_path_skips skips = {0};
    mmood_error error;
    snprintf(path, sizeof path, "%s/%s", root, folder);
    assert_ok(mm_dataset_read(set, &skips, name, path, names, &error), error);
    assert_int_equal(skips.hidden, strcmp(name, "id") == 0);
}

/* The three sets, all scores that need no patches and gl-mcm. */
static mm_evaluation prepare(mm_fpr fpr) {
    mm_evaluation e = {.detector = detector, .fpr = fpr, .set_count = 3};
    mm_name_map names;
    mmood_error error;
    static const char map[] = "n0123\ttree frog, tree-frog\r\n\nn9 other\n";
    assert_ok(mm_name_map_parse(&names, map, strlen(map), &error), error);
    assert_int_equal(names.count, 2);
    e.sets = calloc(3, sizeof *e.sets);
    read_set(&e.sets[0], "id", "id", &names);
    read_set(&e.sets[1], "far", "far", NULL);
    read_set(&e.sets[2], "near", "near", NULL);
    mm_name_map_free(&names);
    e.scores = calloc(3, sizeof *e.scores);
    e.score_count = 3;
    for (size_t i = 0; i < 3; i++)
        e.scores[i] = mmood_score_settings_default();
    e.scores[1].kind = MMOOD_SCORE_GL_MCM;
    e.scores[2].kind = MMOOD_SCORE_ENERGY;
    return e;
}

static size_t known; /* pictures that the cache had */

static void count_known(void *context, size_t done, size_t total, size_t cached) {
    (void)context;
    assert_true(done <= total);
    known = cached;
}

static mm_evaluation run(const char *cache, size_t window) {
    mm_evaluation e = prepare(MM_FPR_NEAREST);
    mm_eval_options options = {.image = mmood_image_options_default(),
                               .window = window,
                               .threads = 2,
                               .resamples = 50,
                               .cache = cache,
                               .progress = count_known};
    mmood_error error;
    assert_ok(mm_eval_run(&e, session, &options, &error), error);
    return e;
}

/* Every number of two evaluations is the same. */
static void assert_equal(const mm_evaluation *a, const mm_evaluation *b) {
    for (size_t s = 0; s < a->set_count; s++)
        for (size_t i = 0; i < a->sets[s].count; i++) {
            const mm_eval_item *x = &a->sets[s].items[i], *y = &b->sets[s].items[i];
            assert_string_equal(x->path, y->path);
            assert_int_equal(!x->error, !y->error);
            for (size_t k = 0; k < a->score_count && !x->error; k++)
                if (!(fabs(x->scores[k] - y->scores[k]) < 1e-6))
                    fail_msg("%s: score %zu is %.17g and %.17g", x->path, k, x->scores[k],
                             y->scores[k]);
        }
}

static void test_evaluation(void **unused) {
    (void)unused;
    mm_evaluation e = run(NULL, 64);
    assert_int_equal(e.sets[0].count, 6);
    assert_int_equal(e.sets[0].bad, 1);
    assert_int_equal(e.sets[0].group_count, 3);
    assert_int_equal(e.sets[0].groups[0].label, 0);
    assert_int_equal(e.sets[0].groups[1].label, 1); /* hot_dog */
    assert_int_equal(e.sets[0].groups[2].label, 2); /* by the name map */
    assert_string_equal(e.sets[0].groups[2].name, "tree frog");
    assert_int_equal(e.sets[0].items[4].group, SIZE_MAX); /* loose.png stands in no class */
    assert_int_equal(e.accuracy_count, 4);
    assert_int_equal(e.sets[1].group_count, 0);
    /* the numbers are those of the library, picture by picture */
    for (size_t s = 0; s < 3; s++)
        for (size_t i = 0; i < e.sets[s].count; i++) {
            const mm_eval_item *item = &e.sets[s].items[i];
            mmood_image *image;
            mmood_model_info info;
            mmood_error error;
            uint8_t crop[64 * 64 * 3];
            const uint8_t *crops[] = {crop};
            float embedding[32];
            double cosines[5];
            mmood_verdict verdict;
            if (item->error) {
                assert_non_null(strstr(item->path, "broken.png"));
                continue;
            }
            mmood_model_describe(model, &info);
            assert_ok(mmood_image_load(&image, item->path, NULL, &error), error);
            assert_ok(mmood_image_preprocess(crop, sizeof crop, image, &info.preprocess, &error),
                      error);
            mmood_image_free(image);
            assert_ok(mmood_session_embed_images(embedding, session, crops, 1, &error), error);
            assert_ok(mmood_detector_cosines(cosines, detector, embedding, &error), error);
            assert_ok(mmood_detector_judge(&verdict, detector, cosines, NULL, &error), error);
            assert_true(fabs(verdict.score - item->scores[0]) < 1e-6);
            assert_int_equal(verdict.label, item->label);
            assert_int_equal(verdict.outlier, item->outlier);
        }
    double id[5], far[3];
    size_t n = 0;
    mm_metrics m;
    mmood_error error;
    for (size_t i = 0; i < 6; i++)
        if (!e.sets[0].items[i].error)
            id[n++] = e.sets[0].items[i].scores[2];
    for (size_t i = 0; i < 3; i++)
        far[i] = e.sets[1].items[i].scores[2];
    assert_ok(mm_metrics_compute(&m, id, n, far, 3, MM_FPR_NEAREST, &error), error);
    assert_true(m.auroc == e.results[2 * 2].value.auroc);
    assert_true(e.results[2 * 2].has_intervals && e.means[2].has_intervals);
    assert_true(fabs(e.means[2].value.auroc -
                     (e.results[4].value.auroc + e.results[5].value.auroc) / 2) < 1e-15);
    mm_evaluation_free(&e);
}

/* gl-mcm is bit for bit what a scorer says of the picture, computed or out of the cache. */
static void assert_scored(const mm_evaluation *e) {
    mmood_scorer *scorer;
    mmood_error error;
    const mmood_scorer_options options = {.scores = e->scores, .score_count = e->score_count};
    assert_ok(mmood_scorer_create(&scorer, detector, &options, &error), error);
    for (size_t s = 0; s < e->set_count; s++)
        for (size_t i = 0; i < e->sets[s].count; i++) {
            const mm_eval_item *item = &e->sets[s].items[i];
            mmood_image *image;
            mmood_model_info info;
            uint8_t crop[64 * 64 * 3];
            const uint8_t *crops[] = {crop};
            float embedding[32], patches[4 * 32];
            double scores[3];
            const mmood_results out = {.scores = scores};
            if (item->error)
                continue;
            mmood_model_describe(model, &info);
            assert_int_equal(info.patches, 4);
            assert_ok(mmood_image_load(&image, item->path, NULL, &error), error);
            assert_ok(mmood_image_preprocess(crop, sizeof crop, image, &info.preprocess, &error),
                      error);
            mmood_image_free(image);
            assert_ok(mmood_session_embed_patches(embedding, patches, session, crops, 1, &error),
                      error);
            assert_ok(mmood_scorer_run(&out, scorer, embedding, patches, 4, 1, &error), error);
            assert_memory_equal(scores, item->scores, sizeof scores);
        }
    mmood_scorer_free(scorer);
}

static void test_as_scored(void **unused) {
    (void)unused;
    char cache[256];
    snprintf(cache, sizeof cache, "%s/as-scored", root);
    for (int i = 0; i < 2; i++) {
        mm_evaluation e = run(cache, 1); /* oneDNN 3 rounds otherwise in other batches */
        assert_scored(&e);
        mm_evaluation_free(&e);
    }
    assert_true(known > 0);
}

/* Copies within a set, a picture in two sets, an OOD class that is an ID label. */
static void test_leaks(void **unused) {
    (void)unused;
    mm_evaluation e = run(NULL, 64);
    assert_int_equal(e.warning_count, 3);
    assert_non_null(strstr(e.warnings[0], "both in \"id\" and in \"near\""));
    assert_non_null(strstr(e.warnings[1], "copies"));
    assert_non_null(strstr(e.warnings[1], "far"));
    assert_non_null(strstr(e.warnings[2], "Tree-Frog"));
    mm_evaluation_free(&e);

    /* calibrated on one of the pictures */
    char hash[65];
    const char *hashes[] = {hash};
    const double score = 0.1;
    mmood_calibration_options options = mmood_calibration_options_default();
    mmood_detector *calibrated, *plain = detector;
    mmood_error error;
    options.keep = 0.5;
    options.hashes = hashes;
    e = run(NULL, 64);
    for (size_t i = 0; i < 32; i++)
        snprintf(hash + 2 * i, 3, "%02x", e.sets[1].items[0].hash[i]);
    mm_evaluation_free(&e);
    assert_ok(mmood_detector_calibrate(&calibrated, plain, &score, 1, &options, &error), error);
    detector = calibrated;
    e = run(NULL, 64);
    detector = plain;
    assert_int_equal(e.warning_count, 6);
    assert_non_null(strstr(e.warnings[3], "1 pictures, such as"));
    assert_non_null(strstr(e.warnings[3], "calibration"));
    assert_non_null(strstr(e.warnings[4], "no calibration score is below the threshold"));
    assert_string_equal(e.warnings[5],
                        "the threshold, 0.1, flags none of the 5 pictures of the OOD sets");
    mm_evaluation_free(&e);
    mmood_detector_free(calibrated);
}

static void cache_path(char *out, size_t size, const char *folder) {
    snprintf(out, size, "%s/%s", root, folder);
}

static void test_cache(void **unused) {
    (void)unused;
    char folder[256];
    cache_path(folder, sizeof folder, "cache/deep");
    mm_evaluation first = run(folder, 64);
    assert_int_equal(known, 1);            /* a picture that was in an earlier set */
    mm_evaluation second = run(folder, 2); /* another window, all out of the cache */
    assert_int_equal(known, 10);           /* every readable picture */
    assert_equal(&first, &second);
    mm_evaluation_free(&second);
    mm_evaluation plain = run(NULL, 3);
    assert_equal(&first, &plain);
    mm_evaluation_free(&plain);
    mm_evaluation_free(&first);
}

/* A cache that was cut off, changed, or is something else. */
static void test_damage(void **unused) {
    (void)unused;
    char folder[256];
    static const char key[] = "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff";
    uint8_t hash[32] = {0}, *data;
    double values[2] = {1.5, 2.5};
    size_t size;
    mm_cache *cache, *other;
    mmood_error error = {0};
    cache_path(folder, sizeof folder, "damage");
    assert_ok(mm_cache_open(&cache, folder, "test", key, sizeof values, &error), error);
    for (int i = 0; i < 3000; i++) { /* grows */
        memcpy(hash, &i, sizeof i);
        values[0] = i;
        assert_ok(mm_cache_add(cache, hash, values, &error), error);
        assert_ok(mm_cache_add(cache, hash, values, &error), error);
    }
    assert_int_equal(mm_cache_count(cache), 3000);
    assert_non_null(mm_cache_find(cache, hash, 3000));
    assert_null(mm_cache_find(cache, hash, 2999)); /* the last one is not among them */
    char *path = strdup(mm_cache_path(cache));
    mm_cache_close(cache);
    assert_ok(mm_file_read(&data, &size, path, 1 << 24, &error), error);
    data[size / 2] ^= 1;                                           /* one record is changed */
    assert_ok(mm_file_write(path, data, size - 7, &error), error); /* and the last cut off */
    assert_ok(mm_cache_open(&cache, folder, "test", key, sizeof values, &error), error);
    assert_int_equal(mm_cache_count(cache), 2998);
    size_t found = 0;
    for (int i = 0; i < 3000; i++) {
        memcpy(hash, &i, sizeof i);
        const void *record = mm_cache_find(cache, hash, SIZE_MAX);
        double value = -1;
        if (record)
            memcpy(&value, record, sizeof value);
        assert_true(!record || value == i);
        found += record != NULL;
        values[0] = i;
        assert_ok(mm_cache_add(cache, hash, values, &error), error);
    }
    assert_int_equal(found, 2998);
    mm_cache_close(cache);
    assert_ok(mm_cache_open(&cache, folder, "test", key, sizeof values, &error), error);
    assert_int_equal(mm_cache_count(cache), 3000); /* mended */
    mm_cache_close(cache);
    memset(data, 'x', size);
    assert_ok(mm_file_write(path, data, size, &error), error);
    assert_int_equal(mm_cache_open(&other, folder, "test", key, sizeof values, &error),
                     MMOOD_ERROR_FORMAT);
    assert_non_null(strstr(error.message, path));
    assert_int_equal(mm_cache_open(&other, "eval/test_run.c/x", "test", key, 8, &error),
                     MMOOD_ERROR_IO);
    free(data);
    free(path);
}

static void test_lists(void **unused) {
    (void)unused;
    char path[256];
    mm_path_skips skips = {0};
    mmood_error error = {0};
    mm_evaluation e = {.set_count = 1};
    static const char list[] = "id/cat/a.png\tcat\r\n\nfar/e.png\n";
    snprintf(path, sizeof path, "%s/list.txt", root);
    assert_ok(mm_file_write(path, list, strlen(list), &error), error);
    e.sets = calloc(1, sizeof *e.sets);
    assert_ok(mm_dataset_read(e.sets, &skips, "x", path, NULL, &error), error);
    assert_int_equal(e.sets[0].count, 2);
    assert_int_equal(e.sets[0].items[0].group, 0);
    assert_int_equal(e.sets[0].items[1].group, SIZE_MAX);
    assert_int_equal(mm_file_exists(e.sets[0].items[1].path), 1); /* relative to the list */
    mm_evaluation_free(&e);
    e = (mm_evaluation){.set_count = 1, .sets = calloc(1, sizeof *e.sets)};
    assert_int_equal(mm_dataset_read(e.sets, &skips, "x", "eval/absent", NULL, &error),
                     MMOOD_ERROR_IO);
    mm_evaluation_free(&e);
    e = (mm_evaluation){.set_count = 1, .sets = calloc(1, sizeof *e.sets)};
    assert_int_equal(mm_dataset_read(e.sets, &skips, "x", "data/image/rgb.png", NULL, &error),
                     MMOOD_ERROR_FORMAT);
    assert_non_null(strstr(error.message, "no list of paths"));
    mm_evaluation_free(&e);
    make_dir("empty");
    snprintf(path, sizeof path, "%s/empty", root);
    e = (mm_evaluation){.set_count = 1, .sets = calloc(1, sizeof *e.sets)};
    assert_int_equal(mm_dataset_read(e.sets, &skips, "x", path, NULL, &error), MMOOD_ERROR_FORMAT);
    mm_evaluation_free(&e);
    mm_name_map names;
    assert_int_equal(mm_name_map_parse(&names, "a b\nlonely\n", 11, &error), MMOOD_ERROR_FORMAT);
    assert_non_null(strstr(error.message, "line 2"));
    mm_name_map_free(&names);
    static const char *const folds[][2] = {{"Hot_Dog", "hot dog"},
                                           {"  a--b ", "a b"},
                                           {"\xff", "\xff"},
                                           {"\xc3\x84rger", "\xc3\xa4rger"},
                                           {"_", ""}};
    for (size_t i = 0; i < sizeof folds / sizeof *folds; i++) {
        char *folded = mm_dataset_fold(folds[i][0], strlen(folds[i][0]));
        assert_string_equal(folded, folds[i][1]);
        free(folded);
    }
}

/* A set of which nothing can be read is an error that says why. */
static void test_unreadable(void **unused) {
    (void)unused;
    mm_evaluation e = prepare(MM_FPR_FIRST);
    mm_eval_options options = {.image = mmood_image_options_default(), .window = 8, .threads = 1};
    mmood_error error = {0};
    for (size_t i = 0; i < e.sets[1].count; i++) {
        free(e.sets[1].items[i].path);
        e.sets[1].items[i].path = strdup("data/image/html_as.jpg");
    }
    assert_int_equal(mm_eval_run(&e, session, &options, &error), MMOOD_ERROR_FORMAT);
    assert_non_null(strstr(error.message, "HTML"));
    mm_evaluation_free(&e);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_evaluation), cmocka_unit_test(test_as_scored),
        cmocka_unit_test(test_leaks),      cmocka_unit_test(test_cache),
        cmocka_unit_test(test_damage),     cmocka_unit_test(test_lists),
        cmocka_unit_test(test_unreadable),
    };
    return cmocka_run_group_tests(tests, open_all, close_all);
}
