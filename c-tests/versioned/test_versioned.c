/* Versioned trees: writes and look-ups at numbers, groups, snapshots, sealing. */
#include "support.h"

#define PUT(tree, key, seqno, value)                                                              \
    masstree_put_at(tree, NULL, key, strlen(key), seqno, MASSTREE_VERSION_VALUE, value,            \
                    strlen(value))

static masstree_t *tree;
static masstree_guard_t *guard;

static int make(void **state)
{
    (void)state;
    tree = new_versioned_tree();
    guard = new_guard(tree);
    return 0;
}

static int end(void **state)
{
    (void)state;
    masstree_guard_leave(guard);
    end_tree(tree);
    return 0;
}

static void assert_version(const char *key, uint64_t at, uint64_t seqno, const char *value)
{
    masstree_version_t version;
    assert_ok(masstree_get_at(tree, guard, key, strlen(key), at, &version));
    assert_int_equal(seqno, version.seqno);
    assert_slice(value, strlen(value), (masstree_slice_t){version.value, version.value_len});
}

static void assert_nothing(const char *key, uint64_t at)
{
    masstree_version_t version = {.seqno = 77};
    assert_status(MASSTREE_NOT_FOUND, masstree_get_at(tree, guard, key, strlen(key), at, &version));
    assert_int_equal(77, version.seqno);
}

static void assert_deleted(const char *key, uint64_t at, uint32_t kind, uint64_t seqno)
{
    masstree_version_t version;
    assert_status(MASSTREE_DELETED, masstree_get_at(tree, guard, key, strlen(key), at, &version));
    assert_int_equal(kind, version.kind);
    assert_int_equal(seqno, version.seqno);
    assert_non_null(version.value);
}

static void reads_see_the_newest_version_at_their_number(void **state)
{
    (void)state;
    assert_ok(PUT(tree, "key", 7, "seven"));
    assert_ok(PUT(tree, "key", 3, "three"));
    assert_ok(PUT(tree, "key", MASSTREE_SEQNO_MAX, "last"));
    assert_nothing("key", 0);
    assert_nothing("key", 2);
    assert_version("key", 3, 3, "three");
    assert_version("key", 6, 3, "three");
    assert_version("key", 7, 7, "seven");
    assert_version("key", MASSTREE_SEQNO_MAX - 1, 7, "seven");
    assert_version("key", MASSTREE_SEQNO_MAX, MASSTREE_SEQNO_MAX, "last");
    assert_version("key", MASSTREE_SEQNO_LATEST, MASSTREE_SEQNO_MAX, "last");
    assert_nothing("ke", MASSTREE_SEQNO_LATEST);
    assert_status(MASSTREE_EXISTS, PUT(tree, "key", 7, "again"));
    assert_version("key", 7, 7, "seven");
    assert_int_equal(1, tree_len(tree));
}

static void tombstones_and_ranges_delete_what_is_older(void **state)
{
    (void)state;
    assert_ok(PUT(tree, "b", 2, "two"));
    assert_ok(masstree_put_at(tree, guard, "b", 1, 4, MASSTREE_VERSION_TOMBSTONE, NULL, 0));
    assert_ok(masstree_put_at(tree, guard, "b", 1, 6, MASSTREE_VERSION_WEAK_TOMBSTONE, NULL, 0));
    assert_version("b", 3, 2, "two");
    assert_deleted("b", 5, MASSTREE_VERSION_TOMBSTONE, 4);
    assert_deleted("b", 6, MASSTREE_VERSION_WEAK_TOMBSTONE, 6);
    assert_ok(masstree_remove_range_at(tree, guard, "b", 1, "d", 1, 8));
    assert_ok(masstree_remove_range_at(tree, guard, "d", 1, "b", 1, 8)); /* nothing */
    assert_deleted("b", 7, MASSTREE_VERSION_WEAK_TOMBSTONE, 6);
    assert_deleted("b", 8, MASSTREE_VERSION_RANGE_TOMBSTONE, 8);
    assert_deleted("c", 9, MASSTREE_VERSION_RANGE_TOMBSTONE, 8);
    assert_nothing("a", 9);
    assert_nothing("d", 9);
    assert_ok(PUT(tree, "c", 5, "below"));
    assert_deleted("c", 9, MASSTREE_VERSION_RANGE_TOMBSTONE, 8);
    assert_version("c", 7, 5, "below");
    assert_ok(PUT(tree, "c", 9, "above"));
    assert_version("c", 9, 9, "above");
}

