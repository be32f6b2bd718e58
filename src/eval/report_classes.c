/* report_classes.c - the HTML report by class and by label: which ID classes are mixed up, which
 * OOD classes pass for ID, which outlier labels fire. */
#include "eval/report_parts.h"

#include "base/error.h"
#include "eval/report.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { ROWS_SHOWN = 20, LABELS_SHOWN = 15 };

static mmood_status no_memory(mmood_error *error) {
    return mm_error_set(error, MMOOD_ERROR_MEMORY, "no memory for the classes of a report");
}

/* ---- Classes ------------------------------------------------------------------------------- */

/* A class: how many of its pictures are hits (ID: the right label; OOD: taken for ID), and the
 * label that the others (ID) or those (OOD) get most often. */
typedef struct class_row {
    const char *name;
    const char *set;
    size_t count;
    size_t hits;
    double share; /* NaN if it has no meaning */
    size_t label; /* SIZE_MAX: none */
    size_t label_count;
} class_row;

/* A picture's row and the label it gets. */
typedef struct vote {
    size_t row;
    size_t label;
} vote;

static int by_row_and_label(const void *a, const void *b) {
    const vote *x = a, *y = b;
    if (x->row != y->row)
        return x->row < y->row ? -1 : 1;
    return (x->label > y->label) - (x->label < y->label);
}

/* Counts runs of equal votes and keeps the longest of every row. */
static void count_votes(class_row *rows, vote *votes, size_t count) {
    if (count > 0)
        qsort(votes, count, sizeof *votes, by_row_and_label);
    for (size_t begin = 0, end; begin < count; begin = end) {
        for (end = begin; end < count && by_row_and_label(&votes[begin], &votes[end]) == 0;)
            end++;
        class_row *row = &rows[votes[begin].row];
        if (end - begin > row->label_count) {
            row->label = votes[begin].label;
            row->label_count = end - begin;
        }
    }
}

/* Shares from low to high, then names as they come; what has no share last. */
static int by_share(const void *a, const void *b) {
    const class_row *x = a, *y = b;
    if (isnan(x->share) || isnan(y->share))
        return isnan(x->share) - isnan(y->share);
    if (x->share != y->share)
        return x->share < y->share ? -1 : 1;
    return strcmp(x->name, y->name);
}

static int by_falling_share(const void *a, const void *b) {
    const class_row *x = a, *y = b;
    if (isnan(x->share) || isnan(y->share) || x->share == y->share)
        return by_share(a, b);
    return -by_share(a, b);
}

/* Rows for the classes of a set: one for all its pictures if it has none. */
static size_t add_rows(class_row *rows, const mm_eval_set *set) {
    size_t count = set->group_count ? set->group_count : 1;
    for (size_t i = 0; i < count; i++)
        rows[i] = (class_row){.name = set->group_count ? set->groups[i].name : "all",
                              .set = set->name,
                              .label = SIZE_MAX};
    return count;
}

static void id_rows(class_row *rows, vote *votes, const mm_eval_set *set) {
    size_t count = 0;
    for (size_t i = 0; i < set->count; i++) {
        const mm_eval_item *item = &set->items[i];
        if (item->error || item->group >= set->group_count)
            continue;
        rows[item->group].count++;
        if (item->label == set->groups[item->group].label)
            rows[item->group].hits++;
        else
            votes[count++] = (vote){item->group, item->label};
    }
    count_votes(rows, votes, count);
    for (size_t i = 0; i < set->group_count; i++)
        rows[i].share = set->groups[i].label != SIZE_MAX && rows[i].count > 0
                            ? (double)rows[i].hits / (double)rows[i].count
                            : NAN;
}

static void ood_rows(class_row *rows, vote *votes, const mm_eval_set *set, size_t score,
                     double threshold) {
    size_t count = 0, row_count = set->group_count ? set->group_count : 1;
    for (size_t i = 0; i < set->count; i++) {
        const mm_eval_item *item = &set->items[i];
        size_t row = set->group_count ? item->group : 0;
        if (item->error || row >= row_count)
            continue;
        rows[row].count++;
        if (!(item->scores[score] >= threshold))
            continue;
        rows[row].hits++;
        votes[count++] = (vote){row, item->label};
    }
    count_votes(rows, votes, count);
    for (size_t i = 0; i < row_count; i++)
        rows[i].share = rows[i].count > 0 ? (double)rows[i].hits / (double)rows[i].count : NAN;
}

