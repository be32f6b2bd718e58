/* session.c - embedding pictures, their patches and texts: cuts the work into chunks of rows that
 * stay in cache and hands them to workers, one worker a chunk; a single item is shared by a team of
 * all workers. */
#include "base/cpus.h"
#include "base/error.h"
#include "base/pool.h"
#include "clip/tower.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Rows of one chunk: enough that packed weights, read once a chunk, cost little; few enough that
 * the activations stay in the outer cache. A multiple of MM_ROW_STEP. */
enum { MM_CHUNK_ROWS = 400 };

/* Below so many rows a worker, a team that shares rows loses more by waiting for each other than it
 * gains; and one that shares outputs, below so many multiplications a worker in a product of the
 * tower's width. */
enum { MM_TEAM_ROWS = 24, MM_TEAM_WORK = 1 << 22 };

/* Below so many rows a worker, sharing outputs is faster than sharing rows: oneDNN multiplies few
 * rows with all weights as slowly as it reads them. */
enum { MM_OUTPUTS_ROWS = 64 };

struct mmood_session {
    const mmood_model *model;
    mm_pool *pool;
    int workers;
    mm_barrier barrier; /* of a team */
    size_t rows;        /* room in each worker's activations, a multiple of MM_ROW_STEP */
    struct worker {
        mm_gemm *gemm;
        float *scratch;
        mm_int8_block int8; /* empty unless the model is int8 */
        mm_activations activations;
    } * worker;
};

mmood_session_options mmood_session_options_default(void) {
    mmood_session_options options = {0};
    return options;
}

/* ---- Memory -------------------------------------------------------------------------------- */

static size_t max_size(size_t a, size_t b) {
    return a > b ? a : b;
}

static void *reserve(size_t size) {
    size_t bytes = (size + 63) / 64 * 64;
    void *memory = aligned_alloc(64, bytes ? bytes : 64);
    if (memory)
        memset(memory, 0, bytes); /* rows that are computed but never read must hold numbers */
    return memory;
}

static void raise_needs(mm_needs *needs, const mm_needs *other) {
    needs->x = max_size(needs->x, other->x);
    needs->h = max_size(needs->h, other->h);
    needs->qkv = max_size(needs->qkv, other->qkv);
    needs->mlp = max_size(needs->mlp, other->mlp);
    needs->pooled = max_size(needs->pooled, other->pooled);
    needs->embedding = max_size(needs->embedding, other->embedding);
    needs->scratch = max_size(needs->scratch, other->scratch);
}

static int reserve_activations(mm_activations *act, const mm_needs *needs) {
    act->x = reserve(needs->x);
    act->h = reserve(needs->h);
    act->qkv = reserve(needs->qkv);
    act->mlp = reserve(needs->mlp);
    act->pooled = reserve(needs->pooled);
    act->embedding = reserve(needs->embedding);
    return act->x && act->h && act->qkv && act->mlp && act->pooled && act->embedding;
}

/* Rows of the vision tower in a chunk that one image takes. */
static size_t image_rows(const mmood_model *model) {
    return model->config.vision_family->rows(&model->config);
}

/* What one worker needs for chunks of session->rows rows. */
static mm_needs measure(const mmood_session *session) {
    const mmood_model *model = session->model;
    mm_needs needs, text;
    model->config.vision_family->measure(&needs, model, session->rows);
    model->config.text_family->measure(&text, model, session->rows);
    raise_needs(&needs, &text);
    return needs;
}

void mmood_session_free(mmood_session *session) {
    if (!session)
        return;
    mm_pool_free(session->pool);
    for (int i = 0; session->worker && i < session->workers; i++) {
        struct worker *worker = &session->worker[i];
        mm_gemm_free(worker->gemm);
        free(worker->scratch);
        mm_int8_block_free(&worker->int8);
        free(worker->activations.x);
        free(worker->activations.h);
        free(worker->activations.qkv);
        free(worker->activations.mlp);
        free(worker->activations.pooled);
        free(worker->activations.embedding);
    }
    free(session->worker);
    mm_barrier_destroy(&session->barrier);
    free(session);
}

