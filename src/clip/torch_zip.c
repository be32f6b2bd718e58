/* torch_zip.c - finding the entries of a zip archive (PKWARE's APPNOTE 6.3, sections 4.3 to 4.5):
 * the central directory at the end, then each entry's local header. */
#include "clip/torch_zip.h"

#include "base/error.h"

#include <stdlib.h>
#include <string.h>

enum {
    END_SIZE = 22,
    END64_SIZE = 56,
    LOCATOR_SIZE = 20,
    CENTRAL_SIZE = 46,
    LOCAL_SIZE = 30,
    MAX_COMMENT = 65535,
    MAX_NAME = 512,
    MAX_ENTRIES = 1 << 17,
    ENCRYPTED = 1,
    ZIP64_EXTRA = 1
};

static uint64_t number(const uint8_t *at, size_t bytes) {
    uint64_t value = 0;
    for (size_t i = bytes; i-- > 0;)
        value = value << 8 | at[i];
    return value;
}

static int signed_by(const uint8_t *at, char third, char fourth) {
    return at[0] == 'P' && at[1] == 'K' && at[2] == third && at[3] == fourth;
}

/* Where the central directory is. */
typedef struct directory {
    uint64_t first, size, count;
} directory;

/* The end record's place; SIZE_MAX if there is none. A comment may follow it. */
static size_t find_end(const uint8_t *data, size_t size) {
    for (size_t comment = 0; comment <= MAX_COMMENT && comment + END_SIZE <= size; comment++) {
        size_t at = size - END_SIZE - comment;
        if (signed_by(data + at, 5, 6) && number(data + at + 20, 2) == comment)
            return at;
    }
    return SIZE_MAX;
}

/* What the zip64 record says, which a locator right before the end record points to. `*end` becomes
 * the place of that record. */
static mmood_status read_end64(directory *out, size_t *end, const uint8_t *data,
                               mmood_error *error) {
    size_t locator = *end - LOCATOR_SIZE;
    uint64_t at = number(data + locator + 8, 8);
    if (locator < END64_SIZE || at > locator - END64_SIZE || !signed_by(data + at, 6, 6) ||
        number(data + at + 4, 8) != locator - at - 12 || number(data + locator + 16, 4) > 1)
        return mm_error_set(error, MMOOD_ERROR_FORMAT,
                            "the zip archive is damaged: its zip64 record is not at byte %llu, "
                            "where the locator puts it; download the file again",
                            (unsigned long long)at);
    const uint8_t *record = data + at;
    directory wide = {number(record + 48, 8), number(record + 40, 8), number(record + 32, 8)};
    int agree = (out->first == UINT32_MAX || out->first == wide.first) &&
                (out->size == UINT32_MAX || out->size == wide.size) &&
                (out->count == UINT16_MAX || out->count == wide.count);
    if (!agree || number(record + 16, 4) != 0 || number(record + 20, 4) != 0 ||
        number(record + 24, 8) != wide.count)
        return mm_error_set(error, MMOOD_ERROR_FORMAT,
                            "the zip archive is damaged: its zip64 record and its end record "
                            "differ; download the file again");
    *out = wide;
    *end = (size_t)at;
    return MMOOD_OK;
}

static mmood_status find_directory(directory *out, const uint8_t *data, size_t size,
                                   mmood_error *error) {
    size_t end = find_end(data, size);
    if (end == SIZE_MAX)
        return mm_error_set(error, MMOOD_ERROR_FORMAT,
                            "the zip archive is truncated: its end record is missing after %zu "
                            "bytes; download the file again",
                            size);
    const uint8_t *record = data + end;
    *out = (directory){number(record + 16, 4), number(record + 12, 4), number(record + 10, 2)};
    mmood_status status = MMOOD_OK;
    if (end >= LOCATOR_SIZE && signed_by(record - LOCATOR_SIZE, 6, 7))
        status = read_end64(out, &end, data, error);
    else if (number(record + 4, 4) != 0 || number(record + 8, 2) != out->count)
        status = mm_error_set(error, MMOOD_ERROR_UNSUPPORTED,
                              "the zip archive is one part of a split archive; save the model's "
                              "state dict again with torch.save, which writes one file");
    if (status != MMOOD_OK)
        return status;
    if (out->first > end || out->size != end - out->first)
        return mm_error_set(error, MMOOD_ERROR_FORMAT,
                            "the zip archive is damaged: its directory spans %llu bytes from byte "
                            "%llu, expected to end at byte %zu; download the file again",
                            (unsigned long long)out->size, (unsigned long long)out->first, end);
    if (out->count > out->size / CENTRAL_SIZE)
        return mm_error_set(error, MMOOD_ERROR_FORMAT,
                            "the zip archive is damaged: its directory of %llu bytes cannot list "
                            "%llu entries; download the file again",
                            (unsigned long long)out->size, (unsigned long long)out->count);
    if (out->count > MAX_ENTRIES)
        return mm_error_set(error, MMOOD_ERROR_LIMIT,
                            "the zip archive has %llu entries; at most %d are read, one per tensor",
                            (unsigned long long)out->count, (int)MAX_ENTRIES);
    return MMOOD_OK;
}

