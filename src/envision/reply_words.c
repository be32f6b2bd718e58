/* reply_words.c - what words in a reply say: names of fields, sentences to the reader, refusals. */
#include "envision/reply_internal.h"

#include <string.h>
#include <strings.h>

enum { LOOK_AT = 320 }; /* bytes of a text that decide what it is */

static int lower(char c) {
    return c >= 'A' && c <= 'Z' ? c - 'A' + 'a' : c;
}

static int is_letter(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static int is_digit(char c) {
    return c >= '0' && c <= '9';
}

/* ---- Names of fields ----------------------------------------------------------------------- */

static int find_word(const char *const *words, size_t count, const char *word) {
    for (size_t i = 0; i < count; i++)
        if (strcmp(words[i], word) == 0)
            return (int)i;
    return -1;
}

#define FIND(words, word) find_word(words, sizeof(words) / sizeof *(words), word)

static int label_rank(const char *word) {
    static const char *const words[] = {"outlier",   "label",      "name",    "category", "class",
                                        "object",    "item",       "concept", "entity",   "title",
                                        "word",      "term",       "thing",   "animal",   "species",
                                        "breed",     "answer",     "text",    "value",    "noun",
                                        "candidate", "suggestion", "result",  "example",  "output"};
    return FIND(words, word);
}

static int is_skipped(const char *word) {
    static const char *const words[] = {
        "reason",     "explanation", "description", "rationale",     "reasoning",
        "thought",    "note",        "comment",     "feature",       "trait",
        "attribute",  "why",         "domain",      "analysis",      "similarity",
        "thinking",   "summary",     "source",      "justification", "id",
        "index",      "rank",        "confidence",  "score",         "count",
        "difference", "detail",      "input",       "introduction",  "characteristic",
        "property",   "aspect",      "tag",         "keyword",       "cue"};
    return FIND(words, word) >= 0;
}

static int is_given(const char *word) { /* fields that repeat the question */
    static const char *const words[] = {"id",    "input", "known",    "given",   "original",
                                        "query", "avoid", "excluded", "exclude", "reference"};
    return FIND(words, word) >= 0;
}

/* "categories" to "category"; 1 if it was a plural. */
static int make_singular(char *word) {
    size_t n = strlen(word);
    if (label_rank(word) >= 0 || n < 4 || word[n - 1] != 's')
        return 0;
    if (n > 4 && strcmp(word + n - 3, "ies") == 0)
        strcpy(word + n - 3, "y");
    else if (n > 5 && strcmp(word + n - 4, "sses") == 0)
        word[n - 2] = 0;
    else
        word[n - 1] = 0;
    return 1;
}

mm_key mm_key_of(mm_span name, int *rank) {
    enum { MAX_WORDS = 4, MAX_WORD = 16 };
    char words[MAX_WORDS][MAX_WORD] = {{0}};
    size_t count = 0, length = 0;
    int digits = 0;
    for (size_t i = 0; i < name.size; i++) {
        char c = name.text[i];
        if (is_digit(c) || c == '#') {
            digits = 1;
            length = 0;
        } else if (is_letter(c)) {
            int hump = c < 'a' && i > 0 && name.text[i - 1] >= 'a' && name.text[i - 1] <= 'z';
            if (length == 0 || hump) {
                if (count == MAX_WORDS || digits)
                    return MM_KEY_OTHER;
                count++;
                length = 0;
            }
            if (length + 1 == MAX_WORD)
                return MM_KEY_OTHER;
            words[count - 1][length++] = (char)lower(c);
        } else if (c == ' ' || c == '_' || c == '-' || c == '.') {
            length = 0;
        } else {
            return MM_KEY_OTHER;
        }
    }
    if (count == 0)
        return digits ? MM_KEY_NUMBER : MM_KEY_OTHER;
    if (count > 1 && is_given(words[0]))
        return MM_KEY_SKIP;
    char *last = words[count - 1];
    int plural = make_singular(last), place = label_rank(last);
    if (rank)
        *rank = place;
    if (place >= 0)
        return digits ? MM_KEY_NUMBER : plural ? MM_KEY_LABELS : MM_KEY_LABEL;
    if (digits && strcmp(last, "no") == 0)
        return MM_KEY_NUMBER;
    return is_skipped(last) ? MM_KEY_SKIP : MM_KEY_OTHER;
}

/* ---- Sentences ----------------------------------------------------------------------------- */

/* The beginning of a text in lower case (ASCII), with straight apostrophes and without emphasis. */
static void fold(char out[LOOK_AT + 1], mm_span text) {
    size_t n = 0;
    for (size_t i = 0; i < text.size && n < LOOK_AT; i++) {
        if (text.size - i >= 3 && memcmp(text.text + i, "\xe2\x80\x99", 3) == 0) {
            out[n++] = '\'';
            i += 2;
        } else if (!strchr("*`", text.text[i])) {
            out[n++] = (char)lower(text.text[i]);
        }
    }
    out[n] = 0;
}

static int begins(const char *text, const char *const *with, size_t count) {
    for (size_t i = 0; i < count; i++) {
        size_t n = strlen(with[i]);
        if (strncmp(text, with[i], n) == 0 &&
            (!is_letter(text[n]) || (unsigned char)with[i][0] >= 0x80))
            return 1;
    }
    return 0;
}

#define BEGINS(text, with) begins(text, with, sizeof(with) / sizeof *(with))

int mm_is_prose(mm_span text) {
    static const char *const starts[] = {"sure",
                                         "certainly",
                                         "of course",
                                         "here are",
                                         "here is",
                                         "here's",
                                         "here you",
                                         "absolutely",
                                         "okay",
                                         "ok",
                                         "great",
                                         "i",
                                         "i'm",
                                         "i've",
                                         "i'd",
                                         "i'll",
                                         "these",
                                         "this",
                                         "those",
                                         "let me",
                                         "note",
                                         "please",
                                         "below",
                                         "following",
                                         "based on",
                                         "as requested",
                                         "the following",
                                         "hope",
                                         "thank",
                                         "thanks",
                                         "feel free",
                                         "if you",
                                         "would you",
                                         "do you",
                                         "you",
                                         "we",
                                         "first",
                                         "finally",
                                         "in summary",
                                         "all of",
                                         "each of",
                                         "none of these",
                                         "they",
                                         "it",
                                         "that",
                                         "the above",
                                         "given",
                                         "to",
                                         "there are",
                                         "my",
                                         "yes",
                                         "no,",
                                         "however",
                                         "sorry",
                                         "understood",
                                         "got it",
                                         "no outlier",
                                         "no label",
                                         "no categories",
                                         "no classes",
                                         "no objects",
                                         "then",
                                         "now"};
    char start[LOOK_AT + 1];
    text = mm_trim(text);
    if (text.size == 0)
        return 0;
    fold(start, text);
    char last = text.text[text.size - 1];
    return BEGINS(start, starts) || last == '!' || last == '?' || last == ':' ||
           (last == '.' && mm_words(text) > 4);
}

static int contains(const char *text, const char *const *what, size_t count) {
    for (size_t i = 0; i < count; i++)
        if (strstr(text, what[i]))
            return 1;
    return 0;
}

int mm_is_refusal(mm_span text) {
    static const char *const phrases[] = {
        "i can't",
        "i cannot",
        "i can not",
        "i am unable",
        "i'm unable",
        "i'm not able",
        "i am not able",
        "i won't",
        "i will not",
        "i must decline",
        "i have to decline",
        "i'm not comfortable",
        "i don't feel comfortable",
        "unable to assist",
        "unable to help",
        "can't assist",
        "cannot assist",
        "can't help with",
        "cannot provide",
        "against my guidelines",
        "no puedo ",
        "je ne peux pas",
        "n\xc3\xa3o posso",
        "ich kann nicht",
        "kann ich nicht",
        "\xd0\xbd\xd0\xb5 \xd0\xbc\xd0\xbe\xd0\xb3\xd1\x83",            /* Russian: cannot */
        "\xe6\x97\xa0\xe6\xb3\x95",                                     /* Chinese: unable to */
        "\xe3\x81\xa7\xe3\x81\x8d\xe3\x81\xbe\xe3\x81\x9b\xe3\x82\x93", /* Japanese: cannot */
    };
    char start[LOOK_AT + 1];
    fold(start, text);
    return contains(start, phrases, sizeof phrases / sizeof *phrases);
}

int mm_is_apology(mm_span text) {
    static const char *const starts[] = {
        "i'm sorry",
        "i am sorry",
        "sorry",
        "i apologize",
        "i apologise",
        "my apologies",
        "apologies",
        "unfortunately",
        "as an ai",
        "as a language model",
        "as a large language model",
        "i'm just an ai",
        "i am an ai",
        "i do not ",
        "i don't ",
        "lo siento",
        "desculpe",
        "es tut mir leid",
        "tut mir leid",
        "je suis d\xc3\xa9sol\xc3\xa9",
        "\xe6\x8a\xb1\xe6\xad\x89",             /* Chinese: sorry */
        "\xe5\xaf\xb9\xe4\xb8\x8d\xe8\xb5\xb7", /* Chinese: excuse me */
        "\xe7\x94\xb3\xe3\x81\x97\xe8\xa8\xb3", /* Japanese: apology */
        "\xec\xa3\x84\xec\x86\xa1",             /* Korean: sorry */
    };
    char start[LOOK_AT + 1];
    fold(start, mm_trim(text));
    return BEGINS(start, starts);
}

int mm_has_verb(mm_span text) {
    static const char *const words[] = {
        "is",    "are",   "was",    "were",   "has",     "have",  "had",       "because",
        "which", "would", "could",  "should", "please",  "you",   "your",      "they",
        "their", "it's",  "these",  "those",  "we",      "our",   "i'm",       "cannot",
        "can't", "isn't", "aren't", "don't",  "doesn't", "looks", "resembles", "its"};
    char folded[LOOK_AT + 1];
    fold(folded, text);
    for (char *p = folded; *p;) {
        size_t n = strcspn(p, " ");
        char after = p[n];
        p[n] = 0;
        if (FIND(words, p) >= 0)
            return 1;
        p += n + (after != 0);
    }
    return 0;
}
