/* cmd_embed.c - mmood embed: embeddings of pictures or texts to a safetensors file. */
#include "cli/detectors.h"
#include "cli/output.h"
#include "eval/paths.h"
#include "eval/pipeline.h"

#include "clip/safetensors.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char usage[] =
    "usage: mmood embed -m MODEL (--images PATH... | --texts FILE) -o OUT.safetensors\n\n"
    "Writes unit-length embeddings: tensor \"embeddings\" [n, d] F32, and \"ids\" [n] I64, the "
    "position\n"
    "of each row in the input, from 0. The metadata have \"inputs\", the paths or texts as a JSON "
    "list,\n"
    "and \"errors\", what failed and is left out, by its position. --texts reads one text a line "
    "as it is, blank "
    "lines\n"
    "left out.\n\n"
    "example: mmood embed -m models/demo --images pictures/ -o pictures.safetensors\n";

/* What is written. */
typedef struct result {
    float *rows;
    int64_t *ids;
    size_t count;
    size_t dimension;
    mm_buffer inputs; /* JSON lists without their brackets */
    mm_buffer errors;
} result;

static int result_reserve(result *r, size_t count, size_t dimension) {
    r->dimension = dimension;
    r->rows = malloc((count ? count : 1) * dimension * sizeof *r->rows);
    r->ids = malloc((count ? count : 1) * sizeof *r->ids);
    return r->rows && r->ids;
}

static void result_free(result *r) {
    free(r->rows);
    free(r->ids);
    mm_buffer_free(&r->inputs);
    mm_buffer_free(&r->errors);
}

static int result_write(result *r, const char *path) {
    mmood_error error;
    mm_buffer inputs = {0}, errors = {0};
    mm_buffer_printf(&inputs, "[%s]", r->inputs.size ? r->inputs.data : "");
    mm_buffer_printf(&errors, "[%s]", r->errors.size ? r->errors.data : "");
    if (inputs.failed || errors.failed) {
        cli_error("no memory for the list of inputs");
        mm_buffer_free(&inputs);
        mm_buffer_free(&errors);
        return EXIT_FATAL;
    }
    const mm_tensor tensors[] = {{.name = "embeddings",
                                  .dtype = MM_DTYPE_F32,
                                  .rank = 2,
                                  .shape = {r->count, r->dimension},
                                  .elements = r->count * r->dimension,
                                  .data = (const uint8_t *)r->rows},
                                 {.name = "ids",
                                  .dtype = MM_DTYPE_I64,
                                  .rank = 1,
                                  .shape = {r->count},
                                  .elements = r->count,
                                  .data = (const uint8_t *)r->ids}};
    const mm_metadata metadata[] = {{"inputs", inputs.data}, {"errors", errors.data}};
    mmood_status status = mm_safetensors_write(path, tensors, 2, metadata, 2, &error);
    mm_buffer_free(&inputs);
    mm_buffer_free(&errors);
    if (status == MMOOD_OK)
        return EXIT_DONE;
    cli_error("%s: %s", path, error.message);
    return EXIT_FATAL;
}

static int embed_images(result *r, mmood_session *session, const mm_path_list *paths,
                        const mmood_image_options *image, const common_options *common) {
    mm_pipeline p;
    mmood_error error;
    int code = EXIT_DONE;
    const mm_pipeline_options options = {
        .image = *image, .window = (size_t)common_batch(common), .threads = common->threads};
    if (mm_pipeline_create(&p, session, &options, &error) != MMOOD_OK)
        return cli_fail(&error);
    if (!result_reserve(r, paths->count, p.dimension)) {
        mm_pipeline_free(&p);
        cli_error("no memory for %zu embeddings", paths->count);
        return EXIT_FATAL;
    }
    mm_pipeline_start(&p, paths->items, paths->count);
    while (code == EXIT_DONE) {
        size_t good = 0;
        if (mm_pipeline_next(&p, &error) != MMOOD_OK)
            code = cli_fail(&error);
        if (p.count == 0)
            break;
        for (size_t i = 0; i < p.count && code == EXIT_DONE; i++) {
            const char *path = paths->items[p.first + i];
            mm_buffer_puts(&r->inputs, p.first + i ? "," : "");
            mm_json_text(&r->inputs, path);
            if (p.status[i] != MMOOD_OK) {
                cli_error("%s: %s", path, p.errors[i].message);
                mm_buffer_printf(&r->errors, "%s{\"index\":%zu,", r->errors.size ? "," : "",
                                 p.first + i);
                mm_json_path(&r->errors, path);
                mm_buffer_puts(&r->errors, ",\"error\":");
                mm_json_text(&r->errors, p.errors[i].message);
                mm_buffer_puts(&r->errors, "}");
                continue;
            }
            memcpy(r->rows + r->count * r->dimension, p.embeddings + good++ * r->dimension,
                   r->dimension * sizeof *r->rows);
            r->ids[r->count++] = (int64_t)(p.first + i);
        }
    }
    mm_pipeline_free(&p);
    if (code != EXIT_DONE || r->count == paths->count)
        return code;
    return r->count == 0 ? EXIT_FATAL : EXIT_PARTIAL;
}

/* Notes a failed text under its position in the input. */
static void add_text_error(result *r, size_t index, const char *message) {
    mm_buffer_printf(&r->errors, "%s{\"index\":%zu,\"error\":", r->errors.size ? "," : "", index);
    mm_json_text(&r->errors, message);
    mm_buffer_puts(&r->errors, "}");
}

