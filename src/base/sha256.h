/* sha256.h - SHA-256 (FIPS 180-4), for fingerprints of models, settings and files. */
#ifndef MM_BASE_SHA256_H
#define MM_BASE_SHA256_H

#include <stddef.h>
#include <stdint.h>

typedef struct mm_sha256 {
    uint32_t state[8];
    uint64_t length; /* bytes taken so far */
    uint8_t block[64];
} mm_sha256;

void mm_sha256_init(mm_sha256 *hash);
void mm_sha256_update(mm_sha256 *hash, const void *data, size_t size);

/* Writes 64 lower-case hex digits and a NUL. The hash is used up. */
void mm_sha256_finish(char out[65], mm_sha256 *hash);

/* The same for bytes that lie together. */
void mm_sha256_of(char out[65], const void *data, size_t size);

/* 64 lower-case hex digits to 32 bytes; 0 if `text` is anything else. */
int mm_hash_parse(uint8_t out[32], const char *text);

/* 32 bytes to 64 lower-case hex digits and a NUL. */
void mm_hash_print(char out[65], const uint8_t hash[32]);

/* The order of two hashes of 32 bytes, for qsort and bsearch. */
int mm_hash_compare(const void *a, const void *b);

#endif
