/* cmd_build.c - mmood build: a detector from labels. */
#include "cli/options.h"

#include "base/buffer.h"
#include "detect/templates.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

static const char usage[] =
    "usage: mmood build -m MODEL --id LABELS [--outliers FILE]... [OPTION]... -o DETECTOR\n\n"
    "Embeds the ID labels and the outlier labels with the model's text tower and writes a "
    "detector\n"
    "file, which scores pictures together with the same model.\n\n"
    "example: mmood build -m models/demo --id food.txt --outliers others.txt -o food.mmood\n";

typedef struct settings {
    common_options common;
    const char *id;
    option_list outliers;
    option_list templates;
    const char *score;
    double beta; /* NaN, here and below: the default; of counts -1 */
    double temperature;
    double lambda;
    double max_similarity;
    int groups;
    int seed;
    const char *out;
} settings;

/* Tells which texts the model cuts: all but the beginning of such a label is lost. */
static void note_cut(const mmood_detector *detector, const mmood_model *model, cli_talk talk) {
    mmood_model_info info;
    mmood_detector_info have;
    mmood_model_describe(model, &info);
    mmood_detector_describe(detector, &have);
    uint32_t *tokens = malloc((size_t)info.context * sizeof *tokens);
    mm_buffer text = {0};
    for (size_t i = 0; tokens && i < have.id_count + have.outlier_count; i++)
        for (size_t t = 0; mmood_detector_label_template(detector, i, t); t++) {
            const char *label = mmood_detector_label(detector, i);
            size_t n;
            int cut = 0;
            text.size = 0;
            mm_template_expand(&text, mmood_detector_label_template(detector, i, t), label);
            if (!text.failed &&
                mmood_model_tokenize(tokens, &n, &cut, model, text.data, text.size, NULL) ==
                    MMOOD_OK &&
                cut) {
                cli_note(talk, "label \"%s\" is longer than %d tokens and was cut", label,
                         info.context);
                break;
            }
        }
    mm_buffer_free(&text);
    free(tokens);
}

/* Tells of settings that give a score which says nothing, or not what its name promises. */
static void note_score(const mmood_detector_info *info, cli_talk talk) {
    mmood_score_kind kind = info->score.kind;
    const char *name = mmood_score_name(kind);
    int alone = kind == MMOOD_SCORE_MCM || kind == MMOOD_SCORE_MAX || kind == MMOOD_SCORE_GL_MCM;
    int compares = kind == MMOOD_SCORE_MM_OOD || kind == MMOOD_SCORE_MSP;
    if (info->id_count == 1 && (alone || (compares && info->outlier_count == 0)))
        cli_note(talk,
                 "with one ID label and no other to compare it with, %s is 1 for every picture; "
                 "use max-logit, or give outlier labels to mm-ood",
                 name);
    else if (compares && info->outlier_count == 0)
        cli_note(talk, "without outlier labels %s is the same as mcm; --outliers gives some", name);
    else if (info->outlier_count > 0 && !mmood_score_uses_outliers(kind))
        cli_note(talk, "%s does not look at outlier labels; they serve the explanations only",
                 name);
}

/* Tells on stderr what was odd in a file of labels. */
static void note_findings(const mmood_labels *labels, const char *path, cli_talk talk) {
    size_t count = mmood_labels_finding_count(labels);
    for (size_t i = 0; i < count && (i < 5 || talk == TALK_VERBOSE); i++) {
        mmood_finding finding = mmood_labels_finding(labels, i);
        cli_note(talk, "%s, line %zu: %s", path, finding.line, finding.message);
    }
    if (count > 5 && talk != TALK_VERBOSE)
        cli_note(talk, "%s: %zu more findings; \"mmood labels check %s\" lists them", path,
                 count - 5, path);
}

static int load_outliers(mmood_labels **out, const settings *s) {
    mmood_error error;
    for (size_t i = 0; i < s->outliers.count; i++) {
        if (mmood_labels_load(&out[i], s->outliers.items[i], &error) != MMOOD_OK)
            return cli_fail(&error);
        note_findings(out[i], s->outliers.items[i], common_talk(&s->common));
    }
    return EXIT_DONE;
}

