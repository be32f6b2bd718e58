/* test_page.c - the page at / in a headless browser: pictures, verdicts, errors, a narrow screen,
 * the keyboard, colours, the camera, a token. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE /* realpath */
#endif
#include "serve/browser.h"
#include "serve/fixture.h"

#include "base/file.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char *program;
static browser *page;
static mm_server *server;
static int port;
static char picture_paths[FIXTURE_PICTURES][PATH_MAX];
static char broken_path[PATH_MAX];

static const char done[] = "document.getElementById('status').textContent.startsWith('Done')";

/* ---- Setup --------------------------------------------------------------------------------- */

static void start_server(const char *token) {
    mm_server_options options = fixture_small_options();
    options.token = token;
    server = fixture_start(&options, &port);
}

static void open_page(void) {
    browser_set_origin(page, mm_server_url(server));
    browser_open(page, mm_server_url(server));
}

static void set_screen(int width, int height, const char *colours) {
    browser_do(page, "Emulation.setDeviceMetricsOverride",
               json_pack("{s:i,s:i,s:i,s:b}", "width", width, "height", height, "deviceScaleFactor",
                         1, "mobile", width < 600));
    browser_do(
        page, "Emulation.setEmulatedMedia",
        json_pack("{s:[{s:s,s:s}]}", "features", "name", "prefers-color-scheme", "value", colours));
}

static int setup(void **state) {
    static const char *const names[] = {"doughnut", "bacon", "bread", "cake", "candy", "cookie"};
    mmood_error error;
    if (fixture_setup(state) != 0)
        return -1;
    for (size_t i = 0; i < FIXTURE_PICTURES; i++) {
        char path[128];
        snprintf(path, sizeof path, "data/drawings/%s.png", names[i]);
        if (!realpath(path, picture_paths[i]))
            return -1;
    }
    snprintf(broken_path, sizeof broken_path, "%s.a-picture-with-a-rather-long-name.png",
             fixture_first_path);
    if (mm_file_write(broken_path, "no picture", 10, &error) != MMOOD_OK)
        return -1;
    start_server(NULL);
    page = browser_start(program);
    set_screen(1400, 900, "light");
    return 0;
}

static int teardown(void **state) {
    browser_end(page);
    mm_server_free(server);
    unlink(broken_path);
    return fixture_teardown(state);
}

/* Chooses files as a visitor does, and waits for their verdicts. */
static void judge(const char *const *paths, size_t count) {
    browser_run(page, "document.getElementById('status').textContent = ''");
    browser_choose(page, "#files", paths, count);
    browser_wait(page, done);
}

/* ---- Tests --------------------------------------------------------------------------------- */

static void test_one(void **state) {
    const char *const one[] = {picture_paths[0]};
    (void)state;
    open_page();
    browser_wait(page, "document.querySelectorAll('#detector option').length === 2");
    judge(one, 1);
    answer a = fixture_post(port, "/v1/detect/first", NULL, fixture_pictures[0], fixture_sizes[0]);
    int is_id = strstr(a.body, "\"verdict\":\"id\"") != NULL;
    answer_free(&a);
    assert_true(browser_is_truef(page,
                                 "document.querySelector('#results .verdict').textContent === '%s'",
                                 is_id ? "✓ in distribution" : "✗ out of distribution"));
    assert_true(browser_is_true(
        page, "document.querySelector('#results .name').textContent === 'doughnut.png'"));
    assert_true(browser_is_true(page, "/^score .*, threshold .*; .* %/.test(document."
                                      "querySelector('#results .note').textContent)"));
    assert_true(browser_is_true(page, "document.querySelectorAll('#results dt').length === 6 && "
                                      "document.querySelectorAll('.bar.outlier').length === 3"));
    assert_true(browser_is_true(page, "document.querySelector('#results img').naturalWidth > 0"));
    /* What all clients sent: this one, and the request of the test. */
    browser_wait(page, "document.getElementById('count').textContent === '2'");
    assert_true(browser_is_true(page, "document.querySelectorAll('#histogram rect').length > 5"));
    browser_screenshot(page, "wide-light");
}

static void test_broken(void **state) {
    const char *const both[] = {broken_path, picture_paths[1]};
    (void)state;
    open_page();
    judge(both, 2);
    assert_true(browser_is_true(page, "document.getElementById('status').textContent.endsWith("
                                      "', 1 could not be judged.')"));
    assert_true(browser_is_true(
        page, "document.querySelector('#results .error').textContent.includes('no picture')"));
    assert_true(browser_is_true(page, "document.querySelectorAll('#results .is-id, #results "
                                      ".is-ood').length > 0"));
}

