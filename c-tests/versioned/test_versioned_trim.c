/* Versioned trees: what a trim frees, and what it refuses afterwards. */
#include "support.h"

static masstree_t *tree;

static int make(void **state)
{
    (void)state;
    tree = new_versioned_tree();
    for (uint64_t seqno = 1; seqno <= 20; seqno++) {
        char key[2] = {(char)('a' + seqno % 2), '\0'};
        assert_ok(masstree_put_at(tree, NULL, key, 1, seqno, MASSTREE_VERSION_VALUE, NULL, 0));
    }
    return 0;
}

static int end(void **state)
{
    (void)state;
    end_tree(tree);
    return 0;
}

static uint64_t versions(void)
{
    masstree_version_stats_t stats = MASSTREE_VERSION_STATS_INIT;
    assert_ok(masstree_stats_versions(tree, NULL, &stats));
    return stats.versions;
}

static uint64_t range_tombstones(void)
{
    masstree_version_stats_t stats = MASSTREE_VERSION_STATS_INIT;
    assert_ok(masstree_stats_versions(tree, NULL, &stats));
    return stats.range_tombstones;
}

static void trims_within_a_budget_until_the_end(void **state)
{
    (void)state;
    size_t freed = 0;
    assert_ok(masstree_trim_versions(tree, 10, 3, &freed));
    assert_int_equal(3, freed);
    assert_int_equal(17, versions());
    int32_t status;
    size_t all = freed;
    while ((status = masstree_trim_versions(tree, 10, 1, &freed)) == MASSTREE_OK) {
        all += freed;
    }
    assert_status(MASSTREE_END, status);
    assert_int_equal(8, all + freed);
    assert_status(MASSTREE_END, masstree_trim_versions(tree, UINT64_MAX, 0, &freed));
    assert_int_equal(10, freed);
    assert_int_equal(2, versions());
}

static int32_t visit(const void *key, size_t key_len, const masstree_version_t *version, void *ctx)
{
    (void)key;
    (void)key_len;
    (void)version;
    (void)ctx;
    return MASSTREE_VISIT_CONTINUE;
}

/* Put back: in an entry point, do not ask `was_readable`. */
static void what_was_trimmed_is_too_old(void **state)
{
    (void)state;
    masstree_snapshot_t *snapshot = NULL;
    masstree_cursor_t *cursor = NULL;
    masstree_guard_t *guard = new_guard(tree);
    masstree_slice_t key = SLICE("a");
    size_t freed = 0;
    assert_ok(masstree_snapshot_open(tree, &snapshot));
    assert_int_equal(20, masstree_snapshot_seqno(snapshot));
    assert_ok(masstree_put_at(tree, NULL, "a", 1, 30, MASSTREE_VERSION_VALUE, NULL, 0));
    assert_ok(masstree_cursor_open_at(tree, NULL, 25, &cursor));
    assert_ok(masstree_cursor_first(cursor));
    assert_status(MASSTREE_END, masstree_trim_versions(tree, 28, 0, &freed));
    assert_int_equal(18, freed);
    assert_ok(masstree_get_at(tree, guard, "a", 1, 20, NULL));
    assert_ok(masstree_get_at(tree, guard, "a", 1, 28, NULL));
    assert_status(MASSTREE_TOO_OLD, masstree_get_at(tree, guard, "a", 1, 19, NULL));
    assert_status(MASSTREE_TOO_OLD, masstree_get_at(tree, guard, "a", 1, 27, NULL));
    assert_status(MASSTREE_TOO_OLD, masstree_get_many_at(tree, guard, &key, 1, 19, NULL, NULL));
    assert_status(MASSTREE_TOO_OLD,
                  masstree_get_operands_at(tree, guard, "a", 1, 19, visit, NULL, NULL));
    assert_status(MASSTREE_TOO_OLD, masstree_scan_at(tree, guard, NULL, 19, visit, NULL, NULL));
    assert_status(MASSTREE_TOO_OLD, masstree_cursor_next(cursor));
    assert_status(MASSTREE_TOO_OLD, masstree_cursor_prev(cursor));
    assert_status(MASSTREE_TOO_OLD, masstree_cursor_first(cursor));
    assert_status(MASSTREE_TOO_OLD, masstree_cursor_last(cursor));
    assert_status(MASSTREE_TOO_OLD, masstree_cursor_seek(cursor, "a", 1, MASSTREE_SEEK_GE));
    assert_status(MASSTREE_TOO_OLD, masstree_cursor_seek_u64(cursor, 1, MASSTREE_SEEK_GE));
    assert_status(MASSTREE_TOO_OLD,
                  masstree_put_at(tree, guard, "a", 1, 28, MASSTREE_VERSION_VALUE, NULL, 0));
    masstree_cursor_close(cursor);
    masstree_snapshot_close(snapshot);
    masstree_guard_leave(guard);
}

