/* kernels_depth.h - depthwise convolutions, for kernels_body.h. Rows of the map that a row of the
 * result needs are copied as f32, with zeros around, to a ring in the inner caches; each input row
 * is copied once. A result has the same operations in the same order wherever it is computed. */

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

static inline vec relu6(vec x) {
    x = (vec)((ivec)x & (x > 0.0f));
    ivec large = x > 6.0f;
    return (vec)(((ivec)splat(6.0f) & large) | ((ivec)x & ~large));
}

/* `count` numbers of a map as f32, each `times` times. */
static void widen(float *out, const void *x, int x_bf16, size_t first, size_t count, size_t times) {
    const float *f32 = (const float *)x + first;
    const uint16_t *half = (const uint16_t *)x + first;
    if (times == 1 && !x_bf16) {
        memcpy(out, f32, count * sizeof *out);
        return;
    }
    if (times == 1) {
        uint32_t *bits = (uint32_t *)(void *)out;
        for (size_t i = 0; i < count; i++)
            bits[i] = (uint32_t)half[i] << 16;
        return;
    }
    for (size_t i = 0; i < count; i++) {
        uint32_t bits = x_bf16 ? (uint32_t)half[i] << 16 : 0;
        float value = x_bf16 ? 0 : f32[i];
        if (x_bf16)
            memcpy(&value, &bits, sizeof value);
        for (size_t k = 0; k < times; k++)
            out[i * times + k] = value;
    }
}

/* Row `y` of the padded map to `out` [length, stride]. */
static void load_row(float *out, const mm_depth *d, size_t y, size_t length) {
    size_t times = d->outputs / d->inputs;
    if (y < d->pad || y - d->pad >= d->side) {
        memset(out, 0, length * d->stride * sizeof *out);
        return;
    }
    for (size_t i = 0; i < length; i++) {
        float *to = out + i * d->stride;
        if (i < d->pad || i - d->pad >= d->side) {
            memset(to, 0, d->stride * sizeof *to);
            continue;
        }
        widen(to, d->x, d->x_bf16, ((y - d->pad) * d->side + i - d->pad) * d->inputs, d->inputs,
              times);
        memset(to + d->outputs, 0, (d->stride - d->outputs) * sizeof *to);
    }
}

static inline void store_depth(const mm_depth *d, size_t at, size_t channel, vec y) {
    if (d->post == MM_POST_GELU)
        y = gelu(y);
    else if (d->post == MM_POST_RELU6)
        y = relu6(y);
    size_t count = d->outputs - channel;
    float *f32 = (float *)d->y + at * d->outputs + channel;
    uint16_t *half = (uint16_t *)d->y + at * d->outputs + channel;
    if (count >= MM_LANES) {
        if (d->y_bf16)
            store_bf16(half, y);
        else
            store(f32, y);
        return;
    }
    if (d->y_bf16) {
        uint16_t lanes[MM_LANES];
        store_bf16(lanes, y);
        memcpy(half, lanes, count * sizeof *lanes);
    } else {
        memcpy(f32, &y, count * sizeof *f32);
    }
}

/* `columns` results of a row, from column `x` on, for one vector of channels. `kernel` and
 * `columns` are constants. */
static inline __attribute__((always_inline)) void
depth_columns(const mm_depth *d, const float *const *rows, size_t y, size_t x, size_t channel,
              const size_t kernel, const int columns) {
    vec sums[4];
    vec bias = load(d->weights + kernel * kernel * d->stride + channel);
    for (int j = 0; j < columns; j++)
        sums[j] = bias;
    for (size_t ky = 0; ky < kernel; ky++)
        for (size_t kx = 0; kx < kernel; kx++) {
            vec w = load(d->weights + (ky * kernel + kx) * d->stride + channel);
            const float *from = rows[ky] + (x * d->step + kx) * d->stride + channel;
            for (int j = 0; j < columns; j++)
                sums[j] += w * load(from + (size_t)j * d->step * d->stride);
        }
    for (int j = 0; j < columns; j++)
        store_depth(d, y * d->result_side + x + (size_t)j, channel, sums[j]);
}

static inline __attribute__((always_inline)) void
depth_row(const mm_depth *d, const float *const *rows, size_t y, const size_t kernel) {
    for (size_t channel = 0; channel < d->outputs; channel += MM_LANES) {
        size_t x = 0;
        for (; x + 4 <= d->result_side; x += 4)
            depth_columns(d, rows, y, x, channel, kernel, 4);
        for (; x < d->result_side; x++)
            depth_columns(d, rows, y, x, channel, kernel, 1);
    }
}

static void depth(const mm_depth *d) {
    size_t kernel = d->kernel, length = (d->result_side - 1) * d->step + kernel;
    size_t next = d->first * d->step; /* row of the padded map that is not loaded yet */
    for (size_t y = d->first; y < d->last; y++) {
        const float *rows[7];
        size_t top = y * d->step;
        if (next < top)
            next = top;
        for (; next < top + kernel; next++)
            load_row(d->scratch + next % kernel * length * d->stride, d, next, length);
        for (size_t ky = 0; ky < kernel; ky++)
            rows[ky] = d->scratch + (top + ky) % kernel * length * d->stride;
        switch (kernel) {
        case 1:
            depth_row(d, rows, y, 1);
            break;
        case 3:
            depth_row(d, rows, y, 3);
            break;
        case 5:
            depth_row(d, rows, y, 5);
            break;
        default:
            depth_row(d, rows, y, 7);
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
