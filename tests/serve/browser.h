/* browser.h - a headless Chromium driven over its DevTools protocol, by a pair of pipes. */
#ifndef MM_TESTS_SERVE_BROWSER_H
#define MM_TESTS_SERVE_BROWSER_H

#include <jansson.h>

typedef struct browser browser;

/* The program of a Chromium, or NULL if none is installed. */
const char *browser_program(void);

/* Starts one with an empty profile, no way to any other machine, and a camera that shows a test
 * picture; fails the test where that does not work. */
browser *browser_start(const char *program);
void browser_end(browser *b);

/* Calls a method for the page; `parameters`, which may be NULL, are used up. The result is the
 * caller's to json_decref. Fails the test if the browser answers with an error, or not at all. */
json_t *browser_call(browser *b, const char *method, json_t *parameters);
void browser_do(browser *b, const char *method, json_t *parameters);

/* Events of that name since the last call of this. */
int browser_events(browser *b, const char *name);

/* Loads a page and waits until it is there. */
void browser_open(browser *b, const char *url);

/* The value of an expression, awaited if it is a promise; fails the test if it throws. */
json_t *browser_value(browser *b, const char *expression);
void browser_run(browser *b, const char *expression); /* the value does not matter */
int browser_is_true(browser *b, const char *expression);

/* Waits until the expression is true; fails the test after 20 seconds. */
void browser_wait(browser *b, const char *expression);

/* The same with printf's arguments. */
__attribute__((format(printf, 2, 3))) int browser_is_truef(browser *b, const char *format, ...);

/* Presses a key: "Tab", "Enter", " ". */
void browser_press(browser *b, const char *key);

/* Gives an <input type=file> files. */
void browser_choose(browser *b, const char *selector, const char *const *paths, size_t count);

/* Errors that the page has thrown or logged, and requests of it to others than `origin`, since the
 * start: one a line; NULL if there are none. */
const char *browser_complaints(browser *b);
void browser_set_origin(browser *b, const char *origin);

/* Writes NAME.png to the folder $MMOOD_SCREENSHOTS, if that is set. */
void browser_screenshot(browser *b, const char *name);

#endif
