/* Deltas describe how writes change leaves, so that own writes do not invalidate a transaction,
   but those of others do (known-failures row 16). */
#include "observing.h"

enum { CREATED = 16 };

/* Records writes under the subject's guard. */
struct recording {
    masstree_delta_t delta;
    masstree_observation_t created[CREATED];
};

static void record(const struct subject *subject, struct recording *recording, size_t capacity)
{
    recording->delta = (masstree_delta_t)MASSTREE_DELTA_INIT;
    recording->delta.created = capacity == 0 ? NULL : recording->created;
    recording->delta.created_capacity = capacity;
    assert_ok(masstree_guard_record(subject->guard, &recording->delta));
}

static void stop_recording(const struct subject *subject)
{
    assert_ok(masstree_guard_record(subject->guard, NULL));
}

static int32_t apply(const struct recording *recording, struct observations *set)
{
    return masstree_delta_apply(&recording->delta, set->all, &set->count, OBSERVATIONS);
}

static bool same(masstree_observation_t left, masstree_observation_t right)
{
    return memcmp(&left, &right, sizeof left) == 0;
}

static void own_insert_invalidates_nothing_and_anothers_does(void **state)
{
    struct subject *subject = *state;
    struct recording recording;
    struct observations set = {.count = 1};
    put_text(subject, "a");
    set.all[0] = observe_absent(subject, "b");
    record(subject, &recording, 0);
    put_key(subject, subject->guard, text_key("b"));
    assert_false(all_hold(subject->tree, &set));
    assert_true(same(set.all[0], recording.delta.before));
    assert_int_equal(0, recording.delta.flags);
    assert_int_equal(0, recording.delta.created_count);
    assert_status(MASSTREE_OK, apply(&recording, &set));
    assert_true(same(set.all[0], recording.delta.after));
    assert_true(all_hold(subject->tree, &set));
    /* Another thread's write, after this one's. */
    put_text(subject, "c");
    assert_false(all_hold(subject->tree, &set));
    /* And before it. */
    set.all[0] = observe_absent(subject, "d");
    put_text(subject, "e");
    put_key(subject, subject->guard, text_key("d"));
    assert_status(MASSTREE_MISMATCH, apply(&recording, &set));
    assert_int_equal(1, set.count);
    assert_false(all_hold(subject->tree, &set));
    stop_recording(subject);
    masstree_delta_t last = recording.delta;
    put_key(subject, subject->guard, text_key("f"));
    assert_memory_equal(&last, &recording.delta, sizeof last);
}

/* At each position of a full leaf; the set contains the leaf twice. */
static void own_split_invalidates_nothing_and_anothers_insert_does(void **state)
{
    struct subject *subject = *state;
    enum { LEAF_KEYS = 15 };
    for (uint64_t extra = 0; extra <= LEAF_KEYS; extra++) {
        for (uint64_t other = 0; other <= LEAF_KEYS; other++) {
            struct recording recording;
            struct observations set = {.count = 2};
            bool is_there;
            for (uint64_t i = 0; i < LEAF_KEYS; i++) {
                put_key(subject, NULL, number_key(10 + 10 * i));
            }
            set.all[0] = set.all[1] = observe_key(subject, number_key(11), &is_there);
            record(subject, &recording, CREATED);
            put_key(subject, subject->guard, number_key(6 + 10 * extra));
            assert_int_equal(1, recording.delta.created_count);
            assert_status(MASSTREE_OK, apply(&recording, &set));
            assert_int_equal(3, set.count);
            assert_true(all_hold(subject->tree, &set));
            stop_recording(subject);
            put_key(subject, NULL, number_key(7 + 10 * other));
            assert_false(all_hold(subject->tree, &set));
            assert_ok(masstree_clear(subject->tree, NULL));
            masstree_guard_refresh(subject->guard);
        }
    }
}

/* Keys that share `len` bytes; more than fit under one slice of a leaf. */
static struct key deep_key(size_t len, unsigned char last)
{
    struct key key = {.len = len + 1};
    memset(key.bytes, 'x', len);
    key.bytes[len] = last;
    return key;
}

