/* weights_plan.c - the list of all that is made from a model's tensors, with where it goes. */
#include "clip/weights_plan.h"

#include "base/error.h"
#include "clip/tower.h"
#include "clip/weights_check.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- For families -------------------------------------------------------------------------- */

static mm_entry *add_entry(mm_plan *p, mm_entry_kind kind) {
    if (p->count == p->capacity) {
        size_t capacity = p->capacity ? 2 * p->capacity : 64;
        mm_entry *grown = realloc(p->entries, capacity * sizeof *grown);
        if (!grown) {
            p->failed = 1;
            p->spare.part_count = 0;
            return &p->spare;
        }
        p->entries = grown;
        p->capacity = capacity;
    }
    mm_entry *e = &p->entries[p->count++];
    *e = (mm_entry){.kind = kind, .tower = p->tower};
    return e;
}

static mm_part *add_part(mm_plan *p, mm_entry *e) {
    mm_part *grown = NULL;
    if (e != &p->spare)
        grown = realloc(e->parts, (e->part_count + 1) * sizeof *grown);
    if (!grown) {
        p->failed = 1;
        return &p->spare_part;
    }
    e->parts = grown;
    mm_part *part = &e->parts[e->part_count++];
    memset(part, 0, sizeof *part);
    return part;
}

static void format(char out[MM_NAME], const char *name, va_list arguments) {
    vsnprintf(out, MM_NAME, name, arguments);
}

void mm_plan_name(char out[MM_NAME], const char *name, ...) {
    va_list arguments;
    va_start(arguments, name);
    format(out, name, arguments);
    va_end(arguments);
}

int mm_plan_has(const mm_plan *p, const char *name, ...) {
    char full[MM_NAME];
    va_list arguments;
    va_start(arguments, name);
    format(full, name, arguments);
    va_end(arguments);
    return mm_safetensors_find(p->set, full) != NULL;
}

/* Gives an entry its place among the vectors. */
static void place(mm_plan *p, mm_entry *e, const float **to, size_t numbers) {
    e->vector = to;
    e->at = p->floats;
    p->floats += (numbers + 15) / 16 * 16;
}

static mm_entry *add_vector(mm_plan *p, const float **to, size_t rank, const size_t shape[2],
                            const char *name) {
    mm_entry *e = add_entry(p, MM_ENTRY_VECTOR);
    mm_part *part = add_part(p, e);
    mm_plan_name(part->weight, "%s", name);
    size_t ones = rank > 2 ? 1 : 0, numbers = 1;
    part->rank = rank;
    part->shape[0] = 1;
    for (size_t i = ones; i < rank; i++)
        numbers *= part->shape[i] = shape[i - ones];
    place(p, e, to, numbers);
    return e;
}

mm_entry *mm_plan_vector(mm_plan *p, const float **to, size_t rank, size_t rows, size_t columns,
                         const char *name, ...) {
    char full[MM_NAME];
    va_list arguments;
    va_start(arguments, name);
    format(full, name, arguments);
    va_end(arguments);
    return add_vector(p, to, rank, (const size_t[2]){rows, columns}, full);
}

void mm_plan_norm(mm_plan *p, mm_norm *to, size_t width, const char *name, ...) {
    char prefix[MM_NAME - 8], full[MM_NAME];
    va_list arguments;
    va_start(arguments, name);
    vsnprintf(prefix, sizeof prefix, name, arguments);
    va_end(arguments);
    mm_plan_name(full, "%s.weight", prefix);
    add_vector(p, &to->weight, 1, (const size_t[2]){width}, full);
    mm_plan_name(full, "%s.bias", prefix);
    add_vector(p, &to->bias, 1, (const size_t[2]){width}, full);
}

mm_entry *mm_plan_matrix(mm_plan *p, mm_matrix **to, size_t outputs, size_t inputs, size_t kernel) {
    mm_entry *e = add_entry(p, MM_ENTRY_MATRIX);
    e->outputs = outputs;
    e->inputs = inputs;
    e->kernel = kernel;
    e->matrix = to;
    return e;
}

size_t mm_depth_stride(size_t channels) {
    return (channels + 15) / 16 * 16;
}

mm_entry *mm_plan_depth(mm_plan *p, const float **to, size_t channels, size_t kernel) {
    mm_entry *e = add_entry(p, MM_ENTRY_DEPTH);
    e->outputs = channels;
    e->inputs = 1;
    e->kernel = kernel;
    e->summed = 1;
    place(p, e, to, (kernel * kernel + 1) * mm_depth_stride(channels));
    return e;
}

mm_part *mm_plan_part(mm_plan *p, mm_entry *e, size_t kernel, const char *name, ...) {
    mm_part *part = add_part(p, e);
    va_list arguments;
    if (name) {
        va_start(arguments, name);
        format(part->weight, name, arguments);
        va_end(arguments);
    }
    part->rank = kernel ? 4 : 2;
    part->shape[0] = e->outputs;
    part->shape[1] = e->inputs;
    part->shape[2] = part->shape[3] = kernel;
    return part;
}

/* ---- Entries ------------------------------------------------------------------------------- */

size_t mm_entry_columns(const mm_entry *e) {
    size_t side = e->kernel ? e->kernel : 1;
    return e->inputs * side * side;
}

size_t mm_entry_rows(const mm_entry *e) {
    return e->summed ? e->outputs : e->outputs * e->part_count;
}

int mm_entry_biased(const mm_entry *e) {
    for (size_t i = 0; i < e->part_count; i++)
        if (e->parts[i].bias[0] || e->parts[i].norm[0])
            return 1;
    return 0;
}

mmood_precision mm_plan_precision(const mm_plan *p, const mm_entry *e) {
    mmood_precision precision = e->tower == MM_TOWER_TEXT ? p->text_precision : p->precision;
    if (precision != MMOOD_PRECISION_INT8 || !e->sensitive)
        return precision;
    return mm_engine_has_bf16() ? MMOOD_PRECISION_BF16 : MMOOD_PRECISION_F32;
}

/* ---- The whole ----------------------------------------------------------------------------- */

mmood_status mm_plan_make(mm_plan *p, mm_weights *w, const mm_clip_config *config,
                          mmood_error *error) {
    w->vision.config = config->vision;
    w->text.config = config->text;
    p->tower = MM_TOWER_TEXT;
    mmood_status status = config->text_family->plan(p, w, config, error);
    p->tower = MM_TOWER_VISION;
    if (status == MMOOD_OK)
        status = config->vision_family->plan(p, w, config, error);
    if (status != MMOOD_OK)
        return status;
    mm_plan_vector(p, &p->scale, 0, 0, 0, "logit_scale");
    if (p->failed)
        return mm_error_set(error, MMOOD_ERROR_MEMORY, "no memory for the list of weights");
    const size_t table[2] = {(size_t)config->vocabulary, (size_t)config->text.width};
    return mm_plan_check(p, table, error);
}

void mm_plan_bind_vectors(const mm_plan *p, const float *vectors) {
    for (size_t i = 0; i < p->count; i++)
        if (p->entries[i].vector)
            *p->entries[i].vector = vectors + p->entries[i].at;
}

void mm_plan_free(mm_plan *p) {
    for (size_t i = 0; i < p->count; i++) {
        if (p->entries[i].matrix)
            mm_matrix_free(*p->entries[i].matrix);
        free(p->entries[i].parts);
    }
    free(p->entries);
    p->entries = NULL;
    p->count = 0;
}
