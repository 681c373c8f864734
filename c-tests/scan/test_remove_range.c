/* masstree_remove_range against a model: bounds, prefixes, limits, kinds of values, refusals. */
#include "scan/ranges.h"

#include <sys/mman.h>

/* Removes what a range removes from the model; returns how many keys. */
static size_t remove_from_model(struct model *model, const masstree_range_t *range)
{
    size_t removed = 0;
    size_t at = 0;
    while (at < model->count && (range->limit == 0 || removed < range->limit)) {
        const struct entry *entry = &model->entries[at];
        int above = range->lower_bound == MASSTREE_BOUND_OPEN
                        ? 1
                        : compare_keys(entry->key, entry->len, range->lower, range->lower_len);
        int below = range->upper_bound == MASSTREE_BOUND_OPEN
                        ? -1
                        : compare_keys(entry->key, entry->len, range->upper, range->upper_len);
        bool begins = entry->len >= range->prefix_len &&
                      (range->prefix_len == 0 ||
                       memcmp(entry->key, range->prefix, range->prefix_len) == 0);
        bool is_inside = (above > 0 || (above == 0 && range->lower_bound == MASSTREE_BOUND_INCLUSIVE)) &&
                         (below < 0 || (below == 0 && range->upper_bound == MASSTREE_BOUND_INCLUSIVE)) &&
                         begins;
        if (is_inside) {
            model_remove(model, entry->key, entry->len);
            removed++;
        } else {
            at++;
        }
    }
    return removed;
}

/* Put back: take an exclusive bound as an inclusive one in remove_from_model. */
static void keys_of_the_range_are_removed(void **state)
{
    (void)state;
    uint64_t random = 11;
    for (int round = 0; round < 60; round++) {
        struct model model = {0};
        enum family family = (enum family)(round % FAMILIES);
        uint64_t count = 1 + random_below(&random, 600);
        masstree_t *tree = filled(family, count, 1 + random_below(&random, 3), &model);
        for (int part = 0; part < 5; part++) {
            struct key ends[2];
            for (size_t i = 0; i < 2; i++) {
                ends[i] = key_of(family, random_below(&random, 2 * count));
            }
            size_t low = compare_keys(ends[0].bytes, ends[0].len, ends[1].bytes, ends[1].len) <= 0 ? 0 : 1;
            masstree_range_t range =
                range_of(kinds[random_below(&random, KINDS)], &ends[low],
                         kinds[random_below(&random, KINDS)], &ends[1 - low], 0);
            range.limit = random_below(&random, 2) * random_below(&random, count);
            if (random_below(&random, 4) == 0) {
                range.prefix = ends[0].bytes;
                range.prefix_len = random_below(&random, ends[0].len + 1);
            }
            size_t removed = SIZE_MAX;
            masstree_guard_t *guard = part % 2 == 0 ? NULL : new_guard(tree);
            assert_ok(masstree_remove_range(tree, guard, &range, &removed));
            masstree_guard_leave(guard);
            assert_int_equal(remove_from_model(&model, &range), removed);
            assert_int_equal(model.count, tree_len(tree));
            assert_consistent(tree);
            assert_scan_agrees(tree, NULL, &model, NULL);
        }
        assert_ok(masstree_remove_range(tree, NULL, NULL, NULL));
        assert_int_equal(0, tree_len(tree));
        model_free(&model);
        end_tree(tree);
    }
}

static void count_value(uint64_t value, void *ctx)
{
    *(uint64_t *)ctx += value;
}

/* Put back: in end_round, retire no values. */
static void values_go_to_the_destructor(void **state)
{
    (void)state;
    uint64_t destroyed = 0;
    masstree_options_t options = MASSTREE_OPTIONS_INIT;
    options.value_destructor = count_value;
    options.value_ctx = &destroyed;
    masstree_t *tree = NULL;
    assert_ok(masstree_create(&options, &tree));
    for (uint64_t number = 0; number < 5000; number++) {
        assert_ok(masstree_insert_u64(tree, NULL, number, number, NULL));
    }
    struct key low = key_of(FAMILY_U64, 100);
    struct key high = key_of(FAMILY_U64, 4900);
    masstree_range_t range =
        range_of(MASSTREE_BOUND_INCLUSIVE, &low, MASSTREE_BOUND_INCLUSIVE, &high, 0);
    size_t removed = 0;
    masstree_guard_t *guard = new_guard(tree);
    assert_ok(masstree_remove_range(tree, guard, &range, &removed));
    assert_int_equal(4801, removed);
    assert_int_equal(0, destroyed);
    masstree_guard_leave(guard);
    end_tree(tree);
    assert_int_equal(UINT64_C(5000) * 4999 / 2, destroyed);
}

/* What a call has removed is freed when it returns, if no guard is held: a call with large values waits for
   nothing that other calls retire. Put back: in RangeRemoval::advance, do not flush. */
