/* fuzz_imagegen_reply.c - bodies of image replies on arbitrary bytes: one of picture and link. */
#include "envision/imagegen_reply.h"

#include <stdint.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    mm_buffer picture;
    char *link;
    json_t *rest;
    mmood_error error;
    mmood_status status = mm_imagegen_reply_parse(&picture, &link, &rest, data, size, &error);
    if (status != MMOOD_OK) {
        if (picture.data || link || rest || !error.message[0])
            abort();
        return 0;
    }
    if ((picture.size > 0) == (link != NULL) || !rest || picture.size > size)
        abort();
    mm_buffer_free(&picture);
    free(link);
    json_decref(rest);
    return 0;
}
