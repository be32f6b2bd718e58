/* mmood.h - the public interface of mmood: out-of-distribution detection for images with CLIP.
 *
 * Three nouns carry everything:
 *   model     CLIP weights, tokenizer and preprocessing, as loaded. Immutable: any number of
 * threads may use one at the same time. session   scratch memory and worker threads for running a
 * model. One caller at a time. detector  label embeddings, score settings and threshold. Immutable
 * once built or opened; needs a model only to turn pictures into embeddings.
 *
 * Conventions
 *   - Functions that can fail take their result first (`out`), return a mmood_status and take a
 *     caller-owned `mmood_error *error` last, which may be NULL. On failure `*out` is NULL
 * (handles) or unspecified (arrays), and `error` says what was found, what was expected and what to
 * do.
 *   - X_free(NULL) is allowed. Strings are UTF-8. Sizes are in elements unless said otherwise.
 *   - Nothing here prints, exits, or keeps global state.
 */
#ifndef MMOOD_H
#define MMOOD_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#if defined(__GNUC__)
#define MMOOD_API __attribute__((visibility("default")))
#else
#define MMOOD_API
#endif

/* ---- Version ------------------------------------------------------------------------------- */

#define MMOOD_VERSION_MAJOR 0
#define MMOOD_VERSION_MINOR 1
#define MMOOD_VERSION_PATCH 0
#define MMOOD_VERSION_STRING "0.1.0"

/* The version of the library that runs, e.g. "0.1.0". Static; never freed. Any thread. */
MMOOD_API const char *mmood_version(void);

/* ---- Errors -------------------------------------------------------------------------------- */

typedef enum mmood_status {
    MMOOD_OK = 0,
    MMOOD_ERROR_ARGUMENT = 1,    /* the call itself is wrong, such as a NULL handle or beta = NaN */
    MMOOD_ERROR_MEMORY = 2,      /* an allocation failed */
    MMOOD_ERROR_IO = 3,          /* a file could not be opened, read or written */
    MMOOD_ERROR_FORMAT = 4,      /* bytes are not what they should be, such as a truncated JPEG */
    MMOOD_ERROR_UNSUPPORTED = 5, /* well-formed, but not handled, such as a HEIC picture */
    MMOOD_ERROR_LIMIT = 6,       /* over a size or depth limit, such as a 3.6 Gpx picture */
    MMOOD_ERROR_MISMATCH = 7, /* two things that do not fit, such as a detector and another model */
    MMOOD_ERROR_NUMERIC = 8   /* NaN or infinity where a finite number is needed */
} mmood_status;

/* Filled on failure, untouched on success. Owned by the caller; needs no clean-up. */
typedef struct mmood_error {
    mmood_status status;
    char message[1024]; /* one line of UTF-8, no trailing newline, cut if longer */
} mmood_error;

/* The name of a status, e.g. "format". Static; never NULL. Any thread. */
MMOOD_API const char *mmood_status_name(mmood_status status);

/* ---- Pictures ------------------------------------------------------------------------------ */

typedef enum mmood_alpha {
    MMOOD_ALPHA_DROP = 0, /* ignore the alpha channel, as Pillow's convert("RGB") does */
    MMOOD_ALPHA_WHITE,    /* composite over white */
    MMOOD_ALPHA_BLACK     /* composite over black */
} mmood_alpha;

typedef struct mmood_image_options {
    int apply_orientation; /* 1: turn the picture upright by its EXIF orientation (1 to 8) */
    mmood_alpha alpha;
    uint64_t
        max_pixels;  /* width * height allowed, checked before pixels are allocated; 0 = no limit */
    int fast_decode; /* 1: large JPEGs are decoded at reduced size, which is faster; results then
                        differ a little from Pillow's. For mmood_image_decode_for only */
} mmood_image_options;

/* Orientation applied, alpha dropped, 178,956,970 pixels (Pillow's limit), decoded in full. */
MMOOD_API mmood_image_options mmood_image_options_default(void);

/* A decoded picture: RGB, 8 bits a channel, rows top to bottom without padding. Immutable. */
typedef struct mmood_image mmood_image;

/* Decodes a JPEG, PNG, WebP or GIF (first frame) from memory; the format is found by content.
 * `options` may be NULL (defaults). The caller frees `*out`. Any thread. Fails with FORMAT (broken
 * or truncated), UNSUPPORTED (another format, which is named), LIMIT (too many pixels), MEMORY;
 * ARGUMENT if `options` ask for fast_decode, which must know what the picture is for. */
