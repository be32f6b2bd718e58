/* test_tokenizer.c - token ids against Hugging Face's (data/tokenizer/golden.jsonl, made by
 * tools/make_golden_tokens.py), the cases that other tokenizers get wrong, and broken vocabularies.
 */
#include "test.h"

#include "base/file.h"
#include "clip/tokenizer_internal.h"

#include <dirent.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static mm_tokenizer *clip; /* the real vocabulary */

static int open_clip(void **unused) {
    mmood_error error;
    (void)unused;
    return mm_tokenizer_open(&clip, "../models/demo", &error) == MMOOD_OK ? 0 : -1;
}

static int close_clip(void **unused) {
    (void)unused;
    mm_tokenizer_free(clip);
    return 0;
}

static void test_golden(void **unused) {
    (void)unused;
    FILE *file = fopen("data/tokenizer/golden.jsonl", "r");
    assert_non_null(file);
    static char line[1 << 16];
    size_t lines = 0;
    while (fgets(line, sizeof line, file)) {
        json_t *entry = json_loads(line, JSON_ALLOW_NUL, NULL);
        assert_non_null(entry);
        const json_t *text = json_array_get(entry, 0), *expected = json_array_get(entry, 1);
        uint32_t ids[77];
        size_t count;
        mmood_error error;
        assert_ok(mm_tokenizer_encode(ids, &count, NULL, clip, json_string_value(text),
                                      json_string_length(text), 77, &error),
                  error);
        if (count != json_array_size(expected))
            fail_msg("line %zu: %zu ids, expected %zu", lines + 1, count,
                     json_array_size(expected));
        for (size_t i = 0; i < count; i++)
            if (ids[i] != json_integer_value(json_array_get(expected, i)))
                fail_msg("line %zu: id %zu is %u", lines + 1, i, (unsigned)ids[i]);
        json_decref(entry);
        lines++;
    }
    fclose(file);
    assert_true(lines > 300);
}

/* BOS, the ids and EOT. */
static void check(const char *text, const uint32_t *expected, size_t count) {
    uint32_t ids[77];
    size_t found;
    mmood_error error;
    assert_ok(mm_tokenizer_encode(ids, &found, NULL, clip, text, strlen(text), 77, &error), error);
    assert_int_equal(found, count + 2);
    assert_int_equal(ids[0], 49406);
    assert_int_equal(ids[count + 1], 49407);
    assert_memory_equal(ids + 1, expected, count * sizeof *ids);
}

#define CHECK(text, ...)                                                                           \
    check(text, (const uint32_t[]){__VA_ARGS__}, sizeof((const uint32_t[]){__VA_ARGS__}) / 4)

static void test_contractions(void **unused) {
    (void)unused;
    CHECK("You should've done this", 592, 1535, 1200, 1700, 589);
    CHECK("you're, don't, her's", 592, 982, 267, 847, 713, 267, 899, 568);
    CHECK("IT'S", 585, 568);
    CHECK("rock'n'roll", 2172, 262, 333, 262, 3341);
}

static void test_underscores_and_digits(void **unused) {
    (void)unused;
    CHECK("golden_retriever", 3878, 318, 28394);
    CHECK("1234", 272, 273, 274, 275);
    CHECK("3D printer", 274, 323, 14521);
    CHECK("80% off", 279, 271, 260, 1007);
}

static void test_entities_are_kept(void **unused) {
    (void)unused; /* as the fast tokenizer does; labels are unescaped before */
    CHECK("Black &amp; white cat", 1449, 261, 6259, 282, 1579, 2368);
}

