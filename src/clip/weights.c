/* weights.c - a CLIP model's weights: packed here, or mapped from a folder where they were kept. */
#include "clip/weights_plan.h"

#include "base/error.h"
#include "clip/convnet.h"
#include "clip/store.h"
#include "clip/tower.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Changes whenever anything but oneDNN packs weights otherwise, as int8.c does. */
enum { MM_PACKING = 2 };

/* The stored value is a logarithm: about 4.6 in trained models. */
static mmood_status check_scale(float scale, mmood_error *error) {
    if (fabsf(scale) <= 80)
        return MMOOD_OK;
    if (scale > 80)
        return mm_error_set(error, MMOOD_ERROR_NUMERIC,
                            "tensor \"logit_scale\" is %g; its logarithm is stored, from -80 to 80 "
                            "(4.6 in trained models): if the file stores the scale plainly (100 in "
                            "trained models), replace it by its logarithm, %.4g, else the file is "
                            "damaged",
                            (double)scale, log((double)scale));
    return mm_error_set(
        error, MMOOD_ERROR_NUMERIC,
        "tensor \"logit_scale\" is %g; its logarithm is stored, from -80 to 80 (4.6 "
        "in trained models), and the scale itself is never below 0: the file is "
        "damaged",
        (double)scale);
}

/* ---- Kept weights -------------------------------------------------------------------------- */

/* A file of packed weights, mapped and understood. */
typedef struct kept_file {
    mm_map map;
    mm_packed *packed;
    mm_matrix **views; /* one an entry of the plan; NULL for vectors */
} kept_file;

static void kept_free(kept_file *k, size_t count) {
    for (size_t i = 0; k->views && i < count; i++)
        mm_matrix_free(k->views[i]);
    free(k->views);
    mm_packed_free(k->packed);
    mm_map_close(&k->map);
    *k = (kept_file){0};
}

/* What an entry's matrix must be. */
static int entry_fits(const mm_plan *p, const mm_entry *e, const mm_matrix_image *image) {
    return image->inputs == mm_entry_columns(e) && image->outputs == mm_entry_rows(e) &&
           image->precision == mm_plan_precision(p, e) &&
           (image->sections[MM_SECTION_BIAS].size != 0) == mm_entry_biased(e);
}

/* Views over the records, which must be the plan's: vectors first, then matrix by matrix. */
static mmood_status view_all(kept_file *k, const mm_plan *p, mmood_error *error) {
    const mm_packed_record *record = k->packed->records, *end = record + k->packed->count;
    k->views = calloc(p->count, sizeof *k->views);
    if (!k->views)
        return mm_error_set(error, MMOOD_ERROR_MEMORY, "no memory for views of packed weights");
    if (record->image.sections[MM_SECTION_WEIGHTS].size != p->floats * sizeof(float))
        return mm_error_set(error, MMOOD_ERROR_MISMATCH, "the vectors have another size");
    if (!mm_packed_check(record))
        return mm_error_set(error, MMOOD_ERROR_FORMAT, "the vectors have changed");
    record++;
    mmood_status status = MMOOD_OK;
    for (size_t i = 0; i < p->count && status == MMOOD_OK; i++) {
        if (!p->entries[i].matrix)
            continue;
        if (record == end || !entry_fits(p, &p->entries[i], &record->image))
            return mm_error_set(error, MMOOD_ERROR_MISMATCH, "the matrices are of another model");
        status = mm_matrix_view(&k->views[i], p->engine, &record++->image, error);
    }
    if (status == MMOOD_OK && record != end)
        status = mm_error_set(error, MMOOD_ERROR_MISMATCH, "there are too many matrices");
    return status;
}

/* Takes kept weights into use, in place of what is there. Pages are read when they are needed. */
static mmood_status use_kept(mm_weights *w, const char *path, const char *key, mmood_error *error) {
    struct mm_weights_state *state = w->state;
    const mm_plan *p = &state->plan;
    kept_file k = {0};
    mmood_status status = mm_map_open(&k.map, path, error);
    if (status == MMOOD_OK)
        status = mm_packed_parse(&k.packed, k.map.data, k.map.size, key, error);
    if (status == MMOOD_OK)
        status = view_all(&k, p, error);
    char *copy = status == MMOOD_OK ? strdup(path) : NULL;
    if (status == MMOOD_OK && !copy)
        status = mm_error_set(error, MMOOD_ERROR_MEMORY, "no memory for a path");
    if (status != MMOOD_OK) {
        kept_free(&k, p->count);
        return status;
    }
    for (size_t i = 0; i < p->count; i++)
        if (p->entries[i].matrix) {
            mm_matrix_free(*p->entries[i].matrix);
            *p->entries[i].matrix = k.views[i];
        }
    free(k.views);
    free(state->vectors);
    state->vectors = NULL;
    mm_plan_bind_vectors(p, k.packed->records[0].image.sections[MM_SECTION_WEIGHTS].data);
    state->map = k.map;
    state->packed = k.packed;
    state->path = copy;
    return MMOOD_OK;
}