static void bad_arguments_are_refused(void **state)
{
    (void)state;
    masstree_version_t version;
    uint64_t word = 77;
    assert_status(MASSTREE_INVALID, PUT(tree, "key", 0, ""));
    assert_status(MASSTREE_INVALID, PUT(tree, "key", MASSTREE_SEQNO_MAX + 1, ""));
    assert_status(MASSTREE_INVALID, masstree_put_at(tree, NULL, "key", 3, 1, 4, NULL, 0));
    assert_status(MASSTREE_INVALID, masstree_put_at(tree, NULL, "key", 3, 1, 0, NULL, 1));
    assert_status(MASSTREE_INVALID,
                  masstree_put_unless_newer_at(tree, NULL, "key", 3, 0, 0, NULL, 0, &word));
    assert_status(MASSTREE_INVALID, masstree_remove_range_at(tree, NULL, "a", 1, NULL, 1, 1));
    assert_status(MASSTREE_INVALID, masstree_remove_range_at(tree, NULL, "a", 1, "b", 1, 0));
    assert_status(MASSTREE_INVALID, masstree_get_at(tree, NULL, "key", 3, 1, &version));
    assert_status(MASSTREE_INVALID, masstree_get_many_at(tree, guard, NULL, 1, 1, NULL, NULL));
    assert_status(MASSTREE_INVALID,
                  masstree_get_operands_at(tree, guard, "key", 3, 1, NULL, NULL, NULL));
    assert_status(MASSTREE_INVALID, masstree_put_many_at(tree, NULL, NULL, NULL, NULL, NULL, 1, NULL));
    assert_status(MASSTREE_INVALID, masstree_next_seqno(tree, 0, &word));
    assert_status(MASSTREE_INVALID, masstree_next_seqno(tree, 1, NULL));
    assert_status(MASSTREE_INVALID, masstree_next_seqno(tree, UINT64_MAX, &word));
    assert_status(MASSTREE_INVALID, masstree_publish(tree, 1, &word));
    assert_status(MASSTREE_INVALID, masstree_snapshot_open(tree, NULL));
    assert_status(MASSTREE_INVALID, masstree_stats_versions(tree, NULL, NULL));
    masstree_version_stats_t stats = {.struct_size = 8};
    assert_status(MASSTREE_INVALID, masstree_stats_versions(tree, NULL, &stats));
    assert_status(MASSTREE_WRONG_KIND, masstree_clear(tree, NULL));
    assert_int_equal(0, masstree_snapshot_seqno(NULL));
    masstree_snapshot_close(NULL);
    assert_int_equal(77, word);
    assert_int_equal(0, tree_len(tree));
}

static void put_unless_newer_names_the_newer_number(void **state)
{
    (void)state;
    uint64_t newer = 0;
    assert_ok(masstree_put_unless_newer_at(tree, NULL, "key", 3, 5, MASSTREE_VERSION_VALUE, "5", 1,
                                           &newer));
    assert_status(MASSTREE_MISMATCH,
                  masstree_put_unless_newer_at(tree, NULL, "key", 3, 4, MASSTREE_VERSION_VALUE,
                                               "4", 1, &newer));
    assert_int_equal(5, newer);
    assert_status(MASSTREE_EXISTS,
                  masstree_put_unless_newer_at(tree, NULL, "key", 3, 5, MASSTREE_VERSION_VALUE,
                                               "5", 1, NULL));
    assert_nothing("key", 4);
}

