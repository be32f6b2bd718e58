/* report_scores.c - one score in the HTML report: histograms, curves, and what thresholds do. */
#include "eval/report_parts.h"

#include "base/error.h"
#include "detect/calibrate.h"
#include "eval/curves.h"
#include "eval/report.h"
#include "eval/report_svg.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The scores of all sets, sorted to rise. */
typedef struct all_scores {
    double **scores; /* [count] */
    size_t *counts;
    size_t count;
} all_scores;

static void free_scores(all_scores *all) {
    for (size_t i = 0; all->scores && i < all->count; i++)
        free(all->scores[i]);
    free(all->scores);
    free(all->counts);
}

static mmood_status load_scores(all_scores *out, const mm_evaluation *evaluation, size_t score,
                                mmood_error *error) {
    size_t n = evaluation->set_count, got = 0;
    *out = (all_scores){calloc(n + 1, sizeof(double *)), calloc(n + 1, sizeof(size_t)), n};
    if (out->scores && out->counts)
        for (; got < n; got++) {
            out->scores[got] = mm_report_scores(&out->counts[got], &evaluation->sets[got], score);
            if (!out->scores[got])
                break;
            mm_scores_sort(out->scores[got], out->counts[got]);
        }
    if (got == n && out->scores && out->counts)
        return MMOOD_OK;
    free_scores(out);
    return mm_error_set(error, MMOOD_ERROR_MEMORY, "no memory for the scores of a report");
}

mmood_status mm_report_threshold(double *out, const mm_evaluation *evaluation, size_t score,
                                 mmood_error *error) {
    size_t count;
    double *scores = mm_report_scores(&count, &evaluation->sets[0], score);
    if (!scores)
        return mm_error_set(error, MMOOD_ERROR_MEMORY, "no memory for the scores of a report");
    mm_scores_sort(scores, count);
    *out = mm_conformal_threshold(scores, count, 0.95);
    free(scores);
    return MMOOD_OK;
}

static mmood_status common_range(mm_range *out, const all_scores *all, mmood_error *error) {
    size_t total = 0, at = 0;
    for (size_t i = 0; i < all->count; i++)
        total += all->counts[i];
    double *pool = malloc((total + 1) * sizeof *pool);
    if (!pool)
        return mm_error_set(error, MMOOD_ERROR_MEMORY, "no memory for the scores of a report");
    for (size_t i = 0; i < all->count; i++) {
        if (all->counts[i] > 0)
            memcpy(pool + at, all->scores[i], all->counts[i] * sizeof *pool);
        at += all->counts[i];
    }
    mmood_status status = mm_range_robust(out, pool, total, error);
    free(pool);
    return status;
}

static mmood_status histograms(mm_buffer *out, const mm_evaluation *evaluation,
                               const all_scores *all, mmood_error *error) {
    mm_range range;
    double id[MM_SVG_BINS], ood[MM_SVG_BINS];
    double threshold = mm_conformal_threshold(all->scores[0], all->counts[0], 0.95);
    mmood_status status = common_range(&range, all, error);
    if (status != MMOOD_OK)
        return status;
    mm_histogram(id, MM_SVG_BINS, &range, all->scores[0], all->counts[0]);
    mm_buffer_puts(out, "<div class=\"charts\">\n");
    for (size_t i = 1; i < all->count; i++) {
        mm_buffer title = {0};
        const char *name = evaluation->sets[i].name;
        mm_histogram(ood, MM_SVG_BINS, &range, all->scores[i], all->counts[i]);
        mm_buffer_printf(&title, "Histogram of the scores of ID and %s", name);
        mm_buffer_puts(out, "<figure>");
        mm_svg_histogram(out, &range, id, ood, threshold, title.data ? title.data : "");
        mm_buffer_free(&title);
        mm_buffer_printf(out,
                         "<figcaption><span class=\"key id\"></span>ID (%zu) &nbsp; <span "
                         "class=\"key ood\"></span>",
                         all->counts[0]);
        mm_html_text(out, name);
        mm_buffer_printf(out, " (%zu)</figcaption></figure>\n", all->counts[i]);
    }
    mm_buffer_puts(out, "</div>\n<p class=\"soft\">Height: the share of a set&#39;s pictures in a "
                        "bar; higher scores mean ID. The outermost bars also hold what lies "
                        "beyond.");
    if (!isnan(threshold))
        mm_buffer_printf(out, " The dashed upright line, %.9g, keeps 95 %% of ID.", threshold);
    mm_buffer_puts(out, "</p>\n");
    return MMOOD_OK;
}