static void test_long_text_keeps_its_end(void **unused) {
    (void)unused;
    char text[512] = "a photo of a ";
    uint32_t ids[77];
    size_t count;
    int cut;
    mmood_error error;
    for (int i = 0; i < 80; i++)
        strcat(text, "dog ");
    assert_ok(mm_tokenizer_encode(ids, &count, &cut, clip, text, strlen(text), 77, &error), error);
    assert_int_equal(count, 77);
    assert_int_equal(cut, 1);
    assert_int_equal(ids[0], 49406);
    assert_int_equal(ids[75], 1929);
    assert_int_equal(ids[76], 49407);
    assert_ok(mm_tokenizer_encode(ids, &count, &cut, clip, text, strlen(text), 2, &error), error);
    assert_int_equal(count, 2);
    assert_int_equal(ids[1], 49407);
    assert_ok(mm_tokenizer_encode(ids, &count, &cut, clip, "cat", 3, 3, &error), error);
    assert_int_equal(cut, 0);
}

/* A word of a megabyte takes n log n steps, not n squared. */
static void test_long_word(void **unused) {
    (void)unused;
    size_t size = 1 << 20, count;
    char *word = malloc(size);
    uint32_t ids[77];
    mmood_error error;
    for (size_t i = 0; i < size; i++)
        word[i] = (char)('a' + i * i % 7);
    assert_ok(mm_tokenizer_encode(ids, &count, NULL, clip, word, size, 77, &error), error);
    assert_int_equal(count, 77);
    free(word);
}

/* A megabyte of combining marks out of order takes n steps, and the order makes no difference. */
static void test_many_marks(void **unused) {
    (void)unused;
    enum { PAIRS = 1 << 18 };
    static char mixed[4 * PAIRS], ordered[4 * PAIRS];
    uint32_t a[77], b[77];
    size_t n, m;
    mmood_error error;
    for (size_t i = 0; i < PAIRS; i++) { /* acute above, class 230, and grave below, 220 */
        memcpy(mixed + 4 * i, "\xcc\x81\xcc\x96", 4);
        memcpy(ordered + 2 * i, "\xcc\x96", 2);
        memcpy(ordered + 2 * (i + PAIRS), "\xcc\x81", 2);
    }
    assert_ok(mm_tokenizer_encode(a, &n, NULL, clip, mixed, sizeof mixed, 77, &error), error);
    assert_ok(mm_tokenizer_encode(b, &m, NULL, clip, ordered, sizeof ordered, 77, &error), error);
    assert_int_equal(n, m);
    assert_memory_equal(a, b, n * sizeof *a);
}

static void test_bad_text(void **unused) {
    (void)unused;
    static const char *const bad[] = {"\xff", "a\xc3", "\xed\xa0\x80", "\xf4\x90\x80\x80",
                                      "\xc0\x80"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        uint32_t ids[77];
        size_t count;
        mmood_error error;
        assert_int_equal(
            mm_tokenizer_encode(ids, &count, NULL, clip, bad[i], strlen(bad[i]), 77, &error),
            MMOOD_ERROR_FORMAT);
        assert_non_null(strstr(error.message, "UTF-8"));
    }
    uint32_t ids[77];
    size_t count;
    char *huge = calloc(1, (1 << 20) + 1);
    assert_int_equal(mm_tokenizer_encode(ids, &count, NULL, clip, huge, (1 << 20) + 1, 77, NULL),
                     MMOOD_ERROR_LIMIT);
    free(huge);
}

static void test_both_layouts(void **unused) {
    (void)unused;
    mm_tokenizer *files, *json;
    mmood_error error;
    assert_ok(mm_tokenizer_open(&files, "golden/slow-tokenizer", &error), error);
    assert_ok(mm_tokenizer_open(&json, "golden/p16-gelu", &error), error);
    static const char *const texts[] = {"a photo of a cat", "<|endoftext|> wolf <|STARTOFTEXT|>",
                                        "\xc3\xa9"};
    for (size_t i = 0; i < 3; i++) {
        uint32_t a[77], b[77];
        size_t n, m;
        assert_ok(mm_tokenizer_encode(a, &n, NULL, files, texts[i], strlen(texts[i]), 77, &error),
                  error);
        assert_ok(mm_tokenizer_encode(b, &m, NULL, json, texts[i], strlen(texts[i]), 77, &error),
                  error);
        assert_int_equal(n, m);
        assert_memory_equal(a, b, n * sizeof *a);
    }
    assert_int_equal(mm_tokenizer_eot(files), mm_tokenizer_eot(json));
    assert_int_equal(mm_tokenizer_vocabulary(files), mm_tokenizer_vocabulary(json));
    mm_tokenizer_free(files);
    mm_tokenizer_free(json);
}

