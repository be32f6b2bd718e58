/* cmd_tokenize.c - mmood tokenize: token ids of texts, BOS and EOT included. */
#include "cli/options.h"
#include "cli/output.h"
#include "eval/paths.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char usage[] =
    "usage: mmood tokenize -m MODEL [--json] TEXT...\n\n"
    "TEXT \"-\" stands for texts on standard input, separated by NUL bytes or newlines.\n"
    "Prints the token ids of each text on a line of its own, BOS and EOT included. A text that is\n"
    "too long is cut and keeps its EOT; stderr says so.\n\n"
    "example: mmood tokenize -m models/demo \"a photo of a cat\"\n";

static void print_ids(mm_buffer *out, const char *text, const uint32_t *ids, size_t count, int cut,
                      int json) {
    if (json) {
        mm_buffer_puts(out, "{\"text\":");
        mm_json_text(out, text);
        mm_buffer_puts(out, ",\"ids\":[");
    }
    for (size_t i = 0; i < count; i++)
        mm_buffer_printf(out, "%s%u", i ? (json ? "," : " ") : "", (unsigned)ids[i]);
    if (json)
        mm_buffer_printf(out, "],\"truncated\":%s}", cut ? "true" : "false");
    mm_buffer_puts(out, "\n");
    output_flush(out);
}

/* Tokenizes each text; an exit code. */
static int tokenize_all(const mm_path_list *texts, common_options *common, int json) {
    mmood_model *model;
    size_t failed = 0;
    common->precision = "f32"; /* no product is computed, so the quickest to load will do */
    int code = common_open_model(&model, NULL, common->model, common);
    if (code != EXIT_DONE)
        return code;
    mmood_model_info info;
    mmood_model_describe(model, &info);
    uint32_t *ids = malloc((size_t)info.context * sizeof *ids);
    mm_buffer out = {0};
    for (size_t i = 0; ids && i < texts->count; i++) {
        const char *text = texts->items[i];
        mmood_error error;
        size_t n;
        int cut;
        if (mmood_model_tokenize(ids, &n, &cut, model, text, strlen(text), &error) != MMOOD_OK) {
            cli_error("text %zu: %s", i + 1, error.message);
            failed++;
            continue;
        }
        if (cut)
            cli_note(common_talk(common),
                     "text %zu is longer than %d tokens and was cut: \"%.60s...\"", i + 1,
                     info.context, text);
        print_ids(&out, text, ids, n, cut, json);
    }
    mm_buffer_free(&out);
    free(ids);
    mmood_model_free(model);
    return failed == 0 ? EXIT_DONE : failed == texts->count ? EXIT_FATAL : EXIT_PARTIAL;
}

int cmd_tokenize(int argc, char **argv) {
    common_options common = common_options_default();
    int json = 0, count;
    const option table[] = {OPTION_MODEL(common),
                            {"json", 0, OPTION_FLAG, &json, NULL, "one JSON object a line"},
                            OPTION_CACHE(common),
                            OPTION_TALK(common),
                            OPTION_END};
    parse_result parsed = options_parse(table, usage, argc, argv, &count);
    if (parsed != PARSE_GO)
        return parsed == PARSE_DONE ? EXIT_DONE : EXIT_USAGE;
    if (count == 0) {
        cli_error("tokenize needs at least one text");
        return EXIT_USAGE;
    }
    mm_path_list texts = {0};
    for (int i = 0; i < count; i++)
        mm_path_list_add_text(&texts, argv[i]);
    if (texts.failed) {
        cli_error("no memory for the texts");
        return EXIT_FATAL;
    }
    int code = tokenize_all(&texts, &common, json);
    mm_path_list_free(&texts);
    return code;
}
