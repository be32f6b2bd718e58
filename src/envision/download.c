/* download.c - files from a server to the disk: requests, redirects, retries. What becomes of the
 * file is in part.c, what replies mean in download_head.c. */
#include "envision/download.h"

#include "base/clock.h"
#include "base/error.h"
#include "envision/download_head.h"
#include "envision/http_internal.h"
#include "envision/part.h"
#include "envision/url.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    MAX_TEXT = 65536,       /* bytes of an error page that are looked at */
    LONGEST_WAIT = 300,     /* seconds that a server may ask to wait */
    LEAST_SPEED = 100,      /* bytes a second; less counts as none */
    PROGRESS_MADE = 1 << 20 /* bytes after which failures are counted anew */
};

/* What the bytes of a reply are, and what is wrong with them. */
typedef enum body_kind { BODY_NOT_YET, BODY_FILE, BODY_TEXT } body_kind;
typedef enum body_problem {
    BODY_FINE,
    BODY_NO_WRITE,   /* the disk does not take it */
    BODY_OTHER_SIZE, /* not the size that was told */
    BODY_TOO_LONG,
    BODY_OTHER_RANGE, /* not the part of the file that was asked for */
    BODY_ENCODED      /* not the file's own bytes */
} body_problem;

typedef struct transfer {
    const mm_http *http;
    const mm_download *what;
    mm_download_reply *reply;
    mm_part *part; /* NULL: only the headers are asked for */
    mm_head head;
    char etag[MM_HEAD_TEXT]; /* of the bytes in `part`; "": none that proves anything */
    mm_buffer text;          /* an error page */
    body_kind body;
    body_problem problem;
    double shown; /* when progress was told last */
} transfer;

/* ---- Bytes that come ----------------------------------------------------------------------- */

/* From the headers: what the bytes are that follow. */
static void begin_body(transfer *t) {
    const mm_head *head = &t->head;
    int64_t size = t->what->size;
    t->body = BODY_FILE;
    if (head->encoded && (head->code == 200 || head->code == 206))
        t->problem = BODY_ENCODED;
    else if (head->code == 206) {
        if (t->part->size == 0 || head->range_start != (int64_t)t->part->size ||
            (size >= 0 && head->range_total >= 0 && head->range_total != size))
            t->problem = BODY_OTHER_RANGE;
    } else if (head->code == 200) {
        if (size >= 0 && head->length >= 0 && head->length != size)
            t->problem = BODY_OTHER_SIZE;
        else if (t->part->size > 0 && !mm_part_restart(t->part))
            t->problem = BODY_NO_WRITE;
        snprintf(t->etag, sizeof t->etag, "%s", mm_head_is_strong(head->etag) ? head->etag : "");
    } else
        t->body = BODY_TEXT;
}

static void take_file(transfer *t, const char *data, size_t size) {
    uint64_t limit = t->what->size >= 0 ? (uint64_t)t->what->size : t->what->limit;
    if (size > limit - t->part->size)
        t->problem = BODY_TOO_LONG;
    else if (!mm_part_add(t->part, data, size))
        t->problem = BODY_NO_WRITE;
    double now = mm_now();
    if (t->what->progress && now - t->shown > 0.1) {
        t->what->progress(t->what->context, t->part->size, t->what->size);
        t->shown = now;
    }
}

static size_t take_body(char *data, size_t one, size_t count, void *user) {
    transfer *t = user;
    size_t size = one * count;
    if (t->body == BODY_NOT_YET)
        begin_body(t);
    if (t->body == BODY_FILE && t->problem == BODY_FINE)
        take_file(t, data, size);
    else if (t->body == BODY_TEXT && t->text.size < MAX_TEXT)
        mm_buffer_append(&t->text, data, size < MAX_TEXT ? size : MAX_TEXT);
    return t->problem == BODY_FINE ? size : 0;
}

static size_t take_header(char *data, size_t one, size_t count, void *user) {
    mm_head_take(&((transfer *)user)->head, data, one * count);
    return one * count;
}

/* ---- One attempt --------------------------------------------------------------------------- */

