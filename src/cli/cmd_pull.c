/* cmd_pull.c - mmood pull: a CLIP model from a Hugging Face hub to a folder. Which files these are
 * is in pull_layout.c, what becomes of each in pull_files.c. */
#include "cli/pull.h"

#include "base/error.h"
#include "base/file.h"
#include "envision/part.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/statvfs.h>
#include <unistd.h>

static const char usage[] =
    "usage: mmood pull REPO [-o DIR] [--revision REV]\n\n"
    "Downloads a CLIP model from a Hugging Face hub: the files that mmood reads, no others. "
    "Files that\n"
    "are there already and right are kept; interrupted downloads resume. Prints the folder.\n"
    "$HF_ENDPOINT names another hub than https://huggingface.co. The token in $HF_TOKEN, or else "
    "that of\n"
    "a login with the hub's own programs, is sent to it.\n\n"
    "example: mmood pull openai/clip-vit-base-patch32\n";

/* What of a file is still to come. */
static double missing(const pull *p, const remote *file) {
    char *path = mm_path_join(p->folder, file->name);
    double left = path ? (double)mm_part_left(path) : 0, size = (double)file->size;
    free(path);
    return size > left ? size - left : 0;
}

/* Refuses to begin what the disk cannot hold. */
static mmood_status check_room(pull *p, mmood_error *error) {
    struct statvfs disk;
    double needed = 0;
    for (size_t i = 0; i < p->count; i++) {
        remote *file = &p->files[i];
        if (file->state == NOT_HERE && pull_has(p, file))
            file->state = UNCHANGED;
        if (file->state == NOT_HERE)
            needed += missing(p, file);
    }
    if (statvfs(p->folder, &disk) != 0)
        return MMOOD_OK;
    double room = (double)disk.f_bavail * (double)disk.f_frsize;
    if (needed <= room)
        return MMOOD_OK;
    return mm_error_set(error, MMOOD_ERROR_IO,
                        "the folder %s has room for %.1f MB and %.1f MB are to come; make room, or "
                        "choose another folder with -o",
                        p->folder, room / 1e6, needed / 1e6);
}

static mmood_status get_all(pull *p, mmood_error *error) {
    mmood_status status = pull_plan(p, error);
    if (status == MMOOD_OK)
        status = check_room(p, error);
    for (int weights = 0; weights < 2; weights++) /* what is small first */
        for (size_t i = 0; i < p->count && status == MMOOD_OK; i++)
            if (p->files[i].is_weights == weights && p->files[i].state == NOT_HERE)
                status = pull_get(p, &p->files[i], error);
    size_t changed = 0;
    for (size_t i = 0; i < p->count && status == MMOOD_OK; i++) {
        if (p->files[i].state == COMPLETE_PART)
            status = pull_keep(p, &p->files[i], error);
        changed += p->files[i].state == COMPLETE_PART;
    }
    if (status == MMOOD_OK)
        cli_note(common_talk(&p->common), "%zu of %zu files are new", changed, p->count);
    return status;
}

/* Two at a time would remove each other's files. A system without such locks is none to refuse. */
static mmood_status lock_folder(pull *p, mmood_error *error) {
    p->lock = open(p->folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (p->lock < 0 || flock(p->lock, LOCK_EX | LOCK_NB) == 0 || errno != EWOULDBLOCK)
        return MMOOD_OK;
    p->made = 0;
    return mm_error_set(error, MMOOD_ERROR_IO,
                        "another mmood pull is at work in the folder %s; wait for it, or stop it",
                        p->folder);
}

static mmood_status make_folder(pull *p, mmood_error *error) {
    if (mm_file_exists(p->folder) && !mm_is_directory(p->folder))
        return mm_error_set(error, MMOOD_ERROR_IO,
                            "%s is a file, expected a folder; -o names another one", p->folder);
    p->made = !mm_file_exists(p->folder);
    mmood_status status = mm_directory_make(p->folder, error);
    if (status == MMOOD_OK && access(p->folder, W_OK | X_OK) != 0)
        status =
            mm_error_set(error, MMOOD_ERROR_IO,
                         "the folder %s cannot be written to; -o names another one", p->folder);
    return status == MMOOD_OK ? lock_folder(p, error) : status;
}

/* Opens what came, as every command would. */
static int prove(const pull *p) {
    mmood_model *model;
    mmood_model_info info;
    cli_talk talk = common_talk(&p->common);
    const char *commit = p->hub.commit;
    int code = common_open_model(&model, NULL, p->folder, &p->common);
    if (code != EXIT_DONE)
        return EXIT_FATAL;
    mmood_model_describe(model, &info);
    cli_note(talk, "%s: %s, revision %s%s%.12s%s, %s, embeddings of %d numbers", p->folder,
             p->hub.repo, p->hub.revision, commit ? " (" : "", commit ? commit : "",
             commit ? ")" : "", common_model_title(&info).text, info.dimension);
    cli_note(talk, "\"mmood inspect %s\" says more; -m %s or MMOOD_MODEL=%s uses it", p->folder,
             p->folder, p->folder);
    mmood_model_free(model);
    printf("%s\n", p->folder);
    return EXIT_DONE;
}

static int go(pull *p, const char *out) {
    mmood_error error;
    p->folder = out ? out : hub_name(&p->hub);
    if (!out)
        cli_note(common_talk(&p->common), "to the folder %s; -o names another one", p->folder);
    mmood_status status = make_folder(p, &error);
    if (status == MMOOD_OK)
        status = get_all(p, &error);
    pull_drop_all(p);
    if (status != MMOOD_OK && p->made)
        rmdir(p->folder); /* if nothing came */
    if (p->lock >= 0)
        close(p->lock);
    return status == MMOOD_OK ? prove(p) : cli_fail(&error);
}

int cmd_pull(int argc, char **argv) {
    pull p = {.common = common_options_default(), .lock = -1};
    const char *out = NULL, *revision = "main";
    mmood_error error;
    int count;
    const option table[] = {
        {"output", 'o', OPTION_TEXT, &out, "DIR", "the folder; default REPO's name, here"},
        {"revision", 0, OPTION_TEXT, &revision, "REV", "branch, tag or commit; default main"},
        OPTION_CACHE(p.common),
        OPTION_TALK(p.common),
        OPTION_END};
    parse_result parsed = options_parse(table, usage, argc, argv, &count);
    if (parsed != PARSE_GO)
        return parsed == PARSE_DONE ? EXIT_DONE : EXIT_USAGE;
    if (count != 1) {
        cli_error("pull needs the name of one repository, such as openai/clip-vit-base-patch32");
        return EXIT_USAGE;
    }
    if (out && !*out) {
        cli_error("option --output: an empty name, expected a folder");
        return EXIT_USAGE;
    }
    p.progress = !p.common.quiet && isatty(2);
    mmood_status status = hub_open(&p.hub, argv[0], revision, &error);
    int code = status == MMOOD_OK ? go(&p, out) : cli_fail(&error);
    hub_close(&p.hub);
    return code;
}
