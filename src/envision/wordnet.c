/* wordnet.c - reading WordNet's data.noun and data.adj. After a licence whose lines begin with two
 * spaces, each line is a synset:
 *   offset(8 digits) file(2 digits) type(n, a or s) words(2 hex) {word id(1 hex)}... pointers... */
#include "envision/wordnet.h"

#include "base/error.h"
#include "envision/wordnet_line.h"

#include <stdlib.h>
#include <string.h>

enum { MAX_WORDS = 1000000, MAX_WORD = 255 };

static const char *const file_names[] = {
    [0] = "adj.all",          [1] = "adj.pert",
    [3] = "noun.Tops",        [4] = "noun.act",
    [5] = "noun.animal",      [6] = "noun.artifact",
    [7] = "noun.attribute",   [8] = "noun.body",
    [9] = "noun.cognition",   [10] = "noun.communication",
    [11] = "noun.event",      [12] = "noun.feeling",
    [13] = "noun.food",       [14] = "noun.group",
    [15] = "noun.location",   [16] = "noun.motive",
    [17] = "noun.object",     [18] = "noun.person",
    [19] = "noun.phenomenon", [20] = "noun.plant",
    [21] = "noun.possession", [22] = "noun.process",
    [23] = "noun.quantity",   [24] = "noun.relation",
    [25] = "noun.shape",      [26] = "noun.state",
    [27] = "noun.substance",  [28] = "noun.time",
    [44] = "adj.ppl",
};

enum { FILES = sizeof file_names / sizeof *file_names };

const char *mm_wordnet_file_name(int file) {
    return file >= 0 && file < FILES ? file_names[file] : NULL;
}

int mm_wordnet_file_number(const char *name) {
    for (int i = 0; i < FILES; i++)
        if (file_names[i] && strcmp(file_names[i], name) == 0)
            return i;
    return -1;
}

const char *mm_wordnet_text(const mm_wordnet *wordnet, size_t index) {
    return wordnet->texts.data + wordnet->words[index].text;
}

void mm_wordnet_free(mm_wordnet *wordnet) {
    free(wordnet->words);
    free(wordnet->slots);
    mm_buffer_free(&wordnet->texts);
    *wordnet = (mm_wordnet){0};
}

/* ---- The set of words ---------------------------------------------------------------------- */

/* The slot of `text`: taken by the equal word, or free. */
static size_t *find_slot(const mm_wordnet *w, const char *text) {
    uint64_t hash = 14695981039346656037u; /* FNV-1a */
    for (const char *p = text; *p; p++)
        hash = (hash ^ (uint8_t)*p) * 1099511628211u;
    size_t slot = (size_t)hash & (w->slot_count - 1);
    while (w->slots[slot] && strcmp(mm_wordnet_text(w, w->slots[slot] - 1), text) != 0)
        slot = (slot + 1) & (w->slot_count - 1);
    return &w->slots[slot];
}

size_t mm_wordnet_find(const mm_wordnet *wordnet, const char *text) {
    size_t entry = wordnet->slot_count ? *find_slot(wordnet, text) : 0;
    return entry ? entry - 1 : SIZE_MAX;
}

/* Makes room for one more word; 0 if memory is out. */
static int grow(mm_wordnet *w) {
    if (w->count == w->room) {
        size_t room = w->room ? 2 * w->room : 1024;
        mm_wordnet_word *words = realloc(w->words, room * sizeof *words);
        if (!words)
            return 0;
        w->words = words;
        w->room = room;
    }
    if (2 * (w->count + 1) <= w->slot_count)
        return 1;
    size_t wanted = w->slot_count ? 2 * w->slot_count : 4096;
    size_t *slots = calloc(wanted, sizeof *slots);
    if (!slots)
        return 0;
    free(w->slots);
    w->slots = slots;
    w->slot_count = wanted;
    for (size_t i = 0; i < w->count; i++)
        *find_slot(w, mm_wordnet_text(w, i)) = i + 1;
    return 1;
}

static mmood_status keep_word(mm_wordnet *w, const char *text, mm_wordnet_kind kind, int file,
                              mmood_error *error) {
    if (w->count == MAX_WORDS)
        return mm_error_set(error, MMOOD_ERROR_LIMIT, "more than %d words", (int)MAX_WORDS);
    int room = grow(w);
    size_t *slot = room ? find_slot(w, text) : NULL;
    if (slot && *slot) {
        w->duplicates++;
        return MMOOD_OK;
    }
    size_t at = w->texts.size;
    mm_buffer_append(&w->texts, text, strlen(text) + 1);
    if (!room || w->texts.failed)
        return mm_error_set(error, MMOOD_ERROR_MEMORY, "no memory for %zu words", w->count + 1);
    w->words[w->count++] = (mm_wordnet_word){at, kind, file};
    *slot = w->count;
    return MMOOD_OK;
}

/* ---- Lines --------------------------------------------------------------------------------- */

/* Writes the word as a label: "Physical_entity" to "physical entity", "galore(ip)" to "galore". 0
 * if it is not printable ASCII, empty or too long. */
