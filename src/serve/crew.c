/* crew.c - queues and threads: bodies are read and pictures decoded by several threads, batches
 * run by one (batch.c). */
#include "serve/crew.h"

#include "base/clock.h"
#include "base/cpus.h"
#include "base/error.h"
#include "base/text.h"
#include "serve/crew_internal.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* ---- Queues -------------------------------------------------------------------------------- */

static void queue_init(mm_queue *queue) {
    pthread_condattr_t attributes;
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_mutex_init(&queue->lock, NULL);
    pthread_cond_init(&queue->filled, &attributes);
    pthread_condattr_destroy(&attributes);
}

static void queue_destroy(mm_queue *queue) {
    pthread_cond_destroy(&queue->filled);
    pthread_mutex_destroy(&queue->lock);
}

static void queue_push(mm_queue *queue, mm_item *item) {
    pthread_mutex_lock(&queue->lock);
    item->next = NULL;
    if (queue->last)
        queue->last->next = item;
    else
        queue->first = item;
    queue->last = item;
    queue->count++;
    pthread_mutex_unlock(&queue->lock);
    pthread_cond_signal(&queue->filled); /* who wakes does not find the lock taken */
}

mm_item *mm_queue_take(mm_queue *queue) {
    mm_item *item = queue->first;
    queue->first = item->next;
    if (!queue->first)
        queue->last = NULL;
    queue->count--;
    return item;
}

static void queue_stop(mm_queue *queue) {
    pthread_mutex_lock(&queue->lock);
    queue->stopping = 1;
    pthread_cond_broadcast(&queue->filled);
    pthread_mutex_unlock(&queue->lock);
}

/* ---- The ends of items and jobs ------------------------------------------------------------ */

static void end_job(mm_crew *crew, mm_job *job) {
    size_t late = 0;
    for (size_t i = 0; i < job->count; i++) {
        job->failures += job->items[i].status != MMOOD_OK;
        late += job->items[i].late != 0;
    }
    if (job->count > 0) {
        atomic_fetch_sub(&crew->taken, job->count);
        if (late == job->count)
            job->outcome = MM_OUTCOME_LATE;
    }
    job->notify(job, MM_JOB_DONE, 0);
}

static void begin_row(mm_item *item) {
    const char *name = item->job->body.inputs[item->index].name;
    mm_buffer_printf(&item->row, "{\"index\":%zu,", item->index);
    if (name)
        mm_json_path(&item->row, name);
    else
        mm_buffer_puts(&item->row, "\"path\":null");
    mm_buffer_puts(&item->row, ",");
}

void mm_item_finish(mm_crew *crew, mm_item *item, const mm_row *row, const mm_row_style *style) {
    mm_job *job = item->job;
    if (!job->probe) {
        begin_row(item);
        mm_row_members(&item->row, style, row);
        mm_buffer_puts(&item->row, "}\n");
        if (row->failure)
            mm_monitor_failure(job->served->monitor);
        else
            mm_monitor_verdict(job->served->monitor, job->served->detector, &row->verdict);
    }
    free(item->crop);
    item->crop = NULL;
    job->notify(job, MM_JOB_ROW, item->index);
    if (atomic_fetch_sub(&job->left, 1) == 1)
        end_job(crew, job);
}

void mm_item_fail(mm_crew *crew, mm_item *item, mmood_status status, const char *message) {
    const mm_row row = {.failure = message ? message : "no memory"};
    const mm_row_style style = {.detector = item->job->served->detector,
                                .scores = item->job->scores.settings,
                                .score_count = item->job->scores.count,
                                .fdr = NAN};
    item->status = status;
    if (item->late)
        mm_metrics_trouble(crew->metrics, MM_TROUBLE_DEADLINE);
    else
        mm_metrics_error(crew->metrics, status);
    mm_item_finish(crew, item, &row, &style);
}

int mm_item_dropped(mm_crew *crew, mm_item *item) {
    mm_job *job = item->job;
    if (atomic_load(&job->cancelled)) {
        mm_item_fail(crew, item, MMOOD_ERROR_IO, "the client is gone");
    } else if (atomic_load(&crew->abandoned)) {
        mm_item_fail(crew, item, MMOOD_ERROR_LIMIT, "the server is shutting down");
    } else if (mm_now() > job->deadline) {
        item->late = 1;
        mm_item_fail(crew, item, MMOOD_ERROR_LIMIT,
                     "the request's deadline passed before this picture was judged");
    } else {
        return 0;
    }
    return 1;
}

/* ---- Decoding ------------------------------------------------------------------------------ */

static void send_to_batch(mm_crew *crew, mm_item *item) {
    item->queued = mm_now();
    queue_push(&crew->batch, item);
}