/* A chart with one curve for every set that has both classes, and its legend. */
static void curves_figure(mm_buffer *out, const mm_evaluation *evaluation, size_t score,
                          const mm_curve *curves, const size_t *sets, size_t count, int roc) {
    static const mm_svg_axes axes[] = {
        {"ID kept: recall, %", "ID among what is kept: precision, %", 0},
        {"OOD taken for ID, %", "ID kept, %", 1}};
    const char *title = roc ? "ROC curves" : "Precision-recall curves, ID as the positive class";
    mm_buffer_puts(out, "<figure class=\"square\">");
    mm_svg_curves(out, curves, count, &axes[roc], title);
    mm_buffer_printf(out, "<figcaption>%s<ul>", title);
    for (size_t i = 0; i < count; i++) {
        const mm_metrics *m = &mm_report_result(evaluation, score, sets[i])->value;
        mm_buffer_puts(out, "<li>");
        mm_svg_swatch(out, i);
        mm_html_text(out, evaluation->sets[sets[i]].name);
        mm_buffer_puts(out, roc ? ": AUROC " : ": AUPR-in ");
        mm_html_share(out, roc ? m->auroc : m->aupr_in);
        mm_buffer_puts(out, " %</li>");
    }
    mm_buffer_puts(out, "</ul></figcaption></figure>\n");
}

static mmood_status curves(mm_buffer *out, const mm_evaluation *evaluation, size_t score,
                           const all_scores *all, mmood_error *error) {
    mm_curve *roc = calloc(2 * all->count + 1, sizeof *roc), *precision;
    size_t *sets = calloc(all->count + 1, sizeof *sets), count = 0;
    mmood_status status = MMOOD_OK;
    if (!roc || !sets)
        status = mm_error_set(error, MMOOD_ERROR_MEMORY, "no memory for the curves of a report");
    precision = roc ? roc + all->count : NULL;
    for (size_t i = 1; i < all->count && status == MMOOD_OK; i++) {
        if (all->counts[0] == 0 || all->counts[i] == 0)
            continue;
        status = mm_curves_compute(&roc[count], &precision[count], all->scores[0], all->counts[0],
                                   all->scores[i], all->counts[i], error);
        sets[count++] = i;
    }
    if (status == MMOOD_OK && count > 0) {
        mm_buffer_puts(out, "<div class=\"charts\">\n");
        curves_figure(out, evaluation, score, roc, sets, count, 1);
        curves_figure(out, evaluation, score, precision, sets, count, 0);
        mm_buffer_puts(out, "</div>\n");
    }
    free(roc);
    free(sets);
    return status;
}

static void thresholds(mm_buffer *out, const mm_evaluation *evaluation, const all_scores *all) {
    static const double rates[] = {0.80, 0.85, 0.90, 0.925, 0.95, 0.97, 0.98, 0.99};
    mm_buffer_puts(out, "<h3>What a threshold would do</h3>\n<p class=\"soft\">Thresholds as a "
                        "calibration on these ID scores would choose them (split conformal), and "
                        "the share of every OOD set that would be flagged, in per cent. Choose a "
                        "threshold on other pictures than those you report.</p>\n<div "
                        "class=\"wide\" tabindex=\"0\"><table><thead><tr><th class=\"n\" "
                        "scope=\"col\">ID to keep</th><th class=\"n\" scope=\"col\">threshold"
                        "</th><th class=\"n\" scope=\"col\">ID kept here</th>");
    for (size_t i = 1; i < all->count; i++) {
        mm_buffer_puts(out, "<th class=\"n\" scope=\"col\">");
        mm_html_text(out, evaluation->sets[i].name);
        mm_buffer_puts(out, " flagged</th>");
    }
    mm_buffer_puts(out, "</tr></thead><tbody>\n");
    for (size_t r = 0; r < sizeof rates / sizeof *rates; r++) {
        double t = mm_conformal_threshold(all->scores[0], all->counts[0], rates[r]);
        mm_buffer_printf(out, "<tr><th class=\"n\" scope=\"row\">%.1f</th>", 100 * rates[r]);
        if (isnan(t)) {
            mm_buffer_printf(out, "<td colspan=\"%zu\">needs at least %.0f ID pictures</td></tr>\n",
                             all->count + 1, mm_calibration_least(rates[r]));
            continue;
        }
        mm_buffer_printf(out, "<td class=\"n\">%.9g</td><td class=\"n\">", t);
        mm_html_share(out, mm_share_reaching(all->scores[0], all->counts[0], t));
        mm_buffer_puts(out, "</td>");
        for (size_t i = 1; i < all->count; i++) {
            mm_buffer_puts(out, "<td class=\"n\">");
            mm_html_share(out, 1 - mm_share_reaching(all->scores[i], all->counts[i], t));
            mm_buffer_puts(out, "</td>");
        }
        mm_buffer_puts(out, "</tr>\n");
    }
    mm_buffer_puts(out, "</tbody></table></div>\n");
}

mmood_status mm_report_score_part(mm_buffer *out, const mm_evaluation *evaluation, size_t score,
                                  mmood_error *error) {
    all_scores all;
    mmood_status status = load_scores(&all, evaluation, score, error);
    if (status != MMOOD_OK)
        return status;
    status = histograms(out, evaluation, &all, error);
    if (status == MMOOD_OK)
        status = curves(out, evaluation, score, &all, error);
    if (status == MMOOD_OK)
        thresholds(out, evaluation, &all);
    free_scores(&all);
    return status;
}