MMOOD_API mmood_status mmood_image_decode(mmood_image **out, const void *data, size_t size,
                                          const mmood_image_options *options, mmood_error *error);

/* The same from a file; IO if it cannot be read. Messages do not repeat the path. */
MMOOD_API mmood_status mmood_image_load(mmood_image **out, const char *path,
                                        const mmood_image_options *options, mmood_error *error);

/* Copies `height` x `width` x 3 bytes of RGB into a picture. Both sides at least 1. */
MMOOD_API mmood_status mmood_image_from_rgb(mmood_image **out, const uint8_t *rgb, size_t width,
                                            size_t height, mmood_error *error);

/* The pixels in memory: fewer than the file has if it was decoded at reduced size. */
MMOOD_API size_t mmood_image_width(const mmood_image *image);
MMOOD_API size_t mmood_image_height(const mmood_image *image);

/* [height, width, 3] bytes, owned by the picture. */
MMOOD_API const uint8_t *mmood_image_pixels(const mmood_image *image);

MMOOD_API void mmood_image_free(mmood_image *image);

typedef enum mmood_filter {
    MMOOD_FILTER_BILINEAR = 2, /* the numbers are Pillow's, as preprocessor_config.json has them */
    MMOOD_FILTER_BICUBIC = 3
} mmood_filter;

/* Where the middle is cut out when it does not divide evenly. */
typedef enum mmood_crop_rule {
    MMOOD_CROP_TRANSFORMERS = 0, /* offset rounded down; padding rounded up */
    MMOOD_CROP_TORCHVISION       /* offset rounded to nearest, half to even; padding rounded down */
} mmood_crop_rule;

/* What preprocessor_config.json or open_clip_config.json asks for. Steps in order: resize, centre
 * crop, scale, normalise. */
typedef struct mmood_preprocess {
    int resize;        /* 1: resize */
    int shortest_edge; /* > 0: the shorter side becomes this, the longer int(this * long / short) */
    int longest_edge;  /* > 0 (shortest_edge is 0): the longer side becomes this, the shorter one
                          this * short / long rounded to nearest */
    int resize_width;  /* used if both are 0: */
    int resize_height; /*   resize to exactly this, without keeping the proportions */
    mmood_filter filter;
    int center_crop; /* 1: cut the middle out, offset (n - crop) / 2; smaller images are padded */
    mmood_crop_rule crop_rule;
    int fill;       /* value of the padding, 0 to 255 in all channels */
    int crop_width; /* the width and height the model sees, in pixels */
    int crop_height;
    float rescale_factor; /* usually 1/255; 0 if do_rescale is false */
    float mean[3];        /* per channel R, G, B; 0 and 1 if do_normalize is false */
    float std[3];
} mmood_preprocess;

/* Decode a picture that is to be preprocessed so, and for nothing else. With fast_decode, a JPEG is
 * decoded at 1/2, 1/4 or 1/8 of its size, the smallest whose shorter side is still at least twice
 * what `preprocess` resizes it to; smaller pictures and other formats give the same bits as
 * without. max_pixels holds for the size in the file. Else, and in errors, as mmood_image_decode
 * and mmood_image_load. */
MMOOD_API mmood_status mmood_image_decode_for(mmood_image **out, const void *data, size_t size,
                                              const mmood_preprocess *preprocess,
                                              const mmood_image_options *options,
                                              mmood_error *error);
MMOOD_API mmood_status mmood_image_load_for(mmood_image **out, const char *path,
                                            const mmood_preprocess *preprocess,
                                            const mmood_image_options *options, mmood_error *error);

/* Writes the 8-bit crop that the model sees, [crop_height, crop_width, 3], to `out`, whose
 * `out_size` is in bytes and must be exactly that. Equal to Pillow's antialiased two-pass resize on
 * 8-bit values. Any thread. */
MMOOD_API mmood_status mmood_image_preprocess(uint8_t *out, size_t out_size,
                                              const mmood_image *image,
                                              const mmood_preprocess *preprocess,
                                              mmood_error *error);

/* ---- Models -------------------------------------------------------------------------------- */

typedef enum mmood_precision {
    MMOOD_PRECISION_AUTO = 0, /* bf16 where the CPU multiplies it faster than f32, else f32 */
    MMOOD_PRECISION_F32,
    MMOOD_PRECISION_BF16,
    MMOOD_PRECISION_INT8 /* dense layers in 8 bits, the rest as AUTO: never chosen by itself */
} mmood_precision;

