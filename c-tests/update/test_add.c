/* Adding to the values of keys. */
#include "support.h"

static void a_number_is_added_or_stored(void **state)
{
    (void)state;
    masstree_t *tree = new_tree();
    masstree_guard_t *guard = new_guard(tree);
    uint64_t sum = 77;
    uint64_t value = 0;
    assert_ok(masstree_add(tree, guard, "key", 3, 5, &sum));
    assert_int_equal(5, sum);
    assert_ok(masstree_add(tree, NULL, "key", 3, 0 - UINT64_C(6), &sum));
    assert_int_equal(UINT64_MAX, sum);
    assert_ok(masstree_add(tree, guard, "key", 3, 3, NULL));
    assert_ok(masstree_get(tree, guard, "key", 3, &value));
    assert_int_equal(2, value);
    assert_ok(masstree_add_u64(tree, guard, 9, 1, &sum));
    assert_ok(masstree_add_u64(tree, NULL, 9, 1, &sum));
    assert_int_equal(2, sum);
    assert_ok(masstree_get_u64(tree, guard, 9, &value));
    assert_int_equal(2, value);
    assert_ok(masstree_add_u64(tree, NULL, 9, 0, &sum));
    assert_int_equal(2, sum);
    masstree_guard_leave(guard);
    end_tree(tree);
}

enum { THREADS = 4, KEYS = 3 };

struct adding {
    masstree_t *tree;
    size_t count;
    uint64_t taken; /* by removes */
};

/* One of a few keys, every second of which has a suffix. */
static size_t key_of(size_t number, char key[20])
{
    memcpy(key, "a key with a suffix", 20);
    key[0] = (char)('a' + number % KEYS);
    return number % 2 == 0 ? 1 : 20;
}

/* Takes keys out again, so that they are often absent. */
static void add_ones(void *arg)
{
    struct adding *work = arg;
    for (size_t i = 0; i < work->count; i++) {
        char key[20];
        size_t len = key_of(i, key);
        REQUIRE(masstree_add(work->tree, NULL, key, len, 1, NULL) == MASSTREE_OK);
        uint64_t old = 0;
        if (i % 7 == 0) {
            int32_t status = masstree_remove(work->tree, NULL, key, len, &old);
            REQUIRE(status == MASSTREE_OK || status == MASSTREE_NOT_FOUND);
        }
        work->taken += old;
    }
}

/* Put back: in `Tree::add_to`, store the sum with a put, that of a key that is there or of one that is
   absent. */
static void every_number_that_several_threads_add_counts(void **state)
{
    (void)state;
    masstree_t *tree = new_tree();
    const size_t count = scaled(40000);
    struct adding work[THREADS];
    void (*run[THREADS])(void *);
    for (unsigned i = 0; i < THREADS; i++) {
        work[i] = (struct adding){tree, count, 0};
        run[i] = add_ones;
    }
    run_together(THREADS, run, work, sizeof work[0]);
    uint64_t total = 0;
    for (unsigned i = 0; i < THREADS; i++) {
        total += work[i].taken;
    }
    for (size_t number = 0; number < 2 * (size_t)KEYS; number++) {
        char key[20];
        size_t len = key_of(number, key);
        uint64_t value = 0;
        int32_t status = masstree_get(tree, NULL, key, len, &value);
        assert_true(status == MASSTREE_OK || status == MASSTREE_NOT_FOUND);
        total += value;
    }
    assert_int_equal(THREADS * count, total);
    end_tree(tree);
}

static void without_memory_nothing_is_added(void **state)
{
    (void)state;
    struct allocator allocator;
    allocator_start(&allocator);
    masstree_t *tree = new_tree_of(&allocator, MASSTREE_VALUES_WORDS);
    masstree_guard_t *guard = new_guard(tree);
    for (uint64_t key = 0; key < 15; key++) {
        assert_ok(masstree_put_u64(tree, guard, key, 1));
    }
    uint64_t sum = 77;
    allocator.fail_on = true;
    allocator.fail_at = allocator.calls + 1;
    assert_status(MASSTREE_NOMEM, masstree_add(tree, guard, "a new key", 9, 1, &sum));
    assert_status(MASSTREE_NOMEM, masstree_add_u64(tree, guard, 15, 1, &sum));
    assert_int_equal(77, sum);
    /* A key that exists needs no memory. */
    assert_ok(masstree_add_u64(tree, guard, 14, 1, &sum));
    assert_int_equal(2, sum);
    allocator.fail_at = 0;
    assert_ok(masstree_add_u64(tree, guard, 15, 1, &sum));
    assert_int_equal(1, sum);
    masstree_guard_leave(guard);
    end_tree(tree);
    allocator_end(&allocator);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_number_is_added_or_stored),
        cmocka_unit_test(every_number_that_several_threads_add_counts),
        cmocka_unit_test(without_memory_nothing_is_added),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