/* More than are shown, by drop: the last ones are, newest first. */
static void test_many(void **state) {
    const char *many[48];
    (void)state;
    open_page();
    for (size_t i = 0; i < 48; i++)
        many[i] = picture_paths[i % FIXTURE_PICTURES];
    judge(many, 48);
    assert_true(browser_is_true(page, "document.querySelectorAll('#results li').length === 40"));
    assert_true(browser_is_true(
        page, "document.querySelector('#results .name').textContent === 'cookie.png'"));
    assert_true(browser_is_true(
        page, "![...document.querySelectorAll('.verdict')].some(v => v.textContent === '…')"));
    browser_run(page, "document.getElementById('status').textContent = '';"
                      "const data = new DataTransfer();"
                      "data.items.add(new File(['no'], 'dropped.jpg'));"
                      "document.getElementById('drop').dispatchEvent("
                      "new DragEvent('drop', {dataTransfer: data, cancelable: true}))");
    browser_wait(page, done);
    assert_true(browser_is_true(
        page, "document.querySelector('#results .name').textContent === 'dropped.jpg'"));
}

static void assert_fits(int width) {
    json_t *wide = browser_value(page, "document.documentElement.scrollWidth");
    if (json_integer_value(wide) > width)
        fail_msg("%d pixels: the page is %d wide", width, (int)json_integer_value(wide));
    json_decref(wide);
}

/* No line of the page is wider than the screen, and all text is readable. */
static void test_screens(void **state) {
    static const int widths[] = {320, 350, 768, 1400};
    static const char contrast[] =
        "(() => {"
        "const parts = c => c.match(/[\\d.]+/g).map(Number);"
        "const light = c => { const [r, g, b] = parts(c).map(v => (v /= 255) <= .04045 ? v / 12.92 "
        ": ((v + .055) / 1.055) ** 2.4); return .2126 * r + .7152 * g + .0722 * b; };"
        "const behind = e => { for (; e; e = e.parentElement) {"
        " const c = getComputedStyle(e).backgroundColor; if ((parts(c)[3] ?? 1) > 0) return c; }"
        " return 'rgb(255,255,255)'; };"
        "return [...document.querySelectorAll('h1,p,dt,dd,label,button,select,span')]"
        ".filter(e => e.textContent.trim() && e.offsetParent && !e.matches('.hidden')).map(e => {"
        " const a = light(getComputedStyle(e).color), b = light(behind(e));"
        " return [(Math.max(a, b) + .05) / (Math.min(a, b) + .05), e.outerHTML]; })"
        ".filter(x => x[0] < 4.5).map(x => x.join(' ')).join('\\n'); })()";
    const char *const some[] = {picture_paths[0], picture_paths[2], broken_path};
    (void)state;
    open_page();
    judge(some, 3);
    for (size_t i = 0; i < 8; i++) {
        char name[32];
        const char *colours = i % 2 ? "dark" : "light";
        set_screen(widths[i / 2], 900, colours);
        assert_fits(widths[i / 2]);
        json_t *pale = browser_value(page, contrast);
        if (json_string_length(pale) > 0)
            fail_msg("%s: too pale:\n%s", colours, json_string_value(pale));
        json_decref(pale);
        snprintf(name, sizeof name, "verdicts-%d-%s", widths[i / 2], colours);
        browser_screenshot(page, name);
    }
    assert_true(browser_is_true(
        page, "getComputedStyle(document.body).backgroundColor !== 'rgb(246, 246, 244)'"));
    set_screen(1400, 900, "light");
    assert_true(browser_is_true(
        page, "getComputedStyle(document.body).backgroundColor === 'rgb(246, 246, 244)'"));
}

/* Every control by Tab, with a ring around it; Enter opens the choice of files. */
static void test_keyboard(void **state) {
    static const char *const order[] = {"detector", "choose", "camera"};
    (void)state;
    open_page();
    browser_do(page, "Page.setInterceptFileChooserDialog", json_pack("{s:b}", "enabled", 1));
    for (size_t i = 0; i < 3; i++) {
        browser_press(page, "Tab");
        if (!browser_is_truef(page, "document.activeElement.id === '%s'", order[i]))
            fail_msg("Tab %zu does not reach #%s", i + 1, order[i]);
        assert_true(browser_is_true(
            page, "getComputedStyle(document.activeElement).outlineStyle === 'solid'"));
        if (i == 1) {
            browser_events(page, "Page.fileChooserOpened");
            browser_press(page, "Enter");
            int opened = 0;
            for (int k = 0; k < 100 && !opened; k++) {
                browser_is_true(page, "new Promise(r => setTimeout(r, 20))");
                opened = browser_events(page, "Page.fileChooserOpened");
            }
            assert_int_equal(opened, 1);
        }
    }
    browser_do(page, "Page.setInterceptFileChooserDialog", json_pack("{s:b}", "enabled", 0));
}

