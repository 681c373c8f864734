/* Observations of cursors, step by step; and observations while each allocation fails once. */
#include "observing.h"

/* The leaves that a cursor's calls have read, step by step. */
static void cursor_is_proved_step_by_step(void **state)
{
    struct subject *subject = *state;
    masstree_cursor_t *cursor = NULL;
    struct observations seen = {.count = 0};
    assert_ok(masstree_cursor_open(subject->tree, NULL, &cursor));
    assert_status(MASSTREE_END, masstree_cursor_first(cursor));
    add_cursor_observations(cursor, &seen);
    assert_int_equal(0, seen.count);
    assert_ok(masstree_cursor_track(cursor));
    add_cursor_observations(cursor, &seen);
    assert_int_equal(0, seen.count);
    /* The end of an empty tree, in both directions. */
    assert_status(MASSTREE_END, masstree_cursor_first(cursor));
    add_cursor_observations(cursor, &seen);
    assert_status(MASSTREE_END, masstree_cursor_last(cursor));
    add_cursor_observations(cursor, &seen);
    assert_int_equal(2, seen.count);
    assert_true(all_hold(subject->tree, &seen));
    for (uint64_t i = 1; i <= 200; i++) {
        put_key(subject, NULL, number_key(10 * i));
    }
    assert_false(all_hold(subject->tree, &seen));
    for (uint64_t i = 1; i <= 200; i++) {
        seen.count = 0;
        assert_ok(masstree_cursor_next(cursor));
        add_cursor_observations(cursor, &seen);
        assert_true(seen.count > 0 && all_hold(subject->tree, &seen));
        /* A key between the previous one and this. */
        put_key(subject, NULL, number_key(10 * i - 5));
        assert_false(all_hold(subject->tree, &seen));
        remove_key(subject, NULL, number_key(10 * i - 5));
    }
    seen.count = 0;
    assert_status(MASSTREE_END, masstree_cursor_next(cursor));
    add_cursor_observations(cursor, &seen);
    assert_true(seen.count > 0 && all_hold(subject->tree, &seen));
    put_key(subject, NULL, number_key(3000));
    assert_false(all_hold(subject->tree, &seen));
    remove_key(subject, NULL, number_key(3000));
    for (uint64_t i = 199; i >= 1; i--) {
        seen.count = 0;
        assert_ok(masstree_cursor_prev(cursor));
        add_cursor_observations(cursor, &seen);
        assert_true(seen.count > 0 && all_hold(subject->tree, &seen));
        put_key(subject, NULL, number_key(10 * i + 5));
        assert_false(all_hold(subject->tree, &seen));
        remove_key(subject, NULL, number_key(10 * i + 5));
    }
    seen.count = 0;
    assert_status(MASSTREE_END, masstree_cursor_prev(cursor));
    add_cursor_observations(cursor, &seen);
    assert_true(seen.count > 0 && all_hold(subject->tree, &seen));
    put_key(subject, NULL, number_key(1));
    assert_false(all_hold(subject->tree, &seen));
    const masstree_observation_t *leaves = NULL;
    assert_status(MASSTREE_INVALID, masstree_cursor_observations(cursor, NULL, &seen.count));
    assert_status(MASSTREE_INVALID, masstree_cursor_observations(cursor, &leaves, NULL));
    masstree_cursor_close(cursor);
}

/* A step out of a layer reads the leaf above again: no earlier call need prove it. */
static void step_out_of_a_layer_is_proved_by_the_leaf_above(void **state)
{
    struct subject *subject = *state;
    static const char *const beside[] = {"far below", "zebra"};
    static const char *const between[] = {"shared", "sharee"};
    static const char *const ends[] = {"shared--0", "shared--8"};
    for (unsigned way = 0; way < 2; way++) {
        masstree_cursor_t *cursor = NULL;
        struct observations seen = {.count = 0};
        put_text(subject, beside[way]);
        for (char last = '0'; last <= '8'; last++) {
            char key[] = "shared--?";
            key[8] = last;
            put_text(subject, key);
        }
        assert_ok(masstree_cursor_open(subject->tree, NULL, &cursor));
        assert_ok(masstree_cursor_track(cursor));
        assert_ok(masstree_cursor_seek(cursor, ends[way], 9, MASSTREE_SEEK_GE));
        assert_ok(way == 0 ? masstree_cursor_prev(cursor) : masstree_cursor_next(cursor));
        add_cursor_observations(cursor, &seen);
        assert_true(all_hold(subject->tree, &seen));
        put_text(subject, between[way]);
        assert_false(all_hold(subject->tree, &seen));
        masstree_cursor_close(cursor);
        assert_ok(masstree_clear(subject->tree, NULL));
    }
}