/* Known failure 55. */
static void deleted_keys_leave_the_tree_and_stay_deleted(void **state)
{
    (void)state;
    assert_ok(masstree_put_at(tree, NULL, "a", 1, 25, MASSTREE_VERSION_TOMBSTONE, NULL, 0));
    assert_ok(masstree_remove_range_at(tree, NULL, "b", 1, "c", 1, 26));
    assert_int_equal(2, tree_len(tree));
    assert_ok(masstree_trim_versions(tree, 26, 0, NULL));
    assert_int_equal(0, tree_len(tree));
    assert_int_equal(0, versions());
    /* The range tombstone waited for writes that were under way; now it hides nothing. */
    assert_int_equal(1, range_tombstones());
    size_t freed = 0;
    assert_status(MASSTREE_END, masstree_trim_versions(tree, 26, 0, &freed));
    assert_int_equal(1, freed);
    assert_int_equal(0, range_tombstones());
    assert_status(MASSTREE_TOO_OLD,
                  masstree_put_at(tree, NULL, "a", 1, 24, MASSTREE_VERSION_VALUE, NULL, 0));
}

static void overwrites_free_what_no_reader_can_see(void **state)
{
    (void)state;
    masstree_options_t options = MASSTREE_OPTIONS_INIT;
    masstree_snapshot_t *snapshot = NULL;
    options.version_flags = MASSTREE_VERSIONS_FREE_OVERWRITTEN;
    masstree_destroy(tree);
    tree = NULL;
    assert_status(MASSTREE_INVALID, masstree_create(&options, &tree));
    options.value_kind = MASSTREE_VALUES_VERSIONED;
    options.version_flags = MASSTREE_VERSIONS_FREE_OVERWRITTEN | MASSTREE_VERSIONS_APPEND_ONLY;
    assert_status(MASSTREE_INVALID, masstree_create(&options, &tree));
    options.version_flags = 4;
    assert_status(MASSTREE_INVALID, masstree_create(&options, &tree));
    options.version_flags = MASSTREE_VERSIONS_FREE_OVERWRITTEN;
    options.reserved = 1;
    assert_status(MASSTREE_INVALID, masstree_create(&options, &tree));
    options.reserved = 0;
    assert_ok(masstree_create(&options, &tree));
    for (uint64_t seqno = 1; seqno <= 100; seqno++) {
        assert_ok(masstree_put_at(tree, NULL, "a", 1, seqno, MASSTREE_VERSION_VALUE, NULL, 0));
        assert_int_equal(seqno > 50 ? 2 : 1, versions());
        if (seqno == 50) {
            assert_ok(masstree_snapshot_open(tree, &snapshot));
        }
    }
    masstree_guard_t *guard = new_guard(tree);
    assert_ok(masstree_get_at(tree, guard, "a", 1, MASSTREE_SEQNO_LATEST, NULL));
    assert_ok(masstree_get_at(tree, guard, "a", 1, 50, NULL));
    assert_status(MASSTREE_TOO_OLD, masstree_get_at(tree, guard, "a", 1, 60, NULL));
    masstree_guard_leave(guard);
    masstree_snapshot_close(snapshot);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(trims_within_a_budget_until_the_end, make, end),
        cmocka_unit_test_setup_teardown(what_was_trimmed_is_too_old, make, end),
        cmocka_unit_test_setup_teardown(deleted_keys_leave_the_tree_and_stay_deleted, make, end),
        cmocka_unit_test_setup_teardown(overwrites_free_what_no_reader_can_see, make, end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