/* The file of a golden model with one piece of text replaced; the caller frees it. */
static char *change(const char *path, const char *from, const char *to) {
    uint8_t *data;
    size_t size;
    mmood_error error;
    assert_ok(mm_file_read(&data, &size, path, 1 << 20, &error), error);
    char *place = strstr((char *)data, from);
    assert_non_null(place);
    size_t before = (size_t)(place - (char *)data), room = size + strlen(to) + 1;
    char *changed = malloc(room);
    snprintf(changed, room, "%.*s%s%s", (int)before, (char *)data, to, place + strlen(from));
    free(data);
    return changed;
}

#define SMALL "golden/p16-gelu/tokenizer.json"

static mmood_status parse_changed(mm_tokenizer **out, const char *from, const char *to,
                                  mmood_error *error) {
    char *changed = change(SMALL, from, to);
    mmood_status status = mm_tokenizer_parse_json(out, changed, strlen(changed), error);
    free(changed);
    return status;
}

/* Ids of a small tokenizer, which is freed. */
static void check_small(mm_tokenizer *tokenizer, const char *text, const uint32_t *expected,
                        size_t count) {
    uint32_t ids[77];
    size_t found;
    mmood_error error;
    assert_ok(mm_tokenizer_encode(ids, &found, NULL, tokenizer, text, strlen(text), 77, &error),
              error);
    assert_int_equal(found, count);
    assert_memory_equal(ids, expected, count * sizeof *ids);
    mm_tokenizer_free(tokenizer);
}

/* A pair that comes twice has its later rank: ids by Hugging Face's tokenizers 0.23. */
static void test_merge_twice(void **unused) {
    (void)unused;
    mm_tokenizer *tokenizer;
    mmood_error error;
    assert_ok(parse_changed(&tokenizer, "\"v e</w>\"]", "\"v e</w>\"]", &error), error);
    check_small(tokenizer, "dof", (const uint32_t[]){530, 67, 514, 531}, 4);
    assert_ok(parse_changed(&tokenizer, "\"v e</w>\"]", "\"v e</w>\",\"o f</w>\"]", &error), error);
    check_small(tokenizer, "dof", (const uint32_t[]){530, 519, 325, 531}, 4);
    assert_ok(parse_changed(&tokenizer, "\"a t</w>\"", "[\"a\",\"t</w>\"]", &error), error);
    check_small(tokenizer, "cat", (const uint32_t[]){530, 513, 531}, 3);
}

/* Added tokens, the longest first; "normalized" ones are found after normalising and are
 * normalised themselves. Ids by Hugging Face's tokenizers 0.23. */
static void test_added_tokens(void **unused) {
    (void)unused;
    static const char added[] =
        "\"added_tokens\":[{\"id\":532,\"content\":\"Hot Dog\",\"normalized\":true},"
        "{\"id\":533,\"content\":\"CAT\",\"normalized\":false},"
        "{\"id\":534,\"content\":\"Hot Dogs\",\"normalized\":true},";
    mm_tokenizer *tokenizer;
    mmood_error error;
    assert_ok(parse_changed(&tokenizer, "\"added_tokens\":[", added, &error), error);
    assert_int_equal(mm_tokenizer_vocabulary(tokenizer), 535);
    check_small(tokenizer, "HOT\n dogs CAT cat", (const uint32_t[]){530, 534, 533, 513, 531}, 5);
    assert_ok(parse_changed(&tokenizer, "\"added_tokens\":[", added, &error), error);
    check_small(tokenizer, "hot dog", (const uint32_t[]){530, 532, 531}, 3);
}

