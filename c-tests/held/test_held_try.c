/* Holds that do not wait, holds without a guard, and what a finished hold still says. */
#include "observing.h"

#include <stdatomic.h>

enum { WIDTH = 15 };

static int32_t hold_number(masstree_t *tree, masstree_guard_t *guard, struct key *key,
                           uint32_t flags, masstree_held_t *held)
{
    return masstree_hold(tree, guard, key->bytes, key->len, flags, held, NULL);
}

static void *try_keys_of_a_held_leaf(void *arg)
{
    masstree_t *tree = arg;
    static const uint32_t flags[] = {0, MASSTREE_HOLD_INSERT,
                                     MASSTREE_HOLD_INSERT | MASSTREE_HOLD_DELTA};
    masstree_guard_t *guard = new_guard(tree);
    for (size_t i = 0; i < 2 * COUNT(flags); i++) {
        masstree_held_t held;
        struct key key = number_key(1);
        struct key absent = number_key(100);
        uint32_t with = flags[i / 2] | MASSTREE_HOLD_TRY;
        masstree_guard_t *under = i % 2 == 0 ? guard : NULL;
        REQUIRE(hold_number(tree, under, &key, with, &held) == MASSTREE_BUSY);
        REQUIRE(hold_number(tree, under, &absent, with, &held) == MASSTREE_BUSY);
        REQUIRE(masstree_held_finish(&held, MASSTREE_ACTION_KEEP, 0, NULL) == MASSTREE_INVALID);
    }
    masstree_guard_leave(guard);
    return NULL;
}

/* Put back: in `lock_short`, lock with `Locked::lock`: the other thread waits for ever. */
static void trying_a_held_leaf_does_not_wait(void **state)
{
    const struct subject *subject = *state;
    masstree_held_t held;
    pthread_t thread;
    struct key key = number_key(2);
    for (uint64_t i = 0; i < 3; i++) {
        put_key(subject, NULL, number_key(i));
    }
    assert_ok(hold_number(subject->tree, NULL, &key, MASSTREE_HOLD_TRY, &held));
    assert_int_equal(0, pthread_create(&thread, NULL, try_keys_of_a_held_leaf, subject->tree));
    assert_int_equal(0, pthread_join(thread, NULL));
    assert_ok(masstree_held_finish(&held, MASSTREE_ACTION_KEEP, 0, NULL));
    assert_consistent(subject->tree);
}

/* Put back: in `hold_long`, ignore MASSTREE_HOLD_TRY: the leaf splits. */
static void trying_makes_no_room(void **state)
{
    const struct subject *subject = *state;
    masstree_held_t held;
    masstree_observation_t before, after;
    uint64_t size = 0;
    struct key present = number_key(3);
    struct key absent = number_key(WIDTH);
    for (uint64_t i = 0; i < WIDTH; i++) {
        put_key(subject, NULL, number_key(i));
    }
    assert_ok(masstree_get_observed(subject->tree, NULL, present.bytes, present.len, &size, &before));
    for (unsigned i = 0; i < 2; i++) {
        masstree_guard_t *guard = i == 0 ? subject->guard : NULL;
        uint32_t flags = MASSTREE_HOLD_INSERT | MASSTREE_HOLD_TRY;
        assert_status(MASSTREE_BUSY, hold_number(subject->tree, guard, &absent, flags, &held));
        assert_ok(hold_number(subject->tree, guard, &present, flags, &held));
        assert_ok(masstree_held_finish(&held, MASSTREE_ACTION_KEEP, 0, NULL));
        /* Without room. */
        flags = MASSTREE_HOLD_TRY;
        assert_status(MASSTREE_NOT_FOUND, hold_number(subject->tree, guard, &absent, flags, &held));
        assert_status(MASSTREE_INVALID, masstree_held_finish(&held, MASSTREE_ACTION_SET, 1, NULL));
        assert_ok(masstree_held_finish(&held, MASSTREE_ACTION_REMOVE, 0, NULL));
        /* A long key, and a guard that records. */
        assert_status(MASSTREE_BUSY, masstree_hold(subject->tree, guard, "longer than a slice", 19,
                                                   MASSTREE_HOLD_TRY, &held, NULL));
    }
    masstree_delta_t delta = MASSTREE_DELTA_INIT;
    assert_ok(masstree_guard_record(subject->guard, &delta));
    assert_status(MASSTREE_BUSY,
                  hold_number(subject->tree, subject->guard, &present, MASSTREE_HOLD_TRY, &held));
    assert_status(MASSTREE_INVALID,
                  hold_number(subject->tree, subject->guard, &present, MASSTREE_HOLD_DELTA, &held));
    assert_ok(masstree_guard_record(subject->guard, NULL));
    assert_ok(masstree_get_observed(subject->tree, NULL, present.bytes, present.len, &size, &after));
    assert_memory_equal(&before, &after, sizeof before);
    assert_consistent(subject->tree);
}

