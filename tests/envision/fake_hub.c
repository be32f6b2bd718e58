/* fake_hub.c - a Hugging Face hub as a program, with the other host that its large files are at.
 *   fake_hub ROOT PORT_FILE LOG
 * /OWNER/NAME/resolve/REVISION/FILE is ROOT/NAME/FILE, and ROOT/NAME-pr/FILE at refs/pr/66; OWNER
 * says how it goes wrong. /api/models/OWNER/NAME/discussions?p=N is ROOT/NAME/discussions.N. Writes
 * the hub's port to PORT_FILE, and to LOG a line for each request: where, method, file, Range, and
 * whether a key came along. */
#include "envision/fake_endpoint.h"

#include "base/buffer.h"
#include "base/file.h"
#include "base/sha256.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#define COMMIT "0123456789abcdef0123456789abcdef01234567"
#define PR_COMMIT "6666666666abcdef0123456789abcdef01234567"

static const char *root;
static FILE *logged;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static fake *elsewhere;

typedef struct question {
    int socket;
    int is_head;
    char owner[64];
    char name[64];
    char file[96];
    char range[64]; /* "" : none */
    int number;     /* of requests for this owner's file, at this host */
    const char *commit;
} question;

static void header_value(char *out, size_t size, const fake_request *request, const char *name) {
    const char *at = strstr(request->headers, name);
    out[0] = 0;
    if (at)
        snprintf(out, size, "%.*s", (int)strcspn(at + strlen(name), "\r\n"), at + strlen(name));
}

/* Logs the request; its number is how many of the same kind the log has. */
static void note(question *q, const fake_request *request, const char *where) {
    static char kinds[512][256];
    static int counts[512], used;
    char kind[256], key[256];
    header_value(q->range, sizeof q->range, request, "\r\nRange: ");
    header_value(key, sizeof key, request, "\r\nAuthorization: ");
    snprintf(kind, sizeof kind, "%s %s %s/%s/%s", where, request->method, q->owner, q->name,
             q->file);
    pthread_mutex_lock(&lock);
    int i = 0;
    while (i < used && strcmp(kinds[i], kind) != 0)
        i++;
    if (i == used && used < 511)
        memcpy(kinds[used++], kind, sizeof kind);
    q->number = ++counts[i];
    fprintf(logged, "%s range=%s key=%s\n", kind, q->range, key[0] ? "yes" : "no");
    fflush(logged);
    pthread_mutex_unlock(&lock);
}

/* An answer whose body HEAD does not get. */
static void reply(const question *q, int code, const char *headers, const void *body, size_t size) {
    char head[2048];
    int n = snprintf(head, sizeof head,
                     "HTTP/1.1 %d Test\r\nContent-Length: %zu\r\nConnection: close\r\n%s\r\n", code,
                     size, headers);
    fake_send(q->socket, head, (size_t)n);
    if (!q->is_head)
        fake_send(q->socket, body, size);
}

static void refuse(const question *q, int code, const char *error, const char *message) {
    char headers[512];
    snprintf(headers, sizeof headers, "X-Error-Code: %s\r\nX-Error-Message: %s\r\n", error,
             message);
    reply(q, code, error[0] ? headers : "", message, strlen(message));
}

static int is(const question *q, const char *owner) {
    return strcmp(q->owner, owner) == 0;
}

/* The file, or the part of it that Range asks for. */
static void send_file(const question *q, const uint8_t *data, size_t size, const char *etag) {
    char headers[512];
    size_t start = 0;
    int ranged = !is(q, "norange") && sscanf(q->range, "bytes=%zu-", &start) == 1 && start < size;
    if (ranged)
        snprintf(headers, sizeof headers,
                 "ETag: %s\r\nX-Repo-Commit: %s\r\nContent-Range: bytes %zu-%zu/%zu\r\n", etag,
                 q->commit, start, size - 1, size);
    else
        snprintf(headers, sizeof headers, "ETag: %s\r\nX-Repo-Commit: %s\r\n", etag, q->commit);
    if (is(q, "bare"))
        headers[0] = 0;
    start = ranged ? start : 0;
    int cuts = (is(q, "cut") || is(q, "norange")) && q->number == 1 && size > 1000;
    if (cuts && !q->is_head) {
        char head[1024];
        int n = snprintf(head, sizeof head, "HTTP/1.1 200 OK\r\nContent-Length: %zu\r\n%s\r\n",
                         size, headers);
        fake_send(q->socket, head, (size_t)n);
        fake_send(q->socket, data, size / 2);
        return;
    }
    reply(q, ranged ? 206 : 200, headers, data + start, size - start);
}

/* The other host: large files only. */
static void answer_elsewhere(fake *server, int socket, const fake_request *request) {
    (void)server;
    question q = {.socket = socket, .is_head = request->method[0] == 'H', .commit = COMMIT};
    if (sscanf(request->path, "/%63[^/]/%63[^/]/%95[^?]", q.owner, q.name, q.file) != 3)
        return;
    note(&q, request, "store");
    char path[512];
    uint8_t *data;
    size_t size;
    snprintf(path, sizeof path, "%s/%s/%s", root, q.name, q.file);
    if (q.is_head)
        refuse(&q, 403, "", "signed for GET");
    else if (mm_file_read(&data, &size, path, 64 << 20, NULL) == MMOOD_OK) {
        send_file(&q, data, size, "\"abc-1\"");
        free(data);
    }
}

