/* cmd_pull.c - mmood pull: a CLIP model from a Hugging Face hub to a folder. */
#include "cli/hub.h"
#include "cli/options.h"

#include "base/error.h"
#include "base/file.h"
#include "base/json.h"
#include "clip/config.h"
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
    "Downloads a CLIP model from a Hugging Face hub: the files that mmood reads, no others. What "
    "is\n"
    "there already and right is kept; what was interrupted goes on. Prints the folder.\n"
    "$HF_ENDPOINT names another hub than https://huggingface.co, $HF_TOKEN is sent to it.\n\n"
    "example: mmood pull openai/clip-vit-base-patch32\n";

enum { MAX_SMALL = 64 << 20, MAX_SHARDS = 10000, STALL = 30 };
static const uint64_t max_weights = (uint64_t)1 << 40;

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

/* ---- One file ------------------------------------------------------------------------------ */

/* "605.2 MB", "572 bytes". */
static const char *size_text(char out[32], int64_t size) {
    if (size < 1000)
        snprintf(out, 32, "%lld byte%s", (long long)size, size == 1 ? "" : "s");
    else if (size < 1000000)
        snprintf(out, 32, "%.1f kB", (double)size / 1e3);
    else
        snprintf(out, 32, "%.1f MB", (double)size / 1e6);
    return out;
}

static void show_progress(void *context, uint64_t done, int64_t size) {
    (void)context;
    fprintf(stderr, "\r\033[K%.1f", (double)done / 1e6);
    if (size > 0)
        fprintf(stderr, " of %.1f MB, %d %%", (double)size / 1e6,
                (int)(100 * (double)done / (double)size));
    else
        fprintf(stderr, " MB");
}

static void end_progress(const pull *p) {
    if (p->progress)
        fputs("\r\033[K", stderr);
}

static void show_note(void *context, const char *text) {
    const pull *p = context;
    end_progress(p);
    cli_note(common_talk(&p->common), "%s", text);
}

/* What to download, except the file's own facts; url and path are freed by the caller. */
static mmood_status describe(mm_download *out, char **url, char **path, pull *p, const char *name,
                             mmood_error *error) {
    *path = mm_path_join(p->folder, name);
    mmood_status status = hub_url(url, &p->hub, name, error);
    if (status == MMOOD_OK && !*path)
        status = mm_error_set(error, MMOOD_ERROR_MEMORY, "no memory for a path");
    *out = (mm_download){.url = *url,
                         .path = *path,
                         .name = name,
                         .size = -1,
                         .stall = STALL,
                         .progress = p->progress ? show_progress : NULL,
                         .note = show_note,
                         .context = p};
    return status;
}

/* Asks for a file; *there is 0 if the repository has none of this name. */
static mmood_status ask(int *there, pull *p, const char *name, mmood_error *error) {
    mm_download what;
    mm_download_reply reply;
    char *url, *path;
    *there = 0;
    mmood_status status = describe(&what, &url, &path, p, name, error);
    if (status == MMOOD_OK)
        status = mm_download_ask(&reply, p->hub.http, &what, error);
    free(url);
    free(path);
    if (status != MMOOD_OK || hub_lacks_file(&reply))
        return status;
    if (reply.code != 200)
        return hub_explain(&p->hub, name, &reply, error);
    remote *longer = realloc(p->files, (p->count + 1) * sizeof *longer);
    char *copy = strdup(name);
    if (longer)
        p->files = longer;
    if (!longer || !copy) {
        free(copy);
        return mm_error_set(error, MMOOD_ERROR_MEMORY, "no memory for a list of files");
    }
    remote *file = &p->files[p->count++];
    *file = (remote){.name = copy, .size = reply.size, .is_weights = hub_is_weights_name(name)};
    memcpy(file->sha256, reply.sha256, sizeof file->sha256);
    *there = 1;
    if (p->count == 1 && reply.commit[0])
        status = hub_pin(&p->hub, reply.commit, error);
    return status;
}

/* Downloads a file to its ".part", where it waits for the others: a folder never has a mixture of
 * two models. */
static mmood_status get_part(pull *p, remote *file, mmood_error *error) {
    mm_download what;
    mm_download_reply reply;
    char *url, *path;
    mmood_status status = describe(&what, &url, &path, p, file->name, error);
    what.size = file->size;
    memcpy(what.sha256, file->sha256, sizeof what.sha256);
    what.limit = file->is_weights ? max_weights : MAX_SMALL;
    if (status == MMOOD_OK && !file->is_weights && file->size > MAX_SMALL)
        status = mm_error_set(error, MMOOD_ERROR_LIMIT, "%s: %lld bytes, expected at most %d",
                              file->name, (long long)file->size, (int)MAX_SMALL);
    char text[32];
    cli_note(common_talk(&p->common), "fetching %s%s%s", file->name, file->size >= 0 ? ", " : "",
             file->size >= 0 ? size_text(text, file->size) : "");
    if (status == MMOOD_OK)
        status = mm_download_get(&reply, p->hub.http, &what, error);
    end_progress(p);
    if (status == MMOOD_OK && reply.code != 200)
        status = hub_explain(&p->hub, file->name, &reply, error);
    if (status == MMOOD_OK)
        file->state = COMPLETE_PART;
    free(url);
    free(path);
    return status;
}

