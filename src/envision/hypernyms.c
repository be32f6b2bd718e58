/* hypernyms.c - reading the "@" pointers of WordNet's data.noun and the senses of index.noun.
 *   data.noun:  offset file n words {word id}... pointers {symbol offset type places}... | gloss
 *   index.noun: lemma n synsets pointers symbol... senses counted offset... */
#include "envision/hypernyms.h"

#include "base/buffer.h"
#include "base/error.h"
#include "envision/word_forms.h"
#include "envision/wordnet_line.h"

#include <stdlib.h>
#include <string.h>

enum { MAX_SYNSETS = 1000000, MAX_PARENTS = 2000000, MAX_LEMMAS = 1000000 };

typedef struct synset {
    int offset;
    int instance;        /* a proper name */
    size_t first_parent; /* in `parents`, up to that of the next synset */
} synset;

typedef struct lemma {
    size_t text; /* in `texts` */
    size_t first_sense;
    size_t count;
} lemma;

struct mm_hypernyms {
    synset *synsets; /* by offset, ascending; one more for the end */
    size_t synset_count, synset_room;
    size_t *parents; /* offsets while reading, then numbers of synsets */
    size_t parent_count, parent_room;
    lemma *lemmas; /* by text */
    size_t lemma_count, lemma_room;
    size_t *senses;
    size_t sense_count, sense_room;
    mm_buffer texts;
};

void mm_hypernyms_free(mm_hypernyms *h) {
    if (!h)
        return;
    free(h->synsets);
    free(h->parents);
    free(h->lemmas);
    free(h->senses);
    mm_buffer_free(&h->texts);
    free(h);
}

/* The items with room for one more, perhaps elsewhere; NULL if memory is out. */
static void *make_room(void *items, size_t *room, size_t count, size_t size) {
    if (count < *room)
        return items;
    size_t wanted = *room ? 2 * *room : 1024;
    void *grown = realloc(items, wanted * size);
    if (grown)
        *room = wanted;
    return grown;
}

static mmood_status no_memory(mmood_error *error) {
    return mm_error_set(error, MMOOD_ERROR_MEMORY, "no memory for WordNet");
}

static int read_number(mm_wordnet_line *line, size_t digits, int base, const char **field,
                       size_t *size) {
    *size = mm_wordnet_field(line, field);
    return mm_wordnet_number(*field, *size, digits, base);
}

/* ---- data.noun ----------------------------------------------------------------------------- */

static mmood_status read_pointers(mm_hypernyms *h, mm_wordnet_line *line, int count,
                                  mmood_error *error) {
    const char *field, *symbol;
    size_t size;
    for (int i = 0; i < count; i++) {
        size_t length = mm_wordnet_field(line, &symbol);
        int target = read_number(line, 8, 10, &field, &size);
        if (length == 0 || target < 0)
            return mm_wordnet_wrong(line, field, size, "the offset of a pointer, 8 digits", error);
        mm_wordnet_field(line, &field); /* type */
        if (mm_wordnet_field(line, &field) != 4)
            return mm_wordnet_wrong(line, field, 0, "the places of a pointer, 4 digits", error);
        int instance = length == 2 && memcmp(symbol, "@i", 2) == 0;
        if (!instance && !(length == 1 && *symbol == '@'))
            continue;
        if (h->parent_count == MAX_PARENTS)
            return mm_error_set(error, MMOOD_ERROR_LIMIT, "more than %d pointers",
                                (int)MAX_PARENTS);
        size_t *parents = make_room(h->parents, &h->parent_room, h->parent_count, sizeof *parents);
        if (!parents)
            return no_memory(error);
        h->parents = parents;
        h->parents[h->parent_count++] = (size_t)target;
        h->synsets[h->synset_count - 1].instance |= instance;
    }
    return MMOOD_OK;
}

static mmood_status read_synset(mm_hypernyms *h, mm_wordnet_line *line, mmood_error *error) {
    const char *field;
    size_t size;
    int offset = read_number(line, 8, 10, &field, &size);
    if (offset < 0)
        return mm_wordnet_wrong(line, field, size, "an offset of 8 digits", error);
    if (h->synset_count > 0 && offset <= h->synsets[h->synset_count - 1].offset)
        return mm_wordnet_wrong(line, field, size, "a larger offset than on the line before",
                                error);
    if (h->synset_count == MAX_SYNSETS)
        return mm_error_set(error, MMOOD_ERROR_LIMIT, "more than %d synsets", (int)MAX_SYNSETS);
    synset *synsets = make_room(h->synsets, &h->synset_room, h->synset_count, sizeof *synsets);
    if (!synsets)
        return no_memory(error);
    h->synsets = synsets;
    h->synsets[h->synset_count++] = (synset){offset, 0, h->parent_count};
    mm_wordnet_field(line, &field); /* lexicographer file */
    size = mm_wordnet_field(line, &field);
    if (size != 1 || *field != 'n')
        return mm_wordnet_wrong(line, field, size, "the type n", error);
    int words = read_number(line, 2, 16, &field, &size);
    if (words < 1)
        return mm_wordnet_wrong(line, field, size, "the number of words, 2 hexadecimal digits",
                                error);
    for (int i = 0; i < 2 * words; i++)
        if (mm_wordnet_field(line, &field) == 0)
            return mm_wordnet_wrong(line, field, 0, "a word and its id", error);
    int pointers = read_number(line, 3, 10, &field, &size);
    if (pointers < 0)
        return mm_wordnet_wrong(line, field, size, "the number of pointers, 3 digits", error);
    return read_pointers(h, line, pointers, error);
}

