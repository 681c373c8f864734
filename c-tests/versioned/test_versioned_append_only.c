/* Append-only trees: reads without guards, of memory that stays until the tree is destroyed. */
#include "support.h"

static masstree_t *tree;
static struct allocator memory;

static int make(void **state)
{
    (void)state;
    allocator_start(&memory);
    masstree_options_t options = allocator_options(&memory, MASSTREE_VALUES_VERSIONED);
    options.version_flags = MASSTREE_VERSIONS_APPEND_ONLY;
    assert_ok(masstree_create(&options, &tree));
    return 0;
}

static int end(void **state)
{
    (void)state;
    end_tree(tree);
    allocator_end(&memory);
    return 0;
}

static size_t key_of(uint64_t number, char *key)
{
    return (size_t)sprintf(key, "%04u and %u more", (unsigned)(number % 100), (unsigned)number);
}

static void put(uint64_t number)
{
    char key[32];
    size_t len = key_of(number, key);
    assert_ok(masstree_put_at(tree, NULL, key, len, number, MASSTREE_VERSION_VALUE, key, len));
}

static int32_t count(const void *key, size_t key_len, const masstree_version_t *version, void *ctx)
{
    assert_slice(key, key_len, (masstree_slice_t){version->value, version->value_len});
    ++*(size_t *)ctx;
    return MASSTREE_VISIT_CONTINUE;
}

enum { KEYS = 1000 };

/* Put back: in `guard_for_values`, refuse all trees. */
static void what_is_read_without_a_guard_stays(void **state)
{
    (void)state;
    masstree_version_t versions[KEYS + 1];
    char key[32];
    for (uint64_t number = 1; number <= KEYS; number++) {
        size_t len = key_of(number, key);
        put(number);
        assert_ok(masstree_get_at(tree, NULL, key, len, number, &versions[number]));
        assert_ok(masstree_remove_range_at(tree, NULL, "~", 1, "~~", 2, number));
        assert_ok(masstree_flush(tree, NULL));
    }
    assert_ok(masstree_compact(tree, NULL, 0, 1000000, NULL) == MASSTREE_END ? MASSTREE_OK : -1);
    for (uint64_t number = 1; number <= KEYS; number++) {
        size_t len = key_of(number, key);
        assert_slice(key, len, (masstree_slice_t){versions[number].value, versions[number].value_len});
        masstree_slice_t slice = {key, len};
        masstree_version_t again;
        int32_t status = -1;
        assert_ok(masstree_get_many_at(tree, NULL, &slice, 1, MASSTREE_SEQNO_LATEST, &again, &status));
        assert_ok(status);
        assert_ptr_equal(versions[number].value, again.value);
    }
}

static void every_read_takes_no_guard(void **state)
{
    (void)state;
    size_t visited = 0;
    masstree_cursor_t *cursor = NULL;
    masstree_slice_t key;
    masstree_version_t version;
    for (uint64_t number = 1; number <= KEYS; number++) {
        put(number);
    }
    assert_ok(masstree_scan_at(tree, NULL, NULL, MASSTREE_SEQNO_LATEST, count, &visited, NULL));
    assert_ok(masstree_scan_versions(tree, NULL, NULL, count, &visited, NULL));
    assert_ok(masstree_get_operands_at(tree, NULL, "0001 and 1 more", 15, 1, count, &visited, NULL));
    assert_int_equal(2 * KEYS + 1, visited);
    assert_ok(masstree_verify_digests(tree, NULL, NULL, NULL, NULL));
    assert_ok(masstree_cursor_open_versions(tree, NULL, 0, &cursor));
    for (visited = 0; masstree_cursor_next(cursor) == MASSTREE_OK; visited++) {
        assert_ok(masstree_cursor_key(cursor, &key));
        assert_ok(masstree_cursor_version(cursor, &version));
        assert_slice(version.value, version.value_len, key);
    }
    assert_int_equal(KEYS, visited);
    masstree_cursor_close(cursor);
    assert_slice(version.value, version.value_len, SLICE("0099 and 999 more"));
}

/* Put back: in `retire`, do not ask whether the domain keeps everything; in `trim`, do not refuse. */
static void nothing_is_freed_and_limbo_says_so(void **state)
{
    (void)state;
    size_t freed = 77;
    masstree_stats_t stats = MASSTREE_STATS_INIT;
    for (uint64_t number = 1; number <= KEYS; number++) {
        put(number);
    }
    assert_ok(masstree_barrier(tree));
    assert_ok(masstree_stats(tree, NULL, &stats));
    assert_true(stats.limbo_objects > 10);
    assert_true(stats.limbo_bytes > 1000);
    assert_status(MASSTREE_WRONG_KIND, masstree_trim_versions(tree, 10, 0, &freed));
    assert_int_equal(77, freed);
    assert_ok(masstree_seal(tree));
    assert_status(MASSTREE_WRONG_KIND, masstree_trim_versions(tree, 10, 0, &freed));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(what_is_read_without_a_guard_stays, make, end),
        cmocka_unit_test_setup_teardown(every_read_takes_no_guard, make, end),
        cmocka_unit_test_setup_teardown(nothing_is_freed_and_limbo_says_so, make, end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
