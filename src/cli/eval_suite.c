/* eval_suite.c - from a suite to sets, labels and scores. */
#include "cli/eval_suite.h"

#include "base/buffer.h"
#include "cli/output.h"
#include "eval/dataset.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int suite_open(mm_suite *out, const char *name, const char *data) {
    mmood_error error;
    char *path = NULL;
    *out = (mm_suite){0};
    mmood_status status = mm_suite_find(&path, name, &error);
    if (status == MMOOD_OK)
        status = mm_suite_load(out, path, &error);
    free(path);
    if (status != MMOOD_OK) {
        cli_error("%s", error.message);
        return EXIT_FATAL;
    }
    mm_buffer text = {0};
    size_t missing = mm_suite_describe(&text, out, data);
    if (!data || missing > 0)
        output_flush(&text);
    mm_buffer_free(&text);
    if (!data)
        cli_error("eval --suite needs the folder that holds the data: --data DIR");
    else if (missing > 0)
        cli_error("%s: %zu of the suite's folders and lists are missing", data, missing);
    return !data ? EXIT_USAGE : missing > 0 ? EXIT_FATAL : EXIT_DONE;
}

static mmood_status copy_published(mm_evaluation *e, const mm_suite *suite) {
    e->title = strdup(suite->title);
    e->published = calloc(suite->published_count + 1, sizeof *e->published);
    int ok = e->title && e->published;
    for (size_t i = 0; i < suite->published_count && ok; i++) {
        const mm_published *from = &suite->published[i];
        mm_published *to = &e->published[e->published_count++];
        *to = (mm_published){.method = strdup(from->method),
                             .set = strdup(from->set),
                             .fpr95 = from->fpr95,
                             .auroc = from->auroc,
                             .source = strdup(from->source ? from->source : "")};
        ok = to->method && to->set && to->source;
    }
    return ok ? MMOOD_OK : MMOOD_ERROR_MEMORY;
}

static mmood_status add_pictures(mm_eval_set *set, const mm_suite *suite, size_t index,
                                 const char *data, mmood_error *error) {
    mm_suite_pictures pictures = {0};
    *set = (mm_eval_set){.name = strdup(index ? suite->sets[index].name : "id"),
                         .path = strdup(suite->sets[index].folder)};
    if (!set->name || !set->path)
        return MMOOD_ERROR_MEMORY; /* the caller's message is set */
    mmood_status status = mm_suite_pictures_list(&pictures, suite, index, data, error);
    for (size_t i = 0; i < pictures.count && status == MMOOD_OK; i++)
        status = mm_dataset_add(
            set, pictures.paths[i],
            pictures.groups[i] == SIZE_MAX ? NULL : pictures.names[pictures.groups[i]], error);
    mm_suite_pictures_free(&pictures);
    return status;
}

int suite_sets(mm_evaluation *evaluation, const mm_suite *suite, const char *data) {
    mmood_error error = {MMOOD_ERROR_MEMORY, "no memory for the suite's sets"};
    evaluation->sets = calloc(suite->set_count, sizeof *evaluation->sets);
    evaluation->fpr = suite->fpr;
    mmood_status status = evaluation->sets ? copy_published(evaluation, suite) : MMOOD_ERROR_MEMORY;
    for (size_t i = 0; i < suite->set_count && status == MMOOD_OK; i++) {
        evaluation->set_count++;
        status = add_pictures(&evaluation->sets[i], suite, i, data, &error);
    }
    return status == MMOOD_OK ? EXIT_DONE : cli_fail(&error);
}

/* The suite's ID labels, as a list. */
static mmood_status id_labels(mmood_labels **out, const mm_suite *suite, mmood_error *error) {
    mm_buffer text = {0};
    for (size_t i = 0; i < suite->sets[0].class_count; i++)
        mm_buffer_printf(&text, "%s\n", suite->sets[0].classes[i].label);
    mmood_status status =
        text.failed ? MMOOD_ERROR_MEMORY : mmood_labels_parse(out, text.data, text.size, error);
    mm_buffer_free(&text);
    return status;
}

