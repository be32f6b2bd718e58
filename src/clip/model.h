/* model.h - an opened model inside the library. */
#ifndef MM_CLIP_MODEL_H
#define MM_CLIP_MODEL_H

#include "clip/block.h"
#include "clip/config.h"
#include "clip/safetensors.h"
#include "clip/tokenizer.h"
#include "clip/weights.h"

struct mmood_model {
    mm_clip_config config;
    const char *config_name; /* of the file that it is from; static */
    mmood_preprocess preprocess;
    const char *preprocess_source; /* the file's name; "" if there was none */
    mmood_precision precision;     /* F32, BF16 or INT8 */
    mmood_precision text_precision;
    int bf16;      /* 1 if the image tower's activations are bf16, else f32 */
    int text_bf16; /* the same of the text tower */
    const char *precision_reason;
    mm_tokenizer *tokenizer;
    mm_safetensors *tensors; /* keeps the token table mapped */
    mm_engine *engine;
    mm_weights *weights;
    const mm_kernels *kernels;
    float pixels[3][256];         /* channel, 8-bit value -> normalised */
    uint16_t pixels_bf16[3][256]; /* the same, rounded */
    char fingerprint[65];
    char *path;
};

#endif
