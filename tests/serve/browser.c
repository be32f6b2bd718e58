/* browser.c - messages are JSON, each ended by a NUL; the browser reads descriptor 3 and writes
 * descriptor 4. One page, attached with a session of its own. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE /* FTW_DEPTH, pipe2 */
#endif
#include "serve/browser.h"

#include "test.h"

#include "base/base64.h"
#include "base/clock.h"
#include "base/file.h"

#include <fcntl.h>
#include <ftw.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static const double patience = 20;

struct browser {
    pid_t id;
    int to, from;
    char folder[32]; /* the profile */
    char session[64];
    char origin[128];
    json_int_t last; /* number of the last call */
    mm_buffer read;  /* not yet taken apart */
    mm_buffer complaints;
    json_t *events; /* name -> count */
};

/* ---- The program --------------------------------------------------------------------------- */

const char *browser_program(void) {
    static const char *const names[] = {"chromium-headless-shell", "chromium", "chromium-browser",
                                        "google-chrome-stable", "google-chrome"};
    static char path[512];
    const char *all = getenv("PATH");
    for (size_t i = 0; all && i < sizeof names / sizeof *names; i++)
        for (const char *from = all; *from;) {
            int n = (int)strcspn(from, ":");
            snprintf(path, sizeof path, "%.*s/%s", n, from, names[i]);
            if (access(path, X_OK) == 0)
                return path;
            from += n + (from[n] != '\0');
        }
    return NULL;
}

static void run_program(const char *program, const char *folder, int in, int out) {
    char profile[64];
    snprintf(profile, sizeof profile, "--user-data-dir=%s", folder);
    const char *arguments[] = {
        program, "--headless", "--remote-debugging-pipe",
        /* containers seldom allow its sandbox, and the page is ours */
        "--no-sandbox", "--disable-dev-shm-usage", "--disable-gpu", "--no-first-run",
        "--hide-scrollbars", "--disable-background-networking", "--disable-component-update",
        "--disable-extensions", "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
        "--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream", profile, NULL};
    int null = open("/dev/null", O_RDWR);
    in = fcntl(in, F_DUPFD, 10);
    out = fcntl(out, F_DUPFD, 10);
    if (null < 0 || dup2(null, 0) < 0 || dup2(null, 1) < 0 || dup2(null, 2) < 0 ||
        dup2(in, 3) < 0 || dup2(out, 4) < 0)
        _exit(126);
    setenv("HOME", folder, 1);
    execv(program, (char **)(void *)arguments);
    _exit(127);
}

static json_t *call(browser *b, const char *method, json_t *parameters, int of_page);

browser *browser_start(const char *program) {
    int in[2], out[2];
    browser *b = calloc(1, sizeof *b);
    assert_non_null(b);
    strcpy(b->folder, "/tmp/mmood-page-XXXXXX");
    b->events = json_object();
    assert_non_null(mkdtemp(b->folder));
    assert_int_equal(pipe2(in, O_CLOEXEC), 0);
    assert_int_equal(pipe2(out, O_CLOEXEC), 0);
    b->id = fork();
    assert_true(b->id >= 0);
    if (b->id == 0) {
        setpgid(0, 0);
        run_program(program, b->folder, in[0], out[1]);
    }
    close(in[0]);
    close(out[1]);
    b->to = in[1];
    b->from = out[0];
    json_t *made = call(b, "Target.createTarget", json_pack("{s:s}", "url", "about:blank"), 0);
    json_t *attached = call(
        b, "Target.attachToTarget",
        json_pack("{s:O,s:b}", "targetId", json_object_get(made, "targetId"), "flatten", 1), 0);
    snprintf(b->session, sizeof b->session, "%s",
             json_string_value(json_object_get(attached, "sessionId")));
    json_decref(made);
    json_decref(attached);
    static const char *const domains[] = {"Page.enable", "Runtime.enable", "Log.enable",
                                          "Network.enable", "DOM.enable"};
    for (size_t i = 0; i < sizeof domains / sizeof *domains; i++)
        browser_do(b, domains[i], NULL);
    return b;
}

static int remove_one(const char *path, const struct stat *info, int kind, struct FTW *where) {
    (void)info;
    (void)kind;
    (void)where;
    return remove(path);
}

