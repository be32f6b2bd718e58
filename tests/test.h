/* test.h - what every test program includes: cmocka and the headers it wants before it. */
#ifndef MM_TESTS_TEST_H
#define MM_TESTS_TEST_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "mmood.h"

/* Fails with the message of `error` when `status` is not MMOOD_OK. */
#define assert_ok(status, error)                                                                   \
    do {                                                                                           \
        if ((status) != MMOOD_OK)                                                                  \
            fail_msg("%s", (error).message);                                                       \
    } while (0)

#endif