/* What --max-similarity took out. */
typedef struct pruning {
    cli_talk talk;
    size_t count;
} pruning;

enum { SHOWN_DROPPED = 8 };

static void note_dropped(void *context, const char *label, const char *id_label, double cosine) {
    pruning *p = context;
    if (p->count++ < SHOWN_DROPPED || p->talk == TALK_VERBOSE)
        cli_note(p->talk,
                 "outlier label \"%s\" was dropped: its text has a cosine of %.4f to \"%s\"", label,
                 cosine, id_label);
}

/* Takes out what is too similar to an ID label. */
static mmood_status prune(mmood_detector **detector, const settings *s, mmood_error *error) {
    mmood_detector *pruned;
    pruning p = {common_talk(&s->common), 0};
    if (s->max_similarity == 1)
        return MMOOD_OK;
    mmood_status status =
        mmood_detector_prune(&pruned, *detector, s->max_similarity, note_dropped, &p, error);
    if (status != MMOOD_OK)
        return status;
    if (p.count > SHOWN_DROPPED && p.talk == TALK_NORMAL)
        cli_note(p.talk, "%zu more outlier labels were dropped; --verbose shows them",
                 p.count - SHOWN_DROPPED);
    mmood_detector_free(*detector);
    *detector = pruned;
    return MMOOD_OK;
}

static int build(const settings *s, const mmood_detector_options *options, const mmood_labels *id,
                 mmood_labels **outliers) {
    mmood_model *model;
    mmood_session *session;
    mmood_error error;
    mmood_detector *detector;
    size_t truncated;
    int code = common_open_model(&model, &session, s->common.model, &s->common);
    if (code != EXIT_DONE)
        return code;
    mmood_status status = mmood_detector_build(&detector, &truncated, session, id,
                                               (const mmood_labels *const *)outliers,
                                               s->outliers.count, options, &error);
    if (status == MMOOD_OK)
        status = prune(&detector, s, &error);
    if (status == MMOOD_OK)
        status = mmood_detector_save(detector, s->out, &error);
    if (status == MMOOD_OK) {
        mmood_detector_info info;
        mmood_detector_describe(detector, &info);
        if (truncated)
            note_cut(detector, model, common_talk(&s->common));
        note_score(&info, common_talk(&s->common));
        cli_note(common_talk(&s->common), "%s: %zu ID labels, %zu outlier labels, score %s", s->out,
                 info.id_count, info.outlier_count, mmood_score_name(info.score.kind));
    } else {
        code = cli_fail(&error);
    }
    mmood_detector_free(detector);
    mmood_session_free(session);
    mmood_model_free(model);
    return code;
}

/* Tells of an option that changes only further scores, not the detector's own. */
static void note_unused(const char *option_name, const char *users, mmood_score_kind kind,
                        cli_talk talk) {
    cli_note(talk,
             "--%s does not change %s: it is for %s, also as a further score (score --scores)",
             option_name, mmood_score_name(kind), users);
}

/* The score that the options ask for; 0 after a message. */
static int set_score(mmood_score_settings *out, const settings *s) {
    mmood_error error;
    cli_talk talk = common_talk(&s->common);
    if (s->score && mmood_score_parse(&out->kind, s->score, &error) != MMOOD_OK) {
        cli_error("option --score: %s", error.message);
        return 0;
    }
    if (!isnan(s->temperature) && s->temperature < 1e-4) {
        cli_error("option --temperature: %g is too small, expected 0.0001 or more; without the "
                  "option it is the score's own",
                  s->temperature);
        return 0;
    }
    out->temperature = isnan(s->temperature) ? 0 : s->temperature;
    out->beta = isnan(s->beta) ? out->beta : s->beta;
    out->lambda = isnan(s->lambda) ? out->lambda : s->lambda;
    out->groups = s->groups < 0 ? out->groups : (uint32_t)s->groups;
    out->seed = s->seed < 0 ? out->seed : (uint32_t)s->seed;
    int grouped = out->kind == MMOOD_SCORE_NEGLABEL || out->kind == MMOOD_SCORE_CSP;
    if (!isnan(s->beta) && out->kind != MMOOD_SCORE_MM_OOD)
        note_unused("beta", "mm-ood", out->kind, talk);
    if (!isnan(s->lambda) && out->kind != MMOOD_SCORE_GL_MCM)
        note_unused("lambda", "gl-mcm", out->kind, talk);
    if (s->groups >= 0 && !grouped)
        note_unused("groups", "neglabel and csp", out->kind, talk);
    if (s->seed >= 0 && !grouped)
        note_unused("seed", "neglabel and csp", out->kind, talk);
    return 1;
}

