/* detector_file.c - the detector file: a safetensors file with the label embeddings as a tensor and
 * the rest as JSON under the metadata key "mmood". */
#include "base/error.h"
#include "base/file.h"
#include "base/json.h"
#include "clip/safetensors.h"
#include "detect/detector.h"
#include "detect/scores.h"
#include "detect/templates.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static const char format_name[] = "mmood-detector/1";

static const char definition[] =
    "the largest t that at least ceil((n + 1) keep) of the n scores reach (split conformal)";

/* ---- Writing ------------------------------------------------------------------------------- */

static json_t *labels_to_json(const mmood_detector *detector) {
    json_t *list = json_array();
    for (size_t i = 0; list && i < detector->count; i++) {
        json_t *entry = json_pack("{s:s, s:s}", "label", detector->labels[i], "kind",
                                  i < detector->id_count ? "id" : "outlier");
        if (entry && detector->sources[i][0])
            json_object_set_new(entry, "source", json_string(detector->sources[i]));
        const mm_template_set *own =
            mm_template_sets_get(&detector->own_templates, detector->own[i]);
        if (entry && own)
            json_object_set_new(entry, "template", mm_template_set_to_json(own));
        if (!entry || json_array_append_new(list, entry) != 0) {
            json_decref(list);
            return NULL;
        }
    }
    return list;
}

static json_t *score_to_json(const mmood_score_settings *score) {
    return json_pack("{s:s, s:f, s:f, s:f, s:I, s:I}", "name", mmood_score_name(score->kind),
                     "temperature", mmood_score_temperature(score), "beta", score->beta, "lambda",
                     score->lambda, "groups", (json_int_t)score->groups, "seed",
                     (json_int_t)score->seed);
}

/* What the threshold belongs to, in the document's "calibration". */
static json_t *calibration_to_json(const mmood_detector *detector) {
    const mm_calibration *calibration = detector->calibration;
    const mmood_calibration_info *info = &calibration->info;
    char labels[65], templates[65];
    mm_detector_hash_labels(labels, detector);
    mm_detector_hash_templates(templates, detector);
    return json_pack(
        "{s:s, s:I, s:f, s:f, s:I, s:[f,f], s:b, s:i, s:b, s:s, s:{s:o*, s:s, s:s, s:s}}",
        "definition", definition, "n", (json_int_t)info->count, "keep", info->keep, "threshold",
        info->threshold, "kept", (json_int_t)info->kept, "keep_interval", info->keep_low,
        info->keep_high, "orient", info->image.apply_orientation, "alpha", (int)info->image.alpha,
        "fast_decode", info->image.fast_decode != 0, "precision",
        mmood_precision_name(info->precision), "belongs_to", "score",
        score_to_json(&detector->score), "labels", labels, "templates", templates, "model",
        detector->model_fingerprint);
}

static json_t *detector_to_json(const mmood_detector *detector) {
    json_t *templates = json_array();
    for (size_t i = 0; templates && i < detector->template_count; i++)
        json_array_append_new(templates, json_string(detector->templates[i]));
    const mm_calibration *calibration = detector->calibration;
    return json_pack("{s:s, s:o*, s:o*, s:o*, s:{s:s, s:s, s:s, s:I}, s:o, s:o*}", "format",
                     format_name, "score", score_to_json(&detector->score), "templates", templates,
                     "labels", labels_to_json(detector), "model", "path", detector->model_path,
                     "fingerprint", detector->model_fingerprint, "precision",
                     mmood_precision_name(detector->precision), "dimension",
                     (json_int_t)detector->dimension, "threshold",
                     calibration ? json_real(calibration->info.threshold) : json_null(),
                     "calibration", calibration ? calibration_to_json(detector) : NULL);
}

