/* verdicts.c - rows of results in three formats. */
#include "cli/verdicts.h"

#include "base/text.h"
#include "cli/output.h"

#include <math.h>
#include <string.h>

/* "id" or "ood"; NULL for a picture that failed. */
static const char *verdict_of(const mm_row *r) {
    return r->failure ? NULL : r->verdict.is_id ? "id" : "ood";
}

/* "true" or "false"; NULL for a picture that failed. */
static const char *calibrated_of(const mm_row *r) {
    return r->failure ? NULL : r->verdict.calibrated ? "true" : "false";
}

static const char *label_of(const verdict_writer *w, const mm_row *r) {
    return r->failure ? NULL : mmood_detector_label(w->detector, r->verdict.label);
}

static const char *outlier_of(const verdict_writer *w, const mm_row *r) {
    return r->failure || r->verdict.outlier == SIZE_MAX
               ? NULL
               : mmood_detector_label(w->detector, r->verdict.outlier);
}

/* A number of a picture, NaN if it failed. */
static double value_of(const mm_row *r, double value) {
    return r->failure ? NAN : value;
}

static void write_json(verdict_writer *w, const mm_row *r) {
    const mm_row_style style = {.detector = w->detector,
                                .scores = w->scores->settings,
                                .score_count = w->scores->count,
                                .top = w->top,
                                .fdr = w->fdr};
    mm_buffer_puts(&w->out, "{");
    mm_json_path(&w->out, r->path);
    mm_buffer_puts(&w->out, ",");
    mm_row_members(&w->out, &style, r);
    mm_buffer_puts(&w->out, "}\n");
}

static void write_csv(verdict_writer *w, const mm_row *r) {
    mm_buffer *out = &w->out;
    mm_csv_text(out, r->path);
    mm_buffer_puts(out, ",");
    mm_csv_text(out, verdict_of(r));
    mm_buffer_puts(out, ",");
    mm_csv_text(out, calibrated_of(r));
    mm_buffer_puts(out, ",");
    mm_csv_number(out, value_of(r, r->verdict.score));
    mm_buffer_puts(out, ",");
    mm_csv_number(out, value_of(r, r->verdict.threshold));
    mm_buffer_puts(out, ",");
    mm_csv_number(out, value_of(r, r->verdict.p_value));
    mm_buffer_puts(out, ",");
    mm_csv_text(out, label_of(w, r));
    mm_buffer_puts(out, ",");
    mm_csv_text(out, outlier_of(w, r));
    for (size_t i = 0; i < w->scores->count; i++) {
        mm_buffer_puts(out, ",");
        mm_csv_number(out, r->failure ? NAN : r->scores[i]);
    }
    mm_buffer_puts(out, ",");
    mm_csv_text(out, r->failure);
    mm_buffer_puts(out, "\n");
}

/* ---- The table ----------------------------------------------------------------------------- */

/* A path in its column: of a long one the end, which tells pictures apart, behind dots. */
static void table_path(const verdict_writer *w, mm_buffer *out, const char *path) {
    size_t width = w->path_width, columns = mm_table_width(path), taken = 0;
    if (columns > width) {
        taken = mm_table_width(w->dots);
        mm_buffer_puts(out, w->dots);
        path += mm_table_skip(path, columns - (width - taken));
    }
    mm_table_text(out, path, width - taken);
}

/* "'wolf' (outlier, near branch, from 'husky': 0.31)", or "'dog' (0.31)" for an ID label. */
static void put_label(const verdict_writer *w, mm_buffer *out, size_t label, double cosine) {
    const char *source = mmood_detector_source(w->detector, label);
    mm_buffer_printf(out, "'%s' (", mmood_detector_label(w->detector, label));
    if (label >= w->info.id_count)
        mm_buffer_printf(out, "outlier%s%s: ", source[0] ? ", " : "", source);
    mm_buffer_printf(out, "%.3f)", cosine);
}

