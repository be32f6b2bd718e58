/* base64.c - reading base64 as others send it. */
#include "base/base64.h"

#include "base/error.h"

#include <stdint.h>
#include <string.h>

static int digit(char c) {
    if (c >= 'A' && c <= 'Z')
        return c - 'A';
    if (c >= 'a' && c <= 'z')
        return c - 'a' + 26;
    if (c >= '0' && c <= '9')
        return c - '0' + 52;
    return c == '+' || c == '-' ? 62 : c == '/' || c == '_' ? 63 : -1;
}

/* Length of "data:image/png;base64,", 0 without one. */
static size_t prefix_length(const char *text, size_t size) {
    if (size < 5 || memcmp(text, "data:", 5) != 0)
        return 0;
    const char *comma = memchr(text, ',', size < 256 ? size : 256);
    return comma ? (size_t)(comma - text) + 1 : 0;
}

mmood_status mm_base64_read(mm_buffer *out, const char *text, size_t size, mmood_error *error) {
    size_t before = out->size, start = 0;
    while (start < size && strchr(" \t\r\n", text[start]) && text[start])
        start++;
    start += prefix_length(text + start, size - start);
    uint32_t bits = 0;
    int have = 0, padded = 0;
    uint8_t bytes[768];
    size_t filled = 0;
    for (size_t i = start; i < size; i++) {
        char c = text[i];
        if (c == ' ' || c == '\t' || c == '\r' || c == '\n')
            continue;
        int value = c == '=' ? 0 : digit(c);
        padded |= c == '=';
        if (value < 0 || (padded && c != '='))
            return mm_error_set(error, MMOOD_ERROR_FORMAT,
                                "the base64 text has a byte 0x%02x at position %zu that does not "
                                "belong there",
                                (unsigned char)c, i + 1);
        if (padded)
            continue;
        bits = bits << 6 | (uint32_t)value;
        if (++have % 4 != 0)
            continue;
        bytes[filled++] = (uint8_t)(bits >> 16);
        bytes[filled++] = (uint8_t)(bits >> 8);
        bytes[filled++] = (uint8_t)bits;
        bits = 0;
        have = 0;
        if (filled == sizeof bytes) {
            mm_buffer_append(out, bytes, filled);
            filled = 0;
        }
    }
    if (have == 1)
        return mm_error_set(error, MMOOD_ERROR_FORMAT,
                            "the base64 text is cut: a single digit is left at its end");
    bits <<= 6 * (4 - have);
    for (int i = 0; i + 1 < have; i++)
        bytes[filled++] = (uint8_t)(bits >> (16 - 8 * i));
    mm_buffer_append(out, bytes, filled);
    if (out->failed)
        return mm_error_set(error, MMOOD_ERROR_MEMORY, "no memory to decode base64");
    if (out->size == before)
        return mm_error_set(error, MMOOD_ERROR_FORMAT, "the base64 text is empty");
    return MMOOD_OK;
}
