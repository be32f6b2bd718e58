/* envision_dry.c - mmood envision --dry-run: what would be asked, and how much of it. */
#include "cli/envision.h"

#include "base/error.h"
#include "envision/probe.h"
#include "envision/talk.h"

#include <stdio.h>
#include <string.h>

enum { BYTES_A_TOKEN = 4, TOKENS_A_PICTURE = 1000, TOKENS_A_NAME = 4 };

static void count_tokens(envision_dry *dry, const mm_talk *talk, const mm_question *question) {
    size_t in = 0, out = question->wanted * TOKENS_A_NAME;
    for (size_t i = 0; i < talk->count; i++) {
        in += strlen(talk->messages[i].text) / BYTES_A_TOKEN + 4;
        in += talk->messages[i].count * TOKENS_A_PICTURE;
        dry->pictures_sent += talk->messages[i].count;
    }
    dry->tokens_in += in;
    dry->tokens_out += out;
    if (in + out <= dry->largest_in + dry->largest_out)
        return;
    dry->largest = question->prompt;
    dry->largest_in = in;
    dry->largest_out = out;
}

/* Answers with as many invented names as are asked for, all different. */
static mmood_status ask(mm_chat_reply *out, void *context, const mm_question *question,
                        mm_talk *talk, mmood_error *error) {
    envision_dry *dry = context;
    const talk_message *last = &talk->messages[talk->count - 1];
    if (dry->calls[question->prompt]++ == 0)
        mm_buffer_printf(&dry->out, "---- %s%s\n%s\n\n", mm_prompt_name(question->prompt),
                         last->count > 0 ? ", with pictures" : "", last->text);
    count_tokens(dry, talk, question);
    mm_buffer reply = {0};
    mm_buffer_puts(&reply, question->prompt == MM_PROMPT_PROBE
                               ? "an orange triangle, a purple circle, 47"
                               : "");
    for (size_t i = 0; i < question->wanted; i++)
        mm_buffer_printf(&reply, "- invented name %zu\n", ++dry->invented);
    *out = (mm_chat_reply){0};
    if (reply.failed) {
        mm_buffer_free(&reply);
        return mm_error_set(error, MMOOD_ERROR_MEMORY, "no memory for a reply");
    }
    out->text = reply.data;
    out->size = reply.size;
    return mm_talk_assistant(talk, out->text, error);
}

static mmood_status draw(mm_generated *out, void *context, const char *prompt, long long seed,
                         mmood_error *error) {
    envision_dry *dry = context;
    mm_buffer picture = {0};
    if (dry->drawn++ == 0)
        mm_buffer_printf(&dry->out, "---- picture, seed %lld\n%s\n\n", seed, prompt);
    *out = (mm_generated){0};
    mmood_status status = mm_probe_picture(&picture, error);
    if (status != MMOOD_OK) {
        mm_buffer_free(&picture);
        return status;
    }
    out->data = (uint8_t *)picture.data;
    out->size = picture.size;
    out->type = "jpg";
    out->seed = seed;
    return MMOOD_OK;
}

void envision_dry_connect(mm_asker *asker, envision_dry *dry) {
    asker->context = dry;
    asker->ask = ask;
    asker->draw = draw;
    asker->progress = NULL;
    asker->jobs = 1; /* it counts without locks */
    asker->ahead = 0;
    asker->draw_jobs = 1;
}

/* Says whether the largest request fits. Some servers set --max-tokens aside for the reply. */
static void compare(const envision_dry *dry, size_t context, size_t max_tokens) {
    size_t all = dry->largest_in + dry->largest_out;
    if (all > context)
        printf("warning: the largest request needs about %zu tokens, the model has %zu; ask for "
               "fewer labels with -L, or put {sample} or {categories} for {labels} into prompts of "
               "your own (--prompts DIR)\n",
               all, context);
    else if (dry->largest_in + max_tokens > context)
        printf("warning: the largest request and --max-tokens %zu are over the model's %zu tokens, "
               "which some servers, such as vLLM, refuse; --max-tokens %zu fits\n",
               max_tokens, context, context - dry->largest_in);
    else
        printf("The largest request fits the model's %zu tokens.\n", context);
}

void envision_dry_print(envision_dry *dry, size_t context, size_t max_tokens) {
    size_t calls = 0;
    fputs(dry->out.data ? dry->out.data : "", stdout);
    for (int i = 0; i < MM_PROMPTS; i++) {
        if (dry->calls[i] > 0)
            printf("%-12s %zu call%s\n", mm_prompt_name((mm_prompt)i), dry->calls[i],
                   dry->calls[i] == 1 ? "" : "s");
        calls += dry->calls[i];
    }
    printf("\n%zu calls of language models, %zu pictures sent, %zu pictures to generate; about %zu "
           "tokens in and %zu out, if every answer is full and new\n",
           calls, dry->pictures_sent, dry->drawn, dry->tokens_in, dry->tokens_out);
    printf("The largest request, of %s, has about %zu tokens in and %zu out.\n",
           mm_prompt_name(dry->largest), dry->largest_in, dry->largest_out);
    if (context > 0)
        compare(dry, context, max_tokens);
}
