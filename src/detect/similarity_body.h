/* similarity_body.h - the loops, written once with GCC's vector types for a vector of MM_LANES
 * doubles. Included by one file an instruction set, which defines MM_LANES, MM_SIMILARITY (the
 * table's name) and MM_SIMILARITY_NAME. Every sum has a fixed order. Compiled with
 * -ffp-contract=fast (fused multiply-add), without -ffast-math. */
#include "detect/similarity_table.h"

#include <stdint.h>
#include <string.h>

typedef double vec __attribute__((vector_size(MM_LANES * 8)));
typedef int64_t ivec __attribute__((vector_size(MM_LANES * 8)));
typedef uint64_t uvec __attribute__((vector_size(MM_LANES * 8)));
typedef float fvec __attribute__((vector_size(MM_LANES * 4)));

enum { TILE = 6, VECTORS = MM_PANEL / MM_LANES };

static inline vec load(const double *p) {
    vec v;
    memcpy(&v, p, sizeof v);
    return v;
}

static inline void store(double *p, vec v) {
    memcpy(p, &v, sizeof v);
}

static inline vec splat(double x) {
    return (vec){0} + x;
}

static inline vec widen(const float *p) {
    fvec v;
    memcpy(&v, p, sizeof v);
    return __builtin_convertvector(v, vec);
}

/* `rows` (a constant where it is called) pictures with one panel. */
static inline __attribute__((always_inline)) void dot_tile(double *out, size_t stride,
                                                           const double *pictures, size_t rows,
                                                           size_t dimension, const float *panel) {
    /* as many vectors at once as leave the sums in registers */
    enum { STEP = VECTORS < 4 ? VECTORS : 2 };
    for (size_t first = 0; first < VECTORS; first += STEP) {
        vec sums[TILE][STEP];
        for (size_t i = 0; i < rows; i++)
            for (size_t v = 0; v < STEP; v++)
                sums[i][v] = splat(0);
        for (size_t d = 0; d < dimension; d++) {
            vec label[STEP];
            for (size_t v = 0; v < STEP; v++)
                label[v] = widen(panel + d * MM_PANEL + (first + v) * MM_LANES);
            for (size_t i = 0; i < rows; i++)
                for (size_t v = 0; v < STEP; v++)
                    sums[i][v] += pictures[i * dimension + d] * label[v];
        }
        for (size_t i = 0; i < rows; i++)
            for (size_t v = 0; v < STEP; v++)
                store(out + i * stride + (first + v) * MM_LANES, sums[i][v]);
    }
}

static void dot(double *out, size_t stride, const double *pictures, size_t count, size_t dimension,
                const float *packed, size_t panels) {
    for (size_t p = 0; p < panels; p++) {
        const float *panel = packed + p * dimension * MM_PANEL;
        size_t i = 0;
        for (; i + TILE <= count; i += TILE)
            dot_tile(out + i * stride + p * MM_PANEL, stride, pictures + i * dimension, TILE,
                     dimension, panel);
        for (; i < count; i++)
            dot_tile(out + i * stride + p * MM_PANEL, stride, pictures + i * dimension, 1,
                     dimension, panel);
    }
}

/* exp(x) for x <= 0, to about 1 ulp: x = n ln 2 + r, |r| <= ln 2 / 2, ln 2 in two parts (Cody and
 * Waite), Taylor's series of exp(r) to r^13 / 13! (relative error below 5e-18). Below -708 it is 0.
 */
static inline vec exp_negative(vec x) {
    const vec shift = splat(0x1.8p52), low = splat(-708);
    ivec in_range = x > low;
    x = (vec)(((ivec)x & in_range) | ((ivec)low & ~in_range));
    vec n = x * 0x1.71547652b82fep+0 + shift; /* n in the low bits */
    ivec bits = (ivec)n;
    n -= shift;
    vec r = x - n * 0x1.62e42fefa3800p-1;
    r -= n * 0x1.ef35793c76730p-45;
    vec p = splat(1.0 / 6227020800);
    p = p * r + 1.0 / 479001600;
    p = p * r + 1.0 / 39916800;
    p = p * r + 1.0 / 3628800;
    p = p * r + 1.0 / 362880;
    p = p * r + 1.0 / 40320;
    p = p * r + 1.0 / 5040;
    p = p * r + 1.0 / 720;
    p = p * r + 1.0 / 120;
    p = p * r + 1.0 / 24;
    p = p * r + 1.0 / 6;
    p = p * r + 0.5;
    p = p * r + 1.0;
    p = p * r + 1.0;
    vec power = (vec)(((uvec)bits + 1023) << 52); /* 2^n: all but the exponent falls out */
    return (vec)((ivec)(p * power) & in_range);
}

/* The last, part-filled vector: missing values are far below, where exp is 0. */
static inline vec load_part(const double *p, size_t count, double shift, double scale) {
    double part[MM_LANES];
    for (size_t i = 0; i < MM_LANES; i++)
        part[i] = i < count ? (p[i] - shift) * scale : -1000;
    return load(part);
}

static double sum_exp(const double *s, size_t count, double shift, double scale) {
    vec sum = splat(0);
    size_t i = 0;
    for (; i + MM_LANES <= count; i += MM_LANES)
        sum += exp_negative((load(s + i) - shift) * scale);
    if (i < count)
        sum += exp_negative(load_part(s + i, count - i, shift, scale));
    double lanes[MM_LANES], total = 0;
    store(lanes, sum);
    for (i = 0; i < MM_LANES; i++)
        total += lanes[i];
    return total;
}

static void each_exp(double *out, const double *s, size_t count, double shift, double scale) {
    size_t i = 0;
    for (; i + MM_LANES <= count; i += MM_LANES)
        store(out + i, exp_negative((load(s + i) - shift) * scale));
    if (i < count) {
        double lanes[MM_LANES];
        store(lanes, exp_negative(load_part(s + i, count - i, shift, scale)));
        memcpy(out + i, lanes, (count - i) * sizeof *out);
    }
}

static double maximum(const double *s, size_t count) {
    double best = s[0];
    size_t i = 0;
    if (count >= MM_LANES) {
        vec most = load(s);
        for (; i + MM_LANES <= count; i += MM_LANES) {
            vec x = load(s + i);
            ivec more = x > most;
            most = (vec)(((ivec)x & more) | ((ivec)most & ~more));
        }
        double lanes[MM_LANES];
        store(lanes, most);
        for (size_t lane = 0; lane < MM_LANES; lane++)
            best = lanes[lane] > best ? lanes[lane] : best;
    }
    for (; i < count; i++)
        best = s[i] > best ? s[i] : best;
    return best;
}

const mm_similarity MM_SIMILARITY = {MM_SIMILARITY_NAME, dot, sum_exp, each_exp, maximum};
