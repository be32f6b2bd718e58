/* fuzz_csv.c - tables of scores on arbitrary bytes. */
#include "eval/csv.h"

#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    mm_score_table table;
    mmood_error error;
    mm_score_table_parse(&table, (const char *)data, size, &error);
    mm_score_table_free(&table);
    return 0;
}