/* "auto", "f32", "bf16", "int8", static, or NULL; 1 if this CPU has it. Any thread. */
MMOOD_API const char *mmood_precision_name(mmood_precision precision);
MMOOD_API int mmood_precision_available(mmood_precision precision);

typedef struct mmood_model_options {
    mmood_precision precision;
    int threads;  /* used while loading; 0 = all CPUs this process may use */
    int resample; /* 0: as preprocessor_config.json says; else a mmood_filter that replaces it */
    const char *cache; /* a folder, made if need be, where packed weights are kept to be mapped by
                          later calls; only those you trust may write there. NULL: none */
    void (*note)(void *context, const char *text); /* told what became of kept weights, here or by
                          the first call that embeds, if they turn out damaged. May be NULL */
    void *note_context;
    int fast_texts; /* 1: texts too are in `precision`; 0, the default: in f32, as labels need */
} mmood_model_options;

MMOOD_API mmood_model_options mmood_model_options_default(void);
typedef struct mmood_model mmood_model;

/* One tower's shape. */
typedef struct mmood_tower_info {
    const char *family;     /* "ViT", "EfficientNet-Lite", "FastViT", "transformer"; static */
    const char *trunk;      /* timm's name of the tower, such as "tf_efficientnet_lite0"; "": it has
                               none. Owned by the model */
    int width;              /* hidden_size; of a convolutional tower the last number of channels */
    int layers;             /* num_hidden_layers; blocks of a convolutional tower */
    int heads;              /* num_attention_heads; 0 for a convolutional tower */
    int mlp_width;          /* intermediate_size; 0 for a convolutional tower */
    const char *activation; /* "quick_gelu", "gelu", "gelu_new" or "relu6"; static */
    double layer_norm_eps;
} mmood_tower_info;

typedef struct mmood_model_info {
    int dimension;     /* of an embedding: projection_dim */
    int image_size;    /* pixels a side that the vision tower takes */
    int patch_size;    /* of a convolutional tower: pixels a side per pixel of its last map */
    int patches;       /* of an image, of which it has features: (image_size / patch_size) squared,
                          rounded down before, or up if the tower is convolutional */
    int vocabulary;    /* number of token ids */
    int context;       /* longest text in tokens, BOS and EOT included: 77 */
    int eot_rule;      /* the token whose feature is the embedding. 0: the largest id (old configs,
                          eos_token_id 2); 1: the first eos; 2: the first token; 3: the last */
    int bidirectional; /* 1: every token of a text sees all others, padding included */
    int eos_token_id;
    double logit_scale; /* exp of the stored logarithm; about 100 for trained CLIP */
    mmood_tower_info vision;
    mmood_tower_info text;
    mmood_preprocess preprocess;
    const char *preprocess_source; /* the name of the file it is from; "": there is none, and CLIP's
                                      usual preprocessing was taken. Static */
    mmood_precision precision, text_precision; /* in use, of images and of texts: never AUTO */
    const char *precision_reason;              /* why, in words; owned by the model */
    const char *instructions; /* what is used of this CPU, in words: "AVX-512 with bf16", "AVX2",
                                 "Armv8 NEON"; $ONEDNN_MAX_CPU_ISA lowers it. Static */
    const char *kernels; /* what attention and norms are compiled for: "AVX2", "plain C". Static */
    const char *fingerprint; /* 64 hex digits: SHA-256 of weights, config and preprocessing; owned
                                by the model */
    uint64_t weight_bytes;   /* memory held by packed weights */
} mmood_model_info;

/* Opens a CLIP directory: config.json and preprocessor_config.json as transformers saves them, or
 * open_clip_config.json; tokenizer.json or vocab.json + merges.txt; weights as docs/models.md says.
 * `options` may be NULL. The caller frees `*out`, after all sessions on it. */
MMOOD_API mmood_status mmood_model_open(mmood_model **out, const char *directory,
                                        const mmood_model_options *options, mmood_error *error);

/* Fills `out`; its strings live as long as the model. Any thread. */
MMOOD_API void mmood_model_describe(const mmood_model *model, mmood_model_info *out);

/* Token ids of `text` (`length` bytes), BOS and EOT included, to out[0 .. *count). At most the
 * model's `context` ids are written, so `out` needs room for that many. `*truncated` (may be NULL)
 * is set to 1 if the text was cut to fit, else 0; the last id is EOT either way. Invalid UTF-8 is a
 * FORMAT error. Any thread. */