mmood_status mmood_session_create(mmood_session **out, const mmood_model *model,
                                  const mmood_session_options *options, mmood_error *error) {
    *out = NULL;
    int threads = options ? options->threads : 0;
    if (threads < 0 || threads > 1024)
        return mm_error_set(error, MMOOD_ERROR_ARGUMENT,
                            "%d threads; 1 to 1024 are possible, 0 means all CPUs", threads);
    if (threads == 0)
        threads = mm_cpu_count();
    mmood_session *session = calloc(1, sizeof *session);
    if (session)
        session->worker = calloc((size_t)threads, sizeof *session->worker);
    if (!session || !session->worker) {
        free(session);
        return mm_error_set(error, MMOOD_ERROR_MEMORY, "no memory for a session");
    }
    mm_barrier_init(&session->barrier);
    session->model = model;
    session->workers = threads;
    size_t longest = max_size(image_rows(model), (size_t)model->config.context);
    session->rows =
        max_size(MM_CHUNK_ROWS, (longest + MM_ROW_STEP - 1) / MM_ROW_STEP * MM_ROW_STEP);
    const mm_needs needs = measure(session);
    size_t width = max_size((size_t)model->config.vision.width, (size_t)model->config.text.width);
    size_t mlp =
        max_size((size_t)model->config.vision.mlp_width, (size_t)model->config.text.mlp_width);
    mmood_status status = mm_pool_create(&session->pool, threads, error);
    for (int i = 0; i < threads && status == MMOOD_OK; i++) {
        struct worker *worker = &session->worker[i];
        status = mm_gemm_create(&worker->gemm, model->engine, error);
        worker->scratch = reserve(needs.scratch * sizeof(float));
        if (status == MMOOD_OK && model->precision == MMOOD_PRECISION_INT8)
            status = mm_int8_block_create(&worker->int8, max_size(width, mlp),
                                          max_size(3 * width, mlp), error);
        if (status == MMOOD_OK &&
            (!worker->scratch || !reserve_activations(&worker->activations, &needs)))
            status = mm_error_set(error, MMOOD_ERROR_MEMORY,
                                  "no memory for the activations of %d threads", threads);
    }
    if (status == MMOOD_OK)
        *out = session;
    else
        mmood_session_free(session);
    return status;
}

const mmood_model *mmood_session_model(const mmood_session *session) {
    return session->model;
}

/* ---- Work ---------------------------------------------------------------------------------- */

typedef struct mm_chunk {
    size_t item; /* the first */
    size_t count;
} mm_chunk;

/* One call's work. `items` have rows relative to their chunk. */
typedef struct mm_job {
    mmood_session *session;
    const uint8_t *const *crops; /* pictures, or */
    const uint32_t *ids;         /* token ids of all texts, one after the other, */
    const size_t *offsets;       /*   where each begins, */
    const size_t *places;        /*   and which row of `out` is its; NULL: each its own */
    mm_item *items;
    mm_chunk *chunks;
    size_t chunk_count;
    float *out;
    float *patches; /* features of the pictures' patches; NULL: not asked for */
    int team;       /* workers that share each chunk; 1: each takes chunks of its own */
    int by_outputs; /* they share outputs, not rows */
    pthread_mutex_t lock;
    size_t next;
    mmood_status status;
    mmood_error error;
} mm_job;

/* Scales `row` to unit length. */
static mmood_status to_unit(float *out, const float *row, size_t dimension, mmood_error *error) {
    double squares = 0;
    for (size_t i = 0; i < dimension; i++)
        squares += (double)row[i] * row[i];
    if (!(squares > 0) || !isfinite(squares))
        return mm_error_set(error, MMOOD_ERROR_NUMERIC,
                            "the model gave an embedding of length %g; its weights overflow or are "
                            "all zero",
                            sqrt(squares));
    double scale = 1 / sqrt(squares);
    for (size_t i = 0; i < dimension; i++)
        out[i] = (float)(row[i] * scale);
    return MMOOD_OK;
}

/* The features of a chunk's patches. */
static void run_patches(mm_lane *lane, const mm_job *job, const mm_chunk *chunk) {
    const mmood_model *model = job->session->model;
    const mm_vision_family *family = model->config.vision_family;
    size_t dimension = (size_t)model->config.dimension, patches = family->patches(&model->config);
    size_t rows = family->first_patch + patches, first, last;
    family->embed_patches(lane, model, job->items + chunk->item, chunk->count);
    mm_lane_share(&first, &last, lane, chunk->count * rows);
    for (size_t row = first; row < last && lane->status == MMOOD_OK; row++) {
        if (row % rows < family->first_patch)
            continue;
        size_t patch = (chunk->item + row / rows) * patches + row % rows - family->first_patch;
        lane->status =
            to_unit(job->patches + patch * dimension,
                    lane->activations->embedding + row * dimension, dimension, &lane->error);
    }
}