mmood_status mmood_detector_save(const mmood_detector *detector, const char *path,
                                 mmood_error *error) {
    json_t *document = detector_to_json(detector);
    char *text = document ? json_dumps(document, JSON_COMPACT | JSON_REAL_PRECISION(17)) : NULL;
    json_decref(document);
    if (!text)
        return mm_error_set(error, MMOOD_ERROR_MEMORY,
                            "the detector cannot be written as JSON: memory is out, or the model's "
                            "path is not UTF-8");
    mm_tensor tensors[3] = {{.name = "embeddings",
                             .dtype = MM_DTYPE_F32,
                             .rank = 2,
                             .shape = {detector->count, detector->dimension},
                             .elements = detector->count * detector->dimension,
                             .data = (const uint8_t *)detector->embeddings}};
    size_t count = 1;
    if (detector->calibration) {
        const mm_calibration *calibration = detector->calibration;
        tensors[count++] = (mm_tensor){.name = "calibration_scores",
                                       .dtype = MM_DTYPE_F64,
                                       .rank = 1,
                                       .shape = {calibration->info.count},
                                       .elements = calibration->info.count,
                                       .data = (const uint8_t *)calibration->scores};
        tensors[count++] = (mm_tensor){.name = "calibration_files",
                                       .dtype = MM_DTYPE_U8,
                                       .rank = 2,
                                       .shape = {calibration->hash_count, 32},
                                       .elements = calibration->hash_count * 32,
                                       .data = calibration->hashes};
    }
    mm_metadata metadata = {"mmood", text};
    mmood_status status = mm_safetensors_write(path, tensors, count, &metadata, 1, error);
    free(text);
    return status == MMOOD_OK ? status : mm_error_prefix(error, status, "%s", path);
}

/* ---- Reading ------------------------------------------------------------------------------- */

static mmood_status missing(mmood_error *error, const char *what) {
    return mm_error_set(error, MMOOD_ERROR_FORMAT, "the detector's JSON lacks %s", what);
}

static mmood_status read_labels(mmood_detector *detector, const json_t *labels,
                                mmood_error *error) {
    int outliers_begun = 0;
    for (size_t i = 0; i < detector->count; i++) {
        const json_t *entry = json_array_get(labels, i);
        const char *text = json_string_value(json_object_get(entry, "label"));
        const char *kind = json_string_value(json_object_get(entry, "kind"));
        const char *source = json_string_value(json_object_get(entry, "source"));
        int is_id = kind && strcmp(kind, "id") == 0;
        if (!text || !text[0] || !kind || (!is_id && strcmp(kind, "outlier") != 0) ||
            (is_id && outliers_begun))
            return mm_error_set(
                error, MMOOD_ERROR_FORMAT,
                "label %zu of the detector needs \"label\" and \"kind\" (id or outlier, "
                "ID labels first)",
                i);
        outliers_begun = !is_id;
        detector->id_count += (size_t)is_id;
        detector->labels[i] = strdup(text);
        detector->sources[i] = strdup(source ? source : "");
        if (!detector->labels[i] || !detector->sources[i])
            return mm_error_set(error, MMOOD_ERROR_MEMORY, "no memory for the detector's labels");
        mmood_status status = mm_template_sets_read(&detector->own_templates, &detector->own[i],
                                                    json_object_get(entry, "template"), error);
        if (status != MMOOD_OK)
            return mm_error_prefix(error, status, "label %zu of the detector", i);
    }
    return detector->id_count ? MMOOD_OK : missing(error, "ID labels");
}

/* A number that files of earlier versions lack. */
static double number_or(const json_t *object, const char *key, double otherwise) {
    const json_t *value = json_object_get(object, key);
    return json_is_number(value) ? json_number_value(value) : otherwise;
}

static mmood_status read_score(mmood_detector *detector, const json_t *score, mmood_error *error) {
    detector->score = mmood_score_settings_default();
    const char *name = json_string_value(json_object_get(score, "name"));
    if (!name || !json_is_number(json_object_get(score, "temperature")) ||
        !json_is_number(json_object_get(score, "beta")))
        return missing(error, "\"score\" with name, temperature and beta");
    detector->score.temperature = json_number_value(json_object_get(score, "temperature"));
    detector->score.beta = json_number_value(json_object_get(score, "beta"));
    detector->score.lambda = number_or(score, "lambda", detector->score.lambda);
    double groups = number_or(score, "groups", detector->score.groups);
    double seed = number_or(score, "seed", detector->score.seed);
    if (!(groups >= 0 && groups <= UINT32_MAX && seed >= 0 && seed <= UINT32_MAX))
        return mm_error_set(error, MMOOD_ERROR_FORMAT,
                            "the score's groups and seed are %g and %g; whole numbers from 0 to "
                            "4294967295 are needed",
                            groups, seed);
    detector->score.groups = (uint32_t)groups;
    detector->score.seed = (uint32_t)seed;
    mmood_status status = mmood_score_parse(&detector->score.kind, name, error);
    return status == MMOOD_OK ? mm_score_check(&detector->score, error) : status;
}

