/* prompts.c - templates of prompts: mmood's own are made from prompts/ when it is built. */
#include "envision/prompts.h"

#include "base/buffer.h"
#include "base/error.h"
#include "base/file.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <utf8proc.h>

#include "prompt_texts.h"

enum { MAX_PROMPT = 64 << 10, MAX_NAME = 32 };

struct mm_prompts {
    char *texts[MM_PROMPTS];
};

static const struct {
    const char *name;
    const char *text;
    const char *placeholders; /* that it may have, each between spaces */
} templates[MM_PROMPTS] = {
    {"near", mm_text_near, " class labels sample categories count "},
    {"more", mm_text_more, " class labels sample categories label count "},
    {"categories", mm_text_categories, " labels sample count "},
    {"sketch", mm_text_sketch, " labels sample categories count "},
    {"select", mm_text_select, " labels sample categories drafts count "},
    {"picture", mm_text_picture, " label "},
    {"elaborate", mm_text_elaborate, " labels sample categories label count "},
    {"text-near", mm_text_text_near, " class labels sample categories count "},
    {"text-far", mm_text_text_far, " labels sample categories count "},
    {"text-fine", mm_text_text_fine, " labels sample categories count "},
    {"probe", mm_text_probe, ""},
    {"examples-near", mm_text_examples_near, " class labels sample categories count "},
    {"examples-far", mm_text_examples_far, " labels sample categories count "},
    {"examples-elaborate", mm_text_examples_elaborate, " labels sample categories label count "},
    {"examples-fine", mm_text_examples_fine, " labels sample categories count "},
};

static mmood_status no_memory(mmood_error *error) {
    return mm_error_set(error, MMOOD_ERROR_MEMORY, "no memory for a prompt");
}

const char *mm_prompt_name(mm_prompt prompt) {
    return templates[prompt].name;
}

const char *mm_prompt_default(mm_prompt prompt) {
    return templates[prompt].text;
}

const char *mm_prompts_text(const mm_prompts *prompts, mm_prompt prompt) {
    return prompts->texts[prompt];
}

mm_prompt mm_prompt_examples(mm_prompt prompt) {
    switch (prompt) {
    case MM_PROMPT_NEAR:
    case MM_PROMPT_TEXT_NEAR:
        return MM_PROMPT_EXAMPLES_NEAR;
    case MM_PROMPT_SKETCH:
    case MM_PROMPT_TEXT_FAR:
        return MM_PROMPT_EXAMPLES_FAR;
    case MM_PROMPT_ELABORATE:
        return MM_PROMPT_EXAMPLES_ELABORATE;
    case MM_PROMPT_TEXT_FINE:
        return MM_PROMPT_EXAMPLES_FINE;
    default:
        return MM_PROMPTS;
    }
}

int mm_prompts_use_categories(const mm_prompts *prompts, mm_prompt prompt) {
    return strstr(prompts->texts[prompt], "{categories}") != NULL;
}

/* The length of a placeholder's name if one begins at `text`, after its "{"; 0 if the brace is just
 * a brace. */
static size_t placeholder(char name[MAX_NAME], const char *text) {
    size_t n = strspn(text + 1, "abcdefghijklmnopqrstuvwxyz_");
    if (n == 0 || n >= MAX_NAME || text[n + 1] != '}')
        return 0;
    memcpy(name, text + 1, n);
    name[n] = '\0';
    return n;
}

static mmood_status check(mm_prompt prompt, const char *text, mmood_error *error) {
    char name[MAX_NAME], wanted[MAX_NAME + 2];
    utf8proc_uint8_t *unused;
    utf8proc_ssize_t n = utf8proc_map((const utf8proc_uint8_t *)text, 0, &unused,
                                      UTF8PROC_NULLTERM | UTF8PROC_STABLE);
    if (n < 0)
        return mm_error_set(error, MMOOD_ERROR_FORMAT, "is not UTF-8: save it as UTF-8");
    free(unused);
    if (text[strspn(text, " \t\r\n")] == '\0')
        return mm_error_set(error, MMOOD_ERROR_FORMAT, "is empty, expected a prompt");
    for (const char *p = text; (p = strchr(p, '{')); p++) {
        if (placeholder(name, p) == 0)
            continue;
        snprintf(wanted, sizeof wanted, " %s ", name);
        if (!strstr(templates[prompt].placeholders, wanted))
            return mm_error_set(error, MMOOD_ERROR_FORMAT,
                                "has the placeholder {%s}, which this prompt does not know%s%s",
                                name, *templates[prompt].placeholders ? "; it knows:" : "",
                                templates[prompt].placeholders);
    }
    return MMOOD_OK;
}

mmood_status mm_prompts_set(mm_prompts *prompts, mm_prompt prompt, const void *data, size_t size,
                            mmood_error *error) {
    if (size > MAX_PROMPT)
        return mm_error_set(error, MMOOD_ERROR_LIMIT, "has %zu bytes; a prompt has at most %d",
                            size, (int)MAX_PROMPT);
    if (memchr(data, 0, size))
        return mm_error_set(error, MMOOD_ERROR_FORMAT, "holds a NUL byte, expected UTF-8");
    size_t mark = size >= 3 && memcmp(data, "\xef\xbb\xbf", 3) == 0 ? 3 : 0;
    char *text = strndup((const char *)data + mark, size - mark);
    mmood_status status = text ? check(prompt, text, error) : no_memory(error);
    if (status != MMOOD_OK) {
        free(text);
        return status;
    }
    free(prompts->texts[prompt]);
    prompts->texts[prompt] = text;
    return MMOOD_OK;
}