/* Every allocation fails once, in trees of either kind. */
struct failing {
    struct allocator allocator;
    struct subject subject;
    size_t refused;
};

static bool again(struct failing *failing, int32_t status)
{
    bool failed = failing->allocator.failures > 0;
    REQUIRE(status == MASSTREE_OK || (failed && status == MASSTREE_NOMEM));
    failing->allocator.failures = 0;
    failing->allocator.fail_at = failed ? 0 : failing->allocator.fail_at;
    failing->refused += status == MASSTREE_NOMEM ? 1 : 0;
    return status == MASSTREE_NOMEM;
}

static int32_t count_key(const void *key, size_t key_len, uint64_t value, void *ctx)
{
    (void)key;
    (void)key_len;
    (void)value;
    (void)ctx;
    return MASSTREE_VISIT_CONTINUE;
}

static int32_t count_bytes(const void *key, size_t key_len, const void *value, size_t value_len,
                           void *ctx)
{
    (void)value;
    return count_key(key, key_len, value_len, ctx);
}

/* A leaf is passed before the keys from it, also by a scan that stops early. */
static void scan_failing(struct failing *failing, uint32_t flags)
{
    const struct subject *subject = &failing->subject;
    masstree_range_t range = MASSTREE_RANGE_INIT;
    struct observations seen;
    int32_t status;
    range.flags = flags;
    do {
        seen.count = 0;
        status = subject->bytes
                     ? masstree_scan_bytes_observed(subject->tree, NULL, &range, collect,
                                                    count_bytes, &seen, NULL)
                     : masstree_scan_observed(subject->tree, NULL, &range, collect, count_key,
                                              &seen, NULL);
        assert_true(all_hold(subject->tree, &seen));
    } while (again(failing, status));
    assert_true(seen.count > 5);
}

static void walk_failing(struct failing *failing)
{
    const struct subject *subject = &failing->subject;
    masstree_cursor_t *cursor = NULL;
    struct observations seen = {.count = 0};
    masstree_slice_t keys[64];
    int32_t status;
    size_t count = 0;
    do {
        status = masstree_cursor_open(subject->tree, NULL, &cursor);
    } while (again(failing, status));
    assert_ok(masstree_cursor_track(cursor));
    for (size_t step = 0; step < 30; step++) {
        do {
            seen.count = 0;
            status = step % 10 == 9 ? masstree_cursor_next_many(cursor, keys, NULL, 64, &count)
                     : step % 10 == 8
                         ? masstree_cursor_seek_u64(cursor, step, MASSTREE_SEEK_GE)
                         : masstree_cursor_next(cursor);
            add_cursor_observations(cursor, &seen);
            assert_true(all_hold(subject->tree, &seen));
        } while (again(failing, status));
        assert_true(seen.count > 0);
    }
    masstree_cursor_close(cursor);
}

static void allocations_may_fail(void **state)
{
    const struct subject *given = *state;
    size_t refused = 0;
    size_t runs = 0;
    for (bool goes_on = true; goes_on; runs++) {
        static struct failing failing;
        memset(&failing, 0, sizeof failing);
        allocator_start(&failing.allocator);
        failing.subject.bytes = given->bytes;
        failing.subject.tree =
            new_tree_of(&failing.allocator,
                        given->bytes ? MASSTREE_VALUES_BYTES : MASSTREE_VALUES_WORDS);
        for (uint64_t i = 0; i < 60; i++) {
            struct key key = {.len = 0};
            key.len = family_key(FAMILY_PREFIX24, i, key.bytes);
            put_key(&failing.subject, NULL, key);
            put_key(&failing.subject, NULL, number_key(i));
        }
        failing.allocator.failures = 0;
        failing.allocator.fail_at = failing.allocator.calls + runs + 1;
        scan_failing(&failing, 0);
        scan_failing(&failing, MASSTREE_SCAN_REVERSE);
        walk_failing(&failing);
        goes_on = failing.allocator.calls >= failing.allocator.fail_at;
        failing.allocator.fail_at = 0;
        refused += failing.refused;
        end_tree(failing.subject.tree);
        allocator_end(&failing.allocator);
    }
    print_message("%zu runs, %zu refusals\n", runs, refused);
    assert_true(refused > 5);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_BOTH_KINDS(cursor_is_proved_step_by_step),
        WITH_BOTH_KINDS(step_out_of_a_layer_is_proved_by_the_leaf_above),
        WITH_BOTH_KINDS(allocations_may_fail),
    };
    return cmocka_run_group_tests_name("observe_cursor", tests, NULL, NULL);
}