/* What a thread that holds without a guard meets. */
struct beside {
    masstree_t *tree;
    masstree_guard_t *guard; /* the other thread's */
    atomic_size_t freed;
    size_t values;
};

static void count_freed(uint64_t value, void *ctx)
{
    struct beside *beside = ctx;
    (void)value;
    atomic_fetch_add(&beside->freed, 1);
}

/* Clears the tree, and submits and waits for everything but the hold. */
static void *clear_and_refresh(void *arg)
{
    struct beside *beside = arg;
    masstree_guard_t *guard = new_guard(beside->tree);
    REQUIRE(masstree_clear(beside->tree, guard) == MASSTREE_OK);
    for (unsigned i = 0; i < 3; i++) {
        masstree_guard_refresh(guard);
        REQUIRE(masstree_flush(beside->tree, guard) == MASSTREE_OK);
    }
    masstree_guard_leave(guard);
    REQUIRE(masstree_flush(beside->tree, NULL) == MASSTREE_OK);
    return NULL;
}

/* The held leaf is not freed with its cleared tree, nor are its values, but once it is unlocked. Put
   back: in `free_unheld`, free leaves that are locked; in `release_overtaken`, free none. */
static void hold_without_a_guard_keeps_its_leaf_until_it_is_finished(void **state)
{
    enum { KEYS = 200 };
    struct beside beside = {0};
    masstree_options_t options = MASSTREE_OPTIONS_INIT;
    (void)state;
    options.value_destructor = count_freed;
    options.value_ctx = &beside;
    assert_ok(masstree_create(&options, &beside.tree));
    for (unsigned round = 0; round < 2; round++) {
        /* A short hold, and one with room. */
        masstree_held_t held;
        masstree_observation_t leaf;
        pthread_t thread;
        uint64_t value = 0;
        struct key key = number_key(round == 0 ? 7 : KEYS);
        masstree_guard_t *own = new_guard(beside.tree);
        atomic_store(&beside.freed, 0);
        for (uint64_t i = 0; i < KEYS; i++) {
            struct key filled = number_key(i);
            assert_ok(masstree_put(beside.tree, NULL, filled.bytes, filled.len, i));
        }
        int32_t status = hold_number(beside.tree, NULL, &key, MASSTREE_HOLD_INSERT, &held);
        assert_status(round == 0 ? MASSTREE_OK : MASSTREE_NOT_FOUND, status);
        masstree_guard_leave(own);
        assert_int_equal(0, pthread_create(&thread, NULL, clear_and_refresh, &beside));
        assert_int_equal(0, pthread_join(thread, NULL));
        assert_true(atomic_load(&beside.freed) < KEYS);
        assert_status(MASSTREE_NOT_FOUND,
                      masstree_get(beside.tree, NULL, key.bytes, key.len, &value));
        assert_ok(masstree_held_observation(&held, &leaf, NULL));
        assert_status(MASSTREE_CLEARED, masstree_held_finish(&held, MASSTREE_ACTION_SET, 1, NULL));
        assert_ok(masstree_flush(beside.tree, NULL));
        assert_int_equal(KEYS, atomic_load(&beside.freed));
    }
    end_tree(beside.tree);
}

