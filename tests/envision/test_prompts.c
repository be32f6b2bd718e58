/* test_prompts.c - templates: those built in, those of a folder, and their placeholders. */
#include "test.h"

#include "base/file.h"
#include "envision/rounds.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void write_prompt(const char *folder, const char *name, const char *text) {
    char path[256];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    assert_ok(mm_file_write(path, text, strlen(text), NULL), (mmood_error){0});
}

static void test_prompts(void **unused) {
    (void)unused;
    mmood_error error;
    mm_prompts *prompts;
    for (int i = 0; i < MM_PROMPTS; i++) { /* what was built in is what is in the folder */
        char path[128];
        uint8_t *text;
        size_t size;
        snprintf(path, sizeof path, "../prompts/%s.txt", mm_prompt_name((mm_prompt)i));
        assert_ok(mm_file_read(&text, &size, path, 1 << 16, &error), error);
        assert_string_equal((char *)text, mm_prompt_default((mm_prompt)i));
        free(text);
    }
    assert_ok(mm_prompts_load(&prompts, "../prompts", &error), error);
    mm_prompts_free(prompts);

    char folder[] = "/tmp/mmood-prompts-XXXXXX", path[64], *text;
    assert_non_null(mkdtemp(folder));
    assert_int_equal(mm_prompts_load(&prompts, folder, &error), MMOOD_ERROR_IO);
    assert_non_null(strstr(error.message, "none of the prompts"));
    write_prompt(folder, "near.txt",
                 "\xef\xbb\xbf\n{count} like {class}, {not} {} {Class}? {labels} \n\n");
    assert_int_equal(mm_prompts_load(&prompts, folder, &error), MMOOD_ERROR_FORMAT);
    assert_non_null(strstr(error.message, "near.txt: has the placeholder {not}"));
    write_prompt(folder, "near.txt",
                 "\xef\xbb\xbf\n{count} like {class}, {} {Class}? {labels} \n\n");
    assert_ok(mm_prompts_load(&prompts, folder, &error), error);
    const mm_prompt_values values = {
        .class_name = "polar_bear", .labels = "a_b, {count}", .count = 3};
    assert_ok(mm_prompts_expand(&text, prompts, MM_PROMPT_NEAR, &values, &error), error);
    assert_string_equal(text, "3 like polar bear, {} {Class}? a b, {count}");
    free(text);
    assert_string_equal(mm_prompts_text(prompts, MM_PROMPT_MORE),
                        mm_prompt_default(MM_PROMPT_MORE));
    mm_prompts_free(prompts);
    static const char *const bad[] = {" \n", "{class} \xff", "{lass}"};
    for (size_t i = 0; i < 3; i++) {
        write_prompt(folder, "near.txt", bad[i]);
        assert_int_equal(mm_prompts_load(&prompts, folder, &error), MMOOD_ERROR_FORMAT);
    }
    snprintf(path, sizeof path, "%s/near.txt", folder);
    unlink(path);
    rmdir(folder);
}

/* With pictures and without, the same is asked, but for what to look at. */
static void test_texts(void **unused) {
    (void)unused;
    const char *near = mm_prompt_default(MM_PROMPT_NEAR);
    const char *rest = strstr(near, "\n\n");
    assert_non_null(rest);
    assert_string_equal(rest + 2, mm_prompt_default(MM_PROMPT_TEXT_NEAR));
    assert_non_null(strstr(rest, "other and broader domains"));
    assert_non_null(strstr(mm_prompt_default(MM_PROMPT_SKETCH), "{labels}"));
    assert_non_null(strstr(mm_prompt_default(MM_PROMPT_SKETCH), "{categories}"));
    assert_non_null(strstr(mm_prompt_default(MM_PROMPT_ELABORATE), "itself, then"));
}

static void test_examples(void **unused) {
    (void)unused;
    mm_envisioner e = {.id_text = "cat, dog"};
    mm_prompt_values values = mm_common_values(&e);
    mm_prompts *prompts;
    mmood_error error;
    values.count = 3;
    assert_ok(mm_prompts_load(&prompts, NULL, &error), error);
    e.prompts = prompts;
    for (int i = 0; i < MM_PROMPTS; i++) {
        mm_prompt prompt = (mm_prompt)i, examples = mm_prompt_examples(prompt);
        char *without, *with;
        e.examples = 0;
        assert_ok(mm_message(&without, &e, prompt, &values, &error), error);
        e.examples = 1;
        assert_ok(mm_message(&with, &e, prompt, &values, &error), error);
        assert_int_equal(strncmp(with, without, strlen(without)), 0);
        const char *rest = with + strlen(without);
        if (examples == MM_PROMPTS)
            assert_string_equal(rest, "");
        else
            assert_int_equal(strncmp(rest + 2, mm_prompt_default(examples), strlen(rest + 2)), 0);
        free(without);
        free(with);
    }
    mm_prompts_free(prompts);
}

static void test_placeholders(void **unused) {
    (void)unused;
    static const char text[] = "{sample}; {categories}; {labels}; {count}";
    const mm_envisioner e = {.id_text = "cat, dog, polar_bear",
                             .sample = "cat, dog",
                             .categories = "pets, wild_animals"};
    mm_prompts *prompts;
    mmood_error error;
    assert_ok(mm_prompts_load(&prompts, NULL, &error), error);
    mm_prompt_values values = mm_common_values(&e);
    values.count = 4;
    for (int i = 0; i < MM_PROMPTS; i++) {
        mm_prompt prompt = (mm_prompt)i;
        char *filled;
        if (prompt == MM_PROMPT_CATEGORIES || prompt == MM_PROMPT_PICTURE ||
            prompt == MM_PROMPT_PROBE) {
            assert_int_equal(mm_prompts_set(prompts, prompt, text, strlen(text), &error),
                             MMOOD_ERROR_FORMAT);
            continue;
        }
        assert_ok(mm_prompts_set(prompts, prompt, text, strlen(text), &error), error);
        assert_true(mm_prompts_use_categories(prompts, prompt));
        assert_ok(mm_prompts_expand(&filled, prompts, prompt, &values, &error), error);
        assert_string_equal(filled, "cat, dog; pets, wild animals; cat, dog, polar bear; 4");
        free(filled);
    }
    mm_prompts_free(prompts);
    static const char *const ids[] = {"cat", "dog", "polar_bear"};
    static const struct {
        size_t most;
        const char *text;
    } samples[] = {{0, ""}, {1, "cat"}, {2, "cat, dog"}, {9, "cat, dog, polar_bear"}};
    for (size_t i = 0; i < sizeof samples / sizeof *samples; i++) {
        char *sample = mm_join_sample(ids, 3, samples[i].most);
        assert_string_equal(sample, samples[i].text);
        free(sample);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_prompts),
        cmocka_unit_test(test_texts),
        cmocka_unit_test(test_examples),
        cmocka_unit_test(test_placeholders),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
