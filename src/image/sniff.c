/* sniff.c - a table of first bytes, and the first words of texts. */
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
    {4, 8, "ftyphevx", {MM_FORMAT_OTHER, 1, "a HEIC picture"}},
    {4, 8, "ftypheim", {MM_FORMAT_OTHER, 1, "a HEIC picture"}},
    {4, 8, "ftypheis", {MM_FORMAT_OTHER, 1, "a HEIC picture"}},
    {4, 8, "ftyphevm", {MM_FORMAT_OTHER, 1, "a HEIC picture"}},
    {4, 8, "ftyphevs", {MM_FORMAT_OTHER, 1, "a HEIC picture"}},
    {4, 8, "ftypmif1", {MM_FORMAT_OTHER, 1, "a HEIF picture"}},
    {4, 8, "ftypmsf1", {MM_FORMAT_OTHER, 1, "a HEIF picture"}},
    {4, 8, "ftypavif", {MM_FORMAT_OTHER, 1, "an AVIF picture"}},
    {4, 8, "ftypavis", {MM_FORMAT_OTHER, 1, "an AVIF picture"}},
    {4, 4, "ftyp", {MM_FORMAT_OTHER, 0, "a film (MP4 or its kin)"}},
    {0, 4, "II*\0", {MM_FORMAT_OTHER, 1, "a TIFF picture"}},
    {0, 4, "MM\0*", {MM_FORMAT_OTHER, 1, "a TIFF picture"}},
    {0, 4, "II+\0", {MM_FORMAT_OTHER, 1, "a BigTIFF picture"}},
    {0, 4, "MM\0+", {MM_FORMAT_OTHER, 1, "a BigTIFF picture"}},
    {0, 2, "BM", {MM_FORMAT_OTHER, 1, "a BMP picture"}},
    {0, 12, "\0\0\0\x0cJXL \r\n\x87\n", {MM_FORMAT_OTHER, 1, "a JPEG XL picture"}},
    {0, 2, "\xff\x0a", {MM_FORMAT_OTHER, 1, "a JPEG XL picture"}},
    {0, 8, "\0\0\0\x0cjP  ", {MM_FORMAT_OTHER, 1, "a JPEG 2000 picture"}},
    {0, 4, "8BPS", {MM_FORMAT_OTHER, 1, "a Photoshop picture"}},
    {0, 4, "\0\0\1\0", {MM_FORMAT_OTHER, 1, "an icon (ICO)"}},
    {0, 4, "qoif", {MM_FORMAT_OTHER, 1, "a QOI picture"}},
    {0, 4, "v/1\1", {MM_FORMAT_OTHER, 1, "an OpenEXR picture"}},
    {0, 9, "gimp xcf ", {MM_FORMAT_OTHER, 1, "a GIMP picture (XCF)"}},
    {0, 3, "P4\n", {MM_FORMAT_OTHER, 1, "a PBM picture"}},
    {0, 3, "P5\n", {MM_FORMAT_OTHER, 1, "a PGM picture"}},
    {0, 3, "P6\n", {MM_FORMAT_OTHER, 1, "a PPM picture"}},
    {0, 4, "RIFF", {MM_FORMAT_OTHER, 0, "a film or a sound (RIFF)"}},
    {0, 4, "\x1a\x45\xdf\xa3", {MM_FORMAT_OTHER, 0, "a film (Matroska or WebM)"}},
    {0, 4, "\0\5\x16\7", {MM_FORMAT_OTHER, 0, "what macOS keeps beside a file (AppleDouble)"}},
    {0, 4, "%!PS", {MM_FORMAT_OTHER, 0, "a PostScript document"}},
    {0, 4, "%PDF", {MM_FORMAT_OTHER, 0, "a PDF document"}},
    {0, 4, "PK\3\4", {MM_FORMAT_OTHER, 0, "a zip archive"}},
    {0, 2, "\x1f\x8b", {MM_FORMAT_OTHER, 0, "a gzip archive"}},
};

/* What begins a text, after a byte-order mark and blanks, in any case of letters. */
static const signature texts[] = {
    {0,
     23,
     "version https://git-lfs",
     {MM_FORMAT_OTHER, 0, "a git-lfs pointer, not the picture itself"}},
    {0, 14, "<!doctype html", {MM_FORMAT_OTHER, 0, "an HTML page"}},
    {0, 5, "<html", {MM_FORMAT_OTHER, 0, "an HTML page"}},
    {0, 5, "<head", {MM_FORMAT_OTHER, 0, "an HTML page"}},
    {0, 5, "<body", {MM_FORMAT_OTHER, 0, "an HTML page"}},
    {0, 13, "<!doctype svg", {MM_FORMAT_OTHER, 1, "an SVG drawing"}},
    {0, 4, "<svg", {MM_FORMAT_OTHER, 1, "an SVG drawing"}},
    {0, 1, "{", {MM_FORMAT_OTHER, 0, "a JSON text, such as a server's message"}},
};

static int begins(const uint8_t *data, size_t size, const char *word, size_t length) {
    for (size_t i = 0; i < length; i++) {
        if (i >= size)
            return 0;
        int c = data[i] >= 'A' && data[i] <= 'Z' ? data[i] - 'A' + 'a' : data[i];
        if (c != (uint8_t)word[i])
            return 0;
    }
    return 1;
}

/* Whether `word` begins anywhere in the first bytes. */
static int mentions(const uint8_t *data, size_t size, const char *word, size_t length) {
    size_t end = size < 4096 ? size : 4096;
    for (size_t i = 0; i < end; i++)
        if (begins(data + i, size - i, word, length))
            return 1;
    return 0;
}

static mm_format sniff_text(const uint8_t *data, size_t size) {
    size_t at = begins(data, size, "\xef\xbb\xbf", 3) ? 3 : 0;
    while (at < size && (data[at] == ' ' || (data[at] >= '\t' && data[at] <= '\r')))
        at++;
    data += at;
    size -= at;
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        if (begins(data, size, texts[i].bytes, texts[i].length))
            return texts[i].format;
    if (begins(data, size, "<?xml", 5) || begins(data, size, "<!--", 4)) {
        if (mentions(data, size, "<svg", 4))
            return (mm_format){MM_FORMAT_OTHER, 1, "an SVG drawing"};
        if (mentions(data, size, "<html", 5))
            return (mm_format){MM_FORMAT_OTHER, 0, "an HTML page"};
        return (mm_format){MM_FORMAT_OTHER, 0, "an XML document"};
    }
    return (mm_format){MM_FORMAT_OTHER, 0, "no picture that is known here"};
}

mm_format mm_sniff(const uint8_t *data, size_t size) {
    if (size == 0)
        return (mm_format){MM_FORMAT_OTHER, 0, "an empty file"};
    for (size_t i = 0; i < sizeof signatures / sizeof *signatures; i++) {
        const signature *s = &signatures[i];
        if (size >= s->offset + s->length && memcmp(data + s->offset, s->bytes, s->length) == 0)
            return s->format;
    }
    return sniff_text(data, size);
}
