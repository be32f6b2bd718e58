/* test_decode.c - pictures that are broken, lie, or are no pictures; transparency; EXIF; and every
 * prefix of good files. */
#include "test.h"

#include "base/file.h"
#include "image/image.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static mmood_status decode_file(mmood_image **out, const char *name,
                                const mmood_image_options *options, mmood_error *error) {
    char path[256];
    snprintf(path, sizeof path, "data/image/%s", name);
    return mmood_image_load(out, path, options, error);
}

static void test_bad_files(void **unused) {
    (void)unused;
    static const struct {
        const char *name;
        mmood_status status;
        const char *says;
    } cases[] = {
        {"bomb_60000x60000.png", MMOOD_ERROR_LIMIT, "60000 x 60000 = 3600 million pixels"},
        {"lie_ihdr.png", MMOOD_ERROR_LIMIT, "2147483647"},
        {"empty.png", MMOOD_ERROR_FORMAT, "empty"},
        {"html_as.jpg", MMOOD_ERROR_FORMAT, "HTML"},
        {"trunc.jpg", MMOOD_ERROR_FORMAT, "truncated"},
        {"trunc.png", MMOOD_ERROR_FORMAT, "truncated"},
        {"absent.png", MMOOD_ERROR_IO, "No such file"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        mmood_image *image;
        mmood_error error;
        mmood_status status = decode_file(&image, cases[i].name, NULL, &error);
        if (status != cases[i].status || !strstr(error.message, cases[i].says))
            fail_msg("%s: status %d, \"%s\"; expected %d and \"%s\"", cases[i].name, (int)status,
                     status ? error.message : "", (int)cases[i].status, cases[i].says);
        assert_null(image);
    }
}

static void test_other_formats_are_named(void **unused) {
    (void)unused;
    static const struct {
        const char *bytes;
        size_t size;
        mmood_status status;
        const char *says;
    } cases[] = {
        {"\0\0\0\x18"
         "ftypheic\0\0\0\0",
         16, MMOOD_ERROR_UNSUPPORTED, "HEIC"},
        {"\0\0\0\x18"
         "ftypavif\0\0\0\0",
         16, MMOOD_ERROR_UNSUPPORTED, "AVIF"},
        {"II*\0\x08\0\0\0", 8, MMOOD_ERROR_UNSUPPORTED, "TIFF"},
        {"BM\0\0\0\0", 6, MMOOD_ERROR_UNSUPPORTED, "BMP"},
        {"<svg xmlns=", 11, MMOOD_ERROR_UNSUPPORTED, "SVG"},
        {"<?xml version=\"1.0\"?>\n<!-- drawn -->\n<svg xmlns=", 47, MMOOD_ERROR_UNSUPPORTED,
         "SVG"},
        {"<!DOCTYPE svg PUBLIC", 20, MMOOD_ERROR_UNSUPPORTED, "SVG"},
        {"<?xml version=\"1.0\"?><feed>", 27, MMOOD_ERROR_FORMAT, "XML"},
        {"\xef\xbb\xbf\r\n <!DocType HTML>", 21, MMOOD_ERROR_FORMAT, "HTML"},
        {"<HEAD><TITLE>404", 16, MMOOD_ERROR_FORMAT, "HTML"},
        {"version https://git-lfs.github.com/spec/v1\n", 43, MMOOD_ERROR_FORMAT, "git-lfs"},
        {"{\"error\":\"not found\"}", 21, MMOOD_ERROR_FORMAT, "JSON"},
        {"\0\5\x16\7\0\2\0\0", 8, MMOOD_ERROR_FORMAT, "AppleDouble"},
        {"RIFF\0\0\0\0WAVE", 12, MMOOD_ERROR_FORMAT, "RIFF"},
        {"P6\n1 1\n255\nabc", 14, MMOOD_ERROR_UNSUPPORTED, "PPM"},
        {" \n\t ", 4, MMOOD_ERROR_FORMAT, "no picture"},
        {"", 0, MMOOD_ERROR_FORMAT, "empty"},
        {"%PDF-1.4", 8, MMOOD_ERROR_FORMAT, "PDF"},
        {"hello", 5, MMOOD_ERROR_FORMAT, "no picture"},
        {"\xff\xd8\xff", 3, MMOOD_ERROR_FORMAT, "JPEG"},
        {"\x89PNG\r\n\x1a\n", 8, MMOOD_ERROR_FORMAT, "PNG"},
        {"GIF89a", 6, MMOOD_ERROR_FORMAT, "GIF"},
        {"RIFF\0\0\0\0WEBP", 12, MMOOD_ERROR_FORMAT, "WebP"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        mmood_image *image;
        mmood_error error;
        mmood_status status =
            mmood_image_decode(&image, cases[i].bytes, cases[i].size, NULL, &error);
        if (status != cases[i].status || !strstr(error.message, cases[i].says))
            fail_msg("case %zu: status %d, \"%s\"; expected %d and \"%s\"", i, (int)status,
                     status ? error.message : "", (int)cases[i].status, cases[i].says);
    }
}

static void test_pixel_limit(void **unused) {
    (void)unused;
    static const char *const names[] = {"rgb.png", "rgb_420.jpg", "lossy.webp", "plain.gif"};
    for (size_t i = 0; i < 4; i++) {
        mmood_image *image;
        mmood_error error;
        mmood_image_options options = mmood_image_options_default();
        options.max_pixels = 61 * 43;
        assert_ok(decode_file(&image, names[i], &options, &error), error);
        mmood_image_free(image);
        options.max_pixels--;
        assert_int_equal(decode_file(&image, names[i], &options, &error), MMOOD_ERROR_LIMIT);
        assert_non_null(strstr(error.message, "--max-pixels"));
        options.max_pixels = 0;
        assert_ok(decode_file(&image, names[i], &options, &error), error);
        mmood_image_free(image);
    }
}

/* The corner pixel of a picture whose hidden colour is magenta. */
static void test_alpha(void **unused) {
    (void)unused;
    static const uint8_t expected[3][3] = {{255, 0, 255}, {255, 255, 255}, {0, 0, 0}};
    for (int alpha = MMOOD_ALPHA_DROP; alpha <= MMOOD_ALPHA_BLACK; alpha++) {
        mmood_image *image;
        mmood_error error;
        mmood_image_options options = mmood_image_options_default();
        options.alpha = (mmood_alpha)alpha;
        assert_ok(decode_file(&image, "rgba_hidden.png", &options, &error), error);
        assert_memory_equal(mmood_image_pixels(image), expected[alpha], 3);
        mmood_image_free(image);
        assert_ok(decode_file(&image, "pal_trns.png", &options, &error), error);
        mmood_image_free(image);
        assert_ok(decode_file(&image, "transparent.gif", &options, &error), error);
        mmood_image_free(image);
    }
    uint8_t rgb[3];
    mm_alpha_blend(rgb, (const uint8_t[]){100, 200, 0, 128}, MMOOD_ALPHA_WHITE);
    assert_int_equal(rgb[0], 177); /* (100 * 128 + 255 * 127) / 255 */
    assert_int_equal(rgb[1], 227);
    assert_int_equal(rgb[2], 127);
}

static void test_cmyk(void **unused) {
    (void)unused;
    mmood_image *image;
    mmood_error error;
    assert_ok(decode_file(&image, "cmyk_adobe.jpg", NULL, &error), error);
    const uint8_t *pixel = mmood_image_pixels(image);
    assert_in_range(pixel[0], 223, 227);
    assert_in_range(pixel[1], 47, 51);
    assert_in_range(pixel[2], 29, 33);
    mmood_image_free(image);
}

/* Twelve bits a sample, and the lossless process: named, not called broken. */
static void test_rare_jpegs(void **unused) {
    (void)unused;
    uint8_t *data;
    size_t size, at = 2;
    mmood_image *image;
    mmood_error error;
    assert_ok(mm_file_read(&data, &size, "data/image/rgb_420.jpg", 1 << 20, &error), error);
    while (at + 4 < size && data[at + 1] != 0xc0)
        at += 2 + ((size_t)data[at + 2] << 8 | data[at + 3]);
    assert_true(at + 4 < size);
    data[at + 4] = 12;
    assert_int_equal(mmood_image_decode(&image, data, size, NULL, &error), MMOOD_ERROR_UNSUPPORTED);
    assert_non_null(strstr(error.message, "12"));
    data[at + 4] = 8;
    data[at + 1] = 0xc3;
    assert_int_equal(mmood_image_decode(&image, data, size, NULL, &error), MMOOD_ERROR_UNSUPPORTED);
    assert_non_null(strstr(error.message, "0xc3"));
    free(data);
}

static void test_exif(void **unused) {
    (void)unused;
    static const uint8_t little[] = "II*\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0\x06\0\0\0";
    static const uint8_t big[] = "Exif\0\0MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0\x08\0\0";
    uint8_t changed[sizeof little];
    assert_int_equal(mm_exif_orientation(little, sizeof little - 1), 6);
    assert_int_equal(mm_exif_orientation(big, sizeof big - 1), 8);
    for (size_t size = 0; size < sizeof little - 5; size++) /* the value cut off */
        assert_int_equal(mm_exif_orientation(little, size), 1);
    static const uint8_t values[] = {0, 9, 255};
    for (size_t i = 0; i < 3; i++) {
        memcpy(changed, little, sizeof little);
        changed[18] = values[i];
        assert_int_equal(mm_exif_orientation(changed, sizeof little - 1), 1);
    }
    memcpy(changed, little, sizeof little);
    changed[7] = 0x80; /* a directory far past the end */
    assert_int_equal(mm_exif_orientation(changed, sizeof little - 1), 1);
    mmood_image *image;
    mmood_error error;
    assert_ok(decode_file(&image, "exif9_invalid.jpg", NULL, &error), error);
    assert_int_equal(mmood_image_width(image), 400);
    mmood_image_free(image);
    assert_ok(decode_file(&image, "exif6.jpg", NULL, &error), error);
    assert_int_equal(mmood_image_width(image), 200);
    assert_int_equal(mmood_image_height(image), 400);
    mmood_image_free(image);
}

static void test_suffix_does_not_matter(void **unused) {
    (void)unused;
    uint8_t *data;
    size_t size;
    mmood_image *image;
    mmood_error error;
    assert_ok(mm_file_read(&data, &size, "data/image/ok.jpg", 1 << 20, &error), error);
    assert_ok(mm_file_write("renamed-test.png", data, size, &error), error);
    assert_ok(mmood_image_load(&image, "renamed-test.png", NULL, &error), error);
    mmood_image_free(image);
    remove("renamed-test.png");
    free(data);
}

/* A prefix of a file is an error, or the whole picture where only trailing bytes are gone; never
 * half a picture. */
static void test_every_prefix(void **unused) {
    (void)unused;
    static const char *const names[] = {"rgb.png",    "rgb_420.jpg", "progressive_small.jpg",
                                        "lossy.webp", "alpha.webp",  "plain.gif",
                                        "small.gif",  "cmyk.jpg",    "palette_2bit.png"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        char path[256];
        uint8_t *data;
        size_t size;
        mmood_error error;
        mmood_image *whole;
        snprintf(path, sizeof path, "data/image/%s", names[i]);
        assert_ok(mm_file_read(&data, &size, path, 1 << 20, &error), error);
        assert_ok(mmood_image_decode(&whole, data, size, NULL, &error), error);
        for (size_t n = 0; n < size; n += n < size - 24 ? 1 + size / 97 : 1) {
            mmood_image *part;
            uint8_t *copy = malloc(n + 1); /* so that a sanitizer sees reads past the end */
            memcpy(copy, data, n);
            if (mmood_image_decode(&part, copy, n, NULL, &error) == MMOOD_OK) {
                if (n + 24 < size)
                    fail_msg("%s: %zu of %zu bytes gave a picture", names[i], n, size);
                assert_memory_equal(mmood_image_pixels(part), mmood_image_pixels(whole),
                                    mmood_image_width(whole) * mmood_image_height(whole) * 3);
                mmood_image_free(part);
            }
            free(copy);
        }
        mmood_image_free(whole);
        free(data);
    }
}

static void test_from_rgb(void **unused) {
    (void)unused;
    static const uint8_t rgb[] = {1, 2, 3, 4, 5, 6};
    mmood_image *image;
    mmood_error error;
    assert_ok(mmood_image_from_rgb(&image, rgb, 2, 1, &error), error);
    assert_memory_equal(mmood_image_pixels(image), rgb, 6);
    mmood_image_free(image);
    assert_int_equal(mmood_image_from_rgb(&image, rgb, 0, 1, &error), MMOOD_ERROR_FORMAT);
    assert_int_equal(mmood_image_from_rgb(&image, rgb, SIZE_MAX / 2, 3, &error),
                     MMOOD_ERROR_MEMORY);
    mmood_image_free(NULL);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_bad_files),    cmocka_unit_test(test_other_formats_are_named),
        cmocka_unit_test(test_pixel_limit),  cmocka_unit_test(test_alpha),
        cmocka_unit_test(test_cmyk),         cmocka_unit_test(test_rare_jpegs),
        cmocka_unit_test(test_exif),         cmocka_unit_test(test_suffix_does_not_matter),
        cmocka_unit_test(test_every_prefix), cmocka_unit_test(test_from_rgb),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