MMOOD_API mmood_status mmood_model_tokenize(uint32_t *out, size_t *count, int *truncated,
                                            const mmood_model *model, const char *text,
                                            size_t length, mmood_error *error);

/* The directory it was opened from. Owned by the model. Any thread. */
MMOOD_API const char *mmood_model_path(const mmood_model *model);

MMOOD_API void mmood_model_free(mmood_model *model);

/* ---- Sessions ------------------------------------------------------------------------------ */

typedef struct mmood_session_options {
    int threads; /* workers; 0 = all CPUs this process may use (affinity and cgroup limits honoured)
                  */
} mmood_session_options;

MMOOD_API mmood_session_options mmood_session_options_default(void);

typedef struct mmood_session mmood_session;

/* Creates workers and their scratch memory for `model`, which must outlive the session. A session
 * may be used by one thread at a time; create one a thread for more. The caller frees `*out`. */
MMOOD_API mmood_status mmood_session_create(mmood_session **out, const mmood_model *model,
                                            const mmood_session_options *options,
                                            mmood_error *error);

/* Unit-length embeddings of `count` crops, each [crop_height, crop_width, 3] bytes as
 * mmood_image_preprocess makes them, to `out` [count, dimension]. A row does not depend on the
 * others, on their number, nor on the number of threads: bit for bit with oneDNN 2.x; with 3.x,
 * which rounds differently for different numbers of rows, to some 1e-7 in f32. */
MMOOD_API mmood_status mmood_session_embed_images(float *out, mmood_session *session,
                                                  const uint8_t *const *crops, size_t count,
                                                  mmood_error *error);

/* The same embeddings, bit for bit, to `out`, and a unit-length feature of every patch of every
 * crop to `patches` [count, patches, dimension]: patches row by row from the top left, without the
 * class token. A feature shows what its patch looks like, in the space of the text embeddings: the
 * last layer passes each patch its own value in place of attention, as GL-MCM does (Miyai et al.).
 * With x what enters the last layer: y = x + out_proj(W_v norm1(x) + b_v), then
 * y + mlp(norm2(y)), the last norm, the projection, unit length. A row depends on others as little
 * as above. It takes no memory beyond the session's, and about one more layer's time. ARGUMENT if a
 * pointer is NULL and `count` is not 0. */
MMOOD_API mmood_status mmood_session_embed_patches(float *out, float *patches,
                                                   mmood_session *session,
                                                   const uint8_t *const *crops, size_t count,
                                                   mmood_error *error);

/* Unit-length embeddings of `count` NUL-terminated texts to `out` [count, dimension]. Texts that
 * are too long are cut; `*truncated` (may be NULL) receives how many were. Texts with the same
 * tokens are embedded once. */
MMOOD_API mmood_status mmood_session_embed_texts(float *out, size_t *truncated,
                                                 mmood_session *session, const char *const *texts,
                                                 size_t count, mmood_error *error);

/* The model it runs. Any thread. */
MMOOD_API const mmood_model *mmood_session_model(const mmood_session *session);

MMOOD_API void mmood_session_free(mmood_session *session);

/* ---- Labels -------------------------------------------------------------------------------- */

/* A list of labels with where each came from, read from a file. Immutable once read. */
typedef struct mmood_labels mmood_labels;

typedef enum mmood_finding_kind {
    MMOOD_FINDING_BLANK = 0, /* an empty line or an empty string, skipped */
    MMOOD_FINDING_BOM,       /* a byte-order mark, skipped */
    MMOOD_FINDING_DUPLICATE, /* equal to an earlier label after trimming; kept once */
    MMOOD_FINDING_SPACES,    /* spaces around a label, or a carriage return, trimmed */
    MMOOD_FINDING_ENTITY,    /* an HTML entity such as &amp;, turned into its character */
    MMOOD_FINDING_LONG,      /* so long that a model with 77 tokens may cut it */
    MMOOD_FINDING_NON_LATIN, /* letters that an English CLIP model has hardly seen */
    MMOOD_FINDING_TWIN,  /* differs from an earlier label only by case, spaces or how accents are
                            written, so both have one embedding; both are kept */
    MMOOD_FINDING_FORMAT /* YAML, a table or a configuration, of which only the labels are read */
} mmood_finding_kind;

