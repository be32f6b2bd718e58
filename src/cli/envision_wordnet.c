/* envision_wordnet.c - mmood envision --mode wordnet and csp: outlier labels mined from WordNet. */
#include "cli/envision.h"

#include "base/error.h"
#include "base/file.h"
#include "base/sha256.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { MAX_FILE = 64 << 20 };

/* Turns "noun.animal,noun.food" into bits; 0 after a message. */
static int parse_left_out(uint64_t *out, const char *text) {
    *out = 0;
    if (strcmp(text, "none") == 0)
        return 1;
    for (const char *at = text; *at;) {
        size_t n = strcspn(at, ",");
        char name[32] = "";
        if (n < sizeof name)
            memcpy(name, at, n);
        int file = mm_wordnet_file_number(name);
        if (file < 0) {
            cli_error("option --leave-out: \"%.*s\" is not one of WordNet's files of nouns and "
                      "adjectives, such as noun.animal, noun.person or adj.pert; separate them "
                      "with commas, or give none",
                      (int)n, at);
            return 0;
        }
        *out |= (uint64_t)1 << file;
        at += n + (at[n] == ',');
    }
    return 1;
}

/* Reads data.noun and data.adj; an exit code. */
static int read_wordnet(mm_wordnet *wordnet, char sha256[MINED_KINDS][65], const char *directory) {
    static const char *const names[] = {"data.noun", "data.adj"};
    for (int i = 0; i < MINED_KINDS; i++) {
        mmood_error error;
        uint8_t *data;
        size_t size;
        if (!mm_file_exists_in(directory, names[i])) {
            cli_error("%s: there is no %s; WordNet is in the Debian package wordnet-base, or name "
                      "its folder with --wordnet DIR",
                      directory, names[i]);
            return EXIT_FATAL;
        }
        mmood_status status = mm_file_read_in(&data, &size, directory, names[i], MAX_FILE, &error);
        if (status == MMOOD_OK) {
            mm_sha256_of(sha256[i], data, size);
            status = mm_wordnet_add(wordnet, data, size, (mm_wordnet_kind)i, &error);
            free(data);
            if (status != MMOOD_OK)
                mm_error_prefix(&error, status, "%s", names[i]);
        }
        if (status != MMOOD_OK) {
            cli_error("%s/%s", directory, error.message);
            return EXIT_FATAL;
        }
    }
    return EXIT_DONE;
}

/* Shows how far it is, on a terminal. */
typedef struct progress {
    size_t before; /* words of kinds that are done */
    size_t all;
} progress;

static void show_progress(void *context, size_t done) {
    const progress *p = context;
    fprintf(stderr, "\r%zu of %zu words", p->before + done, p->all);
}

static mmood_status rank(mined *m, mm_mine_settings *how, progress *p, mmood_session *session,
                         const mmood_labels *id, mmood_error *error) {
    mm_miner *miner;
    mmood_status status = mm_miner_create(&miner, session, id, how, error);
    for (size_t i = 0; i < MINED_KINDS && status == MMOOD_OK; i++) {
        mined_kind *k = &m->kinds[i];
        status = mm_miner_rank(k->ranked, &k->kept, miner, k->words, k->count,
                               m->mode->templates[i], m->mode->template_count[i], error);
        p->before += k->count;
    }
    if (how->progress)
        fputs("\r\033[K", stderr);
    mm_miner_free(miner);
    if (status == MMOOD_OK && m->kinds[0].kept + m->kinds[1].kept == 0)
        status = mm_error_set(error, MMOOD_ERROR_ARGUMENT,
                              "%g of %zu nouns and of %zu adjectives is none: a larger --keep, or "
                              "more words are needed",
                              how->keep, m->kinds[0].count, m->kinds[1].count);
    return status;
}

static mmood_status write_mined(const mined *m, const mined_facts *facts, const char *path,
                                mmood_error *error) {
    mm_buffer text = {0};
    mined_write(&text, m, facts);
    mmood_status status =
        text.failed ? mm_error_set(error, MMOOD_ERROR_MEMORY, "no memory for the outlier labels")
                    : mm_file_write(path, text.data, text.size, error);
    mm_buffer_free(&text);
    return status == MMOOD_OK ? status : mm_error_prefix(error, status, "%s", path);
}

/* Mines with a model, once the words are there; an exit code. */
static int mine(const envision_settings *s, mined *m, mined_facts *facts) {
    mmood_model *model;
    mmood_session *session;
    mmood_error error;
    progress p = {0, m->kinds[0].count + m->kinds[1].count};
    mm_mine_settings how = {.id_templates = m->mode->id_templates,
                            .id_template_count = m->mode->id_template_count,
                            .quantile = s->quantile,
                            .keep = s->keep,
                            .too_near = m->mode->too_near,
                            .progress = !s->common.quiet && isatty(2) ? show_progress : NULL,
                            .context = &p};
    common_options common = s->common;
    common.fast_texts = 1; /* tens of thousands of words, of which only the order counts */
    int code = common_open_model(&model, &session, common.model, &common);
    if (code != EXIT_DONE)
        return code;
    facts->settings = &how;
    facts->model = model;
    mmood_status status = rank(m, &how, &p, session, facts->id, &error);
    if (status == MMOOD_OK)
        status = write_mined(m, facts, s->out, &error);
    if (status == MMOOD_OK)
        cli_note(common_talk(&s->common),
                 "%s: %zu of %zu nouns and %zu of %zu adjectives; %zu words dropped", s->out,
                 m->kinds[0].kept, m->kinds[0].count, m->kinds[1].kept, m->kinds[1].count,
                 m->dropped_count);
    else
        code = cli_fail(&error);
    mmood_session_free(session);
    mmood_model_free(model);
    return code;
}

int envision_wordnet(const envision_settings *s, const mined_mode *mode, int all_lemmas) {
    mmood_error error;
    mm_wordnet wordnet = {.all_lemmas = all_lemmas};
    mined m = {.mode = mode, .wordnet = &wordnet, .seed = s->seed};
    mined_facts facts = {.left_out = s->left_out ? s->left_out : mode->left_out};
    mmood_labels *id;
    if (!parse_left_out(&wordnet.left_out, facts.left_out))
        return EXIT_USAGE;
    if (mmood_labels_load(&id, s->id, &error) != MMOOD_OK)
        return cli_fail(&error);
    facts.id = id;
    int code = read_wordnet(&wordnet, facts.sha256, s->wordnet ? s->wordnet : ENVISION_WORDNET);
    if (code == EXIT_DONE && mined_collect(&m, id, &error) != MMOOD_OK)
        code = cli_fail(&error);
    if (code == EXIT_DONE)
        code = mine(s, &m, &facts);
    mined_free(&m);
    mm_wordnet_free(&wordnet);
    mmood_labels_free(id);
    return code;
}
