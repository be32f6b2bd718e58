/* options.c - parsing options, and the settings that commands have in common. */
#include "cli/options.h"

#include "cli/hub_cache.h"
#include "cli/similar.h"

#include "base/buffer.h"
#include "base/cpus.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

static const option *find_option(const option *table, const char *argument, const char **value) {
    *value = NULL;
    for (const option *o = table; o->name; o++) {
        size_t n = strlen(o->name);
        if (argument[1] == '-' && strncmp(argument + 2, o->name, n) == 0 &&
            (argument[2 + n] == '\0' || argument[2 + n] == '=')) {
            if (argument[2 + n] == '=')
                *value = argument + 3 + n;
            return o;
        }
        if (argument[1] != '-' && o->letter && argument[1] == o->letter) {
            if (argument[2])
                *value = argument + 2;
            return o;
        }
    }
    return NULL;
}

/* Stores a value; 0 if it is not one of the option's kind. */
static int store(const option *o, const char *value) {
    char *end;
    errno = 0;
    switch (o->kind) {
    case OPTION_FLAG:
        *(int *)o->to = 1;
        return 1;
    case OPTION_TEXT:
        *(const char **)o->to = value;
        return 1;
    case OPTION_NUMBER: {
        double x = strtod(value, &end);
        *(double *)o->to = x;
        return end != value && *end == '\0' && isfinite(x);
    }
    case OPTION_COUNT: {
        long n = strtol(value, &end, 10);
        *(int *)o->to = (int)n;
        return end != value && *end == '\0' && errno == 0 && n >= 0 && n <= 1000000;
    }
    case OPTION_SIZE: {
        unsigned long long n = strtoull(value, &end, 10);
        *(uint64_t *)o->to = n;
        return end != value && *end == '\0' && errno == 0 && value[0] != '-';
    }
    case OPTION_LIST: {
        option_list *list = o->to;
        const char **grown = realloc(list->items, (list->count + 1) * sizeof *grown);
        if (!grown)
            return 0;
        list->items = grown;
        list->items[list->count++] = value;
        return 1;
    }
    }
    return 0;
}

static void print_usage(const option *table, const char *usage) {
    printf("%s\n", usage);
    for (const option *o = table; o->name; o++) {
        char text[64];
        snprintf(text, sizeof text, "%s%c%s --%s%s%s", o->letter ? "-" : " ",
                 o->letter ? o->letter : ' ', o->letter ? "," : " ", o->name, o->value ? " " : "",
                 o->value ? o->value : "");
        printf("  %-24s %s\n", text, o->help);
    }
    printf("  %-24s %s\n", "-h, --help", "this text");
}

static void unknown_option(const option *table, const char *command, const char *argument) {
    mm_buffer name = {0};
    if (argument[1] == '-')
        mm_buffer_append(&name, argument + 2, strcspn(argument + 2, "="));
    similar near = {.word = name.data ? name.data : ""};
    for (const option *o = table; o->name; o++)
        similar_offer(&near, o->name);
    if (near.best)
        cli_error("%s has no option \"%s\"; did you mean --%s? \"mmood %s --help\" lists all",
                  command, argument, near.best, command);
    else
        cli_error("%s has no option \"%s\"; \"mmood %s --help\" lists them", command, argument,
                  command);
    mm_buffer_free(&name);
}