/* The number of the synset at an offset, or SIZE_MAX. */
static size_t find_synset(const mm_hypernyms *h, size_t offset) {
    size_t low = 0, high = h->synset_count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if ((size_t)h->synsets[middle].offset < offset)
            low = middle + 1;
        else
            high = middle;
    }
    return low < h->synset_count && (size_t)h->synsets[low].offset == offset ? low : SIZE_MAX;
}

static mmood_status read_data(mm_hypernyms *h, const char *text, size_t size, mmood_error *error) {
    const char *end = size ? text + size : text;
    mm_wordnet_line line = {0};
    mmood_status status = MMOOD_OK;
    while (status == MMOOD_OK && mm_wordnet_next_line(&line, &text, end))
        if (!mm_wordnet_is_licence(&line))
            status = read_synset(h, &line, error);
    if (status != MMOOD_OK)
        return status;
    if (h->synset_count == 0)
        return mm_error_set(error, MMOOD_ERROR_FORMAT,
                            "there is no synset in it; WordNet's data.noun is expected");
    synset *synsets = make_room(h->synsets, &h->synset_room, h->synset_count, sizeof *synsets);
    if (!synsets)
        return no_memory(error);
    h->synsets = synsets;
    h->synsets[h->synset_count].first_parent = h->parent_count;
    for (size_t i = 0; i < h->parent_count; i++) {
        size_t number = find_synset(h, h->parents[i]);
        if (number == SIZE_MAX)
            return mm_error_set(error, MMOOD_ERROR_FORMAT,
                                "a pointer goes to offset %08zu, where no synset is; the file is "
                                "damaged",
                                h->parents[i]);
        h->parents[i] = number;
    }
    return MMOOD_OK;
}

/* ---- index.noun ---------------------------------------------------------------------------- */

/* Keeps the senses by the rule of mm_hypernyms_senses. */
static mmood_status keep_senses(mm_hypernyms *h, const size_t *senses, size_t count, int counted,
                                mmood_error *error) {
    int names = 1;
    for (size_t i = 0; i < count; i++)
        names &= h->synsets[senses[i]].instance;
    lemma *l = &h->lemmas[h->lemma_count - 1];
    for (size_t i = 0; i < count && (l->count == 0 || !counted); i++) {
        if (h->synsets[senses[i]].instance && !names)
            continue;
        size_t *kept = make_room(h->senses, &h->sense_room, h->sense_count, sizeof *kept);
        if (!kept)
            return no_memory(error);
        h->senses = kept;
        h->senses[h->sense_count++] = senses[i];
        l->count++;
    }
    return MMOOD_OK;
}

static mmood_status read_lemma(mm_hypernyms *h, mm_wordnet_line *line, mmood_error *error) {
    const char *field, *name;
    size_t size, senses[MM_HYPERNYMS_MAX_SENSES], kept = 0;
    size_t length = mm_wordnet_field(line, &name);
    size = mm_wordnet_field(line, &field);
    if (length == 0 || length > 255 || size != 1 || *field != 'n')
        return mm_wordnet_wrong(line, field, size, "a word and the type n", error);
    int count = read_number(line, 0, 10, &field, &size);
    int symbols = count < 1 ? -1 : read_number(line, 0, 10, &field, &size);
    for (int i = 0; i < symbols && mm_wordnet_field(line, &field) > 0; i++)
        ;
    int again = symbols < 0 ? -1 : read_number(line, 0, 10, &field, &size);
    int counted = again < 0 ? -1 : read_number(line, 0, 10, &field, &size);
    if (counted < 0)
        return mm_wordnet_wrong(line, field, size, "a number", error);
    for (int i = 0; i < count; i++) {
        int offset = read_number(line, 8, 10, &field, &size);
        size_t number = offset < 0 ? SIZE_MAX : find_synset(h, (size_t)offset);
        if (number == SIZE_MAX)
            return mm_wordnet_wrong(line, field, size, "the offset of a synset in data.noun",
                                    error);
        if (kept < MM_HYPERNYMS_MAX_SENSES)
            senses[kept++] = number;
    }
    if (h->lemma_count == MAX_LEMMAS)
        return mm_error_set(error, MMOOD_ERROR_LIMIT, "more than %d words", (int)MAX_LEMMAS);
    lemma *lemmas = make_room(h->lemmas, &h->lemma_room, h->lemma_count, sizeof *lemmas);
    if (!lemmas)
        return no_memory(error);
    h->lemmas = lemmas;
    h->lemmas[h->lemma_count++] = (lemma){h->texts.size, h->sense_count, 0};
    for (size_t i = 0; i < length; i++)
        mm_buffer_append(&h->texts, name[i] == '_' ? " " : name + i, 1);
    mm_buffer_append(&h->texts, "", 1);
    return h->texts.failed ? no_memory(error) : keep_senses(h, senses, kept, counted > 0, error);
}

