/* Observations and phantoms: whatever adds a key to what was read, or takes one away,
   between observation and validation is found; an overwrite is not taken for that
   (known-failures row 16). */
#include "observing.h"

#include <stdatomic.h>

/* Keys that fill a leaf of the first layer. */
enum { LEAF_KEYS = 15 };

static void insert_and_remove_in_the_leaf_are_found(void **state)
{
    struct subject *subject = *state;
    put_text(subject, "a");
    put_text(subject, "c");
    masstree_observation_t absent = observe_absent(subject, "b");
    masstree_observation_t present = observe_present(subject, "c");
    assert_true(holds(subject->tree, absent) && holds(subject->tree, present));
    put_text(subject, "b");
    assert_false(holds(subject->tree, absent) || holds(subject->tree, present));
    present = observe_present(subject, "b");
    assert_true(holds(subject->tree, present));
    remove_text(subject, "b");
    assert_false(holds(subject->tree, present));
    /* The same keys as at first, but not the same leaf. */
    assert_false(holds(subject->tree, absent));
}

/* As many keys with the same first bytes as make a layer, which holds no more than them. */
enum { LAYER_KEYS = 9 };

static void put_layer(const struct subject *subject, const char *shared)
{
    for (int i = 0; i < LAYER_KEYS; i++) {
        char key[FAMILY_KEY_MAX];
        snprintf(key, sizeof key, "%s%d", shared, i);
        put_text(subject, key);
    }
}

static void first_that_changed_is_told(void **state)
{
    struct subject *subject = *state;
    size_t changed = 99;
    put_layer(subject, "layer--1");
    masstree_observation_t all[] = {
        observe_absent(subject, "other"),
        observe_absent(subject, "layer--1x"),
        observe_absent(subject, "layer--1y"),
    };
    assert_status(MASSTREE_OK, masstree_validate(subject->tree, all, COUNT(all), &changed));
    assert_int_equal(99, changed);
    /* A key in a layer below does not change the leaf above. */
    put_text(subject, "layer--1z");
    assert_status(MASSTREE_MISMATCH, masstree_validate(subject->tree, all, COUNT(all), &changed));
    assert_int_equal(1, changed);
    assert_status(MASSTREE_MISMATCH, masstree_validate(subject->tree, all, COUNT(all), NULL));
    put_text(subject, "layer--2");
    assert_status(MASSTREE_MISMATCH, masstree_validate(subject->tree, all, COUNT(all), &changed));
    assert_int_equal(0, changed);
    assert_ok(masstree_validate(subject->tree, NULL, 0, NULL));
}

static int32_t decide(const uint64_t *present, uint64_t *value, void *ctx)
{
    *value = present == NULL ? 1 : *present + 1;
    return *(const int32_t *)ctx;
}

/* Every write that adds no key and takes none away, those that find nothing to do included. */
static void overwrite_words(const struct subject *subject)
{
    masstree_t *tree = subject->tree;
    uint64_t value = 0;
    int32_t set = MASSTREE_UPDATE_SET;
    int32_t keep = MASSTREE_UPDATE_KEEP;
    int32_t remove = MASSTREE_UPDATE_REMOVE;
    assert_ok(masstree_put(tree, NULL, "k", 1, 2));
    assert_ok(masstree_exchange(tree, NULL, "k", 1, 3, &value));
    assert_ok(masstree_replace(tree, NULL, "k", 1, 4, NULL));
    assert_ok(masstree_compare_exchange(tree, NULL, "k", 1, 4, 5, NULL));
    assert_status(MASSTREE_MISMATCH, masstree_compare_exchange(tree, NULL, "k", 1, 4, 5, NULL));
    assert_status(MASSTREE_MISMATCH, masstree_remove_if_equal(tree, NULL, "k", 1, 4, NULL));
    assert_status(MASSTREE_EXISTS, masstree_insert(tree, NULL, "k", 1, 9, NULL));
    assert_ok(masstree_update(tree, NULL, "k", 1, decide, &set, NULL));
    assert_ok(masstree_update(tree, NULL, "k", 1, decide, &keep, NULL));
    assert_ok(masstree_update(tree, NULL, "none", 4, decide, &keep, NULL));
    assert_ok(masstree_update(tree, NULL, "none", 4, decide, &remove, NULL));
    assert_status(MASSTREE_NOT_FOUND, masstree_replace(tree, NULL, "none", 4, 9, NULL));
}

