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
};

/* Every second key is absent at first, and has a suffix. */
static void add_ones(void *arg)
{
    const struct adding *work = arg;
    for (size_t i = 0; i < work->count; i++) {
        char key[20] = "a key with a suffix";
        key[0] = (char)('a' + i % KEYS);
        REQUIRE(masstree_add(work->tree, NULL, key, i % 2 == 0 ? 1 : sizeof key, 1, NULL) ==
                MASSTREE_OK);
    }
}

/* Put back: in `Tree::add_to`, store the sum with a put. */
static void every_number_that_several_threads_add_counts(void **state)
{
    (void)state;
    masstree_t *tree = new_tree();
    const size_t count = scaled(6000);
    struct adding work[THREADS];
    void (*run[THREADS])(void *);
    for (unsigned i = 0; i < THREADS; i++) {
        work[i] = (struct adding){tree, count};
        run[i] = add_ones;
    }
    run_together(THREADS, run, work, sizeof work[0]);
    uint64_t total = 0;
    for (size_t i = 0; i < 2 * (size_t)KEYS && i < count; i++) {
        char key[20] = "a key with a suffix";
        uint64_t value = 0;
        key[0] = (char)('a' + i % KEYS);
        assert_ok(masstree_get(tree, NULL, key, i % 2 == 0 ? 1 : sizeof key, &value));
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
