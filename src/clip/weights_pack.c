/* weights_pack.c - workers that make vectors and packed matrices from tensors, and digests. A
 * tensor's pages are given back when it has been used: in the end only what was made takes memory.
 */
#include "clip/weights_plan.h"

#include "base/error.h"
#include "base/sha256.h"
#include "clip/int8.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Elements of the table of tokens that are looked through at a time. */
enum { MM_SLICE = 1 << 20 };

/* What the workers share. */
typedef struct job {
    const mm_plan *plan;
    int what;
    float *vectors;
    char (*digests)[65]; /* one a tensor of the set */
    size_t slices;       /* of the table of tokens */
    pthread_mutex_t lock;
    size_t next;
    mmood_status status; /* the first failure */
    mmood_error error;
} job;

/* A worker's memory for one entry as f32; grows. */
typedef struct workspace {
    float *values;
    size_t capacity;
} workspace;

static int is_special(float x) {
    uint32_t bits;
    memcpy(&bits, &x, sizeof bits);
    return (bits & 0x7f800000u) == 0x7f800000u;
}

/* Converts `count` elements from `first` on to f32 and refuses what is not finite. */
static mmood_status convert(float *to, const mm_tensor *tensor, size_t first, size_t count,
                            mmood_error *error) {
    mmood_status status = mm_tensor_to_f32(to, tensor, first, count, error);
    if (status != MMOOD_OK)
        return status;
    int bad = 0; /* without a way out, which lets compilers take several at a time */
    for (size_t i = 0; i < count; i++)
        bad |= is_special(to[i]);
    for (size_t i = 0; bad && i < count; i++)
        if (is_special(to[i]))
            return mm_error_set(error, MMOOD_ERROR_NUMERIC,
                                "tensor \"%s\" holds %s at element %zu; the file is damaged or "
                                "training diverged",
                                tensor->name, isnan(to[i]) ? "NaN" : "infinity", first + i);
    return MMOOD_OK;
}

/* Gives back pages of the file from element `first` on. A copy has no file to be read from again.
 */
static void forget_part(const mm_tensor *tensor, size_t first, size_t count) {
    size_t size = mm_dtype_size(tensor->dtype);
    if (!tensor->copied)
        mm_map_forget(tensor->data + first * size, count * size);
}

static void forget(const mm_tensor *tensor) {
    forget_part(tensor, 0, tensor->elements);
}

static const mm_tensor *find(const job *j, const char *name) {
    return mm_safetensors_find(j->plan->set, name);
}

static mmood_status make_vector(const job *j, const mm_entry *e, mmood_error *error) {
    const mm_tensor *tensor = find(j, e->parts[0].weight);
    return convert(j->vectors + e->at, tensor, 0, tensor->elements, error);
}

/* Memory of at least `need` floats. */
static mmood_status reserve(workspace *memory, size_t need, const char *name, mmood_error *error) {
    if (need <= memory->capacity)
        return MMOOD_OK;
    free(memory->values);
    memory->values = malloc(need * sizeof *memory->values);
    memory->capacity = memory->values ? need : 0;
    return memory->values
               ? MMOOD_OK
               : mm_error_set(error, MMOOD_ERROR_MEMORY, "no memory for the tensor \"%s\"", name);
}

/* Where the numbers of an entry go. */
typedef struct target {
    float *values; /* of a part's first output */
    float *bias;   /* [outputs] or NULL */
    size_t output; /* from one output to the next, */
    size_t input;  /*   one input to the next, */
    size_t row;    /*   one row of the kernel to the next, */
    size_t column; /*   and one column to the next */
} target;

/* The target of an entry whose numbers begin at `values`. */
static target aim(const mm_entry *e, float *values) {
    size_t side = e->kernel ? e->kernel : 1, columns = mm_entry_columns(e);
    if (e->kind == MM_ENTRY_DEPTH) {
        size_t stride = mm_depth_stride(e->outputs);
        return (target){values, values + side * side * stride, 1, 0, side * stride, stride};
    }
    float *bias = mm_entry_biased(e) ? values + mm_entry_rows(e) * columns : NULL;
    if (e->pixels_last)
        return (target){values, bias, columns, side * side, side, 1};
    return (target){values, bias, columns, 1, side * e->inputs, e->inputs};
}

