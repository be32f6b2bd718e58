/* cmd_bench.c - mmood bench: how fast a detector judges pictures on this machine. */
#include "base/cpus.h"
#include "cli/measure.h"
#include "cli/output.h"

#include <stdio.h>
#include <unistd.h>

static const char usage[] =
    "usage: mmood bench DETECTOR PATH... [OPTION]...\n\n"
    "Measures how many pictures a second the detector judges on this machine. PATH, model and "
    "options\n"
    "are as in mmood score.\n\n"
    "  judge        all that mmood score does but printing, in batches: files read, decoded, cut "
    "to "
    "size,\n"
    "               embedded, scored. What mmood serve can come near to\n"
    "  model alone  crops that are ready, embedded in batches\n"
    "  decode       files read, decoded and cut to size, on all threads\n"
    "  one          a picture alone, from its file to its verdict, one after the other\n\n"
    "Each is warmed up and then measured for --seconds: the first three in five turns, of which "
    "the "
    "median\n"
    "is given and the slowest and fastest beside it; a turn is one batch at least. Pictures come "
    "again\n"
    "after the last, so that files are in memory, not on the disk. Of more than 4096, some are "
    "used,\n"
    "evenly spread. Pictures that cannot be read are left out, and the exit code is 3.\n\n"
    "example: mmood bench food.mmood pictures/ --precision int8 --threads 4\n";

typedef struct settings {
    common_options common;
    const char *format;
    double seconds;
    int batch;
} settings;

typedef struct findings {
    measured_rate judge, model, decode;
    measured_latency one;
} findings;

static void rate_json(mm_buffer *out, const char *name, const measured_rate *rate) {
    mm_buffer_printf(out, ",\"%s\":{\"pictures_per_second\":%.6g,\"lowest\":%.6g,\"highest\":%.6g}",
                     name, rate->median, rate->lowest, rate->highest);
}

static void print_json(mm_buffer *out, const measure *m, const char *detector, const findings *f) {
    mm_buffer_puts(out, "{\"detector\":");
    mm_json_text(out, detector);
    mm_buffer_puts(out, ",\"model\":");
    mm_json_text(out, mmood_model_path(m->opened->model));
    mm_buffer_printf(
        out,
        ",\"precision\":\"%s\",\"instructions\":\"%s\",\"kernels\":\"%s\","
        "\"threads\":%d,\"batch\":%zu,\"seconds\":%.6g,\"pictures\":%zu,\"failed\":%zu",
        mmood_precision_name(m->model.precision), m->model.instructions, m->model.kernels,
        m->options.threads, m->options.batch, m->options.seconds, m->count, m->failed);
    rate_json(out, "judge", &f->judge);
    rate_json(out, "model_alone", &f->model);
    rate_json(out, "decode", &f->decode);
    mm_buffer_printf(out,
                     ",\"one\":{\"p50_ms\":%.6g,\"p95_ms\":%.6g,\"p99_ms\":%.6g,\"count\":%zu}}\n",
                     f->one.p50, f->one.p95, f->one.p99, f->one.count);
}

static void rate_text(mm_buffer *out, const char *name, const measured_rate *rate) {
    mm_buffer_printf(out, "%-13s %9.1f pictures/s   (turns: %.1f to %.1f)\n", name, rate->median,
                     rate->lowest, rate->highest);
}

static void print_text(mm_buffer *out, const measure *m, const findings *f) {
    mm_buffer_printf(out, "model         %s (%s)\n", mmood_model_path(m->opened->model),
                     common_model_title(&m->model).text);
    mm_buffer_printf(out, "precision     %s (%s)\n", mmood_precision_name(m->model.precision),
                     m->model.precision_reason);
    mm_buffer_printf(out, "instructions  %s for products (oneDNN), %s for attention and norms\n",
                     m->model.instructions, m->model.kernels);
    mm_buffer_printf(out, "threads       %d\n", m->options.threads);
    mm_buffer_printf(out, "pictures      %zu, in batches of %zu\n\n", m->count, m->options.batch);
    rate_text(out, "judge", &f->judge);
    rate_text(out, "model alone", &f->model);
    rate_text(out, "decode", &f->decode);
    mm_buffer_printf(out,
                     "one           %9.2f ms           (95 %% within %.2f, 99 %% within %.2f; %zu "
                     "measured)\n",
                     f->one.p50, f->one.p95, f->one.p99, f->one.count);
}

static void show(int progress, const char *what) {
    if (progress)
        fprintf(stderr, "\r\033[Kmeasuring: %s", what);
}

