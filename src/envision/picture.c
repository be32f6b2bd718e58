/* picture.c - pictures on their way to a language model. */
#include "envision/picture.h"

#include "base/error.h"
#include "base/file.h"
#include "base/sha256.h"
#include "image/encode_jpeg.h"
#include "image/image.h"

#include <stdlib.h>
#include <string.h>

/* A JPEG that was made of a picture, and for what. */
typedef struct made {
    mm_buffer jpeg; /* empty: none was made */
    int side;
    size_t bytes;
} made;

struct mm_picture {
    mmood_image *image;
    int side;
    char hash[65];
    made *last; /* what is sent is also stored: encoding is much of the work of an exchange */
};

static int is_longer(const mmood_image *image, size_t side) {
    return image->width > side || image->height > side;
}

/* Replaces `*image` by a smaller one if its long side is over `side`. */
static mmood_status fit(mmood_image **image, size_t side, mmood_error *error) {
    mmood_image *small;
    if (!is_longer(*image, side))
        return MMOOD_OK;
    mmood_status status = mm_image_shrink(&small, *image, side, error);
    if (status == MMOOD_OK) {
        mmood_image_free(*image);
        *image = small;
    }
    return status;
}

mmood_status mm_picture_decode(mm_picture **out, const void *data, size_t size, int side,
                               mmood_error *error) {
    *out = NULL;
    if (side < MM_PICTURE_LEAST || side > 16384)
        return mm_error_set(error, MMOOD_ERROR_ARGUMENT,
                            "pictures of %d pixels a side, expected %d to 16384", side,
                            (int)MM_PICTURE_LEAST);
    mm_picture *picture = calloc(1, sizeof *picture);
    made *last = calloc(1, sizeof *last);
    if (!picture || !last) {
        free(picture);
        free(last);
        return mm_error_set(error, MMOOD_ERROR_MEMORY, "no memory for a picture");
    }
    picture->last = last;
    picture->side = side;
    mm_sha256_of(picture->hash, data, size);
    mmood_status status = mmood_image_decode(&picture->image, data, size, NULL, error);
    if (status == MMOOD_OK)
        status = fit(&picture->image, (size_t)side, error);
    if (status != MMOOD_OK) {
        mm_picture_free(picture);
        return status;
    }
    *out = picture;
    return MMOOD_OK;
}

mmood_status mm_picture_load(mm_picture **out, const char *path, int side, mmood_error *error) {
    mm_map map;
    *out = NULL;
    mmood_status status = mm_map_open(&map, path, error);
    if (status == MMOOD_OK) {
        status = mm_picture_decode(out, map.data, map.size, side, error);
        mm_map_close(&map);
    }
    return status == MMOOD_OK ? status : mm_error_prefix(error, status, "%s", path);
}

void mm_picture_free(mm_picture *picture) {
    if (!picture)
        return;
    mmood_image_free(picture->image);
    mm_buffer_free(&picture->last->jpeg);
    free(picture->last);
    free(picture);
}

const char *mm_picture_hash(const mm_picture *picture) {
    return picture->hash;
}

int mm_picture_side(const mm_picture *picture) {
    return picture->side;
}

/* A copy in the middle of a larger picture, its border repeated outwards. */
static mmood_status pad(mmood_image **out, const mmood_image *image, mmood_error *error) {
    size_t width = image->width < MM_PICTURE_LEAST ? MM_PICTURE_LEAST : image->width;
    size_t height = image->height < MM_PICTURE_LEAST ? MM_PICTURE_LEAST : image->height;
    mmood_status status = mm_image_create(out, width, height, error);
    if (status != MMOOD_OK)
        return status;
    size_t left = (width - image->width) / 2, top = (height - image->height) / 2;
    for (size_t y = 0; y < height; y++)
        for (size_t x = 0; x < width; x++) {
            size_t from_x = x < left ? 0 : x - left, from_y = y < top ? 0 : y - top;
            from_x = from_x < image->width ? from_x : image->width - 1;
            from_y = from_y < image->height ? from_y : image->height - 1;
            memcpy((*out)->pixels + (y * width + x) * 3,
                   image->pixels + (from_y * image->width + from_x) * 3, 3);
        }
    return MMOOD_OK;
}

/* One size in falling quality, until it fits. 1 if it did. */
static int encode_within(mm_buffer *out, mmood_status *status, const mmood_image *image,
                         size_t bytes, mmood_error *error) {
    static const int qualities[] = {90, 80, 65, 50};
    size_t before = out->size;
    for (size_t i = 0; i < sizeof qualities / sizeof *qualities; i++) {
        *status = mm_encode_jpeg(out, image, qualities[i], error);
        if (*status != MMOOD_OK || out->size - before <= bytes)
            return 1;
        out->size = before;
    }
    return 0;
}

static mmood_status encode(mm_buffer *out, const mm_picture *picture, int side, size_t bytes,
                           mmood_error *error) {
    size_t most = side > MM_PICTURE_LEAST ? (size_t)side : MM_PICTURE_LEAST;
    for (;; most /= 2) {
        mmood_image *small = NULL, *padded = NULL;
        const mmood_image *image = picture->image;
        mmood_status status = MMOOD_OK;
        if (is_longer(image, most)) {
            status = mm_image_shrink(&small, image, most, error);
            image = small;
        }
        if (status == MMOOD_OK &&
            (image->width < MM_PICTURE_LEAST || image->height < MM_PICTURE_LEAST)) {
            status = pad(&padded, image, error);
            image = padded;
        }
        int done = status != MMOOD_OK || encode_within(out, &status, image, bytes, error);
        mmood_image_free(small);
        mmood_image_free(padded);
        if (done)
            return status;
        if (most / 2 < MM_PICTURE_LEAST)
            return mm_error_set(error, MMOOD_ERROR_LIMIT,
                                "the picture cannot be made a JPEG of at most %zu bytes", bytes);
    }
}

mmood_status mm_picture_jpeg(mm_buffer *out, const mm_picture *picture, int side, size_t bytes,
                             mmood_error *error) {
    made *last = picture->last;
    if (last->jpeg.size == 0 || last->side != side || last->bytes != bytes) {
        last->jpeg.size = 0;
        mmood_status status = encode(&last->jpeg, picture, side, bytes, error);
        if (status != MMOOD_OK) {
            last->jpeg.size = 0;
            return status;
        }
        last->side = side;
        last->bytes = bytes;
    }
    mm_buffer_append(out, last->jpeg.data, last->jpeg.size);
    return out->failed ? mm_error_set(error, MMOOD_ERROR_MEMORY, "no memory for a picture")
                       : MMOOD_OK;
}