/* As transformers 5 writes it, with the specials in the pattern. */
static void test_newer_pattern(void **unused) {
    (void)unused;
    mm_tokenizer *tokenizer;
    mmood_error error;
    assert_ok(parse_changed(&tokenizer, "\"Regex\":\"'s",
                            "\"Regex\":\"<\\\\|startoftext\\\\|>|<\\\\|endoftext\\\\|>|'s", &error),
              error);
    check_small(tokenizer, "it's", (const uint32_t[]){530, 72, 339, 6, 338, 531}, 6);
}

static void test_bad_vocabularies(void **unused) {
    (void)unused;
    static const struct {
        const char *from, *to, *says;
    } cases[] = {
        {"\"!\":0", "\"?!?\":0", "byte 0x21"},
        {"\"!\":0", "\"!\":-1", "whole number"},
        {"\"!\":0", "\"!\":1.5", "whole number"},
        {"\"!\":0", "\"!\":1048576", "whole number"},
        {"\"!\":0", "\"!\":1", "another token has the id 1"},
        {"\"!\":0", "\"!\":0,\"!\":0", "JSON"},
        {"\"vocab\":{", "\"vocab\":[],\"other\":{", "vocabulary"},
        {"\"dropout\":null", "\"dropout\":0.1", "dropout"},
        {"\"dropout\":null", "\"ignore_merges\":true", "ignore_merges"},
        {"\"continuing_subword_prefix\":\"\"", "\"continuing_subword_prefix\":\"##\"", "\"##\""},
        {"{\"type\":\"NFC\"}", "{\"type\":\"NFKC\"}", "normalizer"},
        {"{\"type\":\"NFC\"}", "{\"type\":\"NFC\"},{\"type\":\"StripAccents\"}", "normalizer"},
        {"[\\\\p{N}]|", "[\\\\p{N}]+|", "pre_tokenizer"},
        {"\"invert\":true", "\"invert\":false", "pre_tokenizer"},
        {"\"add_prefix_space\":false", "\"add_prefix_space\":true", "pre_tokenizer"},
        {"\"id\":530", "\"id\":12", "530 in the vocabulary"},
        {"\"id\":530", "\"id\":-1", "added_tokens[0]"},
        {"\"content\":\"<|startoftext|>\"", "\"content\":\"\"", "empty"},
        {"\"type\":\"BPE\"", "\"type\":\"WordPiece\"", "WordPiece"},
        {"\"type\":\"Lowercase\"", "\"type\":\"Strip\"", "normalizer"},
        {"\"type\":\"ByteLevel\"", "\"type\":\"Whitespace\"", "pre_tokenizer"},
        {"\"</w>\",\"fuse_unk\"", "\"\",\"fuse_unk\"", "end_of_word_suffix"},
        {"\"a t</w>\"", "\"q zz</w>\"", "vocabulary"},
        {"\"a t</w>\"", "7", "pair"},
        {"\"single_word\":false", "\"single_word\":true", "single_word"},
        {"\"merges\":[", "\"merges\":{},\"other\":[", "merges"},
        {"\"version\":\"1.0\"", "\"version\"", "JSON"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        mmood_error error;
        mm_tokenizer *tokenizer;
        mmood_status status = parse_changed(&tokenizer, cases[i].from, cases[i].to, &error);
        if (status == MMOOD_OK || !strstr(error.message, cases[i].says))
            fail_msg("case %zu: status %d, \"%s\" lacks \"%s\"", i, (int)status,
                     status ? error.message : "", cases[i].says);
        assert_null(tokenizer);
    }
    mm_tokenizer *tokenizer;
    mmood_error error;
    assert_int_equal(mm_tokenizer_open(&tokenizer, "data", &error), MMOOD_ERROR_IO);
    assert_non_null(strstr(error.message, "tokenizer.json"));
}

/* vocab.json and merges.txt, one of them changed. */
static void test_bad_files(void **unused) {
    (void)unused;
    static const struct {
        int merges;
        const char *from, *to, *says;
    } cases[] = {
        {0, "{\"!\":0", "[", "vocab.json"},
        {0, "\"!\":0", "\"?!?\":0", "vocab.json: the vocabulary lacks"},
        {0, "<|endoftext|>", "<|end|>", "<|endoftext|>"},
        {1, "c at</w>", "cat</w>", "merges.txt: merge 1 is not a pair"},
        {1, "c at</w>", "c at</w> x", "merges.txt: merge 1"},
        {1, "c at</w>", " cat</w>", "merges.txt: merge 1 is not a pair"},
        {1, "c at</w>", "z zz</w>", "vocabulary"},
        {1, "c at</w>\n", "c at</w>\r\n\n", NULL},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const char *from = cases[i].from, *to = cases[i].to;
        int merges_change = cases[i].merges;
        char *vocab = change("golden/slow-tokenizer/vocab.json", merges_change ? "" : from,
                             merges_change ? "" : to);
        char *merges = change("golden/slow-tokenizer/merges.txt", merges_change ? from : "",
                              merges_change ? to : "");
        mm_tokenizer *tokenizer;
        mmood_error error;
        mmood_status status = mm_tokenizer_parse_files(&tokenizer, vocab, strlen(vocab), merges,
                                                       strlen(merges), &error);
        if ((status == MMOOD_OK) != (cases[i].says == NULL) ||
            (cases[i].says && !strstr(error.message, cases[i].says)))
            fail_msg("case %zu: status %d, \"%s\"", i, (int)status, status ? error.message : "");
        mm_tokenizer_free(tokenizer);
        free(vocab);
        free(merges);
    }
}

/* The tables' file in a folder, or NULL. */
static char *find_tables(const char *folder) {
    char *path = NULL;
    DIR *entries = opendir(folder);
    for (struct dirent *entry; entries && (entry = readdir(entries));)
        if (strncmp(entry->d_name, "tokenizer-", 10) == 0) {
            assert_null(path);
            path = mm_path_join(folder, entry->d_name);
        }
    if (entries)
        closedir(entries);
    return path;
}

static void assert_encodes(const mm_tokenizer *a, const mm_tokenizer *b) {
    static const char *const texts[] = {"a photo of a cat", "", "gr\xc3\xbcn Gru\xc3\x9f! 12345 ?",
                                        "<|endoftext|>x",
                                        "antidisestablishmentarianism \xf0\x9f\x90\x88"};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        uint32_t x[77], y[77];
        size_t n, m;
        mmood_error error;
        assert_ok(mm_tokenizer_encode(x, &n, NULL, a, texts[i], strlen(texts[i]), 77, &error),
                  error);
        assert_ok(mm_tokenizer_encode(y, &m, NULL, b, texts[i], strlen(texts[i]), 77, &error),
                  error);
        assert_int_equal(n, m);
        assert_memory_equal(x, y, n * sizeof *x);
    }
    assert_int_equal(mm_tokenizer_vocabulary(a), mm_tokenizer_vocabulary(b));
    assert_int_equal(mm_tokenizer_bos(a), mm_tokenizer_bos(b));
    assert_int_equal(mm_tokenizer_eot(a), mm_tokenizer_eot(b));
}

