/* random.h - numbers that look random and are the same on every machine: for dealing and
 * resampling, not for secrets. */
#ifndef MM_BASE_RANDOM_H
#define MM_BASE_RANDOM_H

#include <stdint.h>

/* The next number of SplitMix64 (Steele, Lea, Flood 2014); `*state` begins as the seed. */
static inline uint64_t mm_random_next(uint64_t *state) {
    uint64_t x = *state += 0x9e3779b97f4a7c15u;
    x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9u;
    x = (x ^ (x >> 27)) * 0x94d049bb133111ebu;
    return x ^ (x >> 31);
}

#endif
