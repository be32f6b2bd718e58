/* cmd_inspect.c - mmood inspect: what a model directory or a detector file is. */
#include "base/file.h"
#include "cli/hub_cache.h"
#include "cli/options.h"
#include "cli/output.h"
#include "detect/calibrate.h"
#include "detect/describe.h"

#include <stdio.h>

static const char usage[] = "usage: mmood inspect MODEL|DETECTOR [--json]\n\n"
                            "Says what a model is, a directory or OWNER/NAME in the Hugging Face "
                            "cache: sizes, activations,\n"
                            "logit scale, preprocessing, precision; or what a detector file holds: "
                            "labels, templates, score,\nthreshold.\n\n"
                            "example: mmood inspect models/demo\n";

static const char *filter_name(mmood_filter filter) {
    return filter == MMOOD_FILTER_BILINEAR ? "bilinear" : "bicubic";
}

/* The token of a text that becomes its embedding. */
static const char *pooled_token(int eot_rule) {
    static const char *const names[] = {"largest id", "first eos", "first token", "last token"};
    return names[eot_rule];
}

static void tower_json(mm_buffer *out, const char *name, const mmood_tower_info *tower) {
    mm_buffer_printf(out, ",\"%s\":{\"family\":\"%s\"", name, tower->family);
    if (tower->trunk[0])
        mm_buffer_printf(out, ",\"trunk\":\"%s\"", tower->trunk);
    mm_buffer_printf(out, ",\"width\":%d,\"layers\":%d", tower->width, tower->layers);
    if (tower->heads)
        mm_buffer_printf(out, ",\"heads\":%d,\"mlp_width\":%d", tower->heads, tower->mlp_width);
    mm_buffer_printf(out, ",\"activation\":\"%s\"", tower->activation);
    if (tower->heads)
        mm_buffer_printf(out, ",\"layer_norm_eps\":%.9g", tower->layer_norm_eps);
    mm_buffer_puts(out, "}");
}

static void preprocess_json(mm_buffer *out, const mmood_preprocess *p) {
    mm_buffer_puts(out, ",\"preprocess\":{\"resize\":");
    if (!p->resize)
        mm_buffer_puts(out, "null");
    else if (p->shortest_edge)
        mm_buffer_printf(out, "{\"shortest_edge\":%d}", p->shortest_edge);
    else if (p->longest_edge)
        mm_buffer_printf(out, "{\"longest_edge\":%d}", p->longest_edge);
    else
        mm_buffer_printf(out, "{\"height\":%d,\"width\":%d}", p->resize_height, p->resize_width);
    mm_buffer_printf(out,
                     ",\"filter\":\"%s\",\"center_crop\":%s,\"crop\":{\"height\":%d,\"width\":%d},"
                     "\"crop_rule\":\"%s\",\"fill\":%d,\"rescale_factor\":%.9g,"
                     "\"mean\":[%.9g,%.9g,%.9g],\"std\":[%.9g,%.9g,%.9g]}",
                     filter_name(p->filter), p->center_crop ? "true" : "false", p->crop_height,
                     p->crop_width,
                     p->crop_rule == MMOOD_CROP_TORCHVISION ? "torchvision" : "transformers",
                     p->fill, (double)p->rescale_factor, (double)p->mean[0], (double)p->mean[1],
                     (double)p->mean[2], (double)p->std[0], (double)p->std[1], (double)p->std[2]);
}

static void model_json(mm_buffer *out, const mmood_model_info *info) {
    mm_buffer_printf(out,
                     "{\"type\":\"model\",\"dimension\":%d,\"image_size\":%d,\"patch_size\":%d,"
                     "\"patches\":%d,\"vocabulary\":%d,\"context\":%d,\"eos_token_id\":%d,"
                     "\"eot_rule\":\"%s\",\"bidirectional\":%s,\"logit_scale\":%.9g",
                     info->dimension, info->image_size, info->patch_size, info->patches,
                     info->vocabulary, info->context, info->eos_token_id,
                     pooled_token(info->eot_rule), info->bidirectional ? "true" : "false",
                     info->logit_scale);
    tower_json(out, "vision", &info->vision);
    tower_json(out, "text", &info->text);
    preprocess_json(out, &info->preprocess);
    mm_buffer_printf(out,
                     ",\"preprocess_source\":\"%s\",\"precision\":\"%s\",\"precision_reason\":\"%"
                     "s\",\"text_precision\":\"%s\",\"instructions\":\"%s\",\"kernels\":\"%s\","
                     "\"weight_bytes\":%llu,"
                     "\"fingerprint\":\"%s\"}\n",
                     info->preprocess_source, mmood_precision_name(info->precision),
                     info->precision_reason, mmood_precision_name(info->text_precision),
                     info->instructions, info->kernels, (unsigned long long)info->weight_bytes,
                     info->fingerprint);
}