static void run_chunk(mm_lane *lane, const mm_job *job, const mm_chunk *chunk) {
    const mmood_model *model = job->session->model;
    const mm_item *items = job->items + chunk->item;
    size_t dimension = (size_t)model->config.dimension, first, last;
    if (job->crops)
        model->config.vision_family->embed(lane, model, job->crops + chunk->item, items,
                                           chunk->count);
    else
        model->config.text_family->embed(lane, model, job->ids + job->offsets[chunk->item], items,
                                         chunk->count);
    mm_lane_share(&first, &last, lane, chunk->count);
    for (size_t i = first; i < last && lane->status == MMOOD_OK; i++) {
        size_t row = job->places ? job->places[chunk->item + i] : chunk->item + i;
        lane->status =
            to_unit(job->out + row * dimension, lane->activations->embedding + i * dimension,
                    dimension, &lane->error);
    }
    if (job->patches)
        run_patches(lane, job, chunk);
}

/* The next chunk of the queue; 0 when there is none or something failed. */
static int take_chunk(mm_job *job, size_t *index) {
    pthread_mutex_lock(&job->lock);
    int more = job->status == MMOOD_OK && job->next < job->chunk_count;
    if (more)
        *index = job->next++;
    pthread_mutex_unlock(&job->lock);
    return more;
}

static void report(mm_job *job, const mm_lane *lane) {
    if (lane->status == MMOOD_OK)
        return;
    pthread_mutex_lock(&job->lock);
    if (job->status == MMOOD_OK) {
        job->status = lane->status;
        job->error = lane->error;
    }
    pthread_mutex_unlock(&job->lock);
}

static void work(void *context, int index) {
    mm_job *job = context;
    mmood_session *session = job->session;
    struct worker *worker = &session->worker[index];
    mm_engine_use_one_thread();
    mm_lane lane = {
        .rank = job->team > 1 ? index : 0,
        .size = job->team,
        .barrier = &session->barrier,
        .kernels = session->model->kernels,
        .gemm = worker->gemm,
        .scratch = worker->scratch,
        /* a team works on the activations of its first worker */
        .activations = &session->worker[job->team > 1 ? 0 : index].activations,
        .row_step = job->crops ? 1 : MM_ROW_STEP,
        .bf16 = job->crops ? session->model->bf16 : session->model->text_bf16,
        .int8 = &worker->int8,
        .by_outputs = job->by_outputs,
    };
    lane.normed = job->by_outputs ? worker->activations.h : lane.activations->h;
    if (job->team > 1) {
        for (size_t i = 0; i < job->chunk_count; i++) {
            run_chunk(&lane, job, &job->chunks[i]);
            mm_barrier_wait(lane.barrier); /* before the next chunk overwrites */
        }
    } else {
        for (size_t i; lane.status == MMOOD_OK && take_chunk(job, &i);)
            run_chunk(&lane, job, &job->chunks[i]);
    }
    report(job, &lane);
}

/* Packs items, whose tokens are set, into chunks of at most `room` rows. */
static void make_chunks(mm_job *job, size_t count, size_t room) {
    size_t rows = 0;
    job->chunk_count = 0;
    for (size_t i = 0; i < count; i++) {
        mm_item *item = &job->items[i];
        if (i == 0 || rows + item->tokens > room) {
            job->chunks[job->chunk_count++] = (mm_chunk){i, 0};
            rows = 0;
        }
        item->first = rows;
        rows += item->tokens;
        job->chunks[job->chunk_count - 1].count++;
    }
}

/* Deals pictures, which are all alike, evenly to so many chunks of at most `room` rows that each
 * worker gets as many: with one chunk more than the others, it would keep them waiting. */
static void deal_chunks(mm_job *job, size_t count, size_t room, size_t workers) {
    size_t tokens = job->items[0].tokens, most = max_size(room / tokens, 1) * workers;
    size_t chunks = workers * ((count + most - 1) / most), item = 0;
    job->chunk_count = chunks < count ? chunks : count;
    for (size_t i = 0; i < job->chunk_count; i++) {
        mm_chunk *chunk = &job->chunks[i];
        *chunk = (mm_chunk){item, (count - item) / (job->chunk_count - i)};
        for (size_t k = 0; k < chunk->count; k++)
            job->items[item++].first = k * tokens;
    }
}

