/* word_forms.c - one form for the spellings of a label. */
#include "envision/word_forms.h"

#include <stdlib.h>
#include <string.h>
#include <utf8proc.h>

static int is_space(utf8proc_int32_t c) {
    utf8proc_category_t kind = utf8proc_category(c);
    return c == '_' || (c >= 9 && c <= 13) || c == 0x85 || kind == UTF8PROC_CATEGORY_ZS ||
           kind == UTF8PROC_CATEGORY_ZL || kind == UTF8PROC_CATEGORY_ZP;
}

/* Punctuation that may stand around a label. */
static int is_edge(utf8proc_int32_t c) {
    return is_space(c) || (c < 0x80 && strchr(".,;:!?\"'`*~-()[]{}<>|/\\", (char)c)) ||
           c == 0x2018 || c == 0x2019 || c == 0x201c || c == 0x201d || c == 0x2026 || c == 0x3001 ||
           c == 0x3002 || c == 0x2013 || c == 0x2014;
}

/* Where the character before `end` begins. */
static size_t before(const char *text, size_t end) {
    do
        end--;
    while (end > 0 && ((unsigned char)text[end] & 0xc0) == 0x80);
    return end;
}

static utf8proc_int32_t code_at(const char *text, size_t size) {
    utf8proc_int32_t c;
    utf8proc_iterate((const utf8proc_uint8_t *)text, (utf8proc_ssize_t)size, &c);
    return c;
}

/* Moves the ends of a valid text over what is no part of a label. */
static void trim(const char **text, size_t *size) {
    while (*size > 0 && is_edge(code_at(*text, *size))) {
        size_t n = 1;
        while (n < *size && ((unsigned char)(*text)[n] & 0xc0) == 0x80)
            n++;
        *text += n;
        *size -= n;
    }
    while (*size > 0) {
        size_t last = before(*text, *size);
        if (!is_edge(code_at(*text + last, *size - last)))
            break;
        *size = last;
    }
}

/* 0 if there is none. */
static int drop_article(const char **text, size_t *size) {
    static const char *const articles[] = {"a ", "an ", "the "};
    for (size_t i = 0; i < sizeof articles / sizeof *articles; i++) {
        size_t n = strlen(articles[i]);
        if (*size > n && memcmp(*text, articles[i], n) == 0) {
            *text += n;
            *size -= n;
            return 1;
        }
    }
    return 0;
}

int mm_label_clean(mm_buffer *out, const char *text, size_t size) {
    mm_buffer lower = {0};
    utf8proc_uint8_t *composed = NULL;
    int space = 0, valid = 1;
    utf8proc_ssize_t n =
        size == 0 ? 0
                  : utf8proc_map((const utf8proc_uint8_t *)text, (utf8proc_ssize_t)size, &composed,
                                 (utf8proc_option_t)(UTF8PROC_STABLE | UTF8PROC_COMPOSE));
    valid = n >= 0;
    for (utf8proc_ssize_t at = 0; at < n;) {
        utf8proc_int32_t c;
        utf8proc_uint8_t bytes[4];
        at += utf8proc_iterate(composed + at, n - at, &c);
        if (c == 0)
            valid = 0;
        if (is_space(c)) {
            space = 1;
            continue;
        }
        if (space && lower.size > 0)
            mm_buffer_puts(&lower, " ");
        space = 0;
        mm_buffer_append(&lower, bytes, (size_t)utf8proc_encode_char(utf8proc_tolower(c), bytes));
    }
    const char *start = lower.size ? lower.data : "";
    size_t left = lower.size;
    do
        trim(&start, &left);
    while (drop_article(&start, &left));
    mm_buffer_append(out, start, left);
    valid = valid && !lower.failed && !out->failed;
    free(composed);
    mm_buffer_free(&lower);
    return valid;
}

/* ---- Plurals ------------------------------------------------------------------------------- */

