/* tokenizer.c - text to token ids, step by step as Hugging Face's fast CLIP tokenizer does it:
 * special tokens, NFC and lower case, words, bytes, merges. */
#include "clip/normalize.h"
#include "clip/tokenizer_internal.h"

#include "base/buffer.h"
#include "base/error.h"

#include <stdlib.h>
#include <string.h>

enum { MAX_TEXT = 1 << 20 };

uint32_t mm_tokenizer_bos(const mm_tokenizer *tokenizer) {
    return tokenizer->bos;
}

uint32_t mm_tokenizer_eot(const mm_tokenizer *tokenizer) {
    return tokenizer->eot;
}

size_t mm_tokenizer_vocabulary(const mm_tokenizer *tokenizer) {
    return tokenizer->vocabulary;
}

/* ---- Merging ------------------------------------------------------------------------------- */

/* A token of a word under merging, linked to its living neighbours. */
typedef struct piece {
    uint32_t id;
    int32_t before; /* -1: none */
    int32_t after;
} piece;

/* A possible merge of piece `at` with the one after it; outdated once either has changed. */
typedef struct candidate {
    uint32_t rank;
    uint32_t at;
    uint32_t left;
    uint32_t right;
} candidate;

/* Memory of one call, reused from word to word. */
typedef struct encoder {
    const mm_tokenizer *tokenizer;
    piece *pieces;
    candidate *heap;
    size_t room; /* pieces; the heap has three times as many */
    size_t heap_count;
    uint32_t *out;
    size_t count;
    size_t limit; /* ids wanted; more are counted, not stored */
} encoder;

static int before(const candidate *a, const candidate *b) {
    return a->rank < b->rank || (a->rank == b->rank && a->at < b->at);
}

static void heap_push(encoder *e, candidate new) {
    size_t i = e->heap_count++;
    for (; i > 0 && before(&new, &e->heap[(i - 1) / 2]); i = (i - 1) / 2)
        e->heap[i] = e->heap[(i - 1) / 2];
    e->heap[i] = new;
}

static candidate heap_pop(encoder *e) {
    candidate top = e->heap[0], last = e->heap[--e->heap_count];
    size_t i = 0;
    for (;;) {
        size_t child = 2 * i + 1;
        if (child >= e->heap_count)
            break;
        if (child + 1 < e->heap_count && before(&e->heap[child + 1], &e->heap[child]))
            child++;
        if (!before(&e->heap[child], &last))
            break;
        e->heap[i] = e->heap[child];
        i = child;
    }
    e->heap[i] = last;
    return top;
}

static const mm_merge *find_merge(const mm_tokenizer *t, uint32_t left, uint32_t right) {
    size_t slot = mm_merge_slot(left, right, t->merge_mask);
    for (; t->merges[slot].rank != UINT32_MAX; slot = (slot + 1) & t->merge_mask)
        if (t->merges[slot].left == left && t->merges[slot].right == right)
            return &t->merges[slot];
    return NULL;
}

static void propose(encoder *e, int32_t at) {
    if (at < 0 || e->pieces[at].after < 0)
        return;
    uint32_t left = e->pieces[at].id, right = e->pieces[e->pieces[at].after].id;
    const mm_merge *merge = find_merge(e->tokenizer, left, right);
    if (merge)
        heap_push(e, (candidate){merge->rank, (uint32_t)at, left, right});
}

static void emit(encoder *e, uint32_t id) {
    if (e->count < e->limit)
        e->out[e->count] = id;
    e->count++;
}

/* Applies merges in order of rank, leftmost first, and emits what remains of one word. */
static void merge_word(encoder *e, const uint8_t *word, size_t length) {
    const mm_tokenizer *t = e->tokenizer;
    for (size_t i = 0; i < length; i++)
        e->pieces[i] = (piece){i + 1 < length ? t->byte[word[i]] : t->byte_end[word[i]],
                               (int32_t)i - 1, i + 1 < length ? (int32_t)i + 1 : -1};
    e->heap_count = 0;
    for (size_t i = 0; i + 1 < length; i++)
        propose(e, (int32_t)i);
    while (e->heap_count) {
        candidate best = heap_pop(e);
        piece *left = &e->pieces[best.at];
        if (left->id != best.left || left->after < 0 || e->pieces[left->after].id != best.right)
            continue;
        piece *right = &e->pieces[left->after];
        left->id = find_merge(t, best.left, best.right)->merged;
        left->after = right->after;
        right->id = UINT32_MAX; /* no candidate fits it any more */
        if (left->after >= 0)
            e->pieces[left->after].before = (int32_t)best.at;
        propose(e, left->before);
        propose(e, (int32_t)best.at);
    }
    for (int32_t i = 0; i >= 0; i = e->pieces[i].after)
        emit(e, e->pieces[i].id);
}

/* ---- Words --------------------------------------------------------------------------------- */

typedef enum kind { KIND_SPACE, KIND_LETTER, KIND_NUMBER, KIND_OTHER } kind;

static kind kind_of(utf8proc_int32_t c) {
    if (mm_is_space(c))
        return KIND_SPACE;
    utf8proc_category_t category = utf8proc_category(c);
    if (category >= UTF8PROC_CATEGORY_LU && category <= UTF8PROC_CATEGORY_LO)
        return KIND_LETTER;
    if (category >= UTF8PROC_CATEGORY_ND && category <= UTF8PROC_CATEGORY_NO)
        return KIND_NUMBER;
    return KIND_OTHER;
}