/* Something worth telling about one label. Strings are owned by the labels. */
typedef struct mmood_finding {
    mmood_finding_kind kind;
    size_t line;         /* of the file, from 1; for JSON the position of the label, from 1 */
    const char *message; /* one line, without the line number */
} mmood_finding;

/* Reads labels: UTF-8 text, one a line ("#" begins no comment); or JSON: a list of strings, an
 * object whose values are lists of strings or strings (their keys become sources), a
 * configuration with "id2label", or a "mmood-outliers/1" document; or the "names" of YAML; or a CSV
 * table whose first line names a column of labels. Labels are trimmed, HTML entities replaced,
 * blanks and duplicates dropped, each with a finding (100,000 of them at most). FORMAT if it is
 * none of these or no label is left, LIMIT over 64 MB, 10 million labels or 4,096 bytes in one. Any
 * thread. */
MMOOD_API mmood_status mmood_labels_parse(mmood_labels **out, const void *data, size_t size,
                                          mmood_error *error);

/* The same from a file; messages begin with the path. */
MMOOD_API mmood_status mmood_labels_load(mmood_labels **out, const char *path, mmood_error *error);

MMOOD_API size_t mmood_labels_count(const mmood_labels *labels);

/* Label `index` < count, and where it came from ("" if unknown). Owned by the labels. */
MMOOD_API const char *mmood_labels_text(const mmood_labels *labels, size_t index);
MMOOD_API const char *mmood_labels_source(const mmood_labels *labels, size_t index);

/* Template `number` (from 0) of its own that a label has, in which it is embedded instead of the
 * detector's; NULL past the last. From "template" in a "mmood-outliers/1" document. */
MMOOD_API const char *mmood_labels_template(const mmood_labels *labels, size_t index,
                                            size_t number);

MMOOD_API size_t mmood_labels_finding_count(const mmood_labels *labels);
MMOOD_API mmood_finding mmood_labels_finding(const mmood_labels *labels, size_t index);
MMOOD_API void mmood_labels_free(mmood_labels *labels);

/* ---- Scores -------------------------------------------------------------------------------- */

/* Formulas with their papers are in src/detect/scores.c; p are softmax probabilities of s / T. */
typedef enum mmood_score_kind {
    MMOOD_SCORE_MM_OOD = 0,  /* max p(ID) - beta * max p(outlier), p over ID and outlier labels */
    MMOOD_SCORE_MCM,         /* max p over the ID labels alone */
    MMOOD_SCORE_MAX_LOGIT,   /* largest ID cosine */
    MMOOD_SCORE_ENERGY,      /* T * log sum exp(s / T) over the ID labels */
    MMOOD_SCORE_MSP,         /* max p(ID), p over ID and outlier labels */
    MMOOD_SCORE_SUM,         /* sum of p(ID), p over ID and outlier labels */
    MMOOD_SCORE_ENERGY_DIFF, /* energy of the ID labels less that of the outlier labels */
    MMOOD_SCORE_MAX_LOGIT_DIFF, /* largest ID cosine less the largest outlier cosine */
    MMOOD_SCORE_MAX,            /* mcm; 1 / K when the most similar label is an outlier */
    MMOOD_SCORE_NEGLABEL,       /* sum of p(ID), p over ID labels and a group of outliers; mean over
                                   groups */
    MMOOD_SCORE_GL_MCM,         /* mcm + lambda * the largest mcm of a patch */
    MMOOD_SCORE_CSP /* neglabel's formula; the name says that the labels are CSP's bank */
} mmood_score_kind;

/* Start from mmood_score_settings_default() and change what differs. */
typedef struct mmood_score_settings {
    mmood_score_kind kind;
    double temperature; /* T >= 0.0001; 0 = the default of the kind: 0.01 for energy, sum,
                           energy-diff, neglabel and csp, else 1 */
    double beta;        /* >= 0, mm-ood only: weight of the outliers */
    double lambda;      /* >= 0, gl-mcm only: weight of the patches */
    uint32_t groups;    /* neglabel and csp: how many groups; 0 = 100; at most one an outlier */
    uint32_t seed;      /* neglabel and csp: which outliers make a group. A group has
                           outliers / groups labels, the remainder takes no part: scores depend on the
                           order of the labels and on the seed, by little */
} mmood_score_settings;

/* mm-ood, its default temperature, beta 0.25, lambda 0.5, 100 groups, seed 0. */
MMOOD_API mmood_score_settings mmood_score_settings_default(void);

/* The temperature that applies: the settings' own, or the default of the kind. */
MMOOD_API double mmood_score_temperature(const mmood_score_settings *settings);

