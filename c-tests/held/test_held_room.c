/* Room that is made for a key which is then inserted, or not: leaves without a key, as readers
   and other writers find them. */
#include "observing.h"

static int32_t count_visit(const void *key, size_t key_len, uint64_t value, void *ctx)
{
    (void)key;
    (void)key_len;
    (void)value;
    ++*(size_t *)ctx;
    return MASSTREE_VISIT_CONTINUE;
}

static int32_t count_pivot(const void *key, size_t key_len, size_t index, void *ctx)
{
    return count_visit(key, key_len, index, ctx);
}

static void write_nothing(const char *text, size_t len, void *ctx)
{
    (void)text;
    *(size_t *)ctx += len;
}

static void assert_cursor_meets(const struct subject *subject, size_t keys)
{
    masstree_cursor_t *cursor = NULL;
    assert_ok(masstree_cursor_open(subject->tree, subject->guard, &cursor));
    for (unsigned reverse = 0; reverse < 2; reverse++) {
        size_t met = 0;
        int32_t status = reverse ? masstree_cursor_last(cursor) : masstree_cursor_first(cursor);
        for (; status == MASSTREE_OK; met++) {
            status = reverse ? masstree_cursor_prev(cursor) : masstree_cursor_next(cursor);
        }
        assert_status(MASSTREE_END, status);
        assert_int_equal(keys, met);
    }
    masstree_cursor_close(cursor);
}

/* All kinds of reads visit the held leaf, which may have no key. */
static void assert_readable(const struct subject *subject, size_t keys)
{
    masstree_stats_t stats = MASSTREE_STATS_INIT;
    masstree_range_t reverse = MASSTREE_RANGE_INIT;
    size_t count = 0;
    size_t visits = 0;
    reverse.flags = MASSTREE_SCAN_REVERSE;
    assert_cursor_meets(subject, keys);
    assert_ok(masstree_count(subject->tree, subject->guard, NULL, &count));
    assert_int_equal(keys, count);
    assert_ok(masstree_scan(subject->tree, subject->guard, &reverse, count_visit, &visits, &count));
    assert_int_equal(keys, count);
    stats.flags = MASSTREE_STATS_NODES;
    assert_ok(masstree_stats(subject->tree, subject->guard, &stats));
    assert_int_equal(keys, stats.keys);
    assert_ok(masstree_pivots(subject->tree, subject->guard, 4, count_pivot, &visits, &count));
    assert_ok(masstree_dump(subject->tree, subject->guard, MASSTREE_DUMP_TEXT, write_nothing,
                            &visits));
}

static uint64_t leaves_of(const struct subject *subject)
{
    masstree_stats_t stats = MASSTREE_STATS_INIT;
    stats.flags = MASSTREE_STATS_NODES;
    assert_ok(masstree_stats(subject->tree, subject->guard, &stats));
    return stats.leaves;
}

/* At each position of a full leaf, which is the first, the last, between others, or the only
   one. */
static void room_for_nothing_leaves_no_empty_leaf(void **state)
{
    enum { LEAF_KEYS = 15, LEAVES = 3 };
    const int32_t actions[] = {MASSTREE_ACTION_KEEP, MASSTREE_ACTION_REMOVE};
    const struct subject *subject = *state;
    for (uint64_t leaves = 1; leaves <= LEAVES; leaves++) {
        uint64_t keys = leaves * LEAF_KEYS;
        for (uint64_t place = 0; place <= keys; place++) {
            masstree_held_t held;
            for (uint64_t i = 0; i < keys; i++) {
                put_key(subject, NULL, number_key(10 + 10 * i));
            }
            assert_int_equal(leaves, leaves_of(subject));
            struct key key = number_key(5 + 10 * place);
            assert_status(MASSTREE_NOT_FOUND,
                          hold_key(subject, &key, MASSTREE_HOLD_INSERT, &held, NULL));
            assert_int_equal(leaves + 1, leaves_of(subject));
            assert_readable(subject, keys);
            assert_ok(masstree_held_finish(&held, actions[place % 2], 1, NULL));
            assert_consistent(subject->tree);
            assert_readable(subject, keys);
            /* A key before the first key of a leaf, or after the last, gets its own leaf. */
            bool was_alone = place % LEAF_KEYS == 0;
            assert_int_equal(was_alone ? leaves : leaves + 1, leaves_of(subject));
            assert_ok(masstree_clear(subject->tree, NULL));
            masstree_guard_refresh(subject->guard);
        }
    }
}

