/* numbers.h - reproducible noise and bfloat16 for tests of arithmetic. */
#ifndef MM_TESTS_NUMBERS_H
#define MM_TESTS_NUMBERS_H

#include <stdint.h>

/* The next value in -1 .. 1; `state` starts anywhere. */
static inline float noise(uint32_t *state) {
    *state = *state * 1664525u + 1013904223u;
    return (float)(*state >> 8) / 8388608.0f - 1.0f;
}

static inline float from_bf16(uint16_t half) {
    union {
        uint32_t u;
        float f;
    } bits = {(uint32_t)half << 16};
    return bits.f;
}

#endif