static void many_versions_are_stored_and_read_at_once(void **state)
{
    (void)state;
    masstree_slice_t keys[4] = {SLICE("a"), SLICE("b"), {NULL, 1}, SLICE("a")};
    masstree_slice_t values[4] = {SLICE("1"), SLICE("2"), SLICE("3"), SLICE("4")};
    uint64_t seqnos[4] = {1, 2, 3, 4};
    uint32_t kinds[4] = {0, 0, 0, 9};
    int32_t statuses[4];
    assert_status(MASSTREE_INVALID,
                  masstree_put_many_at(tree, guard, keys, seqnos, kinds, values, 4, statuses));
    assert_ok(statuses[0]);
    assert_ok(statuses[1]);
    assert_int_equal(MASSTREE_INVALID, statuses[2]);
    assert_int_equal(MASSTREE_INVALID, statuses[3]);
    assert_ok(masstree_put_many_at(tree, guard, keys, seqnos, NULL, NULL, 1, statuses));
    assert_int_equal(MASSTREE_EXISTS, statuses[0]);
    assert_ok(masstree_put_many_at(tree, NULL, NULL, NULL, NULL, NULL, 0, NULL));
    assert_ok(masstree_remove_range_at(tree, guard, "b", 1, "c", 1, 3));
    masstree_version_t versions[4];
    keys[2] = SLICE("x");
    keys[3] = (masstree_slice_t){NULL, 1};
    assert_status(MASSTREE_INVALID,
                  masstree_get_many_at(tree, guard, keys, 4, 9, versions, statuses));
    assert_ok(statuses[0]);
    assert_slice("1", 1, (masstree_slice_t){versions[0].value, versions[0].value_len});
    assert_int_equal(MASSTREE_DELETED, statuses[1]);
    assert_int_equal(3, versions[1].seqno);
    assert_int_equal(MASSTREE_NOT_FOUND, statuses[2]);
    assert_int_equal(MASSTREE_INVALID, statuses[3]);
    assert_ok(masstree_get_many_at(tree, guard, keys, 2, 2, NULL, NULL));
}

struct merged {
    char text[32];
    size_t count;
    size_t most;
};

static int32_t merge(const void *key, size_t key_len, const masstree_version_t *version, void *ctx)
{
    struct merged *merged = ctx;
    assert_slice("key", 3, (masstree_slice_t){key, key_len});
    strncat(merged->text, version->value, version->value_len);
    merged->count++;
    return merged->count == merged->most ? -100 : MASSTREE_VISIT_CONTINUE;
}

static void operands_are_visited_down_to_the_value(void **state)
{
    (void)state;
    struct merged merged = {.most = 99};
    size_t visited = 0;
    assert_status(MASSTREE_NOT_FOUND,
                  masstree_get_operands_at(tree, NULL, "key", 3, 9, merge, &merged, &visited));
    assert_ok(PUT(tree, "key", 1, "old"));
    assert_ok(PUT(tree, "key", 2, "base"));
    assert_ok(masstree_put_at(tree, NULL, "key", 3, 5, MASSTREE_VERSION_MERGE, "+b", 2));
    assert_ok(masstree_put_at(tree, NULL, "key", 3, 3, MASSTREE_VERSION_MERGE, "+a", 2));
    assert_ok(masstree_get_operands_at(tree, NULL, "key", 3, 9, merge, &merged, &visited));
    assert_string_equal("+b+abase", merged.text);
    assert_int_equal(3, visited);
    merged = (struct merged){.most = 1};
    assert_status(-100, masstree_get_operands_at(tree, guard, "key", 3, 4, merge, &merged, &visited));
    assert_string_equal("+a", merged.text);
    assert_int_equal(1, visited);
    assert_ok(masstree_put_at(tree, NULL, "key", 3, 7, MASSTREE_VERSION_TOMBSTONE, "t", 1));
    merged = (struct merged){.most = 99};
    assert_status(MASSTREE_DELETED,
                  masstree_get_operands_at(tree, guard, "key", 3, 8, merge, &merged, &visited));
    assert_string_equal("t", merged.text);
}

static void groups_become_visible_as_a_whole(void **state)
{
    (void)state;
    uint64_t first = 0, second = 0, visible = 0;
    assert_ok(PUT(tree, "a", 10, "old"));
    assert_ok(masstree_next_seqno(tree, 2, &first));
    assert_ok(masstree_next_seqno(tree, 1, &second));
    assert_int_equal(11, first);
    assert_int_equal(13, second);
    assert_ok(PUT(tree, "a", first, "new"));
    assert_ok(PUT(tree, "b", first + 1, "new"));
    assert_version("a", MASSTREE_SEQNO_LATEST, 10, "old");
    assert_ok(masstree_publish(tree, second, &visible));
    assert_int_equal(10, visible);
    masstree_snapshot_t *snapshot = NULL;
    assert_ok(masstree_snapshot_open(tree, &snapshot));
    assert_int_equal(10, masstree_snapshot_seqno(snapshot));
    assert_ok(masstree_publish(tree, first, &visible));
    assert_int_equal(13, visible);
    assert_version("a", MASSTREE_SEQNO_LATEST, first, "new");
    assert_version("b", MASSTREE_SEQNO_LATEST, first + 1, "new");
    assert_version("a", masstree_snapshot_seqno(snapshot), 10, "old");
    masstree_snapshot_close(snapshot);
    assert_status(MASSTREE_TOO_OLD, PUT(tree, "c", 12, "late"));
    assert_status(MASSTREE_TOO_OLD, masstree_put_unless_newer_at(tree, NULL, "c", 1, 12, 0, "", 0,
                                                                 NULL));
    assert_status(MASSTREE_TOO_OLD, masstree_remove_range_at(tree, NULL, "c", 1, "d", 1, 12));
    masstree_slice_t key = SLICE("c");
    uint64_t late = 12;
    assert_status(MASSTREE_TOO_OLD,
                  masstree_put_many_at(tree, NULL, &key, &late, NULL, NULL, 1, NULL));
    for (size_t i = 0; i < 64; i++) {
        assert_ok(masstree_next_seqno(tree, 1, &first));
    }
    assert_status(MASSTREE_BUSY, masstree_next_seqno(tree, 1, &first));
}