void browser_end(browser *b) {
    close(b->to); /* it ends when nobody can tell it anything */
    close(b->from);
    double begun = mm_now();
    while (waitpid(b->id, NULL, WNOHANG) == 0) {
        if (mm_now() - begun > 3)
            kill(-b->id, SIGKILL);
        poll(NULL, 0, 10);
    }
    nftw(b->folder, remove_one, 16, FTW_DEPTH | FTW_PHYS);
    json_decref(b->events);
    mm_buffer_free(&b->read);
    mm_buffer_free(&b->complaints);
    free(b);
}

/* ---- Messages ------------------------------------------------------------------------------ */

/* The next message; NULL if none comes in time. */
static json_t *receive(browser *b) {
    struct pollfd ready = {.fd = b->from, .events = POLLIN};
    for (;;) {
        char *end = b->read.size ? memchr(b->read.data, '\0', b->read.size) : NULL;
        if (end) {
            size_t n = (size_t)(end - b->read.data);
            json_t *message = json_loadb(b->read.data, n, 0, NULL);
            b->read.size -= n + 1;
            memmove(b->read.data, end + 1, b->read.size);
            return message;
        }
        char data[65536];
        if (poll(&ready, 1, (int)(1000 * patience)) <= 0)
            return NULL;
        ssize_t n = read(b->from, data, sizeof data);
        if (n <= 0)
            return NULL;
        mm_buffer_append(&b->read, data, (size_t)n);
    }
}

static int is_ours(const browser *b, const char *url) {
    static const char *const local[] = {"blob:", "data:", "about:"};
    for (size_t i = 0; i < sizeof local / sizeof *local; i++)
        if (strncmp(url, local[i], strlen(local[i])) == 0)
            return 1;
    return strncmp(url, b->origin, strlen(b->origin)) == 0;
}

static void take_event(browser *b, const char *name, const json_t *parameters) {
    json_int_t count = json_integer_value(json_object_get(b->events, name));
    json_object_set_new(b->events, name, json_integer(count + 1));
    if (strcmp(name, "Network.requestWillBeSent") == 0) {
        const char *url =
            json_string_value(json_object_get(json_object_get(parameters, "request"), "url"));
        if (url && !is_ours(b, url))
            mm_buffer_printf(&b->complaints, "asks for %s\n", url);
    } else if (strcmp(name, "Runtime.exceptionThrown") == 0 ||
               strcmp(name, "Log.entryAdded") == 0) {
        /* An answer with an error's status is logged too: the page tells it in its own way. */
        const json_t *entry = json_object_get(parameters, "entry");
        const char *source = json_string_value(json_object_get(entry, "source"));
        if (source && strcmp(source, "network") == 0)
            return;
        char *text = json_dumps(parameters, 0);
        mm_buffer_printf(&b->complaints, "%s\n", text);
        free(text);
    }
}

static json_t *call(browser *b, const char *method, json_t *parameters, int of_page) {
    json_t *message = json_pack("{s:I,s:s,s:o}", "id", ++b->last, "method", method, "params",
                                parameters ? parameters : json_object());
    if (of_page)
        json_object_set_new(message, "sessionId", json_string(b->session));
    char *text = json_dumps(message, JSON_COMPACT);
    size_t size = strlen(text) + 1, sent = 0;
    json_decref(message);
    while (sent < size) {
        ssize_t n = write(b->to, text + sent, size - sent);
        if (n <= 0)
            fail_msg("%s: the browser is gone", method);
        sent += (size_t)n;
    }
    free(text);
    for (json_t *answer; (answer = receive(b)); json_decref(answer)) {
        const char *name = json_string_value(json_object_get(answer, "method"));
        if (name)
            take_event(b, name, json_object_get(answer, "params"));
        if (json_integer_value(json_object_get(answer, "id")) != b->last)
            continue;
        if (json_object_get(answer, "error"))
            fail_msg("%s: %s", method, json_dumps(answer, 0));
        json_t *result = json_incref(json_object_get(answer, "result"));
        json_decref(answer);
        return result;
    }
    fail_msg("%s: no answer of the browser", method);
    return NULL;
}

json_t *browser_call(browser *b, const char *method, json_t *parameters) {
    return call(b, method, parameters, 1);
}

void browser_do(browser *b, const char *method, json_t *parameters) {
    json_decref(browser_call(b, method, parameters));
}

int browser_events(browser *b, const char *name) {
    int count = (int)json_integer_value(json_object_get(b->events, name));
    json_object_del(b->events, name);
    return count;
}