/* What `what`, "labels" or "calibration pictures", were embedded in. */
static mmood_status read_precision(mmood_precision *out, const char *name, const char *what,
                                   mmood_error *error) {
    static const mmood_precision known[] = {MMOOD_PRECISION_F32, MMOOD_PRECISION_BF16,
                                            MMOOD_PRECISION_INT8};
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (strcmp(name, mmood_precision_name(known[i])) == 0) {
            *out = known[i];
            return MMOOD_OK;
        }
    return mm_error_set(error, MMOOD_ERROR_UNSUPPORTED,
                        "the detector's %s were embedded in \"%s\"; f32, bf16 and int8 are known",
                        what, name);
}

static mmood_status read_model(mmood_detector *detector, const json_t *model, mmood_error *error) {
    const char *path = json_string_value(json_object_get(model, "path"));
    const char *fingerprint = json_string_value(json_object_get(model, "fingerprint"));
    const char *precision = json_string_value(json_object_get(model, "precision"));
    const json_t *dimension = json_object_get(model, "dimension");
    if (!path || !fingerprint || strlen(fingerprint) != 64 || !precision ||
        !json_is_integer(dimension))
        return missing(error, "\"model\" with path, fingerprint, precision and dimension");
    if (json_integer_value(dimension) < 0 ||
        (size_t)json_integer_value(dimension) != detector->dimension)
        return mm_error_set(
            error, MMOOD_ERROR_FORMAT,
            "the detector's model has the dimension %lld, its embeddings have %zu numbers each",
            (long long)json_integer_value(dimension), detector->dimension);
    mmood_status status = read_precision(&detector->precision, precision, "labels", error);
    if (status != MMOOD_OK)
        return status;
    detector->model_path = strdup(path);
    detector->model_fingerprint = strdup(fingerprint);
    if (!detector->model_path || !detector->model_fingerprint)
        return mm_error_set(error, MMOOD_ERROR_MEMORY, "no memory for the detector");
    return MMOOD_OK;
}

static mmood_status read_templates(mmood_detector *detector, const json_t *templates,
                                   mmood_error *error) {
    mmood_status status = MMOOD_OK;
    for (size_t i = 0; i < detector->template_count && status == MMOOD_OK; i++) {
        const char *text = json_string_value(json_array_get(templates, i));
        if (!text)
            return missing(error, "\"templates\", a list of strings");
        status = mm_template_check(text, error);
        if (status == MMOOD_OK && !(detector->templates[i] = strdup(text)))
            status = mm_error_set(error, MMOOD_ERROR_MEMORY, "no memory for the detector");
    }
    return status;
}

static mmood_status read_embeddings(mmood_detector *detector, const mm_tensor *tensor,
                                    mmood_error *error) {
    mmood_status status =
        mm_tensor_to_f32(detector->embeddings, tensor, 0, tensor->elements, error);
    for (size_t i = 0; i < detector->count && status == MMOOD_OK; i++) {
        double squares = 0;
        for (size_t d = 0; d < detector->dimension; d++) {
            double x = (double)detector->embeddings[i * detector->dimension + d];
            squares += x * x;
        }
        if (!(fabs(sqrt(squares) - 1) < 1e-3))
            status =
                mm_error_set(error, MMOOD_ERROR_NUMERIC,
                             "the embedding of label %zu (\"%s\") has the length %g; 1 is needed: "
                             "the file is damaged",
                             i, detector->labels[i], sqrt(squares));
    }
    return status;
}

static int is_text(const json_t *object, const char *key, const char *expected) {
    const char *text = json_string_value(json_object_get(object, key));
    return text && strcmp(text, expected) == 0;
}