/* What a record of the central directory says. */
typedef struct central {
    uint64_t packed, size, local;
    const uint8_t *record;
    size_t length; /* of the record */
} central;

/* Takes the next 8 bytes of the zip64 extra field in place of a number that did not fit. */
static int widen(uint64_t *value, const uint8_t **field, size_t *left) {
    if (*value != UINT32_MAX)
        return 1;
    if (*left < 8)
        return 0;
    *value = number(*field, 8);
    *field += 8;
    *left -= 8;
    return 1;
}

/* 0 if the extra fields of a record do not fit or a needed number is missing. */
static int read_extra(central *c, const uint8_t *extra, size_t size) {
    const uint8_t *wide = NULL;
    size_t wide_size = 0;
    while (size >= 4) {
        size_t length = (size_t)number(extra + 2, 2);
        if (length > size - 4)
            return 0;
        if (number(extra, 2) == ZIP64_EXTRA) {
            wide = extra + 4;
            wide_size = length;
        }
        extra += 4 + length;
        size -= 4 + length;
    }
    return widen(&c->size, &wide, &wide_size) && widen(&c->packed, &wide, &wide_size) &&
           widen(&c->local, &wide, &wide_size);
}

/* Reads the record at `at`; the directory ends at `end`. */
static mmood_status read_central(central *c, mm_zip_entry *entry, const uint8_t *at,
                                 const uint8_t *end, mmood_error *error) {
    size_t left = (size_t)(end - at);
    if (left < CENTRAL_SIZE || !signed_by(at, 1, 2))
        return mm_error_set(error, MMOOD_ERROR_FORMAT,
                            "the zip archive is damaged: a record of its directory is missing; "
                            "download the file again");
    size_t name = (size_t)number(at + 28, 2), extra = (size_t)number(at + 30, 2);
    *c = (central){.packed = number(at + 20, 4),
                   .size = number(at + 24, 4),
                   .local = number(at + 42, 4),
                   .record = at,
                   .length = CENTRAL_SIZE + name + extra + (size_t)number(at + 32, 2)};
    if (name == 0 || name > MAX_NAME || c->length > left)
        return mm_error_set(error, MMOOD_ERROR_FORMAT,
                            "the zip archive has an entry with a name of %zu bytes; 1 to %d are "
                            "possible, within its directory",
                            name, (int)MAX_NAME);
    *entry = (mm_zip_entry){
        .name = (const char *)at + CENTRAL_SIZE,
        .name_length = name,
        .stored = number(at + 10, 2) == 0 && !(number(at + 8, 2) & ENCRYPTED),
    };
    if (memchr(entry->name, 0, name) || !read_extra(c, at + CENTRAL_SIZE + name, extra) ||
        (entry->stored && c->packed != c->size))
        return mm_error_set(error, MMOOD_ERROR_FORMAT,
                            "the zip archive is damaged at its entry \"%.*s\"; download the file "
                            "again",
                            (int)name, entry->name);
    return MMOOD_OK;
}

/* Finds the entry's bytes behind its local header, before `limit`. The header must agree with the
 * directory, or programs would see different files in one archive. */