static void own_layers_invalidate_nothing_and_too_many_are_a_mismatch(void **state)
{
    struct subject *subject = *state;
    enum { SHARED = 40, LAYERS = SHARED / 8 };
    for (size_t capacity = 0; capacity <= LAYERS; capacity++) {
        struct recording recording;
        struct observations set = {.count = 1};
        unsigned char last = 'a';
        record(subject, &recording, capacity);
        do {
            bool is_there;
            set.all[0] = observe_key(subject, deep_key(SHARED, 'z'), &is_there);
            assert_false(is_there);
            put_key(subject, subject->guard, deep_key(SHARED, last++));
        } while (recording.delta.created_count == 0 && last < 'z');
        assert_int_equal(LAYERS, recording.delta.created_count);
        struct observations before = set;
        if (capacity < LAYERS) {
            assert_status(MASSTREE_MISMATCH, apply(&recording, &set));
            assert_memory_equal(&before, &set, sizeof set);
            assert_false(all_hold(subject->tree, &set));
        } else {
            /* Room for all except one does not suffice. */
            assert_status(MASSTREE_TOO_SMALL, masstree_delta_apply(&recording.delta, set.all,
                                                                   &set.count, LAYERS));
            assert_memory_equal(&before, &set, sizeof set);
            assert_status(MASSTREE_OK, masstree_delta_apply(&recording.delta, set.all, &set.count,
                                                            LAYERS + 1));
            assert_int_equal(LAYERS + 1, set.count);
            assert_true(all_hold(subject->tree, &set));
            put_key(subject, NULL, deep_key(SHARED, 'z'));
            assert_false(all_hold(subject->tree, &set));
        }
        stop_recording(subject);
        assert_ok(masstree_clear(subject->tree, NULL));
        masstree_guard_refresh(subject->guard);
    }
}

static struct key random_key(uint64_t *random, enum family family)
{
    struct key key;
    key.len = family_key(family, random_below(random, 400), key.bytes);
    return key;
}

static int compare_observations(const void *left, const void *right)
{
    return memcmp(left, right, sizeof(masstree_observation_t));
}

/* Sorts, and removes duplicates. */
static void sort(struct observations *set)
{
    size_t count = 0;
    qsort(set->all, set->count, sizeof set->all[0], compare_observations);
    for (size_t i = 0; i < set->count; i++) {
        if (count == 0 || !same(set->all[count - 1], set->all[i])) {
            set->all[count++] = set->all[i];
        }
    }
    set->count = count;
}

/* All leaves are observed, then many keys are inserted, in all layers: applying the deltas must
   yield the set that a new scan observes. */
static void own_inserts_into_observed_leaves_yield_the_set_of_a_scan(void **state)
{
    struct subject *subject = *state;
    static struct observations set, now;
    uint64_t seed = 1;
    for (enum family family = 0; family < FAMILIES; family++) {
        for (unsigned reverse = 0; reverse < 2; reverse++, seed++) {
            struct recording recording;
            masstree_range_t range = MASSTREE_RANGE_INIT;
            uint64_t random = seed;
            range.flags = reverse == 0 ? 0 : MASSTREE_SCAN_REVERSE;
            for (size_t i = random_below(&random, 300); i > 0; i--) {
                insert_key(subject, NULL, random_key(&random, family));
            }
            set.count = 0;
            scan_range(subject, NULL, &range, &set);
            record(subject, &recording, CREATED);
            for (size_t i = 0; i < 300; i++) {
                insert_key(subject, subject->guard, random_key(&random, family));
                assert_status(MASSTREE_OK, apply(&recording, &set));
                assert_true(all_hold(subject->tree, &set));
            }
            now.count = 0;
            scan_range(subject, NULL, &range, &now);
            sort(&set);
            sort(&now);
            assert_int_equal(now.count, set.count);
            assert_memory_equal(now.all, set.all, now.count * sizeof now.all[0]);
            stop_recording(subject);
            put_text(subject, "another's");
            assert_false(all_hold(subject->tree, &set));
            assert_ok(masstree_clear(subject->tree, NULL));
            masstree_guard_refresh(subject->guard);
        }
    }
}

static int32_t decide(const uint64_t *present, uint64_t *value, void *ctx)
{
    *value = present == NULL ? 1 : *present + 1;
    return *(const int32_t *)ctx;
}

