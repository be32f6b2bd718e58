/* bench.c - pictures and labels a second for one model directory, as a share of what the machine's
 * registers can do; decoding and preprocessing apart. Prints one table; judges nothing.
 *
 *   bench MODEL [--threads N] [--batch N] [--seconds S] [--precision f32|bf16] [PICTURE...] */
#include "mmood.h"
#include "peak.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct settings {
    const char *model;
    int threads;
    int batch;
    double seconds;
    mmood_precision precision;
    char **pictures;
    int picture_count;
} settings;

static void die(const char *what, const mmood_error *error) {
    fprintf(stderr, "bench: %s: %s\n", what, error->message);
    exit(1);
}

/* FLOPs of dense layers that the towers run for `items` items of `tokens` rows each: what mmood
 * does, which in the last layer is only the pooled rows. */
static double tower_flops(const mmood_tower_info *tower, double items, double tokens,
                          double dimension) {
    double w = tower->width, f = tower->mlp_width, rows = items * tokens;
    double full = rows * (4 * w * w + 2 * w * f);
    double last = rows * 3 * w * w + items * (w * w + 2 * w * f);
    return 2 * ((tower->layers - 1) * full + last + items * w * dimension);
}

/* FLOPs of attention, the mask of causal attention not deducted. */
static double attention_flops(const mmood_tower_info *tower, double items, double tokens) {
    return 4.0 * items * tower->width * (tokens * tokens * (tower->layers - 1) + tokens);
}

static void print_rate(const char *what, double count, double seconds, double flops,
                       double attention, double peak) {
    printf("  %-34s %10.1f /s %9.2f ms each %8.1f GFLOP/s", what, count / seconds,
           seconds / count * 1e3, flops / seconds / 1e9);
    if (peak > 0)
        printf("  %5.1f %% of peak (%.1f %% with attention)", 100 * flops / seconds / peak,
               100 * (flops + attention) / seconds / peak);
    printf("\n");
}

static void bench_images(mmood_session *session, const mmood_model_info *info, int batch,
                         double least, double peak) {
    size_t size = (size_t)info->image_size;
    uint8_t *crop = malloc(size * size * 3);
    const uint8_t **crops = malloc((size_t)batch * sizeof *crops);
    float *out = malloc((size_t)batch * (size_t)info->dimension * sizeof *out);
    if (!crop || !crops || !out)
        exit(1);
    for (size_t i = 0; i < size * size * 3; i++)
        crop[i] = (uint8_t)(i * 2654435761u >> 13);
    for (int i = 0; i < batch; i++)
        crops[i] = crop;
    mmood_error error;
    double done = 0, begin = 0, best = 1e30;
    for (int round = 0; round < 4;
         round++) { /* the first warms up; the best of the others counts */
        done = 0;
        begin = bench_now();
        do {
            if (mmood_session_embed_images(out, session, crops, (size_t)batch, &error) != MMOOD_OK)
                die("pictures", &error);
            done += batch;
        } while (bench_now() - begin < least / 3);
        double each = (bench_now() - begin) / done;
        if (round > 0 && each < best)
            best = each;
    }
    double side = info->image_size / info->patch_size, patches = side * side;
    double patch_inputs = 3.0 * info->patch_size * info->patch_size;
    double flops = tower_flops(&info->vision, 1, patches + 1, info->dimension) +
                   2 * patches * patch_inputs * info->vision.width;
    char what[64];
    snprintf(what, sizeof what, "pictures, batches of %d", batch);
    print_rate(what, 1, best, flops, attention_flops(&info->vision, 1, patches + 1), peak);
    free(crop);
    free(crops);
    free(out);
}

static void bench_texts(mmood_session *session, const mmood_model *model,
                        const mmood_model_info *info, double least, double peak) {
    enum { LABELS = 1000 };
    static const char *const words[] = {
        "golden retriever",  "hot dog",     "container ship", "espresso", "acoustic guitar",
        "great white shark", "street sign", "mushroom",       "volcano",  "wooden spoon"};
    /* all different: equal ones are embedded once */
    static const char *const sizes[] = {"big",  "small", "old",   "new",   "clean",
                                        "dark", "light", "round", "heavy", "broken"};
    static const char *const colours[] = {"red",   "green", "blue", "black",  "white",
                                          "brown", "grey",  "pink", "yellow", "orange"};
    char(*texts)[64] = malloc(LABELS * sizeof *texts);
    const char **pointers = malloc(LABELS * sizeof *pointers);
    float *out = malloc(LABELS * (size_t)info->dimension * sizeof *out);
    uint32_t *ids = malloc((size_t)info->context * sizeof *ids);
    if (!texts || !pointers || !out || !ids)
        exit(1);
    mmood_error error;
    double flops = 0, attention = 0, tokens = 0;
    for (size_t i = 0; i < LABELS; i++) {
        snprintf(texts[i], sizeof texts[i], "a %s %s %s", sizes[i / 100 % 10], colours[i / 10 % 10],
                 words[i % 10]);
        pointers[i] = texts[i];
        size_t count;
        if (mmood_model_tokenize(ids, &count, NULL, model, texts[i], strlen(texts[i]), &error) !=
            MMOOD_OK)
            die("labels", &error);
        flops += tower_flops(&info->text, 1, (double)count, info->dimension);
        attention += attention_flops(&info->text, 1, (double)count);
        tokens += (double)count;
    }
    double best = 1e30, begin, spent = 0;
    do {
        begin = bench_now();
        if (mmood_session_embed_texts(out, NULL, session, pointers, LABELS, &error) != MMOOD_OK)
            die("labels", &error);
        double seconds = bench_now() - begin;
        spent += seconds;
        best = seconds < best ? seconds : best;
    } while (spent < least);
    char what[64];
    snprintf(what, sizeof what, "labels, %.1f tokens each", tokens / LABELS);
    print_rate(what, LABELS, best, flops, attention, peak);
    free(texts);
    free(pointers);
    free(out);
    free(ids);
}