static mmood_status decode(mm_crew *crew, mm_item *item, mmood_error *error) {
    const mm_input *input = &item->job->body.inputs[item->index];
    mmood_image *image = NULL;
    mmood_status status = MMOOD_OK;
    if (!(item->crop = malloc(crew->crop_size)))
        return mm_error_set(error, MMOOD_ERROR_MEMORY, "no memory for a picture");
    if (item->job->probe) {
        memset(item->crop, 128, crew->crop_size);
        return MMOOD_OK;
    }
    status = mmood_image_decode_for(&image, input->data, input->size, &crew->preprocess,
                                    &crew->options.image, error);
    if (status == MMOOD_OK)
        status =
            mmood_image_preprocess(item->crop, crew->crop_size, image, &crew->preprocess, error);
    mmood_image_free(image);
    return status;
}

static void decode_item(mm_crew *crew, mm_item *item) {
    mmood_error error;
    double begun = mm_now();
    if (mm_item_dropped(crew, item))
        return;
    mmood_status status = decode(crew, item, &error);
    mm_metrics_stage(crew->metrics, MM_STAGE_DECODE, mm_now() - begun);
    if (status != MMOOD_OK)
        mm_item_fail(crew, item, status, error.message);
    else
        send_to_batch(crew, item);
}

/* ---- Reading bodies ------------------------------------------------------------------------ */

static void refuse(mm_crew *crew, mm_job *job, mm_job_outcome outcome) {
    job->outcome = outcome;
    if (outcome == MM_OUTCOME_BUSY)
        mm_metrics_trouble(crew->metrics, MM_TROUBLE_BUSY);
    else
        mm_metrics_error(crew->metrics, job->error.status);
    job->count = 0;
    end_job(crew, job);
}

static mmood_status choose_scores(mm_job *job, mmood_error *error) {
    const mmood_detector_info *info = &job->served->info;
    mmood_status status = MMOOD_OK;
    job->scores = (mm_score_list){0};
    if (job->body.scores && strcmp(job->body.scores, "all") == 0)
        mm_score_list_all(&job->scores, info);
    else if (job->body.scores)
        status = mm_score_list_parse(&job->scores, job->body.scores, info, error);
    for (size_t i = 0; i < job->scores.count && status == MMOOD_OK; i++)
        if (info->outlier_count == 0 && mmood_score_needs_outliers(job->scores.settings[i].kind))
            status = mm_error_set(error, MMOOD_ERROR_ARGUMENT,
                                  "the score %s compares with outlier labels, and the detector "
                                  "has none",
                                  mmood_score_name(job->scores.settings[i].kind));
    job->needs_patches = job->scores.needs_patches || mmood_score_needs_patches(info->score.kind);
    return status;
}

/* Room for a job's `count` pictures, if the queue has it; a probe, which asks whether the model
 * runs, not whether it is idle, always gets some. */
static int take_room(mm_crew *crew, const mm_job *job, size_t count) {
    size_t taken = atomic_load(&crew->taken);
    do {
        if (taken + count > crew->options.queue && !job->probe)
            return 0;
    } while (!atomic_compare_exchange_weak(&crew->taken, &taken, taken + count));
    return 1;
}

static void send_to_decode(mm_crew *crew, mm_item *item) {
    atomic_fetch_add(&crew->coming, 1);
    queue_push(&crew->decode, item);
}

static void read_job(mm_crew *crew, mm_job *job) {
    mm_body_limits limits = {crew->options.items, crew->dimension};
    double begun = mm_now();
    mmood_status status = MMOOD_OK;
    if (job->probe) {
        job->body.inputs = calloc(1, sizeof *job->body.inputs);
        job->body.count = job->body.inputs ? 1 : 0;
        if (!job->body.inputs)
            status = mm_error_set(&job->error, MMOOD_ERROR_MEMORY, "no memory");
    } else {
        status = mm_body_read(&job->body, job->content_type, job->data.data, job->data.size,
                              &limits, &job->error);
        if (status == MMOOD_OK)
            status = choose_scores(job, &job->error);
        mm_metrics_stage(crew->metrics, MM_STAGE_READ, mm_now() - begun);
    }
    size_t count = job->body.count;
    if (status == MMOOD_OK && !(job->items = calloc(count, sizeof *job->items)))
        status = mm_error_set(&job->error, MMOOD_ERROR_MEMORY, "no memory for %zu pictures", count);
    if (status != MMOOD_OK) {
        refuse(crew, job, MM_OUTCOME_REFUSED);
        return;
    }
    if (!take_room(crew, job, count)) {
        refuse(crew, job, MM_OUTCOME_BUSY);
        return;
    }
    job->count = count;
    atomic_store(&job->left, count);
    job->notify(job, MM_JOB_TAKEN, 0);
    /* The job may be done, and gone, as soon as its last item is on its way. */
    for (size_t i = 0; i < count; i++) {
        mm_item *item = &job->items[i];
        const mm_input *input = &job->body.inputs[i];
        item->job = job;
        item->index = i;
        if (input->status != MMOOD_OK)
            mm_item_fail(crew, item, input->status, input->failure);
        else if (input->embedding)
            send_to_batch(crew, item);
        else if (i + 1 < count)
            send_to_decode(crew, item);
        else
            decode_item(crew, item); /* the others are with others by now */
    }
}

