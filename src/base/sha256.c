/* sha256.c - SHA-256 as FIPS 180-4 section 6.2 defines it. */
#include "base/sha256.h"

#include "base/sha256_blocks.h"

#include <string.h>

void mm_sha256_init(mm_sha256 *hash) {
    static const uint32_t initial[8] = {0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a,
                                        0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19};
    memcpy(hash->state, initial, sizeof initial);
    hash->length = 0;
}

void mm_sha256_update(mm_sha256 *hash, const void *data, size_t size) {
    const uint8_t *p = data;
    size_t used = (size_t)(hash->length % 64);
    if (size == 0)
        return; /* `data` may be NULL */
    hash->length += size;
    if (used > 0) {
        size_t room = 64 - used;
        size_t take = size < room ? size : room;
        if (take > 0)
            memcpy(hash->block + used, p, take);
        if (take < room)
            return;
        mm_sha256_blocks(hash->state, hash->block, 1);
        p += take;
        size -= take;
    }
    mm_sha256_blocks(hash->state, p, size / 64);
    p += size / 64 * 64;
    size %= 64;
    if (size > 0)
        memcpy(hash->block, p, size);
}

void mm_sha256_finish(char out[65], mm_sha256 *hash) {
    static const uint8_t padding[64] = {0x80};
    uint64_t bits = hash->length * 8;
    size_t used = (size_t)(hash->length % 64);
    mm_sha256_update(hash, padding, used < 56 ? 56 - used : 120 - used);
    uint8_t tail[8];
    for (int i = 0; i < 8; i++)
        tail[i] = (uint8_t)(bits >> (56 - 8 * i));
    mm_sha256_update(hash, tail, sizeof tail);
    static const char digits[] = "0123456789abcdef";
    for (int i = 0; i < 64; i++) {
        uint32_t nibble = hash->state[i / 8] >> (28 - 4 * (i % 8)) & 15;
        out[i] = digits[nibble];
    }
    out[64] = 0;
}

void mm_sha256_of(char out[65], const void *data, size_t size) {
    mm_sha256 hash;
    mm_sha256_init(&hash);
    mm_sha256_update(&hash, data, size);
    mm_sha256_finish(out, &hash);
}

int mm_hash_parse(uint8_t out[32], const char *text) {
    static const char digits[] = "0123456789abcdef";
    if (strlen(text) != 64)
        return 0;
    memset(out, 0, 32);
    for (size_t i = 0; i < 64; i++) {
        const char *digit = strchr(digits, text[i]);
        if (!digit)
            return 0;
        out[i / 2] = (uint8_t)(out[i / 2] << 4 | (digit - digits));
    }
    return 1;
}

void mm_hash_print(char out[65], const uint8_t hash[32]) {
    static const char digits[] = "0123456789abcdef";
    for (size_t i = 0; i < 32; i++) {
        out[2 * i] = digits[hash[i] >> 4];
        out[2 * i + 1] = digits[hash[i] & 15];
    }
    out[64] = '\0';
}

int mm_hash_compare(const void *a, const void *b) {
    return memcmp(a, b, 32);
}
