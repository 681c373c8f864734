/* A version does not depend on the lock; and an observation outlives its guard, its leaf, and
   that leaf's memory (known-failures row 16). Then refused arguments. */
#include "observing.h"

#include <stdatomic.h>

static int32_t add_one(const uint64_t *present, uint64_t *value, void *ctx)
{
    (void)ctx;
    *value = present == NULL ? 1 : *present + 1;
    return MASSTREE_ACTION_SET;
}

/* A thread that only overwrites the single key of a leaf, while another observes it. */
struct overwriting {
    const struct subject *subject;
    atomic_bool *done;
    masstree_observation_t seen;
    size_t rounds;
};

static void overwrite(void *arg)
{
    struct overwriting *overwriting = arg;
    while (!atomic_load(overwriting->done)) {
        put_text(overwriting->subject, "k");
        if (!overwriting->subject->bytes) {
            REQUIRE(masstree_update(overwriting->subject->tree, NULL, "k", 1, add_one, NULL, NULL) ==
                    MASSTREE_OK);
        }
        overwriting->rounds++;
    }
}

/* Never sees another version, although the leaf is locked most of the time. */
static void look_on(void *arg)
{
    struct overwriting *looking = arg;
    masstree_t *tree = looking->subject->tree;
    for (size_t i = 0; i < looking->rounds; i++) {
        uint64_t version = 0;
        bool is_there = false;
        masstree_observation_t seen = observe_key(looking->subject, text_key("k"), &is_there);
        REQUIRE(is_there && memcmp(&seen, &looking->seen, sizeof seen) == 0);
        REQUIRE(holds(tree, seen));
        REQUIRE(masstree_leaf_version(tree, seen.leaf, &version) == MASSTREE_OK);
        REQUIRE(version == looking->seen.version);
    }
    atomic_store(looking->done, true);
}

static void lock_is_in_no_version(void **state)
{
    struct subject *subject = *state;
    atomic_bool done = false;
    put_text(subject, "k");
    masstree_observation_t seen = observe_present(subject, "k");
    struct overwriting threads[] = {{subject, &done, seen, 0},
                                    {subject, &done, seen, scaled(100000)}};
    void (*const run[])(void *) = {overwrite, look_on};
    run_together(2, run, threads, sizeof threads[0]);
    assert_true(holds(subject->tree, seen));
}

/* While a leaf is locked, as in a callback: its observation has the unlocked version. */
struct locked {
    const struct subject *subject;
    masstree_observation_t seen;
};

static void *observe_locked(void *arg)
{
    const struct locked *locked = arg;
    bool is_there = false;
    uint64_t version = 0;
    masstree_observation_t seen = observe_key(locked->subject, text_key("k"), &is_there);
    REQUIRE(is_there && memcmp(&seen, &locked->seen, sizeof seen) == 0);
    REQUIRE(masstree_leaf_version(locked->subject->tree, seen.leaf, &version) == MASSTREE_OK);
    REQUIRE(version == seen.version);
    return NULL;
}

static int32_t have_it_observed(const uint64_t *present, uint64_t *value, void *ctx)
{
    pthread_t thread;
    (void)present;
    REQUIRE(pthread_create(&thread, NULL, observe_locked, ctx) == 0);
    REQUIRE(pthread_join(thread, NULL) == 0);
    *value = 2;
    return MASSTREE_ACTION_SET;
}

static void locked_leaf_is_observed_as_if_it_were_not(void **state)
{
    (void)state;
    masstree_t *tree = new_tree();
    struct subject subject = {.tree = tree};
    put_text(&subject, "k");
    struct locked locked = {&subject, observe_present(&subject, "k")};
    assert_ok(masstree_update(tree, NULL, "k", 1, have_it_observed, &locked, NULL));
    assert_true(holds(tree, locked.seen));
    end_tree(tree);
}

/* An id that is reused with another version: old observations of it are invalid. */
static void reused_memory_validates_no_old_observation(void **state)
{
    struct subject *subject = *state;
    masstree_range_t range = MASSTREE_RANGE_INIT;
    static struct observations old, now;
    uint64_t reused = 0;
    old.count = 0;
    for (uint64_t round = 0; round < scaled(40) + 5; round++) {
        now.count = 0;
        for (uint64_t i = 0; i < 400; i++) {
            put_key(subject, subject->guard, number_key(i * (round + 1)));
        }
        assert_int_equal(400, scan_range(subject, subject->guard, &range, &now).keys);
        for (size_t i = 0; i < old.count; i++) {
            assert_false(holds(subject->tree, old.all[i]));
            for (size_t j = 0; j < now.count; j++) {
                reused += old.all[i].leaf == now.all[j].leaf ? 1 : 0;
            }
        }
        assert_true(all_hold(subject->tree, &now));
        for (size_t i = 0; i < now.count && old.count < OBSERVATIONS; i++) {
            old.all[old.count++] = now.all[i];
        }
        for (uint64_t i = 0; i < 400; i++) {
            remove_key(subject, subject->guard, number_key(i * (round + 1)));
        }
        /* All that was removed is freed, and the memory reused. */
        assert_ok(masstree_flush(subject->tree, subject->guard));
        masstree_guard_leave(subject->guard);
        assert_ok(masstree_barrier(subject->tree));
        subject->guard = new_guard(subject->tree);
    }
    if (NODES_ARE_POOLED != 0) {
        assert_true(reused > 100);
    }
}