/* A file in the folder that has the size and the hash that the hub tells needs no download. Without
 * a hash nothing but its contents would tell it from another. */
static int keep_file(const pull *p, const remote *file) {
    char *path = mm_path_join(p->folder, file->name);
    int kept = path && file->sha256[0] && file->size >= 0 &&
               mm_part_is_done(path, (uint64_t)file->size, file->sha256);
    if (kept)
        mm_part_remove(path); /* which an earlier run may have left */
    free(path);
    return kept;
}

/* Gives what get_part got its name. */
static mmood_status keep_part(const pull *p, remote *file, mmood_error *error) {
    int changed = 0;
    char *path = mm_path_join(p->folder, file->name);
    if (!path)
        return mm_error_set(error, MMOOD_ERROR_MEMORY, "no memory for a path");
    mmood_status status = mm_part_keep(&changed, path, error);
    if (status == MMOOD_OK && !changed)
        file->state = UNCHANGED;
    free(path);
    return status;
}

/* What is small is not worth to go on with: only weights stay when something fails. */
static void remove_parts(const pull *p) {
    for (size_t i = 0; i < p->count; i++) {
        char *path = p->files[i].is_weights ? NULL : mm_path_join(p->folder, p->files[i].name);
        if (path)
            mm_part_remove(path);
        free(path);
    }
}

/* ---- Which files --------------------------------------------------------------------------- */

/* Gets config.json and looks whether the model is one of ours. */
static mmood_status get_config(pull *p, mmood_error *error) {
    int there;
    mmood_status status = ask(&there, p, "config.json", error);
    if (status == MMOOD_OK && !there)
        status = mm_error_set(error, MMOOD_ERROR_IO,
                              "%s at revision %s has no config.json; check the name; expected a "
                              "CLIP model in transformers' layout, see %s",
                              p->hub.repo, p->hub.revision, p->hub.page);
    if (status == MMOOD_OK)
        status = get_part(p, &p->files[0], error);
    if (status != MMOOD_OK)
        return status;
    mm_clip_config config;
    uint8_t *text = NULL;
    size_t size;
    status = mm_file_read_in(&text, &size, p->folder, "config.json.part", MAX_SMALL, error);
    if (status == MMOOD_OK)
        status = mm_clip_config_parse(&config, text, size, error);
    free(text);
    return status == MMOOD_OK ? status : mm_error_prefix(error, status, "%s", p->hub.repo);
}

/* Asks for a file that a model may lack. One of this name that is in the folder all the same would
 * be read as the model's. */
static mmood_status ask_optional(int *there, pull *p, const char *name, mmood_error *error) {
    mmood_status status = ask(there, p, name, error);
    if (status == MMOOD_OK && !*there && mm_file_exists_in(p->folder, name))
        return mm_error_set(error, MMOOD_ERROR_MISMATCH,
                            "the folder %s has a %s of another model: %s has none; choose another "
                            "folder with -o, or remove the file",
                            p->folder, name, p->hub.repo);
    return status;
}

static mmood_status ask_needed(pull *p, const char *name, const char *instead, mmood_error *error) {
    int there;
    mmood_status status = ask(&there, p, name, error);
    if (status == MMOOD_OK && !there)
        return mm_error_set(error, MMOOD_ERROR_UNSUPPORTED,
                            "%s at revision %s has neither %s nor %s; both or the first are needed",
                            p->hub.repo, p->hub.revision, instead, name);
    return status;
}

static mmood_status ask_tokenizer(pull *p, mmood_error *error) {
    int there;
    mmood_status status = ask_optional(&there, p, "tokenizer.json", error);
    if (status == MMOOD_OK && !there)
        status = ask_needed(p, "vocab.json", "tokenizer.json", error);
    if (status == MMOOD_OK && !there)
        status = ask_needed(p, "merges.txt", "tokenizer.json", error);
    return status;
}

/* The repository has no safetensors: says what it has. */
static mmood_status explain_weights(pull *p, mmood_error *error) {
    static const char *const others[] = {"pytorch_model.bin", "pytorch_model.bin.index.json",
                                         "open_clip_pytorch_model.bin"};
    for (size_t i = 0; i < sizeof others / sizeof *others; i++) {
        int there;
        mmood_status status = ask(&there, p, others[i], error);
        if (status != MMOOD_OK)
            return status;
        if (there)
            return mm_error_set(
                error, MMOOD_ERROR_UNSUPPORTED,
                "%s at revision %s has no model.safetensors, only %s, which mmood pull does not "
                "download; a pull request with safetensors may be open at %s/discussions: "
                "--revision refs/pr/N takes it; or download the repository's files yourself: "
                "mmood reads pytorch_model.bin without running anything in it",
                p->hub.repo, p->hub.revision, others[i], p->hub.page);
    }
    return mm_error_set(error, MMOOD_ERROR_UNSUPPORTED,
                        "%s at revision %s has neither model.safetensors nor "
                        "model.safetensors.index.json; look at %s",
                        p->hub.repo, p->hub.revision, p->hub.page);
}