/* Length of a contraction such as 're at `text`, or 0. */
static size_t contraction(const char *text, size_t size) {
    static const char *const endings[] = {"'s", "'t", "'re", "'ve", "'m", "'ll", "'d"};
    for (size_t i = 0; i < sizeof endings / sizeof *endings; i++) {
        size_t n = strlen(endings[i]);
        if (size >= n && memcmp(text, endings[i], n) == 0)
            return n;
    }
    return 0;
}

/* Splits lower-cased text: 's|'t|'re|'ve|'m|'ll|'d|[\p{L}]+|[\p{N}]|[^\s\p{L}\p{N}]+ */
static void split_words(encoder *e, const char *text, size_t size) {
    for (size_t at = 0; at < size;) {
        size_t length = contraction(text + at, size - at);
        if (length == 0) {
            utf8proc_int32_t c;
            length = (size_t)utf8proc_iterate((const utf8proc_uint8_t *)text + at,
                                              (utf8proc_ssize_t)(size - at), &c);
            kind first = kind_of(c);
            while (first != KIND_SPACE && first != KIND_NUMBER && at + length < size) {
                size_t n = (size_t)utf8proc_iterate((const utf8proc_uint8_t *)text + at + length,
                                                    (utf8proc_ssize_t)(size - at - length), &c);
                if (kind_of(c) != first)
                    break;
                length += n;
            }
            if (first == KIND_SPACE) {
                at += length;
                continue;
            }
        }
        merge_word(e, (const uint8_t *)text + at, length);
        at += length;
    }
}

/* ---- Text ---------------------------------------------------------------------------------- */

/* The special token that begins at `text`, the longest if several do. */
static const mm_special *special_at(const mm_tokenizer *t, const char *text, size_t size,
                                    int normalized) {
    const mm_special *best = NULL;
    for (size_t i = 0; i < t->special_count; i++) {
        const mm_special *s = &t->specials[i];
        if (s->normalized == normalized && s->length <= size &&
            memcmp(s->text, text, s->length) == 0 && (!best || s->length > best->length))
            best = s;
    }
    return best;
}

/* Runs `part` over the text between special tokens, which are emitted as they are. */
static mmood_status between_specials(encoder *e, const char *text, size_t size, int normalized,
                                     mmood_status part(encoder *, const char *, size_t,
                                                       mmood_error *),
                                     mmood_error *error) {
    size_t begin = 0;
    mmood_status status = MMOOD_OK;
    for (size_t at = 0; at < size && status == MMOOD_OK;) {
        const mm_special *special = special_at(e->tokenizer, text + at, size - at, normalized);
        if (!special) {
            at++;
            continue;
        }
        if (at > begin)
            status = part(e, text + begin, at - begin, error);
        emit(e, special->id);
        begin = at = at + special->length;
    }
    if (status == MMOOD_OK && begin < size)
        status = part(e, text + begin, size - begin, error);
    return status;
}

static mmood_status encode_normalized(encoder *e, const char *text, size_t size,
                                      mmood_error *error) {
    if (size > e->room) { /* a word is at most the text */
        free(e->pieces);
        free(e->heap);
        e->room = size;
        e->pieces = malloc(size * sizeof *e->pieces);
        e->heap = malloc(3 * size * sizeof *e->heap);
        if (!e->pieces || !e->heap)
            return mm_error_set(error, MMOOD_ERROR_MEMORY, "no memory for a text of %zu bytes",
                                size);
    }
    split_words(e, text, size);
    return MMOOD_OK;
}

/* The normaliser, then special tokens again and words. */
static mmood_status encode_raw(encoder *e, const char *text, size_t size, mmood_error *error) {
    mm_buffer normal = {0};
    mmood_status status = mm_normalize(&normal, text, size, error);
    if (status == MMOOD_OK && normal.size)
        status = between_specials(e, normal.data, normal.size, 1, encode_normalized, error);
    mm_buffer_free(&normal);
    return status;
}

static mmood_status check_utf8(const char *text, size_t size, mmood_error *error) {
    for (size_t at = 0; at < size;) {
        utf8proc_int32_t c;
        utf8proc_ssize_t n = utf8proc_iterate((const utf8proc_uint8_t *)text + at,
                                              (utf8proc_ssize_t)(size - at), &c);
        if (n <= 0)
            return mm_error_set(error, MMOOD_ERROR_FORMAT,
                                "the text is not UTF-8: byte 0x%02x at position %zu",
                                (unsigned)(uint8_t)text[at], at);
        at += (size_t)n;
    }
    return MMOOD_OK;
}

mmood_status mm_tokenizer_encode(uint32_t *out, size_t *count, int *truncated,
                                 const mm_tokenizer *tokenizer, const char *text, size_t length,
                                 size_t limit, mmood_error *error) {
    *count = 0;
    if (length > MAX_TEXT)
        return mm_error_set(error, MMOOD_ERROR_LIMIT,
                            "the text has %zu bytes; at most %d are possible", length,
                            (int)MAX_TEXT);
    encoder e = {.tokenizer = tokenizer, .out = out, .limit = limit - 1};
    emit(&e, tokenizer->bos);
    mmood_status status = check_utf8(text, length, error);
    if (status == MMOOD_OK)
        status = between_specials(&e, text, length, 0, encode_raw, error);
    free(e.pieces);
    free(e.heap);
    if (status != MMOOD_OK)
        return status;
    int cut = e.count > e.limit;
    *count = cut ? e.limit : e.count;
    out[(*count)++] = tokenizer->eot;
    if (truncated)
        *truncated = cut;
    return MMOOD_OK;
}