/* Each allocation is one node, and is overwritten when the tree frees it: the nodes to which
   observations refer were not freed. */
static void observation_outlives_its_guard_and_its_leaf(void **state)
{
    (void)state;
    struct allocator allocator;
    allocator_start(&allocator);
    struct subject subject = {.tree = new_tree_of(&allocator, MASSTREE_VALUES_WORDS)};
    masstree_range_t range = MASSTREE_RANGE_INIT;
    static struct observations seen;
    seen.count = 0;
    masstree_guard_t *guard = new_guard(subject.tree);
    for (uint64_t i = 0; i < 2000; i++) {
        put_key(&subject, guard, number_key(i));
    }
    assert_int_equal(2000, scan_range(&subject, guard, &range, &seen).keys);
    assert_ok(masstree_flush(subject.tree, guard));
    masstree_guard_refresh(guard);
    assert_true(all_hold(subject.tree, &seen));
    for (uint64_t i = 0; i < 2000; i++) {
        remove_key(&subject, guard, number_key(i));
    }
    masstree_guard_leave(guard);
    assert_ok(masstree_flush(subject.tree, NULL));
    assert_ok(masstree_barrier(subject.tree));
    for (size_t i = 0; i < seen.count; i++) {
        uint64_t version = 0;
        assert_false(holds(subject.tree, seen.all[i]));
        assert_ok(masstree_leaf_version(subject.tree, seen.all[i].leaf, &version));
        assert_true(version != seen.all[i].version);
    }
    end_tree(subject.tree);
    allocator_end(&allocator);
}

static int32_t stop_at_leaf(const masstree_observation_t *observation, void *ctx)
{
    collect(observation, ctx);
    return MASSTREE_VISIT_STOP;
}

static int32_t refuse_leaf(const masstree_observation_t *observation, void *ctx)
{
    collect(observation, ctx);
    return -77;
}

static int32_t refuse_key(const void *key, size_t key_len, uint64_t value, void *ctx)
{
    (void)key;
    (void)key_len;
    (void)value;
    (void)ctx;
    return -78;
}

static int32_t refuse_bytes(const void *key, size_t key_len, const void *value, size_t value_len,
                            void *ctx)
{
    (void)value;
    return refuse_key(key, key_len, value_len, ctx);
}

static int32_t observed(const struct subject *subject, masstree_leaf_visitor_t leaf, bool keys,
                        struct observations *seen, size_t *visited)
{
    return subject->bytes
               ? masstree_scan_bytes_observed(subject->tree, NULL, NULL, leaf,
                                              keys ? refuse_bytes : NULL, seen, visited)
               : masstree_scan_observed(subject->tree, NULL, NULL, leaf, keys ? refuse_key : NULL,
                                        seen, visited);
}

static void visitors_may_stop_at_a_leaf_and_fail(void **state)
{
    struct subject *subject = *state;
    struct observations seen = {.count = 0};
    size_t visited = 99;
    put_text(subject, "k");
    assert_status(MASSTREE_OK, observed(subject, stop_at_leaf, true, &seen, &visited));
    assert_int_equal(0, visited);
    assert_int_equal(1, seen.count);
    assert_status(-77, observed(subject, refuse_leaf, true, &seen, &visited));
    assert_int_equal(2, seen.count);
    assert_status(-78, observed(subject, collect, true, &seen, &visited));
    assert_int_equal(3, seen.count);
    assert_true(all_hold(subject->tree, &seen));
    assert_status(MASSTREE_INVALID, observed(subject, NULL, true, &seen, &visited));
    assert_status(MASSTREE_INVALID, observed(subject, collect, false, &seen, &visited));
    assert_int_equal(3, seen.count);
}

static void malformed_arguments_are_refused(void **state)
{
    struct subject *subject = *state;
    masstree_observation_t seen = observe_absent(subject, "k");
    masstree_observation_t nothing = {0, 0, 0};
    uint64_t version = 99;
    size_t changed = 99;
    assert_status(MASSTREE_INVALID, masstree_validate(subject->tree, NULL, 1, &changed));
    assert_status(MASSTREE_INVALID, masstree_validate(subject->tree, &seen, SIZE_MAX, &changed));
    assert_status(MASSTREE_INVALID, masstree_validate(NULL, &seen, 1, &changed));
    assert_int_equal(99, changed);
    assert_status(MASSTREE_MISMATCH, masstree_validate(subject->tree, &nothing, 1, &changed));
    assert_int_equal(0, changed);
    assert_status(MASSTREE_INVALID, masstree_leaf_version(subject->tree, 0, &version));
    assert_status(MASSTREE_INVALID, masstree_leaf_version(NULL, 0, &version));
    assert_status(MASSTREE_INVALID, masstree_leaf_version(subject->tree, seen.leaf, NULL));
    assert_int_equal(99, version);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_BOTH_KINDS(lock_is_in_no_version),
        cmocka_unit_test(locked_leaf_is_observed_as_if_it_were_not),
        WITH_BOTH_KINDS(reused_memory_validates_no_old_observation),
        cmocka_unit_test(observation_outlives_its_guard_and_its_leaf),
        WITH_BOTH_KINDS(visitors_may_stop_at_a_leaf_and_fail),
        WITH_BOTH_KINDS(malformed_arguments_are_refused),
    };
    return cmocka_run_group_tests_name("observe_leaf", tests, NULL, NULL);
}
