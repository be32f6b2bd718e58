/* alpha.c - from RGBA to RGB. */
#include "image/image.h"

void mm_alpha_blend(uint8_t out[3], const uint8_t rgba[4], mmood_alpha alpha) {
    unsigned a = alpha == MMOOD_ALPHA_DROP ? 255 : rgba[3];
    unsigned background = alpha == MMOOD_ALPHA_WHITE ? 255 : 0;
    for (int c = 0; c < 3; c++)
        out[c] = (uint8_t)((rgba[c] * a + background * (255 - a) + 127) / 255);
}

void mm_alpha_flatten(uint8_t *out, const uint8_t *rgba, size_t count, mmood_alpha alpha) {
    for (size_t i = 0; i < count; i++)
        mm_alpha_blend(out + 3 * i, rgba + 4 * i, alpha);
}
