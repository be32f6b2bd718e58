/* pipeline.c - decoding ahead of embedding. Picture i belongs to window i / size, and that to slot
 * window % 2. Decoding threads take pictures in order and may be one window ahead of the one that
 * is embedded; the caller's thread waits for a window to be whole and embeds it. */
#include "eval/pipeline.h"

#include "base/cpus.h"
#include "base/error.h"
#include "base/file.h"
#include "base/sha256.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

enum { SLOTS = 2 };

typedef struct mm_pipeline_queue {
    pthread_mutex_t lock;
    pthread_cond_t room;  /* a slot was freed, or the end */
    pthread_cond_t ready; /* a window is whole */
    char *const *paths;
    size_t count;
    size_t next; /* picture to be decoded */
    size_t end;  /* pictures before this one have a slot */
    int stopping;
    mm_pipeline_slot slots[SLOTS];
} mm_pipeline_queue;

static void slot_free(mm_pipeline_slot *slot) {
    free(slot->crops);
    free(slot->known);
    free(slot->status);
    free(slot->errors);
    free(slot->hashes);
    free(slot->found);
}

static int slot_reserve(mm_pipeline_slot *slot, const mm_pipeline *p) {
    size_t window = p->options.window;
    slot->crops = malloc(window * p->crop_size);
    slot->status = calloc(window, sizeof *slot->status);
    slot->errors = calloc(window, sizeof *slot->errors);
    slot->hashes = calloc(window, sizeof *slot->hashes);
    slot->found = calloc(window, sizeof *slot->found);
    if (p->options.find)
        slot->known = malloc(window * p->dimension * sizeof *slot->known);
    return slot->crops && slot->status && slot->errors && slot->hashes && slot->found &&
           (!p->options.find || slot->known);
}

mmood_status mm_pipeline_create(mm_pipeline *out, mmood_session *session,
                                const mm_pipeline_options *options, mmood_error *error) {
    mmood_model_info info;
    mmood_model_describe(mmood_session_model(session), &info);
    size_t window = options->window, dimension = (size_t)info.dimension;
    size_t crop_size = (size_t)info.preprocess.crop_width * (size_t)info.preprocess.crop_height * 3;
    *out = (mm_pipeline){.options = *options,
                         .preprocess = info.preprocess,
                         .session = session,
                         .dimension = dimension,
                         .crop_size = crop_size};
    out->rows = malloc(window * dimension * sizeof *out->rows);
    if (options->patches) {
        out->patch_count = (size_t)info.patches;
        out->patch_rows = malloc(window * out->patch_count * dimension * sizeof *out->patch_rows);
    }
    out->queue = calloc(1, sizeof *out->queue);
    if (out->queue) {
        pthread_mutex_init(&out->queue->lock, NULL);
        pthread_cond_init(&out->queue->room, NULL);
        pthread_cond_init(&out->queue->ready, NULL);
    }
    int reserved = out->rows && (!options->patches || out->patch_rows) && out->queue;
    for (int i = 0; i < SLOTS && reserved; i++)
        reserved = slot_reserve(&out->queue->slots[i], out);
    mmood_status status =
        reserved ? mm_pool_create(&out->pool,
                                  options->threads > 0 ? options->threads : mm_cpu_count(), error)
                 : mm_error_set(error, MMOOD_ERROR_MEMORY, "no memory for %zu pictures at a time",
                                window);
    if (status != MMOOD_OK)
        mm_pipeline_free(out);
    return status;
}

void mm_pipeline_stop(mm_pipeline *p) {
    if (!p->pool)
        return;
    pthread_mutex_lock(&p->queue->lock);
    p->queue->stopping = 1;
    pthread_cond_broadcast(&p->queue->room);
    pthread_mutex_unlock(&p->queue->lock);
    mm_pool_wait(p->pool);
}

void mm_pipeline_free(mm_pipeline *p) {
    mm_pipeline_stop(p);
    mm_pool_free(p->pool);
    if (p->queue) {
        for (int i = 0; i < SLOTS; i++)
            slot_free(&p->queue->slots[i]);
        pthread_cond_destroy(&p->queue->ready);
        pthread_cond_destroy(&p->queue->room);
        pthread_mutex_destroy(&p->queue->lock);
    }
    free(p->queue);
    free(p->rows);
    free(p->patch_rows);
    *p = (mm_pipeline){0};
}

/* ---- Decoding ------------------------------------------------------------------------------ */

static mmood_status hash_file(mm_pipeline_slot *slot, size_t i, const char *path) {
    mm_map map;
    char hex[65];
    mmood_status status = mm_map_open(&map, path, &slot->errors[i]);
    if (status != MMOOD_OK)
        return status;
    mm_sha256_of(hex, map.data, map.size);
    mm_map_close(&map);
    mm_hash_parse(slot->hashes[i], hex);
    return MMOOD_OK;
}

static mmood_status load(const mm_pipeline *p, mm_pipeline_slot *slot, size_t i, const char *path) {
    mmood_image *image;
    mmood_status status =
        mmood_image_load_for(&image, path, &p->preprocess, &p->options.image, &slot->errors[i]);
    if (status == MMOOD_OK)
        status = mmood_image_preprocess(slot->crops + i * p->crop_size, p->crop_size, image,
                                        &p->preprocess, &slot->errors[i]);
    mmood_image_free(image);
    return status;
}

