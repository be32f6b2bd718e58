/* weights_plan.h - what the files behind weights.h share: the list of all that is made from a
 * model's tensors, which the families of towers fill, and the state of weights in use. */
#ifndef MM_CLIP_WEIGHTS_PLAN_H
#define MM_CLIP_WEIGHTS_PLAN_H

#include "clip/packed.h"
#include "clip/weights.h"

#include <pthread.h>
#include <stdatomic.h>

enum { MM_NAME = 128, MM_RANK = 4 };

/* What one part of an entry is made from: tensors by name, "" where there is none. */
typedef struct mm_part {
    char weight[MM_NAME]; /* "": the identity, of an entry whose parts are added up */
    char bias[MM_NAME];
    char norm[MM_NAME]; /* prefix of a batch norm's four tensors, with the dot at its end */
    char gain[MM_NAME]; /* a factor per output */
    size_t rank;        /* of the weight */
    size_t shape[MM_RANK];
    int transposed; /* the weight is [inputs, outputs] */
    int negative;   /* subtracted, not added */
} mm_part;

/* How an entry is kept. */
typedef enum mm_entry_kind {
    MM_ENTRY_VECTOR, /* one tensor as f32, as it is */
    MM_ENTRY_MATRIX, /* packed for multiplication */
    MM_ENTRY_DEPTH   /* a depthwise convolution as f32: [kernel * kernel + 1, padded channels], the
                        last row being the bias */
} mm_entry_kind;

/* One thing to make from tensors. */
typedef struct mm_entry {
    mm_entry_kind kind;
    mm_part *parts;
    size_t part_count;
    int summed;      /* parts are added up; else they are stacked, one below the other */
    size_t outputs;  /* of each part */
    size_t inputs;   /* of each output, per position of the kernel */
    size_t kernel;   /* side of a convolution's kernel; smaller ones are centred in it */
    int pixels_last; /* a convolution's columns are [channel][y][x], else [y][x][channel] */
    double epsilon;  /* of batch norms */
    const float **vector;
    size_t at; /* where the numbers begin among all vectors */
    mm_matrix **matrix;
    mm_tower_kind tower; /* whose matrix it is */
    int sensitive; /* stays in the activations' precision when the rest is int8: costs little */
} mm_entry;

typedef struct mm_plan {
    mm_entry *entries;
    size_t count;
    size_t capacity;
    int failed;     /* memory ran out */
    mm_entry spare; /* is written to instead */
    mm_part spare_part;
    mm_tower_kind tower; /* that is being planned */
    size_t floats;       /* of all vectors together, each beginning a cache line */
    const float *scale;  /* the vector logit_scale */
    char tokens_name[MM_NAME];
    const mm_tensor *tokens;
    const mm_safetensors *set;
    const mm_engine *engine;
    mmood_precision precision; /* of the image tower */
    mmood_precision text_precision;
    int by_open_clip; /* 1: names and shapes are from open_clip_config.json */
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

/* ---- For families --------------------------------------------------------------------------
 * Each lists one entry. Names are formatted like printf's. Where memory is out the plan fails as a
 * whole; no function returns NULL. An entry's pointer holds until the next entry is listed. */

/* A tensor as it is, to *to: a scalar, [rows], [rows, columns] or, of rank 3, [1, rows, columns].
 */
mm_entry *mm_plan_vector(mm_plan *p, const float **to, size_t rank, size_t rows, size_t columns,
                         const char *name, ...) __attribute__((format(printf, 6, 7)));

/* Weight and bias of a layer norm: `name`.weight and `name`.bias. */
void mm_plan_norm(mm_plan *p, mm_norm *to, size_t width, const char *name, ...)
    __attribute__((format(printf, 4, 5)));

/* A matrix or a depthwise convolution whose parts follow by mm_plan_part. */
mm_entry *mm_plan_matrix(mm_plan *p, mm_matrix **to, size_t outputs, size_t inputs, size_t kernel);
mm_entry *mm_plan_depth(mm_plan *p, const float **to, size_t channels, size_t kernel);

/* Adds a part with the weight `name`, of the shape that the entry implies with `kernel`: [outputs,
 * inputs] if 0, else [outputs, inputs, kernel, kernel]; without a name the identity. */
mm_part *mm_plan_part(mm_plan *p, mm_entry *e, size_t kernel, const char *name, ...)
    __attribute__((format(printf, 4, 5)));

/* Formats a name into one of a part's. */
void mm_plan_name(char out[MM_NAME], const char *name, ...) __attribute__((format(printf, 2, 3)));

/* 1 if the set has such a tensor. */
int mm_plan_has(const mm_plan *p, const char *name, ...) __attribute__((format(printf, 2, 3)));

/* The numbers of a row of an MM_ENTRY_DEPTH. */
size_t mm_depth_stride(size_t channels);

/* ---- For weights.c -------------------------------------------------------------------------- */

/* Lists all that `config` asks for, with where in `w` it goes, and binds it to tensors of exactly
 * these names and shapes. */
mmood_status mm_plan_make(mm_plan *p, mm_weights *w, const mm_clip_config *config,
                          mmood_error *error);
void mm_plan_free(mm_plan *p);

/* Numbers of each row of an entry's matrix, and rows. */
size_t mm_entry_columns(const mm_entry *e);
size_t mm_entry_rows(const mm_entry *e);

/* 1 if its matrix has a bias. */
int mm_entry_biased(const mm_entry *e);

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
