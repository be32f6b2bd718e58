/* mined.c - what NegLabel and CSP take from WordNet, and the document of the mined labels. */
#include "cli/mined.h"

#include "base/error.h"
#include "base/sha256.h"
#include "base/text.h"

#include <stdlib.h>
#include <string.h>

/* NegLabel (ICLR 2024): the templates of its public code; its public word lists have no file for
 * animals and food. */
static const char *const nice[] = {"the nice {}"};
static const char *const this_is[] = {"This is a {} photo"};

/* CSP (NeurIPS 2024), likewise. */
static const char *const csp_nouns[] = {"a close-up photo of the nice {}.",
                                        "a photo with the nice {}.",
                                        "a good photo with the nice {}.",
                                        "a photo of the nice {}.",
                                        "{}",
                                        "the {}",
                                        "the good {}",
                                        "the nice {}"};
static const char *const csp_adjectives[] = {"{}", "a nice photo of {}", "a good photo of {}",
                                             "a close-up photo of {}"};
static const char *const csp_classes[] = {
    "environment", "space", "object",  "scene",     "place",     "item",  "area",
    "view",        "thing", "pattern", "structure", "landscape", "vista", "creature"};

#define LIST(a) (a), sizeof(a) / sizeof *(a)

const mined_mode mined_modes[] = {
    {"wordnet",
     "noun.animal,noun.food",
     LIST(nice),
     {nice, this_is},
     {sizeof nice / sizeof *nice, sizeof this_is / sizeof *this_is},
     NULL,
     0,
     2},
    {"csp",
     "noun.animal,noun.food,noun.person,noun.quantity,noun.group,adj.pert",
     LIST(csp_nouns),
     {csp_nouns, csp_adjectives},
     {sizeof csp_nouns / sizeof *csp_nouns, sizeof csp_adjectives / sizeof *csp_adjectives},
     LIST(csp_classes),
     0.95},
    {0},
};

/* ---- Collecting ---------------------------------------------------------------------------- */

/* The super-class of an adjective: drawn for each word on its own, so that a word keeps its class
 * when others come or go. */
static const char *super_class(const mined *m, const char *word) {
    mm_buffer text = {0};
    char digits[65];
    mm_buffer_printf(&text, "%d %s", m->seed, word);
    mm_sha256_of(digits, text.data, text.failed ? 0 : text.size);
    mm_buffer_free(&text);
    digits[8] = '\0';
    return m->mode->super_classes[strtoul(digits, NULL, 16) % m->mode->super_class_count];
}

static void drop(mined *m, const char *label, size_t from, const char *reason, const char *what) {
    mm_buffer text = {0};
    mm_buffer_printf(&text, reason, what);
    mm_buffer_puts(&m->dropped, m->dropped_count++ ? ",\n  {\"label\":" : "\n  {\"label\":");
    mm_json_text(&m->dropped, label);
    mm_buffer_printf(&m->dropped, ",\"source\":\"wordnet %s\",\"reason\":",
                     mm_wordnet_file_name(m->wordnet->words[from].file));
    mm_json_text(&m->dropped, text.data);
    mm_buffer_puts(&m->dropped, "}");
    m->dropped.failed |= text.failed;
    mm_buffer_free(&text);
}

/* Fills words and from with all words of the kind. */
static int fill(mined *m, mm_wordnet_kind kind) {
    const mm_wordnet *w = m->wordnet;
    mined_kind *k = &m->kinds[kind];
    size_t room = w->count ? w->count : 1;
    k->words = malloc(room * sizeof *k->words);
    k->from = malloc(room * sizeof *k->from);
    if (!k->words || !k->from)
        return 0;
    int phrases = kind == MM_WORDNET_ADJECTIVE && m->mode->super_classes;
    for (size_t i = 0; i < w->count; i++)
        if (w->words[i].kind == kind) {
            k->from[k->count++] = phrases ? m->phrases.size : 0;
            k->words[k->count - 1] = mm_wordnet_text(w, i);
            if (phrases)
                mm_buffer_printf(&m->phrases, "%s %s%c", mm_wordnet_text(w, i),
                                 super_class(m, mm_wordnet_text(w, i)), 0);
        }
    for (size_t i = 0, n = 0; i < w->count && !m->phrases.failed; i++)
        if (w->words[i].kind == kind) {
            if (phrases)
                k->words[n] = m->phrases.data + k->from[n];
            k->from[n++] = i;
        }
    return !m->phrases.failed;
}

