/* test_imagegen.c - pictures from endpoints of both kinds: forms of base64, blank pictures, links,
 * refused parameters. */
#include "test.h"

#include "base/buffer.h"
#include "base/file.h"
#include "base/text.h"
#include "envision/fake_endpoint.h"
#include "envision/imagegen.h"
#include "envision/imagegen_reply.h"
#include "image/encode_jpeg.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define KEY "sk-very-secret-0123"

static uint8_t *png;
static size_t png_size;
static mm_buffer black; /* a JPEG */

static int read_files(void **unused) {
    (void)unused;
    mmood_image *image;
    mmood_error error;
    static uint8_t pixels[64 * 64 * 3];
    assert_ok(mm_file_read(&png, &png_size, "data/image/syn_640x427.png", 1 << 20, &error), error);
    assert_ok(mmood_image_from_rgb(&image, pixels, 64, 64, &error), error);
    assert_ok(mm_encode_jpeg(&black, image, 60, &error), error);
    mmood_image_free(image);
    return 0;
}

static int free_files(void **unused) {
    (void)unused;
    free(png);
    mm_buffer_free(&black);
    return 0;
}

/* What an endpoint is like. */
typedef struct manner {
    int sdapi;            /* has sdapi/v1/txt2img */
    int openai;           /* has v1/images/generations */
    const char *prefix;   /* before the base64 */
    int url_safe;         /* '-' and '_', no padding */
    int blank;            /* so many black pictures first */
    const char *unwanted; /* a member that it does not know */
    const char *link;     /* instead of base64; "" for its own */
} manner;

static void send_picture(int socket, const manner *m, const fake_request *request, int port) {
    mm_buffer body = {0}, text = {0};
    int is_black = request->number <= m->blank;
    mm_base64(&text, is_black ? (void *)black.data : png, is_black ? black.size : png_size);
    for (size_t i = 0; m->url_safe && i < text.size; i++) {
        char *c = &text.data[i];
        *c = *c == '+' ? '-' : *c == '/' ? '_' : *c == '=' ? '\n' : *c;
    }
    for (char *c = text.data; (c = strchr(c, '\n'));)
        *c = ' ';
    if (m->link && *m->link)
        mm_buffer_printf(&body, "{\"created\":0,\"data\":[{\"url\":\"%s\"}]}", m->link);
    else if (m->link)
        mm_buffer_printf(
            &body, "{\"created\":0,\"data\":[{\"url\":\"http://127.0.0.1:%d/img.png\"}]}", port);
    else if (strstr(request->path, "txt2img"))
        mm_buffer_printf(&body, "{\"images\":[\"%s%s\"],\"info\":\"{}\"}",
                         m->prefix ? m->prefix : "", text.data);
    else
        mm_buffer_printf(&body, "{\"created\":0,\"data\":[{\"b64_json\":\"%s%s\"}]}",
                         m->prefix ? m->prefix : "", text.data);
    fake_answer(socket, 200, "application/json", "", body.data, body.size);
    mm_buffer_free(&body);
    mm_buffer_free(&text);
}

static void generate(fake *server, int socket, const fake_request *request) {
    const manner *m = fake_context(server);
    char said[128];
    if (strcmp(request->path, "/img.png") == 0)
        fake_answer(socket, 200, "image/png", "", png, png_size);
    else if (!(m->sdapi && strcmp(request->path, "/sdapi/v1/txt2img") == 0) &&
             !(m->openai && strcmp(request->path, "/v1/images/generations") == 0))
        fake_json(socket, 404, "{\"detail\":\"Not Found\"}");
    else if (m->unwanted && strstr(request->body, m->unwanted)) {
        snprintf(said, sizeof said, "{\"error\":{\"message\":\"Unknown parameter: '%s'\"}}",
                 m->unwanted);
        fake_json(socket, 400, said);
    } else
        send_picture(socket, m, request, fake_port(server));
}

static mm_imagegen *connect_to(const char *url, mm_exchanges *cache) {
    mm_imagegen_options options = mm_imagegen_options_default();
    mmood_error error;
    mm_imagegen *endpoint;
    options.url = url;
    options.model = "sd";
    options.more_seeds = 2;
    options.http.timeout = 5;
    options.http.backoff = 0.01;
    options.http.key_variable = "MMOOD_TEST_KEY";
    options.cache = cache;
    assert_ok(mm_imagegen_create(&endpoint, &options, &error), error);
    return endpoint;
}

