/* download_head.h - the headers of a reply that a download looks at; what a server may claim. Pure.
 */
#ifndef MM_ENVISION_DOWNLOAD_HEAD_H
#define MM_ENVISION_DOWNLOAD_HEAD_H

#include "envision/download.h"

enum { MM_HEAD_TEXT = 160 };

/* Of one reply; sizes are -1 and texts "" where nothing is said. */
typedef struct mm_head {
    long code;
    int64_t length;                   /* Content-Length */
    int64_t range_start, range_total; /* Content-Range */
    int64_t linked_size;              /* X-Linked-Size */
    int encoded;                      /* Content-Encoding: not the file's own bytes */
    char etag[MM_HEAD_TEXT];          /* as they came */
    char linked_etag[MM_HEAD_TEXT];
    char commit[MM_HEAD_TEXT];
    char error_code[MM_HEAD_TEXT];
    char error_message[301];
} mm_head;

void mm_head_begin(mm_head *head);

/* One line, as libcurl hands it over; a status line begins anew. */
void mm_head_take(mm_head *head, const char *line, size_t size);

/* Adds what the headers tell to `reply`; what is known stays. An ETag is a hash of the file only
 * `at_home`, at the server that was asked first. 1 if they tell the size or the hash of a file that
 * is elsewhere. */
int mm_head_tell(mm_download_reply *reply, const mm_head *head, int at_home);

/* 1 if an ETag promises the same bytes (RFC 9110): not "" and not weak. */
int mm_head_is_strong(const char *etag);

#endif
