/* download.h - files from a server to the disk, however large: resumed, retried, checked. It knows
 * the headers of Hugging Face's hub, and does without them. */
#ifndef MM_ENVISION_DOWNLOAD_H
#define MM_ENVISION_DOWNLOAD_H

#include "envision/http.h"

/* What a server said last. */
typedef struct mm_download_reply {
    long code;           /* 200, 404, ...; 0: it was not reached */
    int64_t size;        /* of the file (X-Linked-Size, Content-Length); -1: not said */
    char sha256[65];     /* of the file (X-Linked-ETag, ETag); "": not said */
    char commit[65];     /* of the repository (X-Repo-Commit); "": not said */
    char error_code[64]; /* X-Error-Code: "GatedRepo", "EntryNotFound", ...; "": not said */
    char said[301];      /* what is wrong, in the server's words, without the key; may be "" */
    int attempts;        /* how many it took */
    double retry_after;  /* seconds the server asks to wait */
} mm_download_reply;

typedef struct mm_download {
    const char *url;  /* http or https; the key goes to this host only */
    const char *path; /* where the file belongs; until it is complete it is `path`.part */
    const char *name; /* for messages */
    int64_t size;     /* as mm_download_ask told */
    char sha256[65];
    uint64_t limit; /* bytes, where the size is not known */
    double stall;   /* seconds without data after which a connection counts as broken */
    /* Told of what is done and how much there is in all (-1: not known), several times a second;
     * and of a connection that broke and is tried again. Both may be NULL. */
    void (*progress)(void *context, uint64_t done, int64_t size);
    void (*note)(void *context, const char *text);
    void *context;
} mm_download;

/* Asks for a file's size and hash, by HEAD, with url, name, stall, note and context of `what`. OK
 * for an answer of whatever code; transient ones are first tried again, like broken connections,
 * as often as `http` says. A redirect to another host is not followed when the server told the
 * size or hash along with it. */
mmood_status mm_download_ask(mm_download_reply *out, const mm_http *http, const mm_download *what,
                             mmood_error *error);

/* Gets a file to `path`.part and checks size and SHA-256, where they are known; mm_part_keep is
 * next. A broken connection goes on where it broke, if a hash or an ETag tells whether the parts
 * fit together; else from the beginning. So does a download that was interrupted before, if the
 * hash is known. OK with a code that is not 200: there is no file. Parts whose contents are wrong
 * are removed, incomplete ones stay. */
mmood_status mm_download_get(mm_download_reply *out, const mm_http *http, const mm_download *what,
                             mmood_error *error);

#endif