static mmood_status collect(mined *m, mm_wordnet_kind kind, const mmood_labels *id,
                            mmood_error *error) {
    mined_kind *k = &m->kinds[kind];
    size_t *match = malloc((m->wordnet->count + 1) * sizeof *match), kept = 0;
    mmood_status status = MMOOD_OK;
    if (!match || !fill(m, kind))
        status =
            mm_error_set(error, MMOOD_ERROR_MEMORY, "no memory for %zu words", m->wordnet->count);
    if (status == MMOOD_OK)
        status = mm_mine_match(match, id, k->words, k->count, error);
    for (size_t i = 0; i < k->count && status == MMOOD_OK; i++) {
        size_t noun =
            kind == MM_WORDNET_ADJECTIVE ? mm_wordnet_find(m->wordnet, k->words[i]) : SIZE_MAX;
        if (match[i] != SIZE_MAX) {
            drop(m, k->words[i], k->from[i], "is the ID label \"%s\"",
                 mmood_labels_text(id, match[i]));
        } else if (noun != SIZE_MAX && m->wordnet->words[noun].kind == MM_WORDNET_NOUN) {
            drop(m, k->words[i], k->from[i], "is also a %s", "noun");
        } else {
            k->words[kept] = k->words[i];
            k->from[kept++] = k->from[i];
        }
    }
    free(match);
    if (status != MMOOD_OK)
        return status;
    k->count = kept;
    k->ranked = calloc(kept + 1, sizeof *k->ranked);
    return k->ranked && !m->dropped.failed
               ? MMOOD_OK
               : mm_error_set(error, MMOOD_ERROR_MEMORY, "no memory for %zu words", kept);
}

mmood_status mined_collect(mined *m, const mmood_labels *id, mmood_error *error) {
    mmood_status status = collect(m, MM_WORDNET_NOUN, id, error);
    return status == MMOOD_OK ? collect(m, MM_WORDNET_ADJECTIVE, id, error) : status;
}

void mined_free(mined *m) {
    for (size_t i = 0; i < MINED_KINDS; i++) {
        free(m->kinds[i].words);
        free(m->kinds[i].from);
        free(m->kinds[i].ranked);
    }
    mm_buffer_free(&m->phrases);
    mm_buffer_free(&m->dropped);
}

/* ---- The document -------------------------------------------------------------------------- */

static void put_list(mm_buffer *out, const char *const *items, size_t count) {
    mm_buffer_puts(out, "[");
    for (size_t i = 0; i < count; i++) {
        mm_buffer_puts(out, i ? ", " : "");
        mm_json_text(out, items[i]);
    }
    mm_buffer_puts(out, "]");
}

/* A list of one is written as the text itself: most files have ten thousand of them. */
static void put_templates(mm_buffer *out, const char *const *items, size_t count) {
    if (count == 1)
        mm_json_text(out, items[0]);
    else
        put_list(out, items, count);
}

void mined_labels_sha256(char out[65], const mmood_labels *labels) {
    mm_sha256 hash;
    mm_sha256_init(&hash);
    for (size_t i = 0; i < mmood_labels_count(labels); i++) {
        const char *text = mmood_labels_text(labels, i);
        mm_sha256_update(&hash, text, strlen(text));
        mm_sha256_update(&hash, "\n", 1);
    }
    mm_sha256_finish(out, &hash);
}