static void sealed_tree_is_read_only(void **state)
{
    (void)state;
    assert_ok(PUT(tree, "a", 1, "kept"));
    assert_ok(masstree_seal(tree));
    assert_ok(masstree_seal(tree));
    masstree_slice_t key = SLICE("a");
    uint64_t seqno = 2;
    assert_status(MASSTREE_READ_ONLY, PUT(tree, "a", 2, ""));
    assert_status(MASSTREE_READ_ONLY,
                  masstree_put_unless_newer_at(tree, NULL, "a", 1, 2, 0, "", 0, NULL));
    assert_status(MASSTREE_READ_ONLY,
                  masstree_put_many_at(tree, NULL, &key, &seqno, NULL, NULL, 1, NULL));
    assert_status(MASSTREE_READ_ONLY, masstree_remove_range_at(tree, NULL, "a", 1, "b", 1, 2));
    assert_status(MASSTREE_READ_ONLY, masstree_trim_versions(tree, 1, 0, NULL));
    assert_version("a", 2, 1, "kept");
    masstree_version_stats_t stats = MASSTREE_VERSION_STATS_INIT;
    assert_ok(masstree_stats_versions(tree, guard, &stats));
    assert_int_equal(1, stats.sealed);
}

static int32_t stop_at_once(const void *key, size_t key_len, const masstree_version_t *version,
                            void *ctx)
{
    (void)key;
    (void)key_len;
    (void)version;
    (void)ctx;
    return MASSTREE_VISIT_STOP;
}

/* What is under way when memory runs out. */
struct scarce {
    masstree_t *tree;
    masstree_cursor_t *cursor;
    masstree_snapshot_t *snapshot;
};

static char long_key[500];

static int32_t lengthen(struct scarce *s)
{
    return PUT(s->tree, "key", 9, "the list becomes long");
}

static int32_t put_unless_newer(struct scarce *s)
{
    return masstree_put_unless_newer_at(s->tree, NULL, "new", 3, 9, MASSTREE_VERSION_VALUE, "v", 1,
                                        NULL);
}

static int32_t put_many(struct scarce *s)
{
    masstree_slice_t key = SLICE("many");
    uint64_t seqno = 9;
    int32_t status = 0;
    int32_t answer = masstree_put_many_at(s->tree, NULL, &key, &seqno, NULL, &key, 1, &status);
    assert_int_equal(answer, status);
    return answer;
}

static int32_t remove_range(struct scarce *s)
{
    return masstree_remove_range_at(s->tree, NULL, "a", 1, "c", 1, 4);
}

static int32_t scan_numbered(struct scarce *s)
{
    return masstree_scan_at(s->tree, NULL, NULL, MASSTREE_SEQNO_LATEST, stop_at_once, NULL, NULL);
}

static int32_t scan_all(struct scarce *s)
{
    return masstree_scan_versions(s->tree, NULL, NULL, stop_at_once, NULL, NULL);
}

static int32_t open_at(struct scarce *s)
{
    masstree_cursor_t *opened = NULL;
    int32_t answer = masstree_cursor_open_at(s->tree, NULL, MASSTREE_SEQNO_LATEST, &opened);
    masstree_cursor_close(opened);
    return answer;
}

static int32_t open_versions(struct scarce *s)
{
    masstree_cursor_t *opened = NULL;
    int32_t answer = masstree_cursor_open_versions(s->tree, NULL, 0, &opened);
    masstree_cursor_close(opened);
    return answer;
}

