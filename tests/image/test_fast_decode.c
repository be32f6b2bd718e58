/* test_fast_decode.c - JPEGs decoded at reduced size: how far, that what is cut out of them is
 * Pillow's (data/image/reduced.safetensors, tools/make_golden_reduced.py), and that everything else
 * stays as it is. */
#include "test.h"

#include "base/file.h"
#include "clip/safetensors.h"
#include "image/image.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { WIDTH = 203, HEIGHT = 151 }; /* of reduced_*.jpg */

static mmood_preprocess to_edge(int edge, int crop) {
    return (mmood_preprocess){.resize = 1,
                              .shortest_edge = edge,
                              .filter = MMOOD_FILTER_BICUBIC,
                              .center_crop = 1,
                              .crop_width = crop,
                              .crop_height = crop};
}

static mmood_status load(mmood_image **out, const char *name, const mmood_preprocess *preprocess,
                         int fast, mmood_error *error) {
    char path[256];
    mmood_image_options options = mmood_image_options_default();
    options.fast_decode = fast;
    snprintf(path, sizeof path, "data/image/%s", name);
    return mmood_image_load_for(out, path, preprocess, &options, error);
}

static void check_golden(const mm_tensor *tensor, const char *name, size_t shrink,
                         const mmood_preprocess *preprocess) {
    size_t size = (size_t)preprocess->crop_width * (size_t)preprocess->crop_height * 3;
    uint8_t *out = malloc(size);
    mmood_image *image;
    mmood_error error;
    assert_int_equal(tensor->elements, size);
    assert_ok(load(&image, name, preprocess, 1, &error), error);
    size_t width = (WIDTH + shrink - 1) / shrink, height = (HEIGHT + shrink - 1) / shrink;
    int turned = strstr(name, "exif6") != NULL;
    assert_int_equal(mmood_image_width(image), turned ? height : width);
    assert_int_equal(mmood_image_height(image), turned ? width : height);
    assert_ok(mmood_image_preprocess(out, size, image, preprocess, &error), error);
    for (size_t i = 0; i < size; i++)
        if (abs(out[i] - tensor->data[i]) > 1)
            fail_msg("%s: byte %zu is %d, expected %d", tensor->name, i, out[i], tensor->data[i]);
    mmood_image_free(image);
    free(out);
}

static void test_golden(void **unused) {
    (void)unused;
    mm_safetensors *golden;
    mmood_error error;
    assert_ok(mm_safetensors_open(&golden, "data/image/reduced.safetensors", &error), error);
    assert_int_equal(mm_safetensors_count(golden), 42);
    for (size_t i = 0; i < mm_safetensors_count(golden); i++) {
        const mm_tensor *tensor = mm_safetensors_at(golden, i);
        char name[128];
        int edge, crop;
        size_t shrink;
        assert_int_equal(sscanf(tensor->name, "%127[^|]|%zu|%d|%d", name, &shrink, &edge, &crop),
                         4);
        mmood_preprocess preprocess = to_edge(edge, crop);
        check_golden(tensor, name, shrink, &preprocess);
    }
    mm_safetensors_free(golden);
}

static size_t width_for(const char *name, const mmood_preprocess *preprocess) {
    mmood_image *image;
    mmood_error error;
    assert_ok(load(&image, name, preprocess, 1, &error), error);
    size_t width = mmood_image_width(image);
    mmood_image_free(image);
    return width;
}

/* Squeezed to a size, what counts is its longer side; not resized, nothing may be lost. */
static void test_other_preprocessing(void **unused) {
    (void)unused;
    mmood_preprocess p = {.resize = 1,
                          .resize_width = 9,
                          .resize_height = 4,
                          .filter = MMOOD_FILTER_BICUBIC,
                          .crop_width = 9,
                          .crop_height = 4};
    assert_int_equal(width_for("reduced_420.jpg", &p), (WIDTH + 7) / 8);
    p.resize_height = p.crop_height = 10;
    assert_int_equal(width_for("reduced_420.jpg", &p), (WIDTH + 3) / 4);
    p.resize = 0;
    assert_int_equal(width_for("reduced_420.jpg", &p), WIDTH);
    p = to_edge(1 << 30, 8); /* twice of which is more than an int holds */
    assert_int_equal(width_for("reduced_420.jpg", &p), WIDTH);
}

