/* options.h - a table-driven parser for options: --name VALUE, --name=VALUE, -n VALUE, and "--". */
#ifndef MM_CLI_OPTIONS_H
#define MM_CLI_OPTIONS_H

#include "base/buffer.h"
#include "cli/cli.h"

typedef enum option_kind {
    OPTION_FLAG,   /* int: set to 1 */
    OPTION_TEXT,   /* const char * */
    OPTION_NUMBER, /* double, finite */
    OPTION_COUNT,  /* int, >= 0 */
    OPTION_SIZE,   /* uint64_t */
    OPTION_LIST    /* option_list: may come several times */
} option_kind;

typedef struct option_list {
    const char **items;
    size_t count;
} option_list;

typedef struct option {
    const char *name; /* without dashes; NULL ends the table */
    char letter;      /* 0: none */
    option_kind kind;
    void *to;
    const char *value; /* what to call the value in the help */
    const char *help;
} option;

/* Settings that most commands take; a table holds those it honours. */
typedef struct common_options {
    const char *model;
    int threads;
    int no_orient;
    const char *alpha;
    uint64_t max_pixels;
    int fast_decode;
    const char *resample;
    const char *precision;
    int fast_texts; /* as in mmood_model_options */
    const char *cache;
    int no_cache;
    int verbose;
    int quiet;
} common_options;

#define OPTION_MODEL(c)                                                                            \
    {                                                                                              \
        "model", 'm', OPTION_TEXT, &(c).model, "MODEL",                                            \
            "its directory, or OWNER/NAME in the Hugging Face cache; default $MMOOD_MODEL"         \
    }
#define OPTION_THREADS(c)                                                                          \
    { "threads", 0, OPTION_COUNT, &(c).threads, "N", "worker threads; default 0: all CPUs" }
#define OPTION_PRECISION(c)                                                                        \
    {                                                                                              \
        "precision", 0, OPTION_TEXT, &(c).precision, "P",                                          \
            "auto, f32, bf16 or int8; default auto: what a detector's threshold was made in, "     \
            "else "                                                                                \
            "bf16 where it is faster, else f32"                                                    \
    }
#define OPTION_CACHE(c)                                                                            \
    {"cache",    0,     OPTION_TEXT,                                                               \
     &(c).cache, "DIR", "where packed weights and embeddings are kept; default ~/.cache/mmood"},   \
    {                                                                                              \
        "no-cache", 0, OPTION_FLAG, &(c).no_cache, NULL, "keep none"                               \
    }
#define OPTION_TALK(c)                                                                             \
    {"verbose", 'v', OPTION_FLAG, &(c).verbose, NULL, "say more on stderr"}, {                     \
        "quiet", 0, OPTION_FLAG, &(c).quiet, NULL, "say nothing but errors on stderr"              \
    }
#define OPTION_RESAMPLE(c)                                                                         \
    {                                                                                              \
        "resample", 0, OPTION_TEXT, &(c).resample, "F",                                            \
            "bicubic or bilinear; default as the model says; part of what a detector is built for" \
    }
#define OPTION_PICTURE(c)                                                                           \
    {"no-orient",    0,    OPTION_FLAG,                                                             \
     &(c).no_orient, NULL, "do not turn pictures by their EXIF orientation"},                       \
        {"alpha",    0,   OPTION_TEXT,                                                              \
         &(c).alpha, "A", "transparent pixels: drop (default), white or black"},                    \
        {"fast-decode",    0,    OPTION_FLAG,                                                       \
         &(c).fast_decode, NULL, "decode large JPEGs at reduced size: faster, a little different"}, \
        {"max-pixels",    0,   OPTION_SIZE,                                                         \
         &(c).max_pixels, "N", "refuse larger pictures; default 178956970, 0 no limit"},            \
        OPTION_RESAMPLE(c)
#define OPTION_END                                                                                 \
    { NULL, 0, OPTION_FLAG, NULL, NULL, NULL }

common_options common_options_default(void);

/* What of options_parse is to follow. */
typedef enum parse_result { PARSE_GO, PARSE_DONE, PARSE_WRONG } parse_result;

/* Fills the options and moves positional arguments to argv[0 .. *count). "--help" prints `usage`
 * and the table (PARSE_DONE); a mistake is explained on stderr (PARSE_WRONG). */
parse_result options_parse(const option *table, const char *usage, int argc, char **argv,
                           int *count);

void option_list_free(option_list *list);

/* The position of `name` in a NULL-terminated list; -1 with a message if it is not there. */
int option_choose(const char *option_name, const char *name, const char *const *names);

/* 1, or 0 with a message if `value` is not from `low` to `high`. */
int option_in_range(const char *option_name, double value, double low, double high);

/* 1, or 0 with a message if the file `path` is to be written as `format` but is named as one of the
 * `others`, a NULL-terminated list of suffixes; `advice` says what to do. */
int option_writes(const char *path, const char *format, const char *const *others,
                  const char *advice);

/* From the common options to the library's; mistakes are explained on stderr and give 0. */
int common_image_options(mmood_image_options *out, const common_options *common);
int common_model_options(mmood_model_options *out, const common_options *common);
cli_talk common_talk(const common_options *common);

/* How many pictures to embed at a time where nothing else is asked for: enough for each worker to
 * have its own, and for one that is done early to take another. */
int common_batch(const common_options *common);

/* Where a cache belongs: `chosen` if it is not NULL, else `below` in $XDG_CACHE_HOME or ~/.cache
 * (XDG Base Directory Specification); empty, with no data, if there is no such place. The caller
 * frees it. */
mm_buffer common_cache_folder(const char *chosen, const char *below);

/* What kind of model it is: "ViT-224/32", or with timm's name "FastViT (fastvit_mci0)". */
typedef struct model_title {
    char text[128];
} model_title;

model_title common_model_title(const mmood_model_info *info);

/* Opens the model that `path` gives, or the default one if it is NULL, and a session on it; an exit
 * code. A model is given by its directory or, as hub_cache_find looks it up, its name on the hub.
 */
int common_open_model(mmood_model **model, mmood_session **session, const char *path,
                      const common_options *common);

#endif
