/* cmd_preprocess.c - mmood preprocess: the crop that the model sees, as a binary PPM (P6). */
#include "cli/options.h"

#include "base/buffer.h"
#include "base/error.h"
#include "base/file.h"

#include <stdlib.h>

static const char usage[] =
    "usage: mmood preprocess -m MODEL PICTURE -o OUT.ppm\n\n"
    "Writes exactly the 8-bit crop that the model sees, before values are normalised.\n\n"
    "example: mmood preprocess -m models/demo photo.jpg -o crop.ppm\n";

/* Loads, crops and writes one picture. */
static mmood_status run(const char *picture, const char *out, const mmood_model_info *info,
                        const mmood_image_options *options, mmood_error *error) {
    mmood_image *image;
    mm_buffer file = {0};
    size_t size = (size_t)info->preprocess.crop_width * (size_t)info->preprocess.crop_height * 3;
    uint8_t *crop = malloc(size);
    mmood_status status = mmood_image_load_for(&image, picture, &info->preprocess, options, error);
    if (status == MMOOD_OK && !crop)
        status = mm_error_set(error, MMOOD_ERROR_MEMORY, "no memory for the crop");
    if (status == MMOOD_OK)
        status = mmood_image_preprocess(crop, size, image, &info->preprocess, error);
    mmood_image_free(image);
    if (status != MMOOD_OK)
        mm_error_prefix(error, status, "%s", picture);
    if (status == MMOOD_OK) {
        mm_buffer_printf(&file, "P6\n%d %d\n255\n", info->preprocess.crop_width,
                         info->preprocess.crop_height);
        mm_buffer_append(&file, crop, size);
        status = file.failed ? mm_error_set(error, MMOOD_ERROR_MEMORY, "no memory for the crop")
                             : mm_file_write(out, file.data, file.size, error);
        if (status != MMOOD_OK)
            mm_error_prefix(error, status, "%s", out);
    }
    mm_buffer_free(&file);
    free(crop);
    return status;
}

int cmd_preprocess(int argc, char **argv) {
    static const char *const others[] = {".png", ".jpg", ".jpeg", ".webp", ".gif",
                                         ".bmp", ".tif", ".tiff", ".npy",  NULL};
    common_options common = common_options_default();
    const char *out = NULL;
    int count;
    const option table[] = {
        OPTION_MODEL(common),   {"output", 'o', OPTION_TEXT, &out, "FILE", "the PPM file to write"},
        OPTION_PICTURE(common), OPTION_CACHE(common),
        OPTION_TALK(common),    OPTION_END};
    parse_result parsed = options_parse(table, usage, argc, argv, &count);
    if (parsed != PARSE_GO)
        return parsed == PARSE_DONE ? EXIT_DONE : EXIT_USAGE;
    mmood_image_options options;
    if (count != 1 || !out) {
        cli_error("preprocess needs one picture and -o OUT.ppm");
        return EXIT_USAGE;
    }
    if (!option_writes(out, "a PPM picture", others,
                       "name it OUT.ppm, and convert that file with pnmtopng or another program"))
        return EXIT_USAGE;
    if (!common_image_options(&options, &common))
        return EXIT_USAGE;
    mmood_model *model;
    mmood_error error;
    mmood_model_info info;
    int code = common_open_model(&model, NULL, common.model, &common);
    if (code != EXIT_DONE)
        return code;
    mmood_model_describe(model, &info);
    if (run(argv[0], out, &info, &options, &error) != MMOOD_OK) {
        cli_error("%s", error.message);
        code = EXIT_FATAL;
    }
    mmood_model_free(model);
    return code;
}
