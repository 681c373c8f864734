/* Threads that use the library for the first time in the destructor of a pthread_key_create key:
   the library's and the C library's memory for a thread is freed (known-failures row 38).
   hpp/test_thread_exit.cpp does the same for thread_local objects. */
#include "support.h"

#include <malloc.h>

enum { THREADS = 3000, WARM_UP = 100, CALLS = 5 };

struct visit {
    masstree_t *tree;
    pthread_key_t key;
    unsigned rounds; /* before the first call */
    uint64_t number;
};

static void use(struct visit *visit)
{
    uint64_t value = 0;
    for (unsigned call = 0; call < CALLS; call++) {
        REQUIRE(masstree_put_u64(visit->tree, NULL, visit->number, visit->number) == MASSTREE_OK);
        REQUIRE(masstree_get_u64(visit->tree, NULL, visit->number, &value) == MASSTREE_OK);
        REQUIRE(value == visit->number);
        REQUIRE(masstree_remove_u64(visit->tree, NULL, visit->number, NULL) == MASSTREE_OK);
    }
}

/* The destructor of the key: called again in each further round. */
static void use_at_exit(void *arg)
{
    struct visit *visit = arg;
    if (visit->rounds > 0) {
        visit->rounds--;
        REQUIRE(pthread_setspecific(visit->key, visit) == 0);
        return;
    }
    use(visit);
}

static void *only_exit(void *arg)
{
    struct visit *visit = arg;
    REQUIRE(pthread_setspecific(visit->key, visit) == 0);
    return NULL;
}

static void run_threads(masstree_t *tree, pthread_key_t key, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        pthread_t thread;
        struct visit visit = {tree, key, (unsigned)i % 3, i};
        REQUIRE(pthread_create(&thread, NULL, only_exit, &visit) == 0);
        REQUIRE(pthread_join(thread, NULL) == 0);
    }
}

/* Allocated bytes. */
static size_t allocated(void)
{
    struct mallinfo2 info = mallinfo2();
    return info.uordblks + info.hblkhd;
}

/* Some hundred bytes for each thread would be a megabyte. Put back: do not call the function
   that runs late destructors; or do not register it. */
static void threads_that_call_first_at_their_end_leave_nothing_behind(void **state)
{
    (void)state;
    masstree_t *tree = new_tree();
    pthread_key_t before;
    pthread_key_t after;
    /* The library creates its own key when it is first used. */
    assert_int_equal(0, pthread_key_create(&before, use_at_exit));
    assert_ok(masstree_put_u64(tree, NULL, THREADS, 1));
    assert_int_equal(0, pthread_key_create(&after, use_at_exit));
    run_threads(tree, before, WARM_UP);
    run_threads(tree, after, WARM_UP);
    size_t at_first = allocated();
    run_threads(tree, before, THREADS);
    run_threads(tree, after, THREADS);
    size_t at_last = allocated();
    assert_true(at_last < at_first + 100000);
    assert_int_equal(1, tree_len(tree));
    end_tree(tree);
    assert_int_equal(0, pthread_key_delete(before));
    assert_int_equal(0, pthread_key_delete(after));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(threads_that_call_first_at_their_end_leave_nothing_behind),
    };
    return cmocka_run_group_tests_name("thread_exit", tests, NULL, NULL);
}
