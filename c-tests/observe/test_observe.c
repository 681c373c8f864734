/* Observations and phantoms: validation detects every key that is added to or removed from what
   was read; an overwrite does not invalidate it (known-failures row 16). */
#include "observing.h"

/* Keys that fill a leaf of the first layer. */
enum { LEAF_KEYS = 15 };

static void validation_detects_insert_and_remove_in_the_leaf(void **state)
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
    /* The same keys as at first, but not in the same leaf. */
    assert_false(holds(subject->tree, absent));
}

/* Enough keys with the same first bytes to make a layer, which contains only them. */
enum { LAYER_KEYS = 9 };

static void put_layer(const struct subject *subject, const char *shared)
{
    for (int i = 0; i < LAYER_KEYS; i++) {
        char key[FAMILY_KEY_MAX];
        snprintf(key, sizeof key, "%s%d", shared, i);
        put_text(subject, key);
    }
}

static void first_changed_observation_is_reported(void **state)
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

/* Every write that inserts and removes no key, also those that change nothing. */
static void overwrite_words(const struct subject *subject)
{
    masstree_t *tree = subject->tree;
    uint64_t value = 0;
    int32_t set = MASSTREE_ACTION_SET;
    int32_t keep = MASSTREE_ACTION_KEEP;
    int32_t remove = MASSTREE_ACTION_REMOVE;
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

static void leaf_size_is_the_number_of_entries(void **state)
{
    struct subject *subject = *state;
    masstree_observation_t leaf, seen;
    size_t size = 99;
    char key[2] = "a";
    for (size_t keys = 0; keys <= 15; keys++, key[0]++) {
        assert_ok(masstree_leaf_size(subject->tree, subject->guard, "a", 1, &size, &leaf));
        assert_int_equal(keys, size);
        seen = keys == 0 ? observe_absent(subject, "a") : observe_present(subject, "a");
        assert_memory_equal(&seen, &leaf, sizeof leaf);
        assert_ok(masstree_leaf_size(subject->tree, NULL, "z", 1, &size, NULL));
        assert_int_equal(keys, size);
        put_text(subject, key);
        assert_false(holds(subject->tree, leaf));
    }
    assert_ok(masstree_leaf_size(subject->tree, NULL, "a", 1, &size, NULL));
    assert_true(0 < size && size < 16);
    assert_status(MASSTREE_INVALID, masstree_leaf_size(subject->tree, NULL, "a", 1, NULL, &leaf));
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
    assert_ok(masstree_leaf_version(subject->tree, seen.leaf, &version));
    assert_int_equal(seen.version, version);
    assert_ok(masstree_leaf_version(NULL, seen.leaf, &version));
    assert_int_equal(seen.version, version);
    remove_text(subject, "k");
    assert_ok(masstree_leaf_version(subject->tree, seen.leaf, &version));
    assert_true(seen.version != version);
}

/* Whichever of the leaf's keys or gaps was observed, and wherever the key is inserted that
   splits the leaf. */
static void validation_detects_a_split(void **state)
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
            assert_int_equal(seen[0].leaf, seen[i].leaf);
        }
        put_key(subject, NULL, number_key(6 + 10 * extra));
        for (size_t i = 0; i < COUNT(seen); i++) {
            assert_false(holds(subject->tree, seen[i]));
        }
        assert_ok(masstree_clear(subject->tree, NULL));
        masstree_guard_refresh(subject->guard);
    }
}

/* The key that makes a layer out of keys for which the leaf above has room. */
static void validation_detects_a_new_layer(void **state)
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

static void validation_detects_a_removed_layer(void **state)
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
        /* The key is inserted again, which invalidates observations of its absence. */
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

static void validation_detects_clear_and_bulk_load(void **state)
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
    /* An empty tree that is cleared stays empty: an observation of it may stay valid. */
    load(subject, text_key("k"));
    assert_false(holds(subject->tree, cleared));
}

/* Of an empty range and of one in which keys are inserted and removed, in both directions. */
static void empty_range_is_proved_and_its_phantoms_are_detected(void **state)
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
        /* First in an empty tree, then in one with many leaves. */
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
        /* Observations far away stay valid. */
        if (form >= 2) {
            put_key(subject, NULL, number_key(2507));
            remove_key(subject, NULL, number_key(2507));
            assert_true(all_hold(subject->tree, &seen));
        }
        remove_key(subject, NULL, number_key(1007));
        assert_false(all_hold(subject->tree, &seen));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_BOTH_KINDS(validation_detects_insert_and_remove_in_the_leaf),
        WITH_BOTH_KINDS(first_changed_observation_is_reported),
        WITH_BOTH_KINDS(leaf_size_is_the_number_of_entries),
        WITH_BOTH_KINDS(overwrite_changes_no_version),
        WITH_BOTH_KINDS(validation_detects_a_split),
        WITH_BOTH_KINDS(validation_detects_a_new_layer),
        WITH_BOTH_KINDS(validation_detects_a_removed_layer),
        WITH_BOTH_KINDS(validation_detects_clear_and_bulk_load),
        WITH_BOTH_KINDS(empty_range_is_proved_and_its_phantoms_are_detected),
    };
    return cmocka_run_group_tests_name("observe", tests, NULL, NULL);
}
