/* exif.c - the orientation tag of an EXIF block (TIFF 6.0 structure, EXIF 2.3 tag 0x0112). */
#include "image/image.h"

#include <string.h>

static unsigned read16(const uint8_t *p, int big) {
    return big ? (unsigned)p[0] << 8 | p[1] : (unsigned)p[1] << 8 | p[0];
}

static uint32_t read32(const uint8_t *p, int big) {
    uint32_t high = read16(big ? p : p + 2, big), low = read16(big ? p + 2 : p, big);
    return high << 16 | low;
}

int mm_exif_orientation(const uint8_t *data, size_t size) {
    if (size >= 6 && memcmp(data, "Exif\0\0", 6) == 0) {
        data += 6;
        size -= 6;
    }
    if (size < 8 || (memcmp(data, "II*\0", 4) != 0 && memcmp(data, "MM\0*", 4) != 0))
        return 1;
    int big = data[0] == 'M';
    size_t at = read32(data + 4, big);
    if (at > size || size - at < 2)
        return 1;
    unsigned entries = read16(data + at, big);
    at += 2;
    for (unsigned i = 0; i < entries && size - at >= 12; i++, at += 12) {
        if (read16(data + at, big) != 0x0112)
            continue;
        unsigned type = read16(data + at + 2, big);
        unsigned value = type == 3   ? read16(data + at + 8, big)
                         : type == 4 ? read32(data + at + 8, big)
                                     : 0;
        return value >= 1 && value <= 8 ? (int)value : 1;
    }
    return 1;
}