/* MISMATCH unless the detector is still the one that was calibrated. */
static mmood_status check_belongs(const mmood_detector *detector, const json_t *belongs,
                                  mmood_error *error) {
    const char *what = NULL;
    char labels[65], templates[65];
    json_t *score = score_to_json(&detector->score);
    mm_detector_hash_labels(labels, detector);
    mm_detector_hash_templates(templates, detector);
    if (!json_equal(score, json_object_get(belongs, "score")))
        what = "score settings";
    else if (!is_text(belongs, "labels", labels))
        what = "labels or label embeddings";
    else if (!is_text(belongs, "templates", templates))
        what = "templates";
    else if (!is_text(belongs, "model", detector->model_fingerprint))
        what = "model";
    json_decref(score);
    return what ? mm_error_set(error, MMOOD_ERROR_MISMATCH,
                               "the threshold was made with other %s than the detector has now; "
                               "build the detector again, then calibrate it",
                               what)
                : MMOOD_OK;
}

static mmood_status read_calibration(mmood_detector *detector, const json_t *document,
                                     const mm_safetensors *set, mmood_error *error) {
    const json_t *object = json_object_get(document, "calibration");
    const json_t *threshold = json_object_get(document, "threshold");
    const mm_tensor *scores = mm_safetensors_find(set, "calibration_scores");
    const mm_tensor *files = mm_safetensors_find(set, "calibration_files");
    const char *precision = json_string_value(json_object_get(object, "precision"));
    const json_t *fast = json_object_get(object, "fast_decode"); /* older files have none */
    double alpha = number_or(object, "alpha", -1);
    if (!json_is_object(object) || !json_is_number(threshold) || !precision ||
        !json_is_number(json_object_get(object, "keep")) ||
        !json_is_boolean(json_object_get(object, "orient")) || !(alpha >= 0 && alpha <= 2) ||
        (fast && !json_is_boolean(fast)))
        return missing(error, "\"threshold\" or \"calibration\" with keep, orient, alpha, "
                              "fast_decode and precision");
    if (!scores || scores->rank != 1 || scores->dtype != MM_DTYPE_F64 || scores->elements == 0 ||
        !files || files->rank != 2 || files->dtype != MM_DTYPE_U8 || files->shape[1] != 32)
        return missing(error, "the tensors \"calibration_scores\" [n] in F64 and "
                              "\"calibration_files\" [n, 32] in U8");
    mm_calibration *calibration = mm_calibration_create(scores->elements, files->shape[0]);
    if (!calibration)
        return mm_error_set(error, MMOOD_ERROR_MEMORY, "no memory for the detector");
    detector->calibration = calibration;
    memcpy(calibration->scores, scores->data, scores->elements * sizeof(double));
    memcpy(calibration->hashes, files->data, files->elements);
    mmood_calibration_info *info = &calibration->info;
    info->keep = json_number_value(json_object_get(object, "keep"));
    info->image = mmood_image_options_default();
    info->image.alpha = (mmood_alpha)(int)alpha;
    info->image.apply_orientation = json_is_true(json_object_get(object, "orient"));
    info->image.fast_decode = json_is_true(fast);
    mmood_status status =
        read_precision(&info->precision, precision, "calibration pictures", error);
    if (status == MMOOD_OK)
        status = mm_calibration_finish(calibration, error);
    if (status == MMOOD_OK && info->threshold != json_number_value(threshold))
        status = mm_error_set(error, MMOOD_ERROR_MISMATCH,
                              "the detector's threshold is %.17g, but its calibration scores give "
                              "%.17g: it was changed by hand; calibrate again",
                              json_number_value(threshold), info->threshold);
    return status == MMOOD_OK
               ? check_belongs(detector, json_object_get(object, "belongs_to"), error)
               : status;
}

