/* fleet.h - the detectors that are served, by name, over one model; each can be replaced while
 * requests go on with the one they began with. */
#ifndef MM_SERVE_FLEET_H
#define MM_SERVE_FLEET_H

#include "serve/monitor.h"

#include "detect/rows.h"

#include <stdatomic.h>

enum { MM_FLEET_MAX = 64 };

/* Which further scores a scorer computes. */
typedef enum mm_score_class {
    MM_CLASS_PLAIN, /* none */
    MM_CLASS_FLAT,  /* all that need no patches */
    MM_CLASS_FULL,  /* all */
    MM_CLASSES
} mm_score_class;

/* One version of a detector, counted by references. */
typedef struct mm_served {
    atomic_int references;
    char name[128];
    mmood_detector *detector;
    mmood_detector_info info;
    char hash[65];           /* SHA-256 of its file */
    mm_monitor *monitor;     /* of the name, the same for all versions */
    struct mm_class_scorer { /* made when first needed, by the one thread that scores */
        mmood_scorer *scorer;
        size_t top;
        mm_score_list scores;
    } classes[MM_CLASSES];
} mm_served;

typedef struct mm_fleet {
    pthread_mutex_t lock;
    const mmood_model *model;
    mmood_image_options image;
    mmood_precision precision;
    int threads;
    size_t count;
    char *paths[MM_FLEET_MAX];
    mm_served *current[MM_FLEET_MAX];
    mm_monitor monitors[MM_FLEET_MAX];
} mm_fleet;

/* Opens detector files; each is named as its file, without folder and ".mmood". All have to fit
 * `model` and how pictures are read. mm_fleet_free also after a failure. */
mmood_status mm_fleet_open(mm_fleet *out, const char *const *paths, size_t count,
                           const mmood_model *model, const mmood_image_options *image, int threads,
                           mmood_error *error);
void mm_fleet_free(mm_fleet *fleet);

/* The detector with that name, the first one for NULL; NULL if there is none. The caller releases
 * it. */
mm_served *mm_fleet_find(mm_fleet *fleet, const char *name);
void mm_served_keep(mm_served *served);
void mm_served_release(mm_served *served);

/* Reads the files again. One that cannot be read or does not fit is told to `report` and the old
 * version goes on; so is each that has changed, with a NULL error. Returns how many were refused.
 */
size_t mm_fleet_reload(mm_fleet *fleet,
                       void (*report)(void *context, const char *name, const mmood_error *error),
                       void *context);

/* The scorer of a class that reports at least `top` labels, or all there are. Called by one thread
 * only. */
mmood_status mm_served_scorer(struct mm_class_scorer **out, mm_served *served,
                              mm_score_class score_class, size_t top, int threads,
                              mmood_error *error);

#endif
