/* test_pool.c - worker threads: each runs once a job, all at the same time, they meet,
 * and end. */
#include "test.h"

#include "base/barrier.h"
#include "base/pool.h"

#include <poll.h>
#include <pthread.h>

enum { WORKERS = 8 };

typedef struct counting {
    pthread_mutex_t lock;
    int calls[WORKERS];
    int total;
} counting;

static void count(void *context, int worker) {
    counting *c = context;
    pthread_mutex_lock(&c->lock);
    c->calls[worker]++;
    c->total++;
    pthread_mutex_unlock(&c->lock);
}

static void test_every_worker_once(void **unused) {
    (void)unused;
    mm_pool *pool;
    mmood_error error;
    counting c = {.lock = PTHREAD_MUTEX_INITIALIZER};
    assert_ok(mm_pool_create(&pool, WORKERS, &error), error);
    assert_int_equal(mm_pool_size(pool), WORKERS);
    for (int i = 0; i < 500; i++)
        mm_pool_run(pool, 1 + i % WORKERS, count, &c);
    for (int w = 0; w < WORKERS; w++) {
        int expected = 0;
        for (int i = 0; i < 500; i++)
            expected += 1 + i % WORKERS > w;
        assert_int_equal(c.calls[w], expected);
    }
    int before = c.total;
    mm_pool_run(pool, 0, count, &c);
    assert_int_equal(c.total, before);
    mm_pool_run(pool, WORKERS + 5, count, &c); /* as many as there are */
    assert_int_equal(c.total, before + WORKERS);
    mm_pool_free(pool);
    mm_pool_free(NULL);
}

/* Without a lock: what a worker writes is seen by the caller afterwards, and by the next job. */
static void shift(void *context, int worker) {
    int *values = context;
    values[worker] = values[worker] * 3 + worker;
}

static void test_results_are_seen(void **unused) {
    (void)unused;
    mm_pool *pool;
    mmood_error error;
    int values[WORKERS] = {0}, expected[WORKERS] = {0};
    assert_ok(mm_pool_create(&pool, WORKERS, &error), error);
    for (int i = 0; i < 18; i++) {
        mm_pool_run(pool, WORKERS, shift, values);
        for (int w = 0; w < WORKERS; w++) {
            expected[w] = expected[w] * 3 + w;
            assert_int_equal(values[w], expected[w]);
        }
        values[i % WORKERS] = expected[i % WORKERS] = i; /* and the other way round */
    }
    mm_pool_free(pool);
}

/* All workers meet, so they run at the same time; the caller's thread is none of them. */
typedef struct meeting {
    pthread_barrier_t barrier;
    pthread_t caller;
    int caller_ran;
} meeting;

static void meet(void *context, int worker) {
    meeting *m = context;
    pthread_barrier_wait(&m->barrier);
    if (worker == 0)
        m->caller_ran = pthread_equal(pthread_self(), m->caller);
    pthread_barrier_wait(&m->barrier);
}

static void test_at_the_same_time(void **unused) {
    (void)unused;
    mm_pool *pool;
    mmood_error error;
    meeting m = {.caller = pthread_self()};
    assert_int_equal(pthread_barrier_init(&m.barrier, NULL, WORKERS), 0);
    assert_ok(mm_pool_create(&pool, WORKERS, &error), error);
    for (int i = 0; i < 20; i++)
        mm_pool_run(pool, WORKERS, meet, &m);
    assert_false(m.caller_ran);
    mm_pool_free(pool);
    pthread_barrier_destroy(&m.barrier);
}

/* At each round every worker sees what all wrote before it, whether it was awake or asleep. */
typedef struct rounds {
    mm_barrier barrier;
    int count;
    int written[WORKERS];
    atomic_int wrong;
} rounds;

static void go_round(void *context, int worker) {
    rounds *r = context;
    for (int i = 1; i <= r->count; i++) {
        r->written[worker] = i;
        if (worker == i % WORKERS && i % 50 == 0)
            poll(NULL, 0, 1); /* the others fall asleep */
        mm_barrier_wait(&r->barrier);
        for (int w = 0; w < WORKERS; w++)
            if (r->written[w] != i)
                atomic_fetch_add(&r->wrong, 1);
        mm_barrier_wait(&r->barrier);
    }
}

static void test_barrier(void **unused) {
    (void)unused;
    mm_pool *pool;
    mmood_error error;
    rounds r = {.count = 500};
    mm_barrier_init(&r.barrier);
    mm_barrier_wait(&r.barrier); /* one alone does not wait */
    mm_barrier_resize(&r.barrier, WORKERS);
    assert_ok(mm_pool_create(&pool, WORKERS, &error), error);
    mm_pool_run(pool, WORKERS, go_round, &r);
    assert_int_equal(atomic_load(&r.wrong), 0);
    mm_pool_free(pool);
    mm_barrier_destroy(&r.barrier);
}

/* Pools come and go, also unused ones, and several live side by side. */
static void *own_pool(void *context) {
    int *ok = context;
    for (int i = 0; i < 30; i++) {
        mm_pool *pool, *idle;
        counting c = {.lock = PTHREAD_MUTEX_INITIALIZER};
        if (mm_pool_create(&pool, 3, NULL) || mm_pool_create(&idle, 2, NULL))
            return NULL;
        mm_pool_run(pool, 3, count, &c);
        mm_pool_run(pool, 2, count, &c);
        mm_pool_free(idle);
        mm_pool_free(pool);
        if (c.total != 5)
            return NULL;
    }
    *ok = 1;
    return NULL;
}

static void test_pools_side_by_side(void **unused) {
    (void)unused;
    pthread_t threads[4];
    int ok[4] = {0};
    for (int i = 0; i < 4; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, own_pool, &ok[i]), 0);
    for (int i = 0; i < 4; i++) {
        pthread_join(threads[i], NULL);
        assert_true(ok[i]);
    }
}

static void test_wrong_sizes(void **unused) {
    (void)unused;
    static const int sizes[] = {0, -1, 4097, INT32_MAX};
    for (size_t i = 0; i < 4; i++) {
        mm_pool *pool;
        mmood_error error;
        assert_int_equal(mm_pool_create(&pool, sizes[i], &error), MMOOD_ERROR_ARGUMENT);
        assert_null(pool);
        assert_int_equal(mm_pool_create(&pool, sizes[i], NULL), MMOOD_ERROR_ARGUMENT);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_worker_once),  cmocka_unit_test(test_results_are_seen),
        cmocka_unit_test(test_at_the_same_time),   cmocka_unit_test(test_barrier),
        cmocka_unit_test(test_pools_side_by_side), cmocka_unit_test(test_wrong_sizes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