static void walk_observed(const struct subject *subject, bool reverse, struct observations *set)
{
    masstree_cursor_t *cursor = NULL;
    assert_ok(masstree_cursor_open(subject->tree, subject->guard, &cursor));
    assert_ok(masstree_cursor_track(cursor));
    int32_t status = reverse ? masstree_cursor_last(cursor) : masstree_cursor_first(cursor);
    while (true) {
        const masstree_observation_t *leaves = NULL;
        size_t count = 0;
        assert_ok(masstree_cursor_observations(cursor, &leaves, &count));
        for (size_t i = 0; i < count; i++) {
            (void)collect(&leaves[i], set);
        }
        if (status == MASSTREE_END) {
            break;
        }
        status = reverse ? masstree_cursor_prev(cursor) : masstree_cursor_next(cursor);
    }
    masstree_cursor_close(cursor);
}

/* A read that passes a leaf without a key observes it: the key may be inserted. */
static void key_inserted_into_a_leaf_without_keys_is_no_phantom(void **state)
{
    static struct observations set;
    const struct subject *subject = *state;
    static const uint64_t keys[] = {5, 75, 155};
    for (unsigned way = 0; way < 4 * COUNT(keys); way++) {
        masstree_range_t all = MASSTREE_RANGE_INIT;
        masstree_held_t held;
        bool is_there;
        for (uint64_t i = 0; i < 15; i++) {
            put_key(subject, NULL, number_key(10 + 10 * i));
        }
        struct key key = number_key(keys[way / 4]);
        assert_status(MASSTREE_NOT_FOUND,
                      hold_key(subject, &key, MASSTREE_HOLD_INSERT, &held, NULL));
        set.count = 0;
        all.flags = way % 2 == 0 ? 0 : MASSTREE_SCAN_REVERSE;
        if (way % 4 < 2) {
            assert_int_equal(15, scan_range(subject, subject->guard, &all, &set).keys);
        } else {
            walk_observed(subject, way % 2 != 0, &set);
        }
        assert_true(all_hold(subject->tree, &set));
        assert_ok(masstree_held_finish(&held, MASSTREE_ACTION_SET, 1, NULL));
        (void)observe_key(subject, key, &is_there);
        assert_true(is_there);
        assert_false(all_hold(subject->tree, &set));
        assert_ok(masstree_clear(subject->tree, NULL));
        masstree_guard_refresh(subject->guard);
    }
}

/* The same leaves as by inserts: also the merging of those whose groups became links. */
static void holding_and_setting_keys_builds_the_same_tree_as_puts(void **state)
{
    const struct subject *subject = *state;
    enum { KEYS = 20000 };
    uint64_t seed = seed_of(1);
    for (unsigned order = 0; order < 2; order++) {
        struct subject other = {.tree = new_tree()};
        uint64_t random = seed + order;
        for (size_t i = 0; i < KEYS; i++) {
            struct key key = {0};
            masstree_held_t held;
            size_t number = order == 0 ? i : random_below(&random, KEYS);
            /* Groups of twenty keys that differ at the end only. */
            key.len = (size_t)snprintf((char *)key.bytes, sizeof key.bytes,
                                       "%08zu/group of many/%02zu", number / 20 * 7919 % 1000003,
                                       number % 20);
            put_key(&other, NULL, key);
            int32_t status = hold_key(subject, &key, MASSTREE_HOLD_INSERT, &held, NULL);
            assert_in_range(status, MASSTREE_OK, MASSTREE_NOT_FOUND);
            assert_ok(masstree_held_finish(&held, MASSTREE_ACTION_SET, 1, NULL));
        }
        assert_int_equal(tree_len(other.tree), tree_len(subject->tree));
        assert_int_equal(leaves_of(&other), leaves_of(subject));
        assert_consistent(subject->tree);
        end_tree(other.tree);
        assert_ok(masstree_clear(subject->tree, NULL));
        masstree_guard_refresh(subject->guard);
    }
}

/* Other threads remove the keys beside it while a leaf without a key is held. */
static void *remove_all(void *arg)
{
    const struct subject *subject = arg;
    for (uint64_t i = 0; i < 15; i++) {
        remove_key(subject, NULL, number_key(10 + 10 * i));
    }
    return NULL;
}

