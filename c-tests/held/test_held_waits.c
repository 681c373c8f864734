/* Which calls wait for a held leaf, and which do not: the list at masstree_hold, call by call.
   A call that does not wait ends while the leaf is held, or this test would not. One that does has
   not ended when the leaf is finished; that it cannot have, the models show
   (src/index/tree/models/held.rs, operations_on_a_held_leaf_wait_for_it). */
#include "waits_trees.h"

#include <sched.h>
#include <stdatomic.h>

/* A call of another thread, and its arguments. */
struct visit {
    masstree_t *tree;
    masstree_observation_t leaf; /* the held one */
    void (*run)(struct visit *);
    atomic_bool has_begun;
    atomic_bool has_ended;
};

/* Calls. */
static void get(struct visit *visit)
{
    masstree_observation_t leaf;
    uint64_t key = HELD;
    uint64_t value = 0;
    int32_t status = MASSTREE_INVALID;
    REQUIRE(masstree_get_u64(visit->tree, NULL, HELD, &value) == MASSTREE_OK && value == 1);
    REQUIRE(masstree_contains_u64(visit->tree, NULL, HELD) == MASSTREE_OK);
    REQUIRE(masstree_get_many_u64(visit->tree, NULL, &key, sizeof key, 1, &value, &status) ==
            MASSTREE_OK);
    REQUIRE(masstree_get_u64_observed(visit->tree, NULL, HELD, &value, &leaf) == MASSTREE_OK);
    REQUIRE(memcmp(&leaf, &visit->leaf, sizeof leaf) == 0);
}

static int32_t go_on(const void *key, size_t key_len, uint64_t value, void *ctx)
{
    (void)key;
    (void)key_len;
    (void)value;
    (void)ctx;
    return MASSTREE_VISIT_CONTINUE;
}

static int32_t go_on_pivot(const void *key, size_t key_len, size_t index, void *ctx)
{
    return go_on(key, key_len, index, ctx);
}

static int32_t go_on_leaf(const masstree_observation_t *leaf, void *ctx)
{
    (void)leaf;
    (void)ctx;
    return MASSTREE_VISIT_CONTINUE;
}

static void scan_and_count(struct visit *visit)
{
    masstree_range_t range = MASSTREE_RANGE_INIT;
    size_t visited = 0;
    for (uint32_t reverse = 0; reverse < 2; reverse++) {
        range.flags = reverse ? MASSTREE_SCAN_REVERSE : 0;
        REQUIRE(masstree_scan(visit->tree, NULL, &range, go_on, NULL, &visited) == MASSTREE_OK);
        REQUIRE(visited == 10 * LEAF);
        REQUIRE(masstree_scan_observed(visit->tree, NULL, &range, go_on_leaf, go_on, NULL,
                                       &visited) == MASSTREE_OK);
        REQUIRE(masstree_count(visit->tree, NULL, &range, &visited) == MASSTREE_OK);
        REQUIRE(visited == 10 * LEAF);
    }
}

static void walk(struct visit *visit)
{
    masstree_guard_t *guard = new_guard(visit->tree);
    masstree_cursor_t *cursor = NULL;
    size_t met = 0;
    REQUIRE(masstree_cursor_open(visit->tree, guard, &cursor) == MASSTREE_OK);
    REQUIRE(masstree_cursor_track(cursor) == MASSTREE_OK);
    for (int32_t status = masstree_cursor_first(cursor); status == MASSTREE_OK; met++) {
        status = masstree_cursor_next(cursor);
    }
    for (int32_t status = masstree_cursor_last(cursor); status == MASSTREE_OK; met++) {
        status = masstree_cursor_prev(cursor);
    }
    REQUIRE(met == 20 * LEAF);
    masstree_cursor_close(cursor);
    masstree_guard_leave(guard);
}

static int32_t make_value(uint64_t *value, void *ctx)
{
    (void)ctx;
    *value = 7;
    return MASSTREE_OK;
}

static void get_or_insert(struct visit *visit)
{
    REQUIRE(masstree_get_or_insert_with_u64(visit->tree, NULL, HELD, make_value, NULL, NULL) ==
            MASSTREE_EXISTS);
}

static void write_elsewhere(struct visit *visit)
{
    for (uint64_t i = 10 * LEAF; i < 20 * LEAF; i++) {
        put_number(visit->tree, i); /* splits */
    }
    for (uint64_t i = 10 * LEAF; i < 20 * LEAF; i++) {
        REQUIRE(masstree_remove_u64(visit->tree, NULL, i, NULL) == MASSTREE_OK);
    }
}

