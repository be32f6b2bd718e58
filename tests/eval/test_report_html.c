/* test_report_html.c - the HTML report: well-formed, nothing fetched, nothing run, whatever names
 * and scores an evaluation holds; and that it shows what it should. */
#include "test.h"

#include "sample.h"

#include "base/base64.h"
#include "detect/detector.h"
#include "eval/report_html.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const sample_shape usual = {.id_labels = 4,
                                   .outliers = 5,
                                   .score_count = 3,
                                   .ood_sets = 2,
                                   .pictures = 60,
                                   .groups = 4,
                                   .intervals = 1};

/* ---- Is it a page? ------------------------------------------------------------------------- */

static int is_void(const char *name) {
    static const char *const names[] = {"meta", "br", "img"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (strcmp(name, names[i]) == 0)
            return 1;
    return 0;
}

/* Reads a tag at `p` behind its "<"; its name goes to `name`. Attributes are name="value"; returns
 * what follows the ">", `*closed` is 1 for <name/>. */
static const char *read_tag(const char *p, char name[32], int *closed) {
    size_t n = strcspn(p, " />\n");
    assert_true(n > 0 && n < 32);
    memcpy(name, p, n);
    name[n] = 0;
    p += n;
    *closed = 0;
    while (*p != '>') {
        if (*p == '/') {
            *closed = 1;
            p++;
            continue;
        }
        assert_int_equal(*p, ' ');
        p += 1 + strspn(p + 1, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ-");
        assert_true(p[0] == '=' && p[1] == '"');
        size_t value = strcspn(p + 2, "\"<");
        assert_int_equal(p[2 + value], '"');
        p += 3 + value;
    }
    return p + 1;
}

/* Every tag is closed in order; every "&" begins an entity; the text is UTF-8 without control
 * characters (checked by bytes that cannot be). */
static void assert_well_formed(const char *page) {
    static char stack[64][32];
    size_t depth = 0;
    assert_memory_equal(page, "<!DOCTYPE html>\n", 16);
    for (const char *p = page + 16; *p;) {
        unsigned char c = (unsigned char)*p;
        assert_true(c == '\n' || (c >= 0x20 && c != 0x7f && c != 0xff && c != 0xc0));
        if (c == '&') {
            size_t n = strcspn(p, ";");
            assert_true(n > 1 && n < 9 &&
                        strspn(p + 1, "abcdefghijklmnopqrstuvwxyz#0123456789") == n - 1);
        }
        if (*p != '<') {
            assert_true(*p != '>' || strcmp(stack[depth - 1], "style") == 0);
            p++;
            continue;
        }
        char name[32];
        int closed;
        if (p[1] == '/') {
            size_t n = strcspn(p + 2, ">");
            assert_true(depth > 0);
            depth--;
            if (strlen(stack[depth]) != n || strncmp(p + 2, stack[depth], n) != 0)
                fail_msg("<%s> is closed by %.40s", stack[depth], p);
            p += 3 + n;
            continue;
        }
        p = read_tag(p + 1, name, &closed);
        if (closed || is_void(name))
            continue;
        assert_true(depth < 64);
        memcpy(stack[depth++], name, sizeof name);
    }
    assert_int_equal(depth, 0);
}

/* Nothing is fetched or run, and no drawing has a number that is none. */
static void assert_harmless(const char *page) {
    assert_null(strstr(page, "<script"));
    assert_null(strstr(page, "<link"));
    assert_null(strstr(page, "@import"));
    assert_null(strstr(page, "url("));
    for (const char *p = page; (p = strstr(p, " src=\"")); p++)
        assert_memory_equal(p, " src=\"data:image/", 17);
    for (const char *p = page; (p = strstr(p, " href=\"")); p++)
        assert_memory_equal(p, " href=\"#", 8);
    for (const char *p = page; (p = strstr(p, " d=\"")); p++) {
        size_t n = strcspn(p + 4, "\"");
        assert_int_equal(strspn(p + 4, "MLHVZv0123456789. -"), n);
    }
}

static char *page_of(const mm_evaluation *evaluation) {
    mm_buffer out = {0};
    mmood_error error;
    assert_ok(mm_report_html(&out, evaluation, &error), error);
    assert_non_null(out.data);
    assert_int_equal(strlen(out.data), out.size);
    assert_well_formed(out.data);
    assert_harmless(out.data);
    return out.data;
}

static void check_page(const mm_evaluation *evaluation) {
    free(page_of(evaluation));
}

static void assert_has(const char *page, const char *words) {
    if (!strstr(page, words))
        fail_msg("\"%s\" is not in the page", words);
}

/* ---- What it shows ------------------------------------------------------------------------- */

/* The area under the first curve of the page's ROC chart, in the units of its axes. */
static double drawn_area(const char *page) {
    const char *p = strstr(page, "<path class=\"curve c0\" d=\"M");
    double x0 = 44, x1 = 306, y0 = 274, y1 = 10, x, y, last_x = x0, last_y = y0, sum = 0;
    assert_non_null(p);
    p += strlen("<path class=\"curve c0\" d=\"M");
    for (char *end;; p = end + 1) {
        x = strtod(p, &end);
        y = strtod(end, &end);
        sum += (x - last_x) * (y0 - (y + last_y) / 2);
        last_x = x;
        last_y = y;
        if (*end != 'L')
            break;
    }
    assert_true(last_x == x1 && last_y == y1);
    return sum / (x1 - x0) / (y0 - y1);
}

static void test_page(void **unused) {
    (void)unused;
    mm_evaluation e;
    sample_make(&e, &usual);
    e.title = strdup("A suite");
    e.published = calloc(1, sizeof *e.published);
    assert_non_null(e.published);
    e.published_count = 1;
    e.published[0] = (mm_published){strdup("EOE"), strdup("far-2"), 0.0701, NAN, strdup("Paper")};
    sample_set(&e.sets[1].items[5].error, "a truncated PNG picture");
    sample_set(&e.sets[0].items[0].path, "data/drawings/pizza.png");
    e.sets[0].items[0].scores[0] = -1;
    e.sets[0].items[0].label = 1;
    e.sets[0].items[0].outlier = 5;
    e.sets[0].items[0].label_cosine = 0.28;
    e.sets[0].items[0].outlier_cosine = 0.31;
    sample_measure(&e, 1);
    char *page = page_of(&e);
    assert_has(page, "<title>A suite</title>");
    assert_has(page, "FPR95 (nearest)");
    assert_has(page, "mm-ood (T = 1, beta = 0.25)");
    assert_has(page, "<summary>max-logit</summary>");
    assert_has(page, "<td>Paper</td>");
    assert_has(page, "src=\"data:image/jpeg;base64,/9j/");
    assert_has(page, "Looks more like &lsquo;outlier 1&rsquo; (outlier, far: cosine "
                     "0.310) than &lsquo;label 1&rsquo; (0.280).");
    assert_has(page, "<td class=\"path\">a truncated PNG picture</td>");
    assert_has(page, "1 picture could not be read");
    assert_has(page, "00112233445566778899aabb");
    assert_has(page, "a photo of a {}");
    assert_has(page, "needs at least 99 ID pictures");
    assert_has(page, "mmood " MMOOD_VERSION_STRING);
    if (!(fabs(drawn_area(page) - e.results[0].value.auroc) < 2e-4))
        fail_msg("the drawn area is %.6f, AUROC %.6f", drawn_area(page), e.results[0].value.auroc);
    free(page);
    sample_free(&e);
}

/* A class whose pictures all look like another; an OOD class that all passes; a label that fires.
 */
static void test_classes(void **unused) {
    (void)unused;
    mm_evaluation e;
    sample_make(&e, &usual);
    for (size_t s = 0; s < 3; s++)
        for (size_t i = 0; i < 60; i++) {
            mm_eval_item *item = &e.sets[s].items[i];
            item->label = s ? 3 : item->group == 2 ? 1 : item->group;
            item->scores[0] = s == 0 ? 2 + (double)i / 100 : s == 1 && item->group == 1 ? 5 : 0;
            item->outlier = 7;
            item->outlier_cosine = s == 2 && i < 11 ? 0.9 : 0;
            item->label_cosine = 0.5;
        }
    sample_measure(&e, 0);
    char *page = page_of(&e);
    assert_has(page, "<th scope=\"row\">label 2</th><td class=\"n\">15</td><td class=\"n\">0.0</td>"
                     "<td>label 1 (15)</td>");
    assert_has(page,
               "<th scope=\"row\">label 3</th><td class=\"n\">15</td><td class=\"n\">100.0</td>"
               "<td></td>");
    assert_has(page, "<th scope=\"row\">thing 1</th><td>far-1</td><td class=\"n\">15</td><td "
                     "class=\"n\">100.0</td><td>label 3 (15)</td>");
    assert_has(page, "<th scope=\"row\">outlier 3</th><td>far</td><td class=\"n\">11</td><td "
                     "class=\"n\">0</td>");
    assert_has(page, "Of 5 labels 4 never do.");
    free(page);
    sample_free(&e);
}

/* Decodes the thumbnails of a page, in order; returns how many there are. */
static size_t thumbnails(mmood_image **out, size_t most, const char *page) {
    static const char begin[] = "data:image/jpeg;base64,";
    size_t count = 0;
    for (const char *p = page; (p = strstr(p, begin)); count++) {
        mm_buffer jpeg = {0};
        mmood_error error;
        p += sizeof begin - 1;
        assert_true(count < most);
        assert_ok(mm_base64_read(&jpeg, p, strcspn(p, "\""), &error), error);
        assert_true(jpeg.size < 30000);
        for (size_t i = 0; i + 4 <= jpeg.size; i++)
            assert_memory_not_equal(jpeg.data + i, "Exif", 4);
        assert_ok(mmood_image_decode(&out[count], jpeg.data, jpeg.size, NULL, &error), error);
        mm_buffer_free(&jpeg);
    }
    return count;
}

static void assert_size(const mmood_image *image, size_t width, size_t height) {
    assert_int_equal(mmood_image_width(image), width);
    assert_int_equal(mmood_image_height(image), height);
}

/* Every picture is shown as a small upright JPEG, whatever its file's size and format. */
static void test_thumbnails(void **unused) {
    (void)unused;
    static const struct {
        const char *path;
        size_t width;
        size_t height;
    } shown[] = {{"data/image/syn_640x427.png", 256, 171},
                 {"data/image/exif6.jpg", 128, 256},
                 {"data/image/ok.jpg", 256, 171},
                 {"data/image/rgba_hidden.png", 64, 64}};
    enum { SHOWN = sizeof shown / sizeof *shown };
    mm_evaluation e;
    mmood_image *images[SHOWN];
    sample_make(&e, &usual);
    for (size_t i = 0; i < SHOWN; i++) {
        sample_set(&e.sets[0].items[i].path, shown[i].path);
        e.sets[0].items[i].scores[0] = -9 + (double)i;
    }
    char *page = page_of(&e);
    assert_int_equal(thumbnails(images, SHOWN, page), SHOWN);
    for (size_t i = 0; i < SHOWN; i++) {
        assert_size(images[i], shown[i].width, shown[i].height);
        assert_has(page, shown[i].path);
        mmood_image_free(images[i]);
    }
    free(page);
    sample_free(&e);
}

/* A picture that cannot be shown says why. */
static void test_no_thumbnail(void **unused) {
    (void)unused;
    mm_evaluation e;
    sample_make(&e, &usual);
    sample_set(&e.sets[0].items[0].path, "data/image/trunc.png");
    sample_set(&e.sets[0].items[1].path, "eval/test_report_html.c");
    sample_set(&e.sets[0].items[2].path, "no/such.png");
    for (size_t i = 0; i < 3; i++)
        e.sets[0].items[i].scores[0] = -9;
    char *page = page_of(&e);
    assert_null(strstr(page, "data:image/"));
    assert_has(page, "<div class=\"none\">This picture cannot be shown: ");
    assert_has(page,
               "JPEG, PNG, WebP and GIF pictures can be read</div><p class=\"soft\">eval/test_");
    assert_has(page, "truncated");
    assert_has(page, "No such file");
    free(page);
    sample_free(&e);
}

/* ---- What it must stand -------------------------------------------------------------------- */

static void test_hostile_names(void **unused) {
    (void)unused;
    static const char name[] =
        "</title><script>alert('x')</script>\n\"&amp; \xff\xc0\x01\x7f\xed\xa0\x80";
    mm_evaluation e;
    sample_make(&e, &usual);
    mmood_detector *detector = (mmood_detector *)(uintptr_t)e.detector;
    e.title = strdup(name);
    for (size_t i = 0; i < detector->count; i++) {
        sample_set(&detector->labels[i], name);
        sample_set(&detector->sources[i], name);
    }
    sample_set(&detector->templates[0], name);
    sample_set(&detector->model_path, name);
    sample_set(&detector->model_fingerprint, name);
    for (size_t s = 0; s < 3; s++) {
        sample_set(&e.sets[s].name, name);
        sample_set(&e.sets[s].path, name);
        for (size_t i = 0; i < 4; i++)
            sample_set(&e.sets[s].groups[i].name, name);
        for (size_t i = 0; i < 60; i++)
            sample_set(&e.sets[s].items[i].path, name);
        sample_set(&e.sets[s].items[9].error, name);
    }
    e.warnings = calloc(1, sizeof *e.warnings);
    e.published = calloc(1, sizeof *e.published);
    assert_true(e.warnings && e.published);
    e.warning_count = e.published_count = 1;
    e.warnings[0] = strdup(name);
    e.published[0] = (mm_published){strdup(name), strdup(name), 0, 0, strdup(name)};
    char *page = page_of(&e);
    assert_has(page,
               "&lt;script&gt;alert(&#39;x&#39;)&lt;/script&gt; &quot;&amp;amp; \xef\xbf\xbd");
    free(page);
    sample_free(&e);
}

static void test_odd_scores(void **unused) {
    (void)unused;
    static const double odd[][3] = {
        {7, 7, 7},          {0, 0, 0},          {INFINITY, INFINITY, INFINITY},
        {-INFINITY, 1, 2},  {1e308, -1e308, 0}, {INFINITY, -INFINITY, 0},
        {1, 1 + 1e-15, 1},  {5e-324, 0, 0},     {-1e-9, 1e-9, 1e6},
        {123456789, 1e8, 3}};
    mm_evaluation e;
    sample_make(&e, &usual);
    for (size_t k = 0; k < sizeof odd / sizeof *odd; k++) {
        for (size_t s = 0; s < 3; s++)
            for (size_t i = 0; i < 60; i++)
                e.sets[s].items[i].scores[0] = odd[k][(i * (s + 1)) % 3];
        sample_measure(&e, 1);
        check_page(&e);
    }
    e.sets[1].items[0].scores[0] = NAN; /* metrics refuse it; the page leaves it out */
    check_page(&e);
    sample_free(&e);
}

static void test_bare(void **unused) {
    (void)unused;
    const sample_shape bare = {.id_labels = 1, .score_count = 1, .ood_sets = 1, .pictures = 1};
    mm_evaluation e;
    sample_make(&e, &bare);
    char *page = page_of(&e);
    assert_has(page, "The detector has no outlier labels.");
    assert_has(page, "The ID pictures are in no class folders.");
    assert_has(page, "Fewer than 19 ID pictures");
    assert_has(page, "Looks most like &lsquo;label 0&rsquo; (cosine ");
    free(page);
    sample_set(&e.sets[1].items[0].error, "truncated");
    sample_measure(&e, 1);
    check_page(&e);
    sample_set(&e.sets[0].items[0].error, "truncated");
    sample_measure(&e, 1);
    check_page(&e);
    mmood_detector_free((mmood_detector *)(uintptr_t)e.detector);
    e.detector = NULL;
    check_page(&e);
    sample_free(&e);

    const sample_shape none = {.id_labels = 1, .score_count = 1, .ood_sets = 0, .pictures = 0};
    sample_make(&e, &none);
    check_page(&e);
    sample_free(&e);
}

/* More sets than styles of lines, more classes than are shown at once. */
static void test_many(void **unused) {
    (void)unused;
    const sample_shape many = {.id_labels = 30,
                               .outliers = 40,
                               .score_count = 2,
                               .ood_sets = 11,
                               .pictures = 90,
                               .groups = 30};
    mm_evaluation e;
    sample_make(&e, &many);
    char *page = page_of(&e);
    assert_has(page, "<summary>10 more classes</summary>");
    assert_has(page, "mean over 11 OOD sets");
    free(page);
    sample_free(&e);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_page),          cmocka_unit_test(test_classes),
        cmocka_unit_test(test_thumbnails),    cmocka_unit_test(test_no_thumbnail),
        cmocka_unit_test(test_hostile_names), cmocka_unit_test(test_odd_scores),
        cmocka_unit_test(test_bare),          cmocka_unit_test(test_many),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