/* Asks for two pictures; the number of requests. */
static int ask(const manner *m, const char *path, mmood_status *status, mm_generated *first,
               mmood_error *error) {
    fake *server = fake_start(generate, m);
    mm_imagegen *endpoint = connect_to(fake_url(server, path), NULL);
    mm_generated second;
    *status = mm_imagegen_make(first, endpoint, "a photo of an owl", 7, error);
    if (*status == MMOOD_OK) {
        *status = mm_imagegen_make(&second, endpoint, "a photo of a fox", 8, error);
        if (*status == MMOOD_OK)
            assert_string_equal(second.hash, first->hash);
        mm_generated_free(&second);
    }
    for (int i = 0; i < fake_count(server); i++)
        if (strstr(fake_get(server, i)->path, ".png"))
            assert_null(strstr(fake_get(server, i)->headers, KEY));
        else
            assert_non_null(strstr(fake_get(server, i)->headers, KEY));
    int count = fake_count(server);
    mm_imagegen_free(endpoint);
    fake_stop(server);
    return count;
}

static void test_kinds(void **unused) {
    (void)unused;
    static const struct {
        manner m;
        const char *path;
        int count;
    } cases[] = {
        {{.sdapi = 1}, "", 2},
        {{.sdapi = 1}, "/", 2},
        {{.sdapi = 1}, "/sdapi/v1/txt2img", 2},
        {{.sdapi = 1, .openai = 1}, "/v1", 2},
        {{.openai = 1}, "/v1/images/generations", 2},
        {{.openai = 1}, "", 3}, /* once at the other place */
        {{.sdapi = 1, .prefix = "data:image/png;base64,"}, "", 2},
        {{.sdapi = 1, .url_safe = 1}, "", 2},
        {{.openai = 1, .url_safe = 1, .prefix = "data:image/png;base64,"}, "/v1", 2},
        {{.openai = 1, .unwanted = "response_format"}, "/v1", 3},
        {{.openai = 1, .unwanted = "seed"}, "/v1", 3},
        {{.openai = 1, .unwanted = "size"}, "/v1", 3},
        {{.openai = 1, .link = ""}, "/v1", 4},
        {{.openai = 1, .link = "/img.png"}, "/v1", 4},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        mmood_status status;
        mmood_error error;
        mm_generated made;
        int count = ask(&cases[i].m, cases[i].path, &status, &made, &error);
        assert_ok(status, error);
        if (count != cases[i].count)
            fail_msg("case %zu: %d requests", i, count);
        assert_int_equal(made.size, png_size);
        assert_memory_equal(made.data, png, png_size);
        assert_string_equal(made.type, "png");
        assert_int_equal(made.width, 640);
        assert_int_equal(made.height, 427);
        assert_int_equal(made.seed, 7);
        assert_int_equal(made.blank, 0);
        mm_generated_free(&made);
    }
}

static void test_bodies(void **unused) {
    (void)unused;
    manner m = {.sdapi = 1, .openai = 1};
    fake *server = fake_start(generate, &m);
    for (int i = 0; i < 2; i++) {
        mm_imagegen *endpoint = connect_to(fake_url(server, i ? "/v1" : "/sdapi"), NULL);
        mm_generated made;
        mmood_error error;
        assert_ok(mm_imagegen_make(&made, endpoint, "an \"owl\"", 4294967295, &error), error);
        mm_generated_free(&made);
        assert_int_equal(mm_imagegen_make(&made, endpoint, "x", -1, NULL), MMOOD_ERROR_ARGUMENT);
        assert_int_equal(mm_imagegen_make(&made, endpoint, "\xff", 1, NULL), MMOOD_ERROR_FORMAT);
        mm_imagegen_free(endpoint);
    }
    assert_string_equal(fake_get(server, 0)->body,
                        "{\"prompt\":\"an \\\"owl\\\"\",\"width\":512,\"height\":512,\"steps\":30,"
                        "\"cfg_scale\":7.5,\"seed\":4294967295,\"batch_size\":1,\"n_iter\":1,"
                        "\"override_settings\":{\"sd_model_checkpoint\":\"sd\"}}");
    assert_string_equal(
        fake_get(server, 1)->body,
        "{\"prompt\":\"an \\\"owl\\\"\",\"n\":1,\"model\":\"sd\",\"size\":\"512x512\","
        "\"seed\":4294967295,\"response_format\":\"b64_json\"}");
    fake_stop(server);
}

static void test_blank(void **unused) {
    (void)unused;
    mmood_error error;
    mm_generated made;
    for (int blank = 1; blank <= 3; blank++) {
        manner m = {.sdapi = 1, .blank = blank};
        fake *server = fake_start(generate, &m);
        mm_imagegen *endpoint = connect_to(fake_url(server, ""), NULL);
        mmood_status status = mm_imagegen_make(&made, endpoint, "an owl", 5, &error);
        assert_int_equal(fake_count(server), blank < 3 ? blank + 1 : 3);
        assert_non_null(strstr(fake_get(server, 0)->body, "\"seed\":5,"));
        assert_non_null(strstr(fake_get(server, 1)->body, "\"seed\":1000008,"));
        if (blank < 3) {
            assert_ok(status, error);
            assert_int_equal(made.blank, blank);
            assert_int_equal(made.seed, 5 + blank * 1000003);
        } else {
            assert_int_equal(status, MMOOD_ERROR_NUMERIC);
            assert_non_null(strstr(error.message, "all 3 pictures were of one colour"));
            assert_null(made.data);
        }
        mm_generated_free(&made);
        mm_imagegen_free(endpoint);
        fake_stop(server);
    }
}

