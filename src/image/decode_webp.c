/* decode_webp.c - WebP by libwebp: lossy and lossless, with or without alpha; the first frame of an
 * animated one. */
#include "base/error.h"
#include "image/image.h"

#include <stdlib.h>

#include <webp/decode.h>
#include <webp/demux.h>

static int find_orientation(const WebPDemuxer *demuxer) {
    WebPChunkIterator chunk;
    int orientation = 1;
    if (WebPDemuxGetChunk(demuxer, "EXIF", 1, &chunk)) {
        orientation = mm_exif_orientation(chunk.chunk.bytes, chunk.chunk.size);
        WebPDemuxReleaseChunkIterator(&chunk);
    }
    return orientation;
}

/* One frame's data, at its place on the canvas, which is transparent black elsewhere. */
static mmood_status decode_frame(mmood_image *image, const WebPIterator *frame,
                                 const mmood_image_options *options, mmood_error *error) {
    size_t width = image->width, height = image->height;
    size_t x = (size_t)frame->x_offset, y = (size_t)frame->y_offset;
    if (x + (size_t)frame->width > width || y + (size_t)frame->height > height)
        return mm_error_set(error, MMOOD_ERROR_FORMAT,
                            "the WebP is broken: a frame lies outside the picture");
    uint8_t *rgba = width <= SIZE_MAX / 4 / height ? calloc(width * height, 4) : NULL;
    if (!rgba)
        return mm_error_set(error, MMOOD_ERROR_MEMORY, "no memory for %zu x %zu pixels", width,
                            height);
    size_t offset = (y * width + x) * 4;
    uint8_t *done = WebPDecodeRGBAInto(frame->fragment.bytes, frame->fragment.size, rgba + offset,
                                       width * height * 4 - offset, (int)(width * 4));
    if (done)
        mm_alpha_flatten(image->pixels, rgba, width * height, options->alpha);
    free(rgba);
    return done ? MMOOD_OK
                : mm_error_set(error, MMOOD_ERROR_FORMAT, "the WebP is truncated or damaged");
}

mmood_status mm_decode_webp(mmood_image **out, int *orientation, const uint8_t *data, size_t size,
                            const mmood_image_options *options, mmood_error *error) {
    *out = NULL;
    *orientation = 1;
    WebPData bytes = {data, size};
    WebPDemuxState state;
    WebPDemuxer *demuxer = WebPDemuxPartial(&bytes, &state);
    if (!demuxer || state != WEBP_DEMUX_DONE) {
        WebPDemuxDelete(demuxer);
        return mm_error_set(error, MMOOD_ERROR_FORMAT, "the WebP is %s",
                            state == WEBP_DEMUX_PARSE_ERROR ? "broken"
                                                            : "truncated: its data end too early");
    }
    size_t width = WebPDemuxGetI(demuxer, WEBP_FF_CANVAS_WIDTH);
    size_t height = WebPDemuxGetI(demuxer, WEBP_FF_CANVAS_HEIGHT);
    WebPIterator frame;
    mmood_status status = mm_image_check_size(width, height, options, error);
    if (status == MMOOD_OK)
        status = mm_image_create(out, width, height, error);
    if (status == MMOOD_OK && !WebPDemuxGetFrame(demuxer, 1, &frame))
        status = mm_error_set(error, MMOOD_ERROR_FORMAT, "the WebP has no frame");
    else if (status == MMOOD_OK) {
        status = decode_frame(*out, &frame, options, error);
        WebPDemuxReleaseIterator(&frame);
        *orientation = find_orientation(demuxer);
    }
    WebPDemuxDelete(demuxer);
    if (status != MMOOD_OK) {
        mmood_image_free(*out);
        *out = NULL;
    }
    return status;
}
