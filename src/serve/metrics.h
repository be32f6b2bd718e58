/* metrics.h - what the server counts beside verdicts: requests, errors, batches, time by stage. */
#ifndef MM_SERVE_METRICS_H
#define MM_SERVE_METRICS_H

#include "serve/histogram.h"

#include "mmood.h"

#include <pthread.h>

typedef enum mm_stage {
    MM_STAGE_READ,   /* taking a body apart */
    MM_STAGE_DECODE, /* a picture to its crop */
    MM_STAGE_QUEUE,  /* a crop's wait for its batch */
    MM_STAGE_MODEL,  /* a batch's embeddings */
    MM_STAGE_SCORE,  /* a batch's scores */
    MM_STAGES
} mm_stage;

typedef enum mm_trouble { /* errors that are not a mmood_status */
                          MM_TROUBLE_BUSY,
                          MM_TROUBLE_DEADLINE,
                          MM_TROUBLE_TOO_LARGE,
                          MM_TROUBLE_TOKEN,
                          MM_TROUBLE_TIMEOUT,
                          MM_TROUBLES
} mm_trouble;

enum { MM_STATUSES = MMOOD_ERROR_NUMERIC + 1, MM_ROUTES_MAX = 12, MM_CODES = 600 };

typedef struct mm_metrics {
    pthread_mutex_t lock;
    mm_histogram stages[MM_STAGES];
    mm_histogram batches;
    mm_histogram seconds; /* of requests to judge pictures */
    uint64_t errors[MM_STATUSES];
    uint64_t troubles[MM_TROUBLES];
    uint64_t requests[MM_ROUTES_MAX][MM_CODES];
    uint64_t reloads, refused_reloads;
} mm_metrics;

void mm_metrics_init(mm_metrics *out);
void mm_metrics_stage(mm_metrics *metrics, mm_stage stage, double seconds);
void mm_metrics_batch(mm_metrics *metrics, size_t size);
void mm_metrics_error(mm_metrics *metrics, mmood_status status);
void mm_metrics_trouble(mm_metrics *metrics, mm_trouble trouble);
void mm_metrics_request(mm_metrics *metrics, int route, int code, double seconds);
void mm_metrics_reload(mm_metrics *metrics, int refused);

/* `routes`: names by number, NULL at the end; route 0 is the one whose seconds are measured. */
void mm_metrics_write(mm_buffer *out, mm_metrics *metrics, const char *const *routes);

#endif
