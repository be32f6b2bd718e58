/* encode_jpeg.h - writing a picture as JPEG. */
#ifndef MM_IMAGE_ENCODE_JPEG_H
#define MM_IMAGE_ENCODE_JPEG_H

#include "base/buffer.h"

#include "mmood.h"

/* Appends `image` to `out` as a baseline JPEG, YCbCr 4:2:0. `quality` is 1 to 100. LIMIT if a side
 * is over 65,500 pixels, which JPEG cannot hold. */
mmood_status mm_encode_jpeg(mm_buffer *out, const mmood_image *image, int quality,
                            mmood_error *error);

#endif