static int32_t refuse_value(uint64_t *value, void *ctx)
{
    (void)value;
    return *(const int32_t *)ctx;
}

#define EXPECT_UNCHANGED(call)                                                                    \
    do {                                                                                          \
        call;                                                                                     \
        assert_true(same(recording.delta.before, recording.delta.after));                         \
        assert_true(same(recording.delta.before, seen));                                          \
        assert_int_equal(0, recording.delta.created_count);                                       \
        recording.delta.before = recording.delta.after = (masstree_observation_t){0, 0, 0};       \
    } while (0)

/* Words: overwrites, and writes that change nothing, which the leaf proves. */
static void write_that_changes_no_key_records_the_leaf_that_proves_it(void **state)
{
    (void)state;
    masstree_t *tree = new_tree();
    struct subject subject = {.tree = tree, .guard = new_guard(tree)};
    masstree_guard_t *guard = subject.guard;
    struct recording recording;
    int32_t keep = MASSTREE_ACTION_KEEP;
    int32_t set = MASSTREE_ACTION_SET;
    int32_t remove = MASSTREE_ACTION_REMOVE;
    put_text(&subject, "k");
    masstree_observation_t seen = observe_present(&subject, "k");
    record(&subject, &recording, CREATED);
    EXPECT_UNCHANGED(assert_ok(masstree_put(tree, guard, "k", 1, 2)));
    EXPECT_UNCHANGED(assert_ok(masstree_exchange(tree, guard, "k", 1, 3, NULL)));
    EXPECT_UNCHANGED(assert_ok(masstree_replace(tree, guard, "k", 1, 4, NULL)));
    EXPECT_UNCHANGED(assert_ok(masstree_compare_exchange(tree, guard, "k", 1, 4, 5, NULL)));
    EXPECT_UNCHANGED(assert_ok(masstree_update(tree, guard, "k", 1, decide, &set, NULL)));
    EXPECT_UNCHANGED(assert_ok(masstree_update(tree, guard, "k", 1, decide, &keep, NULL)));
    EXPECT_UNCHANGED(assert_ok(masstree_update(tree, guard, "none", 4, decide, &keep, NULL)));
    EXPECT_UNCHANGED(assert_ok(masstree_update(tree, guard, "none", 4, decide, &remove, NULL)));
    EXPECT_UNCHANGED(assert_status(MASSTREE_EXISTS, masstree_get_or_insert_with(
                                       tree, guard, "k", 1, refuse_value, &keep, NULL)));
    EXPECT_UNCHANGED(
        assert_status(MASSTREE_EXISTS, masstree_insert(tree, guard, "k", 1, 7, NULL)));
    EXPECT_UNCHANGED(
        assert_status(MASSTREE_NOT_FOUND, masstree_replace(tree, guard, "none", 4, 7, NULL)));
    EXPECT_UNCHANGED(
        assert_status(MASSTREE_NOT_FOUND, masstree_remove(tree, guard, "none", 4, NULL)));
    EXPECT_UNCHANGED(assert_status(
        MASSTREE_MISMATCH, masstree_compare_exchange(tree, guard, "k", 1, 77, 5, NULL)));
    EXPECT_UNCHANGED(assert_status(
        MASSTREE_NOT_FOUND, masstree_compare_exchange(tree, guard, "none", 4, 77, 5, NULL)));
    EXPECT_UNCHANGED(
        assert_status(MASSTREE_MISMATCH, masstree_remove_if_equal(tree, guard, "k", 1, 7, NULL)));
    masstree_guard_leave(guard);
    end_tree(tree);
}

