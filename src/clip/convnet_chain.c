/* convnet_chain.c - which steps of a convolutional tower can be run together, a strip of rows at a
 * time, so that the maps between them stay in the caches. */
#include "clip/convnet.h"

/* Numbers that the maps between the steps of a chain have, if it is worth while; and numbers of
 * theirs in a strip, which with what the steps read and write stay in a second cache of 1 MB. */
enum { LEAST = 5 << 17, STRIP = 1 << 17 };

void mm_step_reads(size_t *from, size_t *to, const mm_step *step, size_t first, size_t last) {
    if (step->kind != MM_STEP_DEPTH) {
        *from = first;
        *to = last;
        return;
    }
    size_t begin = first * step->stride, end = (last - 1) * step->stride + step->kernel;
    *from = begin > step->pad ? begin - step->pad : 0;
    *to = end > step->side + step->pad ? step->side : end - step->pad;
}

/* Whether a step can read what the one before has only partly written. */
static int follows(const mm_step *step) {
    return step->kind == MM_STEP_POINT || step->kind == MM_STEP_DEPTH;
}

/* Whether the last step of a chain leaves alone what the first has yet to read. Where both are of
 * one map, the last may be as far as the first, but not farther. */
static int keeps_input(const mm_step *first, const mm_step *last) {
    if (first->kind == MM_STEP_DENSE || first->from != last->to)
        return 1;
    size_t stride = first->side / last->result_side;
    return first->kind == MM_STEP_POINT &&
           last->result_side * last->outputs <= stride * first->side * first->inputs;
}

/* `first`: they are the first of the net, which read pixels. */
static int is_chain(const mm_step *steps, size_t count, int first) {
    if (steps->kind == MM_STEP_DENSE ? !first : !follows(steps))
        return 0;
    for (size_t i = 0; i < count; i++) {
        if (i > 0 && !follows(&steps[i]))
            return 0;
        if (i + 1 < count && steps[i].to != MM_MAP_A && steps[i].to != MM_MAP_B)
            return 0;
        for (size_t k = 0; k < i; k++)
            if (steps[k].to == steps[i].to)
                return 0;
        if (i > 0 && steps->kind != MM_STEP_DENSE && steps[i - 1].to == steps->from)
            return 0;
    }
    return keeps_input(steps, &steps[count - 1]);
}

/* A chain's rows of a strip; 0 if the maps between its steps are small. */
static size_t strip_rows(const mm_step *steps, size_t count) {
    size_t numbers = 0, rows = steps[count - 1].result_side;
    for (size_t i = 0; i + 1 < count; i++)
        numbers += steps[i].result_side * steps[i].result_side * steps[i].outputs;
    if (numbers < LEAST)
        return 0;
    return STRIP * rows / numbers > 2 ? STRIP * rows / numbers : 2;
}

void mm_convnet_chain(mm_convnet *net) {
    for (size_t i = 0; i < net->count; i++) {
        mm_step *steps = &net->steps[i];
        size_t count = net->count - i < MM_CHAIN ? net->count - i : MM_CHAIN;
        while (count > 1 && !(is_chain(steps, count, i == 0) && strip_rows(steps, count)))
            count--;
        if (count < 2)
            continue;
        steps->chain = count;
        steps->strip = strip_rows(steps, count);
        i += count - 1;
    }
}
