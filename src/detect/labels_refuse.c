/* labels_refuse.c - recognises the files that people give as labels by mistake: web pages,
 * pictures, models. Without this each of their lines would be a label. */
#include "detect/labels.h"

#include "base/error.h"
#include "image/sniff.h"

#include <string.h>
#include <strings.h>
#include <utf8proc.h>

enum { LOOK_AT = 4096 }; /* bytes; a file whose beginning is text is read as text */

static int starts(const char *text, size_t size, const char *with) {
    size_t n = strlen(with);
    return size >= n && strncasecmp(text, with, n) == 0;
}

/* Marked-up text, after the space before it. */
static const char *name_markup(const char *text, size_t size) {
    static const char *const html[] = {"<!doctype html", "<html", "<head", "<body"};
    while (size > 0 && strchr(" \t\r\n", *text)) {
        text++;
        size--;
    }
    for (size_t i = 0; i < sizeof html / sizeof *html; i++)
        if (starts(text, size, html[i]))
            return "an HTML page: the download got an error or login page; get the file itself";
    if (starts(text, size, "<?xml") || starts(text, size, "<svg") ||
        starts(text, size, "<!doctype"))
        return "an XML document";
    if (starts(text, size, "version https://git-lfs"))
        return "a git-lfs pointer: the file itself was not downloaded; run \"git lfs pull\"";
    if (starts(text, size, "%PDF-"))
        return "a PDF document";
    return NULL;
}

/* Every second byte of the beginning is NUL, as in Latin text of 16 bits a character. */
static int is_utf16(const char *data, size_t size) {
    for (size_t first = 0; first < 2; first++) {
        size_t nul = 0, pairs = (size < 64 ? size : 64) / 2;
        for (size_t i = 0; i < pairs; i++)
            nul += data[2 * i + first] == 0 && data[2 * i + 1 - first] != 0;
        if (pairs > 1 && nul == pairs)
            return 1;
    }
    return 0;
}

static int is_utf8(const char *data, size_t size) {
    for (size_t at = 0; at < size && at + 4 < LOOK_AT;) {
        utf8proc_int32_t c;
        utf8proc_ssize_t n = utf8proc_iterate((const utf8proc_uint8_t *)data + at,
                                              (utf8proc_ssize_t)(size - at), &c);
        if (n <= 0)
            return 0;
        at += (size_t)n;
    }
    return 1;
}

mmood_status mm_labels_refuse(const void *data, size_t size, mmood_error *error) {
    static const char zeros[4] = {0};
    const char *bytes = data, *name = NULL;
    if (size == 0)
        return MMOOD_OK;
    int nul = memchr(bytes, 0, size < LOOK_AT ? size : LOOK_AT) != NULL;
    mm_format format = mm_sniff(data, size);
    if (size >= 2 && (memcmp(bytes, "\xff\xfe", 2) == 0 || memcmp(bytes, "\xfe\xff", 2) == 0))
        name = "UTF-16 (it begins with its byte-order mark): save it as UTF-8";
    else if (nul && is_utf16(bytes, size))
        name = "UTF-16: save it as UTF-8";
    else if (nul && size > 8 && memcmp(bytes + 4, zeros, sizeof zeros) == 0 && bytes[8] == '{')
        name = "a safetensors file";
    else if (format.is_picture && (nul || !is_utf8(bytes, size))) /* "BMW" is no BMP picture */
        name = format.name;
    else if (nul)
        name = "binary";
    else
        name = name_markup(bytes, size);
    return name ? mm_error_set(error, MMOOD_ERROR_FORMAT,
                               "the file is %s; labels are text, one a line, or JSON", name)
                : MMOOD_OK;
}