static mmood_status read_all(mmood_detector **out, const json_t *document,
                             const mm_safetensors *set, mmood_error *error) {
    const mm_tensor *tensor = mm_safetensors_find(set, "embeddings");
    const json_t *labels = json_object_get(document, "labels");
    const json_t *templates = json_object_get(document, "templates");
    const json_t *threshold = json_object_get(document, "threshold");
    const char *format = json_string_value(json_object_get(document, "format"));
    if (!format || strcmp(format, format_name) != 0)
        return mm_error_set(error, MMOOD_ERROR_UNSUPPORTED,
                            "the detector's format is \"%s\"; this version of mmood reads \"%s\"",
                            format ? format : "", format_name);
    if (!tensor || tensor->rank != 2 || tensor->dtype != MM_DTYPE_F32 || tensor->elements == 0)
        return mm_error_set(error, MMOOD_ERROR_FORMAT,
                            "the tensor \"embeddings\" [labels, dimension] in F32 is missing");
    if (json_array_size(labels) != tensor->shape[0])
        return mm_error_set(error, MMOOD_ERROR_FORMAT,
                            "the detector has %zu labels but %zu embeddings",
                            json_array_size(labels), tensor->shape[0]);
    if (json_array_size(templates) == 0)
        return missing(error, "\"templates\", a list of strings");
    mmood_detector *detector =
        mm_detector_create(tensor->shape[0], 0, tensor->shape[1], json_array_size(templates));
    if (!detector)
        return mm_error_set(error, MMOOD_ERROR_MEMORY, "no memory for the detector");
    mmood_status status = read_labels(detector, labels, error);
    if (status == MMOOD_OK)
        status = read_score(detector, json_object_get(document, "score"), error);
    if (status == MMOOD_OK && detector->id_count == detector->count &&
        mmood_score_needs_outliers(detector->score.kind))
        status =
            mm_error_set(error, MMOOD_ERROR_FORMAT,
                         "the detector's score, %s, compares with outlier labels, and it has none",
                         mmood_score_name(detector->score.kind));
    if (status == MMOOD_OK)
        status = read_model(detector, json_object_get(document, "model"), error);
    if (status == MMOOD_OK)
        status = read_templates(detector, templates, error);
    if (status == MMOOD_OK)
        status = read_embeddings(detector, tensor, error);
    if (status == MMOOD_OK && threshold && !json_is_null(threshold))
        status = read_calibration(detector, document, set, error);
    if (status == MMOOD_OK)
        *out = detector;
    else
        mmood_detector_free(detector);
    /* settings that the caller could not have given are here the file's fault */
    return status == MMOOD_ERROR_ARGUMENT ? mm_error_prefix(error, MMOOD_ERROR_FORMAT, "damaged")
                                          : status;
}

static mmood_status from_tensors(mmood_detector **out, const mm_safetensors *set,
                                 mmood_error *error) {
    const char *text = mm_safetensors_metadata(set, "mmood");
    json_t *document;
    if (!text)
        return mm_error_set(
            error, MMOOD_ERROR_FORMAT,
            "this is a safetensors file but no detector: its metadata lack \"mmood\"; "
            "make one with mmood build");
    mmood_status status = mm_json_parse(&document, text, strlen(text), error);
    if (status != MMOOD_OK)
        return mm_error_prefix(error, status, "the detector's metadata");
    status = read_all(out, document, set, error);
    json_decref(document);
    return status;
}

mmood_status mmood_detector_parse(mmood_detector **out, const void *data, size_t size,
                                  mmood_error *error) {
    mm_safetensors *set;
    *out = NULL;
    mmood_status status = mm_safetensors_parse(&set, data, size, error);
    if (status == MMOOD_OK) {
        status = from_tensors(out, set, error);
        mm_safetensors_free(set);
    }
    return status;
}

/* FORMAT for a file of another kind that people give by mistake, such as labels or a picture. */
static mmood_status refuse_others(const char *path, mmood_error *error) {
    mm_map map;
    mmood_status status = mm_map_open(&map, path, error);
    if (status != MMOOD_OK)
        return status;
    const char *other = mm_safetensors_sniff(map.data, map.size);
    mm_map_close(&map);
    return other ? mm_error_set(error, MMOOD_ERROR_FORMAT, "not a detector but %s", other)
                 : MMOOD_OK;
}

mmood_status mmood_detector_open(mmood_detector **out, const char *path, mmood_error *error) {
    mm_safetensors *set;
    *out = NULL;
    mmood_status status = refuse_others(path, error);
    if (status == MMOOD_OK)
        status = mm_safetensors_open(&set, path, error);
    if (status == MMOOD_OK) {
        status = from_tensors(out, set, error);
        mm_safetensors_free(set);
    }
    return status == MMOOD_OK ? status : mm_error_prefix(error, status, "%s", path);
}
