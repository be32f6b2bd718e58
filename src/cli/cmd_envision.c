/* cmd_envision.c - mmood envision: outlier labels for ID labels, from models that see and read, or
 * from WordNet. */
#include "cli/envision.h"

#include <stdio.h>
#include <string.h>

static const char usage[] =
    "usage: mmood envision --id LABELS --mode near|far|mix|text-near|text-far|text-fine "
    "[OPTION]... -o OUTLIERS.json\n"
    "       mmood envision -m MODEL --id LABELS --mode wordnet|csp [OPTION]... -o OUTLIERS.json\n"
    "       mmood envision --id LABELS --mode import FILE... -o OUTLIERS.json\n\n"
    "Finds outlier labels. near and far ask a multimodal language model about pictures, of the ID\n"
    "classes or generated ones; mix does both; text-near and text-far ask without pictures,\n"
    "text-fine for other kinds of the ID classes' own sort; wordnet and csp take words of WordNet "
    "whose texts the CLIP model puts farthest from the ID labels;\n"
    "import filters lists that are there. docs/envision.md tells how, docs/endpoints.md with "
    "which\n"
    "servers. \"mmood build --outliers\" takes the file, which can be read and edited.\n\n"
    "example: mmood envision --id food.txt --mode far --chat-url localhost:8080 --image-url "
    "localhost:7860 -o o.json\n"
    "         mmood envision -m models/demo --id food.txt --mode wordnet -o o.json\n";

static envision_settings default_settings(void) {
    const mm_far_options far = mm_far_options_default();
    const mm_imagegen_options image = mm_imagegen_options_default();
    return (envision_settings){.common = common_options_default(),
                               .lemmas = "first",
                               .keep = 0.15,
                               .quantile = 0.95,
                               .key_env = "OPENAI_API_KEY",
                               .steps = image.steps,
                               .guidance = image.guidance,
                               .jobs = 4,
                               .image_jobs = 1,
                               .timeout = mm_http_options_default().timeout,
                               .max_tokens = mm_chat_options_default().max_tokens,
                               .more_rounds = 4,
                               .sample = 20,
                               .llm_for = "categories",
                               .per_class = 1,
                               .mix = 0.5,
                               .category_count = (int)far.category_count,
                               .draft_count = (int)far.draft_count,
                               .representatives = (int)far.representative_count,
                               .phrases = "keep"};
}

/* What the parser lets pass and makes no sense; 0 after a message. */
static int check(const envision_settings *s) {
    const struct {
        const char *name;
        int value;
        int most;
    } counts[] = {{"jobs", s->jobs, 256},
                  {"image-jobs", s->image_jobs, 256},
                  {"per-turn", s->per_turn ? s->per_turn : 1, 1000},
                  {"rounds", s->rounds ? s->rounds : 1, 1000},
                  {"sample", s->sample, 100000},
                  {"per-class", s->per_class, 100},
                  {"category-count", s->category_count, 1000},
                  {"draft-count", s->draft_count, 1000},
                  {"representatives", s->representatives, 1000}};
    static const char *const phrases[] = {"keep", "head", "word", NULL};
    static const char *const steps[] = {"categories", "sketch", NULL};
    for (size_t i = 0; i < sizeof counts / sizeof *counts; i++)
        if (counts[i].value < 1 || counts[i].value > counts[i].most) {
            cli_error("option --%s: %d, expected 1 to %d", counts[i].name, counts[i].value,
                      counts[i].most);
            return 0;
        }
    if (s->mix < 0 || s->mix > 1) {
        cli_error("option --mix: %g, expected the near branch's share, 0 to 1", s->mix);
        return 0;
    }
    if (s->rounds && s->per_turn) {
        cli_error("--rounds and --per-turn exclude each other: with --rounds, a conversation's "
                  "labels are shared out among its messages");
        return 0;
    }
    if (s->context && !s->dry_run) {
        cli_error("--context is for --dry-run, which compares the largest request with it");
        return 0;
    }
    if (s->offline && s->refresh) {
        cli_error("--offline and --refresh exclude each other");
        return 0;
    }
    return option_choose("phrases", s->phrases, phrases) >= 0 &&
           option_choose("llm-for", s->llm_for, steps) >= 0;
}