static void leaf_without_a_key_may_be_the_last(void **state)
{
    struct subject *subject = *state;
    static const struct {
        uint64_t key;
        int32_t action;
    } cases[] = {{5, MASSTREE_ACTION_KEEP},
                 {5, MASSTREE_ACTION_SET},
                 {500, MASSTREE_ACTION_KEEP},
                 {500, MASSTREE_ACTION_SET}};
    for (size_t i = 0; i < COUNT(cases); i++) {
        masstree_held_t held;
        pthread_t thread;
        bool is_there;
        for (uint64_t number = 0; number < 15; number++) {
            put_key(subject, NULL, number_key(10 + 10 * number));
        }
        struct key key = number_key(cases[i].key);
        assert_status(MASSTREE_NOT_FOUND,
                      hold_key(subject, &key, MASSTREE_HOLD_INSERT, &held, NULL));
        assert_int_equal(0, pthread_create(&thread, NULL, remove_all, subject));
        /* The last key is gone before the other thread may have to wait for the held leaf. */
        do {
            (void)observe_key(subject, key, &is_there);
            (void)observe_key(subject, number_key(150), &is_there);
        } while (is_there);
        assert_ok(masstree_held_finish(&held, cases[i].action, 7, NULL));
        assert_int_equal(0, pthread_join(thread, NULL));
        bool sets = cases[i].action == MASSTREE_ACTION_SET;
        assert_consistent(subject->tree);
        assert_int_equal(sets ? 1 : 0, tree_len(subject->tree));
        assert_int_equal(1, leaves_of(subject));
        put_key(subject, NULL, number_key(77));
        assert_ok(masstree_clear(subject->tree, NULL));
        masstree_guard_refresh(subject->guard);
    }
}

/* Holds each key that a scan visits, and changes it or its neighbour. */
static int32_t hold_what_is_met(const void *key, size_t key_len, uint64_t value, void *ctx)
{
    static const int32_t actions[] = {MASSTREE_ACTION_SET, MASSTREE_ACTION_REMOVE,
                                      MASSTREE_ACTION_KEEP};
    const struct subject *subject = ctx;
    unsigned char next[9] = {0};
    masstree_held_t held;
    uint64_t number = 0;
    uint64_t found = 0;
    REQUIRE(masstree_u64_from_key(key, key_len, &number) == MASSTREE_OK);
    REQUIRE(masstree_hold(subject->tree, subject->guard, key, key_len, 0, &held, &found) ==
            MASSTREE_OK);
    REQUIRE(found == value);
    REQUIRE(masstree_held_finish(&held, actions[number % 3], 7, NULL) == MASSTREE_OK);
    /* After the key, before the next one: the scan must not visit it. */
    memcpy(next, key, 8);
    REQUIRE(masstree_hold(subject->tree, subject->guard, next, 9, MASSTREE_HOLD_INSERT, &held,
                          NULL) == MASSTREE_NOT_FOUND);
    REQUIRE(masstree_held_finish(&held, MASSTREE_ACTION_KEEP, 0, NULL) == MASSTREE_OK);
    return MASSTREE_VISIT_CONTINUE;
}

static void visitors_of_scans_may_hold(void **state)
{
    struct subject *subject = *state;
    enum { KEYS = 300 };
    for (uint32_t reverse = 0; reverse < 2; reverse++) {
        masstree_range_t range = MASSTREE_RANGE_INIT;
        size_t visited = 0;
        range.flags = reverse ? MASSTREE_SCAN_REVERSE : 0;
        for (uint64_t i = 0; i < KEYS; i++) {
            put_key(subject, NULL, number_key(i));
        }
        assert_ok(masstree_scan(subject->tree, subject->guard, &range, hold_what_is_met, subject,
                                &visited));
        assert_int_equal(KEYS, visited);
        assert_int_equal(KEYS / 3 * 2, tree_len(subject->tree));
        for (uint64_t i = 0; i < KEYS; i++) {
            uint64_t value = 0;
            assert_status(i % 3 == 1 ? MASSTREE_NOT_FOUND : MASSTREE_OK,
                          masstree_get_u64(subject->tree, NULL, i, &value));
            assert_int_equal(i % 3 == 0 ? 7 : i % 3 == 1 ? 0 : 1, value);
        }
        assert_consistent(subject->tree);
        masstree_guard_refresh(subject->guard);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_WORDS(room_for_nothing_leaves_no_empty_leaf),
        WITH_WORDS(key_inserted_into_a_leaf_without_keys_is_no_phantom),
        WITH_WORDS(holding_and_setting_keys_builds_the_same_tree_as_puts),
        WITH_WORDS(leaf_without_a_key_may_be_the_last),
        WITH_WORDS(visitors_of_scans_may_hold),
    };
    return cmocka_run_group_tests_name("held_room", tests, NULL, NULL);
}
