/* What maintain merges. */
#include "support.h"

#include <stdatomic.h>

/* Maintain. */
static size_t maintain_to_the_end(masstree_t *tree, masstree_guard_t *guard, size_t limit)
{
    size_t total = 0;
    int32_t status;
    do {
        size_t merged = SIZE_MAX;
        status = masstree_maintain(tree, guard, limit, &merged);
        assert_true(status == MASSTREE_OK || status == MASSTREE_END);
        assert_in_range(merged, 0, limit);
        total += merged;
    } while (status != MASSTREE_END);
    return total;
}

static void maintain_merges_sparse_leaves(void **state)
{
    (void)state;
    for (enum family family = 0; family < FAMILIES; family++) {
        static const size_t limits[] = {1, 7, 1000, SIZE_MAX};
        for (size_t i = 0; i < COUNT(limits); i++) {
            uint64_t count = scaled(family == FAMILY_U64 ? 100000 : 10000);
            struct model model = {0};
            masstree_t *tree = new_tree();
            masstree_guard_t *guard = i % 2 == 0 ? NULL : new_guard(tree);
            for (uint64_t number = 0; number < count; number++) {
                unsigned char key[FAMILY_KEY_MAX];
                size_t len = family_key(family, number, key);
                assert_ok(masstree_put(tree, NULL, key, len, number));
                if (number % 10 == 0) {
                    model_put(&model, key, len, number);
                }
            }
            for (uint64_t number = 0; number < count; number++) {
                unsigned char key[FAMILY_KEY_MAX];
                size_t len = family_key(family, number, key);
                if (number % 10 != 0) {
                    assert_ok(masstree_remove(tree, NULL, key, len, NULL));
                }
            }
            size_t merged = maintain_to_the_end(tree, guard, limits[i]);
            if (family == FAMILY_U64) {
                /* 1.5 keys were left in each leaf; up to 11 are merged. */
                assert_in_range(merged, count / 30, count / 10);
            }
            assert_consistent(tree);
            assert_agrees(tree, &model);
            /* Nothing is left to merge. */
            while (merged != 0) {
                size_t again = maintain_to_the_end(tree, guard, limits[i]);
                assert_true(again < merged);
                merged = again;
            }
            assert_agrees(tree, &model);
            masstree_guard_leave(guard);
            model_free(&model);
            end_tree(tree);
        }
    }
}

static void maintaining_an_empty_or_a_full_tree_finds_nothing_to_merge(void **state)
{
    (void)state;
    masstree_t *tree = new_tree();
    size_t merged = 99;
    assert_status(MASSTREE_END, masstree_maintain(tree, NULL, 10, &merged));
    assert_int_equal(0, merged);
    assert_status(MASSTREE_END, masstree_maintain(tree, NULL, 10, NULL));
    uint64_t numbers[1000];
    for (uint64_t i = 0; i < COUNT(numbers); i++) {
        numbers[i] = i;
    }
    assert_ok(masstree_bulk_load_u64(tree, NULL, numbers, 8, numbers, COUNT(numbers), NULL));
    assert_int_equal(0, maintain_to_the_end(tree, NULL, 10));
    assert_status(MASSTREE_OK, masstree_maintain(tree, NULL, 1, NULL));
    assert_status(MASSTREE_OK, masstree_maintain(tree, NULL, 0, &merged));
    assert_int_equal(0, merged);
    end_tree(tree);
}

/* Memory of merged leaves is reused: the tree needs no more memory for as many new keys. */
static void merged_leaves_are_used_again(void **state)
{
    (void)state;
    uint64_t count = scaled(50000);
    struct allocator allocator;
    allocator_start(&allocator);
    masstree_t *tree = new_tree_of(&allocator, MASSTREE_VALUES_WORDS);
    for (uint64_t number = 0; number < count; number++) {
        assert_ok(masstree_put_u64(tree, NULL, number, number));
    }
    size_t full = allocator_bytes(&allocator);
    for (uint64_t number = 0; number < count; number++) {
        if (number % 10 != 0) {
            assert_ok(masstree_remove_u64(tree, NULL, number, NULL));
        }
    }
    maintain_to_the_end(tree, NULL, 100);
    assert_ok(masstree_flush(tree, NULL));
    /* Elsewhere, so that the sparse leaves themselves would not be reused in place. */
    for (uint64_t number = 0; number < count / 2; number++) {
        assert_ok(masstree_put_u64(tree, NULL, 10 * count + number, number));
    }
    assert_in_range(allocator_bytes(&allocator), 0, full + full / 10);
    end_tree(tree);
    allocator_end(&allocator);
}