static mmood_status measure_all(findings *out, measure *m, int progress, mmood_error *error) {
    show(progress, "judge");
    mmood_status status = measure_judge(&out->judge, m, error);
    if (status == MMOOD_OK) {
        show(progress, "model alone");
        status = measure_model(&out->model, m, error);
    }
    if (status == MMOOD_OK) {
        show(progress, "decode");
        status = measure_decode(&out->decode, m, error);
    }
    if (status == MMOOD_OK) {
        show(progress, "one");
        status = measure_one(&out->one, m, error);
    }
    if (progress)
        fputs("\r\033[K", stderr);
    return status;
}

static int run_opened(const settings *set, const opened_detector *opened, const char *detector,
                      const mm_path_list *paths) {
    const common_options *common = &set->common;
    const measure_options options = {.batch = (size_t)set->batch,
                                     .threads =
                                         common->threads > 0 ? common->threads : mm_cpu_count(),
                                     .seconds = set->seconds};
    cli_talk talk = common_talk(common);
    measure m;
    findings found;
    mmood_error error;
    int code = EXIT_DONE;
    mmood_status status = measure_create(&m, opened, &options, &error);
    if (status == MMOOD_OK)
        status = measure_pictures(&m, paths, talk, &error);
    if (status == MMOOD_OK && m.count == 0) {
        cli_error("nothing was measured: none of %zu pictures could be read", m.failed);
        code = EXIT_FATAL;
    } else if (status == MMOOD_OK) {
        if (m.failed > 0) {
            cli_note(talk, "%zu of %zu pictures could not be read and are left out", m.failed,
                     m.failed + m.count);
            code = EXIT_PARTIAL;
        }
        status = measure_all(&found, &m, !common->quiet && isatty(2), &error);
    }
    if (status != MMOOD_OK) {
        code = cli_fail(&error);
    } else if (code != EXIT_FATAL) {
        mm_buffer out = {0};
        if (set->format[0] == 'j')
            print_json(&out, &m, detector, &found);
        else
            print_text(&out, &m, &found);
        output_flush(&out);
        mm_buffer_free(&out);
    }
    measure_free(&m);
    return code;
}

static int run(const settings *set, const char *path, const mm_path_list *paths) {
    opened_detector opened;
    mmood_error error;
    int code = detector_open(&opened, path, &set->common);
    if (code == EXIT_DONE) {
        /* Worth measuring all the same: whoever likes the result calibrates again. */
        if (mmood_detector_check_pictures(opened.detector, &opened.image, opened.precision,
                                          &error) != MMOOD_OK)
            cli_note(common_talk(&set->common), "mmood score would refuse these settings: %s",
                     error.message);
        code = run_opened(set, &opened, path, paths);
    }
    detector_close(&opened);
    return code;
}

int cmd_bench(int argc, char **argv) {
    static const char *const formats[] = {"table", "json", NULL};
    settings s = {.common = common_options_default(), .format = "table", .seconds = 5, .batch = -1};
    int count;
    const option table[] = {
        {"batch", 0, OPTION_COUNT, &s.batch, "N",
         "pictures at a time; default 32, or twice the threads"},
        {"seconds", 0, OPTION_NUMBER, &s.seconds, "S",
         "how long to measure each, 0.01 to 600; default 5"},
        {"format", 0, OPTION_TEXT, &s.format, "F", "table (default) or json (one object)"},
        {"model", 'm', OPTION_TEXT, &s.common.model, "MODEL", "where the detector's model is now"},
        OPTION_THREADS(s.common),
        OPTION_PRECISION(s.common),
        OPTION_PICTURE(s.common),
        OPTION_CACHE(s.common),
        OPTION_TALK(s.common),
        OPTION_END};
    parse_result parsed = options_parse(table, usage, argc, argv, &count);
    if (parsed != PARSE_GO)
        return parsed == PARSE_DONE ? EXIT_DONE : EXIT_USAGE;
    if (option_choose("format", s.format, formats) < 0)
        return EXIT_USAGE;
    if (count < 2) {
        cli_error("bench needs a detector and at least one picture, directory or \"-\"");
        return EXIT_USAGE;
    }
    if (s.batch < 0)
        s.batch = common_batch(&s.common);
    if (!option_in_range("batch", s.batch, 1, 4096) ||
        !option_in_range("seconds", s.seconds, 0.01, 600))
        return EXIT_USAGE;
    mm_path_list paths = {0};
    int code = collect_pictures(&paths, argv + 1, count - 1, common_talk(&s.common));
    if (code == EXIT_DONE)
        code = run(&s, argv[0], &paths);
    mm_path_list_free(&paths);
    return code;
}