/* "mm-ood", "mcm", "max-logit", ... Static; NULL for an unknown kind, so that
 * all kinds can be walked from 0. */
MMOOD_API const char *mmood_score_name(mmood_score_kind kind);

/* The kind with that name in any case of letters ("eoe" is mm-ood); ARGUMENT with the list of names
 * otherwise. */
MMOOD_API mmood_status mmood_score_parse(mmood_score_kind *out, const char *name,
                                         mmood_error *error);

/* 1 if the score has no value without outlier labels; 1 if outlier labels change its value; 1 if it
 * needs patch features (mmood_session_embed_patches). */
MMOOD_API int mmood_score_needs_outliers(mmood_score_kind kind);
MMOOD_API int mmood_score_uses_outliers(mmood_score_kind kind);
MMOOD_API int mmood_score_needs_patches(mmood_score_kind kind);

/* What scores of one picture are computed from. */
typedef struct mmood_similarities {
    const double *cosines; /* [id_count + outlier_count], ID labels first */
    size_t id_count;       /* at least 1 */
    size_t outlier_count;
    const double *patches; /* [patch_count, id_count]: cosines of patch features with ID labels;
                              NULL if patch_count is 0 */
    size_t patch_count;
} mmood_similarities;

/* `count` scores of one picture, to out [count]; higher = in-distribution. Computed in double; what
 * several scores need is computed once. ARGUMENT for settings that are not possible or a score
 * whose outliers or patches are missing, NUMERIC if a cosine is NaN or infinite. Any thread. */
MMOOD_API mmood_status mmood_scores_compute(double *out, const mmood_similarities *similarities,
                                            const mmood_score_settings *settings, size_t count,
                                            mmood_error *error);

/* One score without patches: the same from an array of cosines [id_count + outlier_count]. */
MMOOD_API mmood_status mmood_score_compute(double *out, const double *cosines, size_t id_count,
                                           size_t outlier_count,
                                           const mmood_score_settings *settings,
                                           mmood_error *error);

/* ---- Detectors ----------------------------------------------------------------------------- */

typedef struct mmood_detector mmood_detector;

typedef struct mmood_detector_options {
    const char *const *templates; /* texts with one "{}"; NULL: "a photo of a {}" */
    size_t template_count;        /* several: unit embeddings averaged, then made unit length */
    mmood_score_settings score;
} mmood_detector_options;

MMOOD_API mmood_detector_options mmood_detector_options_default(void);

/* Embeds ID labels and outlier labels (`outlier_sets` lists of them; may be 0) and makes a
 * detector. Equal outlier labels count once; one equal to an ID label but for its case is an
 * ARGUMENT error that names it. `*truncated` (may be NULL) receives how many texts were too long
 * and were cut. `session` is used during the call only. The caller frees `*out`. */
MMOOD_API mmood_status mmood_detector_build(mmood_detector **out, size_t *truncated,
                                            mmood_session *session, const mmood_labels *id,
                                            const mmood_labels *const *outliers,
                                            size_t outlier_sets,
                                            const mmood_detector_options *options,
                                            mmood_error *error);

/* Told of an outlier label that is dropped, and of the ID label that is too similar. */
typedef void mmood_detector_dropped(void *context, const char *label, const char *id_label,
                                    double cosine);

/* A detector without the outlier labels whose text has a cosine over `max_similarity` (-1 to 1) to
 * that of an ID label; the rounding of equal texts is allowed for, so 1 drops none. `dropped` may
 * be NULL. ARGUMENT for a calibrated detector, whose threshold holds for all its labels, and if no
 * outlier label is left to a score that needs some. The caller frees `*out`. */
MMOOD_API mmood_status mmood_detector_prune(mmood_detector **out, const mmood_detector *detector,
                                            double max_similarity, mmood_detector_dropped *dropped,
                                            void *context, mmood_error *error);

/* A detector file: safetensors with "embeddings" [labels, dimension] F32 and everything else as
 * JSON in its metadata (docs/detector-file.md). Saving replaces the file in one step. */
MMOOD_API mmood_status mmood_detector_open(mmood_detector **out, const char *path,
                                           mmood_error *error);
MMOOD_API mmood_status mmood_detector_parse(mmood_detector **out, const void *data, size_t size,
                                            mmood_error *error);
MMOOD_API mmood_status mmood_detector_save(const mmood_detector *detector, const char *path,
                                           mmood_error *error);