/* Why the verdict is what it is, in words. */
static void put_reason(verdict_writer *w, const mmood_verdict *v) {
    mm_buffer *out = &w->out;
    int outlier_wins = v->outlier != SIZE_MAX && v->outlier_cosine > v->label_cosine;
    if (outlier_wins) {
        mm_buffer_puts(out, "looks more like ");
        put_label(w, out, v->outlier, v->outlier_cosine);
        mm_buffer_puts(out, " than any ID label; the nearest is ");
    } else {
        mm_buffer_puts(out, "looks most like ");
    }
    put_label(w, out, v->label, v->label_cosine);
    if (!outlier_wins && v->outlier != SIZE_MAX) {
        mm_buffer_puts(out, ", ahead of ");
        put_label(w, out, v->outlier, v->outlier_cosine);
    }
    if (!v->calibrated)
        return;
    mm_buffer_printf(out, "; %.3g %% of in-distribution pictures score as low", 100 * v->p_value);
    if (outlier_wins == v->is_id)
        mm_buffer_printf(out, ", %s", v->is_id ? "which is enough" : "which is too few");
}

static void write_table(verdict_writer *w, const mm_row *r) {
    mm_buffer *out = &w->out;
    if (r->failure) {
        mm_buffer_printf(out, "%-7s  %-14s  ", "error", "-");
        table_path(w, out, r->path);
        mm_buffer_printf(out, "  %s\n", r->failure);
        return;
    }
    mm_buffer_printf(out, "%-7s  %-14.9g  ", r->verdict.is_id ? "ID" : "OOD", r->verdict.score);
    table_path(w, out, r->path);
    for (size_t i = 0; i < w->scores->count; i++)
        mm_buffer_printf(out, "  %-14.9g", r->scores[i]);
    mm_buffer_puts(out, "  ");
    put_reason(w, &r->verdict);
    for (size_t i = 0; i < w->top; i++)
        mm_buffer_printf(out, "%s%s%s %.3f", i ? ", " : " [",
                         mmood_detector_label(w->detector, r->top[i].label),
                         r->top[i].label < w->info.id_count ? "" : " (outlier)", r->top[i].cosine);
    mm_buffer_puts(out, w->top ? "]\n" : "\n");
}

size_t verdict_path_width(char *const *paths, size_t count, size_t terminal) {
    enum { DEFAULT = 36, LEAST = 16 };
    size_t longest = LEAST, width = terminal > 0 ? terminal / 3 : DEFAULT;
    if (terminal == 0)
        return width;
    for (size_t i = 0; i < count && longest < width; i++) {
        size_t columns = mm_table_width(paths[i]);
        longest = columns > longest ? columns : longest;
    }
    return longest < width || width < LEAST ? longest : width;
}

void verdict_begin(verdict_writer *w) {
    if (w->format == VERDICT_CSV) {
        mm_buffer_puts(&w->out, "path,verdict,calibrated,score,threshold,p_value,label,outlier");
        for (size_t i = 0; i < w->scores->count; i++)
            mm_buffer_printf(&w->out, ",%s", mmood_score_name(w->scores->settings[i].kind));
        mm_buffer_puts(&w->out, ",error\n");
    } else if (w->format == VERDICT_TABLE) {
        mm_buffer_printf(&w->out, "%-7s  %-14s  %-*s", "verdict",
                         mmood_score_name(w->info.score.kind), (int)w->path_width, "picture");
        for (size_t i = 0; i < w->scores->count; i++)
            mm_buffer_printf(&w->out, "  %-14s", mmood_score_name(w->scores->settings[i].kind));
        mm_buffer_printf(&w->out, "  why (cosines)%s\n", w->top ? " [most similar labels]" : "");
    }
    output_flush(&w->out);
}

int verdict_write(verdict_writer *w, const mm_row *row) {
    if (w->format == VERDICT_JSON)
        write_json(w, row);
    else if (w->format == VERDICT_CSV)
        write_csv(w, row);
    else
        write_table(w, row);
    int ok = !w->out.failed;
    output_flush(&w->out);
    return ok;
}
