/* sha256_blocks.h - the inner part of SHA-256, for sha256.c and its test. */
#ifndef MM_BASE_SHA256_BLOCKS_H
#define MM_BASE_SHA256_BLOCKS_H

#include <stddef.h>
#include <stdint.h>

/* Takes `count` blocks of 64 bytes into `state`, as fast as the CPU can. */
void mm_sha256_blocks(uint32_t state[8], const uint8_t *p, size_t count);

/* The same in plain C. */
void mm_sha256_blocks_plain(uint32_t state[8], const uint8_t *p, size_t count);

/* 1 if the CPU has instructions for SHA-256, which mm_sha256_blocks then uses. */
int mm_sha256_has_instructions(void);

#endif