static void overwrite_bytes(const struct subject *subject)
{
    masstree_t *tree = subject->tree;
    masstree_guard_t *guard = subject->guard;
    masstree_slice_t old;
    assert_ok(masstree_put_bytes(tree, NULL, "k", 1, "2", 1));
    assert_ok(masstree_exchange_bytes(tree, guard, "k", 1, "3", 1, &old));
    assert_ok(masstree_replace_bytes(tree, NULL, "k", 1, "a longer value", 14, NULL));
    assert_ok(masstree_compare_exchange_bytes(tree, NULL, "k", 1, SLICE("a longer value"),
                                              SLICE("5"), NULL));
    assert_status(MASSTREE_MISMATCH, masstree_compare_exchange_bytes(tree, NULL, "k", 1,
                                                                     SLICE("4"), SLICE("5"), NULL));
    assert_status(MASSTREE_MISMATCH,
                  masstree_remove_if_equal_bytes(tree, NULL, "k", 1, SLICE("4"), NULL));
    assert_status(MASSTREE_EXISTS, masstree_insert_bytes(tree, NULL, "k", 1, "9", 1, NULL));
    assert_status(MASSTREE_NOT_FOUND, masstree_replace_bytes(tree, NULL, "none", 4, "9", 1, NULL));
}

static void overwrite_changes_no_version(void **state)
{
    struct subject *subject = *state;
    uint64_t version = 0;
    put_text(subject, "k");
    masstree_observation_t seen = observe_present(subject, "k");
    subject->bytes ? overwrite_bytes(subject) : overwrite_words(subject);
    assert_status(MASSTREE_NOT_FOUND, masstree_remove(subject->tree, NULL, "none", 4, NULL));
    assert_true(holds(subject->tree, seen));
    assert_ok(masstree_node_version(subject->tree, seen.node, &version));
    assert_int_equal(seen.version, version);
    assert_ok(masstree_node_version(NULL, seen.node, &version));
    assert_int_equal(seen.version, version);
    remove_text(subject, "k");
    assert_ok(masstree_node_version(subject->tree, seen.node, &version));
    assert_true(seen.version != version);
}

/* Whichever of the leaf's keys, or of the gaps between, was observed, and wherever the key
   goes that has the leaf split. */
static void split_is_found(void **state)
{
    struct subject *subject = *state;
    for (uint64_t extra = 0; extra <= LEAF_KEYS; extra++) {
        masstree_observation_t seen[2 * LEAF_KEYS + 2];
        for (uint64_t i = 0; i < LEAF_KEYS; i++) {
            put_key(subject, NULL, number_key(10 + 10 * i));
        }
        for (uint64_t i = 0; i < COUNT(seen); i++) {
            bool is_there;
            seen[i] = observe_key(subject, number_key(5 + 5 * i), &is_there);
            assert_true(holds(subject->tree, seen[i]));
            assert_int_equal(seen[0].node, seen[i].node);
        }
        put_key(subject, NULL, number_key(6 + 10 * extra));
        for (size_t i = 0; i < COUNT(seen); i++) {
            assert_false(holds(subject->tree, seen[i]));
        }
        assert_ok(masstree_clear(subject->tree, NULL));
        masstree_guard_refresh(subject->guard);
    }
}

/* The key that makes a layer out of those that the leaf above has room for. */
static void layer_that_comes_is_found(void **state)
{
    struct subject *subject = *state;
    static const char *const shared[] = {"shared--", "far-----far-----far-----"};
    for (size_t form = 0; form < COUNT(shared); form++) {
        char absent[FAMILY_KEY_MAX];
        char key[FAMILY_KEY_MAX];
        uint64_t layers = 0;
        masstree_stats_t stats = MASSTREE_STATS_INIT;
        snprintf(absent, sizeof absent, "%sx", shared[form]);
        for (int i = 0; i < LAYER_KEYS; i++) {
            masstree_observation_t seen = observe_absent(subject, absent);
            snprintf(key, sizeof key, "%s%d", shared[form], i);
            put_text(subject, key);
            assert_false(holds(subject->tree, seen));
        }
        stats.flags = MASSTREE_STATS_NODES;
        assert_ok(masstree_stats(subject->tree, NULL, &stats));
        layers = stats.layers;
        assert_true(layers >= (form == 0 ? 2 : 5));
    }
}

