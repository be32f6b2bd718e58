/* measure.c - runs a command and says how long it took and what it needed.
 *   bench_measure OUTPUT COMMAND...
 * Writes "SECONDS CPU_SECONDS PEAK_KIB" to the file OUTPUT; exits with the command's code.
 */
#include <spawn.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>

extern char **environ;

static double now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static double seconds(const struct timeval *t) {
    return (double)t->tv_sec + (double)t->tv_usec / 1e6;
}

int main(int argc, char **argv) {
    pid_t child;
    int status;
    struct rusage usage;
    if (argc < 3)
        return 2;
    double begin = now();
    if (posix_spawnp(&child, argv[2], NULL, NULL, argv + 2, environ) != 0 ||
        waitpid(child, &status, 0) != child || getrusage(RUSAGE_CHILDREN, &usage) != 0) {
        perror(argv[2]);
        return 2;
    }
    double spent = now() - begin, busy = seconds(&usage.ru_utime) + seconds(&usage.ru_stime);
    FILE *out = fopen(argv[1], "w");
    if (!out || fprintf(out, "%.3f %.3f %ld\n", spent, busy, usage.ru_maxrss) < 0 ||
        fclose(out) != 0) {
        perror(argv[1]);
        return 2;
    }
    return WIFEXITED(status) ? WEXITSTATUS(status) : 2;
}