/* What these owners say to everything. */
static int refuse_all(const question *q, const fake_request *request) {
    if (is(q, "gated"))
        refuse(q, 401, "GatedRepo", "Access to this model is restricted.");
    else if (is(q, "nobody"))
        refuse(q, 401, "RepoNotFound", "Repository not found");
    else if (is(q, "denied"))
        refuse(q, 403, "", "{\"error\":\"no\"}");
    else if (is(q, "closed") && !strstr(request->headers, "Bearer hf_secret0123"))
        refuse(q, 401, "", "");
    else if (is(q, "busy") && q->number == 1 && strcmp(q->file, "config.json") == 0)
        reply(q, 429, "Retry-After: 1\r\n", "", 0);
    else if (is(q, "busier"))
        reply(q, 429, "Retry-After: 4000\r\n", "", 0);
    else
        return 0;
    return 1;
}

/* A page of a repository's discussions. */
static void answer_api(question *q, const fake_request *request) {
    char path[512];
    int page;
    uint8_t *data;
    size_t size;
    if (sscanf(request->path, "/api/models/%63[^/]/%63[^/]/discussions?p=%d", q->owner, q->name,
               &page) != 3)
        return;
    snprintf(q->file, sizeof q->file, "discussions.%d", page);
    note(q, request, "api");
    snprintf(path, sizeof path, "%s/%s/%s", root, q->name, q->file);
    if (refuse_all(q, request))
        return;
    if (is(q, "elsewhere")) {
        snprintf(path, sizeof path, "Location: http://127.0.0.1:%d/api/models/x\r\n",
                 fake_port(elsewhere));
        reply(q, 302, path, "", 0);
    } else if (mm_file_read(&data, &size, path, 64 << 20, NULL) != MMOOD_OK)
        refuse(q, 404, "", "{\"error\":\"Not found\"}");
    else {
        reply(q, 200, "Content-Type: application/json\r\n", data, size);
        free(data);
    }
}

/* 1 for a file that the hub keeps on the other host. */
static int is_large(const question *q) {
    return (strstr(q->file, ".safetensors") || strstr(q->file, ".bin")) &&
           !strstr(q->file, ".json") && !is(q, "bare");
}

static void answer(fake *server, int socket, const fake_request *request) {
    (void)server;
    question q = {.socket = socket, .is_head = request->method[0] == 'H', .commit = COMMIT};
    char revision[64];
    if (strncmp(request->path, "/api/", 5) == 0) {
        answer_api(&q, request);
        return;
    }
    if (sscanf(request->path, "/%63[^/]/%63[^/]/resolve/%63[^/]/%95[^?]", q.owner, q.name, revision,
               q.file) != 4)
        return;
    note(&q, request, "hub");
    if (refuse_all(&q, request))
        return;
    int is_pr = strcasecmp(revision, "refs%2Fpr%2F66") == 0 || strcmp(revision, PR_COMMIT) == 0;
    if (is_pr)
        q.commit = PR_COMMIT;
    if (!is_pr && strcmp(revision, "main") != 0 && strcasecmp(revision, "refs%2Fpr%2F1") != 0 &&
        strcmp(revision, COMMIT) != 0) {
        refuse(&q, 404, "RevisionNotFound", "Invalid rev id");
        return;
    }
    char path[512], hash[65], headers[1024];
    uint8_t *data;
    size_t size;
    snprintf(path, sizeof path, "%s/%s%s/%s", root, q.name, is_pr ? "-pr" : "", q.file);
    if (mm_file_read(&data, &size, path, 64 << 20, NULL) != MMOOD_OK) {
        refuse(&q, 404, is(&q, "bare") ? "" : "EntryNotFound", "Entry not found");
        return;
    }
    mm_sha256_of(hash, data, size);
    if (is(&q, "otherhash"))
        memcpy(hash, "00000000", 8);
    if (is_large(&q)) {
        snprintf(headers, sizeof headers,
                 "X-Repo-Commit: %s\r\nX-Linked-Size: %zu\r\nX-Linked-ETag: \"%s\"\r\n"
                 "Location: http://127.0.0.1:%d/%s/%s%s/%s?signature=x\r\n",
                 q.commit, is(&q, "othersize") ? size + 1 : size, hash, fake_port(elsewhere),
                 q.owner, q.name, is_pr ? "-pr" : "", q.file);
        reply(&q, 302, headers, "", 0);
    } else
        send_file(&q, data, size, "\"0123456789012345678901234567890123456789\"");
    free(data);
}

int main(int argc, char **argv) {
    mm_buffer port = {0};
    if (argc != 4 || !(logged = fopen(argv[3], "a")))
        return 2;
    root = argv[1];
    elsewhere = fake_start(answer_elsewhere, NULL);
    fake *server = fake_start(answer, NULL);
    mm_buffer_printf(&port, "%d\n", fake_port(server));
    if (mm_file_write(argv[2], port.data, port.size, NULL) != MMOOD_OK)
        return 1;
    for (;;)
        pause();
}
