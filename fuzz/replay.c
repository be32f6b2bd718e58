/* replay.c - runs a fuzz target over files: a main() for builds without libFuzzer, so that corpora
 * are replayed by ordinary tests with any compiler. Arguments are files or folders of files. */
#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static unsigned long files_run;

static int run_file(const char *path) {
    FILE *file = fopen(path, "rb");
    if (!file) {
        perror(path);
        return 0;
    }
    struct stat st;
    int ok = fstat(fileno(file), &st) == 0;
    size_t size = ok ? (size_t)st.st_size : 0;
    uint8_t *data = malloc(size ? size : 1);
    ok = ok && data && fread(data, 1, size, file) == size;
    fclose(file);
    if (ok) {
        LLVMFuzzerTestOneInput(data, size);
        files_run++;
    } else {
        fprintf(stderr, "%s: cannot be read\n", path);
    }
    free(data);
    return ok;
}

static int run_folder(const char *path) {
    DIR *folder = opendir(path);
    if (!folder)
        return run_file(path);
    int ok = 1;
    struct dirent *entry;
    while ((entry = readdir(folder))) {
        if (entry->d_name[0] == '.')
            continue;
        char name[4096];
        snprintf(name, sizeof name, "%s/%s", path, entry->d_name);
        ok = run_file(name) && ok;
    }
    closedir(folder);
    return ok;
}

int main(int argc, char **argv) {
    int ok = 1;
    for (int i = 1; i < argc; i++)
        ok = run_folder(argv[i]) && ok;
    printf("%lu inputs\n", files_run);
    return ok && files_run > 0 ? 0 : 1;
}
