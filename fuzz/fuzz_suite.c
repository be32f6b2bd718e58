/* fuzz_suite.c - evaluation suites on arbitrary bytes; those that parse are described. */
#include "eval/suite.h"

#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    mm_suite suite;
    mmood_error error;
    mm_buffer text = {0};
    if (mm_suite_parse(&suite, data, size, &error) == MMOOD_OK)
        mm_suite_describe(&text, &suite, NULL);
    mm_buffer_free(&text);
    mm_suite_free(&suite);
    return 0;
}