static int build(opened_detector *out, const mm_suite *suite, const mmood_labels *id,
                 mmood_labels *const *outliers, size_t sets) {
    mmood_error error;
    mmood_detector_options options = mmood_detector_options_default();
    size_t labels = 0;
    options.templates = (const char *const *)suite->templates;
    options.template_count = suite->template_count;
    for (size_t i = 0; i < sets; i++)
        labels += mmood_labels_count(outliers[i]);
    /* the first of the suite's scores that can be computed is the detector's own */
    for (size_t i = suite->score_count; i-- > 0;)
        if (labels > 0 || !mmood_score_needs_outliers(suite->scores[i]))
            options.score.kind = suite->scores[i];
    if (mmood_detector_build(&out->detector, NULL, out->session, id,
                             (const mmood_labels *const *)outliers, sets, &options,
                             &error) != MMOOD_OK)
        return cli_fail(&error);
    mmood_detector_describe(out->detector, &out->info);
    return EXIT_DONE;
}

int suite_detector(opened_detector *out, const mm_suite *suite, const option_list *outliers,
                   const common_options *common) {
    mmood_error error;
    mmood_model_info model;
    mmood_labels *id = NULL, **sets = calloc(outliers->count + 1, sizeof *sets);
    common_options chosen = *common;
    *out = (opened_detector){0};
    if (!chosen.resample)
        chosen.resample = suite->resample == MMOOD_FILTER_BILINEAR ? "bilinear" : "bicubic";
    if (!sets) {
        cli_error("no memory for outlier labels");
        return EXIT_FATAL;
    }
    int code = common_image_options(&out->image, &chosen) ? EXIT_DONE : EXIT_USAGE;
    if (code == EXIT_DONE && id_labels(&id, suite, &error) != MMOOD_OK)
        code = cli_fail(&error);
    for (size_t i = 0; i < outliers->count && code == EXIT_DONE; i++)
        if (mmood_labels_load(&sets[i], outliers->items[i], &error) != MMOOD_OK)
            code = cli_fail(&error);
    if (code == EXIT_DONE)
        code = common_open_model(&out->model, &out->session, chosen.model, &chosen);
    if (code == EXIT_DONE) {
        mmood_model_describe(out->model, &model);
        out->precision = model.precision;
        code = build(out, suite, id, sets, outliers->count);
    }
    if (code == EXIT_DONE && out->info.outlier_count < suite->outliers)
        cli_note(common_talk(common),
                 "the suite's protocol has %zu outlier labels, here there are %zu: --outliers FILE "
                 "gives some (mmood envision makes them)",
                 suite->outliers, out->info.outlier_count);
    for (size_t i = 0; i < outliers->count; i++)
        mmood_labels_free(sets[i]);
    free(sets);
    mmood_labels_free(id);
    return code;
}

int suite_check_detector(const opened_detector *opened, const mm_suite *suite) {
    const mm_suite_set *id = &suite->sets[0];
    for (size_t i = 0; i < id->class_count; i++) {
        size_t j = 0;
        char *wanted = mm_dataset_fold(id->classes[i].label, strlen(id->classes[i].label));
        for (; j < opened->info.id_count; j++) {
            const char *label = mmood_detector_label(opened->detector, j);
            char *have = mm_dataset_fold(label, strlen(label));
            int same = wanted && have && strcmp(wanted, have) == 0;
            free(have);
            if (same)
                break;
        }
        free(wanted);
        if (j == opened->info.id_count) {
            cli_error(
                "the suite has the ID label \"%s\", the detector does not; leave the detector "
                "out and give -m MODEL, to build one for the suite",
                id->classes[i].label);
            return EXIT_FATAL;
        }
    }
    return EXIT_DONE;
}

int suite_scores(mm_score_list *out, const mm_suite *suite, const char *names,
                 const mmood_detector_info *info, cli_talk talk) {
    mm_buffer all = {0};
    for (size_t i = 0; i < suite->score_count && !names; i++) {
        if (info->outlier_count == 0 && mmood_score_needs_outliers(suite->scores[i]))
            cli_note(talk, "%s is left out: it needs outlier labels",
                     mmood_score_name(suite->scores[i]));
        else
            mm_buffer_printf(&all, "%s%s", all.size ? "," : "", mmood_score_name(suite->scores[i]));
    }
    int ok = !all.failed && scores_choose(out, names ? names : all.data, info, talk);
    mm_buffer_free(&all);
    return ok;
}