static struct curl_slist *make_headers(const transfer *t, int with_key, int *failed) {
    char line[MM_HEAD_TEXT + 32];
    *failed = 0;
    struct curl_slist *list = mm_http_add_header(NULL, failed, "Accept-Encoding: identity");
    if (with_key)
        list = mm_http_add_key(list, failed, t->http);
    if (!t->part || t->part->size == 0)
        return list;
    snprintf(line, sizeof line, "Range: bytes=%llu-", (unsigned long long)t->part->size);
    list = mm_http_add_header(list, failed, line);
    if (t->etag[0]) {
        snprintf(line, sizeof line, "If-Range: %s", t->etag);
        list = mm_http_add_header(list, failed, line);
    }
    return list;
}

/* One request to one URL, no redirect followed. */
static CURLcode call(CURL *curl, failure *why, transfer *t, const char *url, int with_key) {
    int failed;
    struct curl_slist *headers = make_headers(t, with_key, &failed);
    if (failed) {
        curl_slist_free_all(headers);
        return CURLE_OUT_OF_MEMORY;
    }
    mm_buffer_free(&t->text);
    t->body = BODY_NOT_YET;
    t->problem = BODY_FINE;
    mm_head_begin(&t->head);
    mm_http_begin(curl, why, url, headers, t->http->options.connect_timeout);
    curl_easy_setopt(curl, CURLOPT_HEADERFUNCTION, take_header);
    curl_easy_setopt(curl, CURLOPT_HEADERDATA, t);
    curl_easy_setopt(curl, CURLOPT_SUPPRESS_CONNECT_HEADERS, 1L);
    curl_easy_setopt(curl, CURLOPT_LOW_SPEED_LIMIT, (long)LEAST_SPEED);
    curl_easy_setopt(curl, CURLOPT_LOW_SPEED_TIME, (long)t->what->stall);
    if (t->part) {
        curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, take_body);
        curl_easy_setopt(curl, CURLOPT_WRITEDATA, t);
    } else {
        curl_easy_setopt(curl, CURLOPT_NOBODY, 1L);
        curl_easy_setopt(curl, CURLOPT_TIMEOUT_MS, (long)(t->http->options.timeout * 1000));
    }
    CURLcode code = curl_easy_perform(curl);
    if (code == CURLE_OK && t->part && t->body == BODY_NOT_YET)
        begin_body(t); /* an empty file */
    mm_http_end(curl, why, headers);
    t->reply->code = t->head.code;
    t->reply->retry_after = why->retry_after;
    return code;
}

/* The request and the redirects that follow. `why->code` is libcurl's result. */
static mmood_status attempt(CURL *curl, failure *why, transfer *t, mmood_error *error) {
    char *url = strdup(t->what->url);
    mmood_status status = MMOOD_OK;
    int linked = 0;
    for (int hops = 0; url; hops++) {
        int home = mm_url_same_origin(url, t->what->url);
        why->code = call(curl, why, t, url, home);
        curl_off_t connected = 0;
        curl_easy_getinfo(curl, CURLINFO_CONNECT_TIME_T, &connected);
        why->connecting = why->code == CURLE_OPERATION_TIMEDOUT && connected == 0;
        if (why->code != CURLE_OK)
            break;
        linked |= mm_head_tell(t->reply, &t->head, home);
        char *next = mm_http_next_url(curl, &status, url, t->head.code, error);
        if (next && hops == MM_HTTP_REDIRECTS)
            status = mm_error_set(error, MMOOD_ERROR_IO, "%s: redirected more than %d times",
                                  t->what->name, (int)MM_HTTP_REDIRECTS);
        if (next && !t->part && linked && !mm_url_same_origin(next, t->what->url)) {
            t->reply->code = 200; /* the file itself is elsewhere, where HEAD may not be allowed */
            free(next);
            next = NULL;
        }
        if (!next || status != MMOOD_OK) {
            free(next);
            break;
        }
        free(url);
        url = next;
    }
    if (!url)
        status = mm_error_set(error, MMOOD_ERROR_MEMORY, "no memory for a URL");
    free(url);
    return status;
}

/* ---- Several ------------------------------------------------------------------------------- */

static int is_resumable(const mm_download *what) {
    return what->sha256[0] && what->size > 0;
}

