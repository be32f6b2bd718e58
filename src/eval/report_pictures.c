/* report_pictures.c - the pictures that the detector gets the most wrong, shown and explained. */
#include "eval/report_parts.h"

#include "base/text.h"
#include "image/encode_jpeg.h"
#include "image/image.h"

#include <math.h>

enum { SHOWN = 12, THUMBNAIL_SIDE = 256, THUMBNAIL_QUALITY = 80 };

typedef struct case_of {
    const mm_eval_set *set;
    const mm_eval_item *item;
    double score;
} case_of;

/* Keeps the SHOWN worst, the worst first; `sign` 1: low scores are wrong, -1: high ones. */
static void keep_worst(case_of *worst, size_t *count, case_of one, int sign) {
    size_t at = *count;
    while (at > 0 && sign * one.score < sign * worst[at - 1].score)
        at--;
    if (at >= SHOWN)
        return;
    *count += *count < SHOWN;
    for (size_t i = *count - 1; i > at; i--)
        worst[i] = worst[i - 1];
    worst[at] = one;
}

/* A small upright JPEG of a picture, without any byte of its file: no EXIF, no place, no name. */
static mmood_status thumbnail(mm_buffer *out, const char *path, mmood_error *error) {
    const mmood_preprocess aim = {.resize = 1, .shortest_edge = THUMBNAIL_SIDE};
    mmood_image_options options = mmood_image_options_default();
    mmood_image *image, *small = NULL;
    options.alpha = MMOOD_ALPHA_WHITE;
    options.fast_decode = 1;
    mmood_status status = mmood_image_load_for(&image, path, &aim, &options, error);
    if (status != MMOOD_OK)
        return status;
    if (image->full_width > THUMBNAIL_SIDE || image->full_height > THUMBNAIL_SIDE)
        status = mm_image_shrink(&small, image, THUMBNAIL_SIDE, error);
    if (status == MMOOD_OK)
        status = mm_encode_jpeg(out, small ? small : image, THUMBNAIL_QUALITY, error);
    mmood_image_free(small);
    mmood_image_free(image);
    return status;
}

/* A picture's thumbnail, or a box that says why there is none; and the path. */
static void show_picture(mm_buffer *out, const mm_eval_item *item) {
    mm_buffer jpeg = {0};
    mmood_error error;
    if (thumbnail(&jpeg, item->path, &error) == MMOOD_OK) {
        mm_buffer_puts(out, "<img alt=\"\" src=\"data:image/jpeg;base64,");
        mm_base64(out, (const uint8_t *)jpeg.data, jpeg.size);
        mm_buffer_puts(out, "\">");
    } else {
        mm_buffer_puts(out, "<div class=\"none\">This picture cannot be shown: ");
        mm_html_text(out, error.message);
        mm_buffer_puts(out, "</div>");
    }
    mm_buffer_puts(out, "<p class=\"soft\">");
    mm_html_text(out, item->path);
    mm_buffer_puts(out, "</p>");
    mm_buffer_free(&jpeg);
}

static void quote(mm_buffer *out, const char *text) {
    mm_buffer_puts(out, "&lsquo;");
    mm_html_text(out, text);
    mm_buffer_puts(out, "&rsquo;");
}

static void name_outlier(mm_buffer *out, const mm_evaluation *evaluation,
                         const mm_eval_item *item) {
    const char *source = mmood_detector_source(evaluation->detector, item->outlier);
    quote(out, mm_html_label(evaluation, item->outlier));
    mm_buffer_puts(out, " (outlier");
    if (source[0]) {
        mm_buffer_puts(out, ", ");
        mm_html_text(out, source);
    }
    mm_buffer_printf(out, ": cosine %.3f)", item->outlier_cosine);
}

/* Why the detector says what it says: the nearest labels of either kind. */
static void explain(mm_buffer *out, const mm_evaluation *evaluation, const mm_eval_item *item) {
    mmood_detector_info info;
    if (!evaluation->detector)
        return;
    mmood_detector_describe(evaluation->detector, &info);
    int has_outlier = item->outlier < info.id_count + info.outlier_count;
    mm_buffer_puts(out, "<p>");
    if (has_outlier && item->outlier_cosine > item->label_cosine) {
        mm_buffer_puts(out, "Looks more like ");
        name_outlier(out, evaluation, item);
        mm_buffer_puts(out, " than ");
        quote(out, mm_html_label(evaluation, item->label));
        mm_buffer_printf(out, " (%.3f)", item->label_cosine);
    } else {
        mm_buffer_puts(out, "Looks most like ");
        quote(out, mm_html_label(evaluation, item->label));
        mm_buffer_printf(out, " (cosine %.3f)", item->label_cosine);
        if (has_outlier) {
            mm_buffer_puts(out, ", less like ");
            name_outlier(out, evaluation, item);
        }
    }
    mm_buffer_puts(out, ".</p>");
}

static void show_case(mm_buffer *out, const mm_evaluation *evaluation, const case_of *one) {
    mm_buffer_puts(out, "<li>");
    show_picture(out, one->item);
    mm_buffer_puts(out, "<p><strong>");
    if (one->item->group < one->set->group_count) {
        mm_html_text(out, one->set->groups[one->item->group].name);
        mm_buffer_puts(out, "</strong>, <strong>");
    }
    mm_html_text(out, one->set->name);
    mm_buffer_puts(out, "</strong></p>");
    if (isfinite(one->score))
        mm_buffer_printf(out, "<p>score %.9g</p>", one->score);
    else
        mm_buffer_printf(out, "<p>score %s infinity</p>", one->score > 0 ? "plus" : "minus");
    explain(out, evaluation, one->item);
    mm_buffer_puts(out, "</li>\n");
}

static void gallery(mm_buffer *out, const mm_evaluation *evaluation, size_t first, size_t end,
                    int sign) {
    case_of worst[SHOWN];
    size_t count = 0;
    for (size_t i = first; i < end; i++)
        for (size_t k = 0; k < evaluation->sets[i].count; k++) {
            const mm_eval_item *item = &evaluation->sets[i].items[k];
            if (item->error || isnan(item->scores[evaluation->own]))
                continue;
            keep_worst(worst, &count,
                       (case_of){&evaluation->sets[i], item, item->scores[evaluation->own]}, sign);
        }
    if (count == 0) {
        mm_buffer_puts(out, "<p>There is none.</p>\n");
        return;
    }
    mm_buffer_puts(out, "<ul class=\"gallery\">\n");
    for (size_t i = 0; i < count; i++)
        show_case(out, evaluation, &worst[i]);
    mm_buffer_puts(out, "</ul>\n");
}

void mm_report_pictures_part(mm_buffer *out, const mm_evaluation *evaluation) {
    mm_buffer_puts(out, "<h2 id=\"pictures\">The most wrong pictures</h2>\n<h3>ID with the lowest "
                        "scores</h3>\n");
    gallery(out, evaluation, 0, evaluation->set_count ? 1 : 0, 1);
    mm_buffer_puts(out, "<h3>OOD with the highest scores</h3>\n");
    gallery(out, evaluation, 1, evaluation->set_count, -1);
}
