/* tokenizer_pipeline.c - is a tokenizer.json CLIP's? Every part of it that changes ids must be what
 * tokenizer.c does; anything else would give other ids without a word. */
#include "clip/tokenizer_internal.h"

#include "base/error.h"

#include <string.h>

/* The pattern of CLIP (github.com/openai/CLIP, simple_tokenizer.py) without the special tokens,
 * which are found before; and as transformers writes it since version 5. */
#define WORDS "'s|'t|'re|'ve|'m|'ll|'d|[\\p{L}]+|[\\p{N}]|[^\\s\\p{L}\\p{N}]+"
#define SPECIALS "<\\|startoftext\\|>|<\\|endoftext\\|>|"

static int has(const json_t *object, const char *key, const char *value) {
    const char *found = json_string_value(json_object_get(object, key));
    return found && strcmp(found, value) == 0;
}

static int is_normalizer(const json_t *normalizer) {
    const json_t *steps = json_object_get(normalizer, "normalizers");
    const json_t *spaces = json_array_get(steps, 1);
    return has(normalizer, "type", "Sequence") && json_array_size(steps) == 3 &&
           has(json_array_get(steps, 0), "type", "NFC") && has(spaces, "type", "Replace") &&
           has(json_object_get(spaces, "pattern"), "Regex", "\\s+") &&
           has(spaces, "content", " ") && has(json_array_get(steps, 2), "type", "Lowercase");
}

/* Split by CLIP's pattern, then bytes. With the specials in the pattern, ByteLevel must split once
 * more (it does by default), or "<|STARTOFTEXT|>" would stay one word. */
static int is_splitter(const json_t *splitter) {
    const json_t *steps = json_object_get(splitter, "pretokenizers");
    const json_t *split = json_array_get(steps, 0), *bytes = json_array_get(steps, 1);
    const json_t *pattern = json_object_get(split, "pattern");
    int plain = has(pattern, "Regex", WORDS);
    int with_specials = has(pattern, "Regex", SPECIALS WORDS) &&
                        !json_is_false(json_object_get(bytes, "use_regex"));
    return has(splitter, "type", "Sequence") && json_array_size(steps) == 2 &&
           has(split, "type", "Split") && (plain || with_specials) &&
           has(split, "behavior", "Removed") && json_is_true(json_object_get(split, "invert")) &&
           has(bytes, "type", "ByteLevel") &&
           !json_is_true(json_object_get(bytes, "add_prefix_space"));
}

static mmood_status check_model(const json_t *model, mmood_error *error) {
    const char *type = json_string_value(json_object_get(model, "type"));
    const char *suffix = json_string_value(json_object_get(model, "end_of_word_suffix"));
    const char *prefix = json_string_value(json_object_get(model, "continuing_subword_prefix"));
    if (type && strcmp(type, "BPE") != 0)
        return mm_error_set(error, MMOOD_ERROR_UNSUPPORTED,
                            "the tokenizer's model is \"%s\"; CLIP's is BPE", type);
    if (!suffix || strcmp(suffix, "</w>") != 0)
        return mm_error_set(error, MMOOD_ERROR_UNSUPPORTED,
                            "the tokenizer's end_of_word_suffix is \"%s\"; CLIP's is \"</w>\"",
                            suffix ? suffix : "");
    if (prefix && prefix[0])
        return mm_error_set(error, MMOOD_ERROR_UNSUPPORTED,
                            "the tokenizer's continuing_subword_prefix is \"%s\"; CLIP's is empty",
                            prefix);
    if (json_number_value(json_object_get(model, "dropout")) != 0)
        return mm_error_set(error, MMOOD_ERROR_UNSUPPORTED,
                            "the tokenizer drops merges at random (dropout); CLIP's does not");
    if (json_is_true(json_object_get(model, "ignore_merges")))
        return mm_error_set(error, MMOOD_ERROR_UNSUPPORTED,
                            "the tokenizer has ignore_merges; CLIP's has not");
    return MMOOD_OK;
}

mmood_status mm_tokenizer_check_pipeline(const json_t *root, mmood_error *error) {
    mmood_status status = check_model(json_object_get(root, "model"), error);
    if (status == MMOOD_OK && !is_normalizer(json_object_get(root, "normalizer")))
        status = mm_error_set(error, MMOOD_ERROR_UNSUPPORTED,
                              "the tokenizer's normalizer is not CLIP's: a Sequence of NFC, "
                              "Replace \"\\s+\" by a space, Lowercase");
    if (status == MMOOD_OK && !is_splitter(json_object_get(root, "pre_tokenizer")))
        status = mm_error_set(error, MMOOD_ERROR_UNSUPPORTED,
                              "the tokenizer's pre_tokenizer is not CLIP's: a Sequence of Split by "
                              "its pattern, Removed and inverted, and ByteLevel without a prefix");
    return status;
}