/* Takes the template from the folder if it has it. */
static mmood_status read_one(mm_prompts *prompts, const char *directory, mm_prompt prompt,
                             mmood_error *error) {
    char name[MAX_NAME];
    uint8_t *data;
    size_t size;
    snprintf(name, sizeof name, "%s.txt", templates[prompt].name);
    if (!mm_file_exists_in(directory, name))
        return MMOOD_OK;
    mmood_status status = mm_file_read_in(&data, &size, directory, name, MAX_PROMPT, error);
    if (status != MMOOD_OK)
        return mm_error_prefix(error, status, "%s", directory);
    status = mm_prompts_set(prompts, prompt, data, size, error);
    free(data);
    return status == MMOOD_OK ? status : mm_error_prefix(error, status, "%s/%s", directory, name);
}

mmood_status mm_prompts_load(mm_prompts **out, const char *directory, mmood_error *error) {
    mmood_status status = MMOOD_OK;
    int found = 0;
    *out = NULL;
    mm_prompts *prompts = calloc(1, sizeof *prompts);
    if (!prompts)
        return no_memory(error);
    for (int i = 0; i < MM_PROMPTS && status == MMOOD_OK; i++) {
        if (directory)
            status = read_one(prompts, directory, (mm_prompt)i, error);
        found += prompts->texts[i] != NULL;
        if (status == MMOOD_OK && !prompts->texts[i])
            prompts->texts[i] = strdup(templates[i].text);
        if (status == MMOOD_OK && !prompts->texts[i])
            status = no_memory(error);
    }
    if (status == MMOOD_OK && directory && found == 0)
        status = mm_error_set(error, MMOOD_ERROR_IO,
                              "%s has none of the prompts, expected near.txt, elaborate.txt, ..., "
                              "as the folder prompts/ of mmood has them",
                              directory);
    if (status == MMOOD_OK)
        *out = prompts;
    else
        mm_prompts_free(prompts);
    return status;
}

void mm_prompts_free(mm_prompts *prompts) {
    if (!prompts)
        return;
    for (int i = 0; i < MM_PROMPTS; i++)
        free(prompts->texts[i]);
    free(prompts);
}

/* Appends what a placeholder stands for. */
static void put_value(mm_buffer *out, const char *name, const mm_prompt_values *v) {
    const struct {
        const char *name;
        const char *value;
    } values[] = {{"class", v->class_name},      {"labels", v->labels}, {"sample", v->sample},
                  {"categories", v->categories}, {"drafts", v->drafts}, {"label", v->label}};
    if (strcmp(name, "count") == 0)
        mm_buffer_printf(out, "%zu", v->count);
    for (size_t i = 0; i < sizeof values / sizeof *values; i++)
        if (strcmp(name, values[i].name) == 0 && values[i].value)
            for (const char *p = values[i].value; *p; p++)
                mm_buffer_append(out, *p == '_' ? " " : p, 1);
}

mmood_status mm_prompts_expand(char **out, const mm_prompts *prompts, mm_prompt prompt,
                               const mm_prompt_values *values, mmood_error *error) {
    const char *p = prompts->texts[prompt];
    mm_buffer text = {0};
    char name[MAX_NAME];
    p += strspn(p, " \t\r\n");
    mm_buffer_puts(&text, "");
    while (*p) {
        size_t n = *p == '{' ? placeholder(name, p) : 0;
        if (n > 0)
            put_value(&text, name, values);
        else
            mm_buffer_append(&text, p, 1);
        p += n > 0 ? n + 2 : 1;
    }
    while (text.size > 0 && strchr(" \t\r\n", text.data[text.size - 1]))
        text.data[--text.size] = '\0';
    *out = text.data;
    if (!text.failed)
        return MMOOD_OK;
    mm_buffer_free(&text);
    *out = NULL;
    return no_memory(error);
}

mmood_status mm_prompts_expand_with_examples(char **out, const mm_prompts *prompts,
                                             mm_prompt prompt, const mm_prompt_values *values,
                                             mmood_error *error) {
    mm_prompt examples = mm_prompt_examples(prompt);
    char *first, *second = NULL;
    *out = NULL;
    if (examples == MM_PROMPTS)
        return mm_prompts_expand(out, prompts, prompt, values, error);
    mmood_status status = mm_prompts_expand(&first, prompts, prompt, values, error);
    if (status == MMOOD_OK)
        status = mm_prompts_expand(&second, prompts, examples, values, error);
    mm_buffer text = {0};
    if (status == MMOOD_OK) {
        mm_buffer_printf(&text, "%s\n\n%s", first, second);
        status = text.failed ? no_memory(error) : MMOOD_OK;
    }
    free(first);
    free(second);
    if (status == MMOOD_OK)
        *out = text.data;
    else
        mm_buffer_free(&text);
    return status;
}