static void write_of_bytes_that_changes_no_key_records_the_leaf_that_proves_it(void **state)
{
    (void)state;
    masstree_t *tree = new_bytes_tree();
    struct subject subject = {.tree = tree, .guard = new_guard(tree), .bytes = true};
    masstree_guard_t *guard = subject.guard;
    struct recording recording;
    masstree_slice_t four = SLICE("4");
    put_text(&subject, "k");
    masstree_observation_t seen = observe_present(&subject, "k");
    record(&subject, &recording, CREATED);
    EXPECT_UNCHANGED(assert_ok(masstree_put_bytes(tree, guard, "k", 1, "2", 1)));
    EXPECT_UNCHANGED(assert_ok(masstree_exchange_bytes(tree, guard, "k", 1, "3", 1, NULL)));
    EXPECT_UNCHANGED(assert_ok(masstree_replace_bytes(tree, guard, "k", 1, "4", 1, NULL)));
    EXPECT_UNCHANGED(assert_ok(
        masstree_compare_exchange_bytes(tree, guard, "k", 1, four, SLICE("5"), NULL)));
    EXPECT_UNCHANGED(
        assert_status(MASSTREE_EXISTS, masstree_insert_bytes(tree, guard, "k", 1, "7", 1, NULL)));
    EXPECT_UNCHANGED(assert_status(MASSTREE_NOT_FOUND,
                                   masstree_replace_bytes(tree, guard, "none", 4, "7", 1, NULL)));
    EXPECT_UNCHANGED(assert_status(
        MASSTREE_MISMATCH, masstree_compare_exchange_bytes(tree, guard, "k", 1, four, four, NULL)));
    EXPECT_UNCHANGED(assert_status(MASSTREE_MISMATCH, masstree_remove_if_equal_bytes(
                                                          tree, guard, "k", 1, four, NULL)));
    EXPECT_UNCHANGED(
        assert_status(MASSTREE_NOT_FOUND, masstree_remove_bytes(tree, guard, "none", 4, NULL)));
    masstree_guard_leave(guard);
    end_tree(tree);
}

/* A remove describes its leaf, but not the changes to other leaves if it leaves its leaf empty. */
static void remove_is_recorded_unless_it_empties_a_leaf(void **state)
{
    struct subject *subject = *state;
    struct recording recording;
    struct observations set = {.count = 1};
    masstree_range_t range = MASSTREE_RANGE_INIT;
    put_text(subject, "a");
    put_text(subject, "b");
    set.all[0] = observe_present(subject, "a");
    record(subject, &recording, CREATED);
    remove_key(subject, subject->guard, text_key("b"));
    assert_int_equal(0, recording.delta.flags);
    assert_false(all_hold(subject->tree, &set));
    assert_status(MASSTREE_OK, apply(&recording, &set));
    assert_true(all_hold(subject->tree, &set));
    stop_recording(subject);
    for (uint64_t i = 0; i < 100; i++) {
        put_key(subject, NULL, number_key(i));
    }
    set.count = 0;
    scan_range(subject, NULL, &range, &set);
    record(subject, &recording, CREATED);
    size_t more = 0;
    for (uint64_t i = 0; i < 100; i++) {
        remove_key(subject, subject->guard, number_key(i));
        int32_t status = apply(&recording, &set);
        bool is_more = recording.delta.flags == MASSTREE_DELTA_MORE;
        assert_int_equal(is_more ? MASSTREE_MISMATCH : MASSTREE_OK, status);
        assert_int_equal(!is_more, all_hold(subject->tree, &set));
        if (is_more) {
            more++;
            set.count = 0;
            scan_range(subject, NULL, &range, &set);
        }
    }
    assert_in_range(more, 5, 20);
}

/* A refreshed guard continues to record; a guard entered at the address of one that was left
   does not record into that one's delta. */
static void guard_keeps_its_delta_until_it_is_left(void **state)
{
    struct subject *subject = *state;
    struct recording recording;
    record(subject, &recording, CREATED);
    masstree_guard_refresh(subject->guard);
    put_key(subject, subject->guard, text_key("a"));
    assert_true(same(recording.delta.after, observe_present(subject, "a")));
    masstree_guard_leave(subject->guard);
    subject->guard = new_guard(subject->tree);
    struct recording before = recording;
    put_key(subject, subject->guard, text_key("b"));
    put_key(subject, NULL, text_key("c"));
    remove_key(subject, subject->guard, text_key("a"));
    assert_memory_equal(&before.delta, &recording.delta, sizeof before.delta);
}

