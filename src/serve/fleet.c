/* fleet.c - detectors by name, and replacing them. */
#include "serve/fleet.h"

#include "base/error.h"
#include "base/file.h"
#include "base/sha256.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- One detector -------------------------------------------------------------------------- */

void mm_served_keep(mm_served *served) {
    atomic_fetch_add(&served->references, 1);
}

void mm_served_release(mm_served *served) {
    if (!served || atomic_fetch_sub(&served->references, 1) > 1)
        return;
    for (int i = 0; i < MM_CLASSES; i++)
        mmood_scorer_free(served->classes[i].scorer);
    mmood_detector_free(served->detector);
    free(served);
}

/* File name without folder and ".mmood". */
static void name_of(char out[128], const char *path) {
    const char *slash = strrchr(path, '/');
    const char *name = slash ? slash + 1 : path;
    size_t n = strlen(name);
    if (n > 6 && strcmp(name + n - 6, ".mmood") == 0)
        n -= 6;
    snprintf(out, 128, "%.*s", (int)(n < 127 ? n : 127), name);
}

static mmood_status check(const mm_fleet *fleet, const mm_served *served, mmood_error *error) {
    mmood_status status = mmood_detector_check_model(served->detector, fleet->model, error);
    if (status == MMOOD_OK)
        status =
            mmood_detector_check_pictures(served->detector, &fleet->image, fleet->precision, error);
    return status;
}

static mmood_status open_one(mm_served **out, const mm_fleet *fleet, const char *path,
                             mmood_error *error) {
    uint8_t *data;
    size_t size;
    *out = NULL;
    mm_served *served = calloc(1, sizeof *served);
    if (!served)
        return mm_error_set(error, MMOOD_ERROR_MEMORY, "no memory for a detector");
    atomic_init(&served->references, 1);
    name_of(served->name, path);
    /* Read, not mapped: a file that somebody shortens must not take the server with it. */
    mmood_status status = mm_file_read(&data, &size, path, (size_t)4 << 30, error);
    if (status == MMOOD_OK) {
        status = mmood_detector_parse(&served->detector, data, size, error);
        mm_sha256_of(served->hash, data, size);
        free(data);
    }
    if (status == MMOOD_OK)
        status = check(fleet, served, error);
    if (status != MMOOD_OK) {
        mm_served_release(served);
        return mm_error_prefix(error, status, "%s", path);
    }
    mmood_detector_describe(served->detector, &served->info);
    *out = served;
    return MMOOD_OK;
}

mmood_status mm_served_scorer(struct mm_class_scorer **out, mm_served *served,
                              mm_score_class score_class, size_t top, int threads,
                              mmood_error *error) {
    struct mm_class_scorer *c = &served->classes[score_class];
    *out = c;
    if (c->scorer && (c->top >= top || mmood_scorer_top(c->scorer) < c->top))
        return MMOOD_OK;
    if (!c->scorer && score_class != MM_CLASS_PLAIN) {
        mm_score_list all;
        mm_score_list_all(&all, &served->info);
        for (size_t i = 0; i < all.count; i++)
            if (score_class == MM_CLASS_FULL || !mmood_score_needs_patches(all.settings[i].kind))
                mm_score_list_add(&c->scores, all.settings[i].kind, &served->info);
    }
    for (c->top = c->top ? c->top : 4; c->top < top;)
        c->top *= 2;
    mmood_scorer *grown;
    const mmood_scorer_options options = {.scores = c->scores.settings,
                                          .score_count = c->scores.count,
                                          .top = c->top,
                                          .threads = threads};
    mmood_status status = mmood_scorer_create(&grown, served->detector, &options, error);
    if (status != MMOOD_OK)
        return status;
    mmood_scorer_free(c->scorer);
    c->scorer = grown;
    return MMOOD_OK;
}

/* ---- All of them --------------------------------------------------------------------------- */

mmood_status mm_fleet_open(mm_fleet *out, const char *const *paths, size_t count,
                           const mmood_model *model, const mmood_image_options *image, int threads,
                           mmood_error *error) {
    mmood_model_info info;
    mmood_model_describe(model, &info);
    *out = (mm_fleet){
        .model = model, .image = *image, .precision = info.precision, .threads = threads};
    pthread_mutex_init(&out->lock, NULL);
    if (count == 0 || count > MM_FLEET_MAX)
        return mm_error_set(error, MMOOD_ERROR_ARGUMENT, "%zu detectors; expected 1 to %d", count,
                            MM_FLEET_MAX);
    for (size_t i = 0; i < count; i++) {
        mm_monitor_init(&out->monitors[i]);
        out->paths[i] = strdup(paths[i]);
        out->count = i + 1;
        mmood_status status = out->paths[i] ? open_one(&out->current[i], out, paths[i], error)
                                            : mm_error_set(error, MMOOD_ERROR_MEMORY, "no memory");
        if (status != MMOOD_OK)
            return status;
        for (size_t k = 0; k < i; k++)
            if (strcmp(out->current[k]->name, out->current[i]->name) == 0)
                return mm_error_set(error, MMOOD_ERROR_ARGUMENT,
                                    "%s and %s would both be served as \"%s\": rename a file",
                                    paths[k], paths[i], out->current[i]->name);
        out->current[i]->monitor = &out->monitors[i];
        if (!mm_monitor_watch(&out->monitors[i], out->current[i]->detector))
            return mm_error_set(error, MMOOD_ERROR_MEMORY, "no memory to count labels");
    }
    return MMOOD_OK;
}

void mm_fleet_free(mm_fleet *fleet) {
    for (size_t i = 0; i < fleet->count; i++) {
        mm_served_release(fleet->current[i]);
        mm_monitor_free(&fleet->monitors[i]);
        free(fleet->paths[i]);
    }
    pthread_mutex_destroy(&fleet->lock);
}

mm_served *mm_fleet_find(mm_fleet *fleet, const char *name) {
    mm_served *found = NULL;
    pthread_mutex_lock(&fleet->lock);
    for (size_t i = 0; i < fleet->count && !found; i++)
        if (!name || strcmp(fleet->current[i]->name, name) == 0)
            found = fleet->current[i];
    if (found)
        mm_served_keep(found);
    pthread_mutex_unlock(&fleet->lock);
    return found;
}

size_t mm_fleet_reload(mm_fleet *fleet,
                       void (*report)(void *context, const char *name, const mmood_error *error),
                       void *context) {
    size_t refused = 0;
    mmood_error error;
    for (size_t i = 0; i < fleet->count; i++) {
        mm_served *fresh, *old = fleet->current[i];
        mmood_status status = open_one(&fresh, fleet, fleet->paths[i], &error);
        if (status == MMOOD_OK && strcmp(fresh->hash, old->hash) == 0) {
            mm_served_release(fresh);
            continue;
        }
        /* The monitor goes over to the new detector before the old one can be freed. */
        if (status == MMOOD_OK && !mm_monitor_watch(&fleet->monitors[i], fresh->detector))
            status = mm_error_set(&error, MMOOD_ERROR_MEMORY, "no memory to count labels");
        if (status != MMOOD_OK) {
            mm_served_release(fresh);
            refused++;
            report(context, old->name, &error);
            continue;
        }
        fresh->monitor = &fleet->monitors[i];
        pthread_mutex_lock(&fleet->lock);
        fleet->current[i] = fresh;
        pthread_mutex_unlock(&fleet->lock);
        mm_served_release(old);
        report(context, fresh->name, NULL);
    }
    return refused;
}
