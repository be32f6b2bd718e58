/* mine.c - ranking candidate words by the quantile of their cosines with the ID labels. */
#include "detect/mine.h"

#include "base/error.h"
#include "detect/bank.h"
#include "detect/detector.h"
#include "detect/templates.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { SLICE = 1024 };

struct mm_miner {
    mmood_session *session;
    const mm_mine_settings *settings;
    size_t dimension;
    size_t id_count;
    double *ids; /* [dimension, id_count]: the inner loop runs over labels, so that it is SIMD */
    double *cosines; /* [id_count] */
    float *rows;     /* [SLICE, dimension] */
};

/* ---- Quantiles ----------------------------------------------------------------------------- */

/* Puts the value that sorting would put at `k` there, with none larger before it and none smaller
 * behind it (Hoare's selection). */
static void select_at(double *values, size_t count, size_t k) {
    size_t low = 0, high = count - 1;
    while (low < high) {
        double pivot = values[low + (high - low) / 2];
        size_t i = low, j = high;
        for (;;) {
            while (values[i] < pivot)
                i++;
            while (values[j] > pivot)
                j--;
            if (i >= j)
                break;
            double swap = values[i];
            values[i++] = values[j];
            values[j--] = swap;
        }
        /* values[low .. j] <= pivot <= values[j + 1 .. high], or i == j at a pivot */
        if (k <= j)
            high = j;
        else
            low = j + 1;
    }
}

double mm_quantile(double *values, size_t count, double q) {
    double place = q * (double)(count - 1);
    size_t below = (size_t)place;
    if (below > count - 1)
        below = count - 1;
    select_at(values, count, below);
    double low = values[below], high = low;
    if (below + 1 < count) {
        high = values[below + 1];
        for (size_t i = below + 2; i < count; i++)
            high = values[i] < high ? values[i] : high;
    }
    return low + (high - low) * (place - (double)below);
}

/* ---- Words that are ID labels -------------------------------------------------------------- */

typedef struct folded {
    char *key;
    size_t label;
} folded;

static int by_key(const void *a, const void *b) {
    return strcmp(((const folded *)a)->key, ((const folded *)b)->key);
}

mmood_status mm_mine_match(size_t *out, const mmood_labels *id, const char *const *words,
                           size_t count, mmood_error *error) {
    size_t labels = mmood_labels_count(id);
    folded *keys = calloc(labels, sizeof *keys);
    int ok = keys != NULL;
    for (size_t i = 0; i < labels && ok; i++) {
        keys[i] = (folded){mm_fold_case(mmood_labels_text(id, i)), i};
        ok = keys[i].key != NULL;
    }
    if (ok)
        qsort(keys, labels, sizeof *keys, by_key);
    for (size_t i = 0; i < count && ok; i++) {
        folded wanted = {mm_fold_case(words[i]), 0};
        ok = wanted.key != NULL;
        const folded *found = ok ? bsearch(&wanted, keys, labels, sizeof *keys, by_key) : NULL;
        out[i] = found ? found->label : SIZE_MAX;
        free(wanted.key);
    }
    for (size_t i = 0; keys && i < labels; i++)
        free(keys[i].key);
    free(keys);
    return ok ? MMOOD_OK
              : mm_error_set(error, MMOOD_ERROR_MEMORY, "no memory for %zu words", count);
}

/* ---- Ranking ------------------------------------------------------------------------------- */

static mmood_status check(const mm_mine_settings *s, mmood_error *error) {
    if (!(s->quantile >= 0 && s->quantile <= 1))
        return mm_error_set(error, MMOOD_ERROR_ARGUMENT,
                            "the quantile is %g; 0 to 1 is possible, 0.95 usual", s->quantile);
    if (!(s->keep > 0 && s->keep <= 1))
        return mm_error_set(error, MMOOD_ERROR_ARGUMENT,
                            "the share to keep is %g; over 0 up to 1 is possible, 0.15 usual",
                            s->keep);
    mmood_status status = MMOOD_OK;
    for (size_t i = 0; i < s->id_template_count && status == MMOOD_OK; i++)
        status = mm_template_check(s->id_templates[i], error);
    return status;
}

