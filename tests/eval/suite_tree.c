/* suite_tree.c - small folders of the layout that a suite describes, for tests. */
#include "suite_tree.h"

#include "base/file.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { LONGEST = 4096 };

/* Appends to a file, making its folders. */
static int append(const char *path, const void *data, size_t size) {
    char folder[LONGEST];
    for (const char *at = strchr(path + 1, '/'); at; at = strchr(at + 1, '/')) {
        snprintf(folder, sizeof folder, "%.*s", (int)(at - path), path);
        mkdir(folder, 0777);
    }
    FILE *file = fopen(path, "ab");
    int ok = file && fwrite(data, 1, size, file) == size;
    if (file)
        ok &= fclose(file) == 0;
    if (!ok)
        fprintf(stderr, "%s cannot be written\n", path);
    return ok;
}

static int append_line(const char *data, const char *file, const char *line) {
    char path[LONGEST];
    snprintf(path, sizeof path, "%s/%s", data, file);
    return append(path, line, strlen(line));
}

/* Names a picture in the set's list, and its flag. `name` has no extension. */
static int add_to_list(const mm_suite_set *set, const char *data, const char *name, int copy,
                       int key) {
    char line[LONGEST], flag[LONGEST];
    if (!set->list || (!set->flags && copy != 1))
        return 1;
    if (!set->flags) {
        snprintf(line, sizeof line, "%s 1 1 1\n", name);
        return append_line(data, set->list, line);
    }
    snprintf(line, sizeof line, "%d %s.png\n", key, name);
    snprintf(flag, sizeof flag, "%d %s\n", key, copy == 1 ? set->keep : "left-out");
    return append_line(data, set->list, line) && append_line(data, set->flags, flag);
}

static int make_set(const mm_suite_set *set, const char *data, const uint8_t *drawing, size_t size,
                    int *key) {
    size_t count = set->class_count ? set->class_count : 1;
    char path[LONGEST], name[LONGEST / 4];
    snprintf(path, sizeof path, "%s/%s/notes_1.mat", data, set->folder);
    int ok = append(path, "no picture", 10);
    for (size_t i = 0; i < count && ok; i++)
        for (int copy = 1; copy <= 2 && ok; copy++) {
            const char *class = set->class_count ? set->classes[i].folder : "images";
            char between = set->naming == MM_SUITE_PREFIX ? '_' : '/';
            snprintf(name, sizeof name, "%s%c%d", class, between, copy);
            snprintf(path, sizeof path, "%s/%s/%s.png", data, set->folder, name);
            ok = append(path, drawing, size) && add_to_list(set, data, name, copy, ++*key);
        }
    return ok;
}

int suite_tree_make(const mm_suite *suite, const char *data, const char *const *drawings,
                    size_t count) {
    int ok = 1, key = 0;
    for (size_t i = 0; i < suite->set_count && ok; i++) {
        uint8_t *drawing;
        size_t size;
        mmood_error error;
        if (mm_file_read(&drawing, &size, drawings[i % count], 1 << 20, &error)) {
            fprintf(stderr, "%s: %s\n", drawings[i % count], error.message);
            return 0;
        }
        ok = make_set(&suite->sets[i], data, drawing, size, &key);
        free(drawing);
    }
    return ok;
}

void suite_tree_remove(const char *folder) {
    DIR *directory = opendir(folder);
    struct dirent *entry;
    while (directory && (entry = readdir(directory))) {
        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
            continue;
        char path[LONGEST];
        snprintf(path, sizeof path, "%s/%s", folder, entry->d_name);
        if (unlink(path) != 0)
            suite_tree_remove(path);
    }
    if (directory)
        closedir(directory);
    rmdir(folder);
}
