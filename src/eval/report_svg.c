/* report_svg.c - histograms and curves as SVG. */
#include "eval/report_svg.h"

#include "eval/report_parts.h"

#include <math.h>
#include <stdio.h>

/* ---- Histogram ----------------------------------------------------------------------------- */

enum { WIDE = 400, HIGH = 200, LEFT = 36, RIGHT = 12, TOP = 14, FLOOR = 168 };

static double across(double place) {
    return LEFT + place * (WIDE - LEFT - RIGHT);
}

static void open_svg(mm_buffer *out, int width, int height, const char *title) {
    mm_buffer_printf(out, "<svg class=\"chart\" viewBox=\"0 0 %d %d\" role=\"img\" aria-label=\"",
                     width, height);
    mm_html_text(out, title);
    mm_buffer_puts(out, "\"><title>");
    mm_html_text(out, title);
    mm_buffer_puts(out, "</title>");
}

/* An outline of steps down to the floor. */
static void steps(mm_buffer *out, const char *style, const double *shares, double top) {
    mm_buffer_printf(out, "<path class=\"%s\" d=\"M%.1f %d", style, across(0), FLOOR);
    for (int i = 0; i < MM_SVG_BINS; i++) {
        double y = FLOOR - shares[i] / top * (FLOOR - TOP);
        mm_buffer_printf(out, "V%.1fH%.1f", y, across((i + 1.0) / MM_SVG_BINS));
    }
    mm_buffer_printf(out, "V%dZ\"/>", FLOOR);
}

/* The largest of 1, 2, 5 times a power of ten with at least three steps in the range. */
static double tick_step(double span) {
    double power = pow(10, floor(log10(span)));
    static const double parts[] = {2, 1, 0.5, 0.2};
    for (int i = 0; i < 4; i++)
        if (span / (parts[i] * power) >= 3)
            return parts[i] * power;
    return 0.1 * power;
}

/* A number with the digits that a step needs. */
static void tick_label(char *out, size_t size, double value, double step) {
    int decimals = (int)-floor(log10(step) + 1e-9);
    if (fabs(value) < step / 2)
        snprintf(out, size, "0");
    else if (decimals > 6 || fabs(value) >= 1e6)
        snprintf(out, size, "%.3g", value);
    else
        snprintf(out, size, "%.*f", decimals > 0 ? decimals : 0, value);
}

static void range_ticks(mm_buffer *out, const mm_range *range) {
    double step = tick_step(range->high - range->low), least = fabs(range->low) * 1e-12;
    char label[64];
    if (!isfinite(step) || step <= least)
        return;
    double first = ceil(range->low / step);
    for (int i = 0; i < 12 && (first + i) * step <= range->high; i++) {
        double x = across(mm_range_place(range, (first + i) * step));
        tick_label(label, sizeof label, (first + i) * step, step);
        mm_buffer_printf(out,
                         "<path class=\"axis\" d=\"M%.1f %dv5\"/><text x=\"%.1f\" y=\"%d\" "
                         "text-anchor=\"middle\">%s</text>",
                         x, FLOOR, x, FLOOR + 19, label);
    }
}

void mm_svg_histogram(mm_buffer *out, const mm_range *range, const double *id, const double *ood,
                      double threshold, const char *title) {
    double top = 0;
    for (int i = 0; i < MM_SVG_BINS; i++)
        top = fmax(top, fmax(id[i], ood[i]));
    open_svg(out, WIDE, HIGH, title);
    if (top > 0) {
        mm_buffer_printf(out,
                         "<path class=\"grid\" d=\"M%d %dH%d\"/><text x=\"%d\" y=\"%d\" "
                         "text-anchor=\"end\">%.0f%%</text>",
                         LEFT, TOP, WIDE - RIGHT, LEFT - 4, TOP + 4, 100 * top);
        steps(out, "bars id", id, top);
        steps(out, "bars ood", ood, top);
    }
    mm_buffer_printf(out, "<path class=\"axis\" d=\"M%d %dH%d\"/>", LEFT, FLOOR, WIDE - RIGHT);
    range_ticks(out, range);
    if (!isnan(threshold))
        mm_buffer_printf(out, "<path class=\"cut\" d=\"M%.1f %dV%d\"/>",
                         across(mm_range_place(range, threshold)), TOP - 8, FLOOR);
    mm_buffer_puts(out, "</svg>");
}

/* ---- Curves -------------------------------------------------------------------------------- */

enum { SIDE = 320, MARGIN_LEFT = 44, MARGIN_RIGHT = 14, MARGIN_TOP = 10, BOTTOM = 274 };

static double curve_x(double x) {
    return MARGIN_LEFT + x * (SIDE - MARGIN_LEFT - MARGIN_RIGHT);
}

static double curve_y(double y) {
    return BOTTOM - y * (BOTTOM - MARGIN_TOP);
}

static void unit_axes(mm_buffer *out, const mm_svg_axes *axes) {
    for (int i = 0; i <= 4; i++) {
        double x = curve_x(i / 4.0), y = curve_y(i / 4.0);
        mm_buffer_printf(out,
                         "<path class=\"%s\" d=\"M%.1f %.1fV%.1fM%.1f %.1fH%.1f\"/>"
                         "<text x=\"%.1f\" y=\"%d\" text-anchor=\"middle\">%d</text>"
                         "<text x=\"%d\" y=\"%.1f\" text-anchor=\"end\">%d</text>",
                         i ? "grid" : "axis", x, curve_y(0), curve_y(1), curve_x(0), y, curve_x(1),
                         x, BOTTOM + 17, 25 * i, MARGIN_LEFT - 6, y + 4, 25 * i);
    }
    mm_buffer_printf(out, "<text x=\"%.1f\" y=\"%d\" text-anchor=\"middle\">", curve_x(0.5),
                     BOTTOM + 38);
    mm_html_text(out, axes->x);
    mm_buffer_printf(out,
                     "</text><text x=\"0\" y=\"0\" text-anchor=\"middle\" "
                     "transform=\"translate(13 %.1f) rotate(-90)\">",
                     curve_y(0.5));
    mm_html_text(out, axes->y);
    mm_buffer_puts(out, "</text>");
    if (axes->diagonal)
        mm_buffer_printf(out, "<path class=\"chance\" d=\"M%.1f %.1fL%.1f %.1f\"/>", curve_x(0),
                         curve_y(0), curve_x(1), curve_y(1));
}

void mm_svg_curves(mm_buffer *out, const mm_curve *curves, size_t count, const mm_svg_axes *axes,
                   const char *title) {
    open_svg(out, SIDE, BOTTOM + 46, title);
    unit_axes(out, axes);
    for (size_t i = 0; i < count; i++) {
        mm_buffer_printf(out, "<path class=\"curve c%zu\" d=\"", i % MM_SVG_STYLES);
        for (size_t k = 0; k < curves[i].count; k++)
            mm_buffer_printf(out, "%s%.2f %.2f", k ? "L" : "M", curve_x(curves[i].points[k].x),
                             curve_y(curves[i].points[k].y));
        mm_buffer_puts(out, "\"/>");
    }
    mm_buffer_puts(out, "</svg>");
}

void mm_svg_swatch(mm_buffer *out, size_t index) {
    mm_buffer_printf(out,
                     "<svg class=\"swatch\" viewBox=\"0 0 36 8\" aria-hidden=\"true\"><path "
                     "class=\"curve c%zu\" d=\"M1 4H35\"/></svg>",
                     index % MM_SVG_STYLES);
}
