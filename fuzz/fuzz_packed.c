/* fuzz_packed.c - files of packed weights and tokenizers' tables: as they are, and with a seal that
 * fits, so that what is behind it is reached. What parses is read through and encodes a text. */
#include "base/sha256.h"
#include "clip/packed.h"
#include "clip/tokenizer_internal.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char key[] = "weights";

static void parse(const uint8_t *file, size_t size) {
    mm_packed *packed;
    mmood_error error;
    if (mm_packed_parse(&packed, file, size, key, &error) != MMOOD_OK)
        return;
    size_t sound = 0;
    for (size_t i = 0; i < packed->count; i++)
        sound += (size_t)mm_packed_check(&packed->records[i]);
    if (sound > packed->count)
        abort();
    mm_tokenizer *tokenizer;
    if (mm_tokenizer_from_record(&tokenizer, &packed->records[0], &error) == MMOOD_OK) {
        uint32_t ids[16];
        size_t count;
        static const char text[] = "a photo of abc ab";
        mm_tokenizer_encode(ids, &count, NULL, tokenizer, text, sizeof text - 1, 16, &error);
        mm_tokenizer_free(tokenizer);
    }
    mm_packed_free(packed);
}

/* The seal of packed.h over all up to where the data begin, if that is inside. */
static void seal(uint8_t *file, size_t size) {
    uint64_t key_size, count;
    if (size < 128)
        return;
    memcpy(&key_size, file + 32, sizeof key_size);
    memcpy(&count, file + 40, sizeof count);
    if (key_size > size || count > size)
        return;
    uint64_t end = 128 + (key_size + 7) / 8 * 8 + count * 8 * (4 + 3 * MM_SECTION_COUNT);
    if (end > size)
        return;
    mm_sha256 hash;
    char digest[65];
    mm_sha256_init(&hash);
    mm_sha256_update(&hash, file, 64);
    mm_sha256_update(&hash, file + 128, end - 128);
    mm_sha256_finish(digest, &hash);
    memcpy(file + 64, digest, 64);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    uint8_t *file = aligned_alloc(64, size / 64 * 64 + 64); /* as a mapping is */
    if (!file)
        return 0;
    if (size)
        memcpy(file, data, size);
    parse(file, size);
    seal(file, size);
    parse(file, size);
    free(file);
    return 0;
}
