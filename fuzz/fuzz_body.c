/* fuzz_body.c - requests to judge pictures on arbitrary bytes: the first line is the Content-Type,
 * the second the option "top", the third "scores", the rest the body. What is read is as promised,
 * and its pictures are decoded as the server does. */
#include "serve/body.h"

#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { ITEMS = 8, DIMENSION = 3, LINE = 200 };

/* A line of the input; the rest is moved past it. */
static void take_line(char out[LINE], const uint8_t **data, size_t *size) {
    const uint8_t *end = *size ? memchr(*data, '\n', *size) : NULL;
    size_t n = end ? (size_t)(end - *data) : *size, kept = 0;
    for (size_t i = 0; i < n && kept + 1 < LINE; i++)
        if ((*data)[i])
            out[kept++] = (char)(*data)[i];
    out[kept] = '\0';
    n += end != NULL;
    *data += n;
    *size -= n;
}

static void check_input(const mm_input *input) {
    mmood_image *image;
    mmood_image_options options = mmood_image_options_default();
    double squares = 0;
    options.max_pixels = 1 << 14;
    if (input->status != MMOOD_OK) {
        if (!input->failure)
            abort();
        return;
    }
    if (!input->embedding) {
        mmood_image_decode(&image, input->data, input->size, &options, NULL);
        mmood_image_free(image);
        return;
    }
    for (int i = 0; i < DIMENSION; i++)
        squares += (double)input->embedding[i] * (double)input->embedding[i];
    if (!(fabs(squares - 1) < 1e-4))
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    const mm_body_limits limits = {ITEMS, DIMENSION};
    char type[LINE], top[LINE], scores[LINE];
    mm_body body = {.top = 3};
    mmood_error error = {0};
    take_line(type, &data, &size);
    take_line(top, &data, &size);
    take_line(scores, &data, &size);
    /* of exact size, so that a read behind it is seen */
    uint8_t *copy = malloc(size ? size : 1);
    if (!copy)
        return 0;
    memcpy(copy, data, size);
    mm_body_option(&body, "top", top, NULL);
    mm_body_option(&body, "scores", scores, NULL);
    mmood_status status = mm_body_read(&body, type, copy, size, &limits, &error);
    if (status == MMOOD_OK ? body.count == 0 : !error.message[0])
        abort();
    if (body.count > ITEMS || body.top > MM_TOP_MAX)
        abort();
    for (size_t i = 0; i < body.count && status == MMOOD_OK; i++)
        check_input(&body.inputs[i]);
    mm_body_free(&body);
    free(copy);
    return 0;
}