/* Keeps in `good` the texts that can be tokenized, with their ids in the result; says which others
 * cannot, and which are cut. 0 if memory is out. */
static int choose_texts(result *r, const char **good, const mm_path_list *texts,
                        const mmood_model *model, const common_options *common) {
    mmood_model_info info;
    mmood_model_describe(model, &info);
    uint32_t *tokens = malloc((size_t)info.context * sizeof *tokens);
    for (size_t i = 0; tokens && i < texts->count; i++) {
        const char *text = texts->items[i];
        mmood_error error;
        size_t n;
        int cut = 0;
        mm_buffer_puts(&r->inputs, i ? "," : "");
        mm_json_text(&r->inputs, text);
        if (mmood_model_tokenize(tokens, &n, &cut, model, text, strlen(text), &error) != MMOOD_OK) {
            cli_error("text %zu: %s", i + 1, error.message);
            add_text_error(r, i, error.message);
            continue;
        }
        if (cut)
            cli_note(common_talk(common), "text %zu is longer than %d tokens and was cut: \"%s\"",
                     i + 1, info.context, text);
        r->ids[r->count] = (int64_t)i;
        good[r->count++] = text;
    }
    free(tokens);
    return tokens != NULL;
}

static int embed_texts(result *r, mmood_session *session, const mm_path_list *texts,
                       const common_options *common) {
    mmood_model_info info;
    mmood_error error;
    const mmood_model *model = mmood_session_model(session);
    mmood_model_describe(model, &info);
    const char **good = malloc(texts->count * sizeof *good);
    int code = EXIT_DONE;
    if (!good || !result_reserve(r, texts->count, (size_t)info.dimension) ||
        !choose_texts(r, good, texts, model, common)) {
        cli_error("no memory for %zu embeddings", texts->count);
        code = EXIT_FATAL;
    } else if (r->count == 0) {
        code = EXIT_FATAL;
    } else if (mmood_session_embed_texts(r->rows, NULL, session, good, r->count, &error) !=
               MMOOD_OK) {
        code = cli_fail(&error);
    } else if (r->count < texts->count) {
        code = EXIT_PARTIAL;
    }
    free(good);
    return code;
}

static int run(const common_options *common, const mm_path_list *inputs, int are_images,
               const char *out) {
    mmood_image_options image;
    mmood_model *model;
    mmood_session *session;
    result r = {0};
    if (!common_image_options(&image, common))
        return EXIT_USAGE;
    int code = common_open_model(&model, &session, common->model, common);
    if (code != EXIT_DONE)
        return code;
    code = are_images ? embed_images(&r, session, inputs, &image, common)
                      : embed_texts(&r, session, inputs, common);
    if (code == EXIT_DONE || code == EXIT_PARTIAL) {
        int written = result_write(&r, out);
        code = written == EXIT_DONE ? code : written;
    }
    result_free(&r);
    mmood_session_free(session);
    mmood_model_free(model);
    return code;
}

int cmd_embed(int argc, char **argv) {
    static const char *const others[] = {".npy",   ".npz",     ".csv", ".tsv", ".json",
                                         ".jsonl", ".txt",     ".pt",  ".pth", ".bin",
                                         ".pkl",   ".parquet", ".h5",  NULL};
    common_options common = common_options_default();
    const char *texts = NULL, *out = NULL;
    int images = 0, count, code = EXIT_USAGE;
    const option table[] = {
        OPTION_MODEL(common),
        {"images", 0, OPTION_FLAG, &images, NULL,
         "the arguments are pictures, directories or \"-\""},
        {"texts", 0, OPTION_TEXT, &texts, "FILE",
         "a file of texts, one a line; - is standard input"},
        {"output", 'o', OPTION_TEXT, &out, "FILE", "the safetensors file to write"},
        OPTION_THREADS(common),
        OPTION_PRECISION(common),
        OPTION_PICTURE(common),
        OPTION_CACHE(common),
        OPTION_TALK(common),
        OPTION_END};
    parse_result parsed = options_parse(table, usage, argc, argv, &count);
    if (parsed != PARSE_GO)
        return parsed == PARSE_DONE ? EXIT_DONE : EXIT_USAGE;
    mm_path_list inputs = {0};
    if (!out || images == (texts != NULL) || (images && count == 0) || (texts && count > 0)) {
        cli_error(
            "embed needs either --images and at least one picture, or --texts FILE; and -o FILE");
        return EXIT_USAGE;
    }
    if (!option_writes(out, "a safetensors file", others,
                       "name it OUT.safetensors; in Python, safetensors.numpy.load_file(...)"
                       "[\"embeddings\"] is the array"))
        return EXIT_USAGE;
    for (int i = 0; i < count; i++)
        mm_path_list_add(&inputs, argv[i]);
    if (texts && !mm_path_list_read(&inputs, texts))
        cli_error("%s: cannot be read", texts);
    else if (inputs.failed || inputs.count == 0)
        cli_error(inputs.failed ? "no memory for the list of inputs" : "there is nothing to embed");
    else
        code = run(&common, &inputs, images, out);
    note_skips(&inputs.skips, common_talk(&common));
    mm_path_list_free(&inputs);
    return code;
}