/* Writes what was packed. */
static mmood_status keep(const mm_weights *w, const char *path, const char *key,
                         mmood_error *error) {
    const mm_plan *p = &w->state->plan;
    mm_packed_record *records = calloc(p->count + 1, sizeof *records);
    if (!records)
        return mm_error_set(error, MMOOD_ERROR_MEMORY, "no memory to write packed weights");
    records[0].image = (mm_matrix_image){.inputs = p->floats, .precision = MMOOD_PRECISION_F32};
    records[0].image.sections[MM_SECTION_WEIGHTS] =
        (mm_bytes){w->state->vectors, p->floats * sizeof *w->state->vectors};
    size_t count = 1;
    for (size_t i = 0; i < p->count; i++)
        if (p->entries[i].matrix)
            mm_matrix_describe(&records[count++].image, *p->entries[i].matrix);
    mmood_status status = mm_packed_write(path, key, records, count, error);
    free(records);
    return status;
}

/* What the workers that check a tower's kept matrices share. */
typedef struct check {
    const struct mm_weights_state *state;
    mm_tower_kind tower;
    pthread_mutex_t lock;
    size_t next_entry;
    size_t next_record;
    int damaged;
} check;

/* The record of the tower's next matrix; NULL when there is none. */
static const mm_packed_record *next_record(check *c) {
    const mm_plan *p = &c->state->plan;
    const mm_packed_record *found = NULL;
    pthread_mutex_lock(&c->lock);
    for (; !found && !c->damaged && c->next_entry < p->count; c->next_entry++)
        if (p->entries[c->next_entry].matrix) {
            const mm_packed_record *record = &c->state->packed->records[1 + c->next_record++];
            if (p->entries[c->next_entry].tower == c->tower)
                found = record;
        }
    pthread_mutex_unlock(&c->lock);
    return found;
}

static void check_work(void *context, int worker) {
    check *c = context;
    (void)worker;
    for (const mm_packed_record *record; (record = next_record(c));)
        if (!mm_packed_check(record)) {
            pthread_mutex_lock(&c->lock);
            c->damaged = 1;
            pthread_mutex_unlock(&c->lock);
        }
}

static int tower_is_sound(const struct mm_weights_state *state, mm_tower_kind tower,
                          mm_pool *pool) {
    check c = {.state = state, .tower = tower};
    pthread_mutex_init(&c.lock, NULL);
    mm_pool_run(pool, mm_pool_size(pool), check_work, &c);
    pthread_mutex_destroy(&c.lock);
    return !c.damaged;
}

mmood_status mm_weights_ready(const mm_weights *w, mm_tower_kind tower, mm_pool *pool,
                              mmood_error *error) {
    struct mm_weights_state *state = w->state;
    mmood_status status = MMOOD_OK;
    if (atomic_load(&state->ready[tower]))
        return MMOOD_OK;
    pthread_mutex_lock(&state->lock);
    if (!atomic_load(&state->ready[tower]) && state->packed &&
        !tower_is_sound(state, tower, pool)) {
        mm_note_say(&state->note,
                    "%s has changed since it was written; the weights are packed anew",
                    state->path);
        unlink(state->path);
        status = mm_plan_run(&state->plan, tower == MM_TOWER_TEXT ? MM_RUN_TEXT : MM_RUN_VISION,
                             NULL, NULL, pool, error);
    }
    if (status == MMOOD_OK)
        atomic_store(&state->ready[tower], 1);
    pthread_mutex_unlock(&state->lock);
    return status;
}

/* ---- Loading ------------------------------------------------------------------------------- */

/* Makes all from the tensors, and the digest if it is not known. */
static mmood_status make_all(mm_weights *w, mm_pool *pool, mmood_error *error) {
    struct mm_weights_state *state = w->state;
    state->vectors = aligned_alloc(64, state->plan.floats * sizeof *state->vectors);
    if (!state->vectors)
        return mm_error_set(error, MMOOD_ERROR_MEMORY, "no memory for the model's vectors");
    memset(state->vectors, 0, state->plan.floats * sizeof *state->vectors);
    mm_plan_bind_vectors(&state->plan, state->vectors);
    int what = w->digest[0] ? MM_RUN_ALL & ~MM_RUN_DIGEST : MM_RUN_ALL;
    return mm_plan_run(&state->plan, what, state->vectors, w->digest, pool, error);
}

/* The digest, remembered or not. */
static mmood_status find_digest(mm_weights *w, const mm_store *store, time_t opened, mm_pool *pool,
                                mmood_error *error) {
    mmood_error trouble;
    if (mm_store_recall(w->digest, store)) {
        mm_store_touch(store->memo);
        return MMOOD_OK;
    }
    mmood_status status = mm_plan_run(&w->state->plan, MM_RUN_DIGEST, NULL, w->digest, pool, error);
    if (status == MMOOD_OK && mm_store_remember(store, w->digest, opened, &trouble) != MMOOD_OK)
        mm_note_say(&w->state->note, "%s", trouble.message);
    return status;
}