static int is_listed(const pull *p, const char *name) {
    for (size_t i = 0; i < p->count; i++)
        if (strcmp(p->files[i].name, name) == 0)
            return 1;
    return 0;
}

/* Asks for the shards that an index names. It is a stranger's: a name may be that of a file of
 * weights in the same folder and nothing else. */
static mmood_status ask_shards(pull *p, const json_t *index, mmood_error *error) {
    const char *tensor;
    json_t *value, *map = json_object_get(index, "weight_map");
    if (json_object_size(map) == 0)
        return mm_error_set(error, MMOOD_ERROR_FORMAT,
                            "model.safetensors.index.json has no \"weight_map\"");
    size_t before = p->count;
    json_object_foreach(map, tensor, value) {
        const char *name = json_string_value(value);
        int there;
        if (!name || !hub_is_weights_name(name))
            return mm_error_set(error, MMOOD_ERROR_FORMAT,
                                "model.safetensors.index.json gives \"%s\" for tensor \"%s\"; the "
                                "plain name of a .safetensors file is expected",
                                name ? name : "(not a string)", tensor);
        if (is_listed(p, name))
            continue;
        if (p->count - before == MAX_SHARDS)
            return mm_error_set(error, MMOOD_ERROR_LIMIT,
                                "model.safetensors.index.json names more than %d shards",
                                (int)MAX_SHARDS);
        mmood_status status = ask(&there, p, name, error);
        if (status == MMOOD_OK && !there)
            status = mm_error_set(error, MMOOD_ERROR_IO,
                                  "%s at revision %s has no %s, which "
                                  "model.safetensors.index.json names",
                                  p->hub.repo, p->hub.revision, name);
        if (status != MMOOD_OK)
            return status;
    }
    return MMOOD_OK;
}

static mmood_status ask_weights(pull *p, mmood_error *error) {
    int there;
    json_t *index = NULL;
    mmood_status status = ask_optional(&there, p, "model.safetensors", error);
    if (status != MMOOD_OK || there)
        return status;
    status = ask(&there, p, "model.safetensors.index.json", error);
    if (status == MMOOD_OK && !there)
        return explain_weights(p, error);
    if (status == MMOOD_OK)
        status = get_part(p, &p->files[p->count - 1], error);
    char *path = mm_path_join(p->folder, "model.safetensors.index.json.part");
    if (status == MMOOD_OK)
        status = path ? mm_json_load(&index, path, MAX_SMALL, error)
                      : mm_error_set(error, MMOOD_ERROR_MEMORY, "no memory for a path");
    if (status == MMOOD_OK)
        status = ask_shards(p, index, error);
    json_decref(index);
    free(path);
    return status;
}

/* ---- All of them --------------------------------------------------------------------------- */

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
        if (file->state == NOT_HERE && keep_file(p, file))
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
    int there;
    mmood_status status = get_config(p, error);
    if (status == MMOOD_OK)
        status = ask_optional(&there, p, "processor_config.json", error);
    if (status == MMOOD_OK)
        status = ask_optional(&there, p, "preprocessor_config.json", error);
    if (status == MMOOD_OK)
        status = ask_tokenizer(p, error);
    if (status == MMOOD_OK)
        status = ask_weights(p, error);
    if (status == MMOOD_OK)
        status = check_room(p, error);
    for (int weights = 0; weights < 2; weights++) /* what is small first */
        for (size_t i = 0; i < p->count && status == MMOOD_OK; i++)
            if (p->files[i].is_weights == weights && p->files[i].state == NOT_HERE)
                status = get_part(p, &p->files[i], error);
    size_t changed = 0;
    for (size_t i = 0; i < p->count && status == MMOOD_OK; i++) {
        if (p->files[i].state == COMPLETE_PART)
            status = keep_part(p, &p->files[i], error);
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

static void free_files(pull *p) {
    for (size_t i = 0; i < p->count; i++)
        free(p->files[i].name);
    free(p->files);
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
    cli_note(talk, "%s: %s, revision %s%s%.12s%s, ViT-%d/%d, embeddings of %d numbers", p->folder,
             p->hub.repo, p->hub.revision, commit ? " (" : "", commit ? commit : "",
             commit ? ")" : "", info.image_size, info.patch_size, info.dimension);
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
    if (status != MMOOD_OK)
        remove_parts(p);
    if (status != MMOOD_OK && p->made)
        rmdir(p->folder); /* if nothing came */
    if (p->lock >= 0)
        close(p->lock);
    free_files(p);
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
