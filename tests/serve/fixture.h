/* fixture.h - what the tests of the server share: two detectors, some pictures, and servers on free
 * ports. */
#ifndef MM_TESTS_SERVE_FIXTURE_H
#define MM_TESTS_SERVE_FIXTURE_H

#include "test.h"

#include "serve/client.h"
#include "serve/server.h"

enum { FIXTURE_PICTURES = 6 };

#define FORM "Content-Type: multipart/form-data; boundary=XX\r\n"
#define JSON "Content-Type: application/json\r\n"

extern mmood_model *fixture_model;
extern char fixture_first_path[64], fixture_second_path[64];
extern mm_buffer fixture_log_lines; /* what servers have logged, up to 1 MB */
extern uint8_t *fixture_pictures[FIXTURE_PICTURES];
extern size_t fixture_sizes[FIXTURE_PICTURES];

/* For cmocka_run_group_tests. */
int fixture_setup(void **state);
int fixture_teardown(void **state);

/* A calibrated detector; labels one a line. */
void fixture_write_detector(const char *path, const char *ids, const char *outliers);

/* Both detectors, 1 MB bodies, 8 pictures a request and a batch, 2 threads, a free port. */
mm_server_options fixture_small_options(void);
mm_server *fixture_start(const mm_server_options *options, int *port);

answer fixture_post(int port, const char *path, const char *headers, const void *body, size_t size);
answer fixture_get(int port, const char *path);

/* The status of a request whose answer does not matter otherwise. */
int fixture_status_of(answer a);

/* All pictures, named "x", the form with one more named "bad" that is none. */
mm_buffer fixture_form_of_all(void);
mm_buffer fixture_json_of_all(void);

#endif
