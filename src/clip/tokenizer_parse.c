/* tokenizer_parse.c - reading CLIP's vocabulary and merges: tokenizer.json, or vocab.json +
 * merges.txt. */
#include "clip/normalize.h"
#include "clip/tokenizer_internal.h"

#include "base/error.h"
#include "base/file.h"
#include "base/json.h"

#include <stdlib.h>
#include <string.h>

enum { MAX_FILE = 256 << 20, MAX_ID = 1 << 20, MAX_MERGES = 1 << 22, MAX_TOKEN = 1024 };

/* GPT-2's printable stand-in for a byte (github.com/openai/gpt-2, bytes_to_unicode): bytes that
 * print stand for themselves, the others for U+0100 onwards in order. Written as UTF-8 to `out`. */
static size_t byte_symbol(char out[4], int byte) {
    unsigned code = (unsigned)byte;
    int prints = (byte >= 33 && byte <= 126) || (byte >= 161 && byte <= 172) || byte >= 174;
    if (!prints) {
        code = 256;
        for (int b = 0; b < byte; b++)
            if (!((b >= 33 && b <= 126) || (b >= 161 && b <= 172) || b >= 174))
                code++;
    }
    if (code < 0x80) {
        out[0] = (char)code;
        return 1;
    }
    out[0] = (char)(0xc0 | code >> 6);
    out[1] = (char)(0x80 | (code & 0x3f));
    return 2;
}

static int find_id(uint32_t *out, const json_t *vocab, const char *token) {
    const json_t *value = json_object_get(vocab, token);
    if (!json_is_integer(value))
        return 0;
    *out = (uint32_t)json_integer_value(value);
    return 1;
}

/* Every id once, none absurd. `taken` has a bit for each id. */
static mmood_status check_ids(mm_tokenizer *t, const json_t *vocab, uint8_t *taken,
                              mmood_error *error) {
    const char *token;
    json_t *value;
    json_object_foreach((json_t *)(uintptr_t)vocab, token, value) {
        json_int_t id = json_is_integer(value) ? json_integer_value(value) : -1;
        if (id < 0 || id >= MAX_ID)
            return mm_error_set(error, MMOOD_ERROR_FORMAT,
                                "token \"%s\": its id must be a whole number from 0 to %d", token,
                                MAX_ID - 1);
        if (taken[id / 8] >> id % 8 & 1)
            return mm_error_set(error, MMOOD_ERROR_FORMAT,
                                "token \"%s\": another token has the id %d, too", token, (int)id);
        taken[id / 8] |= (uint8_t)(1u << id % 8);
        if ((size_t)id >= t->vocabulary)
            t->vocabulary = (size_t)id + 1;
    }
    return MMOOD_OK;
}

/* Checks the vocabulary and looks up the tokens of all bytes. */
static mmood_status read_vocab(mm_tokenizer *t, const json_t *vocab, mmood_error *error) {
    if (!json_is_object(vocab))
        return mm_error_set(error, MMOOD_ERROR_FORMAT,
                            "the vocabulary must be an object of token: id");
    uint8_t *taken = calloc(MAX_ID / 8, 1);
    if (!taken)
        return mm_error_set(error, MMOOD_ERROR_MEMORY, "no memory for a vocabulary");
    mmood_status status = check_ids(t, vocab, taken, error);
    free(taken);
    if (status != MMOOD_OK)
        return status;
    for (int byte = 0; byte < 256; byte++) {
        char symbol[16];
        size_t n = byte_symbol(symbol, byte);
        symbol[n] = 0;
        int ok = find_id(&t->byte[byte], vocab, symbol);
        memcpy(symbol + n, "</w>", 5);
        if (!ok || !find_id(&t->byte_end[byte], vocab, symbol))
            return mm_error_set(
                error, MMOOD_ERROR_FORMAT,
                "the vocabulary lacks a token for the byte 0x%02x, so it is not CLIP's "
                "byte-level vocabulary",
                byte);
    }
    return MMOOD_OK;
}

static void add_merge(mm_tokenizer *t, uint32_t left, uint32_t right, uint32_t rank,
                      uint32_t merged) {
    size_t slot = mm_merge_slot(left, right, t->merge_mask);
    while (t->own_merges[slot].rank != UINT32_MAX) {
        if (t->own_merges[slot].left == left && t->own_merges[slot].right == right)
            break; /* a pair that comes twice has its later rank, as in Hugging Face's */
        slot = (slot + 1) & t->merge_mask;
    }
    t->own_merges[slot] = (mm_merge){left, right, rank, merged};
}