/* A factor and a shift per output, from a batch norm, a bias and a gain: the part is
 * factor * weight x + shift. `scratch` is for 5 * outputs numbers. */
static mmood_status read_affine(float *factor, float *shift, float *scratch, const job *j,
                                const mm_entry *e, const mm_part *part, mmood_error *error) {
    static const char *const names[] = {"weight", "bias", "running_mean", "running_var"};
    size_t n = e->outputs;
    float *norm[4];
    mmood_status status = MMOOD_OK;
    for (size_t o = 0; o < n; o++) {
        factor[o] = 1;
        shift[o] = 0;
    }
    if (part->bias[0])
        status = convert(shift, find(j, part->bias), 0, n, error);
    for (size_t i = 0; i < 4 && status == MMOOD_OK && part->norm[0]; i++) {
        char name[MM_NAME + 16];
        snprintf(name, sizeof name, "%s%s", part->norm, names[i]);
        norm[i] = scratch + i * n;
        status = convert(norm[i], find(j, name), 0, n, error);
    }
    for (size_t o = 0; o < n && status == MMOOD_OK && part->norm[0]; o++) {
        double scale = (double)norm[0][o] / sqrt((double)norm[3][o] + e->epsilon);
        if (!isfinite(scale))
            return mm_error_set(error, MMOOD_ERROR_NUMERIC,
                                "tensor \"%srunning_var\" holds %g at element %zu; a variance is "
                                "not negative, so the file is damaged",
                                part->norm, (double)norm[3][o], o);
        factor[o] = (float)scale;
        shift[o] = (float)(((double)shift[o] - (double)norm[2][o]) * scale + (double)norm[1][o]);
    }
    if (status == MMOOD_OK && part->gain[0]) {
        float *gain = scratch + 4 * n;
        status = convert(gain, find(j, part->gain), 0, n, error);
        for (size_t o = 0; o < n && status == MMOOD_OK; o++) {
            factor[o] *= gain[o];
            shift[o] *= gain[o];
        }
    }
    for (size_t o = 0; o < n && part->negative; o++) {
        factor[o] = -factor[o];
        shift[o] = -shift[o];
    }
    return status;
}

/* Adds factor * a part's weights to the target; `plain` is for the tensor's numbers. */
static mmood_status add_weights(const target *to, const float *factor, float *plain, const job *j,
                                const mm_entry *e, const mm_part *part, mmood_error *error) {
    size_t side = part->weight[0] && part->rank == 4 ? part->shape[2] : 1;
    size_t whole = e->kernel ? e->kernel : 1, from = (whole - side) / 2;
    if (!part->weight[0]) {
        for (size_t o = 0; o < e->outputs; o++)
            to->values[o * to->output + o % e->inputs * to->input +
                       from * (to->row + to->column)] += factor[o];
        return MMOOD_OK;
    }
    const mm_tensor *tensor = find(j, part->weight);
    mmood_status status = convert(plain, tensor, 0, tensor->elements, error);
    forget(tensor);
    if (status != MMOOD_OK)
        return status;
    size_t per_output = part->transposed ? 1 : e->inputs * side * side;
    size_t per_input = part->transposed ? e->outputs : side * side;
    for (size_t o = 0; o < e->outputs; o++)
        for (size_t c = 0; c < e->inputs; c++)
            for (size_t y = 0; y < side; y++)
                for (size_t x = 0; x < side; x++)
                    to->values[o * to->output + c * to->input + (from + y) * to->row +
                               (from + x) * to->column] +=
                        factor[o] * plain[o * per_output + c * per_input + y * side + x];
    return MMOOD_OK;
}

/* 1 for a part that is in the file as it is in the target: the bulk of a transformer. */
static int is_plain(const mm_entry *e, const mm_part *part) {
    return !e->summed && part->weight[0] && !part->transposed && !part->norm[0] && !part->gain[0] &&
           !part->negative && (e->kernel == 0 || e->pixels_last);
}

