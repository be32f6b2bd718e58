/* weights_plan.h - what the files behind weights.h share: the list of all that is made from a
 * model's tensors, and the state of weights in use. */
#ifndef MM_CLIP_WEIGHTS_PLAN_H
#define MM_CLIP_WEIGHTS_PLAN_H

#include "clip/packed.h"
#include "clip/weights.h"

#include <pthread.h>
#include <stdatomic.h>

enum { MM_NAME = 128 };

/* One thing to make from tensors: a vector kept as f32, or a packed matrix of one to three stacked
 * weights with their biases. */
typedef struct mm_entry {
    char weight[3][MM_NAME]; /* names; unused ones are empty */
    char bias[3][MM_NAME];
    size_t rank;     /* of each weight */
    size_t shape[4]; /* of each weight */
    size_t parts;
    const float **vector;
    size_t at; /* where the vector begins among all vectors */
    mm_matrix **matrix;
    mm_tower_kind tower; /* whose matrix it is */
    int sensitive; /* stays in the activations' precision when the rest is int8: costs little */
} mm_entry;

typedef struct mm_plan {
    mm_entry *entries;
    size_t count;
    size_t capacity;
    int failed;
    mm_tower_kind tower; /* that is being planned */
    size_t floats;       /* of all vectors together, each beginning a cache line */
    const float *scale;  /* the vector logit_scale */
    const mm_tensor *tokens;
    const mm_safetensors *set;
    const mm_engine *engine;
    mmood_precision precision;
} mm_plan;

struct mm_weights_state {
    mm_plan plan;
    float *vectors; /* those of the plan, unless they are the map's */
    mm_map map;     /* of packed weights that were kept; empty: they were made here */
    mm_packed *packed;
    char *path; /* of the map */
    mm_note note;
    pthread_mutex_t lock;
    atomic_int ready[MM_TOWER_COUNT]; /* checked, or made here */
};

/* Lists all that `config` asks for, with where in `w` it goes, and binds it to tensors of exactly
 * these names and shapes. */
mmood_status mm_plan_make(mm_plan *p, mm_weights *w, const mm_clip_config *config,
                          mmood_error *error);
void mm_plan_free(mm_plan *p);

/* The precision of an entry's matrix. */
mmood_precision mm_plan_precision(const mm_plan *p, const mm_entry *e);

/* Sets every vector to its place in `vectors`. */
void mm_plan_bind_vectors(const mm_plan *p, const float *vectors);

/* What mm_plan_run does. */
enum {
    MM_RUN_DIGEST = 1,  /* digests of all tensors, into *digest */
    MM_RUN_VECTORS = 2, /* vectors, and a look through the table of tokens */
    MM_RUN_TEXT = 4,    /* the matrices of a tower */
    MM_RUN_VISION = 8,
    MM_RUN_ALL = MM_RUN_DIGEST | MM_RUN_VECTORS | MM_RUN_TEXT | MM_RUN_VISION
};

/* Makes entries from tensors, on all workers of `pool`. `vectors` is for plan->floats numbers;
 * `digest` is written only with MM_RUN_DIGEST. */
mmood_status mm_plan_run(const mm_plan *p, int what, float *vectors, char digest[65], mm_pool *pool,
                         mmood_error *error);

#endif
