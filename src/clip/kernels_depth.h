/* kernels_depth.h - depthwise convolutions, for kernels_body.h. One vector of channels at a time;
 * of a map that is not f32, its part of the rows that a row of the result needs is copied as f32 to
 * a ring in the first cache. A result has the same operations in the same order wherever it is
 * computed. */

/* Phi(x) x with erf by Abramowitz and Stegun 7.1.26 (absolute error below 1.5e-7). */
static inline vec gelu(vec x) {
    ivec negative = x < 0.0f;
    vec size = (vec)((ivec)x & 0x7fffffff) * 0.70710678f;
    vec t = 1.0f / (size * 0.3275911f + 1.0f);
    vec tail = t * 1.061405429f - 1.453152027f;
    tail = tail * t + 1.421413741f;
    tail = tail * t - 0.284496736f;
    tail = tail * t + 0.254829592f;
    tail = tail * t * exponential(-size * size) * 0.5f; /* (1 - erf) / 2 */
    vec share = (vec)(((ivec)tail & negative) | ((ivec)(1.0f - tail) & ~negative));
    return x * share;
}

/* NaN becomes 0. */
static inline vec relu6(vec x) {
#ifdef __AVX512F__
    return (vec)_mm512_min_ps(_mm512_max_ps((__m512)x, _mm512_setzero_ps()), _mm512_set1_ps(6.0f));
#else
    x = (vec)((ivec)x & (x > 0.0f));
    ivec large = x > 6.0f;
    return (vec)(((ivec)splat(6.0f) & large) | ((ivec)x & ~large));
#endif
}

