/* Statistics of a whole tree, as a struct and as JSON. */
#include "inspect/written.h"

static masstree_stats_t stats_of(const masstree_t *tree, uint32_t flags)
{
    masstree_stats_t stats = MASSTREE_STATS_INIT;
    stats.flags = flags;
    assert_ok(masstree_stats(tree, NULL, &stats));
    assert_int_equal(sizeof stats, stats.struct_size);
    assert_int_equal(flags, stats.flags);
    return stats;
}

static void stats_match_the_contents_of_the_tree(void **state)
{
    (void)state;
    struct allocator allocator;
    allocator_start(&allocator);
    masstree_t *tree = new_tree_of(&allocator, MASSTREE_VALUES_BYTES);
    masstree_stats_t stats = stats_of(tree, MASSTREE_STATS_NODES);
    assert_int_equal(0, stats.keys);
    assert_int_equal(1, stats.layers);
    assert_int_equal(1, stats.leaves);
    assert_int_equal(0, stats.leaf_entries);
    assert_int_equal(0, stats.value_bytes);
    for (uint64_t number = 0; number < 1000; number++) {
        unsigned char key[FAMILY_KEY_MAX];
        size_t len = family_key(FAMILY_PREFIX16, number, key);
        assert_ok(masstree_put_bytes(tree, NULL, key, len, key, len));
    }
    stats = stats_of(tree, MASSTREE_STATS_NODES);
    assert_int_equal(1000, stats.keys);
    assert_int_equal(3, stats.layers);
    assert_int_equal(2, stats.deepest_layer);
    assert_int_equal(1, stats.layers_at[0]);
    assert_int_equal(1, stats.layers_at[1]);
    assert_int_equal(1, stats.layers_at[2]);
    assert_int_equal(1, stats.leaves_at[0]);
    assert_int_equal(stats.leaves, stats.leaves_at[0] + stats.leaves_at[1] + stats.leaves_at[2]);
    assert_int_equal(0, stats.keys_at[0]);
    assert_int_equal(1, stats.keys_at[1]); /* the prefix itself */
    assert_int_equal(999, stats.keys_at[2]);
    assert_int_equal(1002, stats.leaf_entries);
    assert_int_equal(stats.nodes_visited, stats.leaves + stats.internodes);
    assert_int_equal(stats.leaves_at[2], 1 + stats.splits);
    assert_in_range(stats.leaves_at[2], 1000 / 15, 1000 / 5);
    assert_int_equal(2, stats.layers_created);
    assert_true(stats.value_bytes >= 16 * 1000);
    assert_true(stats.node_bytes <= stats.pool_bytes || !NODES_ARE_POOLED);
    assert_true(stats.pool_bytes < allocator_bytes(&allocator));
    assert_true(stats.node_bytes < allocator_bytes(&allocator));
    assert_int_equal(0, stats.guards);
    end_tree(tree);
    allocator_end(&allocator);
}

/* A leaf that is made for an appended key gets tails if the leaf before has short suffixes, so that they
 * are not in bags, which each of the following inserts would replace. Only the first leaf has one. Put
 * back: deciding by the appended key alone. */
static void appended_keys_keep_short_suffixes_in_their_leaves(void **state)
{
    (void)state;
    masstree_t *tree = new_tree();
    for (uint64_t number = 0; number < 3000; number++) {
        unsigned char key[16] = "........suffix..";
        masstree_u64_to_key(number, key);
        assert_ok(masstree_put(tree, NULL, key, sizeof key, number));
    }
    assert_true(stats_of(tree, 0).suffix_bytes < 1000);
    end_tree(tree);
}

static void stats_show_guards_and_memory_that_waits_for_them(void **state)
{
    (void)state;
    masstree_t *tree = new_bytes_tree();
    static const unsigned char value[1000];
    assert_ok(masstree_put_bytes(tree, NULL, "k", 1, value, sizeof value));
    masstree_guard_t *first = new_guard(tree);
    masstree_guard_t *second = new_guard(tree);
    assert_int_equal(2, stats_of(tree, 0).guards);
    for (unsigned turn = 0; turn < 100; turn++) {
        assert_ok(masstree_put_bytes(tree, NULL, "k", 1, value, sizeof value));
    }
    assert_int_equal(100, stats_of(tree, 0).limbo_objects);
    assert_true(stats_of(tree, 0).limbo_bytes >= 100 * sizeof value);
    masstree_guard_leave(first);
    assert_int_equal(1, stats_of(tree, 0).guards);
    masstree_guard_leave(second);
    assert_ok(masstree_barrier(tree));
    masstree_stats_t stats = stats_of(tree, 0);
    assert_int_equal(0, stats.guards);
    assert_int_equal(0, stats.oldest_guard_ms);
    assert_int_equal(0, stats.limbo_objects);
    assert_int_equal(0, stats.limbo_bytes);
    assert_int_equal(0, stats.nodes_visited);
    assert_int_equal(0, stats.leaves);
    end_tree(tree);
}