static mmood_status read_index(mm_hypernyms *h, const char *text, size_t size, mmood_error *error) {
    const char *end = size ? text + size : text;
    mm_wordnet_line line = {0};
    while (mm_wordnet_next_line(&line, &text, end)) {
        mmood_status status = mm_wordnet_is_licence(&line) ? MMOOD_OK : read_lemma(h, &line, error);
        if (status != MMOOD_OK)
            return status;
        size_t n = h->lemma_count;
        if (n > 1 && strcmp(h->texts.data + h->lemmas[n - 2].text,
                            h->texts.data + h->lemmas[n - 1].text) == 0)
            return mm_error_set(error, MMOOD_ERROR_FORMAT, "line %zu: \"%.60s\" is there twice",
                                line.number, h->texts.data + h->lemmas[n - 1].text);
    }
    return h->lemma_count > 0
               ? MMOOD_OK
               : mm_error_set(error, MMOOD_ERROR_FORMAT,
                              "there is no word in it; WordNet's index.noun is expected");
}

/* Sorts by text: the file is sorted with "_" for the spaces that labels have. A shell sort, since
 * qsort has no way to hand the texts to its comparison. */
static void sort_lemmas(mm_hypernyms *h) {
    const char *texts = h->texts.data;
    size_t gap = 1;
    while (gap < h->lemma_count / 3)
        gap = 3 * gap + 1;
    for (; gap > 0; gap /= 3)
        for (size_t i = gap; i < h->lemma_count; i++) {
            lemma moved = h->lemmas[i];
            size_t at = i;
            for (; at >= gap && strcmp(texts + h->lemmas[at - gap].text, texts + moved.text) > 0;
                 at -= gap)
                h->lemmas[at] = h->lemmas[at - gap];
            h->lemmas[at] = moved;
        }
}

mmood_status mm_hypernyms_parse(mm_hypernyms **out, const void *data, size_t data_size,
                                const void *index, size_t index_size, mmood_error *error) {
    *out = NULL;
    if (data_size > MM_WORDNET_MAX_FILE || index_size > MM_WORDNET_MAX_FILE)
        return mm_error_set(error, MMOOD_ERROR_LIMIT, "%zu bytes; at most %d are possible",
                            data_size > index_size ? data_size : index_size,
                            (int)MM_WORDNET_MAX_FILE);
    mm_hypernyms *h = calloc(1, sizeof *h);
    if (!h)
        return no_memory(error);
    mmood_status status = read_data(h, data, data_size, error);
    if (status != MMOOD_OK) {
        mm_error_prefix(error, status, "data.noun");
    } else {
        status = read_index(h, index, index_size, error);
        if (status != MMOOD_OK)
            mm_error_prefix(error, status, "index.noun");
    }
    if (status != MMOOD_OK) {
        mm_hypernyms_free(h);
        return status;
    }
    sort_lemmas(h);
    *out = h;
    return MMOOD_OK;
}

/* ---- Questions ----------------------------------------------------------------------------- */

static const lemma *find_lemma(const mm_hypernyms *h, const char *text) {
    size_t low = 0, high = h->lemma_count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        int order = strcmp(h->texts.data + h->lemmas[middle].text, text);
        if (order == 0)
            return &h->lemmas[middle];
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return NULL;
}

size_t mm_hypernyms_senses(const mm_hypernyms *h, const char *label,
                           size_t senses[MM_HYPERNYMS_MAX_SENSES]) {
    mm_buffer text = {0};
    const lemma *found = NULL;
    if (mm_label_clean(&text, label, strlen(label)) && text.size > 0) {
        found = find_lemma(h, text.data);
        if (!found) {
            mm_make_singular(&text);
            found = text.failed ? NULL : find_lemma(h, text.data);
        }
    }
    mm_buffer_free(&text);
    for (size_t i = 0; found && i < found->count; i++)
        senses[i] = h->senses[found->first_sense + i];
    return found ? found->count : 0;
}

size_t mm_hypernyms_ancestors(const mm_hypernyms *h, size_t number,
                              size_t ancestors[MM_HYPERNYMS_MAX_ANCESTORS]) {
    size_t count = 1;
    ancestors[0] = number;
    for (size_t done = 0; done < count; done++) {
        size_t end = h->synsets[ancestors[done] + 1].first_parent;
        for (size_t i = h->synsets[ancestors[done]].first_parent; i < end; i++) {
            size_t k = 0;
            while (k < count && ancestors[k] != h->parents[i])
                k++;
            if (k == count && count < MM_HYPERNYMS_MAX_ANCESTORS)
                ancestors[count++] = h->parents[i];
        }
    }
    return count;
}
