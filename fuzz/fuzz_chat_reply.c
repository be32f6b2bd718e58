/* fuzz_chat_reply.c - bodies of chat replies on arbitrary bytes: what is read is text as promised.
 */
#include "envision/chat_reply.h"

#include "envision/http.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    mm_chat_reply reply;
    mmood_error error;
    char said[301];
    mm_http_complaint(said, data, size);
    if (strlen(said) > 300)
        abort();
    if (mm_chat_reply_parse(&reply, data, size, &error) != MMOOD_OK) {
        if (reply.text || !error.message[0])
            abort();
        return 0;
    }
    if (reply.size == 0 || strlen(reply.text) != reply.size || reply.size > size)
        abort();
    mm_chat_reply_free(&reply);
    return 0;
}