parse_result options_parse(const option *table, const char *usage, int argc, char **argv,
                           int *count) {
    int only_arguments = 0;
    *count = 0;
    const char *command = argv[0];
    for (int i = 1; i < argc; i++) {
        char *argument = argv[i];
        const char *value;
        if (only_arguments || argument[0] != '-' || argument[1] == '\0') {
            argv[(*count)++] = argument;
            continue;
        }
        if (strcmp(argument, "--") == 0) {
            only_arguments = 1;
            continue;
        }
        if (strcmp(argument, "--help") == 0 || strcmp(argument, "-h") == 0) {
            print_usage(table, usage);
            return PARSE_DONE;
        }
        const option *o = find_option(table, argument, &value);
        if (!o) {
            unknown_option(table, command, argument);
            return PARSE_WRONG;
        }
        if (o->kind == OPTION_FLAG && value) {
            cli_error("option --%s takes no value", o->name);
            return PARSE_WRONG;
        }
        if (o->kind != OPTION_FLAG && !value) {
            if (i + 1 == argc) {
                cli_error("option --%s needs a value: %s", o->name, o->help);
                return PARSE_WRONG;
            }
            value = argv[++i];
        }
        if (!store(o, value)) {
            cli_error("option --%s: \"%s\" is not a possible value (%s)", o->name, value, o->help);
            return PARSE_WRONG;
        }
    }
    return PARSE_GO;
}

void option_list_free(option_list *list) {
    free(list->items);
}

/* ---- Common settings ----------------------------------------------------------------------- */

common_options common_options_default(void) {
    common_options common = {.max_pixels = mmood_image_options_default().max_pixels};
    return common;
}

int option_choose(const char *option_name, const char *name, const char *const *names) {
    for (int i = 0; names[i]; i++)
        if (strcmp(name, names[i]) == 0)
            return i;
    mm_buffer list = {0};
    for (int i = 0; names[i]; i++)
        mm_buffer_printf(&list, "%s%s", i ? ", " : "", names[i]);
    cli_error("option --%s: \"%s\" is not one of %s", option_name, name,
              list.data ? list.data : "");
    mm_buffer_free(&list);
    return -1;
}

int option_in_range(const char *option_name, double value, double low, double high) {
    if (value >= low && value <= high)
        return 1;
    if (high == 1 && value > 1 && value <= 100) /* a share, given in per cent */
        cli_error("option --%s: %.10g is not from %g to %g; did you mean %.10g?", option_name,
                  value, low, high, value / 100);
    else
        cli_error("option --%s: %.10g is not from %g to %g", option_name, value, low, high);
    return 0;
}

int option_writes(const char *path, const char *format, const char *const *others,
                  const char *advice) {
    const char *dot = strrchr(path, '.');
    for (size_t i = 0; dot && others[i]; i++)
        if (strcasecmp(dot, others[i]) == 0) {
            cli_error("option --output: \"%s\" is not named as %s, which it would be; %s", path,
                      format, advice);
            return 0;
        }
    return 1;
}

int common_image_options(mmood_image_options *out, const common_options *common) {
    static const char *const alphas[] = {"drop", "white", "black", NULL};
    *out = mmood_image_options_default();
    out->apply_orientation = !common->no_orient;
    out->max_pixels = common->max_pixels;
    out->fast_decode = common->fast_decode;
    if (!common->alpha)
        return 1;
    int alpha = option_choose("alpha", common->alpha, alphas);
    out->alpha = (mmood_alpha)alpha;
    return alpha >= 0;
}

int common_model_options(mmood_model_options *out, const common_options *common) {
    static const char *const precisions[] = {"auto", "f32", "bf16", "int8", NULL};
    static const char *const filters[] = {"bilinear", "bicubic", NULL};
    *out = mmood_model_options_default();
    out->threads = common->threads;
    out->fast_texts = common->fast_texts;
    if (common->precision) {
        int precision = option_choose("precision", common->precision, precisions);
        if (precision < 0)
            return 0;
        out->precision = (mmood_precision)precision;
    }
    if (common->resample) {
        int filter = option_choose("resample", common->resample, filters);
        if (filter < 0)
            return 0;
        out->resample = filter == 0 ? MMOOD_FILTER_BILINEAR : MMOOD_FILTER_BICUBIC;
    }
    return 1;
}

int common_batch(const common_options *common) {
    enum { LEAST = 32, MOST = 1024 };
    int threads = common->threads > 0 ? common->threads : mm_cpu_count();
    return threads > MOST / 2 ? MOST : 2 * threads > LEAST ? 2 * threads : LEAST;
}