/* The numbers of an entry, whose memory begins at `values` and is zero where it is added to. */
static mmood_status make_numbers(const job *j, const mm_entry *e, float *values, float *scratch,
                                 mmood_error *error) {
    target to = aim(e, values);
    mmood_status status = MMOOD_OK;
    size_t n = e->outputs;
    for (size_t i = 0; i < e->part_count && status == MMOOD_OK; i++) {
        const mm_part *part = &e->parts[i];
        if (is_plain(e, part)) {
            const mm_tensor *tensor = find(j, part->weight);
            status = convert(to.values, tensor, 0, tensor->elements, error);
            forget(tensor);
            if (status == MMOOD_OK && part->bias[0])
                status = convert(to.bias, find(j, part->bias), 0, n, error);
        } else {
            float *factor = scratch, *shift = scratch + n;
            status = read_affine(factor, shift, scratch + 2 * n, j, e, part, error);
            if (status == MMOOD_OK)
                status = add_weights(&to, factor, scratch + 7 * n, j, e, part, error);
            for (size_t o = 0; o < n && to.bias && status == MMOOD_OK; o++)
                to.bias[o] += shift[o];
        }
        if (!e->summed) {
            to.values += n * to.output;
            if (to.bias)
                to.bias += n;
        }
    }
    return status;
}

/* Floats that make_numbers needs besides the numbers. */
static size_t scratch_size(const mm_entry *e) {
    size_t plain = 1;
    for (size_t i = 0; i < e->part_count; i++)
        plain &= (size_t)is_plain(e, &e->parts[i]);
    return plain ? 0 : 7 * e->outputs + e->outputs * mm_entry_columns(e);
}

static mmood_status make_depth(const job *j, const mm_entry *e, workspace *memory,
                               mmood_error *error) {
    mmood_status status = reserve(memory, scratch_size(e), e->parts[0].weight, error);
    return status == MMOOD_OK ? make_numbers(j, e, j->vectors + e->at, memory->values, error)
                              : status;
}

static mmood_status make_matrix(const job *j, const mm_entry *e, workspace *memory,
                                mmood_error *error) {
    const mm_plan *p = j->plan;
    size_t outputs = mm_entry_rows(e), inputs = mm_entry_columns(e);
    size_t numbers = outputs * (inputs + (size_t)mm_entry_biased(e)), scratch = scratch_size(e);
    mmood_status status = reserve(memory, numbers + scratch, e->parts[0].weight, error);
    if (status != MMOOD_OK)
        return status;
    float *values = memory->values;
    if (scratch)
        memset(values, 0, numbers * sizeof *values);
    status = make_numbers(j, e, values, values + numbers, error);
    if (status != MMOOD_OK)
        return status;
    mm_matrix *matrix;
    const float *bias = mm_entry_biased(e) ? values + outputs * inputs : NULL;
    mmood_precision precision = mm_plan_precision(p, e);
    status = precision == MMOOD_PRECISION_INT8 ? mm_int8_pack(&matrix, p->engine, mm_kernels_get(),
                                                              values, bias, inputs, outputs, error)
                                               : mm_matrix_pack(&matrix, p->engine, values, bias,
                                                                inputs, outputs, precision, error);
    if (status == MMOOD_OK) {
        mm_matrix_free(*e->matrix); /* a view over bytes that turned out damaged, or nothing */
        *e->matrix = matrix;
    }
    return status;
}

static mmood_status make_entry(const job *j, const mm_entry *e, workspace *memory,
                               mmood_error *error) {
    if (e->kind == MM_ENTRY_MATRIX) {
        int wanted = e->tower == MM_TOWER_TEXT ? MM_RUN_TEXT : MM_RUN_VISION;
        return j->what & wanted ? make_matrix(j, e, memory, error) : MMOOD_OK;
    }
    if (!(j->what & MM_RUN_VECTORS))
        return MMOOD_OK;
    return e->kind == MM_ENTRY_DEPTH ? make_depth(j, e, memory, error) : make_vector(j, e, error);
}

