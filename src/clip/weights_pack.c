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

static mmood_status make_vector(const job *j, const mm_entry *e, mmood_error *error) {
    const mm_tensor *tensor = mm_safetensors_find(j->plan->set, e->weight[0]);
    return convert(j->vectors + e->at, tensor, 0, tensor->elements, error);
}

static mmood_status make_matrix(const job *j, const mm_entry *e, workspace *room,
                                mmood_error *error) {
    const mm_plan *p = j->plan;
    const mm_tensor *tensor = mm_safetensors_find(p->set, e->weight[0]);
    size_t each = tensor->elements, outputs = e->shape[0];
    size_t need = (each + outputs) * e->parts;
    if (need > room->capacity) {
        free(room->values);
        room->values = malloc(need * sizeof *room->values);
        room->capacity = room->values ? need : 0;
        if (!room->values)
            return mm_error_set(error, MMOOD_ERROR_MEMORY, "no memory for the tensor \"%s\"",
                                e->weight[0]);
    }
    float *values = room->values, *bias = e->bias[0][0] ? values + each * e->parts : NULL;
    mmood_status status = MMOOD_OK;
    for (size_t part = 0; part < e->parts && status == MMOOD_OK; part++) {
        tensor = mm_safetensors_find(p->set, e->weight[part]);
        status = convert(values + part * each, tensor, 0, each, error);
        forget(tensor);
        if (status == MMOOD_OK && bias)
            status = convert(bias + part * outputs, mm_safetensors_find(p->set, e->bias[part]), 0,
                             outputs, error);
    }
    if (status != MMOOD_OK)
        return status;
    mm_matrix *matrix;
    mmood_precision precision = mm_plan_precision(p, e);
    status = precision == MMOOD_PRECISION_INT8
                 ? mm_int8_pack(&matrix, p->engine, mm_kernels_get(), values, bias, each / outputs,
                                outputs * e->parts, error)
                 : mm_matrix_pack(&matrix, p->engine, values, bias, each / outputs,
                                  outputs * e->parts, precision, error);
    if (status == MMOOD_OK) {
        mm_matrix_free(*e->matrix); /* a view over bytes that turned out damaged, or nothing */
        *e->matrix = matrix;
    }
    return status;
}

static mmood_status make_entry(const job *j, const mm_entry *e, workspace *room,
                               mmood_error *error) {
    if (e->vector)
        return j->what & MM_RUN_VECTORS ? make_vector(j, e, error) : MMOOD_OK;
    int wanted = e->tower == MM_TOWER_TEXT ? MM_RUN_TEXT : MM_RUN_VISION;
    return j->what & wanted ? make_matrix(j, e, room, error) : MMOOD_OK;
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
static mmood_status work_unit(const job *j, size_t unit, workspace *room, mmood_error *error) {
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
    return make_entry(j, &j->plan->entries[unit - tensors], room, error);
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
    workspace room = {NULL, 0};
    (void)worker;
    mm_engine_use_one_thread();
    while (take(j, count, &unit)) {
        mmood_error error;
        mmood_status status = work_unit(j, unit, &room, &error);
        if (status == MMOOD_OK)
            continue;
        pthread_mutex_lock(&j->lock);
        if (j->status == MMOOD_OK) {
            j->status = status;
            j->error = error;
        }
        pthread_mutex_unlock(&j->lock);
    }
    free(room.values);
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