static void class_line(mm_buffer *out, const mm_evaluation *evaluation, const class_row *row,
                       int with_set) {
    mm_buffer_puts(out, "<tr><th scope=\"row\">");
    mm_html_text(out, row->name);
    mm_buffer_puts(out, "</th>");
    if (with_set) {
        mm_buffer_puts(out, "<td>");
        mm_html_text(out, row->set);
        mm_buffer_puts(out, "</td>");
    }
    mm_buffer_printf(out, "<td class=\"n\">%zu</td><td class=\"n\">", row->count);
    mm_html_share(out, row->share);
    mm_buffer_puts(out, "</td><td>");
    if (row->label != SIZE_MAX) {
        mm_html_text(out, mm_html_label(evaluation, row->label));
        mm_buffer_printf(out, " (%zu)", row->label_count);
    }
    mm_buffer_puts(out, "</td></tr>\n");
}

/* Tables of `rows`: the first ones open, the rest to be opened. */
static void class_table(mm_buffer *out, const mm_evaluation *evaluation, const class_row *rows,
                        size_t count, int ood) {
    for (size_t begin = 0, end; begin < count; begin = end) {
        end = begin == 0 && count > ROWS_SHOWN ? ROWS_SHOWN : count;
        if (begin > 0)
            mm_buffer_printf(out, "<details><summary>%zu more classes</summary>\n", count - begin);
        mm_buffer_printf(out,
                         "<div class=\"wide\" tabindex=\"0\"><table><thead><tr><th scope=\"col\">"
                         "class</th>%s<th class=\"n\" scope=\"col\">pictures</th><th class=\"n\" "
                         "scope=\"col\">%s</th><th scope=\"col\">%s</th></tr></thead><tbody>\n",
                         ood ? "<th scope=\"col\">set</th>" : "",
                         ood ? "taken for ID, %" : "accuracy, %",
                         ood ? "most often for" : "most often wrongly");
        for (size_t i = begin; i < end; i++)
            class_line(out, evaluation, &rows[i], ood);
        mm_buffer_puts(out, "</tbody></table></div>\n");
        if (begin > 0)
            mm_buffer_puts(out, "</details>\n");
    }
}

static void id_classes(mm_buffer *out, const mm_evaluation *evaluation, class_row *rows,
                       vote *votes) {
    const mm_eval_set *set = &evaluation->sets[0];
    mm_buffer_puts(out, "<h3>ID classes, the least accurate first</h3>\n");
    if (set->group_count == 0) {
        mm_buffer_puts(out, "<p>The ID pictures are in no class folders.</p>\n");
        return;
    }
    size_t count = add_rows(rows, set);
    id_rows(rows, votes, set);
    qsort(rows, count, sizeof *rows, by_share);
    class_table(out, evaluation, rows, count, 0);
}

static void ood_classes(mm_buffer *out, const mm_evaluation *evaluation, class_row *rows,
                        vote *votes, double threshold) {
    size_t count = 0;
    mm_buffer_puts(out, "<h3>OOD classes, the most mistaken first</h3>\n");
    if (isnan(threshold)) {
        mm_buffer_puts(out, "<p>Fewer than 19 ID pictures give no threshold that keeps 95 % of "
                            "ID.</p>\n");
        return;
    }
    mm_buffer_printf(out,
                     "<p class=\"soft\">At the threshold %.9g of the detector&#39;s own "
                     "score, which keeps 95 %% of ID.</p>\n",
                     threshold);
    for (size_t i = 1; i < evaluation->set_count; i++) {
        size_t more = add_rows(rows + count, &evaluation->sets[i]);
        ood_rows(rows + count, votes, &evaluation->sets[i], evaluation->own, threshold);
        count += more;
    }
    if (count > 0)
        qsort(rows, count, sizeof *rows, by_falling_share);
    class_table(out, evaluation, rows, count, 1);
}

mmood_status mm_report_classes_part(mm_buffer *out, const mm_evaluation *evaluation,
                                    mmood_error *error) {
    size_t rows_needed = 1, votes_needed = 1;
    double threshold;
    for (size_t i = 0; i < evaluation->set_count; i++) {
        rows_needed += evaluation->sets[i].group_count + 1;
        votes_needed += evaluation->sets[i].count;
    }
    mmood_status status = mm_report_threshold(&threshold, evaluation, evaluation->own, error);
    if (status != MMOOD_OK)
        return status;
    class_row *rows = malloc(rows_needed * sizeof *rows);
    vote *votes = malloc(votes_needed * sizeof *votes);
    if (rows && votes) {
        mm_buffer_puts(out, "<h2 id=\"classes\">Classes</h2>\n");
        id_classes(out, evaluation, rows, votes);
        ood_classes(out, evaluation, rows, votes, threshold);
    } else {
        status = no_memory(error);
    }
    free(rows);
    free(votes);
    return status;
}