static mmood_status reserve_merges(mm_tokenizer *t, size_t count, mmood_error *error) {
    size_t slots = 16;
    if (count > MAX_MERGES)
        return mm_error_set(error, MMOOD_ERROR_LIMIT, "%zu merges; at most %d are possible", count,
                            (int)MAX_MERGES);
    while (slots < 2 * count)
        slots *= 2;
    t->merges = t->own_merges = malloc(slots * sizeof *t->own_merges);
    if (!t->merges)
        return mm_error_set(error, MMOOD_ERROR_MEMORY, "no memory for %zu merges", count);
    for (size_t i = 0; i < slots; i++)
        t->own_merges[i].rank = UINT32_MAX;
    t->merge_mask = slots - 1;
    return MMOOD_OK;
}

/* One merge from its two sides, which need not be NUL-terminated. */
static mmood_status read_merge(mm_tokenizer *t, const json_t *vocab, const char *left,
                               size_t left_size, const char *right, size_t right_size, size_t rank,
                               mmood_error *error) {
    char a[MAX_TOKEN + 1], b[MAX_TOKEN + 1], both[2 * MAX_TOKEN + 1];
    uint32_t left_id, right_id, merged;
    if (left_size == 0 || right_size == 0 || left_size > MAX_TOKEN || right_size > MAX_TOKEN)
        return mm_error_set(error, MMOOD_ERROR_FORMAT, "merge %zu is not a pair of tokens", rank);
    memcpy(a, left, left_size);
    a[left_size] = 0;
    memcpy(b, right, right_size);
    b[right_size] = 0;
    memcpy(both, a, left_size);
    memcpy(both + left_size, b, right_size + 1);
    if (!find_id(&left_id, vocab, a) || !find_id(&right_id, vocab, b) ||
        !find_id(&merged, vocab, both))
        return mm_error_set(
            error, MMOOD_ERROR_FORMAT,
            "merge %zu (\"%s\" and \"%s\"): one of them or both together are not in "
            "the vocabulary",
            rank, a, b);
    add_merge(t, left_id, right_id, (uint32_t)rank, merged);
    return MMOOD_OK;
}

/* Merges of a tokenizer.json: "a b", or ["a", "b"] since tokenizers 0.20. */
static mmood_status read_json_merges(mm_tokenizer *t, const json_t *vocab, const json_t *merges,
                                     mmood_error *error) {
    if (!json_is_array(merges))
        return mm_error_set(error, MMOOD_ERROR_FORMAT, "model.merges must be a list");
    mmood_status status = reserve_merges(t, json_array_size(merges), error);
    for (size_t i = 0; i < json_array_size(merges) && status == MMOOD_OK; i++) {
        const json_t *merge = json_array_get(merges, i);
        const char *text = json_string_value(merge);
        const char *space = text ? strchr(text, ' ') : NULL;
        const char *a = json_string_value(json_array_get(merge, 0));
        const char *b = json_string_value(json_array_get(merge, 1));
        if (space)
            status = read_merge(t, vocab, text, (size_t)(space - text), space + 1,
                                strlen(space + 1), i, error);
        else if (json_array_size(merge) == 2 && a && b)
            status = read_merge(t, vocab, a, strlen(a), b, strlen(b), i, error);
        else
            status =
                mm_error_set(error, MMOOD_ERROR_FORMAT, "merge %zu is not a pair of tokens", i);
    }
    return status;
}

static mmood_status add_special(mm_tokenizer *t, const char *text, uint32_t id, int normalized,
                                mmood_error *error) {
    if (t->special_count == MM_MAX_SPECIALS || strlen(text) > MAX_TOKEN || !text[0])
        return mm_error_set(error, MMOOD_ERROR_LIMIT,
                            "more than %d added tokens, or one that is empty or over %d bytes",
                            (int)MM_MAX_SPECIALS, (int)MAX_TOKEN);
    mm_buffer form = {0};
    mmood_status status = MMOOD_OK;
    if (normalized)
        status = mm_normalize(&form, text, strlen(text), error);
    else
        mm_buffer_puts(&form, text);
    if (status == MMOOD_OK && form.failed)
        status = mm_error_set(error, MMOOD_ERROR_MEMORY, "no memory for a token");
    if (status != MMOOD_OK) {
        mm_buffer_free(&form);
        return status;
    }
    t->specials[t->special_count++] = (mm_special){form.data, form.size, id, normalized};
    if (id >= t->vocabulary)
        t->vocabulary = (size_t)id + 1;
    return MMOOD_OK;
}

