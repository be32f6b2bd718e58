/* test_preprocess.c - preprocessor_config.json in its variants, what is refused, and sizes at the
 * edges. */
#include "test.h"

#include "base/file.h"
#include "image/preprocess_config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

static mmood_preprocess parse(const char *text) {
    mmood_preprocess out;
    mmood_error error;
    mmood_status status = mm_preprocess_parse(&out, text, strlen(text), &error);
    if (status != MMOOD_OK)
        fail_msg("%s: %s", text, error.message);
    return out;
}

static void test_variants(void **unused) {
    (void)unused;
    mmood_preprocess p = parse("{}");
    assert_int_equal(p.shortest_edge, 224);
    assert_int_equal(p.crop_width, 224);
    assert_int_equal(p.filter, MMOOD_FILTER_BICUBIC);
    assert_true(p.mean[0] == 0.48145466f && p.std[2] == 0.27577711f);
    p = parse("{\"size\":336,\"crop_size\":336}");
    assert_int_equal(p.shortest_edge, 336);
    assert_int_equal(p.crop_height, 336);
    p = parse("{\"size\":{\"shortest_edge\":64},\"crop_size\":{\"height\":48,\"width\":32},"
              "\"resample\":2}");
    assert_int_equal(p.shortest_edge, 64);
    assert_int_equal(p.crop_height, 48);
    assert_int_equal(p.crop_width, 32);
    assert_int_equal(p.filter, MMOOD_FILTER_BILINEAR);
    p = parse("{\"size\":{\"height\":20,\"width\":30},\"do_center_crop\":false}");
    assert_int_equal(p.shortest_edge, 0);
    assert_int_equal(p.resize_width, 30);
    assert_int_equal(p.crop_width, 30);
    assert_int_equal(p.crop_height, 20);
    p = parse("{\"size\":224,\"resize_mode\":\"squash\"}");
    assert_int_equal(p.shortest_edge, 0);
    assert_int_equal(p.resize_height, 224);
    p = parse("{\"size\":{\"height\":20,\"width\":30},\"resize_mode\":\"squash\"}");
    assert_int_equal(p.shortest_edge, 0);
    assert_int_equal(p.resize_width, 30);
    p = parse("{\"size\":{\"height\":96,\"width\":96},\"resize_mode\":\"shortest\"}");
    assert_int_equal(p.shortest_edge, 96);
    p = parse("{\"image_processor_type\":\"CLIPImageProcessorFast\",\"do_pad\":false}");
    assert_int_equal(p.shortest_edge, 224);
    p = parse("{\"image_mean\":0.5,\"image_std\":[0.5,0.25,1],\"rescale_factor\":0.5,\"do_resize\":"
              "false}");
    assert_true(p.mean[1] == 0.5f && p.std[1] == 0.25f && p.rescale_factor == 0.5f && !p.resize);
    p = parse("{\"do_rescale\":false,\"do_normalize\":false}");
    assert_true(p.rescale_factor == 0 && p.mean[0] == 0 && p.std[0] == 1);
}