static size_t compact_to_the_end(masstree_t *tree, masstree_guard_t *guard, uint32_t fill,
                                 size_t limit)
{
    size_t total = 0;
    int32_t status;
    do {
        size_t merged = SIZE_MAX;
        status = masstree_compact(tree, guard, fill, limit, &merged);
        assert_true(status == MASSTREE_OK || status == MASSTREE_END);
        total += merged;
    } while (status != MASSTREE_END);
    return total;
}

/* Another key for each number, in no order. */
static uint64_t scattered(uint64_t number)
{
    number *= UINT64_C(0x9E3779B97F4A7C15);
    number ^= number >> 32;
    return number * UINT64_C(0xBF58476D1CE4E5B9);
}

static double node_bytes_a_key(masstree_t *tree, uint64_t count)
{
    assert_ok(masstree_flush(tree, NULL));
    masstree_stats_t stats = MASSTREE_STATS_INIT;
    assert_ok(masstree_stats(tree, NULL, &stats));
    return (double)stats.node_bytes / (double)count;
}

/* Put back: in fill_previous, do not cut; or let one entry less than fits stay. */
static void compacting_saves_a_fifth_of_the_memory_of_random_inserts(void **state)
{
    (void)state;
    static const struct {
        uint32_t fill;
        double most;
    } cases[] = {{0, 27}, {15, 26}, {12, 31}};
    uint64_t count = scaled(100000);
    for (size_t i = 0; i < COUNT(cases); i++) {
        masstree_t *tree = new_tree();
        for (uint64_t number = 0; number < count; number++) {
            assert_ok(masstree_put_u64(tree, NULL, scattered(number), number));
        }
        double loaded = node_bytes_a_key(tree, count);
        assert_true(loaded > 31);
        compact_to_the_end(tree, NULL, cases[i].fill, 100 * (1 + i));
        double compact = node_bytes_a_key(tree, count);
        if (compact > cases[i].most) {
            fail_msg("%f bytes a key with fill %u", compact, (unsigned)cases[i].fill);
        }
        assert_consistent(tree);
        for (uint64_t number = 0; number < count; number++) {
            uint64_t value = UINT64_MAX;
            assert_ok(masstree_get_u64(tree, NULL, scattered(number), &value));
            assert_int_equal(number, value);
        }
        /* Nearly nothing is left to move. */
        assert_in_range(compact_to_the_end(tree, NULL, cases[i].fill, SIZE_MAX), 0, count / 500);
        end_tree(tree);
    }
}

/* Keys with suffixes, layers and values that the tree owns move, too. */
static void compacting_loses_no_key(void **state)
{
    (void)state;
    for (enum family family = 0; family < FAMILIES; family++) {
        uint64_t count = scaled(20000);
        struct model model = {0};
        masstree_t *tree = new_tree();
        masstree_guard_t *guard = new_guard(tree);
        for (uint64_t i = 0; i < count; i++) {
            uint64_t number = i * 7919 % count;
            unsigned char key[FAMILY_KEY_MAX];
            size_t len = family_key(family, number, key);
            assert_ok(masstree_put(tree, guard, key, len, number));
            model_put(&model, key, len, number);
            if (i % 1000 == 0) {
                int32_t status = masstree_compact(tree, guard, 1 + (uint32_t)(i / 1000 % 15), 50, NULL);
                assert_true(status == MASSTREE_OK || status == MASSTREE_END);
            }
        }
        masstree_stats_t stats = MASSTREE_STATS_INIT;
        assert_ok(masstree_stats(tree, NULL, &stats));
        uint64_t before = stats.leaves_merged;
        size_t merged = compact_to_the_end(tree, guard, 0, 64);
        assert_true(merged > 0);
        assert_ok(masstree_stats(tree, NULL, &stats));
        assert_int_equal(before + merged, stats.leaves_merged);
        assert_consistent(tree);
        assert_agrees(tree, &model);
        masstree_guard_leave(guard);
        model_free(&model);
        end_tree(tree);
    }
}