static void tower_text(mm_buffer *out, const char *name, const mmood_tower_info *tower) {
    if (tower->heads)
        mm_buffer_printf(out,
                         "%-13s width %d, %d layers, %d heads, MLP %d, %s, layer norm eps %g\n",
                         name, tower->width, tower->layers, tower->heads, tower->mlp_width,
                         tower->activation, tower->layer_norm_eps);
    else
        mm_buffer_printf(out, "%-13s width %d, %d blocks, %s\n", name, tower->width, tower->layers,
                         tower->activation);
}

static void texts_text(mm_buffer *out, const mmood_model_info *info) {
    static const char *const tokens[] = {"largest id", "first EOT", "first token", "last token"};
    mm_buffer_printf(out, "texts         %d token ids, at most %d a text, pooled at the %s",
                     info->vocabulary, info->context, tokens[info->eot_rule]);
    if (info->eot_rule < 2)
        mm_buffer_printf(out, " (eos_token_id %d)", info->eos_token_id);
    mm_buffer_printf(out, "%s\n",
                     info->bidirectional ? "; every token sees all others, padding included" : "");
}

static void preprocess_text(mm_buffer *out, const mmood_preprocess *p, const char *source) {
    if (!p->resize)
        mm_buffer_puts(out, "pictures      not resized");
    else if (p->shortest_edge)
        mm_buffer_printf(out, "pictures      shorter side to %d, %s", p->shortest_edge,
                         filter_name(p->filter));
    else if (p->longest_edge)
        mm_buffer_printf(out, "pictures      longer side to %d, %s", p->longest_edge,
                         filter_name(p->filter));
    else
        mm_buffer_printf(out, "pictures      squeezed to %d x %d, %s", p->resize_width,
                         p->resize_height, filter_name(p->filter));
    if (p->resize && p->longest_edge)
        mm_buffer_printf(out, ", padded with %d to", p->fill);
    else
        mm_buffer_puts(out, p->center_crop ? ", centre crop" : ", taken as");
    mm_buffer_printf(out, " %d x %d; mean %.6g %.6g %.6g, std %.6g %.6g %.6g\n", p->crop_width,
                     p->crop_height, (double)p->mean[0], (double)p->mean[1], (double)p->mean[2],
                     (double)p->std[0], (double)p->std[1], (double)p->std[2]);
    if (source[0])
        mm_buffer_printf(out, "              as %s says\n", source);
    else
        mm_buffer_puts(out, "              CLIP's usual way: the directory has no "
                            "preprocessor_config.json\n");
}

static void model_text(mm_buffer *out, const mmood_model_info *info) {
    mm_buffer_printf(out, "CLIP model    %s", common_model_title(info).text);
    if (info->vision.trunk[0])
        mm_buffer_printf(out, ", images of %d x %d", info->image_size, info->image_size);
    mm_buffer_printf(out, ", embeddings of %d numbers\n", info->dimension);
    tower_text(out, "vision tower", &info->vision);
    tower_text(out, "text tower", &info->text);
    texts_text(out, info);
    mm_buffer_printf(out, "logit scale   %.6g (temperature %.6g)\n", info->logit_scale,
                     1 / info->logit_scale);
    preprocess_text(out, &info->preprocess, info->preprocess_source);
    mm_buffer_printf(out, "precision     %s (%s), texts in %s, %.1f MB of packed weights\n",
                     mmood_precision_name(info->precision), info->precision_reason,
                     mmood_precision_name(info->text_precision), (double)info->weight_bytes / 1e6);
    mm_buffer_printf(out, "instructions  %s for products (oneDNN), %s for attention and norms\n",
                     info->instructions, info->kernels);
    mm_buffer_printf(out, "fingerprint   %s\n", info->fingerprint);
}

/* The templates of a label, if they are not the detector's. */
static void own_templates_json(mm_buffer *out, const mmood_detector *detector, size_t label) {
    const char *first = mmood_detector_label_template(detector, label, 0);
    if (first == mmood_detector_template(detector, 0))
        return;
    for (size_t i = 0; mmood_detector_label_template(detector, label, i); i++) {
        mm_buffer_puts(out, i ? "," : ",\"template\":[");
        mm_json_text(out, mmood_detector_label_template(detector, label, i));
    }
    mm_buffer_puts(out, "]");
}