static mmood_status read_added(mm_tokenizer *t, const json_t *vocab, const json_t *added,
                               mmood_error *error) {
    mmood_status status = MMOOD_OK;
    for (size_t i = 0; i < json_array_size(added) && status == MMOOD_OK; i++) {
        const json_t *entry = json_array_get(added, i);
        const char *text = json_string_value(json_object_get(entry, "content"));
        const json_t *id = json_object_get(entry, "id");
        if (!text || !json_is_integer(id) || json_integer_value(id) < 0 ||
            json_integer_value(id) >= MAX_ID)
            return mm_error_set(error, MMOOD_ERROR_FORMAT,
                                "added_tokens[%zu] needs \"content\" and \"id\"", i);
        if (json_is_true(json_object_get(entry, "single_word")) ||
            json_is_true(json_object_get(entry, "lstrip")) ||
            json_is_true(json_object_get(entry, "rstrip")))
            return mm_error_set(
                error, MMOOD_ERROR_UNSUPPORTED,
                "added token \"%s\" asks for single_word, lstrip or rstrip, which CLIP "
                "does not use",
                text);
        uint32_t known;
        if (find_id(&known, vocab, text) && known != json_integer_value(id))
            return mm_error_set(error, MMOOD_ERROR_FORMAT,
                                "added token \"%s\" has the id %d, but %u in the vocabulary", text,
                                (int)json_integer_value(id), (unsigned)known);
        status = add_special(t, text, (uint32_t)json_integer_value(id),
                             json_is_true(json_object_get(entry, "normalized")), error);
    }
    return status;
}

/* BOS and EOT go by their names; they must be among the added tokens or in the vocabulary. */
static mmood_status find_ends(mm_tokenizer *t, const json_t *vocab, mmood_error *error) {
    static const char *const names[] = {"<|startoftext|>", "<|endoftext|>"};
    uint32_t *to[] = {&t->bos, &t->eot};
    for (int end = 0; end < 2; end++) {
        int found = find_id(to[end], vocab, names[end]);
        for (size_t i = 0; i < t->special_count; i++)
            if (strcmp(t->specials[i].text, names[end]) == 0) {
                *to[end] = t->specials[i].id;
                found = 1;
            }
        if (!found)
            return mm_error_set(error, MMOOD_ERROR_FORMAT,
                                "there is no token \"%s\", so this is not CLIP's tokenizer",
                                names[end]);
    }
    return MMOOD_OK;
}

static mm_tokenizer *create(mmood_error *error) {
    mm_tokenizer *t = calloc(1, sizeof *t);
    if (!t)
        mm_error_set(error, MMOOD_ERROR_MEMORY, "no memory for a tokenizer");
    return t;
}

mmood_status mm_tokenizer_parse_json(mm_tokenizer **out, const void *data, size_t size,
                                     mmood_error *error) {
    *out = NULL;
    json_t *root;
    mmood_status status = mm_json_parse(&root, data, size, error);
    if (status != MMOOD_OK)
        return status;
    mm_tokenizer *t = create(error);
    const json_t *model = json_object_get(root, "model"), *vocab = json_object_get(model, "vocab");
    if (!t)
        status = MMOOD_ERROR_MEMORY;
    if (status == MMOOD_OK && !json_is_object(model))
        status = mm_error_set(error, MMOOD_ERROR_FORMAT, "there is no \"model\" object");
    if (status == MMOOD_OK)
        status = mm_tokenizer_check_pipeline(root, error);
    if (status == MMOOD_OK)
        status = read_vocab(t, vocab, error);
    if (status == MMOOD_OK)
        status = read_json_merges(t, vocab, json_object_get(model, "merges"), error);
    if (status == MMOOD_OK)
        status = read_added(t, vocab, json_object_get(root, "added_tokens"), error);
    if (status == MMOOD_OK)
        status = find_ends(t, vocab, error);
    json_decref(root);
    if (status == MMOOD_OK)
        *out = t;
    else
        mm_tokenizer_free(t);
    return status;
}

