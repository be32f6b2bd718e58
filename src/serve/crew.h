/* crew.h - from bodies of requests to rows of results: one bounded queue, threads that decode,
 * and one thread that runs the model on whatever has gathered, of one request or of many. */
#ifndef MM_SERVE_CREW_H
#define MM_SERVE_CREW_H

#include "serve/body.h"
#include "serve/fleet.h"
#include "serve/metrics.h"

#include <stdatomic.h>

typedef struct mm_crew mm_crew;
typedef struct mm_job mm_job;

typedef enum mm_job_event {
    MM_JOB_TAKEN, /* the body is understood, and there is room for its pictures */
    MM_JOB_ROW,   /* the row of picture `index` is ready */
    MM_JOB_DONE   /* nothing more comes: the crew has forgotten the job */
} mm_job_event;

/* How a job ended. */
typedef enum mm_job_outcome {
    MM_OUTCOME_DONE,    /* each picture has a row, perhaps an error */
    MM_OUTCOME_REFUSED, /* the body is wrong: see `error` */
    MM_OUTCOME_BUSY,    /* the queue is full */
    MM_OUTCOME_LATE     /* the deadline passed before any picture was judged */
} mm_job_outcome;

/* One picture of a job. */
typedef struct mm_item {
    mm_job *job;
    struct mm_item *next; /* in a queue */
    size_t index;
    uint8_t *crop;
    double queued; /* when it began to wait for its batch */
    mmood_status status;
    int late;
    mm_buffer row; /* {"index":...} and a newline */
} mm_item;

/* A request to judge pictures. */
struct mm_job {
    /* Set by the caller: */
    mm_served *served;    /* kept until the job is done, released by the caller */
    char *content_type;   /* may be NULL */
    mm_buffer data;       /* the body */
    mm_body body;         /* with top and scores of the query */
    double deadline;      /* of mm_now */
    int probe;            /* 1: a grey picture instead of a body; not counted */
    atomic_int cancelled; /* set at any time: nobody waits for rows any more */
    /* Called from the crew's threads, rows of a job perhaps from several at a time. */
    void (*notify)(mm_job *job, mm_job_event event, size_t index);
    void *owner;
    /* The crew's: */
    mm_item reading; /* stands for the whole job until its body is read */
    mm_item *items;  /* [count] */
    size_t count;
    atomic_size_t left;
    mm_score_list scores;
    int needs_patches;
    mm_job_outcome outcome;
    mmood_error error;
    size_t failures; /* pictures with an error; set when done */
};

typedef struct mm_crew_options {
    mmood_image_options image;
    int threads;  /* of the model and of decoding each; 0 = all CPUs */
    size_t batch; /* pictures at most */
    double wait;  /* seconds that a picture waits for others */
    size_t queue; /* pictures taken and not done, at most */
    size_t items; /* of a request, at most */
} mm_crew_options;

mmood_status mm_crew_create(mm_crew **out, const mmood_model *model, const mm_crew_options *options,
                            mm_metrics *metrics, mmood_error *error);

/* Takes a job on; its MM_JOB_DONE comes for certain. */
void mm_crew_submit(mm_crew *crew, mm_job *job);

/* Pictures taken and not done; 1 if no more would be taken. */
size_t mm_crew_depth(mm_crew *crew);
int mm_crew_is_full(mm_crew *crew);

/* From now on pictures fail at once, so that all jobs are soon done. */
void mm_crew_abandon(mm_crew *crew);

/* No job may be under way. */
void mm_crew_free(mm_crew *crew);

/* Frees what the crew made for a job that is done, and its body. */
void mm_job_clear(mm_job *job);

#endif