static void batch_records_its_last_key(void **state)
{
    struct subject *subject = *state;
    struct recording recording;
    masstree_slice_t keys[] = {SLICE("first"), SLICE("last")};
    masstree_slice_t bytes[] = {SLICE("1"), SLICE("2")};
    uint64_t words[] = {1, 2};
    record(subject, &recording, CREATED);
    assert_ok(subject->bytes
                  ? masstree_put_many_bytes(subject->tree, subject->guard, keys, bytes, 2, NULL)
                  : masstree_put_many(subject->tree, subject->guard, keys, words, 2, NULL));
    assert_false(same(recording.delta.before, recording.delta.after));
    assert_true(same(recording.delta.after, observe_present(subject, "last")));
    masstree_observation_t after = recording.delta.after;
    assert_ok(masstree_remove_many(subject->tree, subject->guard, keys, 1, NULL, NULL));
    assert_true(same(after, recording.delta.before));
}

static void write_to_an_unobserved_leaf_changes_no_set(void **state)
{
    struct subject *subject = *state;
    struct recording recording;
    bool is_there;
    for (uint64_t i = 0; i < 100; i++) {
        put_key(subject, NULL, number_key(10 * i));
    }
    struct observations set = {.all = {observe_key(subject, number_key(5), &is_there)},
                               .count = 1};
    struct observations before = set;
    record(subject, &recording, 0);
    put_key(subject, subject->guard, number_key(995));
    assert_status(MASSTREE_OK, apply(&recording, &set));
    remove_key(subject, subject->guard, number_key(995));
    assert_status(MASSTREE_OK, apply(&recording, &set));
    assert_memory_equal(&before, &set, sizeof set);
    assert_true(all_hold(subject->tree, &set));
    set.count = 0;
    assert_status(MASSTREE_OK, masstree_delta_apply(&recording.delta, NULL, &set.count, 0));
}

static void malformed_deltas_are_refused(void **state)
{
    struct subject *subject = *state;
    struct recording recording;
    struct observations set = {.count = 1};
    record(subject, &recording, CREATED);
    assert_status(MASSTREE_INVALID, masstree_guard_record(NULL, &recording.delta));
    assert_status(MASSTREE_INVALID, masstree_guard_record(NULL, NULL));
    assert_status(MASSTREE_INVALID, masstree_delta_apply(NULL, set.all, &set.count, OBSERVATIONS));
    assert_status(MASSTREE_INVALID,
                  masstree_delta_apply(&recording.delta, set.all, NULL, OBSERVATIONS));
    assert_status(MASSTREE_INVALID, masstree_delta_apply(&recording.delta, set.all, &set.count, 0));
    assert_status(MASSTREE_INVALID, masstree_delta_apply(&recording.delta, NULL, &set.count, 1));
    for (unsigned fault = 0; fault < 3; fault++) {
        struct recording faulty = recording;
        if (fault == 0) {
            faulty.delta.struct_size--;
        } else if (fault == 1) {
            faulty.delta.created = NULL;
        } else {
            faulty.delta.reserved = 1;
        }
        assert_status(MASSTREE_INVALID, masstree_guard_record(subject->guard, &faulty.delta));
        assert_status(MASSTREE_INVALID, apply(&faulty, &set));
    }
    /* The previous delta is still attached. */
    put_key(subject, subject->guard, text_key("k"));
    assert_false(same(recording.delta.before, recording.delta.after));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_BOTH_KINDS(own_insert_invalidates_nothing_and_anothers_does),
        WITH_BOTH_KINDS(own_split_invalidates_nothing_and_anothers_insert_does),
        WITH_BOTH_KINDS(own_layers_invalidate_nothing_and_too_many_are_a_mismatch),
        WITH_BOTH_KINDS(own_inserts_into_observed_leaves_yield_the_set_of_a_scan),
        cmocka_unit_test(write_that_changes_no_key_records_the_leaf_that_proves_it),
        cmocka_unit_test(write_of_bytes_that_changes_no_key_records_the_leaf_that_proves_it),
        WITH_BOTH_KINDS(remove_is_recorded_unless_it_empties_a_leaf),
        WITH_BOTH_KINDS(guard_keeps_its_delta_until_it_is_left),
        WITH_BOTH_KINDS(batch_records_its_last_key),
        WITH_BOTH_KINDS(write_to_an_unobserved_leaf_changes_no_set),
        WITH_BOTH_KINDS(malformed_deltas_are_refused),
    };
    return cmocka_run_group_tests_name("delta", tests, NULL, NULL);
}