static size_t removed_between(struct visit *visit, uint64_t lower, uint64_t upper)
{
    struct key low = number_key(lower);
    struct key high = number_key(upper);
    masstree_range_t range = MASSTREE_RANGE_INIT;
    size_t removed = 0;
    range.lower = low.bytes;
    range.lower_len = low.len;
    range.lower_bound = MASSTREE_BOUND_INCLUSIVE;
    range.upper = high.bytes;
    range.upper_len = high.len;
    range.upper_bound = MASSTREE_BOUND_EXCLUSIVE;
    REQUIRE(masstree_remove_range(visit->tree, NULL, &range, &removed) == MASSTREE_OK);
    return removed;
}

static void remove_and_pop_elsewhere(struct visit *visit)
{
    REQUIRE(removed_between(visit, 3 * LEAF, 8 * LEAF) == 5 * LEAF);
    REQUIRE(masstree_pop_last(visit->tree, NULL, NULL, NULL, 0, NULL, NULL) == MASSTREE_OK);
}

static void write_below(struct visit *visit)
{
    put_below(visit->tree, 5);
    remove_below(visit->tree, 5);
}

static void hold_elsewhere(struct visit *visit)
{
    masstree_guard_t *guard = new_guard(visit->tree);
    struct key key = number_key(5 * LEAF);
    masstree_held_t held;
    masstree_observation_t now, next;
    REQUIRE(masstree_hold(visit->tree, guard, key.bytes, key.len, 0, &held, NULL) == MASSTREE_OK);
    REQUIRE(masstree_held_observation(&held, NULL, &now) == MASSTREE_OK);
    REQUIRE(masstree_held_next(&held, MASSTREE_ACTION_REMOVE, &next) == MASSTREE_OK);
    REQUIRE(masstree_validate(visit->tree, &now, 1, NULL) == MASSTREE_OK);
    /* It does not wait, and so cannot know whether the leaf is about to change. */
    REQUIRE(masstree_validate(visit->tree, &visit->leaf, 1, NULL) == MASSTREE_MISMATCH);
    REQUIRE(masstree_held_finish(&held, MASSTREE_ACTION_REMOVE, 0, NULL) == MASSTREE_OK);
    masstree_guard_leave(guard);
}

static void validate_others(struct visit *visit)
{
    masstree_observation_t leaf;
    REQUIRE(masstree_get_u64_observed(visit->tree, NULL, 5 * LEAF, NULL, &leaf) == MASSTREE_OK);
    REQUIRE(masstree_validate(visit->tree, &leaf, 1, NULL) == MASSTREE_OK);
}

static void write_text(const char *text, size_t len, void *ctx)
{
    (void)text;
    *(size_t *)ctx += len;
}

static void inspect(struct visit *visit)
{
    masstree_stats_t stats = MASSTREE_STATS_INIT;
    masstree_guard_t *guard = new_guard(visit->tree);
    uint64_t len = 0;
    size_t sum = 0;
    stats.flags = MASSTREE_STATS_NODES;
    REQUIRE(masstree_stats(visit->tree, guard, &stats) == MASSTREE_OK);
    REQUIRE(masstree_len(visit->tree, &len) == MASSTREE_OK && len == 10 * LEAF);
    REQUIRE(masstree_dump(visit->tree, guard, MASSTREE_DUMP_TEXT, write_text, &sum) ==
            MASSTREE_OK);
    REQUIRE(masstree_pivots(visit->tree, guard, 4, go_on_pivot, NULL, NULL) == MASSTREE_OK);
    REQUIRE(masstree_flush(visit->tree, guard) == MASSTREE_OK);
    masstree_guard_refresh(guard);
    masstree_guard_leave(guard);
    /* A locked leaf may be changing. */
    REQUIRE(masstree_check(visit->tree, NULL, NULL, NULL) == MASSTREE_CORRUPT);
}

static const uint64_t loaded[] = {7, 8};

static void clear_and_load(struct visit *visit)
{
    REQUIRE(masstree_bulk_load_u64(visit->tree, NULL, loaded, sizeof loaded[0], loaded, 2, NULL) ==
            MASSTREE_EXISTS);
    REQUIRE(masstree_clear(visit->tree, NULL) == MASSTREE_OK);
    REQUIRE(masstree_bulk_load_u64(visit->tree, NULL, loaded, sizeof loaded[0], loaded, 2, NULL) ==
            MASSTREE_OK);
}