static int clean_word(char out[MAX_WORD + 1], const char *field, size_t size,
                      mm_wordnet_kind kind) {
    static const char *const markers[] = {"(a)", "(p)", "(ip)"};
    for (size_t i = 0; kind == MM_WORDNET_ADJECTIVE && i < sizeof markers / sizeof *markers; i++) {
        size_t n = strlen(markers[i]);
        if (size > n && memcmp(field + size - n, markers[i], n) == 0) {
            size -= n;
            break;
        }
    }
    if (size == 0 || size > MAX_WORD)
        return 0;
    for (size_t i = 0; i < size; i++) {
        char c = field[i];
        if (c <= ' ' || c >= 0x7f)
            return 0;
        out[i] = c == '_' ? ' ' : (char)(c >= 'A' && c <= 'Z' ? c - 'A' + 'a' : c);
    }
    out[size] = '\0';
    return out[strspn(out, " ")] != '\0';
}

static mmood_status read_synset(mm_wordnet *w, mm_wordnet_line *c, mm_wordnet_kind kind,
                                mmood_error *error) {
    int noun = kind == MM_WORDNET_NOUN;
    const char *field;
    size_t size = mm_wordnet_field(c, &field);
    if (mm_wordnet_number(field, size, 8, 10) < 0)
        return mm_wordnet_wrong(c, field, size, "an offset of 8 digits", error);
    size = mm_wordnet_field(c, &field);
    int file = mm_wordnet_number(field, size, 2, 10);
    const char *name = mm_wordnet_file_name(file);
    if (!name || (strncmp(name, "noun", 4) == 0) != noun)
        return mm_wordnet_wrong(c, field, size,
                                noun ? "the number of a noun file, 03 to 28"
                                     : "the number of an adjective file, 00, 01 or 44",
                                error);
    size = mm_wordnet_field(c, &field);
    if (size != 1 || !(noun ? *field == 'n' : *field == 'a' || *field == 's'))
        return mm_wordnet_wrong(c, field, size, noun ? "the type n" : "the type a or s", error);
    size = mm_wordnet_field(c, &field);
    int words = mm_wordnet_number(field, size, 2, 16);
    if (words < 1)
        return mm_wordnet_wrong(c, field, size, "the number of words, 2 hexadecimal digits", error);
    int skip = (w->left_out >> file & 1) != 0;
    w->passed_over += (size_t)skip;
    mmood_status status = MMOOD_OK;
    for (int i = 0; i < words && status == MMOOD_OK; i++) {
        char text[MAX_WORD + 1];
        size = mm_wordnet_field(c, &field);
        if (!clean_word(text, field, size, kind))
            return mm_wordnet_wrong(c, field, size, "a word in ASCII", error);
        if (!skip && (i == 0 || w->all_lemmas))
            status = keep_word(w, text, kind, file, error);
        size = mm_wordnet_field(c, &field);
        if (status == MMOOD_OK && mm_wordnet_number(field, size, 1, 16) < 0)
            return mm_wordnet_wrong(c, field, size, "the id of a word, a hexadecimal digit", error);
    }
    if (status != MMOOD_OK)
        return status;
    size = mm_wordnet_field(c, &field);
    return mm_wordnet_number(field, size, 3, 10) < 0
               ? mm_wordnet_wrong(c, field, size, "the number of pointers, 3 digits", error)
               : MMOOD_OK;
}

/* Takes the version from a line of the licence: "WordNet 3.0 Copyright 2006 by ...". */
static void note_version(mm_wordnet *w, const mm_wordnet_line *c) {
    static const char before[] = "WordNet ", after[] = " Copyright";
    const char *at = c->at;
    for (; at + sizeof before - 1 < c->end; at++) {
        if (memcmp(at, before, sizeof before - 1) != 0)
            continue;
        const char *version = at + sizeof before - 1;
        size_t n = 0;
        while (version + n < c->end && n + 1 < sizeof w->version &&
               ((version[n] >= '0' && version[n] <= '9') || version[n] == '.'))
            n++;
        if (n > 0 && (size_t)(c->end - version) >= n + sizeof after - 1 &&
            memcmp(version + n, after, sizeof after - 1) == 0) {
            memcpy(w->version, version, n);
            w->version[n] = '\0';
            return;
        }
    }
}

mmood_status mm_wordnet_add(mm_wordnet *wordnet, const void *data, size_t size,
                            mm_wordnet_kind kind, mmood_error *error) {
    const char *text = data, *end = size ? text + size : text;
    mm_wordnet_line line = {0};
    size_t synsets = 0;
    if (size > MM_WORDNET_MAX_FILE)
        return mm_error_set(error, MMOOD_ERROR_LIMIT, "%zu bytes; at most %d are possible", size,
                            (int)MM_WORDNET_MAX_FILE);
    mmood_status status = MMOOD_OK;
    while (status == MMOOD_OK && mm_wordnet_next_line(&line, &text, end)) {
        if (mm_wordnet_is_licence(&line)) {
            if (!wordnet->version[0])
                note_version(wordnet, &line);
            continue;
        }
        status = read_synset(wordnet, &line, kind, error);
        synsets++;
    }
    if (status == MMOOD_OK && synsets == 0)
        status = mm_error_set(error, MMOOD_ERROR_FORMAT,
                              "there is no synset in it; a WordNet database file is expected");
    return status;
}