static int32_t seek_version(struct scarce *s)
{
    return masstree_cursor_seek_at(s->cursor, "a", 1, 5, MASSTREE_SEEK_GE);
}

static int32_t open_snapshot(struct scarce *s)
{
    masstree_snapshot_t *opened = NULL;
    int32_t answer = masstree_snapshot_open(s->tree, &opened);
    masstree_snapshot_close(opened);
    return answer;
}

/* The budget ends within a key, whose copy may lack memory after versions were freed. */
static int32_t trim(struct scarce *s)
{
    int32_t answer = masstree_trim_versions(s->tree, 8, 3, NULL);
    return answer == MASSTREE_END ? MASSTREE_OK : answer;
}

static struct scarce begin_scarce(struct allocator *allocator)
{
    struct scarce s = {.tree = new_tree_of(allocator, MASSTREE_VALUES_VERSIONED)};
    assert_ok(masstree_put_at(s.tree, NULL, long_key, sizeof long_key, 1, MASSTREE_VERSION_VALUE,
                              NULL, 0));
    assert_ok(masstree_snapshot_open(s.tree, &s.snapshot));
    for (uint64_t seqno = 1; seqno <= 8; seqno++) {
        assert_ok(PUT(s.tree, "key", seqno, "value"));
    }
    assert_ok(masstree_remove_range_at(s.tree, NULL, "a", 1, "b", 1, 3));
    assert_ok(masstree_cursor_open_versions(s.tree, NULL, 0, &s.cursor));
    return s;
}

/* Runs the call while each of its allocations fails, and then again. */
static void run_scarce(int32_t (*run)(struct scarce *))
{
    size_t failures = 1;
    for (size_t fail_at = 1; failures != 0; fail_at++) {
        struct allocator allocator;
        allocator_start(&allocator);
        struct scarce s = begin_scarce(&allocator);
        allocator.fail_at = allocator.calls + fail_at;
        int32_t answer = run(&s);
        failures = allocator.failures;
        assert_true(answer == MASSTREE_OK || (answer == MASSTREE_NOMEM && failures > 0));
        assert_true(fail_at > 1 || failures > 0);
        masstree_version_stats_t stats = MASSTREE_VERSION_STATS_INIT;
        assert_ok(masstree_stats_versions(s.tree, NULL, &stats));
        if (answer == MASSTREE_NOMEM) {
            assert_int_equal(9, stats.versions);
            assert_int_equal(1, stats.range_tombstones);
            assert_int_equal(1, stats.snapshots);
        }
        allocator.fail_at = 0;
        assert_consistent(s.tree);
        if (answer == MASSTREE_NOMEM) {
            assert_ok(run(&s));
        }
        masstree_cursor_close(s.cursor);
        masstree_snapshot_close(s.snapshot);
        end_tree(s.tree);
        allocator_end(&allocator);
    }
}

/* Put back: in `put`, forget the new version, or count it, before the head is allocated; in `add`
   of `range_tombstones`, lose the set if the list cannot be allocated; in `trim`, return
   OutOfMemory also if versions were freed. */
static void running_out_of_memory_changes_nothing(void **state)
{
    (void)state;
    memset(long_key, 'A', sizeof long_key);
    int32_t (*const runs[])(struct scarce *) = {
        lengthen, put_unless_newer, put_many,      remove_range, scan_numbered, scan_all,
        open_at,  open_versions,    seek_version, open_snapshot, trim,
    };
    for (size_t i = 0; i < COUNT(runs); i++) {
        run_scarce(runs[i]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(reads_see_the_newest_version_at_their_number, make, end),
        cmocka_unit_test_setup_teardown(tombstones_and_ranges_delete_what_is_older, make, end),
        cmocka_unit_test_setup_teardown(bad_arguments_are_refused, make, end),
        cmocka_unit_test_setup_teardown(put_unless_newer_names_the_newer_number, make, end),
        cmocka_unit_test_setup_teardown(many_versions_are_stored_and_read_at_once, make, end),
        cmocka_unit_test_setup_teardown(operands_are_visited_down_to_the_value, make, end),
        cmocka_unit_test_setup_teardown(groups_become_visible_as_a_whole, make, end),
        cmocka_unit_test_setup_teardown(sealed_tree_is_read_only, make, end),
        cmocka_unit_test(running_out_of_memory_changes_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
