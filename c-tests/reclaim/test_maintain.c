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

struct tidying {
    masstree_t *tree;
    enum family family;
    uint64_t numbers;
    size_t rounds;
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
            status = masstree_maintain(tidying->tree, NULL, 50, &merged);
            REQUIRE(status == MASSTREE_OK || status == MASSTREE_END);
            tidying->merged += merged;
        } while (status == MASSTREE_OK);
    } while (!done);
}

static void maintaining_beside_a_writer_loses_nothing(void **state)
{
    (void)state;
    for (enum family family = 0; family < FAMILIES; family++) {
        struct tidying tidying = {.tree = new_tree(), .family = family, .numbers = 2000};
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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(maintain_merges_sparse_leaves),
        cmocka_unit_test(maintaining_an_empty_or_a_full_tree_finds_nothing_to_merge),
        cmocka_unit_test(merged_leaves_are_used_again),
        cmocka_unit_test(maintaining_beside_a_writer_loses_nothing),
    };
    return cmocka_run_group_tests_name("maintain", tests, NULL, NULL);
}
