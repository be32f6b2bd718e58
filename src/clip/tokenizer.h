/* tokenizer.h - CLIP's byte-level BPE, equal to Hugging Face's CLIPTokenizer: NFC, whitespace
 * collapsed, lower case, the original split pattern, merges with "</w>". */
#ifndef MM_CLIP_TOKENIZER_H
#define MM_CLIP_TOKENIZER_H

#include "clip/note.h"
#include "mmood.h"

/* Immutable once opened; any number of threads may encode with it. */
typedef struct mm_tokenizer mm_tokenizer;

/* Reads tokenizer.json if `directory` has it, else vocab.json and merges.txt. */
mmood_status mm_tokenizer_open(mm_tokenizer **out, const char *directory, mmood_error *error);

/* The same by way of a folder (store.h; may be NULL), where the tables are kept by the contents of
 * these files: reading them takes a few milliseconds, making them fifty. */
mmood_status mm_tokenizer_open_kept(mm_tokenizer **out, const char *directory, const char *folder,
                                    const mm_note *note, mmood_error *error);

/* From the bytes of a tokenizer.json, or of vocab.json and merges.txt. */
mmood_status mm_tokenizer_parse_json(mm_tokenizer **out, const void *data, size_t size,
                                     mmood_error *error);
mmood_status mm_tokenizer_parse_files(mm_tokenizer **out, const void *vocab, size_t vocab_size,
                                      const void *merges, size_t merges_size, mmood_error *error);

/* Ids of `text`, BOS and EOT included, at most `limit` (>= 2); the last is EOT also when the text
 * was cut, and then `*truncated` (may be NULL) is 1. FORMAT for invalid UTF-8. */
mmood_status mm_tokenizer_encode(uint32_t *out, size_t *count, int *truncated,
                                 const mm_tokenizer *tokenizer, const char *text, size_t length,
                                 size_t limit, mmood_error *error);

uint32_t mm_tokenizer_bos(const mm_tokenizer *tokenizer);
uint32_t mm_tokenizer_eot(const mm_tokenizer *tokenizer);

/* One more than the largest id. */
size_t mm_tokenizer_vocabulary(const mm_tokenizer *tokenizer);

void mm_tokenizer_free(mm_tokenizer *tokenizer);

#endif