/* How many workers share each chunk of fewer items than workers, and whether by outputs. */
static void make_team(mm_job *job, size_t total) {
    const mmood_session *session = job->session;
    const mm_tower *tower =
        job->crops ? &session->model->weights->vision : &session->model->weights->text;
    size_t threads = (size_t)session->workers, width = (size_t)tower->config.width;
    size_t rows = total < session->rows ? total : session->rows; /* of a chunk, at most */
    size_t panels = tower->blocks ? mm_matrix_panels(tower->blocks[0].out) : 1;
    size_t by_rows = max_size(rows / MM_TEAM_ROWS, 1);
    size_t by_outputs = panels > 1 ? rows * width * width / MM_TEAM_WORK : 0;
    size_t useful = max_size(by_rows, by_outputs < panels ? by_outputs : panels);
    size_t team = useful < threads ? useful : threads;
    job->team = (int)team;
    job->by_outputs = team > 1 && panels > 1 && rows < team * MM_OUTPUTS_ROWS;
}

/* Runs a job whose items have their tokens and pooled rows. */
static mmood_status run_job(mm_job *job, size_t count, mmood_error *error) {
    mmood_session *session = job->session;
    size_t threads = (size_t)session->workers, total = 0;
    mmood_status ready =
        mm_weights_ready(session->model->weights, job->crops ? MM_TOWER_VISION : MM_TOWER_TEXT,
                         session->pool, error);
    if (ready != MMOOD_OK)
        return ready;
    for (size_t i = 0; i < count; i++)
        total += job->items[i].tokens;
    job->team = 1;
    size_t room = session->rows;
    int runners = session->workers;
    if (count >= threads) {
        size_t share = (total + threads - 1) / threads;
        if (share < room)
            room = max_size(share, job->items[0].tokens);
    } else {
        make_team(job, total);
        runners = job->team;
    }
    if (job->crops)
        deal_chunks(job, count, session->rows, job->team > 1 ? 1 : threads);
    else
        make_chunks(job, count, room);
    mm_barrier_resize(&session->barrier, (unsigned)job->team);
    pthread_mutex_init(&job->lock, NULL);
    mm_pool_run(session->pool, runners, work, job);
    pthread_mutex_destroy(&job->lock);
    if (job->status != MMOOD_OK && error)
        *error = job->error;
    return job->status;
}

static void job_free(mm_job *job) {
    free(job->items);
    free(job->chunks);
}

static mmood_status job_create(mm_job *job, mmood_session *session, float *out, size_t count,
                               mmood_error *error) {
    *job = (mm_job){.session = session, .out = out};
    if (count > SIZE_MAX / (sizeof *job->items + sizeof *job->chunks))
        count = 0;
    job->items = calloc(count, sizeof *job->items);
    job->chunks = calloc(count, sizeof *job->chunks);
    if (job->items && job->chunks)
        return MMOOD_OK;
    job_free(job);
    return mm_error_set(error, MMOOD_ERROR_MEMORY, "no memory for the list of inputs");
}

static mmood_status embed_pictures(float *out, float *patches, mmood_session *session,
                                   const uint8_t *const *crops, size_t count, mmood_error *error) {
    if (count == 0)
        return MMOOD_OK;
    mm_job job;
    mmood_status status = job_create(&job, session, out, count, error);
    if (status != MMOOD_OK)
        return status;
    job.crops = crops;
    job.patches = patches;
    for (size_t i = 0; i < count; i++)
        job.items[i].tokens = image_rows(session->model);
    status = run_job(&job, count, error);
    job_free(&job);
    return status;
}

mmood_status mmood_session_embed_images(float *out, mmood_session *session,
                                        const uint8_t *const *crops, size_t count,
                                        mmood_error *error) {
    return embed_pictures(out, NULL, session, crops, count, error);
}

mmood_status mmood_session_embed_patches(float *out, float *patches, mmood_session *session,
                                         const uint8_t *const *crops, size_t count,
                                         mmood_error *error) {
    const char *missing = !out ? "out" : !patches ? "patches" : !session ? "session" : "crops";
    if (count > 0 && (!out || !patches || !session || !crops))
        return mm_error_set(error, MMOOD_ERROR_ARGUMENT,
                            "patches of %zu pictures: `%s` is NULL, and none of out, patches, "
                            "session and crops may be; mmood_session_embed_images needs no patches",
                            count, missing);
    return embed_pictures(out, patches, session, crops, count, error);
}

/* ---- Texts --------------------------------------------------------------------------------- */

/* One text's token ids, as many as the tower looks at. */
typedef struct text {
    const uint32_t *ids;
    size_t tokens;
    size_t pooled; /* the token whose row becomes the embedding */
    size_t row;    /* of the result */
} text;

/* A call's texts. Long ones come first, so that a chunk's are about as long; of texts with the same
 * ids only one is embedded. */