/* Finishes a hold without a guard that this thread did not begin. */
static void *finish_anothers(void *arg)
{
    REQUIRE(masstree_held_finish(arg, MASSTREE_ACTION_KEEP, 0, NULL) == MASSTREE_INVALID);
    return NULL;
}

static void only_its_thread_finishes_a_hold_without_a_guard(void **state)
{
    const struct subject *subject = *state;
    masstree_held_t held;
    pthread_t thread;
    uint64_t old = 0;
    struct key key = number_key(1);
    assert_status(MASSTREE_NOT_FOUND,
                  hold_number(subject->tree, NULL, &key, MASSTREE_HOLD_INSERT, &held));
    assert_int_equal(0, pthread_create(&thread, NULL, finish_anothers, &held));
    assert_int_equal(0, pthread_join(thread, NULL));
    assert_ok(masstree_held_finish(&held, MASSTREE_ACTION_SET, 5, NULL));
    assert_ok(hold_number(subject->tree, NULL, &key, 0, &held));
    assert_ok(masstree_held_finish(&held, MASSTREE_ACTION_REMOVE, 0, &old));
    assert_int_equal(5, old);
}

static void assert_same(masstree_observation_t left, masstree_observation_t right)
{
    assert_memory_equal(&left, &right, sizeof left);
}

/* Holds and finishes, and compares what is said before, after, and by a reader. */
static void ask_about(const struct subject *subject, struct key key, uint32_t flags, int32_t action)
{
    masstree_held_t held;
    masstree_observation_t original, now, next, again, room[16];
    masstree_delta_t delta = MASSTREE_DELTA_INIT;
    bool is_there;
    int32_t status =
        hold_number(subject->tree, NULL, &key, flags | MASSTREE_HOLD_DELTA, &held);
    assert_in_range(status, MASSTREE_OK, MASSTREE_NOT_FOUND);
    assert_ok(masstree_held_observation(&held, &original, &now));
    assert_ok(masstree_held_next(&held, action, &next));
    assert_ok(masstree_held_finish(&held, action, 1, NULL));
    size_t left = tree_len(subject->tree);
    /* As long as the memory is not used again, whatever happens to the tree. */
    masstree_observation_t reader = observe_key(subject, key, &is_there);
    assert_ok(masstree_held_observation(&held, &again, NULL));
    assert_same(original, again);
    assert_ok(masstree_held_observation(&held, NULL, &again));
    assert_same(now, again);
    for (int32_t any = MASSTREE_ACTION_KEEP; any <= MASSTREE_ACTION_REMOVE; any++) {
        assert_ok(masstree_held_next(&held, any, &again));
        assert_same(next, again);
    }
    delta.created = room;
    delta.created_capacity = COUNT(room);
    assert_ok(masstree_held_delta(&held, &delta));
    assert_same(original, delta.before);
    assert_status(MASSTREE_INVALID, masstree_held_finish(&held, action, 1, NULL));
    assert_int_equal(left, tree_len(subject->tree));
    if (delta.flags == 0) {
        assert_same(next, reader);
        bool has_moved = original.leaf != now.leaf;
        assert_true(!has_moved || delta.created_count > 0);
        assert_ok(masstree_validate(subject->tree, delta.created, delta.created_count, NULL));
        assert_true(holds(subject->tree, delta.after));
    } else {
        assert_int_equal(MASSTREE_DELTA_MORE, delta.flags);
        /* A leaf was emptied, or room was given back. */
        assert_int_not_equal(MASSTREE_ACTION_SET, action);
    }
}

/* Put back: in `finish_as`, do not set the seal; or store the version of `now`; or report no leaf as
   emptied. */
