/* similarity.h - cosines of pictures with many labels, and sums of exponentials over them: the two
 * loops that cost time when there are tens of thousands of labels. In double precision, since at
 * T = 1 scores differ in the digits that single precision loses. Compiled once an instruction set
 * (similarity_base.c, _avx2.c, _avx512.c, all from similarity_body.h). A result does not depend on
 * neighbours, block or thread; between instruction sets the last bits differ. */
#ifndef MM_DETECT_SIMILARITY_H
#define MM_DETECT_SIMILARITY_H

#include <stddef.h>

/* Labels side by side in one panel. */
enum { MM_PANEL = 16 };

typedef struct mm_similarity {
    /* Puts pictures [count, dimension] in double, in the order in which `dot` reads them. */
    void (*pack)(double *out, const float *pictures, size_t count, size_t dimension);
    /* Dot products of `count` packed pictures with the labels of `panels` panels, to
     * out [count, stride], stride >= panels * MM_PANEL. */
    void (*dot)(double *out, size_t stride, const double *pictures, size_t count, size_t dimension,
                const float *packed, size_t panels);
    /* Sum of exp((s - shift) * scale) over `count` values; (s - shift) * scale <= 0. */
    double (*sum_exp)(const double *s, size_t count, double shift, double scale);
    /* The same terms one by one. */
    void (*each_exp)(double *out, const double *s, size_t count, double shift, double scale);
    double (*maximum)(const double *s, size_t count); /* count >= 1 */
} mm_similarity;

/* The best one for this CPU, and number `index` of those it can run (0 is plain C), NULL beyond. */
const mm_similarity *mm_similarity_get(void);
const mm_similarity *mm_similarity_at(size_t index);

/* Panels that `labels` labels fill. */
size_t mm_panel_count(size_t labels);

/* Turns rows [labels, dimension] into panels [panels, dimension, MM_PANEL], the last one filled up
 * with zeros. */
void mm_panel_pack(float *out, const float *rows, size_t labels, size_t dimension);

#endif