static int dispatch(const envision_settings *s, char **files, int count) {
    static const char *const modes[] = {"wordnet",   "csp",      "near",      "far",    "mix",
                                        "text-near", "text-far", "text-fine", "import", NULL};
    static const char *const lemmas[] = {"first", "all", NULL};
    if (!s->id || !s->mode || (!s->out && !s->dry_run)) {
        cli_error(
            "envision needs --id LABELS, --mode near, far, mix, text-near, text-far, text-fine, "
            "wordnet, csp or import, and -o OUTLIERS.json");
        return EXIT_USAGE;
    }
    int mode = option_choose("mode", s->mode, modes);
    int lemma = option_choose("lemmas", s->lemmas, lemmas);
    if (mode < 0 || lemma < 0 || !check(s))
        return EXIT_USAGE;
    if ((count > 0) != (mode == ENVISION_IMPORT)) {
        if (count > 0)
            cli_error("envision --mode %s takes no argument \"%s\"", s->mode, files[0]);
        else
            cli_error("--mode import needs files of labels");
        return EXIT_USAGE;
    }
    if (s->dry_run && (mode <= ENVISION_CSP || mode == ENVISION_IMPORT)) {
        cli_error("--dry-run is for modes that ask models; %s asks none", s->mode);
        return EXIT_USAGE;
    }
    return mode <= ENVISION_CSP ? envision_wordnet(s, &mined_modes[mode], lemma == 1)
                                : envision_chat(s, (enum envision_mode)mode, files, (size_t)count);
}

