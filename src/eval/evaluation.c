/* evaluation.c - memory of what an evaluation found. */
#include "eval/evaluation.h"

#include <stdlib.h>

static void free_set(mm_eval_set *set) {
    for (size_t i = 0; i < set->group_count; i++)
        free(set->groups[i].name);
    for (size_t i = 0; i < set->count; i++) {
        free(set->items[i].path);
        free(set->items[i].error);
        free(set->items[i].scores);
    }
    free(set->groups);
    free(set->items);
    free(set->name);
    free(set->path);
}

void mm_evaluation_free(mm_evaluation *evaluation) {
    for (size_t i = 0; i < evaluation->set_count; i++)
        free_set(&evaluation->sets[i]);
    for (size_t i = 0; i < evaluation->published_count; i++) {
        free(evaluation->published[i].method);
        free(evaluation->published[i].set);
        free(evaluation->published[i].source);
    }
    for (size_t i = 0; i < evaluation->warning_count; i++)
        free(evaluation->warnings[i]);
    free(evaluation->sets);
    free(evaluation->scores);
    free(evaluation->results);
    free(evaluation->means);
    free(evaluation->published);
    free(evaluation->warnings);
    free(evaluation->title);
    *evaluation = (mm_evaluation){0};
}
