/* cli.h - what the program's files share: exit codes, messages, and the commands. */
#ifndef MM_CLI_CLI_H
#define MM_CLI_CLI_H

#include "mmood.h"

enum {
    EXIT_DONE = 0,   /* all done */
    EXIT_FATAL = 1,  /* nothing useful produced */
    EXIT_USAGE = 2,  /* wrong usage */
    EXIT_PARTIAL = 3 /* some inputs failed, the rest is done */
};

/* How much is said on stderr besides errors. */
typedef enum cli_talk { TALK_QUIET, TALK_NORMAL, TALK_VERBOSE } cli_talk;

/* "mmood: " and a message on stderr. cli_note speaks from TALK_NORMAL on. */
void cli_error(const char *format, ...) __attribute__((format(printf, 1, 2)));
void cli_note(cli_talk talk, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Prints the error and returns EXIT_FATAL, or EXIT_USAGE for a wrong argument. */
int cli_fail(const mmood_error *error);

/* Flushes stdout; EXIT_FATAL with a message if anything could not be written, else `code`. If the
 * reader of stdout went away, the process ends here by SIGPIPE. */
int cli_finish(int code);

/* A command. argv[0] is its name. */
typedef int cli_command(int argc, char **argv);
cli_command cmd_bench, cmd_build, cmd_calibrate, cmd_embed, cmd_envision, cmd_eval, cmd_inspect,
    cmd_labels, cmd_preprocess, cmd_pull, cmd_score, cmd_serve, cmd_tokenize;

#endif