static int run(const settings *s) {
    mmood_error error;
    mmood_detector_options options = mmood_detector_options_default();
    options.templates = s->templates.items;
    options.template_count = s->templates.count;
    if (!set_score(&options.score, s))
        return EXIT_USAGE;
    mmood_labels *id;
    mmood_labels **outliers = calloc(s->outliers.count + 1, sizeof *outliers);
    if (!outliers) {
        cli_error("no memory for outlier labels");
        return EXIT_FATAL;
    }
    if (mmood_labels_load(&id, s->id, &error) != MMOOD_OK) {
        free(outliers);
        return cli_fail(&error);
    }
    note_findings(id, s->id, common_talk(&s->common));
    int code = load_outliers(outliers, s);
    if (code == EXIT_DONE)
        code = build(s, &options, id, outliers);
    for (size_t i = 0; i < s->outliers.count; i++)
        mmood_labels_free(outliers[i]);
    free(outliers);
    mmood_labels_free(id);
    return code;
}

int cmd_build(int argc, char **argv) {
    settings s = {.common = common_options_default(),
                  .beta = NAN,
                  .temperature = NAN,
                  .lambda = NAN,
                  .max_similarity = 1,
                  .groups = -1,
                  .seed = -1};
    int count;
    const option table[] = {
        OPTION_MODEL(s.common),
        {"id", 0, OPTION_TEXT, &s.id, "FILE", "the in-distribution labels"},
        {"outliers", 0, OPTION_LIST, &s.outliers, "FILE", "outlier labels; may come several times"},
        {"max-similarity", 0, OPTION_NUMBER, &s.max_similarity, "S",
         "drop outlier labels whose text has a cosine over S to an ID label's; default 1: none"},
        {"score", 0, OPTION_TEXT, &s.score, "NAME",
         "mm-ood (default; eoe is the same), mcm, max-logit, energy, msp, sum, energy-diff, "
         "max-logit-diff, max, "
         "neglabel, gl-mcm or csp"},
        {"beta", 0, OPTION_NUMBER, &s.beta, "B", "weight of outliers in mm-ood; default 0.25"},
        {"temperature", 0, OPTION_NUMBER, &s.temperature, "T",
         "0.0001 or more; default: the score's own"},
        {"lambda", 0, OPTION_NUMBER, &s.lambda, "L", "weight of patches in gl-mcm; default 0.5"},
        {"groups", 0, OPTION_COUNT, &s.groups, "G",
         "groups of outliers in neglabel and csp; default 100"},
        {"seed", 0, OPTION_COUNT, &s.seed, "N", "for dealing them; default 0"},
        {"template", 0, OPTION_LIST, &s.templates, "T",
         "a text with {} for the label; several are averaged; default \"a photo of a {}\""},
        {"output", 'o', OPTION_TEXT, &s.out, "FILE", "the detector to write"},
        OPTION_THREADS(s.common),
        {"precision", 0, OPTION_TEXT, &s.common.precision, "P",
         "auto, f32, bf16 or int8, which changes no label: texts are always embedded in f32"},
        OPTION_RESAMPLE(s.common),
        OPTION_CACHE(s.common),
        OPTION_TALK(s.common),
        OPTION_END};
    parse_result parsed = options_parse(table, usage, argc, argv, &count);
    int code = parsed == PARSE_DONE ? EXIT_DONE : EXIT_USAGE;
    if (parsed == PARSE_GO) {
        if (count > 0)
            cli_error("build takes no argument \"%s\"", argv[0]);
        else if (!s.id || !s.out)
            cli_error("build needs --id LABELS and -o DETECTOR");
        else
            code = run(&s);
    }
    option_list_free(&s.outliers);
    option_list_free(&s.templates);
    return code;
}