static void put_held(struct visit *visit)
{
    put_number(visit->tree, HELD);
}

static void write_nothing(struct visit *visit)
{
    REQUIRE(masstree_insert_u64(visit->tree, NULL, HELD, 9, NULL) == MASSTREE_EXISTS);
}

static void remove_absent(struct visit *visit)
{
    struct key key = text_key("");
    REQUIRE(masstree_remove(visit->tree, NULL, key.bytes, key.len, NULL) == MASSTREE_NOT_FOUND);
}

static void remove_the_range(struct visit *visit)
{
    REQUIRE(removed_between(visit, 1, 4 * LEAF) == 4 * LEAF - 1);
}

/* The leaf has slices of the range, and no key. */
static void remove_an_empty_range(struct visit *visit)
{
    REQUIRE(removed_between(visit, HELD, HELD) == 0);
}

static void remove_the_next(struct visit *visit)
{
    REQUIRE(removed_between(visit, LEAF, 2 * LEAF) == LEAF);
}

static void pop(struct visit *visit)
{
    REQUIRE(masstree_pop_first(visit->tree, NULL, NULL, NULL, 0, NULL, NULL) == MASSTREE_OK);
}

static void put_many(struct visit *visit)
{
    uint64_t keys[] = {9 * LEAF, HELD};
    uint64_t values[] = {1, 1};
    int32_t statuses[2];
    REQUIRE(masstree_put_many_u64(visit->tree, NULL, keys, sizeof keys[0], values, 2, statuses) ==
            MASSTREE_OK);
}

static void hold_the_same(struct visit *visit)
{
    masstree_guard_t *guard = new_guard(visit->tree);
    struct key key = number_key(HELD + 1);
    masstree_held_t held;
    REQUIRE(masstree_hold(visit->tree, guard, key.bytes, key.len, 0, &held, NULL) == MASSTREE_OK);
    REQUIRE(masstree_held_finish(&held, MASSTREE_ACTION_KEEP, 0, NULL) == MASSTREE_OK);
    masstree_guard_leave(guard);
}

static void validate_the_same(struct visit *visit)
{
    REQUIRE(masstree_validate(visit->tree, &visit->leaf, 1, NULL) == MASSTREE_OK);
}

static void empty_the_next(struct visit *visit)
{
    REQUIRE(masstree_remove_u64(visit->tree, NULL, LEAF, NULL) == MASSTREE_OK);
}

static void finish_and_empty_the_next(struct visit *visit)
{
    masstree_guard_t *guard = new_guard(visit->tree);
    struct key key = number_key(LEAF);
    masstree_held_t held;
    REQUIRE(masstree_hold(visit->tree, guard, key.bytes, key.len, 0, &held, NULL) == MASSTREE_OK);
    REQUIRE(masstree_held_finish(&held, MASSTREE_ACTION_REMOVE, 0, NULL) == MASSTREE_OK);
    masstree_guard_leave(guard);
}

static void merge(struct visit *visit)
{
    size_t merged = 0;
    REQUIRE(masstree_maintain(visit->tree, NULL, 10, &merged) == MASSTREE_END && merged == 1);
}

static void split_the_layer(struct visit *visit)
{
    put_below(visit->tree, 5);
}

static void empty_the_layer(struct visit *visit)
{
    remove_below(visit->tree, 0);
}

static void clear(struct visit *visit)
{
    REQUIRE(masstree_clear(visit->tree, NULL) == MASSTREE_OK);
}

static void load(struct visit *visit)
{
    REQUIRE(masstree_bulk_load_u64(visit->tree, NULL, loaded, sizeof loaded[0], loaded, 2, NULL) ==
            MASSTREE_OK);
}

struct row {
    void (*fill)(masstree_t *);
    void (*run)(struct visit *);
};

static const struct row that_pass[] = {
    {many_leaves, get},           {many_leaves, scan_and_count}, {many_leaves, walk},
    {many_leaves, get_or_insert}, {many_leaves, write_elsewhere}, {a_layer, write_below},
    {many_leaves, hold_elsewhere}, {many_leaves, validate_others}, {many_leaves, inspect},
    {many_leaves, clear_and_load}, {many_leaves, remove_and_pop_elsewhere},
};