static void test_refused(void **unused) {
    (void)unused;
    static const struct {
        const char *text, *says;
    } cases[] = {
        {"{\"resample\":1}", "resample is 1; 2 (bilinear) and 3 (bicubic)"},
        {"{\"resample\":\"cubic\"}", "resample is \"cubic\""},
        {"{\"size\":{\"longest_edge\":224}}", "size is {\"longest_edge\":224}"},
        {"{\"size\":[224,224]}", "size is [224,224]"},
        {"{\"size\":0}", "size is 0; a whole number from 1"},
        {"{\"size\":\"big\"}", "size is \"big\""},
        {"{\"size\":100000000}", "size is 100000000"},
        {"{\"size\":{\"shortest_edge\":2.5}}", "size.shortest_edge is 2.5"},
        {"{\"crop_size\":-1}", "crop_size is -1"},
        {"{\"crop_size\":{\"height\":3}}", "crop_size: width is nothing"},
        {"{\"image_std\":[1,0,1]}", "image_std is [1,0,1]; three numbers"},
        {"{\"image_mean\":[1,2]}", "image_mean is [1,2]"},
        {"{\"image_mean\":"
         "\"0123456789012345678901234567890123456789012345678901234567890123456789\"}",
         "image_mean is \"01234567890123456789012345678901234567890123456789012345678...; three"},
        {"{\"do_resize\":1}", "do_resize is 1; true or false"},
        {"{\"do_pad\":true}", "do_pad is true"},
        {"{\"rescale_factor\":0}", "rescale_factor is 0"},
        {"{\"resize_mode\":\"longest\"}", "resize_mode is \"longest\""},
        {"{\"size\":{\"height\":20,\"width\":30},\"resize_mode\":\"shortest\"}", "must be equal"},
        {"{\"image_processor_type\":\"ViTImageProcessor\"}", "ViTImageProcessor"},
        {"[1]", "object"},
        {"{", "JSON"},
        {"", "empty"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        mmood_preprocess out;
        mmood_error error;
        if (mm_preprocess_parse(&out, cases[i].text, strlen(cases[i].text), &error) == MMOOD_OK)
            fail_msg("%s was accepted", cases[i].text);
        if (!strstr(error.message, cases[i].says))
            fail_msg("%s: \"%s\" lacks \"%s\"", cases[i].text, error.message, cases[i].says);
    }
}

static void write_text(const char *path, const char *text) {
    mmood_error error;
    assert_ok(mm_file_write(path, text, strlen(text), &error), error);
}

/* From a directory: neither file, transformers 4's, and transformers 5's, which wins. */
static void test_files(void **unused) {
    (void)unused;
    char folder[] = "preprocess-XXXXXX", legacy[64], nested[64];
    const char *source;
    mmood_preprocess p;
    mmood_error error;
    assert_non_null(mkdtemp(folder));
    snprintf(legacy, sizeof legacy, "%s/preprocessor_config.json", folder);
    snprintf(nested, sizeof nested, "%s/processor_config.json", folder);
    assert_ok(mm_preprocess_load(&p, &source, folder, 96, &error), error);
    assert_int_equal(p.shortest_edge, 96);
    assert_string_equal(source, "");
    assert_int_equal(p.crop_height, 96);
    write_text(nested, "{\"processor_class\":\"CLIPProcessor\"}");
    write_text(legacy, "{\"size\":64,\"crop_size\":48}");
    assert_ok(mm_preprocess_load(&p, &source, folder, 96, &error), error);
    assert_int_equal(p.shortest_edge, 64);
    assert_string_equal(source, "preprocessor_config.json");
    write_text(nested, "{\"image_processor\":{\"size\":{\"shortest_edge\":32},\"crop_size\":32,"
                       "\"image_mean\":[0.5,0.5,0.5]}}");
    assert_ok(mm_preprocess_load(&p, &source, folder, 96, &error), error);
    assert_int_equal(p.shortest_edge, 32);
    assert_true(p.mean[0] == 0.5f);
    remove(legacy);
    assert_ok(mm_preprocess_load(&p, &source, folder, 96, &error), error);
    assert_int_equal(p.crop_width, 32);
    assert_string_equal(source, "processor_config.json");
    write_text(nested, "{\"image_processor\":{\"resample\":0}}");
    assert_int_equal(mm_preprocess_load(&p, &source, folder, 96, &error), MMOOD_ERROR_UNSUPPORTED);
    assert_non_null(strstr(error.message, "processor_config.json: resample is 0"));
    remove(nested);
    rmdir(folder);
}

/* The same oblong picture under four configurations: as each says. */
static void test_configurations_differ(void **unused) {
    (void)unused;
    static const char *const texts[] = {"{\"size\":64,\"crop_size\":64}",
                                        "{\"size\":64,\"crop_size\":64,\"resample\":2}",
                                        "{\"size\":{\"height\":64,\"width\":64},\"crop_size\":64}",
                                        "{\"size\":{\"shortest_edge\":80},\"crop_size\":64}"};
    uint8_t out[4][64 * 64 * 3];
    mmood_image *image;
    mmood_error error;
    assert_ok(mmood_image_load(&image, "data/image/syn_640x427.png", NULL, &error), error);
    for (int i = 0; i < 4; i++) {
        mmood_preprocess p = parse(texts[i]);
        assert_ok(mmood_image_preprocess(out[i], sizeof out[i], image, &p, &error), error);
        for (int j = 0; j < i; j++)
            assert_memory_not_equal(out[i], out[j], sizeof out[i]);
    }
    mmood_image_free(image);
}

static void test_wrong_calls(void **unused) {
    (void)unused;
    static const uint8_t rgb[3 * 2 * 3];
    uint8_t out[4 * 4 * 3];
    mmood_image *image;
    mmood_error error;
    assert_ok(mmood_image_from_rgb(&image, rgb, 3, 2, &error), error);
    mmood_preprocess p = parse("{\"size\":4,\"crop_size\":4}");
    assert_ok(mmood_image_preprocess(out, sizeof out, image, &p, &error), error);
    assert_int_equal(mmood_image_preprocess(out, 10, image, &p, &error), MMOOD_ERROR_ARGUMENT);
    p.center_crop = 0; /* 6 x 4 pixels are left */
    assert_int_equal(mmood_image_preprocess(out, sizeof out, image, &p, &error),
                     MMOOD_ERROR_MISMATCH);
    assert_non_null(strstr(error.message, "6 x 4"));
    p.crop_width = 0;
    assert_int_equal(mmood_image_preprocess(out, 0, image, &p, &error), MMOOD_ERROR_ARGUMENT);
    mmood_image_free(image);
}

/* A strip a hundred thousand pixels long: only what the crop needs is computed. */
static void test_extreme_strip(void **unused) {
    (void)unused;
    size_t length = 100000;
    uint8_t *rgb = calloc(length, 3);
    uint8_t out[32 * 32 * 3];
    mmood_error error;
    for (int tall = 0; tall < 2; tall++) {
        mmood_image *image;
        memset(rgb, 77, length * 3);
        assert_ok(mmood_image_from_rgb(&image, rgb, tall ? 1 : length, tall ? length : 1, &error),
                  error);
        mmood_preprocess p = parse("{\"size\":32,\"crop_size\":32}");
        assert_ok(mmood_image_preprocess(out, sizeof out, image, &p, &error), error);
        for (size_t i = 0; i < sizeof out; i++)
            assert_int_equal(out[i], 77);
        mmood_image_free(image);
    }
    free(rgb);
}

/* A strip squeezed to a square: nothing of the picture's height and the square's width is kept,
 * which would be 134 MB here. */
static void test_squashed_strip(void **unused) {
    (void)unused;
    size_t length = 200000;
    uint8_t *rgb = malloc(length * 3), *out = malloc(224 * 224 * 3);
    struct rusage before, after;
    mmood_image *image;
    mmood_error error;
    memset(rgb, 77, length * 3);
    assert_ok(mmood_image_from_rgb(&image, rgb, 1, length, &error), error);
    mmood_preprocess p = parse("{\"size\":{\"height\":224,\"width\":224}}");
    getrusage(RUSAGE_SELF, &before);
    assert_ok(mmood_image_preprocess(out, 224 * 224 * 3, image, &p, &error), error);
    getrusage(RUSAGE_SELF, &after);
    assert_true(after.ru_maxrss - before.ru_maxrss < 60 << 10); /* KiB */
    for (size_t i = 0; i < 224 * 224 * 3; i++)
        assert_int_equal(out[i], 77);
    mmood_image_free(image);
    free(out);
    free(rgb);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_variants),       cmocka_unit_test(test_refused),
        cmocka_unit_test(test_files),          cmocka_unit_test(test_configurations_differ),
        cmocka_unit_test(test_wrong_calls),    cmocka_unit_test(test_extreme_strip),
        cmocka_unit_test(test_squashed_strip),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
