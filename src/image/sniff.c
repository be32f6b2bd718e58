/* sniff.c - a table of first bytes. */
#include "image/sniff.h"

#include <string.h>

typedef struct signature {
    size_t offset;
    size_t length;
    const char *bytes;
    mm_format format;
} signature;

static const signature signatures[] = {
    {0, 3, "\xff\xd8\xff", {MM_FORMAT_JPEG, 1, "a JPEG picture"}},
    {0, 8, "\x89PNG\r\n\x1a\n", {MM_FORMAT_PNG, 1, "a PNG picture"}},
    {8, 4, "WEBP", {MM_FORMAT_WEBP, 1, "a WebP picture"}},
    {0, 6, "GIF87a", {MM_FORMAT_GIF, 1, "a GIF picture"}},
    {0, 6, "GIF89a", {MM_FORMAT_GIF, 1, "a GIF picture"}},
    {4, 8, "ftypheic", {MM_FORMAT_OTHER, 1, "a HEIC picture"}},
    {4, 8, "ftypheix", {MM_FORMAT_OTHER, 1, "a HEIC picture"}},
    {4, 8, "ftyphevc", {MM_FORMAT_OTHER, 1, "a HEIC picture"}},
    {4, 8, "ftypmif1", {MM_FORMAT_OTHER, 1, "a HEIF picture"}},
    {4, 8, "ftypmsf1", {MM_FORMAT_OTHER, 1, "a HEIF picture"}},
    {4, 8, "ftypavif", {MM_FORMAT_OTHER, 1, "an AVIF picture"}},
    {4, 8, "ftypavis", {MM_FORMAT_OTHER, 1, "an AVIF picture"}},
    {4, 4, "ftyp", {MM_FORMAT_OTHER, 0, "a film (MP4 or its kin)"}},
    {0, 4, "II*\0", {MM_FORMAT_OTHER, 1, "a TIFF picture"}},
    {0, 4, "MM\0*", {MM_FORMAT_OTHER, 1, "a TIFF picture"}},
    {0, 2, "BM", {MM_FORMAT_OTHER, 1, "a BMP picture"}},
    {0, 12, "\0\0\0\x0cJXL \r\n\x87\n", {MM_FORMAT_OTHER, 1, "a JPEG XL picture"}},
    {0, 2, "\xff\x0a", {MM_FORMAT_OTHER, 1, "a JPEG XL picture"}},
    {0, 8, "\0\0\0\x0cjP  ", {MM_FORMAT_OTHER, 1, "a JPEG 2000 picture"}},
    {0, 4, "8BPS", {MM_FORMAT_OTHER, 1, "a Photoshop picture"}},
    {0, 4, "\0\0\1\0", {MM_FORMAT_OTHER, 1, "an icon (ICO)"}},
    {0, 4, "%PDF", {MM_FORMAT_OTHER, 0, "a PDF document"}},
    {0, 4, "PK\3\4", {MM_FORMAT_OTHER, 0, "a zip archive"}},
    {0, 2, "\x1f\x8b", {MM_FORMAT_OTHER, 0, "a gzip archive"}},
    {0,
     23,
     "version https://git-lfs",
     {MM_FORMAT_OTHER, 0, "a git-lfs pointer, not the picture itself"}},
    {0, 9, "<!DOCTYPE", {MM_FORMAT_OTHER, 0, "an HTML page"}},
    {0, 9, "<!doctype", {MM_FORMAT_OTHER, 0, "an HTML page"}},
    {0, 5, "<html", {MM_FORMAT_OTHER, 0, "an HTML page"}},
    {0, 5, "<HTML", {MM_FORMAT_OTHER, 0, "an HTML page"}},
    {0, 4, "<svg", {MM_FORMAT_OTHER, 1, "an SVG drawing"}},
    {0, 5, "<?xml", {MM_FORMAT_OTHER, 0, "an XML document"}},
};

mm_format mm_sniff(const uint8_t *data, size_t size) {
    if (size == 0)
        return (mm_format){MM_FORMAT_OTHER, 0, "an empty file"};
    for (size_t i = 0; i < sizeof signatures / sizeof *signatures; i++) {
        const signature *s = &signatures[i];
        if (size >= s->offset + s->length && memcmp(data + s->offset, s->bytes, s->length) == 0)
            return s->format;
    }
    return (mm_format){MM_FORMAT_OTHER, 0, "no picture that is known here"};
}