/* A reduced picture squeezed to a size covers the same as the whole one: no edge is left out. */
static void test_edges(void **unused) {
    (void)unused;
    mmood_preprocess p = {.resize = 1,
                          .resize_width = 9,
                          .resize_height = 9,
                          .filter = MMOOD_FILTER_BICUBIC,
                          .crop_width = 9,
                          .crop_height = 9};
    static const char *const names[] = {"reduced_420.jpg", "reduced_exif3.jpg",
                                        "reduced_exif6.jpg"};
    for (size_t i = 0; i < 3; i++) {
        uint8_t out[2][9 * 9 * 3];
        int sum = 0;
        for (int fast = 0; fast < 2; fast++) {
            mmood_image *image;
            mmood_error error;
            assert_ok(load(&image, names[i], &p, fast, &error), error);
            assert_ok(mmood_image_preprocess(out[fast], sizeof out[fast], image, &p, &error),
                      error);
            mmood_image_free(image);
        }
        for (size_t j = 0; j < sizeof out[0]; j++)
            sum += abs(out[0][j] - out[1][j]);
        assert_in_range(sum, 1, 3 * 9 * 9 * 3);
    }
}

/* Too small to be reduced, or no JPEG: the same bits. */
static void test_same_bits(void **unused) {
    (void)unused;
    static const struct {
        const char *name;
        int edge;
    } cases[] = {{"reduced_420.jpg", 38}, {"reduced_exif6.jpg", 76}, {"rgb.png", 2},
                 {"lossy.webp", 2},       {"plain.gif", 2},          {"rgb_420.jpg", 11}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        mmood_preprocess p = to_edge(cases[i].edge, 2);
        mmood_image *whole, *fast;
        mmood_error error;
        assert_ok(load(&whole, cases[i].name, &p, 0, &error), error);
        assert_ok(load(&fast, cases[i].name, &p, 1, &error), error);
        assert_int_equal(mmood_image_width(fast), mmood_image_width(whole));
        assert_int_equal(mmood_image_height(fast), mmood_image_height(whole));
        assert_memory_equal(mmood_image_pixels(fast), mmood_image_pixels(whole),
                            mmood_image_width(whole) * mmood_image_height(whole) * 3);
        mmood_image_free(whole);
        mmood_image_free(fast);
    }
}

/* Limits are of the size in the file, and what the picture is for must be said. */
static void test_refused(void **unused) {
    (void)unused;
    const char *path = "data/image/reduced_420.jpg";
    mmood_preprocess p = to_edge(9, 9);
    mmood_image_options options = mmood_image_options_default();
    mmood_image *image;
    mmood_error error;
    options.fast_decode = 1;
    options.max_pixels = WIDTH * HEIGHT;
    assert_ok(mmood_image_load_for(&image, path, &p, &options, &error), error);
    mmood_image_free(image);
    options.max_pixels--;
    assert_int_equal(mmood_image_load_for(&image, path, &p, &options, &error), MMOOD_ERROR_LIMIT);
    assert_null(image);
    assert_non_null(strstr(error.message, "203 x 151"));
    assert_int_equal(mmood_image_load(&image, path, &options, &error), MMOOD_ERROR_ARGUMENT);
    assert_null(image);
    assert_non_null(strstr(error.message, "mmood_image_decode_for"));
    options.fast_decode = 0;
    options.max_pixels = 0;
    assert_ok(mmood_image_load_for(&image, path, NULL, &options, &error), error);
    mmood_image_free(image);
}

/* A prefix of a file is no picture at any size, but for trailing bytes. */
static void test_every_prefix(void **unused) {
    (void)unused;
    static const char *const names[] = {"reduced_420.jpg", "reduced_444_progressive.jpg",
                                        "reduced_cmyk.jpg"};
    static const int edges[] = {9, 18, 37};
    mmood_image_options options = mmood_image_options_default();
    options.fast_decode = 1;
    for (size_t i = 0; i < 9; i++) {
        char path[256];
        uint8_t *data;
        size_t size;
        mmood_error error;
        mmood_preprocess p = to_edge(edges[i % 3], 8);
        snprintf(path, sizeof path, "data/image/%s", names[i / 3]);
        assert_ok(mm_file_read(&data, &size, path, 1 << 20, &error), error);
        for (size_t n = 0; n + 24 < size; n += 1 + size / 97) {
            mmood_image *image;
            uint8_t *copy = malloc(n + 1); /* so that a sanitizer sees reads past the end */
            memcpy(copy, data, n);
            if (mmood_image_decode_for(&image, copy, n, &p, &options, &error) == MMOOD_OK)
                fail_msg("%s: %zu of %zu bytes gave a picture", names[i / 3], n, size);
            free(copy);
        }
        free(data);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_golden),  cmocka_unit_test(test_other_preprocessing),
        cmocka_unit_test(test_edges),   cmocka_unit_test(test_same_bits),
        cmocka_unit_test(test_refused), cmocka_unit_test(test_every_prefix),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