cli_talk common_talk(const common_options *common) {
    return common->quiet ? TALK_QUIET : common->verbose ? TALK_VERBOSE : TALK_NORMAL;
}

mm_buffer common_cache_folder(const char *chosen, const char *below) {
    const char *base = getenv("XDG_CACHE_HOME"), *home = getenv("HOME");
    mm_buffer path = {0};
    if (chosen)
        mm_buffer_puts(&path, chosen);
    else if (base && *base == '/')
        mm_buffer_printf(&path, "%s/%s", base, below);
    else if (home && *home)
        mm_buffer_printf(&path, "%s/.cache/%s", home, below);
    return path;
}

static void tell(void *context, const char *text) {
    (void)context;
    cli_note(TALK_VERBOSE, "%s", text);
}

model_title common_model_title(const mmood_model_info *info) {
    model_title title;
    if (info->vision.trunk[0])
        snprintf(title.text, sizeof title.text, "%s (%s)", info->vision.family, info->vision.trunk);
    else
        snprintf(title.text, sizeof title.text, "%s-%d/%d", info->vision.family, info->image_size,
                 info->patch_size);
    return title;
}

/* Opens the model in the directory `path`. `named` says what the user gave when it was not this:
 * the hub's programs may have downloaded only some of a model's files. */
static int open_directory(mmood_model **model, const char *path, const char *named,
                          const mmood_model_options *options, const common_options *common) {
    mmood_error error;
    if (mmood_model_open(model, path, options, &error) != MMOOD_OK) {
        int code = cli_fail(&error);
        if (named)
            cli_note(
                common_talk(common),
                "the Hugging Face cache has %s in %s; \"mmood pull\" downloads what is missing",
                named, path);
        return code;
    }
    if (common->verbose) {
        mmood_model_info info;
        mmood_model_describe(*model, &info);
        cli_note(TALK_VERBOSE, "%s: %s, %s (%s), %.1f MB of packed weights", path,
                 common_model_title(&info).text, mmood_precision_name(info.precision),
                 info.precision_reason, (double)info.weight_bytes / 1e6);
    }
    return EXIT_DONE;
}

/* The same for a directory or a repository's name. */
static int open_named(mmood_model **model, const char *given, const mmood_model_options *options,
                      const common_options *common) {
    mmood_error error;
    char *found;
    if (hub_cache_find(&found, given, &error) != MMOOD_OK)
        return cli_fail(&error);
    int code = open_directory(model, found ? found : given, found ? given : NULL, options, common);
    free(found);
    return code;
}

int common_open_model(mmood_model **model, mmood_session **session, const char *path,
                      const common_options *common) {
    mmood_error error;
    mmood_model_options options;
    *model = NULL;
    if (session)
        *session = NULL;
    if (!path)
        path = getenv("MMOOD_MODEL");
    if (!path || !path[0]) {
        cli_error("no model: give its directory or its name on the hub with -m, or set "
                  "MMOOD_MODEL");
        return EXIT_USAGE;
    }
    if (!common_model_options(&options, common))
        return EXIT_USAGE;
    mm_buffer cache = {0};
    if (!common->no_cache)
        cache = common_cache_folder(common->cache, "mmood");
    if (cache.data)
        mm_buffer_puts(&cache, "/weights");
    options.cache = cache.failed ? NULL : cache.data;
    options.note = common->verbose ? tell : NULL;
    int code = open_named(model, path, &options, common);
    mm_buffer_free(&cache);
    if (code != EXIT_DONE)
        return code;
    mmood_session_options session_options = {common->threads};
    if (session && mmood_session_create(session, *model, &session_options, &error) != MMOOD_OK) {
        mmood_model_free(*model);
        *model = NULL;
        return cli_fail(&error);
    }
    return EXIT_DONE;
}
