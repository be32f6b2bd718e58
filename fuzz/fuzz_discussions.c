/* fuzz_discussions.c - arbitrary bytes as a page of a hub's list of discussions. */
#include "envision/discussions.h"

#include <stdint.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    mm_discussions page;
    mmood_error error = {.message = ""};
    mmood_status status = mm_discussions_parse(&page, data, size, &error);
    if (status != MMOOD_OK && !error.message[0])
        abort();
    if (page.conversion < 0 || (status != MMOOD_OK && (page.conversion || !page.is_last)))
        abort();
    return 0;
}
