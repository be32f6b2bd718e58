/* pull.h - what the files of mmood pull share: a repository's files on their way to a folder. */
#ifndef MM_CLI_PULL_H
#define MM_CLI_PULL_H

#include "cli/hub.h"
#include "cli/options.h"

enum { PULL_MAX_SMALL = 64 << 20 };

/* A file of the repository. */
typedef struct remote {
    char *name;
    int64_t size; /* -1: not known */
    char sha256[65];
    int is_weights;
    enum { NOT_HERE, COMPLETE_PART, UNCHANGED } state;
} remote;

typedef struct pull {
    common_options common;
    hub hub;
    const char *folder;
    int made; /* the folder is new */
    int lock; /* an open file, -1: none */
    int progress;
    remote *files;
    size_t count;
} pull;

/* ---- pull_files.c: one file ---------------------------------------------------------------- */

/* Asks for a file; *there is 0 if the repository has none of this name, else it joins the list. The
 * first answer pins the commit. */
mmood_status pull_ask(int *there, pull *p, const char *name, mmood_error *error);

/* The file of this name in the list, or NULL. */
remote *pull_find(const pull *p, const char *name);

/* Downloads a file to its ".part", where it waits for the others: a folder never has a mixture of
 * two models. */
mmood_status pull_get(pull *p, remote *file, mmood_error *error);

/* Reads what pull_get got of a small file; the caller frees it. */
mmood_status pull_read(uint8_t **text, size_t *size, const pull *p, const char *name,
                       mmood_error *error);

/* 1 if the folder's file has the size and the hash that the hub tells. */
int pull_has(const pull *p, const remote *file);

/* Gives what pull_get got its name. */
mmood_status pull_keep(const pull *p, remote *file, mmood_error *error);

/* Takes files off the list, with their parts: one, if it is there, or all, where weights stay for a
 * later run to resume. */
void pull_drop(pull *p, const char *name);
void pull_drop_all(pull *p);

/* ---- pull_layout.c: which files ------------------------------------------------------------ */

/* Lists the files of a model that mmood reads, in the first of these layouts that the repository
 * has: transformers' with safetensors, open_clip's with safetensors, transformers' and open_clip's
 * with PyTorch's pickles, and the hub's conversion of the weights in a pull request. Configurations
 * and indexes are downloaded and checked. */
mmood_status pull_plan(pull *p, mmood_error *error);

#endif