static const struct row that_wait[] = {
    {many_leaves, put_held},
    {many_leaves, write_nothing},
    {many_leaves, remove_absent},
    {many_leaves, put_many},
    {many_leaves, remove_the_range},
    {many_leaves, remove_an_empty_range},
    {many_leaves, remove_the_next},
    {many_leaves, pop},
    {many_leaves, hold_the_same},
    {many_leaves, validate_the_same},
    {two_leaves, empty_the_next},
    {two_leaves, finish_and_empty_the_next},
    {two_sparse_leaves, merge},
    {a_full_layer, split_the_layer},
    {a_layer_of_one_key, empty_the_layer},
    {one_key, clear},
    {no_key, load},
};

static void *run_visit(void *arg)
{
    struct visit *visit = arg;
    atomic_store(&visit->has_begun, true);
    visit->run(visit);
    atomic_store(&visit->has_ended, true);
    return NULL;
}

/* Holds HELD in a new tree, and lets another thread run. */
static void begin(const struct row *row, struct subject *subject, struct visit *visit,
                  const struct key *key, masstree_held_t *held, pthread_t *thread)
{
    *subject = (struct subject){.tree = new_tree()};
    row->fill(subject->tree);
    subject->guard = new_guard(subject->tree);
    *visit = (struct visit){.tree = subject->tree, .run = row->run};
    (void)hold_key(subject, key, MASSTREE_HOLD_INSERT, held, NULL);
    assert_ok(masstree_held_observation(held, NULL, &visit->leaf));
    assert_int_equal(0, pthread_create(thread, NULL, run_visit, visit));
}

static void end(struct subject *subject)
{
    masstree_guard_leave(subject->guard);
    end_tree(subject->tree);
}

static void calls_that_do_not_need_the_held_leaf_do_not_wait(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(that_pass); i++) {
        struct subject subject;
        struct visit visit;
        masstree_held_t held;
        pthread_t thread;
        struct key key = number_key(HELD);
        begin(&that_pass[i], &subject, &visit, &key, &held, &thread);
        assert_int_equal(0, pthread_join(thread, NULL));
        bool is_cleared = that_pass[i].run == clear_and_load;
        assert_status(is_cleared ? MASSTREE_CLEARED : MASSTREE_OK,
                      masstree_held_finish(&held, MASSTREE_ACTION_KEEP, 0, NULL));
        end(&subject);
    }
}

static void calls_that_need_the_held_leaf_wait_until_it_is_finished(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(that_wait); i++) {
        struct subject subject;
        struct visit visit;
        masstree_held_t held;
        pthread_t thread;
        struct key key = number_key(HELD);
        begin(&that_wait[i], &subject, &visit, &key, &held, &thread);
        while (!atomic_load(&visit.has_begun)) {
            sched_yield();
        }
        for (unsigned turn = 0; turn < 200; turn++) {
            sched_yield(); /* it might finish here, if it did not wait */
        }
        assert_false(atomic_load(&visit.has_ended));
        assert_ok(masstree_held_finish(&held, MASSTREE_ACTION_KEEP, 0, NULL));
        assert_int_equal(0, pthread_join(thread, NULL));
        end(&subject);
    }
}

/* A barrier waits for the guard under which a leaf is held, not for the leaf. */
static void barrier(struct visit *visit)
{
    REQUIRE(masstree_barrier(visit->tree) == MASSTREE_OK);
}

static void barrier_waits_for_the_guard(void **state)
{
    static const struct row row = {many_leaves, barrier};
    (void)state;
    struct subject subject;
    struct visit visit;
    masstree_held_t held;
    pthread_t thread;
    struct key key = number_key(HELD);
    begin(&row, &subject, &visit, &key, &held, &thread);
    assert_ok(masstree_held_finish(&held, MASSTREE_ACTION_KEEP, 0, NULL));
    for (unsigned turn = 0; turn < 200; turn++) {
        sched_yield();
    }
    assert_false(atomic_load(&visit.has_ended));
    masstree_guard_leave(subject.guard);
    assert_int_equal(0, pthread_join(thread, NULL));
    end_tree(subject.tree);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(calls_that_do_not_need_the_held_leaf_do_not_wait),
        cmocka_unit_test(calls_that_need_the_held_leaf_wait_until_it_is_finished),
        cmocka_unit_test(barrier_waits_for_the_guard),
    };
    return cmocka_run_group_tests_name("held_waits", tests, NULL, NULL);
}
