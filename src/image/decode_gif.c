/* decode_gif.c - the first frame of a GIF, by giflib. As Pillow has it, what the frame does not
 * cover is the transparent colour, or colour 0. */
#include "base/error.h"
#include "image/image.h"

#include <stdlib.h>
#include <string.h>

#include <gif_lib.h>

typedef struct source {
    const uint8_t *data;
    size_t size;
    size_t at;
} source;

static int read_bytes(GifFileType *gif, GifByteType *to, int count) {
    source *s = gif->UserData;
    size_t n = (size_t)count < s->size - s->at ? (size_t)count : s->size - s->at;
    memcpy(to, s->data + s->at, n);
    s->at += n;
    return (int)n;
}

static mmood_status gif_error(const GifFileType *gif, mmood_error *error) {
    const source *s = gif->UserData;
    if (s->at >= s->size)
        return mm_error_set(error, MMOOD_ERROR_FORMAT,
                            "the GIF is truncated: its data end too early");
    const char *text = GifErrorString(gif->Error);
    return mm_error_set(error, MMOOD_ERROR_FORMAT, "the GIF is broken: %s",
                        text ? text : "unknown");
}

/* Skips an extension, or takes the transparent colour from a graphic control. */
static int read_extension(GifFileType *gif, int *transparent) {
    int code;
    GifByteType *block;
    if (DGifGetExtension(gif, &code, &block) == GIF_ERROR)
        return 0;
    while (block) {
        GraphicsControlBlock control;
        if (code == GRAPHICS_EXT_FUNC_CODE &&
            DGifExtensionToGCB(block[0], block + 1, &control) == GIF_OK)
            *transparent = control.TransparentColor;
        if (DGifGetExtensionNext(gif, &block) == GIF_ERROR)
            return 0;
    }
    return 1;
}

/* Reads up to the first frame's description; 0 if there is none. */
static mmood_status find_frame(GifFileType *gif, int *transparent, mmood_error *error) {
    for (;;) {
        GifRecordType type;
        if (DGifGetRecordType(gif, &type) == GIF_ERROR)
            return gif_error(gif, error);
        if (type == EXTENSION_RECORD_TYPE) {
            if (!read_extension(gif, transparent))
                return gif_error(gif, error);
        } else if (type == IMAGE_DESC_RECORD_TYPE) {
            return DGifGetImageHeader(gif) == GIF_ERROR ? gif_error(gif, error) : MMOOD_OK;
        } else {
            return mm_error_set(error, MMOOD_ERROR_FORMAT, "the GIF has no frame");
        }
    }
}

/* A colour index to RGB; without a colour map indices are grey. */
static void look_up(uint8_t rgb[3], const ColorMapObject *map, int index, int transparent,
                    mmood_alpha alpha) {
    uint8_t rgba[4] = {(uint8_t)index, (uint8_t)index, (uint8_t)index, 255};
    if (map && index < map->ColorCount) {
        rgba[0] = map->Colors[index].Red;
        rgba[1] = map->Colors[index].Green;
        rgba[2] = map->Colors[index].Blue;
    } else if (map) {
        rgba[0] = rgba[1] = rgba[2] = 0;
    }
    if (index == transparent)
        rgba[3] = 0;
    mm_alpha_blend(rgb, rgba, alpha);
}

/* Decodes the frame's rows in file order to their places; interlaced ones come in four passes. */
static mmood_status read_frame(GifFileType *gif, mmood_image *image, uint8_t (*colors)[3],
                               GifPixelType *row, mmood_error *error) {
    static const int starts[] = {0, 4, 2, 1}, steps[] = {8, 8, 4, 2};
    const GifImageDesc *frame = &gif->Image;
    int passes = frame->Interlace ? 4 : 1;
    for (int pass = 0; pass < passes; pass++)
        for (int y = passes == 1 ? 0 : starts[pass]; y < frame->Height;
             y += passes == 1 ? 1 : steps[pass]) {
            if (DGifGetLine(gif, row, frame->Width) == GIF_ERROR)
                return gif_error(gif, error);
            uint8_t *to =
                image->pixels + ((size_t)(frame->Top + y) * image->width + (size_t)frame->Left) * 3;
            for (int x = 0; x < frame->Width; x++)
                memcpy(to + (size_t)x * 3, colors[row[x]], 3);
        }
    return MMOOD_OK;
}

static mmood_status decode(mmood_image **out, GifFileType *gif, const mmood_image_options *options,
                           mmood_error *error) {
    int transparent = NO_TRANSPARENT_COLOR;
    mmood_status status = find_frame(gif, &transparent, error);
    if (status != MMOOD_OK)
        return status;
    const GifImageDesc *frame = &gif->Image;
    int right = frame->Left + frame->Width, bottom = frame->Top + frame->Height;
    int width = right > gif->SWidth ? right : gif->SWidth;
    int height = bottom > gif->SHeight ? bottom : gif->SHeight;
    if (frame->Width < 1 || frame->Height < 1)
        return mm_error_set(error, MMOOD_ERROR_FORMAT, "the GIF's first frame has no pixels");
    status = mm_image_check_size((uint64_t)width, (uint64_t)height, options, error);
    if (status == MMOOD_OK)
        status = mm_image_create(out, (size_t)width, (size_t)height, error);
    if (status != MMOOD_OK)
        return status;
    const ColorMapObject *map = frame->ColorMap ? frame->ColorMap : gif->SColorMap;
    uint8_t colors[256][3];
    for (int i = 0; i < 256; i++)
        look_up(colors[i], map, i, transparent, options->alpha);
    int fill = transparent >= 0 && transparent < 256 ? transparent : 0;
    for (size_t i = 0; i < (*out)->width * (*out)->height; i++)
        memcpy((*out)->pixels + i * 3, colors[fill], 3);
    GifPixelType *row = malloc((size_t)frame->Width * sizeof *row);
    if (!row)
        return mm_error_set(error, MMOOD_ERROR_MEMORY, "no memory for a row");
    status = read_frame(gif, *out, colors, row, error);
    free(row);
    return status;
}

mmood_status mm_decode_gif(mmood_image **out, int *orientation, const uint8_t *data, size_t size,
                           const mmood_image_options *options, mmood_error *error) {
    *out = NULL;
    *orientation = 1; /* GIF has no EXIF */
    source from = {data, size, 0};
    int code = 0;
    GifFileType *gif = DGifOpen(&from, read_bytes, &code);
    if (!gif) {
        const char *text = GifErrorString(code);
        return mm_error_set(error, MMOOD_ERROR_FORMAT, "the GIF is truncated or broken: %s",
                            text ? text : "unknown");
    }
    mmood_status status = decode(out, gif, options, error);
    DGifCloseFile(gif, NULL);
    if (status != MMOOD_OK) {
        mmood_image_free(*out);
        *out = NULL;
    }
    return status;
}