static void layer_that_goes_is_found(void **state)
{
    struct subject *subject = *state;
    masstree_range_t range = MASSTREE_RANGE_INIT;
    range.prefix = "shared--";
    range.prefix_len = 8;
    for (unsigned reverse = 0; reverse < 2; reverse++) {
        struct observations seen = {.count = 0};
        range.flags = reverse == 0 ? 0 : MASSTREE_SCAN_REVERSE;
        put_text(subject, "other");
        put_layer(subject, "shared--");
        for (int i = 1; i < LAYER_KEYS; i++) {
            char key[FAMILY_KEY_MAX];
            snprintf(key, sizeof key, "shared--%d", i);
            remove_text(subject, key);
        }
        masstree_observation_t absent = observe_absent(subject, "shared--x");
        assert_int_equal(1, scan_range(subject, NULL, &range, &seen).keys);
        remove_text(subject, "shared--0");
        assert_false(holds(subject->tree, absent));
        assert_false(all_hold(subject->tree, &seen));
        seen.count = 0;
        assert_int_equal(0, scan_range(subject, NULL, &range, &seen).keys);
        absent = observe_absent(subject, "shared--x");
        assert_true(holds(subject->tree, absent) && all_hold(subject->tree, &seen));
        /* It comes again, and who saw it gone finds out. */
        put_text(subject, "shared--x");
        assert_false(holds(subject->tree, absent) || all_hold(subject->tree, &seen));
        remove_text(subject, "shared--x");
        masstree_guard_refresh(subject->guard);
    }
}

static void load(const struct subject *subject, struct key key)
{
    masstree_slice_t slice = {key.bytes, key.len};
    masstree_slice_t bytes = SLICE("value");
    uint64_t word = 1;
    assert_ok(subject->bytes ? masstree_bulk_load_bytes(subject->tree, NULL, &slice, &bytes, 1, NULL)
                             : masstree_bulk_load(subject->tree, NULL, &slice, &word, 1, NULL));
}

static void clear_and_bulk_load_are_found(void **state)
{
    struct subject *subject = *state;
    masstree_range_t range = MASSTREE_RANGE_INIT;
    struct observations seen = {.count = 0};
    masstree_observation_t empty = observe_absent(subject, "k");
    load(subject, text_key("k"));
    assert_false(holds(subject->tree, empty));
    for (uint64_t i = 0; i < 100; i++) {
        put_key(subject, NULL, number_key(i));
    }
    assert_int_equal(101, scan_range(subject, NULL, &range, &seen).keys);
    assert_true(seen.count > 5 && all_hold(subject->tree, &seen));
    assert_ok(masstree_clear(subject->tree, NULL));
    for (size_t i = 0; i < seen.count; i++) {
        assert_false(holds(subject->tree, seen.all[i]));
    }
    masstree_observation_t cleared = observe_absent(subject, "k");
    assert_true(holds(subject->tree, cleared));
    /* An empty tree that is cleared stays empty: but who saw it need not be told so. */
    load(subject, text_key("k"));
    assert_false(holds(subject->tree, cleared));
}

/* Of an empty range and of one in which keys come and go, in both directions. */
static void range_that_was_empty_is_proved_and_its_phantoms_found(void **state)
{
    struct subject *subject = *state;
    for (unsigned form = 0; form < 4; form++) {
        struct observations seen = {.count = 0};
        struct key lower = number_key(1005);
        struct key upper = number_key(1008);
        masstree_range_t range = MASSTREE_RANGE_INIT;
        range.lower = lower.bytes;
        range.upper = upper.bytes;
        range.lower_len = range.upper_len = 8;
        range.lower_bound = range.upper_bound = MASSTREE_BOUND_INCLUSIVE;
        range.flags = form % 2 == 0 ? 0 : MASSTREE_SCAN_REVERSE;
        /* In an empty tree first, then in one with many leaves. */
        for (uint64_t i = 0; form >= 2 && i < 300; i++) {
            put_key(subject, NULL, number_key(10 * i));
        }
        assert_int_equal(0, scan_range(subject, NULL, &range, &seen).keys);
        assert_true(all_hold(subject->tree, &seen));
        put_key(subject, NULL, number_key(2500));
        put_key(subject, NULL, number_key(1007));
        assert_false(all_hold(subject->tree, &seen));
        seen.count = 0;
        assert_int_equal(1, scan_range(subject, NULL, &range, &seen).keys);
        assert_true(all_hold(subject->tree, &seen));
        /* Far away nothing of it is found. */
        if (form >= 2) {
            put_key(subject, NULL, number_key(2507));
            remove_key(subject, NULL, number_key(2507));
            assert_true(all_hold(subject->tree, &seen));
        }
        remove_key(subject, NULL, number_key(1007));
        assert_false(all_hold(subject->tree, &seen));
    }
}