static void digest_tensor(char out[65], const mm_tensor *tensor) {
    char shape[256] = "[";
    size_t used = 1;
    mm_sha256 hash;
    mm_sha256_init(&hash);
    for (int i = 0; i < tensor->rank; i++)
        used += (size_t)snprintf(shape + used, sizeof shape - used, "%s%zu", i ? ", " : "",
                                 tensor->shape[i]);
    snprintf(shape + used, sizeof shape - used, "]");
    mm_sha256_update(&hash, tensor->name, strlen(tensor->name) + 1);
    mm_sha256_update(&hash, mm_dtype_name(tensor->dtype), strlen(mm_dtype_name(tensor->dtype)));
    mm_sha256_update(&hash, shape, strlen(shape));
    mm_sha256_update(&hash, tensor->data, tensor->elements * mm_dtype_size(tensor->dtype));
    mm_sha256_finish(out, &hash);
    forget(tensor);
}

/* The token table stays in the file, so it is only looked through. */
static mmood_status check_tokens(const mm_tensor *tensor, size_t slice, mmood_error *error) {
    float row[4096];
    size_t at = slice * MM_SLICE;
    size_t end = tensor->elements - at < MM_SLICE ? tensor->elements : at + MM_SLICE;
    mmood_status status = MMOOD_OK;
    while (at < end && status == MMOOD_OK) {
        size_t n = end - at < sizeof row / sizeof *row ? end - at : sizeof row / sizeof *row;
        status = convert(row, tensor, at, n, error);
        at += n;
    }
    forget_part(tensor, slice * MM_SLICE, end - slice * MM_SLICE);
    return status;
}

/* The table is by far the largest tensor, so it comes first; nobody waits for it in the end. */
static mmood_status work_unit(const job *j, size_t unit, workspace *memory, mmood_error *error) {
    if (unit < j->slices)
        return check_tokens(j->plan->tokens, unit, error);
    unit -= j->slices;
    size_t tensors = j->digests ? mm_safetensors_count(j->plan->set) : 0;
    if (j->digests && unit == 0)
        for (size_t i = 0; i < tensors; i++)
            if (mm_safetensors_at(j->plan->set, i) == j->plan->tokens)
                digest_tensor(j->digests[i], j->plan->tokens);
    if (unit < tensors) {
        const mm_tensor *tensor = mm_safetensors_at(j->plan->set, unit);
        if (tensor != j->plan->tokens)
            digest_tensor(j->digests[unit], tensor);
        return MMOOD_OK;
    }
    return make_entry(j, &j->plan->entries[unit - tensors], memory, error);
}

static int take(job *j, size_t count, size_t *out) {
    pthread_mutex_lock(&j->lock);
    int more = j->status == MMOOD_OK && j->next < count;
    if (more)
        *out = j->next++;
    pthread_mutex_unlock(&j->lock);
    return more;
}

static void work(void *context, int worker) {
    job *j = context;
    size_t count = j->slices + j->plan->count, unit;
    if (j->digests)
        count += mm_safetensors_count(j->plan->set);
    workspace memory = {NULL, 0};
    (void)worker;
    mm_engine_use_one_thread();
    while (take(j, count, &unit)) {
        mmood_error error;
        mmood_status status = work_unit(j, unit, &memory, &error);
        if (status == MMOOD_OK)
            continue;
        pthread_mutex_lock(&j->lock);
        if (j->status == MMOOD_OK) {
            j->status = status;
            j->error = error;
        }
        pthread_mutex_unlock(&j->lock);
    }
    free(memory.values);
}

mmood_status mm_plan_run(const mm_plan *p, int what, float *vectors, char digest[65], mm_pool *pool,
                         mmood_error *error) {
    job j = {.plan = p, .what = what, .vectors = vectors};
    size_t size = mm_safetensors_count(p->set) * sizeof *j.digests;
    if (what & MM_RUN_DIGEST) {
        j.digests = malloc(size);
        if (!j.digests)
            return mm_error_set(error, MMOOD_ERROR_MEMORY, "no memory for the weights' digests");
    }
    if (what & MM_RUN_VECTORS)
        j.slices = (p->tokens->elements + MM_SLICE - 1) / MM_SLICE;
    pthread_mutex_init(&j.lock, NULL);
    mm_pool_run(pool, mm_pool_size(pool), work, &j);
    pthread_mutex_destroy(&j.lock);
    if (j.status == MMOOD_OK && j.digests)
        mm_sha256_of(digest, j.digests, size);
    free(j.digests);
    if (j.status != MMOOD_OK && error)
        *error = j.error;
    return j.status;
}
