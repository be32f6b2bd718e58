/* test_open_clip_crops.c - crops in all resize modes of open_clip against its own transform
 * (tools/make_golden_crops.py): equal byte for byte. The settings go through preprocess_cfg. */
#include "test.h"

#include "clip/safetensors.h"
#include "image/preprocess_config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static mmood_preprocess settings(const char *mode, int size, int fill, int filter) {
    mmood_preprocess out;
    mmood_error error;
    json_t *config = json_pack("{s:s,s:i,s:s}", "resize_mode", mode, "fill_color", fill,
                               "interpolation", filter == 2 ? "bilinear" : "bicubic");
    assert_ok(mm_preprocess_from_open_clip(&out, config, size, &error), error);
    json_decref(config);
    return out;
}

/* 1 if the crop is the expected one. */
static int is_equal(const mm_tensor *tensor, const char *name, const mmood_preprocess *p) {
    char path[256];
    mmood_image *image;
    mmood_error error;
    size_t size = (size_t)p->crop_width * (size_t)p->crop_height * 3;
    assert_int_equal(tensor->elements, size);
    snprintf(path, sizeof path, "data/image/%s", name);
    assert_ok(mmood_image_load(&image, path, NULL, &error), error);
    uint8_t *out = malloc(size);
    assert_ok(mmood_image_preprocess(out, size, image, p, &error), error);
    int equal = memcmp(out, tensor->data, size) == 0;
    free(out);
    mmood_image_free(image);
    return equal;
}

static void test_crops(void **unused) {
    (void)unused;
    mm_safetensors *golden;
    mmood_error error;
    assert_ok(mm_safetensors_open(&golden, "data/image/crops.safetensors", &error), error);
    size_t count = mm_safetensors_count(golden), others = 0;
    for (size_t i = 0; i < count; i++) {
        const mm_tensor *tensor = mm_safetensors_at(golden, i);
        char name[64], mode[16];
        int size, fill, filter;
        assert_int_equal(
            sscanf(tensor->name, "%63[^|]|%15[^|]|%d|%d|%d", name, mode, &size, &fill, &filter), 5);
        mmood_preprocess p = settings(mode, size, fill, filter);
        if (!is_equal(tensor, name, &p))
            fail_msg("%s differs", tensor->name);
        p.crop_rule = MMOOD_CROP_TRANSFORMERS;
        others += !is_equal(tensor, name, &p);
    }
    assert_int_equal(count, 36);
    assert_true(others >= 15); /* else the goldens would not tell the rules apart */
    mm_safetensors_free(golden);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_crops)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