static void bench_picture(const char *path, const mmood_preprocess *preprocess, int fast,
                          double least) {
    mmood_error error;
    mmood_image_options options = mmood_image_options_default();
    options.fast_decode = fast;
    mmood_image *image = NULL;
    size_t size = (size_t)preprocess->crop_width * (size_t)preprocess->crop_height * 3;
    uint8_t *crop = malloc(size);
    if (!crop)
        exit(1);
    double decode = 1e30, resize = 1e30, spent = 0;
    do {
        double begin = bench_now();
        if (mmood_image_load_for(&image, path, preprocess, &options, &error) != MMOOD_OK)
            die(path, &error);
        double middle = bench_now();
        if (mmood_image_preprocess(crop, size, image, preprocess, &error) != MMOOD_OK)
            die(path, &error);
        double end = bench_now();
        decode = middle - begin < decode ? middle - begin : decode;
        resize = end - middle < resize ? end - middle : resize;
        spent += end - begin;
        if (spent < least)
            mmood_image_free(image);
    } while (spent < least);
    printf("  %5zu x %-5zu  decode %8.2f ms  resize and crop %7.2f ms  %s%s\n",
           mmood_image_width(image), mmood_image_height(image), decode * 1e3, resize * 1e3, path,
           fast ? " --fast-decode" : "");
    mmood_image_free(image);
    free(crop);
}

static mmood_precision parse_precision(const char *name) {
    for (int i = MMOOD_PRECISION_AUTO; mmood_precision_name((mmood_precision)i); i++)
        if (strcmp(name, mmood_precision_name((mmood_precision)i)) == 0)
            return (mmood_precision)i;
    fprintf(stderr, "bench: no precision is called %s\n", name);
    exit(2);
}

/* FLOP/s at most in a precision; 0 if the CPU has no such instruction. */
static double peak_of(mmood_precision precision, int threads) {
    if (precision == MMOOD_PRECISION_INT8)
        return bench_peak_int8(threads);
    return precision == MMOOD_PRECISION_BF16 ? bench_peak_bf16(threads) : bench_peak_f32(threads);
}

static settings parse(int argc, char **argv) {
    settings s = {.threads = 2, .batch = 16, .seconds = 6};
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--threads") == 0 && i + 1 < argc)
            s.threads = atoi(argv[++i]);
        else if (strcmp(argv[i], "--batch") == 0 && i + 1 < argc)
            s.batch = atoi(argv[++i]);
        else if (strcmp(argv[i], "--seconds") == 0 && i + 1 < argc)
            s.seconds = atof(argv[++i]);
        else if (strcmp(argv[i], "--precision") == 0 && i + 1 < argc)
            s.precision = parse_precision(argv[++i]);
        else if (!s.model)
            s.model = argv[i];
        else {
            s.pictures = argv + i;
            s.picture_count = argc - i;
            break;
        }
    }
    if (!s.model || s.threads < 1 || s.batch < 1) {
        fprintf(stderr, "usage: bench MODEL [--threads N] [--batch N] [--seconds S] "
                        "[--precision f32|bf16] [PICTURE...]\n");
        exit(2);
    }
    return s;
}

int main(int argc, char **argv) {
    settings s = parse(argc, argv);
    mmood_error error;
    mmood_model *model;
    mmood_session *session;
    mmood_model_options options = mmood_model_options_default();
    options.precision = s.precision;
    options.fast_texts = 1;
    double begin = bench_now();
    if (mmood_model_open(&model, s.model, &options, &error) != MMOOD_OK)
        die("model", &error);
    double opened = bench_now() - begin;
    mmood_model_info info;
    mmood_model_describe(model, &info);
    mmood_session_options session_options = {s.threads};
    if (mmood_session_create(&session, model, &session_options, &error) != MMOOD_OK)
        die("session", &error);
    double peak = peak_of(info.precision, s.threads);
    printf("%s, %s, %d threads; opened in %.2f s; register-only peak %.1f GFLOP/s\n", s.model,
           mmood_precision_name(info.precision), s.threads, opened, peak / 1e9);
    bench_images(session, &info, s.batch, s.seconds, peak);
    bench_images(session, &info, 1, s.seconds, peak);
    bench_texts(session, model, &info, s.seconds, peak);
    for (int i = 0; i < s.picture_count; i++)
        for (int fast = 0; fast < 2; fast++)
            bench_picture(s.pictures[i], &info.preprocess, fast, s.seconds / 6);
    mmood_session_free(session);
    mmood_model_free(model);
    return 0;
}