int cmd_envision(int argc, char **argv) {
    envision_settings s = default_settings();
    int count;
    const option table[] = {
        {"id", 0, OPTION_TEXT, &s.id, "FILE", "the in-distribution labels"},
        {"mode", 0, OPTION_TEXT, &s.mode, "M",
         "near, far, mix, text-near, text-far, text-fine, wordnet (NegLabel's way), csp (CSP's) or "
         "import"},
        {"output", 'o', OPTION_TEXT, &s.out, "FILE", "the file of outlier labels to write"},
        {"count", 'L', OPTION_TEXT, &s.count, "N",
         "labels wanted, or 12K: 12 times the ID labels; default 3K near, 500 else"},
        {"images", 0, OPTION_TEXT, &s.images, "DIR",
         "near: pictures, in a folder an ID class or named after it"},
        {"per-class", 0, OPTION_COUNT, &s.per_class, "N", "near: pictures a class; default 1"},
        {"mix", 0, OPTION_NUMBER, &s.mix, "F", "mix: the near branch's share; default 0.5"},
        {"category-count", 0, OPTION_COUNT, &s.category_count, "M",
         "far: broad categories; default 3"},
        {"draft-count", 0, OPTION_COUNT, &s.draft_count, "N", "far: drafts; default 30"},
        {"representatives", 0, OPTION_COUNT, &s.representatives, "N",
         "far: drafts that become pictures; default 10"},
        {"categories", 0, OPTION_TEXT, &s.categories, "FILE",
         "the broad categories, not asked for"},
        {"drafts", 0, OPTION_TEXT, &s.drafts, "FILE", "far: the drafts, not asked for"},
        {"pictures", 0, OPTION_TEXT, &s.pictures, "DIR",
         "far: the pictures, not generated; named after what they show"},
        {"chat-url", 0, OPTION_TEXT, &s.chat_url, "URL",
         "an OpenAI-compatible server with a multimodal model"},
        {"chat-model", 0, OPTION_TEXT, &s.chat_model, "NAME", "its name; default the server's own"},
        {"key-env", 0, OPTION_TEXT, &s.key_env, "NAME",
         "environment variable with its key; default OPENAI_API_KEY"},
        {"llm-url", 0, OPTION_TEXT, &s.llm_url, "URL",
         "another server for the categories of the far branch"},
        {"llm-model", 0, OPTION_TEXT, &s.llm_model, "NAME", "another model for these"},
        {"llm-for", 0, OPTION_TEXT, &s.llm_for, "STEPS",
         "what that model makes: categories (default), or sketch: drafts and their choice too"},
        {"llm-key-env", 0, OPTION_TEXT, &s.llm_key_env, "NAME",
         "variable with its key; default: --key-env's on the same host, else none"},
        {"image-url", 0, OPTION_TEXT, &s.image_url, "URL",
         "far: a picture generator, OpenAI's kind or AUTOMATIC1111's"},
        {"image-model", 0, OPTION_TEXT, &s.image_model, "NAME",
         "its model; default the server's own"},
        {"image-key-env", 0, OPTION_TEXT, &s.image_key_env, "NAME",
         "variable with its key; default: --key-env's on the same host, else none"},
        {"image-size", 0, OPTION_TEXT, &s.image_size, "PX", "512 (default), or 768x512"},
        {"steps", 0, OPTION_COUNT, &s.steps, "N", "of diffusion; default 30"},
        {"guidance", 0, OPTION_NUMBER, &s.guidance, "G",
         "how strictly pictures follow the prompt; default 7.5"},
        {"image-seed", 0, OPTION_SIZE, &s.image_seed, "N",
         "of the first picture, the next ones count up; default 0"},
        {"negative", 0, OPTION_TEXT, &s.negative, "TEXT", "what pictures are not to show"},
        {"prompts", 0, OPTION_TEXT, &s.prompts, "DIR", "prompts of your own: near.txt, ..."},
        {"per-turn", 0, OPTION_COUNT, &s.per_turn, "N",
         "labels asked for in one message; default 10, for text-far and text-fine 50"},
        {"more-rounds", 0, OPTION_COUNT, &s.more_rounds, "N",
         "messages beyond those that should suffice; default 4"},
        {"rounds", 0, OPTION_COUNT, &s.rounds, "R",
         "messages of a conversation, which share its labels; default as many as it takes"},
        {"sample", 0, OPTION_COUNT, &s.sample, "N",
         "ID labels that {sample} in a prompt of your own shows; default 20"},
        {"examples", 0, OPTION_FLAG, &s.examples, NULL,
         "show examples of good answers, for small models"},
        {"max-tokens", 0, OPTION_COUNT, &s.max_tokens, "N",
         "of a reply; default 2048, 0 the server's"},
        {"no-schema", 0, OPTION_FLAG, &s.no_schema, NULL, "do not ask for lists by a JSON schema"},
        {"jobs", 0, OPTION_COUNT, &s.jobs, "N", "requests at a time; default 4"},
        {"image-jobs", 0, OPTION_COUNT, &s.image_jobs, "N",
         "pictures generated at a time; default 1"},
        {"timeout", 0, OPTION_NUMBER, &s.timeout, "S",
         "seconds for one call with its retries; default 300"},
        {"cache", 0, OPTION_TEXT, &s.cache, "DIR",
         "where exchanges are kept; default $XDG_CACHE_HOME/mmood/envision"},
        {"offline", 0, OPTION_FLAG, &s.offline, NULL, "call nobody: all must be in the cache"},
        {"refresh", 0, OPTION_FLAG, &s.refresh, NULL, "ask again for what is in the cache"},
        {"dry-run", 0, OPTION_FLAG, &s.dry_run, NULL,
         "show the prompts and how many calls, call nobody"},
        {"context", 0, OPTION_COUNT, &s.context, "N",
         "dry-run: the model's tokens; warns if the largest request has more"},
        {"no-probe", 0, OPTION_FLAG, &s.no_probe, NULL, "do not test that the model sees"},
        {"phrases", 0, OPTION_TEXT, &s.phrases, "P",
         "phrases with an ID label in them: keep (default), drop by head, or by any word"},
        {"keep-hyponyms", 0, OPTION_FLAG, &s.keep_hyponyms, NULL,
         "keep kinds of ID labels, such as tabby cat for cat"},
        {"wordnet", 0, OPTION_TEXT, &s.wordnet, "DIR",
         "WordNet's files; default " ENVISION_WORDNET "; with models also none"},
        OPTION_MODEL(s.common),
        {"keep", 0, OPTION_NUMBER, &s.keep, "F",
         "wordnet, csp: share of nouns and of adjectives to keep; default 0.15"},
        {"quantile", 0, OPTION_NUMBER, &s.quantile, "Q",
         "wordnet, csp: of a word's cosines with the ID labels; default 0.95"},
        {"lemmas", 0, OPTION_TEXT, &s.lemmas, "L",
         "wordnet, csp: first (default) or all words of each set of synonyms"},
        {"leave-out", 0, OPTION_TEXT, &s.left_out, "FILES",
         "WordNet's files to pass over, such as noun.person,adj.pert; or none; default the mode's"},
        {"seed", 0, OPTION_COUNT, &s.seed, "N",
         "for the super-class that csp gives each adjective; default 0"},
        OPTION_THREADS(s.common),
        OPTION_PRECISION(s.common),
        OPTION_TALK(s.common),
        OPTION_END};
    parse_result parsed = options_parse(table, usage, argc, argv, &count);
    if (parsed != PARSE_GO)
        return parsed == PARSE_DONE ? EXIT_DONE : EXIT_USAGE;
    s.common.cache = s.cache;
    return dispatch(&s, argv, count);
}