static void finished_hold_still_says_what_it_did(void **state)
{
    enum { KEYS = 100 };
    const struct subject *subject = *state;
    for (uint64_t i = 0; i < KEYS; i++) {
        uint64_t n = i * 37 % KEYS;
        ask_about(subject, number_key(n), MASSTREE_HOLD_INSERT, MASSTREE_ACTION_SET);
        ask_about(subject, number_key(n), 0, MASSTREE_ACTION_SET);
        ask_about(subject, number_key(n + KEYS), 0, MASSTREE_ACTION_KEEP);
    }
    assert_int_equal(KEYS, tree_len(subject->tree));
    for (uint64_t i = 0; i < KEYS; i++) {
        ask_about(subject, number_key(i), MASSTREE_HOLD_INSERT, MASSTREE_ACTION_REMOVE);
        ask_about(subject, number_key(i), 0, MASSTREE_ACTION_REMOVE);
    }
    assert_int_equal(0, tree_len(subject->tree));
    /* Memory that was not used, copies, and holds without the flag say nothing. */
    masstree_held_t held, other;
    masstree_observation_t leaf;
    masstree_delta_t delta = MASSTREE_DELTA_INIT;
    struct key key = number_key(1);
    memset(&held, 0, sizeof held);
    assert_status(MASSTREE_INVALID, masstree_held_observation(&held, &leaf, NULL));
    assert_status(MASSTREE_INVALID, masstree_held_delta(&held, &delta));
    assert_status(MASSTREE_INVALID, masstree_held_delta(NULL, &delta));
    assert_status(MASSTREE_NOT_FOUND, hold_number(subject->tree, NULL, &key, 0, &held));
    assert_status(MASSTREE_INVALID, masstree_held_delta(&held, &delta));
    assert_ok(masstree_held_finish(&held, MASSTREE_ACTION_KEEP, 0, NULL));
    assert_status(MASSTREE_INVALID, masstree_held_delta(&held, &delta));
    assert_ok(masstree_held_observation(&held, &leaf, NULL));
    memcpy(&other, &held, sizeof held);
    assert_status(MASSTREE_INVALID, masstree_held_observation(&other, &leaf, NULL));
    assert_status(MASSTREE_INVALID, masstree_held_next(&held, 99, &leaf));
    assert_ok(hold_number(subject->tree, subject->guard, &key, MASSTREE_HOLD_DELTA, &held) ==
                      MASSTREE_NOT_FOUND
                  ? MASSTREE_OK
                  : MASSTREE_INVALID);
    assert_ok(masstree_held_delta(&held, &delta));
    assert_int_equal(0, delta.created_count);
    delta.reserved = 1;
    assert_status(MASSTREE_INVALID, masstree_held_delta(&held, &delta));
    assert_status(MASSTREE_INVALID, masstree_held_delta(&held, NULL));
    assert_ok(masstree_held_finish(&held, MASSTREE_ACTION_KEEP, 0, NULL));
}

/* A key of 8, 11, 16 or 45 bytes, or of 8 more, whose slices others share. */
static struct key long_key(uint64_t number)
{
    struct key key = number_key(number / 4 * 4);
    memset(key.bytes + 8, 's', sizeof key.bytes - 8);
    static const size_t lengths[] = {8, 11, 16, 45};
    key.len = lengths[number % 4];
    if (number % 3 == 0) {
        memmove(key.bytes + 8, key.bytes, 8);
        memset(key.bytes, 'p', 8);
        key.len += 8;
    }
    return key;
}

/* Put back: in `finish_ready`, let the guard remember the leaf (`true`), in a build with debug
   assertions; or in `masstree_held_delta`, report the delta of another hold. */
