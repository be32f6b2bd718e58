/* bank.c - label embeddings, a slice of labels at a time. */
#include "detect/bank.h"

#include "base/buffer.h"
#include "base/error.h"
#include "detect/templates.h"

#include <math.h>
#include <stdlib.h>

enum { SLICE = 1024 };

/* Embeds a slice of labels in one template, to out [count, dimension]. */
static mmood_status embed_slice(float *out, size_t *truncated, mmood_session *session,
                                const char *const *labels, size_t count, const char *template,
                                mmood_error *error) {
    mm_buffer text = {0};
    size_t offsets[SLICE], cut;
    const char *texts[SLICE];
    for (size_t i = 0; i < count; i++) {
        offsets[i] = text.size;
        mm_template_expand(&text, template, labels[i]);
        mm_buffer_append(&text, "", 1);
    }
    mmood_status status =
        text.failed ? mm_error_set(error, MMOOD_ERROR_MEMORY, "no memory for the labels' texts")
                    : MMOOD_OK;
    for (size_t i = 0; i < count && status == MMOOD_OK; i++)
        texts[i] = text.data + offsets[i];
    if (status == MMOOD_OK)
        status = mmood_session_embed_texts(out, &cut, session, texts, count, error);
    if (status == MMOOD_OK)
        *truncated += cut;
    mm_buffer_free(&text);
    return status;
}

static mmood_status normalise(float *out, const double *sum, size_t dimension, const char *label,
                              mmood_error *error) {
    double squares = 0;
    for (size_t d = 0; d < dimension; d++)
        squares += sum[d] * sum[d];
    if (!(squares > 1e-12))
        return mm_error_set(error, MMOOD_ERROR_NUMERIC,
                            "the templates' embeddings of \"%s\" cancel each other", label);
    for (size_t d = 0; d < dimension; d++)
        out[d] = (float)(sum[d] / sqrt(squares));
    return MMOOD_OK;
}

mmood_status mm_bank_embed(float *out, size_t *truncated, mmood_session *session, size_t dimension,
                           const char *const *labels, size_t count, const char *const *templates,
                           size_t template_count, mmood_error *error) {
    float *rows = malloc(SLICE * dimension * sizeof *rows);
    double *sums = malloc(SLICE * dimension * sizeof *sums);
    mmood_status status = MMOOD_OK;
    *truncated = 0;
    if (!rows || !sums)
        status = mm_error_set(error, MMOOD_ERROR_MEMORY, "no memory for label embeddings");
    for (size_t at = 0; at < count && status == MMOOD_OK; at += SLICE) {
        size_t n = count - at < SLICE ? count - at : SLICE;
        for (size_t i = 0; i < n * dimension; i++)
            sums[i] = 0;
        for (size_t t = 0; t < template_count && status == MMOOD_OK; t++) {
            status = embed_slice(rows, truncated, session, labels + at, n, templates[t], error);
            for (size_t i = 0; i < n * dimension && status == MMOOD_OK; i++)
                sums[i] += (double)rows[i];
        }
        for (size_t i = 0; i < n && status == MMOOD_OK; i++)
            status = normalise(out + (at + i) * dimension, sums + i * dimension, dimension,
                               labels[at + i], error);
    }
    free(rows);
    free(sums);
    return status;
}