static void count_notes(void *context, const char *text) {
    (void)text;
    ++*(int *)context;
}

/* By way of a folder: the same ids; a damaged file is written anew; other files have another. */
static void test_kept(void **unused) {
    (void)unused;
    static const char *const models[] = {"../models/demo", "golden/slow-tokenizer"};
    int notes = 0;
    mm_note note = {count_notes, &notes};
    mmood_error error;
    for (size_t i = 0; i < 2; i++) {
        char folder[] = "tokenizer-test.XXXXXX";
        mm_tokenizer *plain, *kept;
        assert_non_null(mkdtemp(folder));
        assert_ok(mm_tokenizer_open(&plain, models[i], &error), error);
        for (int round = 0; round < 5; round++) {
            assert_ok(mm_tokenizer_open_kept(&kept, models[i], folder, &note, &error), error);
            assert_encodes(plain, kept);
            mm_tokenizer_free(kept);
            char *path = find_tables(folder);
            assert_non_null(path);
            uint8_t *data;
            size_t size;
            assert_ok(mm_file_read(&data, &size, path, 1 << 26, &error), error);
            if (round == 1)
                data[size / 2] ^= 1;
            if (round == 1 || round == 3)
                assert_ok(mm_file_write_cached(path, data, round == 1 ? size : size / 2, &error),
                          error);
            assert_int_equal(notes, (int)(2 * i) + (round > 1) + (round > 3));
            if (round == 4)
                unlink(path);
            free(data);
            free(path);
        }
        rmdir(folder);
        mm_tokenizer_free(plain);
    }
    mm_tokenizer *tokenizer;
    assert_ok(
        mm_tokenizer_open_kept(&tokenizer, models[0], "golden/f16/config.json/x", &note, &error),
        error);
    assert_int_equal(notes, 5);
    mm_tokenizer_free(tokenizer);
    assert_int_equal(mm_tokenizer_open_kept(&tokenizer, "data", "data", &note, &error),
                     MMOOD_ERROR_IO);
}

