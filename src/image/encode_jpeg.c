/* encode_jpeg.c - JPEG by libjpeg-turbo, into memory. */
#include "image/encode_jpeg.h"

#include "base/error.h"

#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>

#include <jerror.h>
#include <jpeglib.h>

typedef struct encoder {
    struct jpeg_compress_struct jpeg;
    struct jpeg_error_mgr errors;
    jmp_buf leave;
    unsigned char *data; /* libjpeg's, by malloc */
    unsigned long size;
    mmood_status status;
    mmood_error *error;
} encoder;

static void fail(j_common_ptr common) {
    encoder *e = common->client_data;
    char text[JMSG_LENGTH_MAX];
    int code = common->err->msg_code;
    common->err->format_message(common, text);
    e->status = mm_error_set(e->error,
                             code == JERR_OUT_OF_MEMORY   ? MMOOD_ERROR_MEMORY
                             : code == JERR_IMAGE_TOO_BIG ? MMOOD_ERROR_LIMIT
                                                          : MMOOD_ERROR_FORMAT,
                             "the picture cannot be written as JPEG: %s", text);
    longjmp(e->leave, 1);
}

static void encode(encoder *e, const mmood_image *image, int quality) {
    struct jpeg_compress_struct *jpeg = &e->jpeg;
    size_t width = mmood_image_width(image), height = mmood_image_height(image);
    jpeg_mem_dest(jpeg, &e->data, &e->size);
    jpeg->image_width = (JDIMENSION)width;
    jpeg->image_height = (JDIMENSION)height;
    jpeg->input_components = 3;
    jpeg->in_color_space = JCS_RGB;
    jpeg_set_defaults(jpeg);
    jpeg_set_quality(jpeg, quality, TRUE);
    jpeg_start_compress(jpeg, TRUE);
    while (jpeg->next_scanline < jpeg->image_height) {
        /* libjpeg only reads the row, though its type does not say so. */
        JSAMPROW row = (JSAMPROW)(uintptr_t)(mmood_image_pixels(image) +
                                             (size_t)jpeg->next_scanline * width * 3);
        jpeg_write_scanlines(jpeg, &row, 1);
    }
    jpeg_finish_compress(jpeg);
}

mmood_status mm_encode_jpeg(mm_buffer *out, const mmood_image *image, int quality,
                            mmood_error *error) {
    if (mmood_image_width(image) > JPEG_MAX_DIMENSION ||
        mmood_image_height(image) > JPEG_MAX_DIMENSION)
        return mm_error_set(error, MMOOD_ERROR_LIMIT,
                            "the picture is %zu x %zu pixels; a JPEG has at most %ld a side",
                            mmood_image_width(image), mmood_image_height(image),
                            (long)JPEG_MAX_DIMENSION);
    encoder *e = calloc(1, sizeof *e);
    if (!e)
        return mm_error_set(error, MMOOD_ERROR_MEMORY, "no memory for a JPEG encoder");
    e->error = error;
    e->jpeg.err = jpeg_std_error(&e->errors);
    e->errors.error_exit = fail;
    e->jpeg.client_data = e;
    if (setjmp(e->leave) == 0) {
        jpeg_create_compress(&e->jpeg);
        encode(e, image, quality);
    }
    jpeg_destroy_compress(&e->jpeg);
    mmood_status status = e->status;
    if (status == MMOOD_OK) {
        mm_buffer_append(out, e->data, e->size);
        if (out->failed)
            status = mm_error_set(error, MMOOD_ERROR_MEMORY, "no memory for a JPEG of %lu bytes",
                                  e->size);
    }
    free(e->data);
    free(e);
    return status;
}
