/* verdicts.c - rows of results in three formats. */
#include "cli/verdicts.h"

#include "base/error.h"
#include "cli/output.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

int verdict_writer_open(verdict_writer *writer, const mmood_detector *detector) {
    writer->detector = detector;
    mmood_detector_describe(detector, &writer->info);
    size_t labels = writer->info.id_count + writer->info.outlier_count;
    if (writer->top > labels)
        writer->top = labels;
    writer->cosines = calloc(labels, sizeof *writer->cosines);
    writer->matches = calloc(writer->top + 1, sizeof *writer->matches);
    return writer->cosines && writer->matches;
}

void verdict_writer_close(verdict_writer *writer) {
    free(writer->cosines);
    free(writer->matches);
    mm_buffer_free(&writer->out);
}

/* All there is to say of one picture. */
typedef struct row {
    const char *path;
    const char *failure;
    mmood_verdict verdict;
    const char *label;
    const char *outlier;
    double scores[VERDICT_MAX_SCORES];
    size_t top;
} row;

static const char *kind_of(const verdict_writer *w, size_t label) {
    return label < w->info.id_count ? "id" : "outlier";
}

/* "id" or "ood"; NULL for a picture that failed. */
static const char *verdict_of(const row *r) {
    return r->failure ? NULL : r->verdict.is_id ? "id" : "ood";
}

/* "true" or "false"; NULL for a picture that failed. */
static const char *calibrated_of(const row *r) {
    return r->failure ? NULL : r->verdict.calibrated ? "true" : "false";
}

static void write_json(verdict_writer *w, const row *r) {
    mm_buffer *out = &w->out;
    mm_buffer_puts(out, "{");
    mm_json_path(out, r->path);
    mm_buffer_puts(out, ",\"verdict\":");
    mm_json_text(out, verdict_of(r));
    mm_buffer_printf(out,
                     ",\"calibrated\":%s,\"score\":", calibrated_of(r) ? calibrated_of(r) : "null");
    mm_json_number(out, r->verdict.score);
    mm_buffer_puts(out, ",\"threshold\":");
    mm_json_exact(out, r->verdict.threshold);
    mm_buffer_puts(out, ",\"p_value\":");
    mm_json_number(out, r->verdict.p_value);
    mm_buffer_puts(out, ",\"label\":");
    mm_json_text(out, r->label);
    mm_buffer_puts(out, ",\"outlier\":");
    mm_json_text(out, r->outlier);
    mm_buffer_puts(out, ",\"top\":");
    mm_buffer_puts(out, r->failure ? "null" : "[");
    for (size_t i = 0; i < r->top && !r->failure; i++) {
        const mmood_match *match = &w->matches[i];
        mm_buffer_puts(out, i ? ",{\"label\":" : "{\"label\":");
        mm_json_text(out, mmood_detector_label(w->detector, match->label));
        mm_buffer_printf(out, ",\"kind\":\"%s\",\"cosine\":", kind_of(w, match->label));
        mm_json_number(out, match->cosine);
        mm_buffer_puts(out, ",\"probability\":");
        mm_json_number(out, match->probability);
        mm_buffer_puts(out, "}");
    }
    mm_buffer_puts(out, r->failure ? "" : "]");
    if (w->score_count) {
        mm_buffer_puts(out, ",\"scores\":{");
        for (size_t i = 0; i < w->score_count; i++) {
            mm_buffer_printf(out, "%s\"%s\":", i ? "," : "", mmood_score_name(w->scores[i]));
            mm_json_number(out, r->scores[i]);
        }
        mm_buffer_puts(out, "}");
    }
    mm_buffer_puts(out, ",\"error\":");
    mm_json_text(out, r->failure);
    mm_buffer_puts(out, "}\n");
}

static void write_csv(verdict_writer *w, const row *r) {
    mm_buffer *out = &w->out;
    mm_csv_text(out, r->path);
    mm_buffer_puts(out, ",");
    mm_csv_text(out, verdict_of(r));
    mm_buffer_puts(out, ",");
    mm_csv_text(out, calibrated_of(r));
    mm_buffer_puts(out, ",");
    mm_csv_number(out, r->verdict.score);
    mm_buffer_puts(out, ",");
    mm_csv_number(out, r->verdict.threshold);
    mm_buffer_puts(out, ",");
    mm_csv_number(out, r->verdict.p_value);
    mm_buffer_puts(out, ",");
    mm_csv_text(out, r->label);
    mm_buffer_puts(out, ",");
    mm_csv_text(out, r->outlier);
    for (size_t i = 0; i < w->score_count; i++) {
        mm_buffer_puts(out, ",");
        mm_csv_number(out, r->scores[i]);
    }
    mm_buffer_puts(out, ",");
    mm_csv_text(out, r->failure);
    mm_buffer_puts(out, "\n");
}

