/* fdr.c - the false discovery rate (Benjamini and Hochberg 1995), decided in integers: conformal
 * p-values lie on the grid k / (n + 1), so that they often equal the bound that they are compared
 * with, and rounding would lose all that one equality flags. */
#include "base/error.h"
#include "detect/calibrate.h"

#include <math.h>
#include <stdlib.h>

__extension__ typedef unsigned __int128 wide;

/* Products of two such denominators and a count fit 128 bits. */
static const uint64_t most_bottom = (uint64_t)1 << 44;

typedef struct fraction {
    uint64_t top, bottom; /* bottom 0: none was found */
} fraction;

/* The fraction that `value` (0 to 1) stands for: the first convergent of its continued fraction
 * that rounds to it. That is k / n for every n below 2^26, since by Legendre's theorem k / n is a
 * convergent of all numbers within 1 / (2 n^2) of it, and two such fractions are further apart than
 * a number's rounding. For others it is a fraction that rounds to the same, or none. */
static fraction find_fraction(double value) {
    fraction before = {0, 1}, now = {1, 0};
    double dividend = value, divisor = 1;
    if (value > 0 && value < 1 / (double)most_bottom)
        return (fraction){0, 0};
    do {
        double rest = fmod(dividend, divisor); /* exact */
        uint64_t term = (uint64_t)((dividend - rest) / divisor + 0.5);
        fraction next = {term * now.top + before.top, term * now.bottom + before.bottom};
        before = now;
        now = next;
        dividend = divisor;
        divisor = rest;
    } while (divisor > 0 && (double)now.top / (double)now.bottom != value);
    return now.bottom <= most_bottom ? now : (fraction){0, 0};
}

/* 1 if p <= rank / count * rate. */
static int is_within(double p, size_t rank, size_t count, double rate, fraction exact_rate) {
    fraction exact = find_fraction(p);
    if (exact.bottom == 0 || exact_rate.bottom == 0)
        return p <= (double)rank / (double)count * rate;
    return (wide)exact.top * count * exact_rate.bottom <=
           (wide)exact.bottom * rank * exact_rate.top;
}

typedef struct ranked {
    double p;
    size_t index;
} ranked;

static int by_p(const void *a, const void *b) {
    double x = ((const ranked *)a)->p, y = ((const ranked *)b)->p;
    return (x > y) - (x < y);
}

mmood_status mmood_fdr_select(unsigned char *out, const double *p_values, size_t count, double rate,
                              mmood_error *error) {
    if (!(rate >= 0 && rate <= 1))
        return mm_error_set(error, MMOOD_ERROR_ARGUMENT,
                            "the false discovery rate is %g; a number from 0 to 1 is needed", rate);
    for (size_t i = 0; i < count; i++)
        if (!(p_values[i] >= 0 && p_values[i] <= 1))
            return mm_error_set(error, MMOOD_ERROR_ARGUMENT,
                                "p-value %zu is %g; numbers from 0 to 1 are needed", i,
                                p_values[i]);
    ranked *order = malloc((count + 1) * sizeof *order);
    if (!order)
        return mm_error_set(error, MMOOD_ERROR_MEMORY, "no memory for %zu p-values", count);
    for (size_t i = 0; i < count; i++)
        order[i] = (ranked){p_values[i], i};
    qsort(order, count, sizeof *order, by_p);
    fraction exact_rate = find_fraction(rate);
    size_t flagged = count;
    while (flagged > 0 && !is_within(order[flagged - 1].p, flagged, count, rate, exact_rate))
        flagged--;
    for (size_t i = 0; i < count; i++)
        out[order[i].index] = i < flagged;
    free(order);
    return MMOOD_OK;
}