static void test_links(void **unused) {
    (void)unused;
    static const char *const bad[][2] = {{"file:///etc/hostname", "not an http"},
                                         {"ftp://127.0.0.1/x.png", "not an http"},
                                         {"/nowhere.png", "404"},
                                         {"http://127.0.0.1:1/x.png", "no connection"}};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        manner m = {.openai = 1, .link = bad[i][0]};
        mmood_status status;
        mmood_error error;
        mm_generated made;
        ask(&m, "/v1", &status, &made, &error);
        assert_int_not_equal(status, MMOOD_OK);
        if (!strstr(error.message, bad[i][1]))
            fail_msg("%s: %s", bad[i][0], error.message);
    }
}

static void test_bad_replies(void **unused) {
    (void)unused;
    static const struct {
        const char *body;
        mmood_status status;
        const char *says;
    } cases[] = {
        {"", MMOOD_ERROR_FORMAT, "empty"},
        {"<html>", MMOOD_ERROR_FORMAT, "HTML"},
        {"[]", MMOOD_ERROR_FORMAT, "no picture"},
        {"{}", MMOOD_ERROR_FORMAT, "no picture"},
        {"{\"images\":[]}", MMOOD_ERROR_FORMAT, "no picture"},
        {"{\"images\":[null]}", MMOOD_ERROR_FORMAT, "no picture"},
        {"{\"data\":[{}]}", MMOOD_ERROR_FORMAT, "no picture"},
        {"{\"images\":[\"\"]}", MMOOD_ERROR_FORMAT, "empty"},
        {"{\"images\":[\"a*b\"]}", MMOOD_ERROR_FORMAT, "0x2a"},
        {"{\"error\":{\"message\":\"out of memory\"}}", MMOOD_ERROR_IO, "out of memory"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        mm_buffer picture;
        char *link;
        json_t *rest;
        mmood_error error;
        mmood_status status = mm_imagegen_reply_parse(&picture, &link, &rest, cases[i].body,
                                                      strlen(cases[i].body), &error);
        assert_int_equal(status, cases[i].status);
        assert_null(link);
        assert_null(rest);
        assert_null(picture.data);
        if (!strstr(error.message, cases[i].says))
            fail_msg("case %zu: %s", i, error.message);
    }
    mm_picture_facts facts;
    mmood_error error;
    assert_int_equal(mm_picture_examine(&facts, "<svg/>", 6, &error), MMOOD_ERROR_UNSUPPORTED);
    assert_int_equal(mm_picture_examine(&facts, png, png_size / 2, &error), MMOOD_ERROR_FORMAT);
    assert_non_null(strstr(error.message, "the generated picture"));
    assert_ok(mm_picture_examine(&facts, black.data, black.size, &error), error);
    assert_true(facts.blank);
    assert_string_equal(facts.type, "jpg");
    assert_ok(mm_picture_examine(&facts, png, png_size, &error), error);
    assert_false(facts.blank);
}

static void test_options(void **unused) {
    (void)unused;
    mm_imagegen *endpoint;
    mm_imagegen_options good = mm_imagegen_options_default(), bad;
    good.url = "http://localhost";
    bad = good, bad.width = 8;
    assert_int_equal(mm_imagegen_create(&endpoint, &bad, NULL), MMOOD_ERROR_ARGUMENT);
    bad = good, bad.steps = 0;
    assert_int_equal(mm_imagegen_create(&endpoint, &bad, NULL), MMOOD_ERROR_ARGUMENT);
    bad = good, bad.url = NULL;
    assert_int_equal(mm_imagegen_create(&endpoint, &bad, NULL), MMOOD_ERROR_ARGUMENT);
    bad = good, bad.model = "\xff";
    assert_int_equal(mm_imagegen_create(&endpoint, &bad, NULL), MMOOD_ERROR_ARGUMENT);
    assert_null(endpoint);
}

int main(void) {
    setenv("MMOOD_TEST_KEY", KEY, 1);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_kinds),       cmocka_unit_test(test_bodies),
        cmocka_unit_test(test_blank),       cmocka_unit_test(test_links),
        cmocka_unit_test(test_bad_replies), cmocka_unit_test(test_options),
    };
    return cmocka_run_group_tests(tests, read_files, free_files);
}