/* Why there is no complete reply. */
static mmood_status explain_failure(const transfer *t, const failure *why, mmood_error *error) {
    const mm_http_reply tries = {.attempts = t->reply->attempts};
    const char *name = t->what->name;
    const char *detail = why->text[0] ? why->text : curl_easy_strerror(why->code);
    const char *then = t->part && t->part->size > 0 && is_resumable(t->what)
                           ? "run it again: it goes on from there"
                           : "try again later";
    unsigned long long done = t->part ? t->part->size : 0;
    char shown[256];
    mm_url_show(shown, sizeof shown, t->what->url);
    if (why->code == CURLE_COULDNT_RESOLVE_HOST || why->code == CURLE_COULDNT_CONNECT)
        return mm_error_set(error, MMOOD_ERROR_IO,
                            "%s: there is no way to the server (%s); check the network, the proxy "
                            "and the server's name",
                            shown, detail);
    if (why->code == CURLE_OPERATION_TIMEDOUT && !why->connecting)
        return mm_error_set(error, MMOOD_ERROR_IO,
                            "%s: no data for %g s, at byte %llu, in attempt %d; %s", name,
                            t->what->stall, done, tries.attempts, then);
    if (mm_http_broke(why->code))
        return mm_error_set(error, MMOOD_ERROR_IO,
                            "%s: the connection broke at byte %llu, in attempt %d (%s); %s", name,
                            done, tries.attempts, detail, then);
    return mm_http_failed(t->http, t->what->url, why, &tries, error);
}

static mmood_status explain_problem(const transfer *t, mmood_error *error) {
    const mm_download *what = t->what;
    switch (t->problem) {
    case BODY_NO_WRITE:
        return mm_part_explain(t->part, error);
    case BODY_OTHER_SIZE:
        return mm_error_set(error, MMOOD_ERROR_MISMATCH,
                            "%s: %lld bytes are announced where the hub said %lld; the file may "
                            "have changed just now: run it again",
                            what->name, (long long)t->head.length, (long long)what->size);
    case BODY_OTHER_RANGE:
        return mm_error_set(error, MMOOD_ERROR_MISMATCH,
                            "%s: the server sends another part of the file than byte %llu on, "
                            "which was asked for",
                            what->name, (unsigned long long)t->part->size);
    case BODY_ENCODED:
        return mm_error_set(error, MMOOD_ERROR_MISMATCH,
                            "%s: the server sends it compressed or otherwise encoded, although the "
                            "file itself was asked for; try another hub or network",
                            what->name);
    default:
        return mm_error_set(error, what->size >= 0 ? MMOOD_ERROR_MISMATCH : MMOOD_ERROR_LIMIT,
                            "%s: more bytes come than the %llu that it may have", what->name,
                            what->size >= 0 ? (unsigned long long)what->size
                                            : (unsigned long long)what->limit);
    }
}

/* Whether asking again may help. */
static int try_again(const transfer *t, const failure *why) {
    if (why->code != CURLE_OK)
        return mm_http_broke(why->code) || why->code == CURLE_OPERATION_TIMEDOUT;
    if (mm_http_is_transient(t->head.code))
        return 1;
    int cut = t->body == BODY_FILE && t->what->size >= 0;
    return t->part && cut && t->part->size < (uint64_t)t->what->size;
}

static void note_retry(const transfer *t, const failure *why, double wait) {
    char text[512], what[96];
    if (!t->what->note)
        return;
    if (why->code == CURLE_OK && mm_http_is_transient(t->head.code))
        snprintf(what, sizeof what, "the server answered %ld", t->head.code);
    else if (why->code == CURLE_OPERATION_TIMEDOUT)
        snprintf(what, sizeof what, "no data comes");
    else
        snprintf(what, sizeof what, "the connection broke");
    snprintf(text, sizeof text, "%s: %s at byte %llu; again in %g s", t->what->name, what,
             t->part ? (unsigned long long)t->part->size : 0, wait);
    t->what->note(t->what->context, text);
}

/* Whether anything would tell that the rest is of another version than the beginning. */
static int fits_provably(const transfer *t) {
    return t->etag[0] || t->what->sha256[0];
}