const char *browser_complaints(browser *b) {
    return b->complaints.size ? b->complaints.data : NULL;
}

void browser_set_origin(browser *b, const char *origin) {
    snprintf(b->origin, sizeof b->origin, "%s", origin);
}

/* ---- The page ------------------------------------------------------------------------------ */

json_t *browser_value(browser *b, const char *expression) {
    json_t *result =
        browser_call(b, "Runtime.evaluate",
                     json_pack("{s:s,s:b,s:b,s:b}", "expression", expression, "awaitPromise", 1,
                               "returnByValue", 1, "userGesture", 1));
    if (json_object_get(result, "exceptionDetails"))
        fail_msg("%s: %s", expression, json_dumps(result, 0));
    json_t *value = json_incref(json_object_get(json_object_get(result, "result"), "value"));
    json_decref(result);
    return value;
}

void browser_run(browser *b, const char *expression) {
    json_decref(browser_value(b, expression));
}

int browser_is_true(browser *b, const char *expression) {
    json_t *value = browser_value(b, expression);
    int is_true = json_is_true(value);
    json_decref(value);
    return is_true;
}

int browser_is_truef(browser *b, const char *format, ...) {
    char expression[2048];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(expression, sizeof expression, format, arguments);
    va_end(arguments);
    return browser_is_true(b, expression);
}

void browser_wait(browser *b, const char *expression) {
    double begun = mm_now();
    while (!browser_is_true(b, expression)) {
        if (mm_now() - begun > patience) {
            json_t *page = browser_value(b, "document.body.innerText");
            fail_msg("in vain: %s; the page says:\n%s", expression, json_string_value(page));
        }
        poll(NULL, 0, 10);
    }
}

void browser_open(browser *b, const char *url) {
    browser_do(b, "Page.navigate", json_pack("{s:s}", "url", url));
    char ready[512];
    snprintf(ready, sizeof ready,
             "location.href.startsWith('%s') && document.readyState === 'complete'", url);
    browser_wait(b, ready);
}

void browser_press(browser *b, const char *key) {
    int code = strcmp(key, "Tab") == 0 ? 9 : strcmp(key, "Enter") == 0 ? 13 : 32;
    const char *text = code == 13 ? "\r" : code == 32 ? " " : "";
    browser_do(b, "Input.dispatchKeyEvent",
               json_pack("{s:s,s:s,s:s,s:i,s:s}", "type", "keyDown", "key", key, "code",
                         code == 32 ? "Space" : key, "windowsVirtualKeyCode", code, "text", text));
    browser_do(b, "Input.dispatchKeyEvent",
               json_pack("{s:s,s:s,s:s,s:i}", "type", "keyUp", "key", key, "code",
                         code == 32 ? "Space" : key, "windowsVirtualKeyCode", code));
}

void browser_choose(browser *b, const char *selector, const char *const *paths, size_t count) {
    json_t *files = json_array();
    for (size_t i = 0; i < count; i++)
        json_array_append_new(files, json_string(paths[i]));
    json_t *document = browser_call(b, "DOM.getDocument", NULL);
    json_t *found =
        browser_call(b, "DOM.querySelector",
                     json_pack("{s:O,s:s}", "nodeId",
                               json_object_get(json_object_get(document, "root"), "nodeId"),
                               "selector", selector));
    browser_do(b, "DOM.setFileInputFiles",
               json_pack("{s:o,s:O}", "files", files, "nodeId", json_object_get(found, "nodeId")));
    json_decref(document);
    json_decref(found);
}

void browser_screenshot(browser *b, const char *name) {
    const char *folder = getenv("MMOOD_SCREENSHOTS");
    if (!folder)
        return;
    char path[512];
    mmood_error error;
    mm_buffer data = {0};
    json_t *shot =
        browser_call(b, "Page.captureScreenshot",
                     json_pack("{s:s,s:b}", "format", "png", "captureBeyondViewport", 1));
    const char *text = json_string_value(json_object_get(shot, "data"));
    assert_ok(mm_base64_read(&data, text, strlen(text), &error), error);
    snprintf(path, sizeof path, "%s/%s.png", folder, name);
    assert_ok(mm_file_write(path, data.data, data.size, &error), error);
    mm_buffer_free(&data);
    json_decref(shot);
}
