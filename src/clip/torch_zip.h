/* torch_zip.h - the entries of a zip archive as torch.save writes it: stored, not compressed. */
#ifndef MM_CLIP_TORCH_ZIP_H
#define MM_CLIP_TORCH_ZIP_H

#include "mmood.h"

#include <stddef.h>
#include <stdint.h>

/* One file of the archive. The name borrows from the archive and has no NUL after it. */
typedef struct mm_zip_entry {
    const char *name;
    size_t name_length;
    const uint8_t *data;
    size_t size;  /* of the data as they are in the archive */
    size_t first; /* where its local header begins in the archive */
    int stored;   /* 0: the data are compressed or encrypted */
} mm_zip_entry;

/* Borrows the archive's bytes. */
typedef struct mm_zip {
    mm_zip_entry *entries; /* sorted by name */
    size_t count;
} mm_zip;

/* Lists the entries of the archive in data[0 .. size), zip64 included. Refuses a split archive,
 * names that come twice, and entries that overlap or leave the archive. Nothing is unpacked. */
mmood_status mm_zip_open(mm_zip *out, const uint8_t *data, size_t size, mmood_error *error);

/* NULL if there is no such entry. */
const mm_zip_entry *mm_zip_find(const mm_zip *zip, const char *name, size_t length);

void mm_zip_free(mm_zip *zip);

#endif