static void detector_json(mm_buffer *out, const mmood_detector *detector) {
    mmood_detector_info info;
    mmood_detector_describe(detector, &info);
    mm_buffer_printf(out,
                     "{\"type\":\"detector\",\"score\":\"%s\",\"temperature\":%.17g,\"beta\":%.17g,"
                     "\"calibrated\":%s,\"threshold\":",
                     mmood_score_name(info.score.kind), info.score.temperature, info.score.beta,
                     info.calibrated ? "true" : "false");
    mm_json_exact(out, info.threshold);
    if (info.calibrated) {
        mm_buffer_puts(out, ",\"calibration\":");
        mm_calibration_json(out, detector);
    }
    mm_buffer_printf(out, ",\"dimension\":%zu,\"n_id\":%zu,\"n_outlier\":%zu,\"templates\":[",
                     info.dimension, info.id_count, info.outlier_count);
    for (size_t i = 0; i < info.template_count; i++) {
        mm_buffer_puts(out, i ? "," : "");
        mm_json_text(out, mmood_detector_template(detector, i));
    }
    mm_buffer_puts(out, "],\"labels\":[");
    for (size_t i = 0; i < info.id_count + info.outlier_count; i++) {
        mm_buffer_puts(out, i ? ",{\"label\":" : "{\"label\":");
        mm_json_text(out, mmood_detector_label(detector, i));
        mm_buffer_printf(out, ",\"kind\":\"%s\",\"source\":", i < info.id_count ? "id" : "outlier");
        mm_json_text(out, mmood_detector_source(detector, i));
        own_templates_json(out, detector, i);
        mm_buffer_puts(out, "}");
    }
    mm_buffer_puts(out, "],\"model\":{");
    mm_json_path(out, info.model_path);
    mm_buffer_printf(out, ",\"fingerprint\":\"%s\",\"precision\":\"%s\"}}\n",
                     info.model_fingerprint, mmood_precision_name(info.precision));
}

static void detector_text(mm_buffer *out, const mmood_detector *detector) {
    mmood_detector_info info;
    mmood_detector_describe(detector, &info);
    mm_buffer_printf(out,
                     "detector      %zu ID labels, %zu outlier labels, embeddings of %zu numbers\n",
                     info.id_count, info.outlier_count, info.dimension);
    mm_buffer_printf(out, "score         %s, temperature %g, beta %g\n",
                     mmood_score_name(info.score.kind), info.score.temperature, info.score.beta);
    mmood_calibration_info c;
    int calibrated = mmood_detector_calibration(detector, &c);
    int plain = calibrated && c.image.alpha == MMOOD_ALPHA_DROP;
    if (calibrated)
        mm_buffer_printf(out,
                         "threshold     %.17g, to keep %g of in-distribution pictures\n"
                         "calibration   %zu of %zu pictures kept, interval %.4f to %.4f (95 %%), "
                         "embedded in %s%s%s%s%s\n",
                         c.threshold, c.keep, c.kept, c.count, c.keep_low, c.keep_high,
                         mmood_precision_name(c.precision),
                         c.image.apply_orientation ? "" : ", with --no-orient",
                         plain ? "" : ", with --alpha ", plain ? "" : mm_alpha_name(c.image.alpha),
                         c.image.fast_decode ? ", with --fast-decode" : "");
    else
        mm_buffer_puts(out, "threshold     none: the verdict is that of the most similar label\n");
    char warning[512];
    if (mm_calibration_warning(warning, sizeof warning, detector))
        mm_buffer_printf(out, "warning       %s\n", warning);
    for (size_t i = 0; i < info.template_count; i++)
        mm_buffer_printf(out, "template      %s\n", mmood_detector_template(detector, i));
    mm_buffer_printf(out, "model         %s, %s, %s\n", info.model_path,
                     mmood_precision_name(info.precision), info.model_fingerprint);
    for (size_t i = 0; i < info.id_count + info.outlier_count; i++)
        mm_buffer_printf(out, "%s       %s\n", i < info.id_count ? "id     " : "outlier",
                         mmood_detector_label(detector, i));
}

static int inspect_model(mm_buffer *out, const char *path, int json, const common_options *common) {
    mmood_model *model;
    mmood_model_info info;
    int code = common_open_model(&model, NULL, path, common);
    if (code != EXIT_DONE)
        return code;
    mmood_model_describe(model, &info);
    if (json)
        model_json(out, &info);
    else
        model_text(out, &info);
    mmood_model_free(model);
    return EXIT_DONE;
}

static int inspect_detector(mm_buffer *out, const char *path, int json) {
    mmood_detector *detector;
    mmood_error error;
    if (mmood_detector_open(&detector, path, &error) != MMOOD_OK)
        return cli_fail(&error);
    if (json)
        detector_json(out, detector);
    else
        detector_text(out, detector);
    mmood_detector_free(detector);
    return EXIT_DONE;
}

int cmd_inspect(int argc, char **argv) {
    common_options common = common_options_default();
    int json = 0, count;
    const option table[] = {{"json", 0, OPTION_FLAG, &json, NULL, "as one JSON object"},
                            OPTION_PRECISION(common),
                            OPTION_THREADS(common),
                            OPTION_CACHE(common),
                            OPTION_TALK(common),
                            OPTION_END};
    parse_result parsed = options_parse(table, usage, argc, argv, &count);
    if (parsed != PARSE_GO)
        return parsed == PARSE_DONE ? EXIT_DONE : EXIT_USAGE;
    if (count != 1) {
        cli_error("inspect needs one model directory or detector file");
        return EXIT_USAGE;
    }
    mm_buffer out = {0};
    int is_model = mm_is_directory(argv[0]) || hub_cache_is_name(argv[0]);
    int code = is_model ? inspect_model(&out, argv[0], json, &common)
                        : inspect_detector(&out, argv[0], json);
    output_flush(&out);
    mm_buffer_free(&out);
    return code;
}
