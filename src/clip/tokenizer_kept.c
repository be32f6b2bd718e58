/* tokenizer_kept.c - a tokenizer's tables in a .packed file: one record with its numbers, and
 * sections for merges, the tokens of bytes, and special tokens. */
#include "clip/tokenizer_internal.h"

#include "base/buffer.h"
#include "base/error.h"
#include "base/sha256.h"
#include "clip/store.h"

#include <stdlib.h>
#include <string.h>

/* Changes whenever the tables of the same files become others. */
enum { MM_TABLES = 1 };

/* The sections' roles here. */
enum { MERGES = 0, BYTES = 1, SPECIALS = 2 };

/* A special token begins with these; its text follows, without an end. */
typedef struct special_head {
    uint32_t id;
    uint32_t normalized;
    uint32_t length;
} special_head;

static mmood_status refuse(mmood_error *error) {
    return mm_error_set(error, MMOOD_ERROR_FORMAT, "these are no tables of a tokenizer");
}

/* Every id below the vocabulary's size, and an empty slot where searches end. */
static int merges_fit(const mm_merge *merges, size_t slots, size_t vocabulary) {
    size_t empty = 0;
    for (size_t i = 0; i < slots; i++)
        if (merges[i].rank == UINT32_MAX)
            empty++;
        else if (merges[i].left >= vocabulary || merges[i].right >= vocabulary ||
                 merges[i].merged >= vocabulary)
            return 0;
    return empty > 0;
}

static mmood_status read_specials(mm_tokenizer *t, mm_bytes bytes, size_t count,
                                  mmood_error *error) {
    const char *p = bytes.data;
    if (count > MM_MAX_SPECIALS)
        return refuse(error);
    for (size_t left = bytes.size; t->special_count < count;) {
        special_head head;
        if (left < sizeof head)
            return refuse(error);
        memcpy(&head, p, sizeof head);
        p += sizeof head;
        left -= sizeof head;
        if (head.length == 0 || head.length > left || head.id >= t->vocabulary)
            return refuse(error);
        char *text = malloc((size_t)head.length + 1);
        if (!text)
            return mm_error_set(error, MMOOD_ERROR_MEMORY, "no memory for a token");
        memcpy(text, p, head.length);
        text[head.length] = 0;
        t->specials[t->special_count++] =
            (mm_special){text, head.length, head.id, head.normalized != 0};
        p += head.length;
        left -= head.length;
    }
    return MMOOD_OK;
}

mmood_status mm_tokenizer_from_record(mm_tokenizer **out, const mm_packed_record *record,
                                      mmood_error *error) {
    *out = NULL;
    const mm_matrix_image *image = &record->image;
    const mm_bytes *merges = &image->sections[MERGES], *bytes = &image->sections[BYTES];
    size_t slots = merges->size / sizeof(mm_merge);
    mm_tokenizer *t = calloc(1, sizeof *t);
    if (!t)
        return mm_error_set(error, MMOOD_ERROR_MEMORY, "no memory for a tokenizer");
    t->vocabulary = image->inputs;
    t->bos = (uint32_t)(image->layout >> 32);
    t->eot = (uint32_t)image->layout;
    t->merges = merges->data;
    t->merge_mask = slots - 1;
    int fits = slots > 0 && (slots & (slots - 1)) == 0 &&
               merges->size == slots * sizeof(mm_merge) &&
               bytes->size == sizeof t->byte + sizeof t->byte_end && t->bos < t->vocabulary &&
               t->eot < t->vocabulary && merges_fit(t->merges, slots, t->vocabulary);
    if (fits) {
        memcpy(t->byte, bytes->data, sizeof t->byte);
        memcpy(t->byte_end, (const char *)bytes->data + sizeof t->byte, sizeof t->byte_end);
    }
    for (size_t i = 0; fits && i < 256; i++)
        fits = t->byte[i] < t->vocabulary && t->byte_end[i] < t->vocabulary;
    mmood_status status =
        fits ? read_specials(t, image->sections[SPECIALS], image->outputs, error) : refuse(error);
    if (status == MMOOD_OK)
        *out = t;
    else
        mm_tokenizer_free(t);
    return status;
}