static void finished_hold_of_a_long_key_still_says_what_it_did(void **state)
{
    enum { KEYS = 400 };
    const struct subject *subject = *state;
    for (uint64_t i = 0; i < KEYS; i++) {
        uint64_t n = i * 37 % KEYS;
        ask_about(subject, long_key(n), 0, MASSTREE_ACTION_KEEP);
        ask_about(subject, long_key(n), MASSTREE_HOLD_INSERT, MASSTREE_ACTION_KEEP);
        ask_about(subject, long_key(n), MASSTREE_HOLD_INSERT, MASSTREE_ACTION_SET);
        ask_about(subject, long_key(n), 0, MASSTREE_ACTION_SET);
        ask_about(subject, long_key(n + KEYS), 0, MASSTREE_ACTION_REMOVE);
    }
    assert_int_equal(KEYS, tree_len(subject->tree));
    assert_consistent(subject->tree);
    for (uint64_t i = 0; i < KEYS; i++) {
        ask_about(subject, long_key(i), i % 2 == 0 ? MASSTREE_HOLD_INSERT : 0,
                  MASSTREE_ACTION_REMOVE);
    }
    assert_int_equal(0, tree_len(subject->tree));
    assert_consistent(subject->tree);
}

/* Inserts keys that share all but their last byte, too many for one group, so that they become a layer.
   Returns MASSTREE_OK, or the status of the hold that is refused. */
static int32_t hold_keys_of(const struct subject *subject, size_t len)
{
    masstree_held_t held;
    char key[200];
    memset(key, 'k', sizeof key);
    for (uint8_t i = 0; i < 20; i++) {
        key[len - 1] = (char)i;
        uint64_t before = tree_len(subject->tree);
        int32_t status = masstree_hold(subject->tree, NULL, key, len,
                                       MASSTREE_HOLD_INSERT | MASSTREE_HOLD_DELTA, &held, NULL);
        if (status != MASSTREE_NOT_FOUND) {
            assert_int_equal(before, tree_len(subject->tree));
            assert_status(MASSTREE_INVALID,
                          masstree_held_finish(&held, MASSTREE_ACTION_KEEP, 0, NULL));
            return status;
        }
        assert_ok(masstree_held_finish(&held, MASSTREE_ACTION_SET, i, NULL));
        masstree_observation_t room[16];
        masstree_delta_t delta = MASSTREE_DELTA_INIT;
        delta.created = room;
        delta.created_capacity = COUNT(room);
        assert_ok(masstree_held_delta(&held, &delta));
        assert_int_equal(0, delta.flags);
        assert_in_range(delta.created_count, 0, 10);
        assert_ok(masstree_validate(subject->tree, room, delta.created_count, NULL));
    }
    return MASSTREE_OK;
}

/* A long key makes more layers than *held has room for. Put back: in `hold_from`, ignore
   `most_created`. */
static void hold_that_creates_too_many_leaves_for_its_delta_is_refused(void **state)
{
    const struct subject *subject = *state;
    for (size_t len = 9; len <= 80; len++) {
        assert_ok(hold_keys_of(subject, len));
        assert_ok(masstree_clear(subject->tree, NULL));
    }
    assert_status(MASSTREE_TOO_SMALL, hold_keys_of(subject, 200));
    assert_consistent(subject->tree);
    /* Without a delta it succeeds. */
    char key[200];
    memset(key, 'k', sizeof key);
    masstree_held_t held;
    assert_status(MASSTREE_NOT_FOUND, masstree_hold(subject->tree, NULL, key, sizeof key,
                                                    MASSTREE_HOLD_INSERT, &held, NULL));
    assert_ok(masstree_held_finish(&held, MASSTREE_ACTION_SET, 1, NULL));
    assert_consistent(subject->tree);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_WORDS(trying_a_held_leaf_does_not_wait),
        WITH_WORDS(trying_makes_no_room),
        cmocka_unit_test(hold_without_a_guard_keeps_its_leaf_until_it_is_finished),
        WITH_WORDS(only_its_thread_finishes_a_hold_without_a_guard),
        WITH_WORDS(finished_hold_still_says_what_it_did),
        WITH_WORDS(finished_hold_of_a_long_key_still_says_what_it_did),
        WITH_WORDS(hold_that_creates_too_many_leaves_for_its_delta_is_refused),
    };
    return cmocka_run_group_tests_name("held_try", tests, NULL, NULL);
}
