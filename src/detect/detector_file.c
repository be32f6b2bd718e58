/* detector_file.c - the detector file: a safetensors file with the label embeddings as a tensor and
 * the rest as JSON under the metadata key "mmood". */
#include "base/error.h"
#include "base/json.h"
#include "clip/safetensors.h"
#include "detect/detector.h"
#include "detect/scores.h"
#include "detect/templates.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static const char format_name[] = "mmood-detector/1";

/* ---- Writing ------------------------------------------------------------------------------- */

static json_t *labels_to_json(const mmood_detector *detector) {
    json_t *list = json_array();
    for (size_t i = 0; list && i < detector->count; i++) {
        json_t *entry = json_pack("{s:s, s:s}", "label", detector->labels[i], "kind",
                                  i < detector->id_count ? "id" : "outlier");
        if (entry && detector->sources[i][0])
            json_object_set_new(entry, "source", json_string(detector->sources[i]));
        if (!entry || json_array_append_new(list, entry) != 0) {
            json_decref(list);
            return NULL;
        }
    }
    return list;
}

static json_t *detector_to_json(const mmood_detector *detector) {
    json_t *templates = json_array();
    for (size_t i = 0; templates && i < detector->template_count; i++)
        json_array_append_new(templates, json_string(detector->templates[i]));
    return json_pack("{s:s, s:{s:s, s:f, s:f}, s:o*, s:o*, s:{s:s, s:s, s:s, s:I}, s:n}", "format",
                     format_name, "score", "name", mmood_score_name(detector->score.kind),
                     "temperature", mm_score_temperature(&detector->score), "beta",
                     detector->score.beta, "templates", templates, "labels",
                     labels_to_json(detector), "model", "path", detector->model_path, "fingerprint",
                     detector->model_fingerprint, "precision",
                     mmood_precision_name(detector->precision), "dimension",
                     (json_int_t)detector->dimension, "threshold");
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
    mm_tensor tensor = {.name = "embeddings",
                        .dtype = MM_DTYPE_F32,
                        .rank = 2,
                        .shape = {detector->count, detector->dimension},
                        .elements = detector->count * detector->dimension,
                        .data = (const uint8_t *)detector->embeddings};
    mm_metadata metadata = {"mmood", text};
    mmood_status status = mm_safetensors_write(path, &tensor, 1, &metadata, 1, error);
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
    }
    return detector->id_count ? MMOOD_OK : missing(error, "ID labels");
}

static mmood_status read_score(mmood_detector *detector, const json_t *score, mmood_error *error) {
    const char *name = json_string_value(json_object_get(score, "name"));
    if (!name || !json_is_number(json_object_get(score, "temperature")) ||
        !json_is_number(json_object_get(score, "beta")))
        return missing(error, "\"score\" with name, temperature and beta");
    detector->score.temperature = json_number_value(json_object_get(score, "temperature"));
    detector->score.beta = json_number_value(json_object_get(score, "beta"));
    mmood_status status = mmood_score_parse(&detector->score.kind, name, error);
    return status == MMOOD_OK ? mm_score_check(&detector->score, error) : status;
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
    if (strcmp(precision, "f32") != 0 && strcmp(precision, "bf16") != 0)
        return mm_error_set(error, MMOOD_ERROR_UNSUPPORTED,
                            "the detector's labels were embedded in \"%s\"; f32 and bf16 are known",
                            precision);
    detector->model_path = strdup(path);
    detector->model_fingerprint = strdup(fingerprint);
    detector->precision =
        strcmp(precision, "bf16") == 0 ? MMOOD_PRECISION_BF16 : MMOOD_PRECISION_F32;
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

static mmood_status read_all(mmood_detector **out, const json_t *document, const mm_tensor *tensor,
                             mmood_error *error) {
    const json_t *labels = json_object_get(document, "labels");
    const json_t *templates = json_object_get(document, "templates");
    const json_t *threshold = json_object_get(document, "threshold");
    const char *format = json_string_value(json_object_get(document, "format"));
    if (!format || strcmp(format, format_name) != 0)
        return mm_error_set(error, MMOOD_ERROR_UNSUPPORTED,
                            "the detector's format is \"%s\"; this version of mmood reads \"%s\"",
                            format ? format : "", format_name);
    if (threshold && !json_is_null(threshold))
        return mm_error_set(error, MMOOD_ERROR_UNSUPPORTED,
                            "the detector has a threshold, which this version of mmood cannot use: "
                            "use a newer one, or build the detector again");
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
    if (status == MMOOD_OK)
        status = read_model(detector, json_object_get(document, "model"), error);
    if (status == MMOOD_OK)
        status = read_templates(detector, templates, error);
    if (status == MMOOD_OK)
        status = read_embeddings(detector, tensor, error);
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
    status = read_all(out, document, mm_safetensors_find(set, "embeddings"), error);
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

mmood_status mmood_detector_open(mmood_detector **out, const char *path, mmood_error *error) {
    mm_safetensors *set;
    *out = NULL;
    mmood_status status = mm_safetensors_open(&set, path, error);
    if (status == MMOOD_OK) {
        status = from_tensors(out, set, error);
        mm_safetensors_free(set);
    }
    return status == MMOOD_OK ? status : mm_error_prefix(error, status, "%s", path);
}