static mmood_status open_tables(mm_tokenizer **out, const char *path, const char *key,
                                mmood_error *error) {
    mm_map map;
    mm_packed *packed = NULL;
    mmood_status status = mm_map_open(&map, path, error);
    if (status == MMOOD_OK)
        status = mm_packed_parse(&packed, map.data, map.size, key, error);
    if (status == MMOOD_OK && !mm_packed_check(&packed->records[0]))
        status = mm_error_set(error, MMOOD_ERROR_FORMAT, "the tables have changed");
    if (status == MMOOD_OK)
        status = mm_tokenizer_from_record(out, &packed->records[0], error);
    mm_packed_free(packed);
    if (status == MMOOD_OK)
        (*out)->map = map;
    else
        mm_map_close(&map);
    return status;
}

static mmood_status write_tables(const mm_tokenizer *t, const char *folder, const char *path,
                                 const char *key, mmood_error *error) {
    mm_buffer bytes = {0}, specials = {0};
    mm_buffer_append(&bytes, t->byte, sizeof t->byte);
    mm_buffer_append(&bytes, t->byte_end, sizeof t->byte_end);
    for (size_t i = 0; i < t->special_count; i++) {
        const mm_special *special = &t->specials[i];
        special_head head = {special->id, (uint32_t)special->normalized, (uint32_t)special->length};
        mm_buffer_append(&specials, &head, sizeof head);
        mm_buffer_append(&specials, special->text, special->length);
    }
    mm_packed_record record = {.image = {.inputs = t->vocabulary,
                                         .outputs = t->special_count,
                                         .layout = (uint64_t)t->bos << 32 | t->eot}};
    record.image.sections[MERGES] = (mm_bytes){t->merges, (t->merge_mask + 1) * sizeof *t->merges};
    record.image.sections[BYTES] = (mm_bytes){bytes.data, bytes.size};
    record.image.sections[SPECIALS] = (mm_bytes){specials.data, specials.size};
    mmood_status status = mm_directory_make(folder, error);
    if (status == MMOOD_OK && (bytes.failed || specials.failed))
        status = mm_error_set(error, MMOOD_ERROR_MEMORY, "no memory to write a tokenizer's tables");
    if (status == MMOOD_OK)
        status = mm_packed_write(path, key, &record, 1, error);
    mm_buffer_free(&bytes);
    mm_buffer_free(&specials);
    return status;
}

/* The key of the tables of these files, and where they are kept; 0 if memory is out. */
static int name_tables(char **path, mm_buffer *key, const char *folder,
                       const mm_tokenizer_files *files) {
    char vocab[65], merges[65];
    mm_sha256_of(vocab, files->vocab, files->vocab_size);
    mm_sha256_of(merges, files->merges, files->merges_size);
    mm_buffer_printf(key, "tokenizer %s %s, tables %d", vocab, files->merges ? merges : "-",
                     (int)MM_TABLES);
    *path = key->failed ? NULL : mm_store_path(folder, "tokenizer", key->data);
    return *path != NULL;
}

mmood_status mm_tokenizer_open_kept(mm_tokenizer **out, const char *directory, const char *folder,
                                    const mm_note *note, mmood_error *error) {
    mm_tokenizer_files files;
    mm_buffer key = {0};
    char *path = NULL;
    mmood_error trouble;
    *out = NULL;
    mmood_status status = mm_tokenizer_read(&files, directory, error);
    int named = status == MMOOD_OK && folder && name_tables(&path, &key, folder, &files);
    if (named && open_tables(out, path, key.data, &trouble) == MMOOD_OK) {
        mm_store_touch(path);
    } else if (status == MMOOD_OK) {
        if (named && mm_file_exists(path))
            mm_note_say(note, "%s: %s; the tables are made anew", path, trouble.message);
        status = mm_tokenizer_parse(out, &files, error);
        if (status == MMOOD_OK && named &&
            write_tables(*out, folder, path, key.data, &trouble) != MMOOD_OK)
            mm_note_say(note, "the tokenizer's tables are not kept: %s: %s", path, trouble.message);
    }
    free(path);
    mm_buffer_free(&key);
    mm_tokenizer_files_free(&files);
    return status;
}