/* Picture `i` of a slot: known, or decoded and cut to size, or failed. */
static void prepare(const mm_pipeline *p, mm_pipeline_slot *slot, size_t i, const char *path) {
    const mm_pipeline_options *options = &p->options;
    slot->status[i] = options->hashes ? hash_file(slot, i, path) : MMOOD_OK;
    slot->found[i] =
        slot->status[i] == MMOOD_OK && options->find &&
        options->find(options->context, slot->hashes[i], slot->known + i * p->dimension);
    if (slot->status[i] == MMOOD_OK && !slot->found[i])
        slot->status[i] = load(p, slot, i, path);
}

static void decode(void *context, int worker) {
    mm_pipeline *p = context;
    mm_pipeline_queue *q = p->queue;
    size_t window = p->options.window;
    (void)worker;
    pthread_mutex_lock(&q->lock);
    for (;;) {
        while (!q->stopping && q->next < q->count && q->next >= q->end)
            pthread_cond_wait(&q->room, &q->lock);
        if (q->stopping || q->next >= q->count)
            break;
        size_t i = q->next++;
        mm_pipeline_slot *slot = &q->slots[i / window % SLOTS];
        pthread_mutex_unlock(&q->lock);
        prepare(p, slot, i % window, q->paths[i]);
        pthread_mutex_lock(&q->lock);
        if (--slot->left == 0)
            pthread_cond_signal(&q->ready);
    }
    pthread_mutex_unlock(&q->lock);
}

/* Gives pictures [q->end, q->end + window) the slot that is their turn. */
static void open_slot(mm_pipeline_queue *q, size_t window) {
    size_t left = q->end < q->count ? q->count - q->end : 0;
    q->slots[q->end / window % SLOTS].left = left < window ? left : window;
    q->end += window;
}

void mm_pipeline_start(mm_pipeline *p, char *const *paths, size_t count) {
    mm_pipeline_queue *q = p->queue;
    size_t threads = (size_t)mm_pool_size(p->pool);
    mm_pipeline_stop(p);
    q->paths = paths;
    q->count = count;
    q->next = q->end = 0;
    q->stopping = 0;
    p->first = p->count = 0;
    for (int i = 0; i < SLOTS; i++)
        open_slot(q, p->options.window);
    mm_pool_start(p->pool, (int)(count < threads ? count : threads), decode, p);
}

/* ---- Embedding ----------------------------------------------------------------------------- */

/* Puts the rows of fresh pictures and those that `find` gave together, in order. */
static void merge(mm_pipeline *p, const mm_pipeline_slot *slot, const float *rows,
                  const float *patches) {
    size_t d = p->dimension, step = p->patch_count * d, row = 0, next = 0;
    for (size_t i = 0; i < p->count; i++) {
        if (slot->status[i] != MMOOD_OK)
            continue;
        const float *from = slot->found[i] ? slot->known + i * d : rows + next * d;
        memcpy(p->rows + row * d, from, d * sizeof *rows);
        if (patches && !slot->found[i])
            memcpy(p->patch_rows + row * step, patches + next * step, step * sizeof *patches);
        next += !slot->found[i];
        row++;
    }
}

/* Embeds the pictures of a whole window that `find` did not know: in their places at once if it
 * knew none, else beside. */
static mmood_status embed(mm_pipeline *p, const mm_pipeline_slot *slot, mmood_error *error) {
    size_t d = p->dimension, step = p->patch_count * d, fresh = 0;
    const uint8_t **crops = malloc(p->count * sizeof *crops);
    if (!crops)
        return mm_error_set(error, MMOOD_ERROR_MEMORY, "no memory for a list of pictures");
    p->good = 0;
    for (size_t i = 0; i < p->count; i++) {
        p->good += slot->status[i] == MMOOD_OK;
        if (slot->status[i] == MMOOD_OK && !slot->found[i])
            crops[fresh++] = slot->crops + i * p->crop_size;
    }
    int beside = fresh < p->good;
    float *rows = beside ? malloc((fresh + 1) * d * sizeof *rows) : p->rows;
    float *patches =
        beside && p->patch_rows ? malloc((fresh + 1) * step * sizeof *patches) : p->patch_rows;
    mmood_status status = MMOOD_OK;
    if (!rows || (p->patch_rows && !patches))
        status = mm_error_set(error, MMOOD_ERROR_MEMORY, "no memory for %zu embeddings", fresh);
    else if (patches)
        status = mmood_session_embed_patches(rows, patches, p->session, crops, fresh, error);
    else
        status = mmood_session_embed_images(rows, p->session, crops, fresh, error);
    if (status == MMOOD_OK && beside)
        merge(p, slot, rows, patches);
    if (beside) {
        free(rows);
        free(patches);
    }
    free(crops);
    return status;
}

mmood_status mm_pipeline_next(mm_pipeline *p, mmood_error *error) {
    mm_pipeline_queue *q = p->queue;
    size_t window = p->options.window;
    pthread_mutex_lock(&q->lock);
    if (p->count > 0) { /* the caller is done with the window before */
        open_slot(q, window);
        pthread_cond_broadcast(&q->room);
    }
    p->first += p->count;
    size_t left = q->count - p->first;
    p->count = left < window ? left : window;
    mm_pipeline_slot *slot = &q->slots[p->first / window % SLOTS];
    while (p->count > 0 && slot->left > 0)
        pthread_cond_wait(&q->ready, &q->lock);
    pthread_mutex_unlock(&q->lock);
    if (p->count == 0)
        return MMOOD_OK;
    p->embeddings = p->rows;
    p->patches = p->patch_rows;
    p->status = slot->status;
    p->errors = slot->errors;
    p->hashes = (const uint8_t(*)[32])slot->hashes;
    p->found = slot->found;
    return embed(p, slot, error);
}
