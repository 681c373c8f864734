/* Every function refuses: no handle, a NULL key with a length, a key that is too long, a guard
   of another tree, a tree of the other kind of values. Then nothing is changed, and nothing is
   stored. */
#include "calls.h"

#include <sys/mman.h>

#define TOO_LONG ((size_t)UINT32_MAX + 1)

static masstree_t *trees[3]; /* of words, of byte strings, versioned */

static void fill(masstree_t *words, masstree_t *bytes)
{
    assert_ok(masstree_put(words, NULL, "key", 3, 1));
    assert_ok(masstree_put_u64(words, NULL, 12345, 1));
    assert_ok(masstree_put_bytes(bytes, NULL, "key", 3, "value", 5));
    assert_ok(masstree_put_bytes(bytes, NULL, "other", 5, "value", 5));
    assert_ok(masstree_put_at(trees[2], NULL, "key", 3, 1, MASSTREE_VERSION_VALUE, "value", 5));
}

static int make_trees(void **state)
{
    (void)state;
    trees[0] = new_tree();
    trees[1] = new_bytes_tree();
    trees[2] = new_versioned_tree();
    fill(trees[0], trees[1]);
    return 0;
}

static int end_trees(void **state)
{
    (void)state;
    end_tree(trees[0]);
    end_tree(trees[1]);
    end_tree(trees[2]);
    return 0;
}

static void assert_as_it_was(void)
{
    uint64_t word = 0;
    masstree_slice_t value = {NULL, 0};
    masstree_guard_t *guard = new_guard(trees[1]);
    assert_int_equal(2, tree_len(trees[0]));
    assert_int_equal(2, tree_len(trees[1]));
    assert_ok(masstree_get(trees[0], NULL, "key", 3, &word));
    assert_int_equal(1, word);
    assert_ok(masstree_get_u64(trees[0], NULL, 12345, &word));
    assert_int_equal(1, word);
    assert_ok(masstree_get_bytes(trees[1], guard, "key", 3, &value));
    assert_slice("value", 5, value);
    masstree_guard_leave(guard);
    masstree_version_stats_t stats = MASSTREE_VERSION_STATS_INIT;
    assert_ok(masstree_stats_versions(trees[2], NULL, &stats));
    assert_int_equal(1, stats.versions);
    assert_int_equal(0, stats.range_tombstones + stats.snapshots + stats.floor + stats.sealed);
    assert_true(stats.visible_seqno == MASSTREE_SEQNO_LATEST);
}

static void assert_refused(int32_t status, const struct call *call, struct arguments *arguments)
{
    blank(arguments);
    int32_t answer = call->run(arguments);
    if (answer != status || !is_blank(arguments)) {
        fail_msg("masstree_%s answered %d instead of %d, outputs %s", call->name, answer, status,
                 is_blank(arguments) ? "untouched" : "written");
    }
}

/* A tree that the call accepts, or one that it refuses. */
static masstree_t *tree_for(const struct call *call, bool fitting)
{
    switch (call->values) {
    case VALUES_BYTES:
        return trees[fitting ? 1 : 0];
    case VALUES_VERSIONED:
        return trees[fitting ? 2 : 0];
    default:
        return trees[fitting ? 0 : 1];
    }
}

static masstree_cursor_t *cursor_at_a_key(const masstree_t *tree)
{
    masstree_cursor_t *cursor = NULL;
    assert_ok(masstree_cursor_open(tree, NULL, &cursor));
    assert_ok(masstree_cursor_first(cursor));
    return cursor;
}

/* Makes each call that takes such an argument, after `spoil` has made it invalid. */
static void refuse_all(unsigned takes, int32_t status, void (*spoil)(struct arguments *))
{
    size_t refused = 0;
    for (size_t i = 0; i < call_count; i++) {
        if ((calls[i].takes & takes) != takes) {
            continue;
        }
        masstree_t *tree = tree_for(&calls[i], true);
        struct arguments arguments = {.tree = tree, .key = "key", .key_len = 3};
        arguments.guard = new_guard(tree);
        arguments.cursor = cursor_at_a_key(tree);
        struct arguments spoilt = arguments;
        spoil(&spoilt);
        assert_refused(status, &calls[i], &spoilt);
        masstree_cursor_close(arguments.cursor);
        masstree_guard_leave(arguments.guard);
        refused++;
    }
    assert_true(refused > 0);
    assert_as_it_was();
}

static void take_the_tree(struct arguments *arguments)
{
    arguments->tree = NULL;
}

static void take_the_tree_and_the_guard(struct arguments *arguments)
{
    arguments->tree = NULL;
    arguments->guard = NULL;
}

static void take_the_cursor(struct arguments *arguments)
{
    arguments->cursor = NULL;
}

static void no_tree_or_no_cursor_is_invalid(void **state)
{
    (void)state;
    refuse_all(TAKES_TREE, MASSTREE_INVALID, take_the_tree);
    refuse_all(TAKES_TREE, MASSTREE_INVALID, take_the_tree_and_the_guard);
    refuse_all(TAKES_CURSOR, MASSTREE_INVALID, take_the_cursor);
    masstree_cursor_close(NULL);
    masstree_cursor_refresh(NULL);
}

static void take_the_bytes_of_the_key(struct arguments *arguments)
{
    arguments->key = NULL;
}

static void key_without_bytes_but_with_a_length_is_invalid(void **state)
{
    (void)state;
    refuse_all(TAKES_KEY, MASSTREE_INVALID, take_the_bytes_of_the_key);
}