static void nothing_waits_for_other_calls(void **state)
{
    (void)state;
    masstree_options_t options = MASSTREE_OPTIONS_INIT;
    options.value_kind = MASSTREE_VALUES_BYTES;
    masstree_t *tree = NULL;
    assert_ok(masstree_create(&options, &tree));
    for (uint64_t number = 0; number < 3000; number++) {
        char value[1000] = {0};
        struct key key = key_of(FAMILY_U64, number);
        assert_ok(masstree_put_bytes(tree, NULL, key.bytes, key.len, value, sizeof value));
    }
    size_t removed = 0;
    assert_ok(masstree_remove_range(tree, NULL, NULL, &removed));
    assert_int_equal(3000, removed);
    masstree_stats_t stats = MASSTREE_STATS_INIT;
    assert_ok(masstree_stats(tree, NULL, &stats));
    assert_int_equal(0, stats.limbo_bytes);
    end_tree(tree);
}

/* Put back: do not look for MASSTREE_SCAN_REVERSE; for trees of versions. */
static void what_has_no_meaning_is_refused(void **state)
{
    (void)state;
    struct model model = {0};
    masstree_t *tree = filled(FAMILY_U64, 50, 1, &model);
    masstree_t *other = new_tree();
    masstree_guard_t *foreign = new_guard(other);
    size_t removed = 4242;
    masstree_range_t range = MASSTREE_RANGE_INIT;
    range.flags = MASSTREE_SCAN_REVERSE;
    assert_status(MASSTREE_INVALID, masstree_remove_range(tree, NULL, &range, &removed));
    range.flags = MASSTREE_SCAN_REVERSE << 8;
    assert_status(MASSTREE_INVALID, masstree_remove_range(tree, NULL, &range, &removed));
    assert_status(MASSTREE_INVALID, masstree_remove_range(NULL, NULL, NULL, &removed));
    assert_status(MASSTREE_WRONG_TREE, masstree_remove_range(tree, foreign, NULL, &removed));
    size_t too_long = (size_t)UINT32_MAX + 1;
    void *bytes =
        mmap(NULL, too_long, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    assert_true(bytes != MAP_FAILED);
    range = range_from(MASSTREE_BOUND_INCLUSIVE, bytes, too_long);
    assert_status(MASSTREE_KEY_TOO_LONG, masstree_remove_range(tree, NULL, &range, &removed));
    munmap(bytes, too_long);
    masstree_options_t options = MASSTREE_OPTIONS_INIT;
    options.value_kind = MASSTREE_VALUES_VERSIONED;
    masstree_t *versions = NULL;
    assert_ok(masstree_create(&options, &versions));
    assert_status(MASSTREE_WRONG_KIND, masstree_remove_range(versions, NULL, NULL, &removed));
    assert_int_equal(4242, removed);
    assert_int_equal(50, tree_len(tree));
    masstree_destroy(versions);
    masstree_guard_leave(foreign);
    end_tree(other);
    end_tree(tree);
    model_free(&model);
}

/* Without memory for the position, what was removed before stays removed, and is counted; the next call
   removes the rest. Put back: write *removed after the outcome was looked at. */
static void a_removal_goes_on_after_it_ran_out_of_memory(void **state)
{
    (void)state;
    for (int by_prefix = 0; by_prefix < 2; by_prefix++) {
        struct allocator allocator;
        allocator_start(&allocator);
        masstree_options_t options = allocator_options(&allocator, MASSTREE_VALUES_WORDS);
        masstree_t *tree = NULL;
        assert_ok(masstree_create(&options, &tree));
        for (uint64_t number = 0; number < 400; number++) {
            unsigned char key[FAMILY_KEY_MAX];
            size_t len = family_key(FAMILY_MIXED, number, key);
            assert_ok(masstree_insert(tree, NULL, key, len, number, NULL));
        }
        masstree_range_t range = MASSTREE_RANGE_INIT;
        if (by_prefix == 1) {
            range = range_from(MASSTREE_BOUND_INCLUSIVE, "\0", 1);
        }
        uint64_t before = tree_len(tree);
        size_t failures = 0;
        size_t total = 0;
        int32_t status = MASSTREE_NOMEM;
        while (next_fails(&allocator, status, &failures)) {
            size_t removed = SIZE_MAX;
            status = masstree_remove_range(tree, NULL, &range, &removed);
            total += removed;
            assert_int_equal(before - total, tree_len(tree));
        }
        assert_int_equal(0, visited_by(tree, &range));
        end_tree(tree);
        allocator_end(&allocator);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(keys_of_the_range_are_removed),
        cmocka_unit_test(values_go_to_the_destructor),
        cmocka_unit_test(nothing_waits_for_other_calls),
        cmocka_unit_test(what_has_no_meaning_is_refused),
        cmocka_unit_test(a_removal_goes_on_after_it_ran_out_of_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
