/* packed.h - files of packed weights: written once, then mapped and used where they lie.
 *
 * In the byte order of the CPU that wrote it, since oneDNN's layouts are for one CPU as well:
 *     header    128 bytes: "mmood-packed/1\n" and NUL; u64 0x0102030405060708; u64 size of the
 * file, of the key, number of records, where the data begin; 16 zero bytes; 64 hex digits, the
 * SHA-256 of the header before them, of the key and of the records key       text that says what
 * the weights are of and what packed them; zeros up to 8 bytes records   u64 inputs, outputs,
 * precision, layout; for each mm_section u64 offset, size, checksum data      sections, each
 * beginning at a multiple of 64, in the order of the records The first record is of the vectors:
 * f32, `inputs` of them. */
#ifndef MM_CLIP_PACKED_H
#define MM_CLIP_PACKED_H

#include "clip/onednn.h"

#include <stdint.h>

typedef struct mm_packed_record {
    mm_matrix_image image;
    uint64_t checksums[MM_SECTION_COUNT];
} mm_packed_record;

typedef struct mm_packed {
    mm_packed_record *records;
    size_t count;
} mm_packed;

/* Reads the bytes of a file, which must outlive `*out` and begin at a multiple of 64. The header,
 * the key and the records are as they were written, or refused: FORMAT for damage, MISMATCH for a
 * sound file of another key. Sections lie inside the file; their contents are not looked at. */
mmood_status mm_packed_parse(mm_packed **out, const void *data, size_t size, const char *key,
                             mmood_error *error);

/* 1 if the sections of a record are as they were written. */
int mm_packed_check(const mm_packed_record *record);
void mm_packed_free(mm_packed *packed);

/* Writes a file by way of a temporary one, without waiting for the disk: what a power failure
 * leaves is found out by the checksums. Checksums of `records` are set. */
mmood_status mm_packed_write(const char *path, const char *key, mm_packed_record *records,
                             size_t count, mmood_error *error);

#endif
