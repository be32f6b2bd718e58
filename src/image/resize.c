/* resize.c - Pillow's resampling (its Resample.c, 8 bits a channel): each output value is a
 * weighted sum over the filter's support, stretched when shrinking; weights are rounded to 22
 * fractional bits; the horizontal pass is rounded and clipped to 8 bits before the vertical one. */
#include "image/resize.h"

#include "base/error.h"
#include "image/image.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { WEIGHT_BITS = 22 };

/* The weights of one axis: for output i, `length[i]` inputs from `first[i]` on, with the weights at
 * weights + i * taps. */
typedef struct kernel {
    size_t taps;
    size_t *first;
    size_t *length;
    int32_t *weights;
} kernel;

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

static void kernel_free(kernel *k) {
    free(k->first);
    free(k->length);
    free(k->weights);
}

/* The weights for outputs begin .. begin + count of an axis resized from `from` to `to`. */
static mmood_status kernel_create(kernel *k, size_t from, size_t to, size_t begin, size_t count,
                                  mmood_filter filter, mmood_error *error) {
    double scale = (double)from / (double)to, stretch = scale < 1 ? 1 : scale;
    double support = filter_support(filter) * stretch;
    double wanted = ceil(support) * 2 + 1;
    *k = (kernel){.taps = wanted < (double)from ? (size_t)wanted : from};
    double *exact = malloc(k->taps * sizeof *exact);
    k->first = malloc(count * sizeof *k->first);
    k->length = malloc(count * sizeof *k->length);
    if (k->taps <= SIZE_MAX / sizeof *k->weights / count)
        k->weights = calloc(count * k->taps, sizeof *k->weights);
    if (!exact || !k->first || !k->length || !k->weights) {
        free(exact);
        kernel_free(k);
        return mm_error_set(error, MMOOD_ERROR_MEMORY, "no memory to resize to %zu pixels", to);
    }
    for (size_t i = 0; i < count; i++) {
        double center = ((double)(begin + i) + 0.5) * scale;
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
            double weight = (sum != 0 ? exact[j] / sum : exact[j]) * (1 << WEIGHT_BITS);
            k->weights[i * k->taps + j] = (int32_t)(weight + (weight < 0 ? -0.5 : 0.5));
        }
    }
    free(exact);
    return MMOOD_OK;
}

static uint8_t clip(int32_t sum) {
    int32_t value = sum >> WEIGHT_BITS;
    return (uint8_t)(value < 0 ? 0 : value > 255 ? 255 : value);
}

typedef int32_t quad __attribute__((vector_size(16)));
typedef uint8_t bytes __attribute__((vector_size(4)));

/* One row: `count` outputs of three channels. Reads one byte past the last pixel used, of which
 * nothing comes: the slack of mm_image_create is for that. */
static void resize_row(uint8_t *out, const uint8_t *row, const kernel *k, size_t count) {
    const int32_t half = 1 << (WEIGHT_BITS - 1);
    for (size_t i = 0; i < count; i++) {
        const uint8_t *from = row + k->first[i] * 3;
        const int32_t *weights = k->weights + i * k->taps;
        quad sums = {half, half, half, 0};
        for (size_t j = 0; j < k->length[i]; j++) {
            bytes pixel;
            memcpy(&pixel, from + 3 * j, sizeof pixel);
            sums += __builtin_convertvector(pixel, quad) * weights[j];
        }
        out[3 * i] = clip(sums[0]);
        out[3 * i + 1] = clip(sums[1]);
        out[3 * i + 2] = clip(sums[2]);
    }
}

/* One output row of `size` bytes from the rows that its weights span, `stride` bytes apart. */
static void resize_column(uint8_t *out, int32_t *sums, const uint8_t *rows, size_t stride,
                          const int32_t *weights, size_t length, size_t size) {
    for (size_t x = 0; x < size; x++)
        sums[x] = 1 << (WEIGHT_BITS - 1);
    for (size_t j = 0; j < length; j++) {
        const uint8_t *row = rows + j * stride;
        int32_t weight = weights[j];
        for (size_t x = 0; x < size; x++)
            sums[x] += row[x] * weight;
    }
    for (size_t x = 0; x < size; x++)
        out[x] = clip(sums[x]);
}

/* The horizontal pass over rows first .. first + count of the picture: to [count, window.width, 3].
 * A picture of the right width already is only cut. */
static mmood_status horizontal(uint8_t *to, const mmood_image *image, size_t width, size_t first,
                               size_t count, mmood_filter filter, mm_window window,
                               mmood_error *error) {
    size_t size = window.width * 3, stride = image->width * 3;
    const uint8_t *from = image->pixels + first * stride;
    if (width == image->width) {
        for (size_t y = 0; y < count; y++)
            memcpy(to + y * size, from + y * stride + window.x * 3, size);
        return MMOOD_OK;
    }
    kernel k;
    mmood_status status =
        kernel_create(&k, image->width, width, window.x, window.width, filter, error);
    if (status != MMOOD_OK)
        return status;
    for (size_t y = 0; y < count; y++)
        resize_row(to + y * size, from + y * stride, &k, window.width);
    kernel_free(&k);
    return MMOOD_OK;
}

mmood_status mm_resize(uint8_t *out, size_t stride, const mmood_image *image, size_t width,
                       size_t height, mmood_filter filter, mm_window window, mmood_error *error) {
    kernel k = {0};
    size_t size = window.width * 3, first = window.y, count = window.height;
    mmood_status status = MMOOD_OK;
    if (height != image->height) {
        status = kernel_create(&k, image->height, height, window.y, window.height, filter, error);
        if (status != MMOOD_OK)
            return status;
        first = k.first[0];
        count = k.first[window.height - 1] + k.length[window.height - 1] - first;
    }
    uint8_t *middle = count <= SIZE_MAX / size ? malloc(count * size) : NULL;
    int32_t *sums = malloc(size * sizeof *sums);
    if (!middle || !sums)
        status = mm_error_set(error, MMOOD_ERROR_MEMORY, "no memory to resize a picture");
    if (status == MMOOD_OK)
        status = horizontal(middle, image, width, first, count, filter, window, error);
    for (size_t y = 0; y < window.height && status == MMOOD_OK; y++) {
        if (height == image->height)
            memcpy(out + y * stride, middle + y * size, size);
        else
            resize_column(out + y * stride, sums, middle + (k.first[y] - first) * size, size,
                          k.weights + y * k.taps, k.length[y], size);
    }
    free(middle);
    free(sums);
    kernel_free(&k);
    return status;
}