typedef struct mmood_detector_info {
    size_t dimension;
    size_t id_count;      /* labels 0 .. id_count - 1 */
    size_t outlier_count; /* the rest */
    size_t template_count;
    mmood_score_settings score; /* temperature filled in */
    int calibrated;             /* 1: it has a calibration, and `threshold` is set */
    double threshold;
    const char *model_path;        /* as given when built, for finding the model again */
    const char *model_fingerprint; /* see mmood_model_info */
    mmood_precision precision;     /* of the label embeddings */
} mmood_detector_info;

/* Strings live as long as the detector. Any thread. */
MMOOD_API void mmood_detector_describe(const mmood_detector *detector, mmood_detector_info *out);
MMOOD_API const char *mmood_detector_label(const mmood_detector *detector, size_t index);
MMOOD_API const char *mmood_detector_source(const mmood_detector *detector, size_t index);
MMOOD_API const char *mmood_detector_template(const mmood_detector *detector, size_t index);

/* Template `number` (from 0) that a label was embedded in, one of its own or of the detector's
 * (the same pointer as mmood_detector_template gives then); NULL past the last. */
MMOOD_API const char *mmood_detector_label_template(const mmood_detector *detector, size_t label,
                                                    size_t number);

/* MISMATCH unless `model` is the one the detector was built with. */
MMOOD_API mmood_status mmood_detector_check_model(const mmood_detector *detector,
                                                  const mmood_model *model, mmood_error *error);

/* Cosine of one unit-length picture embedding [dimension] with every label, to out [labels]. */
MMOOD_API mmood_status mmood_detector_cosines(double *out, const mmood_detector *detector,
                                              const float *embedding, mmood_error *error);

/* What a detector says of one picture. */
typedef struct mmood_verdict {
    int is_id; /* score >= threshold; uncalibrated: the most similar label is an ID label */
    int calibrated;
    double score;
    double threshold; /* NaN if uncalibrated */
    double p_value;   /* NaN if uncalibrated; small: unlike the calibration pictures */
    size_t label;     /* index of the most similar ID label, the first of equals */
    size_t outlier;   /* of the most similar outlier label; SIZE_MAX if there are none */
    double label_cosine;
    double outlier_cosine; /* NaN if there are no outlier labels */
} mmood_verdict;

/* Judges from `cosines` [labels], as mmood_detector_cosines gives them. `settings` NULL = the
 * detector's own; other settings give a score but no threshold. gl-mcm needs patches: use a scorer.
 * Any thread. */
MMOOD_API mmood_status mmood_detector_judge(mmood_verdict *out, const mmood_detector *detector,
                                            const double *cosines,
                                            const mmood_score_settings *settings,
                                            mmood_error *error);

/* One of the labels most similar to a picture. */
typedef struct mmood_match {
    size_t label;
    double cosine;
    double
        probability; /* softmax over all labels at the detector's temperature (1 for max-logit) */
} mmood_match;

/* The `count` most similar labels, best first, ties by index; `*count` is lowered to what there is.
 */
MMOOD_API mmood_status mmood_detector_rank(mmood_match *out, size_t *count,
                                           const mmood_detector *detector, const double *cosines,
                                           mmood_error *error);

MMOOD_API void mmood_detector_free(mmood_detector *detector);

/* ---- Calibration --------------------------------------------------------------------------- */

typedef struct mmood_calibration_options {
    double keep;               /* share of in-distribution pictures to keep, above 0 and below 1 */
    mmood_image_options image; /* how the pictures were decoded, and */
    mmood_precision precision; /* in which precision they were embedded: never AUTO */
    const char *const
        *hashes; /* [count] SHA-256 of each file in 64 lower-case hex digits; or NULL */
} mmood_calibration_options;

/* keep 0.95, default decoding, f32, no hashes. */
MMOOD_API mmood_calibration_options mmood_calibration_options_default(void);

/* A copy of `detector` with a threshold, from the scores (the detector's own kind) of `count`
 * in-distribution pictures that were used for nothing else: the largest t that at least
 * ceil((count + 1) keep) scores reach. For exchangeable pictures a new one is kept with probability
 * `keep` at least (split conformal prediction: Papadopoulos et al. 2002; Lei et al. 2018). ARGUMENT
 * if `keep` is not possible or `count` too small for it; the message says how many are needed;
 * NUMERIC for a score that is not finite. The caller frees `*out`. */