static void compact_refuses_more_keys_than_a_leaf_has(void **state)
{
    (void)state;
    masstree_t *tree = new_tree();
    size_t merged = 99;
    assert_status(MASSTREE_INVALID, masstree_compact(tree, NULL, 16, 10, &merged));
    assert_status(MASSTREE_INVALID, masstree_compact(tree, NULL, UINT32_MAX, 10, &merged));
    assert_status(MASSTREE_INVALID, masstree_compact(NULL, NULL, 0, 10, &merged));
    assert_int_equal(99, merged);
    assert_status(MASSTREE_END, masstree_compact(tree, NULL, 15, 10, &merged));
    assert_int_equal(0, merged);
    assert_status(MASSTREE_OK, masstree_compact(tree, NULL, 1, 0, &merged));
    end_tree(tree);
}

struct tidying {
    masstree_t *tree;
    enum family family;
    uint64_t numbers;
    size_t rounds;
    bool compacts;
    atomic_bool done;
    size_t merged;
};

/* Every fourth key stays; each round inserts and removes the others. */
static void fill_and_thin_out(void *arg)
{
    struct tidying *tidying = *(struct tidying **)arg;
    for (size_t round = 0; round < tidying->rounds; round++) {
        for (unsigned phase = 0; phase < 2; phase++) {
            for (uint64_t number = 0; number < tidying->numbers; number++) {
                unsigned char key[FAMILY_KEY_MAX];
                size_t len = family_key(tidying->family, number, key);
                uint64_t old = UINT64_MAX;
                if (number % 4 == 0) {
                    REQUIRE(masstree_get(tidying->tree, NULL, key, len, &old) == MASSTREE_OK);
                    REQUIRE(old == number);
                } else if (phase == 0) {
                    REQUIRE(masstree_insert(tidying->tree, NULL, key, len, number + round,
                                            NULL) == MASSTREE_OK);
                } else {
                    REQUIRE(masstree_remove(tidying->tree, NULL, key, len, &old) == MASSTREE_OK);
                    REQUIRE(old == number + round);
                }
            }
        }
    }
    atomic_store(&tidying->done, true);
}

static void tidy_up(void *arg)
{
    struct tidying *tidying = *(struct tidying **)arg;
    bool done;
    do {
        done = atomic_load(&tidying->done);
        int32_t status;
        do {
            size_t merged = 0;
            status = tidying->compacts ? masstree_compact(tidying->tree, NULL, 13, 50, &merged)
                                       : masstree_maintain(tidying->tree, NULL, 50, &merged);
            REQUIRE(status == MASSTREE_OK || status == MASSTREE_END);
            tidying->merged += merged;
        } while (status == MASSTREE_OK);
    } while (!done);
}

static void tidying_beside_a_writer_loses_nothing(bool compacts)
{
    for (enum family family = 0; family < FAMILIES; family++) {
        struct tidying tidying = {.tree = new_tree(), .family = family, .numbers = 2000};
        tidying.compacts = compacts;
        tidying.rounds = scaled(60);
        atomic_init(&tidying.done, false);
        struct model model = {0};
        for (uint64_t number = 0; number < tidying.numbers; number += 4) {
            unsigned char key[FAMILY_KEY_MAX];
            size_t len = family_key(family, number, key);
            put_both(tidying.tree, &model, key, len, number);
        }
        struct tidying *args[] = {&tidying, &tidying};
        void (*const run[])(void *) = {fill_and_thin_out, tidy_up};
        run_together(2, run, args, sizeof args[0]);
        /* In some families hardly any layer has two adjacent leaves. */
        assert_true(tidying.merged > 0 || family != FAMILY_U64);
        assert_agrees(tidying.tree, &model);
        model_free(&model);
        end_tree(tidying.tree);
    }
}

static void maintaining_beside_a_writer_loses_nothing(void **state)
{
    (void)state;
    tidying_beside_a_writer_loses_nothing(false);
}

static void compacting_beside_a_writer_loses_nothing(void **state)
{
    (void)state;
    tidying_beside_a_writer_loses_nothing(true);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(maintain_merges_sparse_leaves),
        cmocka_unit_test(maintaining_an_empty_or_a_full_tree_finds_nothing_to_merge),
        cmocka_unit_test(merged_leaves_are_used_again),
        cmocka_unit_test(maintaining_beside_a_writer_loses_nothing),
        cmocka_unit_test(compacting_beside_a_writer_loses_nothing),
        cmocka_unit_test(compacting_saves_a_fifth_of_the_memory_of_random_inserts),
        cmocka_unit_test(compacting_loses_no_key),
        cmocka_unit_test(compact_refuses_more_keys_than_a_leaf_has),
    };
    return cmocka_run_group_tests_name("maintain", tests, NULL, NULL);
}
