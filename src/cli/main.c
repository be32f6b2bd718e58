/* main.c - the program: one table of commands, each in a file of its own. */
#include "cli/cli.h"
#include "cli/similar.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static const struct {
    const char *name;
    cli_command *run;
    const char *summary;
} commands[] = {
    {"pull", cmd_pull, "download a CLIP model from a Hugging Face hub"},
    {"inspect", cmd_inspect, "say what a model directory or a detector file is"},
    {"tokenize", cmd_tokenize, "token ids of texts"},
    {"preprocess", cmd_preprocess, "the 8-bit crop that the model sees, as a PPM picture"},
    {"embed", cmd_embed, "unit-length embeddings of pictures or texts, as safetensors"},
    {"labels", cmd_labels, "check a file of labels"},
    {"envision", cmd_envision, "find outlier labels for ID labels"},
    {"build", cmd_build, "make a detector from ID labels and outlier labels"},
    {"calibrate", cmd_calibrate, "set a threshold from in-distribution pictures"},
    {"score", cmd_score, "judge pictures with a detector"},
    {"eval", cmd_eval, "AUROC, AUPR and FPR95 over folders of pictures, a suite or a table"},
    {"bench", cmd_bench, "how many pictures a second this machine judges"},
#ifdef MMOOD_SERVE
    {"serve", cmd_serve, "judge pictures over HTTP"},
#endif
};

enum { COMMANDS = sizeof commands / sizeof *commands };

void cli_error(const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    fputs("mmood: ", stderr);
    vfprintf(stderr, format, arguments);
    fputc('\n', stderr);
    va_end(arguments);
}

void cli_note(cli_talk talk, const char *format, ...) {
    va_list arguments;
    if (talk == TALK_QUIET)
        return;
    va_start(arguments, format);
    fputs("mmood: ", stderr);
    vfprintf(stderr, format, arguments);
    fputc('\n', stderr);
    va_end(arguments);
}

int cli_fail(const mmood_error *error) {
    cli_error("%s", error->message);
    return error->status == MMOOD_ERROR_ARGUMENT ? EXIT_USAGE : EXIT_FATAL;
}

/* 1 if standard output is a pipe or a socket whose reader went away, as "| head" does. */
static int reader_is_gone(void) {
    struct pollfd out = {.fd = STDOUT_FILENO, .events = POLLOUT};
    return poll(&out, 1, 0) == 1 && (out.revents & (POLLERR | POLLHUP));
}

int cli_finish(int code) {
    if (fflush(stdout) == 0 && !ferror(stdout))
        return code;
    if (reader_is_gone()) { /* end as other tools do: quietly, by the signal */
        signal(SIGPIPE, SIG_DFL);
        raise(SIGPIPE);
    }
    cli_error("the results could not be written to standard output: %s", strerror(errno));
    return EXIT_FATAL;
}

static void print_help(FILE *to) {
    fputs("mmood - out-of-distribution detection for images with CLIP\n\n"
          "usage: mmood COMMAND [OPTION]... [ARGUMENT]...\n\ncommands:\n",
          to);
    for (size_t i = 0; i < COMMANDS; i++)
        fprintf(to, "  %-12s %s\n", commands[i].name, commands[i].summary);
    fputs("\n\"mmood help COMMAND\" tells more. Exit codes: 0 all done; 1 nothing useful "
          "produced;\n"
          "2 wrong usage; 3 some inputs failed, the rest is done.\n",
          to);
}

/* The command of that name; NULL after a message. */
static cli_command *find_command(const char *name) {
    similar near = {.word = name};
    for (size_t i = 0; i < COMMANDS; i++) {
        if (strcmp(name, commands[i].name) == 0)
            return commands[i].run;
        similar_offer(&near, commands[i].name);
    }
    if (near.best)
        cli_error("there is no command \"%s\"; did you mean \"%s\"? \"mmood --help\" lists all",
                  name, near.best);
    else
        cli_error("there is no command \"%s\"; \"mmood --help\" lists them", name);
    return NULL;
}

/* "mmood help COMMAND" is "mmood COMMAND --help". */
static int help_on(char *name) {
    char option[] = "--help";
    char *arguments[] = {name, option, NULL};
    cli_command *run = find_command(name);
    return run ? cli_finish(run(2, arguments)) : EXIT_USAGE;
}

int main(int argc, char **argv) {
    signal(SIGPIPE, SIG_IGN); /* sockets fail too; cli_finish tells standard output from them */
    if (argc < 2) {
        print_help(stderr);
        return EXIT_USAGE;
    }
    if (strcmp(argv[1], "help") == 0 && argc > 2)
        return help_on(argv[2]);
    if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0 ||
        strcmp(argv[1], "help") == 0) {
        print_help(stdout);
        return cli_finish(EXIT_DONE);
    }
    if (strcmp(argv[1], "--version") == 0) {
        printf("mmood %s\n", mmood_version());
        return cli_finish(EXIT_DONE);
    }
    cli_command *run = find_command(argv[1]);
    return run ? cli_finish(run(argc - 1, argv + 1)) : EXIT_USAGE;
}
