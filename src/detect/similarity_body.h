/* similarity_body.h - the loops, written once with GCC's vector types for a vector of MM_LANES
 * doubles. Included by one file an instruction set, which defines MM_LANES and MM_SIMILARITY (the
 * table's name). Every sum has a fixed order. Compiled with -ffp-contract=fast (fused
 * multiply-add), without -ffast-math. */
#include "detect/similarity_table.h"

#include <stdint.h>
#include <string.h>
#if MM_LANES > 2
#include <immintrin.h>
#endif

typedef double vec __attribute__((vector_size(MM_LANES * 8)));
typedef int64_t ivec __attribute__((vector_size(MM_LANES * 8)));
typedef uint64_t uvec __attribute__((vector_size(MM_LANES * 8)));
typedef float fvec __attribute__((vector_size(MM_LANES * 4)));

/* Pictures of a tile, so many that its sums fill the registers. */
enum { TILE = MM_LANES == 8 ? 12 : 6, VECTORS = MM_PANEL / MM_LANES };

static inline vec load(const double *p) {
    vec v;
    memcpy(&v, p, sizeof v);
    return v;
}

static inline void store(double *p, vec v) {
    memcpy(p, &v, sizeof v);
}

/* x - 0 is x to the compiler, where 0 + x would be an addition for the sake of -0. */
static inline vec splat(double x) {
    return x - (vec){0};
}

/* The compiler's own conversion goes through halves. */
static inline vec widen(const float *p) {
#if MM_LANES == 8
    return (vec)_mm512_cvtps_pd(_mm256_loadu_ps(p));
#elif MM_LANES == 4
    return (vec)_mm256_cvtps_pd(_mm_loadu_ps(p));
#else
    fvec v;
    memcpy(&v, p, sizeof v);
    return __builtin_convertvector(v, vec);
#endif
}

/* Tiles of TILE pictures [dimension, TILE], then the rest one by one: a tile reads one stretch of
 * memory, where rows would lie a power of two apart and push each other out of the cache. */
static void pack(double *out, const float *pictures, size_t count, size_t dimension) {
    size_t i = 0;
    for (; i + TILE <= count; i += TILE)
        for (size_t d = 0; d < dimension; d++)
            for (size_t k = 0; k < TILE; k++)
                *out++ = (double)pictures[(i + k) * dimension + d];
    for (size_t j = i * dimension; j < count * dimension; j++)
        *out++ = (double)pictures[j];
}

/* A tile of `rows` pictures (a constant where it is called) with one panel. */
static inline __attribute__((always_inline)) void dot_tile(double *out, size_t stride,
                                                           const double *tile, size_t rows,
                                                           size_t dimension, const float *panel) {
    enum { STEP = VECTORS < 4 ? VECTORS : 2 };
    for (size_t from = 0; from < VECTORS; from += STEP) {
        vec sums[TILE][STEP];
        for (size_t i = 0; i < rows; i++)
            for (size_t v = 0; v < STEP; v++)
                sums[i][v] = splat(0);
        for (size_t d = 0; d < dimension; d++) {
            vec label[STEP];
            for (size_t v = 0; v < STEP; v++)
                label[v] = widen(panel + d * MM_PANEL + (from + v) * MM_LANES);
            for (size_t i = 0; i < rows; i++) {
                vec x = splat(tile[d * rows + i]);
                for (size_t v = 0; v < STEP; v++)
                    sums[i][v] += x * label[v];
            }
        }
        for (size_t i = 0; i < rows; i++)
            for (size_t v = 0; v < STEP; v++)
                store(out + i * stride + (from + v) * MM_LANES, sums[i][v]);
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

const mm_similarity MM_SIMILARITY = {pack, dot, sum_exp, each_exp, maximum};
