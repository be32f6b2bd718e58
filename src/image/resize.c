/* resize.c - Pillow's resampling (its Resample.c, 8 bits a channel): each output value is a
 * weighted sum over the filter's support, stretched when shrinking; weights are rounded to 22
 * fractional bits; the horizontal pass is rounded and clipped to 8 bits before the vertical one. */
#include "image/resize.h"

#include "base/error.h"
#include "image/image.h"
#include "image/weigh.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* An axis of the picture in memory: `side` pixels, of which it covers `span` from `begin` on. */
typedef struct axis {
    size_t side;
    double begin;
    double span;
} axis;

static double filter_support(mmood_filter filter) {
    return filter == MMOOD_FILTER_BICUBIC ? 2.0 : 1.0;
}

/* Keys' cubic with a = -0.5, or a triangle. */
static double filter_value(mmood_filter filter, double x) {
    const double a = -0.5;
    x = fabs(x);
    if (filter == MMOOD_FILTER_BILINEAR)
        return x < 1 ? 1 - x : 0;
    if (x < 1)
        return ((a + 2) * x - (a + 3)) * x * x + 1;
    if (x < 2)
        return (((x - 5) * x + 8) * x - 4) * a;
    return 0;
}

static void weights_free(mm_weights *k) {
    free(k->first);
    free(k->length);
    free(k->weights);
    *k = (mm_weights){0};
}

/* The weights for outputs begin .. begin + count of an axis resized to `to`. */
static mmood_status weights_create(mm_weights *k, axis a, size_t to, size_t begin, size_t count,
                                   mmood_filter filter, mmood_error *error) {
    size_t from = a.side;
    double scale = a.span / (double)to, stretch = scale < 1 ? 1 : scale;
    double support = filter_support(filter) * stretch;
    double wanted = ceil(support) * 2 + 1;
    *k = (mm_weights){.taps = wanted < (double)from ? (size_t)wanted : from};
    k->taps += k->taps % 2;
    double *exact = malloc(k->taps * sizeof *exact);
    k->first = malloc(count * sizeof *k->first);
    k->length = malloc(count * sizeof *k->length);
    if (k->taps <= SIZE_MAX / sizeof *k->weights / count)
        k->weights = calloc(count * k->taps, sizeof *k->weights);
    if (!exact || !k->first || !k->length || !k->weights) {
        free(exact);
        weights_free(k);
        return mm_error_set(error, MMOOD_ERROR_MEMORY, "no memory to resize to %zu pixels", to);
    }
    for (size_t i = 0; i < count; i++) {
        double center = a.begin + ((double)(begin + i) + 0.5) * scale;
        double low = trunc(center - support + 0.5), high = trunc(center + support + 0.5);
        size_t first = low < 0 ? 0 : (size_t)low;
        size_t last = high > (double)from ? from : (size_t)high;
        size_t length = last - first;
        double sum = 0;
        for (size_t j = 0; j < length; j++) {
            exact[j] = filter_value(filter, ((double)(first + j) - center + 0.5) * (1 / stretch));
            sum += exact[j];
        }
        k->first[i] = first;
        k->length[i] = length;
        for (size_t j = 0; j < length; j++) {
            double weight = (sum != 0 ? exact[j] / sum : exact[j]) * (1 << MM_WEIGHT_BITS);
            k->weights[i * k->taps + j] = (int32_t)(weight + (weight < 0 ? -0.5 : 0.5));
        }
    }
    free(exact);
    return MMOOD_OK;
}

/* The largest number of outputs in a row that an input or the next one has a part in. */
static size_t most_shared(const mm_weights *k, size_t count) {
    size_t most = 1;
    for (size_t i = 0, end = 0; i < count; i++) {
        while (end < count && k->first[end] <= k->first[i] + k->length[i])
            end++;
        if (end - i > most)
            most = end - i;
    }
    return most;
}

/* The two passes as one: each row of the picture is resized horizontally once and added, together
 * with the next, to all output rows that it has a part in, of which there are few. So what is kept
 * between the passes does not grow with the picture: a narrow one made wide would else take many
 * times its size. */