/* ---- Outlier labels ------------------------------------------------------------------------ */

typedef struct firing {
    size_t label;
    size_t id;
    size_t ood;
} firing;

static int by_ood(const void *a, const void *b) {
    const firing *x = a, *y = b;
    if (x->ood != y->ood)
        return x->ood > y->ood ? -1 : 1;
    return (x->label > y->label) - (x->label < y->label);
}

static int by_id(const void *a, const void *b) {
    const firing *x = a, *y = b;
    if (x->id != y->id)
        return x->id > y->id ? -1 : 1;
    return (x->label > y->label) - (x->label < y->label);
}

static void count_firings(firing *firings, size_t first, size_t count,
                          const mm_evaluation *evaluation) {
    for (size_t i = 0; i < count; i++)
        firings[i] = (firing){first + i, 0, 0};
    for (size_t i = 0; i < evaluation->set_count; i++)
        for (size_t k = 0; k < evaluation->sets[i].count; k++) {
            const mm_eval_item *item = &evaluation->sets[i].items[k];
            if (item->error || item->outlier < first || item->outlier - first >= count ||
                !(item->outlier_cosine > item->label_cosine))
                continue;
            firing *f = &firings[item->outlier - first];
            *(i ? &f->ood : &f->id) += 1;
        }
}

static void firing_table(mm_buffer *out, const mm_evaluation *evaluation, const firing *firings,
                         size_t count, int ood) {
    mm_buffer_printf(
        out,
        "<h3>Most often on %s</h3>\n<div class=\"wide\" tabindex=\"0\"><table><thead><tr>"
        "<th scope=\"col\">outlier label</th><th scope=\"col\">from</th><th class=\"n\" "
        "scope=\"col\">OOD pictures</th><th class=\"n\" scope=\"col\">ID pictures</th></tr>"
        "</thead><tbody>\n",
        ood ? "OOD, as is wanted" : "ID, as is not wanted");
    for (size_t i = 0; i < count && i < LABELS_SHOWN; i++) {
        if ((ood ? firings[i].ood : firings[i].id) == 0) {
            if (i == 0)
                mm_buffer_puts(out, "<tr><td colspan=\"4\">none</td></tr>\n");
            break;
        }
        mm_buffer_puts(out, "<tr><th scope=\"row\">");
        mm_html_text(out, mm_html_label(evaluation, firings[i].label));
        mm_buffer_puts(out, "</th><td>");
        mm_html_text(out, mmood_detector_source(evaluation->detector, firings[i].label));
        mm_buffer_printf(out, "</td><td class=\"n\">%zu</td><td class=\"n\">%zu</td></tr>\n",
                         firings[i].ood, firings[i].id);
    }
    mm_buffer_puts(out, "</tbody></table></div>\n");
}

mmood_status mm_report_outliers_part(mm_buffer *out, const mm_evaluation *evaluation,
                                     mmood_error *error) {
    mmood_detector_info info = {0};
    mm_buffer_puts(out, "<h2 id=\"outliers\">Outlier labels that fire</h2>\n");
    if (evaluation->detector)
        mmood_detector_describe(evaluation->detector, &info);
    if (info.outlier_count == 0) {
        mm_buffer_puts(out, "<p>The detector has no outlier labels.</p>\n");
        return MMOOD_OK;
    }
    firing *firings = malloc(info.outlier_count * sizeof *firings);
    if (!firings)
        return no_memory(error);
    count_firings(firings, info.id_count, info.outlier_count, evaluation);
    size_t silent = 0;
    for (size_t i = 0; i < info.outlier_count; i++)
        silent += firings[i].id == 0 && firings[i].ood == 0;
    mm_buffer_printf(out,
                     "<p>An outlier label fires on a picture if it is nearer to it than all other "
                     "labels are. Of %zu labels %zu never do.</p>\n",
                     info.outlier_count, silent);
    qsort(firings, info.outlier_count, sizeof *firings, by_ood);
    firing_table(out, evaluation, firings, info.outlier_count, 1);
    qsort(firings, info.outlier_count, sizeof *firings, by_id);
    firing_table(out, evaluation, firings, info.outlier_count, 0);
    free(firings);
    return MMOOD_OK;
}