static const char *const irregular[][2] = {
    {"men", "man"},
    {"women", "woman"},
    {"children", "child"},
    {"people", "person"},
    {"mice", "mouse"},
    {"lice", "louse"},
    {"dice", "die"},
    {"geese", "goose"},
    {"teeth", "tooth"},
    {"feet", "foot"},
    {"oxen", "ox"},
    {"wolves", "wolf"},
    {"werewolves", "werewolf"},
    {"leaves", "leaf"},
    {"loaves", "loaf"},
    {"meatloaves", "meatloaf"},
    {"knives", "knife"},
    {"penknives", "penknife"},
    {"lives", "life"},
    {"wives", "wife"},
    {"housewives", "housewife"},
    {"halves", "half"},
    {"calves", "calf"},
    {"shelves", "shelf"},
    {"bookshelves", "bookshelf"},
    {"elves", "elf"},
    {"thieves", "thief"},
    {"scarves", "scarf"},
    {"hooves", "hoof"},
    {"sheaves", "sheaf"},
    {"cacti", "cactus"},
    {"fungi", "fungus"},
    {"octopi", "octopus"},
    {"hippopotami", "hippopotamus"},
    {"nuclei", "nucleus"},
    {"larvae", "larva"},
    {"algae", "alga"},
    {"antennae", "antenna"},
    {"vertebrae", "vertebra"},
    {"bacteria", "bacterium"},
    {"aquaria", "aquarium"},
    {"crises", "crisis"},
    {"oases", "oasis"},
    {"axes", "axe"},
    {"buses", "bus"},
    {"minibuses", "minibus"},
    {"viruses", "virus"},
    {"octopuses", "octopus"},
    {"walruses", "walrus"},
    {"cactuses", "cactus"},
    {"platypuses", "platypus"},
    {"crocuses", "crocus"},
    {"circuses", "circus"},
    {"campuses", "campus"},
    {"abacuses", "abacus"},
    {"hippopotamuses", "hippopotamus"},
    {"lenses", "lens"},
    {"gases", "gas"},
    {"canvases", "canvas"},
    {"atlases", "atlas"},
    {"irises", "iris"},
    {"rhinoceroses", "rhinoceros"},
    {"thermoses", "thermos"},
    {"quizzes", "quiz"},
    {"grandchildren", "grandchild"},
    {"mongooses", "mongoose"},
    {"dormice", "dormouse"},
    {"passersby", "passerby"},
};

static const char *const no_plurals[] = {
    "lens",       "gas",      "canvas", "atlas",  "pancreas", "christmas", "texas",   "kansas",
    "series",     "species",  "chaos",  "cosmos", "asbestos", "kudos",     "thermos", "ethos",
    "rhinoceros", "molasses", "pampas", "alias",  "bias",     "ananas",    "madras"};

static const char *const no_men[] = {"ramen",   "omen",    "specimen", "regimen",  "stamen",
                                     "abdomen", "semen",   "acumen",   "bitumen",  "lumen",
                                     "hymen",   "foramen", "dolmen",   "cyclamen", "yemen"};

static const char *const ie_words[] = {
    "movies",     "cookies",   "zombies", "brownies",    "selfies",  "hoodies", "calories",
    "smoothies",  "genies",    "birdies", "rookies",     "prairies", "collies", "magpies",
    "pixies",     "hippies",   "veggies", "budgies",     "pinkies",  "aunties", "doggies",
    "foodies",    "hankies",   "goalies", "sorties",     "cowries",  "boogies", "bookies",
    "menageries", "lingeries", "eyries",  "bourgeoisies"};

static const char *const es_words[] = {/* which end in "e" before the "s" */
                                       "headaches",  "toothaches", "stomachaches", "aches",
                                       "moustaches", "mustaches",  "caches",       "quiches",
                                       "avalanches", "brioches",   "creches",      "pastiches",
                                       "douches",    "niches",     "deluxes",      "shoes",
                                       "snowshoes",  "horseshoes", "canoes",       "toes",
                                       "tiptoes",    "mistletoes", "hoes",         "oboes",
                                       "floes",      "sloes",      "does",         "foes",
                                       "roes",       "throes",     "aloes",        "tiptoes"};

