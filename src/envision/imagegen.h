/* imagegen.h - pictures from a text, by an OpenAI-style images endpoint or AUTOMATIC1111's
 * sdapi/v1/txt2img, with a cache of exchanges in between. */
#ifndef MM_ENVISION_IMAGEGEN_H
#define MM_ENVISION_IMAGEGEN_H

#include "envision/exchanges.h"
#include "envision/http.h"

typedef enum mm_imagegen_kind {
    MM_IMAGEGEN_AUTO = 0, /* by the URL, else sdapi is tried, then OpenAI */
    MM_IMAGEGEN_SDAPI,
    MM_IMAGEGEN_OPENAI /* takes no steps and guidance, and a seed only sometimes */
} mm_imagegen_kind;

typedef struct mm_imagegen_options {
    const char *url; /* host, or any path of its API; may be NULL with an offline cache */
    mm_imagegen_kind kind;
    const char *model;    /* NULL: the endpoint's own choice */
    const char *negative; /* what the picture is not to show, for sdapi; NULL: nothing */
    int width;            /* pixels, 64 to 4096 */
    int height;
    int steps;       /* of diffusion, 1 to 1000 */
    double guidance; /* how strictly the text is followed */
    int more_seeds;  /* how often a blank picture is asked for again with another seed */
    mm_http_options http;
    mm_exchanges *cache; /* NULL: none; must outlive the endpoint */
} mm_imagegen_options;

/* 512 x 512, 30 steps, guidance 7.5, 3 more seeds, mm_http_options_default(), no cache. */
mm_imagegen_options mm_imagegen_options_default(void);

/* An endpoint with its settings; it learns which kind it is and what it does not take. Any number
 * of threads may use it. */
typedef struct mm_imagegen mm_imagegen;

mmood_status mm_imagegen_create(mm_imagegen **out, const mm_imagegen_options *options,
                                mmood_error *error);
void mm_imagegen_free(mm_imagegen *endpoint);

/* A picture as it came: a PNG, JPEG, WebP or GIF file that can be decoded. */
typedef struct mm_generated {
    uint8_t *data;
    size_t size;
    const char *type; /* "png", "jpg", "webp", "gif"; static */
    char hash[65];    /* SHA-256 of it */
    size_t width;
    size_t height;
    long long seed; /* that made it; the asked one unless pictures were blank */
    int blank;      /* how many blank pictures came before it */
    int cached;     /* 1: not asked for, but found in the cache */
    char key[65];   /* the exchange's name in the cache */
} mm_generated;

/* Makes a picture of `prompt`. One of a single colour, which is what a blocked or broken generator
 * sends, is asked for again with other seeds; when all are blank the status is NUMERIC. The caller
 * frees `*out` with mm_generated_free. `seed` is 0 to 4294967295. */
mmood_status mm_imagegen_make(mm_generated *out, mm_imagegen *endpoint, const char *prompt,
                              long long seed, mmood_error *error);
void mm_generated_free(mm_generated *picture);

#endif
