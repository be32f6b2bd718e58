/* tokenizer_internal.h - the tables that tokenizer_parse.c fills and tokenizer.c uses, and the
 * check of everything else in a tokenizer.json. */
#ifndef MM_CLIP_TOKENIZER_INTERNAL_H
#define MM_CLIP_TOKENIZER_INTERNAL_H

#include "base/file.h"
#include "clip/packed.h"
#include "clip/tokenizer.h"

#include <jansson.h>

enum { MM_MAX_SPECIALS = 64 };

/* Two neighbouring tokens that become one; rank 0 is merged first. */
typedef struct mm_merge {
    uint32_t left;
    uint32_t right;
    uint32_t rank; /* UINT32_MAX: an empty slot */
    uint32_t merged;
} mm_merge;

/* A token that is recognised in the text as it stands, such as "<|endoftext|>". */
typedef struct mm_special {
    char *text;
    size_t length;
    uint32_t id;
    int normalized; /* 1: looked for after normalising (`text` is normal, too), 0: before */
} mm_special;

struct mm_tokenizer {
    uint32_t byte[256];     /* token of a byte inside a word */
    uint32_t byte_end[256]; /* of a byte that ends one ("</w>") */
    const mm_merge *merges; /* open addressing, a power of two of slots, one of them empty */
    mm_merge *own_merges;   /* the same, unless they are the map's */
    mm_map map;
    size_t merge_mask;
    mm_special specials[MM_MAX_SPECIALS];
    size_t special_count;
    uint32_t bos;
    uint32_t eot;
    size_t vocabulary;
};

/* The bytes of a tokenizer's files. */
typedef struct mm_tokenizer_files {
    uint8_t *vocab; /* tokenizer.json, or vocab.json with */
    size_t vocab_size;
    uint8_t *merges; /*   merges.txt */
    size_t merges_size;
} mm_tokenizer_files;

mmood_status mm_tokenizer_read(mm_tokenizer_files *out, const char *directory, mmood_error *error);
mmood_status mm_tokenizer_parse(mm_tokenizer **out, const mm_tokenizer_files *files,
                                mmood_error *error);
void mm_tokenizer_files_free(mm_tokenizer_files *files);

/* A tokenizer over the record of a .packed file, which must outlive it; FORMAT if the tables are
 * not such that any text can be encoded by them. */
mmood_status mm_tokenizer_from_record(mm_tokenizer **out, const mm_packed_record *record,
                                      mmood_error *error);

/* Where the search for a pair begins. */
static inline size_t mm_merge_slot(uint32_t left, uint32_t right, size_t mask) {
    uint64_t key = ((uint64_t)left << 32 | right) * 0x9E3779B97F4A7C15u;
    return (size_t)(key >> 32) & mask;
}

/* UNSUPPORTED unless everything in a tokenizer.json but its tables is CLIP's. */
mmood_status mm_tokenizer_check_pipeline(const json_t *root, mmood_error *error);

#endif
