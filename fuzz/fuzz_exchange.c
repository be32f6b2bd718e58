/* fuzz_exchange.c - files of the cache of exchanges on arbitrary bytes: what passes has what its
 * readers need, and passes again. */
#include "envision/exchanges.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    json_t *exchange, *again;
    mmood_error error;
    if (mm_exchanges_parse(&exchange, data, size, NULL, &error) != MMOOD_OK) {
        if (exchange || !error.message[0])
            abort();
        return 0;
    }
    char key[65];
    if (mm_exchanges_key(key, json_object_get(exchange, "request"), NULL) != MMOOD_OK ||
        strcmp(key, json_string_value(json_object_get(exchange, "key"))) != 0)
        abort();
    char *text = json_dumps(exchange, JSON_INDENT(1) | JSON_REAL_PRECISION(17));
    if (!text || mm_exchanges_parse(&again, text, strlen(text), key, NULL) != MMOOD_OK)
        abort();
    free(text);
    json_decref(again);
    json_decref(exchange);
    return 0;
}