static int is_listed(const char *word, size_t size, const char *const *list, size_t count) {
    for (size_t i = 0; i < count; i++)
        if (strlen(list[i]) == size && memcmp(list[i], word, size) == 0)
            return 1;
    return 0;
}

#define LISTED(word, size, list) is_listed(word, size, list, sizeof(list) / sizeof *(list))

static int ends(const char *word, size_t size, const char *with) {
    size_t n = strlen(with);
    return size > n && memcmp(word + size - n, with, n) == 0;
}

/* How many bytes of a regular plural go. */
static size_t plural_ending(const char *word, size_t n) {
    static const char *const es[] = {"ches", "shes", "sses", "xes", "zzes"};
    if (n < 4 || word[n - 1] != 's' || ends(word, n, "ss") || ends(word, n, "us") ||
        ends(word, n, "is") || ends(word, n, "'s") || LISTED(word, n, no_plurals))
        return 0;
    if (LISTED(word, n, es_words))
        return 1;
    for (size_t i = 0; i < sizeof es / sizeof *es; i++)
        if (ends(word, n, es[i]))
            return 2;
    return n > 4 && ends(word, n, "oes") ? 2 : 1;
}

void mm_make_singular(mm_buffer *label) {
    if (label->size == 0 || label->failed)
        return;
    size_t first = label->size;
    while (first > 0 && label->data[first - 1] != ' ' && label->data[first - 1] != '-')
        first--;
    const char *word = label->data + first;
    size_t n = label->size - first, cut = 0;
    const char *more = "";
    for (size_t i = 0; i < sizeof irregular / sizeof *irregular; i++)
        if (is_listed(word, n, irregular[i], 1)) {
            cut = n;
            more = irregular[i][1];
        }
    if (cut == 0 && n > 3 && ends(word, n, "men") && !LISTED(word, n, no_men)) {
        cut = 2;
        more = "an";
    } else if (cut == 0 && n > 4 && ends(word, n, "ies") && !LISTED(word, n, no_plurals) &&
               !LISTED(word, n, ie_words)) {
        cut = 3;
        more = "y";
    } else if (cut == 0) {
        cut = plural_ending(word, n);
    }
    label->size -= cut;
    label->data[label->size] = 0;
    mm_buffer_puts(label, more);
}

int mm_label_key(mm_buffer *out, const char *clean, size_t size) {
    mm_buffer folded = {0};
    utf8proc_uint8_t *mapped = NULL;
    utf8proc_ssize_t n =
        size == 0 ? 0
                  : utf8proc_map((const utf8proc_uint8_t *)clean, (utf8proc_ssize_t)size, &mapped,
                                 (utf8proc_option_t)(UTF8PROC_STABLE | UTF8PROC_COMPOSE |
                                                     UTF8PROC_COMPAT | UTF8PROC_CASEFOLD));
    if (n > 0)
        mm_buffer_append(&folded, mapped, (size_t)n);
    mm_make_singular(&folded);
    size_t start = out->size;
    for (size_t at = 0; at < folded.size;) {
        utf8proc_int32_t c;
        size_t length = (size_t)utf8proc_iterate((const utf8proc_uint8_t *)folded.data + at,
                                                 (utf8proc_ssize_t)(folded.size - at), &c);
        utf8proc_category_t kind = utf8proc_category(c);
        int punctuation = (kind >= UTF8PROC_CATEGORY_PC && kind <= UTF8PROC_CATEGORY_PO &&
                           c != '&' && c != '#' && c != '%') ||
                          is_space(c);
        if (!punctuation)
            mm_buffer_append(out, folded.data + at, length);
        at += length;
    }
    if (out->size == start) /* nothing but punctuation: different marks stay different */
        mm_buffer_append(out, clean, size);
    int valid = n >= 0 && !folded.failed && !out->failed;
    free(mapped);
    mm_buffer_free(&folded);
    return valid;
}