/* Attempts until one ends well or none can. OK if the server answered. */
static mmood_status run(CURL *curl, transfer *t, mmood_error *error) {
    int restarts = 0;
    uint64_t most = t->part ? t->part->size : 0; /* not what it is now: a server that begins anew
                                                    each time makes no progress */
    for (int failures = 0;; failures++) {
        uint64_t before = t->part ? t->part->size : 0;
        failure why = {.timeout = t->what->stall};
        t->reply->attempts++;
        t->reply->code = 0;
        mmood_status status = attempt(curl, &why, t, error);
        if (status != MMOOD_OK)
            return status;
        int misfit = t->problem == BODY_OTHER_RANGE || (t->head.code == 416 && before > 0);
        if (misfit && restarts++ == 0) {
            most = 0;
            if (mm_part_restart(t->part))
                continue;
            t->problem = BODY_NO_WRITE;
        }
        if (t->problem != BODY_FINE)
            return explain_problem(t, error);
        if (t->part && t->part->size > most + PROGRESS_MADE) {
            most = t->part->size;
            failures = 0;
        }
        int again = try_again(t, &why) && failures < t->http->options.retries;
        double wait = mm_http_backoff(t->http, failures);
        if (why.code == CURLE_OK && why.retry_after > wait)
            wait = why.retry_after;
        if (!again || wait > LONGEST_WAIT)
            return why.code == CURLE_OK ? MMOOD_OK : explain_failure(t, &why, error);
        note_retry(t, &why, wait);
        if (t->part && !fits_provably(t) && !mm_part_restart(t->part))
            return mm_part_explain(t->part, error);
        mm_http_wait(wait);
    }
}

static mmood_status run_all(transfer *t, mmood_error *error) {
    CURL *curl = curl_easy_init();
    if (!curl)
        return mm_error_set(error, MMOOD_ERROR_MEMORY, "no memory for an HTTP request");
    mmood_status status = run(curl, t, error);
    curl_easy_cleanup(curl);
    if (t->reply->code == 206)
        t->reply->code = 200;
    if (t->text.size > 0 && !t->text.failed && t->reply->code != 200) {
        mm_http_redact(t->http, t->text.data, t->text.size);
        mm_http_complaint(t->reply->said, t->text.data, t->text.size);
    }
    mm_http_redact(t->http, t->reply->said, strlen(t->reply->said));
    mm_buffer_free(&t->text);
    return mm_http_hide(t->http, status, error);
}

mmood_status mm_download_ask(mm_download_reply *out, const mm_http *http, const mm_download *what,
                             mmood_error *error) {
    *out = (mm_download_reply){.size = -1};
    transfer t = {.http = http, .what = what, .reply = out};
    return run_all(&t, error);
}

/* ---- A file -------------------------------------------------------------------------------- */

/* Whether the file is what was told; *again if what an earlier run left may be to blame. */
static mmood_status check(mm_part *part, const mm_download *what, int again, mmood_error *error) {
    char found[65];
    if (what->size >= 0 && part->size != (uint64_t)what->size)
        return mm_error_set(error, MMOOD_ERROR_MISMATCH,
                            "%s: %llu bytes came where %lld were told; run it again", what->name,
                            (unsigned long long)part->size, (long long)what->size);
    mmood_status status = mm_part_finish(found, part, error);
    if (status != MMOOD_OK || !what->sha256[0] || strcmp(found, what->sha256) == 0)
        return status;
    return mm_error_set(error, MMOOD_ERROR_MISMATCH,
                        "%s: the contents have the SHA-256 %s, expected %s%s", what->name, found,
                        what->sha256,
                        again ? "" : "; something on the way changes files: try another network");
}

mmood_status mm_download_get(mm_download_reply *out, const mm_http *http, const mm_download *what,
                             mmood_error *error) {
    *out = (mm_download_reply){.size = -1};
    mm_part part;
    mmood_status status =
        mm_part_open(&part, what->path, is_resumable(what) ? (uint64_t)what->size : 0, error);
    if (status != MMOOD_OK)
        return status;
    transfer t = {.http = http, .what = what, .reply = out, .part = &part};
    for (;;) {
        uint64_t left = part.size; /* by an earlier run */
        if (left > 0 && left == (uint64_t)what->size)
            out->code = 200;
        else
            status = run_all(&t, error);
        if (status != MMOOD_OK || out->code != 200) {
            int wrong = status == MMOOD_ERROR_MISMATCH || status == MMOOD_ERROR_LIMIT;
            mm_part_close(&part, wrong || part.size == 0 || !is_resumable(what));
            return status;
        }
        status = check(&part, what, left > 0, error);
        if (status != MMOOD_ERROR_MISMATCH || left == 0)
            break;
        if (what->note)
            what->note(what->context,
                       "what an earlier download left does not fit; it is fetched anew");
        if (!mm_part_restart(&part)) {
            status = mm_part_explain(&part, error);
            break;
        }
        status = MMOOD_OK;
    }
    mm_part_close(&part, status == MMOOD_ERROR_MISMATCH);
    return status;
}