static inline float widened(uint16_t half) {
    uint32_t bits = (uint32_t)half << 16;
    float value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

/* Row `y` of the map, of the MM_LANES output channels from `channel` on, to out [side, MM_LANES] as
 * f32. */
static void load_row(float *out, const mm_depth *d, size_t y, size_t channel) {
    size_t row = (y - d->x_first) * d->side * d->inputs, times = d->outputs / d->inputs;
    const float *f32 = (const float *)d->x + row;
    const uint16_t *half = (const uint16_t *)d->x + row;
    if (times > 1 || channel + MM_LANES > d->outputs) {
        for (size_t lane = 0; lane < MM_LANES; lane++) {
            int within = channel + lane < d->outputs;
            size_t input = within ? (channel + lane) / times : 0;
            for (size_t i = 0; i < d->side; i++) {
                size_t at = i * d->inputs + input;
                float value = d->x_bf16 ? widened(half[at]) : f32[at];
                out[i * MM_LANES + lane] = within ? value : 0;
            }
        }
    } else if (d->x_bf16) {
        for (size_t i = 0; i < d->side; i++)
            store(out + i * MM_LANES, load_bf16(half + i * d->inputs + channel));
    } else {
        for (size_t i = 0; i < d->side; i++)
            store(out + i * MM_LANES, load(f32 + i * d->inputs + channel));
    }
}

/* The first `count` lanes of a result. */
static __attribute__((noinline)) void store_part(const mm_depth *d, size_t at, vec y,
                                                 size_t count) {
    uint16_t half[MM_LANES];
    float f32[MM_LANES];
    store_bf16(half, y);
    store(f32, y);
    if (d->y_bf16)
        memcpy((uint16_t *)d->y + at, half, count * sizeof *half);
    else
        memcpy((float *)d->y + at, f32, count * sizeof *f32);
}

/* `columns` results of one vector of channels, the first of them to y[at]. */
static inline __attribute__((always_inline)) void
store_columns(const mm_depth *d, vec *sums, size_t at, size_t channel, const size_t columns) {
    size_t count = d->outputs - channel;
    if (d->post == MM_POST_RELU6)
        for (size_t j = 0; j < columns; j++)
            sums[j] = relu6(sums[j]);
    else if (d->post == MM_POST_GELU)
        for (size_t j = 0; j < columns; j++)
            sums[j] = gelu(sums[j]);
    if (count < MM_LANES)
        for (size_t j = 0; j < columns; j++)
            store_part(d, at + j * d->outputs, sums[j], count);
    else if (d->y_bf16)
        for (size_t j = 0; j < columns; j++)
            store_bf16((uint16_t *)d->y + at + j * d->outputs, sums[j]);
    else
        for (size_t j = 0; j < columns; j++)
            store((float *)d->y + at + j * d->outputs, sums[j]);
}

/* Where the numbers of one vector of channels are, for a row of the result. */
typedef struct depth_source {
    const float *rows[7]; /* of the kernel, NULL: outside of the map */
    size_t pixel;         /* floats from one column to the next */
    size_t left;          /* columns of zeros before the first */
    size_t width;         /* columns that there are */
} depth_source;

/* `columns` results of a row, from column `x` on, for one vector of channels. All from `kernel` on
 * are constants. A number that several results need is loaded once; with `edge`, columns outside of
 * the map are left out. Each sum takes its taps in the same order. */
static inline __attribute__((always_inline)) void
depth_columns(const mm_depth *d, const depth_source *source, size_t y, size_t x, size_t channel,
              const size_t kernel, const size_t step, const size_t columns, const int edge) {
    vec sums[8], taps[7];
    const float *weights = d->weights + channel;
    size_t at = ((y - d->y_first) * d->result_side + x) * d->outputs + channel;
    size_t first = x * step - source->left; /* wraps around where it is outside */
    for (size_t j = 0; j < columns; j++)
        sums[j] = load(weights + kernel * kernel * d->stride);
    for (size_t ky = 0; ky < kernel; ky++, weights += kernel * d->stride) {
        if (!source->rows[ky])
            continue;
        for (size_t kx = 0; kx < kernel; kx++)
            taps[kx] = load(weights + kx * d->stride);
#pragma GCC unroll 24
        for (size_t c = 0; c < (columns - 1) * step + kernel; c++) {
            if (edge && first + c >= source->width)
                continue;
            vec v = load(source->rows[ky] + (first + c) * source->pixel);
#pragma GCC unroll 8
            for (size_t j = 0; j < columns; j++)
                if (c >= j * step && c - j * step < kernel)
                    sums[j] += taps[c - j * step] * v;
        }
    }
    store_columns(d, sums, at, channel, columns);
}

/* Blocks of `columns`; the last one overlaps the one before: the same results once more are faster
 * than singly. */
static inline __attribute__((always_inline)) void
depth_blocks(const mm_depth *d, const depth_source *source, size_t y, size_t channel,
             const size_t kernel, const size_t step, const size_t columns) {
    size_t count = d->result_side, end = source->width + source->left;
    for (size_t x = 0; x < count; x += columns) {
        size_t from = x + columns > count ? count - columns : x;
        if (from * step < source->left || (from + columns - 1) * step + kernel > end)
            depth_columns(d, source, y, from, channel, kernel, step, columns, 1);
        else
            depth_columns(d, source, y, from, channel, kernel, step, columns, 0);
    }
}

/* Seven or eight sums at a time keep both of a core's multipliers busy; sides are often multiples
 * of one of them. */
static inline __attribute__((always_inline)) void depth_row(const mm_depth *d,
                                                            const depth_source *source, size_t y,
                                                            size_t channel, const size_t kernel,
                                                            const size_t step) {
    size_t count = d->result_side;
    if (count >= 7 && (count % 7 == 0 || count < 8))
        depth_blocks(d, source, y, channel, kernel, step, 7);
    else if (count >= 8)
        depth_blocks(d, source, y, channel, kernel, step, 8);
    else
        depth_blocks(d, source, y, channel, kernel, step, 1);
}

/* One row of the result, for one vector of channels. */
static void depth_vector(const mm_depth *d, const depth_source *source, size_t y, size_t channel) {
    switch (2 * d->kernel + (d->step - 1)) {
    case 2:
        depth_row(d, source, y, channel, 1, 1);
        break;
    case 6:
        depth_row(d, source, y, channel, 3, 1);
        break;
    case 7:
        depth_row(d, source, y, channel, 3, 2);
        break;
    case 10:
        depth_row(d, source, y, channel, 5, 1);
        break;
    case 11:
        depth_row(d, source, y, channel, 5, 2);
        break;
    case 14:
        depth_row(d, source, y, channel, 7, 1);
        break;
    default:
        depth_row(d, source, y, channel, 7, 2);
    }
}

/* Whether kernel row `ky` of result row `y` is a row of the map, *row. */
static inline int depth_reads(size_t *row, const mm_depth *d, size_t y, size_t ky) {
    *row = y * d->step + ky - d->pad;
    return *row < d->side;
}

/* From the map itself. */
static void depth_direct(const mm_depth *d) {
    depth_source source = {{0}, d->inputs, d->pad, d->side};
    for (size_t y = d->first; y < d->last; y++) {
        for (size_t channel = 0; channel < d->outputs; channel += MM_LANES) {
            for (size_t ky = 0, row; ky < d->kernel; ky++)
                source.rows[ky] =
                    depth_reads(&row, d, y, ky)
                        ? (const float *)d->x + (row - d->x_first) * d->side * d->inputs + channel
                        : NULL;
            depth_vector(d, &source, y, channel);
        }
    }
}

/* From a ring of rows as f32. Each row of the map is copied once. */
static void depth_copied(const mm_depth *d) {
    size_t length = d->side * MM_LANES;
    depth_source source = {{0}, MM_LANES, d->pad, d->side};
    for (size_t channel = 0; channel < d->outputs; channel += MM_LANES) {
        size_t next = 0; /* row of the map that is not copied yet */
        for (size_t y = d->first; y < d->last; y++) {
            for (size_t ky = 0, row; ky < d->kernel; ky++) {
                source.rows[ky] = NULL;
                if (!depth_reads(&row, d, y, ky))
                    continue;
                float *copy = d->scratch + row % d->kernel * length;
                if (row >= next)
                    load_row(copy, d, row, channel);
                next = row >= next ? row + 1 : next;
                source.rows[ky] = copy;
            }
            depth_vector(d, &source, y, channel);
        }
    }
}

static void depth(const mm_depth *d) {
    if (!d->x_bf16 && d->inputs == d->outputs && d->outputs % MM_LANES == 0)
        depth_direct(d);
    else
        depth_copied(d);
}

static void convert(void *out, int out_bf16, const float *x, size_t count) {
    uint16_t *half = out;
    size_t whole = count / MM_LANES * MM_LANES;
    if (!out_bf16) {
        memmove(out, x, count * sizeof *x);
        return;
    }
    for (size_t i = 0; i < whole; i += MM_LANES)
        store_bf16(half + i, load(x + i));
    for (size_t i = whole; i < count; i++)
        half[i] = mm_bf16_from_f32(x[i]);
}
