/* adaptive.c - AdaNeg's memory (Zhang and Zhang, NeurIPS 2024), in its task-adaptive form: a
 * label's proxy is the unit mean of its text embedding and of the confident pictures that were
 * taken in under it. A label holds the MOST_A_LABEL most confident ones; all together hold
 * MOST_IN_ALL, after which only replacing goes on, so memory is bounded whatever comes. */
#include "detect/adaptive.h"

#include "base/error.h"
#include "detect/detector.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { MOST_A_LABEL = 10, MOST_IN_ALL = 8192 };

/* Confident: at least 3/4 sure of in-distribution, or of the contrary (AdaNeg's gamma 0.5 with a
 * gap of 0.5 to either side). */
static const double sure_id = 0.75, sure_outlier = 0.25;

/* A label that has taken pictures in. */
typedef struct proxy {
    size_t label;
    size_t count;
    double confidence[MOST_A_LABEL];
    float *pictures[MOST_A_LABEL]; /* [dimension] each */
    float *embedding;              /* [dimension], unit length */
} proxy;

struct mm_adaptive {
    const mmood_detector *detector;
    uint32_t *place; /* [labels]: which proxy a label has; UINT32_MAX: none */
    proxy *proxies;  /* [MOST_IN_ALL] */
    size_t proxy_count;
    size_t picture_count;
};

mmood_status mm_adaptive_create(mm_adaptive **out, const mmood_detector *detector,
                                mmood_error *error) {
    mm_adaptive *adaptive = calloc(1, sizeof *adaptive);
    *out = NULL;
    if (adaptive) {
        adaptive->detector = detector;
        adaptive->place = malloc(detector->count * sizeof *adaptive->place);
        adaptive->proxies = calloc(MOST_IN_ALL, sizeof *adaptive->proxies);
    }
    if (!adaptive || !adaptive->place || !adaptive->proxies) {
        mm_adaptive_free(adaptive);
        return mm_error_set(error, MMOOD_ERROR_MEMORY, "no memory for an adaptive memory");
    }
    memset(adaptive->place, 0xff, detector->count * sizeof *adaptive->place);
    *out = adaptive;
    return MMOOD_OK;
}

void mm_adaptive_free(mm_adaptive *adaptive) {
    if (!adaptive)
        return;
    for (size_t i = 0; i < adaptive->proxy_count; i++) {
        for (size_t j = 0; j < adaptive->proxies[i].count; j++)
            free(adaptive->proxies[i].pictures[j]);
        free(adaptive->proxies[i].embedding);
    }
    free(adaptive->place);
    free(adaptive->proxies);
    free(adaptive);
}

void mm_adaptive_apply(const mm_adaptive *adaptive, double *cosines, const float *embedding) {
    size_t dimension = adaptive->detector->dimension;
    for (size_t i = 0; i < adaptive->proxy_count; i++) {
        const proxy *p = &adaptive->proxies[i];
        double sum = 0;
        for (size_t d = 0; d < dimension; d++)
            sum += (double)p->embedding[d] * (double)embedding[d];
        cosines[p->label] = sum;
    }
}

/* The mean of text and pictures, at unit length. */
static void renew(const mm_adaptive *adaptive, proxy *p) {
    size_t dimension = adaptive->detector->dimension;
    const float *text = adaptive->detector->embeddings + p->label * dimension;
    double squares = 0;
    for (size_t d = 0; d < dimension; d++) {
        double sum = (double)text[d];
        for (size_t i = 0; i < p->count; i++)
            sum += (double)p->pictures[i][d];
        p->embedding[d] = (float)sum;
        squares += sum * sum;
    }
    for (size_t d = 0; d < dimension && squares > 0; d++)
        p->embedding[d] = (float)((double)p->embedding[d] / sqrt(squares));
}

/* The label's proxy, made if it has none; NULL if the memory is full or the machine's is out. */
static proxy *find_proxy(mm_adaptive *adaptive, size_t label) {
    if (adaptive->place[label] != UINT32_MAX)
        return &adaptive->proxies[adaptive->place[label]];
    if (adaptive->picture_count == MOST_IN_ALL)
        return NULL;
    proxy *p = &adaptive->proxies[adaptive->proxy_count];
    p->embedding = malloc(adaptive->detector->dimension * sizeof *p->embedding);
    if (!p->embedding)
        return NULL;
    p->label = label;
    adaptive->place[label] = (uint32_t)adaptive->proxy_count++;
    renew(adaptive, p);
    return p;
}

/* Where a picture of that confidence goes: a new place, or that of the least confident; SIZE_MAX if
 * there is none for it. */
static size_t find_place(mm_adaptive *adaptive, proxy *p, double confidence) {
    size_t dimension = adaptive->detector->dimension, least = 0;
    if (p->count < MOST_A_LABEL && adaptive->picture_count < MOST_IN_ALL) {
        p->pictures[p->count] = malloc(dimension * sizeof **p->pictures);
        if (!p->pictures[p->count])
            return SIZE_MAX;
        adaptive->picture_count++;
        return p->count++;
    }
    for (size_t i = 1; i < p->count; i++)
        if (p->confidence[i] < p->confidence[least])
            least = i;
    return p->count > 0 && confidence > p->confidence[least] ? least : SIZE_MAX;
}

void mm_adaptive_learn(mm_adaptive *adaptive, const float *embedding, double score, size_t label,
                       size_t outlier) {
    if (score > sure_outlier && score < sure_id)
        return;
    double confidence = score >= sure_id ? score : 1 - score;
    proxy *p = find_proxy(adaptive, score >= sure_id ? label : outlier);
    size_t place = p ? find_place(adaptive, p, confidence) : SIZE_MAX;
    if (place == SIZE_MAX)
        return;
    p->confidence[place] = confidence;
    memcpy(p->pictures[place], embedding, adaptive->detector->dimension * sizeof *embedding);
    renew(adaptive, p);
}