MMOOD_API mmood_status mmood_detector_calibrate(mmood_detector **out,
                                                const mmood_detector *detector,
                                                const double *scores, size_t count,
                                                const mmood_calibration_options *options,
                                                mmood_error *error);

typedef struct mmood_calibration_info {
    double threshold;
    double keep;      /* as asked for */
    size_t count;     /* scores */
    size_t kept;      /* how many of them reach the threshold */
    double keep_low;  /* 95 % interval of the keep rate given these `kept` of `count` */
    double keep_high; /*   (Clopper and Pearson 1934) */
    mmood_image_options image;
    mmood_precision precision;
} mmood_calibration_info;

/* 1 and fills `out` if the detector is calibrated, else 0. Any thread. */
MMOOD_API int mmood_detector_calibration(const mmood_detector *detector,
                                         mmood_calibration_info *out);

/* 1 if a file with this SHA-256 (64 lower-case hex digits) took part in the calibration. */
MMOOD_API int mmood_detector_calibrated_on(const mmood_detector *detector, const char *hash);

/* MISMATCH if the detector is calibrated and pictures were then decoded or embedded otherwise than
 * they would be now; an uncalibrated detector fits all. Open models in the precision that
 * mmood_detector_calibration tells, so that it runs on other machines. Any thread. */
MMOOD_API mmood_status mmood_detector_check_pictures(const mmood_detector *detector,
                                                     const mmood_image_options *image,
                                                     mmood_precision precision, mmood_error *error);

/* Which of `count` p-values to flag so that the expected share of false alarms among the flagged is
 * at most `rate` (0 to 1): out[i] 1 or 0 (Benjamini and Hochberg 1995); exact for numbers computed
 * as k / n, n < 2^26. ARGUMENT for a rate or a p-value outside 0 to 1. Any thread. */
MMOOD_API mmood_status mmood_fdr_select(unsigned char *out, const double *p_values, size_t count,
                                        double rate, mmood_error *error);

/* ---- Scorers ------------------------------------------------------------------------------- */

/* A scorer judges many pictures: it holds the labels packed for a fast product, worker threads and,
 * if asked for, an adaptive memory. One caller at a time. */
typedef struct mmood_scorer mmood_scorer;

typedef struct mmood_scorer_options {
    const mmood_score_settings *scores; /* scores to compute beside the detector's own */
    size_t score_count;
    size_t top;   /* most similar labels to report */
    int threads;  /* workers; 0 = all CPUs this process may use */
    int adaptive; /* 1: neglabel and csp learn from the stream (AdaNeg, Zhang and Zhang, NeurIPS
                     2024): confident pictures join the embedding of the label they resemble, and
                     the score is that of the labels so changed + 0.1 times the plain one. Results
                     then depend on the order of the pictures; memory is bounded, 8,192 embeddings
                     at most; the threshold does not apply and verdicts are uncalibrated */
} mmood_scorer_options;

MMOOD_API mmood_scorer_options mmood_scorer_options_default(void);

/* `detector` must outlive the scorer; `options` may be NULL and is not kept. Memory: the packed
 * labels (4 bytes a number) and, a thread, at most 8 MB or one row of cosines. The caller frees
 * `*out`. */
MMOOD_API mmood_status mmood_scorer_create(mmood_scorer **out, const mmood_detector *detector,
                                           const mmood_scorer_options *options, mmood_error *error);

/* Where results go; NULL for what is not wanted. */
typedef struct mmood_results {
    mmood_verdict *verdicts; /* [count] */
    double *scores;          /* [count, score_count] */
    mmood_match *top;        /* [count, top], top as mmood_scorer_top says */
} mmood_results;

/* Labels that `top` of the results holds for a picture: what was asked for, or all there are. */
MMOOD_API size_t mmood_scorer_top(const mmood_scorer *scorer);

/* Judges `count` pictures from their unit-length embeddings [count, dimension]. `patches` [count,
 * patch_count, dimension] are needed if gl-mcm is among the scores, else NULL and 0. A picture's
 * results do not depend on the others (but for `adaptive`). NUMERIC names the picture whose
 * embedding is not finite; then no result is set. */
MMOOD_API mmood_status mmood_scorer_run(const mmood_results *out, mmood_scorer *scorer,
                                        const float *embeddings, const float *patches,
                                        size_t patch_count, size_t count, mmood_error *error);

MMOOD_API void mmood_scorer_free(mmood_scorer *scorer);

#ifdef __cplusplus
}
#endif

#endif /* MMOOD_H */