static void put_settings(mm_buffer *out, const mined *m, const mined_facts *facts) {
    static const char *const names[] = {"noun", "adjective"};
    mmood_model_info model;
    char sha256[65];
    mmood_model_describe(facts->model, &model);
    mined_labels_sha256(sha256, facts->id);
    mm_buffer_printf(out, "{\n  \"mode\": \"%s\", \"mmood\": \"%s\",\n  \"keep\": ", m->mode->name,
                     mmood_version());
    mm_json_number(out, facts->settings->keep);
    mm_buffer_puts(out, ", \"quantile\": ");
    mm_json_number(out, facts->settings->quantile);
    mm_buffer_printf(
        out, ", \"lemmas\": \"%s\", \"left_out\": ", m->wordnet->all_lemmas ? "all" : "first");
    mm_json_text(out, facts->left_out);
    mm_buffer_puts(out, ",\n  \"id_templates\": ");
    put_list(out, m->mode->id_templates, m->mode->id_template_count);
    for (size_t i = 0; i < MINED_KINDS; i++) {
        mm_buffer_printf(out, ",\n  \"%s_templates\": ", names[i]);
        put_list(out, m->mode->templates[i], m->mode->template_count[i]);
    }
    if (m->mode->super_classes) {
        mm_buffer_puts(out, ",\n  \"super_classes\": ");
        put_list(out, m->mode->super_classes, m->mode->super_class_count);
        mm_buffer_printf(out, ",\n  \"seed\": %d, \"too_near\": ", m->seed);
        mm_json_number(out, m->mode->too_near);
    }
    mm_buffer_puts(out, ",\n  \"wordnet\": {\"version\": ");
    mm_json_text(out, m->wordnet->version);
    mm_buffer_printf(out, ", \"data.noun\": \"%s\", \"data.adj\": \"%s\"},\n", facts->sha256[0],
                     facts->sha256[1]);
    mm_buffer_printf(out, "  \"model\": {\"fingerprint\": \"%s\", \"precision\": \"%s\"},\n",
                     model.fingerprint, mmood_precision_name(model.text_precision));
    mm_buffer_printf(out, "  \"id_labels\": {\"count\": %zu, \"sha256\": \"%s\"},\n",
                     mmood_labels_count(facts->id), sha256);
    mm_buffer_printf(out, "  \"counts\": {\"duplicates\": %zu, \"synsets_left_out\": %zu",
                     m->wordnet->duplicates, m->wordnet->passed_over);
    for (size_t i = 0; i < MINED_KINDS; i++) {
        size_t near = 0;
        for (size_t n = 0; n < m->kinds[i].count; n++)
            near += (size_t)m->kinds[i].ranked[n].too_near;
        mm_buffer_printf(out, ", \"%s\": {\"candidates\": %zu, \"too_near\": %zu, \"kept\": %zu}",
                         names[i], m->kinds[i].count, near, m->kinds[i].kept);
    }
    mm_buffer_puts(out, "}}");
}

void mined_write(mm_buffer *out, const mined *m, const mined_facts *facts) {
    mm_buffer_puts(out, "{\"format\": \"mmood-outliers/1\",\n \"settings\": ");
    put_settings(out, m, facts);
    mm_buffer_puts(out, ",\n \"labels\": [");
    size_t written = 0;
    for (size_t i = 0; i < MINED_KINDS; i++)
        for (size_t n = 0; n < m->kinds[i].kept; n++) {
            const mined_kind *k = &m->kinds[i];
            const mm_wordnet_word *from = &m->wordnet->words[k->from[k->ranked[n].word]];
            mm_buffer_puts(out, written++ ? ",\n  {\"label\":" : "\n  {\"label\":");
            mm_json_text(out, k->words[k->ranked[n].word]);
            mm_buffer_printf(
                out, ",\"source\":\"wordnet %s\",\"template\":", mm_wordnet_file_name(from->file));
            put_templates(out, m->mode->templates[i], m->mode->template_count[i]);
            mm_buffer_puts(out, ",\"distance\":");
            mm_json_number(out, k->ranked[n].distance);
            mm_buffer_puts(out, "}");
        }
    mm_buffer_printf(out, "],\n \"dropped\": [%s]}\n", m->dropped.size ? m->dropped.data : "");
}
