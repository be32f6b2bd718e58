/* drift.c - Kolmogorov-Smirnov and the population stability index. */
#include "serve/drift.h"

#include <math.h>

/* P(K > x) of Kolmogorov's distribution; two series, each where it converges fast. */
static double kolmogorov_tail(double x) {
    const double pi = 3.14159265358979323846;
    double sum = 0;
    if (x < 1e-6)
        return 1;
    if (x < 1.18) {
        for (int k = 1; k <= 20; k++) {
            double odd = 2 * k - 1;
            sum += exp(-odd * odd * pi * pi / (8 * x * x));
        }
        return 1 - sqrt(2 * pi) / x * sum;
    }
    for (int k = 1; k <= 20; k++)
        sum += (k % 2 ? 2 : -2) * exp(-2 * k * k * x * x);
    return sum;
}

double mm_drift_ks(double *p_value, const double *a, size_t a_count, const double *b,
                   size_t b_count) {
    double largest = 0, n = (double)a_count, m = (double)b_count;
    *p_value = NAN;
    if (a_count == 0 || b_count == 0)
        return NAN;
    for (size_t i = 0, j = 0; i < a_count && j < b_count;) {
        double x = a[i] < b[j] ? a[i] : b[j];
        while (i < a_count && a[i] <= x)
            i++;
        while (j < b_count && b[j] <= x)
            j++;
        double distance = fabs((double)i / n - (double)j / m);
        largest = distance > largest ? distance : largest;
    }
    double p = kolmogorov_tail(sqrt(n * m / (n + m)) * largest);
    *p_value = p < 0 ? 0 : p > 1 ? 1 : p;
    return largest;
}

/* How many of a rising list are at most `x`. */
static size_t at_most(const double *list, size_t count, double x) {
    size_t low = 0;
    while (count > 0) {
        size_t half = count / 2;
        if (list[low + half] <= x) {
            low += half + 1;
            count -= half + 1;
        } else {
            count = half;
        }
    }
    return low;
}

double mm_drift_psi(const double *reference, size_t reference_count, const double *recent,
                    size_t recent_count) {
    double sum = 0;
    size_t p_before = 0, q_before = 0;
    if (reference_count == 0 || recent_count == 0)
        return NAN;
    for (size_t bin = 1; bin <= MM_PSI_BINS; bin++) {
        size_t p_at = reference_count, q_at = recent_count;
        if (bin < MM_PSI_BINS) {
            double edge = reference[(reference_count * bin + MM_PSI_BINS - 1) / MM_PSI_BINS - 1];
            p_at = at_most(reference, reference_count, edge);
            q_at = at_most(recent, recent_count, edge);
        }
        double p =
            ((double)(p_at - p_before) + 0.5) / ((double)reference_count + 0.5 * MM_PSI_BINS);
        double q = ((double)(q_at - q_before) + 0.5) / ((double)recent_count + 0.5 * MM_PSI_BINS);
        sum += (q - p) * log(q / p);
        p_before = p_at;
        q_before = q_at;
    }
    return sum;
}
