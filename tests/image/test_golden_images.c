/* test_golden_images.c - decoding, turning, resizing and cropping against Pillow's results in
 * data/image/golden.safetensors (tools/make_golden_images.py): equal byte for byte, JPEG within 1.
 */
#include "test.h"

#include "clip/safetensors.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static mmood_image *load(const char *name, int orient) {
    char path[256];
    mmood_image *image;
    mmood_error error;
    mmood_image_options options = mmood_image_options_default();
    options.apply_orientation = orient;
    snprintf(path, sizeof path, "data/image/%s", name);
    mmood_status status = mmood_image_load(&image, path, &options, &error);
    if (status != MMOOD_OK)
        fail_msg("%s: %s", name, error.message);
    return image;
}

static void compare(const char *what, const uint8_t *found, const uint8_t *expected, size_t size) {
    int most = strstr(what, ".jpg") ? 1 : 0;
    for (size_t i = 0; i < size; i++)
        if (abs(found[i] - expected[i]) > most)
            fail_msg("%s: byte %zu is %d, expected %d", what, i, found[i], expected[i]);
}

static void check_crop(const mm_tensor *tensor, const char *name, int edge, int crop, int filter) {
    mmood_error error;
    size_t size = (size_t)crop * (size_t)crop * 3;
    assert_int_equal(tensor->elements, size);
    mmood_preprocess settings = {.resize = 1,
                                 .shortest_edge = edge,
                                 .filter = (mmood_filter)filter,
                                 .center_crop = 1,
                                 .crop_width = crop,
                                 .crop_height = crop};
    mmood_image *image = load(name, 0);
    uint8_t *out = malloc(size);
    assert_ok(mmood_image_preprocess(out, size, image, &settings, &error), error);
    compare(tensor->name, out, tensor->data, size);
    free(out);
    mmood_image_free(image);
}

static void check_squash(const mm_tensor *tensor, const char *name, int width, int height,
                         int filter) {
    mmood_error error;
    size_t size = (size_t)width * (size_t)height * 3;
    assert_int_equal(tensor->elements, size);
    mmood_preprocess settings = {.resize = 1,
                                 .resize_width = width,
                                 .resize_height = height,
                                 .filter = (mmood_filter)filter,
                                 .crop_width = width,
                                 .crop_height = height};
    mmood_image *image = load(name, 0);
    uint8_t *out = malloc(size);
    assert_ok(mmood_image_preprocess(out, size, image, &settings, &error), error);
    compare(tensor->name, out, tensor->data, size);
    free(out);
    mmood_image_free(image);
}

static void test_all(void **unused) {
    (void)unused;
    mm_safetensors *golden;
    mmood_error error;
    assert_ok(mm_safetensors_open(&golden, "data/image/golden.safetensors", &error), error);
    size_t crops = 0, uprights = 0, squashes = 0;
    for (size_t i = 0; i < mm_safetensors_count(golden); i++) {
        const mm_tensor *tensor = mm_safetensors_at(golden, i);
        char name[128];
        int edge, crop, filter, width, height;
        if (sscanf(tensor->name, "%127[^|]|%d|%d|%d", name, &edge, &crop, &filter) == 4) {
            check_crop(tensor, name, edge, crop, filter);
            crops++;
        } else if (sscanf(tensor->name, "%127[^|]|squash|%d|%d|%d", name, &width, &height,
                          &filter) == 4) {
            check_squash(tensor, name, width, height, filter);
            squashes++;
        } else {
            assert_int_equal(sscanf(tensor->name, "%127[^|]|upright", name), 1);
            mmood_image *image = load(name, 1);
            assert_int_equal(mmood_image_height(image), tensor->shape[0]);
            assert_int_equal(mmood_image_width(image), tensor->shape[1]);
            compare(tensor->name, mmood_image_pixels(image), tensor->data, tensor->elements);
            mmood_image_free(image);
            uprights++;
        }
    }
    assert_true(crops > 100 && uprights == 10 && squashes == 24);
    mm_safetensors_free(golden);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_all)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
