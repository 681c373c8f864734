/* The bytes that a tree holds. */
#include "support.h"

enum { MOST_MISSING = 64 << 10 };

static uint64_t held(const masstree_t *tree)
{
    uint64_t bytes = 0;
    assert_ok(masstree_memory_held(tree, &bytes));
    return bytes;
}

static int32_t put_value(masstree_t *tree, uint32_t kind, uint64_t number, size_t key_len, size_t len)
{
    static const char value[5000];
    char key[128];
    snprintf(key, sizeof key, "%0*u", (int)key_len, (unsigned)number);
    switch (kind) {
    case MASSTREE_VALUES_WORDS:
        return masstree_put(tree, NULL, key, key_len, number);
    case MASSTREE_VALUES_BYTES:
        return masstree_put_bytes(tree, NULL, key, key_len, value, len);
    default:
        return masstree_put_at(tree, NULL, key, key_len, number, MASSTREE_VERSION_VALUE, value, len);
    }
}

static const uint32_t kinds[] = {MASSTREE_VALUES_WORDS, MASSTREE_VALUES_BYTES,
                                 MASSTREE_VALUES_VERSIONED};

/* Put back: in `add_units`, forget the units of a stripe; in `add_chunk`, do not account. */
static void it_is_what_the_statistics_add_up_to(void **state)
{
    (void)state;
    for (size_t kind = 0; kind < COUNT(kinds); kind++) {
        masstree_options_t options = MASSTREE_OPTIONS_INIT;
        masstree_t *tree;
        options.value_kind = kinds[kind];
        assert_ok(masstree_create(&options, &tree));
        for (uint64_t number = 1; number <= 30000; number++) {
            assert_ok(put_value(tree, kinds[kind], number, 8 + number % 60, number % 300));
        }
        masstree_stats_t stats = MASSTREE_STATS_INIT;
        assert_ok(masstree_stats(tree, NULL, &stats));
        uint64_t pools = NODES_ARE_POOLED ? stats.pool_bytes : stats.node_bytes + stats.suffix_bytes;
        uint64_t exact = pools + stats.value_bytes;
        assert_in_range(held(tree), exact - MOST_MISSING, exact);
        masstree_destroy(tree);
    }
}

/* With an allocator that counts. */
static void it_is_what_the_allocator_has_given(void **state)
{
    (void)state;
    for (size_t kind = 0; kind < COUNT(kinds); kind++) {
        struct allocator allocator;
        allocator_start(&allocator);
        masstree_options_t options = allocator_options(&allocator, kinds[kind]);
        options.chunk_size = 1 << 12;
        masstree_t *tree;
        assert_ok(masstree_create(&options, &tree));
        size_t empty = allocator_bytes(&allocator);
        for (uint64_t number = 1; number <= 3000; number++) {
            uint64_t before = held(tree);
            assert_ok(put_value(tree, kinds[kind], number, 8 + number % 60, number % 5000));
            assert_ok(masstree_flush(tree, NULL));
            assert_true(held(tree) + 4096 >= before);
        }
        /* Beside it, the tree has what does not grow, and pools have caches. */
        size_t grown = allocator_bytes(&allocator) - empty;
        if (NODES_ARE_POOLED) {
            assert_in_range(held(tree) + MOST_MISSING, grown, grown + 2 * MOST_MISSING);
        }
        end_tree(tree);
        allocator_end(&allocator);
    }
}

static void it_falls_when_versions_are_freed(void **state)
{
    (void)state;
    masstree_t *tree = new_versioned_tree();
    for (uint64_t number = 1; number <= 1000; number++) {
        static const char value[1000];
        assert_ok(masstree_put_at(tree, NULL, "key", 3, number, MASSTREE_VERSION_VALUE, value, 1000));
        assert_ok(masstree_remove_range_at(tree, NULL, "x", 1, "z", 1, number));
    }
    assert_true(held(tree) > 1000000);
    while (masstree_trim_versions(tree, MASSTREE_SEQNO_LATEST, 0, NULL) != MASSTREE_END) {
    }
    assert_ok(masstree_flush(tree, NULL));
    assert_ok(masstree_barrier(tree));
    assert_true(held(tree) < 100000);
    end_tree(tree);
}

static void bad_arguments_are_refused(void **state)
{
    (void)state;
    masstree_t *tree = new_tree();
    uint64_t bytes = 77;
    assert_status(MASSTREE_INVALID, masstree_memory_held(NULL, &bytes));
    assert_int_equal(77, bytes);
    assert_ok(masstree_memory_held(tree, NULL));
    assert_ok(masstree_memory_held(tree, &bytes));
    assert_true(bytes > 0 && bytes < 10000);
    end_tree(tree);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(it_is_what_the_statistics_add_up_to),
        cmocka_unit_test(it_is_what_the_allocator_has_given),
        cmocka_unit_test(it_falls_when_versions_are_freed),
        cmocka_unit_test(bad_arguments_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