/* A thread that only overwrites the one key of a leaf, while another looks on. */
struct overwriting {
    const struct subject *subject;
    atomic_bool *done;
    masstree_observation_t seen;
    size_t rounds;
};

static void overwrite(void *arg)
{
    struct overwriting *overwriting = arg;
    int32_t set = MASSTREE_UPDATE_SET;
    while (!atomic_load(overwriting->done)) {
        put_text(overwriting->subject, "k");
        if (!overwriting->subject->bytes) {
            REQUIRE(masstree_update(overwriting->subject->tree, NULL, "k", 1, decide, &set, NULL) ==
                    MASSTREE_OK);
        }
        overwriting->rounds++;
    }
}

/* Never sees another version, though the leaf is locked every other moment. */
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
        REQUIRE(masstree_node_version(tree, seen.node, &version) == MASSTREE_OK);
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

/* While a leaf is locked, as a callback shows: its observation has the version it had. */
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
    REQUIRE(masstree_node_version(locked->subject->tree, seen.node, &version) == MASSTREE_OK);
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
    return MASSTREE_UPDATE_SET;
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

/* An id that comes again with another version: old observations of it do not hold. */
static void memory_used_again_validates_nothing(void **state)
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
                reused += old.all[i].node == now.all[j].node ? 1 : 0;
            }
        }
        assert_true(all_hold(subject->tree, &now));
        for (size_t i = 0; i < now.count && old.count < OBSERVATIONS; i++) {
            old.all[old.count++] = now.all[i];
        }
        for (uint64_t i = 0; i < 400; i++) {
            remove_key(subject, subject->guard, number_key(i * (round + 1)));
        }
        /* All that was removed is freed, and the memory used again. */
        assert_ok(masstree_flush(subject->tree, subject->guard));
        masstree_guard_leave(subject->guard);
        assert_ok(masstree_barrier(subject->tree));
        subject->guard = new_guard(subject->tree);
    }
    if (NODES_ARE_POOLED != 0) {
        assert_true(reused > 100);
    }
}

/* Each piece of memory is filled with rubbish when the tree gives it back, and is one node:
   what an observation leads to was not. */
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
        assert_ok(masstree_node_version(subject.tree, seen.all[i].node, &version));
        assert_true(version != seen.all[i].version);
    }
    end_tree(subject.tree);
    allocator_end(&allocator);
}

static int32_t stop_at_leaf(const masstree_observation_t *observation, void *ctx)
{
    collect(observation, ctx);
    return MASSTREE_STOP;
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
    assert_status(MASSTREE_INVALID, masstree_node_version(subject->tree, 0, &version));
    assert_status(MASSTREE_INVALID, masstree_node_version(NULL, 0, &version));
    assert_status(MASSTREE_INVALID, masstree_node_version(subject->tree, seen.node, NULL));
    assert_int_equal(99, version);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_BOTH_KINDS(insert_and_remove_in_the_leaf_are_found),
        WITH_BOTH_KINDS(first_that_changed_is_told),
        WITH_BOTH_KINDS(overwrite_changes_no_version),
        WITH_BOTH_KINDS(split_is_found),
        WITH_BOTH_KINDS(layer_that_comes_is_found),
        WITH_BOTH_KINDS(layer_that_goes_is_found),
        WITH_BOTH_KINDS(clear_and_bulk_load_are_found),
        WITH_BOTH_KINDS(range_that_was_empty_is_proved_and_its_phantoms_found),
        WITH_BOTH_KINDS(lock_is_in_no_version),
        cmocka_unit_test(locked_leaf_is_observed_as_if_it_were_not),
        WITH_BOTH_KINDS(memory_used_again_validates_nothing),
        cmocka_unit_test(observation_outlives_its_guard_and_its_leaf),
        WITH_BOTH_KINDS(visitors_may_stop_at_a_leaf_and_fail),
        WITH_BOTH_KINDS(malformed_arguments_are_refused),
    };
    return cmocka_run_group_tests_name("observe", tests, NULL, NULL);
}
