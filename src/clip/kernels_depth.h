/* kernels_depth.h - depthwise convolutions, for kernels_body.h. One vector of channels at a time:
 * its part of the rows that a row of the result needs is copied as f32, with zeros around, to a
 * ring in the first cache; each input row is copied once. A result has the same operations in the
 * same order wherever it is computed. */

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

/* `columns` results of a row, from column `x` on, for one vector of channels. `kernel`, `step` and
 * `columns` are constants, so that a number that several results need is loaded once. */
static inline __attribute__((always_inline)) void
depth_columns(const mm_depth *d, const float *const *rows, size_t y, size_t x, size_t channel,
              const size_t kernel, const size_t step, const size_t columns) {
    vec sums[8];
    vec bias = load(d->weights + kernel * kernel * d->stride + channel);
    for (size_t j = 0; j < columns; j++)
        sums[j] = bias;
    for (size_t ky = 0; ky < kernel; ky++) {
        const float *taps = d->weights + ky * kernel * d->stride + channel;
        const float *from = rows[ky] + x * step * MM_LANES;
#pragma GCC unroll 8
        for (size_t kx = 0; kx < kernel; kx++) {
            vec w = load(taps + kx * d->stride);
#pragma GCC unroll 8
            for (size_t j = 0; j < columns; j++)
                sums[j] += w * load(from + (kx + j * step) * MM_LANES);
        }
    }
    size_t at = ((y - d->y_first) * d->result_side + x) * d->outputs + channel;
    store_columns(d, sums, at, channel, columns);
}

/* The last columns overlap those before: the same results once more are faster than singly. Eight
 * sums at a time keep both of a core's multipliers busy. */
static inline __attribute__((always_inline)) void depth_row(const mm_depth *d,
                                                            const float *const *rows, size_t y,
                                                            size_t channel, const size_t kernel,
                                                            const size_t step) {
    size_t x = 0, count = d->result_side;
    for (; x + 8 <= count; x += 8)
        depth_columns(d, rows, y, x, channel, kernel, step, 8);
    if (count - x > 4 && x > 0) {
        depth_columns(d, rows, y, count - 8, channel, kernel, step, 8);
        return;
    }
    for (; x + 4 <= count; x += 4)
        depth_columns(d, rows, y, x, channel, kernel, step, 4);
    if (x < count && x > 0)
        depth_columns(d, rows, y, count - 4, channel, kernel, step, 4);
    else
        for (; x < count; x++)
            depth_columns(d, rows, y, x, channel, kernel, step, 1);
}

/* All rows of one vector of channels. Row r of the padded map is in ring row r % kernel; those past
 * the map are in `zeros`. */
static inline __attribute__((always_inline)) void
depth_channels(const mm_depth *d, size_t channel, const size_t kernel, const size_t step) {
    size_t length = mm_depth_length(d->side, kernel) * MM_LANES;
    float *zeros = d->scratch, *ring = zeros + length;
    size_t next = d->first * step; /* row of the padded map that is not loaded yet */
    const float *rows[7], *loaded[7] = {zeros};
    for (size_t y = d->first; y < d->last; y++) {
        size_t top = y * step;
        for (next = next < top ? top : next; next < top + kernel; next++) {
            float *to = ring + next % kernel * length;
            int within = next >= d->pad && next - d->pad < d->side;
            loaded[next % kernel] = within ? to : zeros;
            if (within)
                load_row(to + d->pad * MM_LANES, d, next - d->pad, channel);
        }
        for (size_t ky = 0; ky < kernel; ky++)
            rows[ky] = loaded[(top + ky) % kernel];
        depth_row(d, rows, y, channel, kernel, step);
    }
}

static void depth(const mm_depth *d) {
    size_t length = mm_depth_length(d->side, d->kernel) * MM_LANES;
    memset(d->scratch, 0, (d->kernel + 1) * length * sizeof *d->scratch);
    for (size_t channel = 0; channel < d->outputs; channel += MM_LANES) {
        switch (2 * d->kernel + (d->step - 1)) {
        case 2:
            depth_channels(d, channel, 1, 1);
            break;
        case 6:
            depth_channels(d, channel, 3, 1);
            break;
        case 7:
            depth_channels(d, channel, 3, 2);
            break;
        case 10:
            depth_channels(d, channel, 5, 1);
            break;
        case 11:
            depth_channels(d, channel, 5, 2);
            break;
        case 14:
            depth_channels(d, channel, 7, 1);
            break;
        default:
            depth_channels(d, channel, 7, 2);
        }
    }
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
