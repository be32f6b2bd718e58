/* paths.c - walking directories and reading lists of paths. */
#include "eval/paths.h"

#include "base/buffer.h"
#include "base/file.h"
#include "image/sniff.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>

/* A folder being walked, with those around it: a link back to one of them is not followed. */
typedef struct folder {
    const struct folder *parent;
    dev_t device;
    ino_t inode;
} folder;

static void push(mm_path_list *list, char *path) {
    if (list->count == list->room) {
        size_t room = list->room ? 2 * list->room : 256;
        char **grown = realloc(list->items, room * sizeof *grown);
        if (!grown) {
            list->failed = 1;
            free(path);
            return;
        }
        list->items = grown;
        list->room = room;
    }
    if (!path)
        list->failed = 1;
    else
        list->items[list->count++] = path;
}

static int by_name(const void *a, const void *b) {
    return strcmp(*(char *const *)a, *(char *const *)b);
}

/* Names of a directory's entries that are not hidden, sorted. */
static mm_path_list read_names(const char *path, size_t *hidden, int *readable) {
    mm_path_list names = {0};
    DIR *directory = opendir(path);
    struct dirent *entry;
    *readable = directory != NULL;
    while (directory && (entry = readdir(directory))) {
        const char *name = entry->d_name;
        if (strcmp(name, ".") == 0 || strcmp(name, "..") == 0)
            continue;
        if (name[0] == '.')
            ++*hidden;
        else
            push(&names, strdup(name));
    }
    if (directory)
        closedir(directory);
    if (names.count)
        qsort(names.items, names.count, sizeof *names.items, by_name);
    return names;
}

/* Suffixes of pictures, those in formats that are refused too: to skip them would hide them. */
static int is_named_as_picture(const char *name) {
    static const char *const suffixes[] = {
        "jpg",  "jpeg", "jpe", "jfif", "png", "webp", "gif", "bmp", "tif", "tiff", "heic", "heif",
        "avif", "jxl",  "jp2", "j2k",  "ico", "svg",  "psd", "xcf", "qoi", "exr",  "ppm",  "pgm",
        "pbm",  "pnm",  "tga", "dng",  "cr2", "cr3",  "nef", "arw", "orf", "raf",  "rw2"};
    const char *dot = strrchr(name, '.');
    for (size_t i = 0; dot && i < sizeof suffixes / sizeof *suffixes; i++)
        if (strcasecmp(dot + 1, suffixes[i]) == 0)
            return 1;
    return 0;
}

/* 1 for a file that begins as a picture that can be read does. */
static int begins_as_picture(const char *path, const struct stat *st) {
    uint8_t head[16];
    FILE *file = S_ISREG(st->st_mode) ? fopen(path, "rb") : NULL; /* opening a pipe may block */
    if (!file)
        return 0;
    size_t size = fread(head, 1, sizeof head, file);
    fclose(file);
    return mm_sniff(head, size).kind != MM_FORMAT_OTHER;
}

static int is_ancestor(const folder *at, const struct stat *st) {
    for (; at; at = at->parent)
        if (at->device == st->st_dev && at->inode == st->st_ino)
            return 1;
    return 0;
}

static void walk(mm_path_list *list, const char *path, const struct stat *st,
                 const folder *parent) {
    folder here = {parent, st->st_dev, st->st_ino};
    int readable;
    mm_path_list names = read_names(path, &list->skips.hidden, &readable);
    list->failed |= names.failed;
    if (!readable)
        push(list, strdup(path)); /* fails as a picture and so is reported in its place */
    for (size_t i = 0; i < names.count; i++) {
        struct stat inner = {0};
        char *full = mm_path_join(path, names.items[i]);
        if (full && stat(full, &inner) == 0 && S_ISDIR(inner.st_mode)) {
            if (!is_ancestor(&here, &inner))
                walk(list, full, &inner, &here);
            free(full);
        } else if (!full || is_named_as_picture(names.items[i]) ||
                   begins_as_picture(full, &inner)) {
            push(list, full);
        } else {
            list->skips.others++;
            free(full);
        }
    }
    mm_path_list_free(&names);
}

static void read_list(mm_path_list *list, FILE *from) {
    mm_buffer text = {0};
    char chunk[65536];
    size_t n;
    while ((n = fread(chunk, 1, sizeof chunk, from)) > 0)
        mm_buffer_append(&text, chunk, n);
    char separator = text.size && memchr(text.data, 0, text.size) ? '\0' : '\n';
    for (size_t at = 0; at < text.size;) {
        const char *end = memchr(text.data + at, separator, text.size - at);
        size_t length = end ? (size_t)(end - (text.data + at)) : text.size - at;
        size_t kept = length;
        if (separator == '\n' && kept > 0 && text.data[at + kept - 1] == '\r')
            kept--;
        if (kept > 0)
            push(list, strndup(text.data + at, kept));
        at += length + 1;
    }
    list->failed |= text.failed;
    mm_buffer_free(&text);
}

void mm_path_list_add(mm_path_list *list, const char *argument) {
    struct stat st;
    if (strcmp(argument, "-") == 0)
        read_list(list, stdin);
    else if (stat(argument, &st) == 0 && S_ISDIR(st.st_mode))
        walk(list, argument, &st, NULL);
    else
        push(list, strdup(argument));
}

void mm_path_list_add_text(mm_path_list *list, const char *argument) {
    if (strcmp(argument, "-") == 0)
        read_list(list, stdin);
    else
        push(list, strdup(argument));
}

int mm_path_list_read(mm_path_list *list, const char *file) {
    FILE *from = strcmp(file, "-") == 0 ? stdin : fopen(file, "rb");
    if (!from)
        return 0;
    read_list(list, from);
    int ok = !ferror(from);
    if (from != stdin)
        fclose(from);
    return ok;
}

void mm_path_list_free(mm_path_list *list) {
    for (size_t i = 0; i < list->count; i++)
        free(list->items[i]);
    free(list->items);
    *list = (mm_path_list){0};
}
