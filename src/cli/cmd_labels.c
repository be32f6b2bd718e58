/* cmd_labels.c - mmood labels check: what is odd about a file of labels, with line numbers. */
#include "cli/options.h"
#include "cli/output.h"

#include <stdio.h>
#include <string.h>

static const char usage[] =
    "usage: mmood labels check FILE [--json]\n\n"
    "Reads a file of labels as mmood build does (text, one a line; JSON lists or objects of "
    "lists;\n"
    "id2label; mmood-outliers/1; names in YAML; a column of CSV) and reports duplicates, labels "
    "with the same tokens, blanks, byte-order\n"
    "marks, spaces, HTML entities, over-long labels and letters outside Latin, with line numbers.\n"
    "Exit code 0: it can be used; 1: it cannot.\n\n"
    "example: mmood labels check labels.txt\n";

static const char *finding_name(mmood_finding_kind kind) {
    static const char *const names[] = {"blank", "bom",       "duplicate", "spaces", "entity",
                                        "long",  "non-latin", "twin",      "format"};
    return names[kind];
}

static void print_json(const mmood_labels *labels) {
    mm_buffer out = {0};
    mm_buffer_puts(&out, "{\"labels\":[");
    for (size_t i = 0; i < mmood_labels_count(labels); i++) {
        mm_buffer_puts(&out, i ? "," : "");
        mm_json_text(&out, mmood_labels_text(labels, i));
    }
    mm_buffer_puts(&out, "],\"findings\":[");
    for (size_t i = 0; i < mmood_labels_finding_count(labels); i++) {
        mmood_finding finding = mmood_labels_finding(labels, i);
        mm_buffer_printf(&out, "%s{\"line\":%zu,\"kind\":\"%s\",\"message\":", i ? "," : "",
                         finding.line, finding_name(finding.kind));
        mm_json_text(&out, finding.message);
        mm_buffer_puts(&out, "}");
    }
    mm_buffer_puts(&out, "]}\n");
    output_flush(&out);
    mm_buffer_free(&out);
}

int cmd_labels(int argc, char **argv) {
    int json = 0, count;
    const option table[] = {{"json", 0, OPTION_FLAG, &json, NULL, "labels and findings as JSON"},
                            OPTION_END};
    parse_result parsed = options_parse(table, usage, argc, argv, &count);
    if (parsed != PARSE_GO)
        return parsed == PARSE_DONE ? EXIT_DONE : EXIT_USAGE;
    if (count != 2 || strcmp(argv[0], "check") != 0) {
        cli_error("usage: mmood labels check FILE");
        return EXIT_USAGE;
    }
    mmood_labels *labels;
    mmood_error error;
    if (mmood_labels_load(&labels, argv[1], &error) != MMOOD_OK)
        return cli_fail(&error);
    if (json) {
        print_json(labels);
    } else {
        for (size_t i = 0; i < mmood_labels_finding_count(labels); i++) {
            mmood_finding finding = mmood_labels_finding(labels, i);
            printf("line %zu: %s: %s\n", finding.line, finding_name(finding.kind), finding.message);
        }
        printf("%zu labels, %zu findings\n", mmood_labels_count(labels),
               mmood_labels_finding_count(labels));
    }
    mmood_labels_free(labels);
    return EXIT_DONE;
}
