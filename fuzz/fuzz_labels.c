/* fuzz_labels.c - files of labels on arbitrary bytes: what is read are labels as promised. */
#include "mmood.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <utf8proc.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_text(const char *text) {
    for (const utf8proc_uint8_t *p = (const utf8proc_uint8_t *)text; *p;) {
        utf8proc_int32_t c;
        utf8proc_ssize_t n = utf8proc_iterate(p, -1, &c);
        if (n <= 0)
            abort();
        p += n;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    mmood_labels *labels;
    mmood_error error;
    if (mmood_labels_parse(&labels, data, size, &error) != MMOOD_OK)
        return 0;
    size_t count = mmood_labels_count(labels);
    if (count == 0)
        abort();
    for (size_t i = 0; i < count; i++) {
        const char *text = mmood_labels_text(labels, i);
        size_t length = strlen(text);
        check_text(text);
        check_text(mmood_labels_source(labels, i));
        for (size_t t = 0; mmood_labels_template(labels, i, t); t++)
            if (t == 100 || !strstr(mmood_labels_template(labels, i, t), "{}"))
                abort();
        if (length == 0 || length > 4096 || strchr(" \t\r\n", text[0]) ||
            strchr(" \t\r\n", text[length - 1]))
            abort();
        for (size_t k = i < 16 ? 0 : i - 16; k < i; k++)
            if (strcmp(mmood_labels_text(labels, k), text) == 0)
                abort();
    }
    for (size_t i = 0; i < mmood_labels_finding_count(labels); i++) {
        mmood_finding finding = mmood_labels_finding(labels, i);
        if (finding.line == 0)
            abort();
        check_text(finding.message);
    }
    mmood_labels_free(labels);
    return 0;
}