/* What screen readers say: every control and picture of meaning has a name. Counts them. */
static void check_names(int *controls, int *images) {
    json_t *tree = browser_call(page, "Accessibility.getFullAXTree", NULL);
    json_t *nodes = json_object_get(tree, "nodes");
    *controls = *images = 0;
    for (size_t i = 0; i < json_array_size(nodes); i++) {
        json_t *node = json_array_get(nodes, i);
        const char *role =
            json_string_value(json_object_get(json_object_get(node, "role"), "value"));
        const char *name =
            json_string_value(json_object_get(json_object_get(node, "name"), "value"));
        if (!role || json_is_true(json_object_get(node, "ignored")))
            continue;
        int is_control = strcmp(role, "button") == 0 || strcmp(role, "combobox") == 0;
        int is_image = strcmp(role, "image") == 0 || strcmp(role, "img") == 0;
        *controls += is_control;
        *images += is_image;
        if ((is_control || is_image) && (!name || !name[0]))
            fail_msg("a %s has no name", role);
    }
    json_decref(tree);
}

/* The histogram comes with the next look at recent traffic, and the browser's tree of names some
 * time after what is shown. */
static void test_names(void **state) {
    const char *const one[] = {picture_paths[3]};
    int controls = 0, images = 0;
    (void)state;
    open_page();
    judge(one, 1);
    for (int i = 0; i < 200 && (controls < 3 || images < 2); i++) {
        browser_is_true(page, "new Promise(r => setTimeout(r, 50))");
        check_names(&controls, &images);
    }
    assert_true(controls >= 3 && images >= 2); /* the scale and the histogram */
}

static void test_camera(void **state) {
    (void)state;
    open_page();
    browser_wait(page, "document.getElementById('detector').value === 'first'");
    browser_run(page, "document.getElementById('camera').click()");
    browser_wait(page, "!document.getElementById('snap').hidden && "
                       "document.getElementById('video').videoWidth > 0");
    browser_run(page, "document.getElementById('snap').click()");
    browser_wait(page, done);
    assert_true(browser_is_true(page, "document.querySelector('#results .name').textContent"
                                      ".startsWith('camera ')"));
    assert_true(browser_is_true(page, "document.querySelector('#results .error') === null"));
    browser_screenshot(page, "camera");
    browser_run(page, "document.getElementById('camera').click()");
    browser_wait(page, "document.getElementById('video').hidden && "
                       "document.getElementById('camera').textContent === 'Use the camera'");
}

static void test_token(void **state) {
    const char *const one[] = {picture_paths[0]};
    (void)state;
    mm_server_free(server);
    start_server("secret");
    open_page();
    browser_wait(page, "!document.getElementById('token-row').hidden");
    set_screen(320, 900, "light");
    assert_fits(320);
    browser_screenshot(page, "token");
    set_screen(1400, 900, "light");
    browser_run(page, "const field = document.getElementById('token'); field.value = 'secret';"
                      "field.dispatchEvent(new Event('change'))");
    browser_wait(page, "document.querySelectorAll('#detector option').length === 2");
    judge(one, 1);
    assert_true(browser_is_true(page, "document.querySelector('#results .error') === null"));
}

/* Nothing was asked of anybody else, and no script failed. */
static void test_no_complaints(void **state) {
    (void)state;
    if (browser_complaints(page))
        fail_msg("%s", browser_complaints(page));
}

int main(void) {
    program = browser_program();
    if (!program) {
        puts("skipped: there is no Chromium here; tools/install_packages.sh check installs one");
        return 77;
    }
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_one),           cmocka_unit_test(test_broken),
        cmocka_unit_test(test_many),          cmocka_unit_test(test_screens),
        cmocka_unit_test(test_keyboard),      cmocka_unit_test(test_names),
        cmocka_unit_test(test_camera),        cmocka_unit_test(test_token),
        cmocka_unit_test(test_no_complaints),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