typedef struct passes {
    const mmood_image *image;
    mm_window window;
    mm_weights across; /* no weights: the width stays */
    mm_weights down;   /* no weights: the height stays */
    uint8_t *rows;     /* [2, window.width * 3], and a byte */
    int32_t *sums;     /* [slots, window.width * 3]; output row y adds up in slot y % slots */
    size_t slots;
} passes;

/* The window's columns of row `y` of the picture, in place or in `room`. */
static const uint8_t *resized_row(const passes *p, size_t y, uint8_t *room) {
    const uint8_t *from = p->image->pixels + y * p->image->width * 3;
    const mm_weights *k = &p->across;
    if (!k->weights)
        return from + p->window.x * 3;
    mm_weigh_row(room, from, k, p->window.width);
    return room;
}

/* The weight of row `y` in output `i`: 0 if it has no part in it. */
static int32_t weight_of(const mm_weights *k, size_t i, size_t y) {
    return y >= k->first[i] && y < k->first[i] + k->length[i]
               ? k->weights[i * k->taps + y - k->first[i]]
               : 0;
}

static void resize_rows(uint8_t *out, size_t stride, const passes *p) {
    const mm_weights *k = &p->down;
    size_t size = p->window.width * 3, count = p->window.height;
    size_t last = k->first[count - 1] + k->length[count - 1];
    size_t begin = 0, end = 0; /* the outputs that are being added up */
    for (size_t y = k->first[0]; y < last; y += 2) {
        const uint8_t *row = resized_row(p, y, p->rows);
        const uint8_t *next = y + 1 < last ? resized_row(p, y + 1, p->rows + size) : row;
        for (; end < count && k->first[end] <= y + 1; end++)
            mm_weigh_begin(p->sums + end % p->slots * size, size);
        for (size_t i = begin; i < end; i++)
            mm_weigh_add(p->sums + i % p->slots * size, row, next, weight_of(k, i, y),
                         weight_of(k, i, y + 1), size);
        for (; begin < end && k->first[begin] + k->length[begin] <= y + 2; begin++)
            mm_weigh_end(out + begin * stride, p->sums + begin % p->slots * size, size);
    }
}

static mmood_status reserve(passes *p, size_t width, size_t height, mmood_filter filter,
                            mmood_error *error) {
    mmood_status status = MMOOD_OK;
    size_t size = p->window.width * 3;
    const mmood_image *image = p->image;
    axis x = {image->width, image->left, (double)image->full_width / image->shrink};
    axis y = {image->height, image->top, (double)image->full_height / image->shrink};
    /* a span of whole pixels is all of them */
    if (x.span != (double)width)
        status = weights_create(&p->across, x, width, p->window.x, p->window.width, filter, error);
    if (status == MMOOD_OK && y.span != (double)height)
        status = weights_create(&p->down, y, height, p->window.y, p->window.height, filter, error);
    if (status != MMOOD_OK)
        return status;
    p->slots = p->down.weights ? most_shared(&p->down, p->window.height) : 1;
    if (p->across.weights)
        mm_weigh_prepare(&p->across, p->window.width);
    p->rows = malloc(2 * size + 1);
    p->sums = p->slots <= SIZE_MAX / sizeof *p->sums / size
                  ? malloc(p->slots * size * sizeof *p->sums)
                  : NULL;
    return p->rows && p->sums
               ? MMOOD_OK
               : mm_error_set(error, MMOOD_ERROR_MEMORY, "no memory to resize a picture");
}

mmood_status mm_resize(uint8_t *out, size_t stride, const mmood_image *image, size_t width,
                       size_t height, mmood_filter filter, mm_window window, mmood_error *error) {
    passes p = {.image = image, .window = window};
    mmood_status status = reserve(&p, width, height, filter, error);
    if (status == MMOOD_OK && p.down.weights)
        resize_rows(out, stride, &p);
    for (size_t y = 0; y < window.height && status == MMOOD_OK && !p.down.weights; y++)
        memcpy(out + y * stride, resized_row(&p, window.y + y, p.rows), window.width * 3);
    weights_free(&p.across);
    weights_free(&p.down);
    free(p.rows);
    free(p.sums);
    return status;
}
