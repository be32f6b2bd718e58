/* program.c - starting mmood serve, reading what it says, waiting for its end. */
#include "serve/program.h"

#include "serve/fixture.h"

#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

int program_wait_for(process *p, const char *text) {
    struct pollfd ready = {.fd = p->messages, .events = POLLIN};
    while (!strstr(p->said, text) && p->size + 1 < sizeof p->said) {
        if (poll(&ready, 1, 10000) <= 0)
            return 0;
        ssize_t n = read(p->messages, p->said + p->size, sizeof p->said - 1 - p->size);
        if (n <= 0)
            return strstr(p->said, text) != NULL;
        p->size += (size_t)n;
        p->said[p->size] = '\0';
    }
    return strstr(p->said, text) != NULL;
}

process program_run(const char *const *more) {
    process p = {0};
    int ends[2];
    const char *arguments[32] = {MMOOD_PROGRAM, "serve",       fixture_first_path,
                                 "--listen",    "127.0.0.1:0", "--threads",
                                 "2",           "--precision", "f32"};
    for (size_t i = 0; more && more[i] && i < 22; i++)
        arguments[9 + i] = more[i];
    assert_int_equal(pipe(ends), 0);
    p.id = fork();
    assert_true(p.id >= 0);
    if (p.id == 0) {
        int null = open("/dev/null", O_RDWR);
        dup2(null, 0);
        dup2(null, 1);
        dup2(ends[1], 2);
        close(ends[0]);
        execv(MMOOD_PROGRAM, (char **)(void *)arguments);
        _exit(126);
    }
    close(ends[1]);
    p.messages = ends[0];
    return p;
}

process program_start(const char *const *more) {
    process p = program_run(more);
    if (!program_wait_for(&p, "listening at http://"))
        fail_msg("it does not listen: %s", p.said);
    p.port = atoi(strrchr(p.said, ':') + 1);
    return p;
}

int program_finish(process *p) {
    int status = 0;
    program_wait_for(p, "\1"); /* it says no such thing: all until the end */
    assert_int_equal(waitpid(p->id, &status, 0), p->id);
    close(p->messages);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}