static mmood_status locate(const central *c, mm_zip_entry *entry, const uint8_t *data, size_t limit,
                           mmood_error *error) {
    size_t length = entry->name_length;
    int sound = c->local < limit && limit - c->local >= LOCAL_SIZE;
    const uint8_t *local = sound ? data + c->local : NULL;
    sound = sound && signed_by(local, 3, 4) && number(local + 8, 2) == number(c->record + 10, 2) &&
            number(local + 26, 2) == length;
    size_t header = sound ? LOCAL_SIZE + length + (size_t)number(local + 28, 2) : 0;
    sound =
        sound && header <= limit - c->local && memcmp(local + LOCAL_SIZE, entry->name, length) == 0;
    if (!sound)
        return mm_error_set(error, MMOOD_ERROR_FORMAT,
                            "the zip archive is damaged: byte %llu should begin its entry "
                            "\"%.*s\"; download the file again",
                            (unsigned long long)c->local, (int)length, entry->name);
    size_t room = limit - (size_t)c->local - header;
    if (c->packed > room)
        return mm_error_set(error, MMOOD_ERROR_FORMAT,
                            "the zip archive is damaged: its entry \"%.*s\" claims %llu bytes, "
                            "but only %zu follow; download the file again",
                            (int)length, entry->name, (unsigned long long)c->packed, room);
    entry->first = (size_t)c->local;
    entry->data = local + header;
    entry->size = (size_t)c->packed;
    return MMOOD_OK;
}

static int by_place(const void *a, const void *b) {
    const mm_zip_entry *x = a, *y = b;
    return (x->first > y->first) - (x->first < y->first);
}

static int compare_names(const char *a, size_t a_length, const char *b, size_t b_length) {
    int order = memcmp(a, b, a_length < b_length ? a_length : b_length);
    return order ? order : (a_length > b_length) - (a_length < b_length);
}

static int by_name(const void *a, const void *b) {
    const mm_zip_entry *x = a, *y = b;
    return compare_names(x->name, x->name_length, y->name, y->name_length);
}

/* No two entries share bytes or a name. Leaves them sorted by name. */
static mmood_status check_apart(mm_zip *zip, const uint8_t *data, mmood_error *error) {
    mm_zip_entry *e = zip->entries;
    qsort(e, zip->count, sizeof *e, by_place);
    for (size_t i = 1; i < zip->count; i++)
        if ((size_t)(e[i - 1].data - data) + e[i - 1].size > e[i].first)
            return mm_error_set(error, MMOOD_ERROR_FORMAT,
                                "the zip entries \"%.*s\" and \"%.*s\" overlap; download the file "
                                "again, or distrust it",
                                (int)e[i - 1].name_length, e[i - 1].name, (int)e[i].name_length,
                                e[i].name);
    qsort(e, zip->count, sizeof *e, by_name);
    for (size_t i = 1; i < zip->count; i++)
        if (by_name(&e[i - 1], &e[i]) == 0)
            return mm_error_set(error, MMOOD_ERROR_FORMAT,
                                "the zip archive has two entries \"%.*s\"; download the file "
                                "again, or distrust it",
                                (int)e[i].name_length, e[i].name);
    return MMOOD_OK;
}

mmood_status mm_zip_open(mm_zip *out, const uint8_t *data, size_t size, mmood_error *error) {
    directory where = {0};
    *out = (mm_zip){0};
    mmood_status status = find_directory(&where, data, size, error);
    if (status != MMOOD_OK)
        return status;
    out->entries = calloc((size_t)where.count + 1, sizeof *out->entries);
    if (!out->entries)
        return mm_error_set(error, MMOOD_ERROR_MEMORY, "no memory for the list of zip entries");
    const uint8_t *at = data + where.first, *end = at + where.size;
    for (; out->count < where.count && status == MMOOD_OK; out->count++) {
        mm_zip_entry *entry = &out->entries[out->count];
        central c = {0};
        status = read_central(&c, entry, at, end, error);
        if (status == MMOOD_OK)
            status = locate(&c, entry, data, (size_t)where.first, error);
        if (status == MMOOD_OK)
            at += c.length;
    }
    if (status == MMOOD_OK && at != end)
        status = mm_error_set(error, MMOOD_ERROR_FORMAT,
                              "the zip archive is damaged: its directory has %zu bytes more than "
                              "its %zu entries take; download the file again",
                              (size_t)(end - at), out->count);
    if (status == MMOOD_OK)
        status = check_apart(out, data, error);
    if (status != MMOOD_OK)
        mm_zip_free(out);
    return status;
}

const mm_zip_entry *mm_zip_find(const mm_zip *zip, const char *name, size_t length) {
    mm_zip_entry key = {.name = name, .name_length = length};
    return bsearch(&key, zip->entries, zip->count, sizeof key, by_name);
}

void mm_zip_free(mm_zip *zip) {
    free(zip->entries);
    *zip = (mm_zip){0};
}