/* ---- The decoders' work --------------------------------------------------------------------- */

/* One of what was on its way to a batch is there, or failed; after the last, the batch fills no
 * longer than a lull. */
static void has_come(mm_crew *crew) {
    if (atomic_fetch_sub(&crew->coming, 1) > 1)
        return;
    pthread_mutex_lock(&crew->batch.lock);
    pthread_cond_signal(&crew->batch.filled);
    pthread_mutex_unlock(&crew->batch.lock);
}

static void *decode_main(void *argument) {
    mm_crew *crew = argument;
    mm_queue *queue = &crew->decode;
    pthread_mutex_lock(&queue->lock);
    for (;;) {
        while (!queue->first && !queue->stopping)
            pthread_cond_wait(&queue->filled, &queue->lock);
        if (!queue->first)
            break;
        mm_item *item = mm_queue_take(queue);
        pthread_mutex_unlock(&queue->lock);
        if (item == &item->job->reading)
            read_job(crew, item->job);
        else
            decode_item(crew, item);
        has_come(crew);
        pthread_mutex_lock(&queue->lock);
    }
    pthread_mutex_unlock(&queue->lock);
    return NULL;
}

/* ---- The crew ---------------------------------------------------------------------------- */

void mm_crew_submit(mm_crew *crew, mm_job *job) {
    job->reading.job = job;
    send_to_decode(crew, &job->reading);
}

size_t mm_crew_depth(mm_crew *crew) {
    return atomic_load(&crew->taken);
}

int mm_crew_is_full(mm_crew *crew) {
    return atomic_load(&crew->taken) >= crew->options.queue;
}

void mm_crew_abandon(mm_crew *crew) {
    atomic_store(&crew->abandoned, 1);
}

void mm_job_clear(mm_job *job) {
    for (size_t i = 0; i < job->count; i++) {
        free(job->items[i].crop);
        mm_buffer_free(&job->items[i].row);
    }
    free(job->items);
    mm_body_free(&job->body);
    mm_buffer_free(&job->data);
    free(job->content_type);
    job->items = NULL;
    job->content_type = NULL;
    job->count = 0;
}

static mmood_status start_threads(mm_crew *crew, int threads, mmood_error *error) {
    crew->decoders = calloc((size_t)threads, sizeof *crew->decoders);
    if (!crew->decoders)
        return mm_error_set(error, MMOOD_ERROR_MEMORY, "no memory for %d threads", threads);
    for (; crew->decoder_count < threads; crew->decoder_count++)
        if (pthread_create(&crew->decoders[crew->decoder_count], NULL, decode_main, crew))
            return mm_error_set(error, MMOOD_ERROR_MEMORY, "a decoding thread cannot be started");
    if (pthread_create(&crew->batcher, NULL, mm_batch_main, crew))
        return mm_error_set(error, MMOOD_ERROR_MEMORY, "the model's thread cannot be started");
    crew->has_batcher = 1;
    return MMOOD_OK;
}

mmood_status mm_crew_create(mm_crew **out, const mmood_model *model, const mm_crew_options *options,
                            mm_metrics *metrics, mmood_error *error) {
    mmood_model_info info;
    const mmood_session_options session = {options->threads};
    *out = NULL;
    mm_crew *crew = calloc(1, sizeof *crew);
    if (!crew)
        return mm_error_set(error, MMOOD_ERROR_MEMORY, "no memory for the crew");
    mmood_model_describe(model, &info);
    crew->options = *options;
    crew->metrics = metrics;
    crew->preprocess = info.preprocess;
    crew->dimension = (size_t)info.dimension;
    crew->patch_count = (size_t)info.patches;
    crew->crop_size = (size_t)info.preprocess.crop_width * (size_t)info.preprocess.crop_height * 3;
    queue_init(&crew->decode);
    queue_init(&crew->batch);
    mmood_status status = mmood_session_create(&crew->session, model, &session, error);
    if (status == MMOOD_OK)
        status = mm_batch_reserve(crew, error);
    if (status == MMOOD_OK)
        status =
            start_threads(crew, options->threads > 0 ? options->threads : mm_cpu_count(), error);
    if (status != MMOOD_OK) {
        mm_crew_free(crew);
        return status;
    }
    *out = crew;
    return MMOOD_OK;
}

void mm_crew_free(mm_crew *crew) {
    if (!crew)
        return;
    queue_stop(&crew->decode);
    for (int i = 0; i < crew->decoder_count; i++)
        pthread_join(crew->decoders[i], NULL);
    queue_stop(&crew->batch);
    if (crew->has_batcher)
        pthread_join(crew->batcher, NULL);
    mm_batch_release(crew);
    mmood_session_free(crew->session);
    queue_destroy(&crew->decode);
    queue_destroy(&crew->batch);
    free(crew->decoders);
    free(crew);
}