static void stats_count_splits_layers_and_merges(void **state)
{
    (void)state;
    masstree_t *tree = new_tree();
    size_t merged = 0;
    for (uint64_t i = 0; i < 1000; i++) {
        assert_ok(masstree_put_u64(tree, NULL, i, i));
    }
    for (uint64_t i = 0; i < 1000; i++) {
        if (i % 10 != 0) {
            assert_ok(masstree_remove_u64(tree, NULL, i, NULL));
        }
    }
    masstree_stats_t before = stats_of(tree, MASSTREE_STATS_NODES);
    assert_true(before.sparse_leaves > 0);
    assert_int_equal(0, before.leaves_merged);
    assert_status(MASSTREE_END, masstree_maintain(tree, NULL, SIZE_MAX, &merged));
    masstree_stats_t after = stats_of(tree, MASSTREE_STATS_NODES);
    assert_int_equal(merged, after.leaves_merged);
    assert_int_equal(before.leaves - merged, after.leaves);
    assert_true(after.sparse_leaves < before.sparse_leaves);
    for (uint64_t i = 0; i < 1000; i += 10) {
        assert_ok(masstree_remove_u64(tree, NULL, i, NULL));
    }
    masstree_stats_t empty = stats_of(tree, MASSTREE_STATS_NODES);
    assert_int_equal(1, empty.leaves);
    assert_int_equal(after.leaves - 1, empty.leaves_unlinked - after.leaves_unlinked);
    end_tree(tree);
}

struct later_stats {
    masstree_stats_t known;
    uint64_t unknown[2];
};

static void stats_return_documented_statuses(void **state)
{
    (void)state;
    masstree_t *tree = new_tree();
    masstree_stats_t stats = MASSTREE_STATS_INIT;
    struct later_stats later = {.known = MASSTREE_STATS_INIT};
    assert_ok(masstree_put(tree, NULL, "k", 1, 1));
    assert_status(MASSTREE_INVALID, masstree_stats(tree, NULL, NULL));
    stats.flags = 2;
    assert_status(MASSTREE_INVALID, masstree_stats(tree, NULL, &stats));
    assert_status(MASSTREE_INVALID, masstree_stats_json(tree, NULL, 2, append_text, NULL));
    assert_status(MASSTREE_INVALID, masstree_stats_json(tree, NULL, 0, NULL, NULL));
    stats.flags = 0;
    stats.struct_size = 8;
    assert_status(MASSTREE_INVALID, masstree_stats(tree, NULL, &stats));
    assert_int_equal(0, stats.keys);
    later.known.struct_size = sizeof later;
    assert_ok(masstree_stats(tree, NULL, &later.known));
    assert_int_equal(1, later.known.keys);
    assert_int_equal(0, later.unknown[0]);
    assert_int_equal(0, later.unknown[1]);
    end_tree(tree);
}

static void assert_json_says(const char *json, const char *name, uint64_t number)
{
    char expected[100];
    snprintf(expected, sizeof expected, "\"%s\":%llu", name, (unsigned long long)number);
    const char *found = strstr(json, expected);
    assert_non_null(found);
    char after = found[strlen(expected)];
    assert_true(after == ',' || after == '}');
}

static void json_equals_the_struct(void **state)
{
    (void)state;
    masstree_t *tree = new_tree();
    for (uint64_t number = 0; number < 3000; number++) {
        unsigned char key[FAMILY_KEY_MAX];
        size_t len = family_key(FAMILY_PREFIX16, number, key);
        assert_ok(masstree_put(tree, NULL, key, len, number));
    }
    struct written written = {NULL, 0};
    assert_ok(masstree_stats_json(tree, NULL, MASSTREE_STATS_NODES, append_text, &written));
    masstree_stats_t stats = stats_of(tree, MASSTREE_STATS_NODES);
    assert_int_equal('{', written.text[0]);
    assert_ptr_equal(written.text + written.len - 1, strchr(written.text, '\n'));
    assert_int_equal('}', written.text[written.len - 2]);
    assert_json_says(written.text, "keys", 3000);
    assert_json_says(written.text, "node_bytes", stats.node_bytes);
    assert_json_says(written.text, "suffix_bytes", stats.suffix_bytes);
    assert_json_says(written.text, "splits", stats.splits);
    assert_json_says(written.text, "leaves", stats.leaves);
    assert_json_says(written.text, "layers", 3);
    free(written.text);
    end_tree(tree);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(stats_match_the_contents_of_the_tree),
        cmocka_unit_test(appended_keys_keep_short_suffixes_in_their_leaves),
        cmocka_unit_test(stats_show_guards_and_memory_that_waits_for_them),
        cmocka_unit_test(stats_count_splits_layers_and_merges),
        cmocka_unit_test(stats_return_documented_statuses),
        cmocka_unit_test(json_equals_the_struct),
    };
    return cmocka_run_group_tests_name("stats", tests, NULL, NULL);
}
