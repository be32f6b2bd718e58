/* decode_jpeg.c - JPEG by libjpeg-turbo: baseline and progressive; grey, RGB, YCbCr, CMYK and YCCK.
 */
#include "base/error.h"
#include "image/image.h"

#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jerror.h>
#include <jpeglib.h>

/* More scans than any encoder makes; a small file with more takes minutes. */
enum { MAX_SCANS = 500 };

typedef struct decoder {
    struct jpeg_decompress_struct jpeg;
    struct jpeg_error_mgr errors;
    struct jpeg_progress_mgr progress;
    jmp_buf leave;
    mmood_image *image;
    uint8_t *row; /* CMYK */
    mmood_status status;
    mmood_error *error;
} decoder;

static void fail(j_common_ptr common) {
    decoder *d = common->client_data;
    char text[JMSG_LENGTH_MAX];
    int code = common->err->msg_code;
    common->err->format_message(common, text);
    if (code == JERR_BAD_PRECISION || code == JERR_SOF_UNSUPPORTED)
        d->status = mm_error_set(d->error, MMOOD_ERROR_UNSUPPORTED,
                                 "the JPEG is of a rare kind that is not read (%s); 8-bit baseline "
                                 "and progressive ones are",
                                 text);
    else
        d->status = mm_error_set(d->error, MMOOD_ERROR_FORMAT, "the JPEG is broken: %s", text);
    longjmp(d->leave, 1);
}

/* libjpeg would paint what it could not read grey and go on. */
static void warn(j_common_ptr common, int level) {
    decoder *d = common->client_data;
    int code = common->err->msg_code;
    if (level >= 0)
        return;
    if (code == JWRN_JPEG_EOF || code == JWRN_HIT_MARKER) {
        d->status = mm_error_set(d->error, MMOOD_ERROR_FORMAT,
                                 "the JPEG is truncated or damaged: its data end too early");
        longjmp(d->leave, 1);
    }
    if (code == JWRN_HUFF_BAD_CODE)
        fail(common);
}

static void count_scans(j_common_ptr common) {
    decoder *d = common->client_data;
    if (d->jpeg.input_scan_number <= MAX_SCANS)
        return;
    d->status = mm_error_set(d->error, MMOOD_ERROR_LIMIT, "the JPEG has more than %d scans",
                             (int)MAX_SCANS);
    longjmp(d->leave, 1);
}

static int find_orientation(const struct jpeg_decompress_struct *jpeg) {
    for (jpeg_saved_marker_ptr m = jpeg->marker_list; m; m = m->next)
        if (m->marker == JPEG_APP0 + 1 && m->data_length >= 6 &&
            memcmp(m->data, "Exif\0\0", 6) == 0)
            return mm_exif_orientation(m->data, m->data_length);
    return 1;
}

/* a * b / 255, rounded. */
static unsigned scale255(unsigned a, unsigned b) {
    unsigned t = a * b + 128;
    return ((t >> 8) + t) >> 8;
}

/* CMYK as Adobe's programs store it, inverted: 255 is no ink. */
static void cmyk_to_rgb(uint8_t *rgb, const uint8_t *cmyk, size_t count) {
    for (size_t i = 0; i < count; i++, rgb += 3, cmyk += 4)
        for (int c = 0; c < 3; c++) {
            unsigned light = cmyk[3];
            rgb[c] = (uint8_t)(light - scale255(255u - cmyk[c], light));
        }
}

/* Only halvings: in between, libjpeg-turbo's inverse transforms are plain C and slower than its
 * vectorised one for the whole picture. */
static unsigned choose_shrink(const struct jpeg_decompress_struct *jpeg, size_t least) {
    size_t shorter =
        jpeg->image_width < jpeg->image_height ? jpeg->image_width : jpeg->image_height;
    unsigned shrink = 1;
    while (least > 0 && shrink < 8 && shorter / (shrink * 2) >= least)
        shrink *= 2;
    return shrink;
}

static mmood_status create_image(decoder *d, unsigned shrink) {
    const struct jpeg_decompress_struct *jpeg = &d->jpeg;
    d->status = mm_image_create(&d->image, jpeg->output_width, jpeg->output_height, d->error);
    if (d->status == MMOOD_OK) {
        d->image->shrink = shrink;
        d->image->full_width = jpeg->image_width;
        d->image->full_height = jpeg->image_height;
    }
    return d->status;
}

static mmood_status decode(decoder *d, int *orientation, const uint8_t *data, size_t size,
                           size_t least, const mmood_image_options *options) {
    struct jpeg_decompress_struct *jpeg = &d->jpeg;
    jpeg_mem_src(jpeg, data, (unsigned long)size);
    jpeg_save_markers(jpeg, JPEG_APP0 + 1, 0xffff);
    jpeg_read_header(jpeg, TRUE);
    d->status = mm_image_check_size(jpeg->image_width, jpeg->image_height, options, d->error);
    if (d->status != MMOOD_OK)
        return d->status;
    *orientation = find_orientation(jpeg);
    int cmyk = jpeg->jpeg_color_space == JCS_CMYK || jpeg->jpeg_color_space == JCS_YCCK;
    jpeg->out_color_space = cmyk ? JCS_CMYK : JCS_RGB;
    unsigned shrink = choose_shrink(jpeg, least);
    jpeg->scale_num = 1;
    jpeg->scale_denom = shrink;
    jpeg_start_decompress(jpeg);
    if (create_image(d, shrink) != MMOOD_OK)
        return d->status;
    if (cmyk && !(d->row = malloc((size_t)jpeg->output_width * 4)))
        return d->status = mm_error_set(d->error, MMOOD_ERROR_MEMORY, "no memory for a row");
    while (jpeg->output_scanline < jpeg->output_height) {
        uint8_t *to = d->image->pixels + (size_t)jpeg->output_scanline * d->image->width * 3;
        JSAMPROW row = cmyk ? d->row : to;
        jpeg_read_scanlines(jpeg, &row, 1);
        if (cmyk)
            cmyk_to_rgb(to, d->row, d->image->width);
    }
    jpeg_finish_decompress(jpeg);
    return MMOOD_OK;
}

mmood_status mm_decode_jpeg(mmood_image **out, int *orientation, const uint8_t *data, size_t size,
                            size_t least, const mmood_image_options *options, mmood_error *error) {
    *out = NULL;
    *orientation = 1;
    decoder *d = calloc(1, sizeof *d);
    if (!d)
        return mm_error_set(error, MMOOD_ERROR_MEMORY, "no memory for a JPEG decoder");
    d->error = error;
    d->jpeg.err = jpeg_std_error(&d->errors);
    d->errors.error_exit = fail;
    d->errors.emit_message = warn;
    d->jpeg.client_data = d;
    if (setjmp(d->leave) == 0) {
        jpeg_create_decompress(&d->jpeg);
        d->progress.progress_monitor = count_scans;
        d->jpeg.progress = &d->progress;
        d->status = decode(d, orientation, data, size, least, options);
    }
    jpeg_destroy_decompress(&d->jpeg);
    mmood_status status = d->status;
    if (status == MMOOD_OK)
        *out = d->image;
    else
        mmood_image_free(d->image);
    free(d->row);
    free(d);
    return status;
}
