/* measure.h - how many pictures a second a detector judges on this machine, and how long one takes:
 * what mmood bench measures. */
#ifndef MM_CLI_MEASURE_H
#define MM_CLI_MEASURE_H

#include "base/pool.h"
#include "cli/detectors.h"

/* A rate is measured in so many turns, and the median one counts: a turn in which another program
 * ran is then an outlier and not a part of the mean. */
enum { MEASURE_TURNS = 5 };

typedef struct measure_options {
    size_t batch;
    int threads;
    double seconds; /* of each measurement, all turns together */
} measure_options;

/* Pictures a second. */
typedef struct measured_rate {
    double median, lowest, highest;
} measured_rate;

/* Milliseconds. */
typedef struct measured_latency {
    double p50, p95, p99;
    size_t count;
} measured_latency;

typedef struct measure {
    const opened_detector *opened;
    measure_options options;
    mmood_model_info model;
    char **paths; /* [count]: the pictures that could be read */
    size_t count;
    size_t failed;

    /* Its own. */
    mm_pool *pool;
    mmood_scorer *scorer;
    mmood_verdict *verdicts; /* [batch] */
    mmood_match *top;        /* [batch, labels shown] */
    uint8_t *crops;          /* [batch, or threads if there are more; crop_size] */
    size_t crop_size;        /* bytes */
    float *rows;             /* [batch, dimension] */
    float *patches;          /* [batch, patches, dimension] if the detector's score needs them */
} measure;

/* `opened` must outlive the measure. Call measure_free also after a failure. */
mmood_status measure_create(measure *out, const opened_detector *opened,
                            const measure_options *options, mmood_error *error);
void measure_free(measure *m);

/* Decodes each picture of the list once, which must outlive the measure, and keeps those that can
 * be read; tells which cannot. Of a long list it takes some, evenly spread. */
mmood_status measure_pictures(measure *m, const mm_path_list *paths, cli_talk talk,
                              mmood_error *error);

/* All need at least one picture, and fail if one cannot be read any more. */

/* What mmood score does, but for printing: from files to verdicts, in batches. */
mmood_status measure_judge(measured_rate *out, measure *m, mmood_error *error);

/* Embedding ready crops, in batches. */
mmood_status measure_model(measured_rate *out, measure *m, mmood_error *error);

/* Reading, decoding and preprocessing, on all threads. */
mmood_status measure_decode(measured_rate *out, measure *m, mmood_error *error);

/* One picture at a time, from its file to its verdict. */
mmood_status measure_one(measured_latency *out, measure *m, mmood_error *error);

#endif