/* Tables that would lead out of bounds or round and round are refused. */
static void test_impossible_tables(void **unused) {
    (void)unused;
    mm_merge merges[4] = {{1, 2, 0, 3}, {0, 0, UINT32_MAX, 0}, {0, 0, UINT32_MAX, 0}, {3, 1, 1, 4}};
    uint32_t bytes[512] = {0};
    uint32_t specials[4] = {4, 1, 2, 0x6261};
    mm_packed_record good = {.image = {.inputs = 5, .outputs = 1, .layout = (uint64_t)3 << 32 | 4}};
    good.image.sections[0] = (mm_bytes){merges, sizeof merges};
    good.image.sections[1] = (mm_bytes){bytes, sizeof bytes};
    good.image.sections[2] = (mm_bytes){specials, 14};
    mm_tokenizer *t;
    mmood_error error;
    assert_ok(mm_tokenizer_from_record(&t, &good, &error), error);
    mm_tokenizer_free(t);
#define REFUSED(change, undo)                                                                      \
    do {                                                                                           \
        mm_packed_record record = good;                                                            \
        change;                                                                                    \
        assert_int_equal(mm_tokenizer_from_record(&t, &record, &error), MMOOD_ERROR_FORMAT);       \
        assert_null(t);                                                                            \
        undo;                                                                                      \
    } while (0)
    REFUSED(record.image.inputs = 4, (void)0);
    REFUSED(record.image.outputs = 2, (void)0);
    REFUSED(record.image.outputs = 1000, (void)0);
    REFUSED(record.image.layout = 5, (void)0);
    REFUSED(record.image.sections[0].size = 3 * sizeof *merges, (void)0);
    REFUSED(record.image.sections[0].size = 0, (void)0);
    REFUSED(record.image.sections[0].size = sizeof *merges, (void)0); /* no empty slot */
    REFUSED(record.image.sections[1].size = 2044, (void)0);
    REFUSED(record.image.sections[2].size = 13, (void)0);
    REFUSED(merges[0].merged = 5, merges[0].merged = 3);
    REFUSED(bytes[511] = 5, bytes[511] = 0);
    REFUSED(specials[0] = 5, specials[0] = 4);
    REFUSED(specials[2] = 0, specials[2] = 2);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_kept),
        cmocka_unit_test(test_impossible_tables),
        cmocka_unit_test(test_golden),
        cmocka_unit_test(test_contractions),
        cmocka_unit_test(test_underscores_and_digits),
        cmocka_unit_test(test_entities_are_kept),
        cmocka_unit_test(test_long_text_keeps_its_end),
        cmocka_unit_test(test_long_word),
        cmocka_unit_test(test_bad_text),
        cmocka_unit_test(test_both_layouts),
        cmocka_unit_test(test_bad_vocabularies),
        cmocka_unit_test(test_bad_files),
        cmocka_unit_test(test_many_marks),
        cmocka_unit_test(test_merge_twice),
        cmocka_unit_test(test_added_tokens),
        cmocka_unit_test(test_newer_pattern),
    };
    return cmocka_run_group_tests(tests, open_clip, close_clip);
}