static mmood_status load_kept(mm_weights *w, const mm_weights_source *source, const mm_store *store,
                              const char *path, const char *key, mm_pool *pool,
                              mmood_error *error) {
    mmood_error trouble;
    const mm_note *note = &w->state->note;
    if (use_kept(w, path, key, &trouble) == MMOOD_OK) {
        mm_store_touch(path);
        mm_note_say(note, "packed weights are mapped from %s", path);
        return MMOOD_OK;
    }
    if (mm_file_exists(path))
        mm_note_say(note, "%s: %s; the weights are packed anew", path, trouble.message);
    mmood_status status = make_all(w, pool, error);
    if (status == MMOOD_OK)
        status = check_scale(*w->state->plan.scale, error);
    if (status != MMOOD_OK)
        return status;
    mmood_status kept = keep(w, path, key, &trouble);
    if (kept == MMOOD_OK) {
        mm_store_trim(store->folder, path, MM_STORE_BYTES, source->opened);
        kept = use_kept(w, path, key, &trouble); /* others share it, and it need not be swapped */
    }
    if (kept == MMOOD_OK)
        mm_note_say(note, "packed weights are kept in %s", path);
    else
        mm_note_say(note, "packed weights are not kept: %s: %s", path, trouble.message);
    return MMOOD_OK;
}

/* By way of the folder. */
static mmood_status load_stored(mm_weights *w, const mm_weights_source *source, mm_store *store,
                                mm_pool *pool, mmood_error *error) {
    const mm_clip_config *config = source->config;
    char engine[128], name[128];
    mmood_status status = find_digest(w, store, source->opened, pool, error);
    if (status != MMOOD_OK)
        return status;
    mm_engine_describe(engine, sizeof engine);
    const char *precision = mmood_precision_name(source->precision);
    snprintf(name, sizeof name, "%s-%d-%d-w%d-%s", config->vision_family->name, config->image_size,
             config->patch_size, config->vision.width, precision);
    mm_buffer key = {0};
    mm_buffer_printf(&key, "weights %s, %s%s%s, texts %s, packing %d, %s", w->digest, config->trunk,
                     config->trunk[0] ? ", " : "", precision,
                     mmood_precision_name(source->text_precision), (int)MM_PACKING, engine);
    char *path = key.failed ? NULL : mm_store_path(store->folder, name, key.data);
    status = path ? load_kept(w, source, store, path, key.data, pool, error)
                  : mm_error_set(error, MMOOD_ERROR_MEMORY, "no memory for a path");
    free(path);
    mm_buffer_free(&key);
    return status;
}

static mm_weights *weights_create(const mm_weights_source *source) {
    mm_weights *w = calloc(1, sizeof *w);
    if (w)
        w->state = calloc(1, sizeof *w->state);
    if (!w || !w->state) {
        free(w);
        return NULL;
    }
    w->state->plan = (mm_plan){.set = source->set,
                               .engine = source->engine,
                               .precision = source->precision,
                               .text_precision = source->text_precision,
                               .by_open_clip = source->config->text.naming == MM_NAMING_OPEN_CLIP};
    w->state->note = source->note;
    pthread_mutex_init(&w->state->lock, NULL);
    return w;
}

mmood_status mm_weights_load(mm_weights **out, const mm_weights_source *source, mm_pool *pool,
                             mmood_error *error) {
    *out = NULL;
    mm_weights *w = weights_create(source);
    if (!w)
        return mm_error_set(error, MMOOD_ERROR_MEMORY, "no memory for the model's weights");
    mmood_status status = mm_plan_make(&w->state->plan, w, source->config, error);
    mm_store store = {0};
    if (status == MMOOD_OK && source->folder) {
        mmood_error trouble;
        if (mm_store_open(&store, source->folder, source->directory, source->set, &trouble) ==
            MMOOD_OK)
            status = load_stored(w, source, &store, pool, error);
        else
            mm_note_say(&w->state->note, "packed weights are not kept: %s", trouble.message);
        mm_store_free(&store);
    }
    if (status == MMOOD_OK && !w->state->vectors && !w->state->packed)
        status = make_all(w, pool, error);
    if (status == MMOOD_OK)
        status = check_scale(*w->state->plan.scale, error);
    if (status == MMOOD_OK) {
        w->logit_scale = *w->state->plan.scale;
        w->tokens = w->state->plan.tokens;
        *out = w;
    } else {
        mm_weights_free(w);
    }
    return status;
}

/* ---- Memory -------------------------------------------------------------------------------- */

size_t mm_weights_bytes(const mm_weights *weights) {
    const mm_plan *p = &weights->state->plan;
    size_t bytes = p->floats * sizeof(float);
    for (size_t i = 0; i < p->count; i++)
        if (p->entries[i].matrix)
            bytes += mm_matrix_bytes(*p->entries[i].matrix);
    return bytes;
}

void mm_weights_free(mm_weights *weights) {
    if (!weights)
        return;
    struct mm_weights_state *state = weights->state;
    mm_plan_free(&state->plan); /* with all matrices */
    free(weights->vision.blocks);
    free(weights->text.blocks);
    mm_convnet_free(weights->net);
    free(state->vectors);
    mm_packed_free(state->packed);
    mm_map_close(&state->map);
    free(state->path);
    pthread_mutex_destroy(&state->lock);
    free(state);
    free(weights);
}
