/* program.h - mmood serve as a process of its own. */
#ifndef MM_TESTS_SERVE_PROGRAM_H
#define MM_TESTS_SERVE_PROGRAM_H

#include <stddef.h>
#include <sys/types.h>

typedef struct process {
    pid_t id;
    int port;
    int messages; /* its standard error */
    char said[8192];
    size_t size;
} process;

/* Starts the program with the first detector, on a free port, and further arguments. */
process program_run(const char *const *more);

/* The same, once it listens. */
process program_start(const char *const *more);

/* Reads its messages until one has `text`; 0 if none comes within ten seconds. */
int program_wait_for(process *p, const char *text);

/* Its exit code, once it has ended; -1 for a signal. */
int program_finish(process *p);

#endif