static void *zero_bytes;

static void make_the_key_too_long(struct arguments *arguments)
{
    arguments->key = zero_bytes;
    arguments->key_len = TOO_LONG;
}

/* A mapping has the bytes without using memory for them. */
static void key_over_the_limit_is_too_long(void **state)
{
    (void)state;
    zero_bytes = mmap(NULL, TOO_LONG, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1,
                      0);
    assert_true(zero_bytes != MAP_FAILED);
    refuse_all(TAKES_KEY, MASSTREE_KEY_TOO_LONG, make_the_key_too_long);
    munmap(zero_bytes, TOO_LONG);
}

static masstree_guard_t *foreign;

static void take_a_foreign_guard(struct arguments *arguments)
{
    arguments->guard = foreign;
}

static void guard_of_another_tree_is_of_the_wrong_tree(void **state)
{
    (void)state;
    masstree_t *other = new_tree();
    foreign = new_guard(other);
    refuse_all(TAKES_GUARD, MASSTREE_WRONG_TREE, take_a_foreign_guard);
    masstree_guard_leave(foreign);
    assert_int_equal(0, tree_len(other));
    end_tree(other);
}

static void function_for_other_values_is_of_the_wrong_kind(void **state)
{
    (void)state;
    for (size_t i = 0; i < call_count; i++) {
        if (calls[i].values == VALUES_ANY) {
            continue;
        }
        masstree_t *tree = tree_for(&calls[i], false);
        struct arguments arguments = {.tree = tree, .key = "key", .key_len = 3};
        arguments.guard = new_guard(tree);
        arguments.cursor = cursor_at_a_key(tree);
        assert_refused(MASSTREE_WRONG_KIND, &calls[i], &arguments);
        masstree_guard_leave(arguments.guard);
        if ((calls[i].takes & NEEDS_GUARD) == 0) {
            arguments.guard = NULL;
            assert_refused(MASSTREE_WRONG_KIND, &calls[i], &arguments);
        }
        masstree_cursor_close(arguments.cursor);
    }
    assert_as_it_was();
}

static int32_t count_keys(const void *key, size_t key_len, uint64_t value, void *ctx)
{
    (void)key;
    (void)key_len;
    assert_int_equal(0, value);
    ++*(size_t *)ctx;
    return MASSTREE_VISIT_CONTINUE;
}

/* Functions that concern keys only work with both kinds. */
static void functions_that_return_no_value_work_with_byte_strings(void **state)
{
    (void)state;
    masstree_range_t keys_only = MASSTREE_RANGE_INIT;
    masstree_slice_t keys[2] = {SLICE("key"), SLICE("other")};
    masstree_cursor_t *cursor = cursor_at_a_key(trees[1]);
    size_t count = 0;
    size_t visited = 0;
    keys_only.flags = MASSTREE_SCAN_KEYS_ONLY;
    assert_ok(masstree_contains(trees[1], NULL, "key", 3));
    assert_status(MASSTREE_NOT_FOUND, masstree_contains_u64(trees[1], NULL, 12345));
    assert_ok(masstree_scan(trees[1], NULL, &keys_only, count_keys, &visited, NULL));
    assert_int_equal(2, visited);
    assert_ok(masstree_count(trees[1], NULL, NULL, &count));
    assert_int_equal(2, count);
    assert_ok(masstree_cursor_next_many(cursor, keys, NULL, 2, &count));
    assert_int_equal(1, count);
    assert_ok(masstree_cursor_prev_many(cursor, keys, NULL, 2, &count));
    masstree_cursor_close(cursor);
    keys[0] = SLICE("key");
    keys[1] = SLICE("none");
    assert_ok(masstree_remove(trees[1], NULL, "other", 5, NULL));
    assert_ok(masstree_put_bytes(trees[1], NULL, "12345678", 8, "v", 1));
    assert_ok(masstree_remove_u64(trees[1], NULL, UINT64_C(0x3132333435363738), NULL));
    assert_status(MASSTREE_NOT_FOUND, masstree_remove_u64(trees[1], NULL, 1, NULL));
    assert_ok(masstree_remove_many(trees[1], NULL, keys, 2, NULL, NULL));
    assert_ok(masstree_put_bytes(trees[1], NULL, "12345678", 8, "v", 1));
    static const uint64_t number = UINT64_C(0x3132333435363738);
    assert_ok(masstree_remove_many_u64(trees[1], NULL, &number, 8, 1, NULL, NULL));
    assert_int_equal(0, tree_len(trees[1]));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(no_tree_or_no_cursor_is_invalid, make_trees, end_trees),
        cmocka_unit_test_setup_teardown(key_without_bytes_but_with_a_length_is_invalid, make_trees,
                                        end_trees),
        cmocka_unit_test_setup_teardown(key_over_the_limit_is_too_long, make_trees, end_trees),
        cmocka_unit_test_setup_teardown(guard_of_another_tree_is_of_the_wrong_tree, make_trees,
                                        end_trees),
        cmocka_unit_test_setup_teardown(function_for_other_values_is_of_the_wrong_kind, make_trees,
                                        end_trees),
        cmocka_unit_test_setup_teardown(functions_that_return_no_value_work_with_byte_strings,
                                        make_trees, end_trees),
    };
    return cmocka_run_group_tests_name("refusals", tests, NULL, NULL);
}