/* Embeds the ID labels into columns of miner->ids. */
static mmood_status embed_ids(mm_miner *m, const mmood_labels *id, mmood_error *error) {
    const mm_mine_settings *s = m->settings;
    const char *texts[SLICE];
    mmood_status status = MMOOD_OK;
    for (size_t at = 0; at < m->id_count && status == MMOOD_OK; at += SLICE) {
        size_t n = m->id_count - at < SLICE ? m->id_count - at : SLICE, cut;
        for (size_t i = 0; i < n; i++)
            texts[i] = mmood_labels_text(id, at + i);
        status = mm_bank_embed(m->rows, &cut, m->session, m->dimension, texts, n, s->id_templates,
                               s->id_template_count, error);
        for (size_t i = 0; i < n && status == MMOOD_OK; i++)
            for (size_t d = 0; d < m->dimension; d++)
                m->ids[d * m->id_count + at + i] = (double)m->rows[i * m->dimension + d];
    }
    return status;
}

mmood_status mm_miner_create(mm_miner **out, mmood_session *session, const mmood_labels *id,
                             const mm_mine_settings *settings, mmood_error *error) {
    *out = NULL;
    mmood_status status = check(settings, error);
    if (status != MMOOD_OK)
        return status;
    mmood_model_info info;
    mmood_model_describe(mmood_session_model(session), &info);
    mm_miner *m = calloc(1, sizeof *m);
    if (m) {
        m->session = session;
        m->settings = settings;
        m->dimension = (size_t)info.dimension;
        m->id_count = mmood_labels_count(id);
        m->ids = malloc(m->dimension * m->id_count * sizeof *m->ids);
        m->cosines = malloc(m->id_count * sizeof *m->cosines);
        m->rows = malloc(SLICE * m->dimension * sizeof *m->rows);
    }
    if (!m || !m->ids || !m->cosines || !m->rows)
        status = mm_error_set(error, MMOOD_ERROR_MEMORY, "no memory for %zu ID labels",
                              mmood_labels_count(id));
    else
        status = embed_ids(m, id, error);
    if (status == MMOOD_OK)
        *out = m;
    else
        mm_miner_free(m);
    return status;
}

void mm_miner_free(mm_miner *miner) {
    if (!miner)
        return;
    free(miner->ids);
    free(miner->cosines);
    free(miner->rows);
    free(miner);
}

static void measure(mm_mined *out, mm_miner *m, const float *row) {
    size_t count = m->id_count;
    double *cosines = m->cosines, largest = -1;
    for (size_t i = 0; i < count; i++)
        cosines[i] = 0;
    for (size_t d = 0; d < m->dimension; d++) {
        const double *ids = m->ids + d * count;
        double x = (double)row[d];
        for (size_t i = 0; i < count; i++)
            cosines[i] += x * ids[i];
    }
    for (size_t i = 0; i < count; i++)
        largest = cosines[i] > largest ? cosines[i] : largest;
    out->distance = mm_quantile(cosines, count, m->settings->quantile);
    out->too_near = largest > m->settings->too_near;
}

static int by_distance(const void *a, const void *b) {
    const mm_mined *x = a, *y = b;
    if (x->too_near != y->too_near)
        return x->too_near - y->too_near;
    if (x->distance != y->distance)
        return x->distance < y->distance ? -1 : 1;
    return (x->word > y->word) - (x->word < y->word);
}

mmood_status mm_miner_rank(mm_mined *out, size_t *kept, mm_miner *miner, const char *const *words,
                           size_t count, const char *const *templates, size_t template_count,
                           mmood_error *error) {
    const mm_mine_settings *s = miner->settings;
    mmood_status status = MMOOD_OK;
    *kept = 0;
    for (size_t i = 0; i < template_count && status == MMOOD_OK; i++)
        status = mm_template_check(templates[i], error);
    for (size_t at = 0; at < count && status == MMOOD_OK; at += SLICE) {
        size_t n = count - at < SLICE ? count - at : SLICE, cut;
        status = mm_bank_embed(miner->rows, &cut, miner->session, miner->dimension, words + at, n,
                               templates, template_count, error);
        for (size_t i = 0; i < n && status == MMOOD_OK; i++) {
            out[at + i].word = at + i;
            measure(&out[at + i], miner, miner->rows + i * miner->dimension);
        }
        if (status == MMOOD_OK && s->progress)
            s->progress(s->context, at + n);
    }
    if (status != MMOOD_OK)
        return status;
    qsort(out, count, sizeof *out, by_distance);
    *kept = (size_t)((double)count * s->keep);
    return MMOOD_OK;
}