enum { PATH_WIDTH = 36 };

/* A path in PATH_WIDTH columns: of a long one the end, which tells pictures apart. */
static void table_path(mm_buffer *out, const char *path) {
    size_t length = strlen(path), from = length > PATH_WIDTH ? length - PATH_WIDTH : 0;
    while (from > 0 && ((unsigned char)path[from] & 0xc0) == 0x80)
        from++; /* not inside a character */
    mm_table_text(out, path + from, PATH_WIDTH);
}

static void write_table(verdict_writer *w, const row *r) {
    mm_buffer *out = &w->out;
    if (r->failure) {
        mm_buffer_printf(out, "%-7s  %-14s  ", "error", "-");
        table_path(out, r->path);
        mm_buffer_printf(out, "  %s\n", r->failure);
        return;
    }
    mm_buffer_printf(out, "%-7s  %-14.9g  ", r->verdict.is_id ? "ID" : "OOD", r->verdict.score);
    table_path(out, r->path);
    for (size_t i = 0; i < w->score_count; i++)
        mm_buffer_printf(out, "  %-14.9g", r->scores[i]);
    for (size_t i = 0; i < r->top; i++)
        mm_buffer_printf(out, "  %s%s %.3f", mmood_detector_label(w->detector, w->matches[i].label),
                         w->matches[i].label < w->info.id_count ? "" : " (outlier)",
                         w->matches[i].cosine);
    mm_buffer_puts(out, "\n");
}

void verdict_begin(verdict_writer *w) {
    if (w->format == VERDICT_CSV) {
        mm_buffer_puts(&w->out, "path,verdict,calibrated,score,threshold,p_value,label,outlier");
        for (size_t i = 0; i < w->score_count; i++)
            mm_buffer_printf(&w->out, ",%s", mmood_score_name(w->scores[i]));
        mm_buffer_puts(&w->out, ",error\n");
    } else if (w->format == VERDICT_TABLE) {
        mm_buffer_printf(&w->out, "%-7s  %-14s  %-*s", "verdict",
                         mmood_score_name(w->info.score.kind), (int)PATH_WIDTH, "picture");
        for (size_t i = 0; i < w->score_count; i++)
            mm_buffer_printf(&w->out, "  %-14s", mmood_score_name(w->scores[i]));
        mm_buffer_puts(&w->out, w->top ? "  most similar labels, with cosines\n" : "\n");
    }
    output_flush(&w->out);
}

mmood_status verdict_write(verdict_writer *w, const char *path, const float *embedding,
                           const char *failure, mmood_error *error) {
    row r = {.path = path, .failure = failure, .top = w->top};
    r.verdict.score = r.verdict.threshold = r.verdict.p_value = NAN;
    mmood_status status = MMOOD_OK;
    for (size_t i = 0; i < w->score_count; i++)
        r.scores[i] = NAN;
    if (!failure) {
        status = mmood_detector_cosines(w->cosines, w->detector, embedding, error);
        if (status == MMOOD_OK)
            status = mmood_detector_judge(&r.verdict, w->detector, w->cosines, NULL, error);
        if (status == MMOOD_OK)
            status = mmood_detector_rank(w->matches, &r.top, w->detector, w->cosines, error);
        for (size_t i = 0; i < w->score_count && status == MMOOD_OK; i++) {
            mmood_score_settings settings = {w->scores[i], 0, w->info.score.beta};
            if (w->scores[i] == w->info.score.kind)
                settings = w->info.score; /* the column then equals "score" */
            status = mmood_score_compute(&r.scores[i], w->cosines, w->info.id_count,
                                         w->info.outlier_count, &settings, error);
        }
        if (status != MMOOD_OK)
            return status;
        r.label = mmood_detector_label(w->detector, r.verdict.label);
        if (r.verdict.outlier != SIZE_MAX)
            r.outlier = mmood_detector_label(w->detector, r.verdict.outlier);
    }
    if (w->format == VERDICT_JSON)
        write_json(w, &r);
    else if (w->format == VERDICT_CSV)
        write_csv(w, &r);
    else
        write_table(w, &r);
    if (w->out.failed)
        return mm_error_set(error, MMOOD_ERROR_MEMORY, "no memory for a row of results");
    output_flush(&w->out);
    return MMOOD_OK;
}