typedef struct texts {
    text *list;      /* [count], sorted */
    uint32_t *ids;   /* as they came */
    uint32_t *dealt; /* in the order of the list, without repetitions */
    size_t *offsets; /* of those that are embedded, */
    size_t *places;  /*   and their rows */
} texts;

static int by_length(const void *a, const void *b) {
    const text *x = a, *y = b;
    if (x->tokens != y->tokens)
        return x->tokens < y->tokens ? 1 : -1;
    for (size_t i = 0; i < x->tokens; i++)
        if (x->ids[i] != y->ids[i])
            return x->ids[i] < y->ids[i] ? -1 : 1;
    return x->row < y->row ? -1 : x->row > y->row;
}

static int same_ids(const text *a, const text *b) {
    return a->tokens == b->tokens && memcmp(a->ids, b->ids, a->tokens * sizeof *a->ids) == 0;
}

static void texts_free(texts *t) {
    free(t->list);
    free(t->ids);
    free(t->dealt);
    free(t->offsets);
    free(t->places);
}

static mmood_status texts_create(texts *t, size_t count, size_t context, mmood_error *error) {
    *t = (texts){0};
    if (count < SIZE_MAX / sizeof *t->ids / context && count < SIZE_MAX / sizeof *t->list) {
        t->list = malloc(count * sizeof *t->list);
        t->ids = malloc(count * context * sizeof *t->ids);
        t->dealt = malloc(count * context * sizeof *t->dealt);
        t->offsets = malloc(count * sizeof *t->offsets);
        t->places = malloc(count * sizeof *t->places);
    }
    if (t->list && t->ids && t->dealt && t->offsets && t->places)
        return MMOOD_OK;
    return mm_error_set(error, MMOOD_ERROR_MEMORY, "no memory for %zu texts", count);
}

static mmood_status tokenize_all(texts *t, size_t *truncated, const mmood_model *model,
                                 const char *const *strings, size_t count, mmood_error *error) {
    uint32_t *ids = t->ids;
    for (size_t i = 0; i < count; i++) {
        size_t tokens;
        int cut;
        mmood_status status =
            mmood_model_tokenize(ids, &tokens, &cut, model, strings[i], strlen(strings[i]), error);
        if (status != MMOOD_OK)
            return mm_error_prefix(error, status, "text %zu", i);
        if (truncated && cut)
            ++*truncated;
        text *x = &t->list[i];
        *x = (text){.ids = ids, .row = i};
        x->tokens = model->config.text_family->fit(ids, &x->pooled, tokens, &model->config);
        ids += x->tokens;
    }
    return MMOOD_OK;
}

/* Sorts, and gives the job each text that is not the same as the one before; how many these are. */
static size_t deal_texts(texts *t, mm_job *job, size_t count) {
    size_t unique = 0, at = 0;
    qsort(t->list, count, sizeof *t->list, by_length);
    for (size_t i = 0; i < count; i++) {
        const text *x = &t->list[i];
        if (i > 0 && same_ids(x, x - 1))
            continue;
        memcpy(t->dealt + at, x->ids, x->tokens * sizeof *x->ids);
        t->offsets[unique] = at;
        t->places[unique] = x->row;
        job->items[unique].tokens = x->tokens;
        job->items[unique++].pooled = x->pooled;
        at += x->tokens;
    }
    job->ids = t->dealt;
    job->offsets = t->offsets;
    job->places = t->places;
    return unique;
}

/* The rows of texts that are the same as the one before. */
static void copy_rows(float *out, const texts *t, size_t count, size_t dimension) {
    for (size_t i = 1; i < count; i++)
        if (same_ids(&t->list[i], &t->list[i - 1]))
            memcpy(out + t->list[i].row * dimension, out + t->list[i - 1].row * dimension,
                   dimension * sizeof *out);
}

mmood_status mmood_session_embed_texts(float *out, size_t *truncated, mmood_session *session,
                                       const char *const *strings, size_t count,
                                       mmood_error *error) {
    if (truncated)
        *truncated = 0;
    if (count == 0)
        return MMOOD_OK;
    mm_job job;
    texts t;
    const mmood_model *model = session->model;
    mmood_status status = job_create(&job, session, out, count, error);
    if (status != MMOOD_OK)
        return status;
    status = texts_create(&t, count, (size_t)model->config.context, error);
    if (status == MMOOD_OK)
        status = tokenize_all(&t, truncated, model, strings, count, error);
    if (status == MMOOD_OK)
        status = run_job(&job, deal_texts(&t, &job, count), error);
    if (status == MMOOD_OK)
        copy_rows(out, &t, count, (size_t)model->config.dimension);
    texts_free(&t);
    job_free(&job);
    return status;
}