/* merges.txt: a "#version" line, then "a b" a line. */
static mmood_status read_text_merges(mm_tokenizer *t, const json_t *vocab, const char *text,
                                     size_t size, mmood_error *error) {
    size_t lines = 1, rank = 0;
    for (size_t i = 0; i < size; i++)
        lines += text[i] == '\n';
    mmood_status status = reserve_merges(t, lines, error);
    for (size_t at = 0; at < size && status == MMOOD_OK;) {
        const char *line = text + at, *newline = memchr(line, '\n', size - at);
        size_t length = newline ? (size_t)(newline - line) : size - at;
        at += length + 1;
        if (length && line[length - 1] == '\r')
            length--;
        const char *space = memchr(line, ' ', length);
        if (length == 0 || (length >= 8 && memcmp(line, "#version", 8) == 0))
            continue;
        size_t left = space ? (size_t)(space - line) : 0;
        status = read_merge(t, vocab, line, left, space ? space + 1 : line,
                            space ? length - left - 1 : 0, rank++, error);
    }
    return status == MMOOD_OK ? status : mm_error_prefix(error, status, "merges.txt");
}

mmood_status mm_tokenizer_parse_files(mm_tokenizer **out, const void *vocab, size_t vocab_size,
                                      const void *merges, size_t merges_size, mmood_error *error) {
    static const char *const ends[] = {"<|startoftext|>", "<|endoftext|>"};
    *out = NULL;
    json_t *table;
    mmood_status status = mm_json_parse(&table, vocab, vocab_size, error);
    if (status != MMOOD_OK)
        return mm_error_prefix(error, status, "vocab.json");
    mm_tokenizer *t = create(error);
    if (!t)
        status = MMOOD_ERROR_MEMORY;
    if (status == MMOOD_OK) {
        status = read_vocab(t, table, error);
        if (status != MMOOD_OK)
            mm_error_prefix(error, status, "vocab.json");
    }
    if (status == MMOOD_OK)
        status = read_text_merges(t, table, merges, merges_size, error);
    if (status == MMOOD_OK)
        status = find_ends(t, table, error);
    if (status == MMOOD_OK) /* as in OpenAI's tokenizer.json */
        status = add_special(t, ends[0], t->bos, 1, error);
    if (status == MMOOD_OK)
        status = add_special(t, ends[1], t->eot, 0, error);
    json_decref(table);
    if (status == MMOOD_OK)
        *out = t;
    else
        mm_tokenizer_free(t);
    return status;
}

mmood_status mm_tokenizer_read(mm_tokenizer_files *out, const char *directory, mmood_error *error) {
    *out = (mm_tokenizer_files){0};
    if (mm_file_exists_in(directory, "tokenizer.json"))
        return mm_file_read_in(&out->vocab, &out->vocab_size, directory, "tokenizer.json", MAX_FILE,
                               error);
    if (!mm_file_exists_in(directory, "vocab.json"))
        return mm_error_set(error, MMOOD_ERROR_IO,
                            "there is no tokenizer: neither tokenizer.json nor vocab.json with "
                            "merges.txt");
    mmood_status status =
        mm_file_read_in(&out->vocab, &out->vocab_size, directory, "vocab.json", MAX_FILE, error);
    if (status == MMOOD_OK)
        status = mm_file_read_in(&out->merges, &out->merges_size, directory, "merges.txt", MAX_FILE,
                                 error);
    return status;
}

mmood_status mm_tokenizer_parse(mm_tokenizer **out, const mm_tokenizer_files *files,
                                mmood_error *error) {
    if (files->merges)
        return mm_tokenizer_parse_files(out, files->vocab, files->vocab_size, files->merges,
                                        files->merges_size, error);
    mmood_status status = mm_tokenizer_parse_json(out, files->vocab, files->vocab_size, error);
    return status == MMOOD_OK ? status : mm_error_prefix(error, status, "tokenizer.json");
}

void mm_tokenizer_files_free(mm_tokenizer_files *files) {
    free(files->vocab);
    free(files->merges);
    *files = (mm_tokenizer_files){0};
}

mmood_status mm_tokenizer_open(mm_tokenizer **out, const char *directory, mmood_error *error) {
    *out = NULL;
    mm_tokenizer_files files;
    mmood_status status = mm_tokenizer_read(&files, directory, error);
    if (status == MMOOD_OK)
        status = mm_tokenizer_parse(out, &files, error);
    mm_tokenizer_files_free(&files);
    return status;
}

void mm_tokenizer_free(mm_tokenizer *tokenizer) {
    if (!tokenizer)
        return;
    for (size_t i = 0; i < tokenizer->special_count; i++)
        free(tokenizer->specials[i].text);
    free(tokenizer->own_merges);
    mm_map_close(&tokenizer->map);
    free(tokenizer);
}
