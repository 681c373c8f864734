/* Keys that are held while another thread clears the tree: finishing returns MASSTREE_CLEARED
   and changes nothing; nothing validates under such a hold; another thread may hold the key in
   the new tree. */
#include "observing.h"

/* More keys than one leaf has: a tree of one leaf is not cleared while that leaf is held. */
enum { KEYS = 200, ABSENT = 1000 };
static const int32_t actions[] = {MASSTREE_ACTION_KEEP, MASSTREE_ACTION_SET,
                                  MASSTREE_ACTION_REMOVE};

static void fill(const struct subject *subject)
{
    for (uint64_t i = 0; i < KEYS; i++) {
        put_key(subject, NULL, number_key(i));
    }
}

static void *clear(void *tree)
{
    REQUIRE(masstree_clear(tree, NULL) == MASSTREE_OK);
    return NULL;
}

static void run_in_another_thread(void *(*run)(void *), void *arg)
{
    pthread_t thread;
    assert_int_equal(0, pthread_create(&thread, NULL, run, arg));
    assert_int_equal(0, pthread_join(thread, NULL));
}

/* A key in the middle, and an absent one that gets a new leaf. */
static const uint64_t numbers[] = {KEYS / 2, ABSENT};

/* Put back: in Tree::finish, do not check for clears. */
static void finishing_after_a_clear_reports_it_and_changes_nothing(void **state)
{
    struct subject *subject = *state;
    for (size_t i = 0; i < COUNT(numbers) * COUNT(actions); i++) {
        struct key key = number_key(numbers[i / COUNT(actions)]);
        int32_t action = actions[i % COUNT(actions)];
        bool is_there = numbers[i / COUNT(actions)] < KEYS;
        masstree_held_t held;
        uint64_t old = 77;
        fill(subject);
        assert_status(is_there ? MASSTREE_OK : MASSTREE_NOT_FOUND,
                      hold_key(subject, &key, MASSTREE_HOLD_INSERT, &held, NULL));
        run_in_another_thread(clear, subject->tree);
        assert_status(MASSTREE_NOT_FOUND,
                      masstree_get(subject->tree, subject->guard, key.bytes, key.len, NULL));
        assert_status(MASSTREE_CLEARED, masstree_held_finish(&held, action, 5, &old));
        assert_int_equal(77, old);
        assert_status(MASSTREE_INVALID, masstree_held_finish(&held, action, 5, &old));
        assert_int_equal(0, tree_len(subject->tree));
        assert_status(MASSTREE_NOT_FOUND,
                      masstree_get(subject->tree, subject->guard, key.bytes, key.len, NULL));
        /* The next hold is in the new tree. */
        assert_status(MASSTREE_NOT_FOUND,
                      hold_key(subject, &key, MASSTREE_HOLD_INSERT, &held, NULL));
        assert_ok(masstree_held_finish(&held, MASSTREE_ACTION_SET, 6, NULL));
        assert_consistent(subject->tree);
        assert_int_equal(1, tree_len(subject->tree));
        masstree_guard_refresh(subject->guard);
        remove_key(subject, NULL, key);
    }
}

static void keys_finished_before_a_clear_are_cleared_away(void **state)
{
    struct subject *subject = *state;
    for (size_t i = 0; i < COUNT(numbers) * COUNT(actions); i++) {
        struct key key = number_key(numbers[i / COUNT(actions)]);
        masstree_held_t held;
        fill(subject);
        (void)hold_key(subject, &key, MASSTREE_HOLD_INSERT, &held, NULL);
        assert_ok(masstree_held_finish(&held, actions[i % COUNT(actions)], 5, NULL));
        run_in_another_thread(clear, subject->tree);
        assert_int_equal(0, tree_len(subject->tree));
        assert_consistent(subject->tree);
        masstree_guard_refresh(subject->guard);
    }
}

/* Increments a key in the new tree, while the old one's is held. */
static void *clear_and_count_up(void *arg)
{
    const struct subject *subject = arg;
    struct key key = number_key(numbers[0]);
    masstree_guard_t *guard = new_guard(subject->tree);
    masstree_held_t held;
    uint64_t value = 0;
    REQUIRE(masstree_clear(subject->tree, guard) == MASSTREE_OK);
    for (uint64_t i = 0; i < 3; i++) {
        int32_t status = masstree_hold(subject->tree, guard, key.bytes, key.len,
                                       MASSTREE_HOLD_INSERT, &held, &value);
        REQUIRE(status == (i == 0 ? MASSTREE_NOT_FOUND : MASSTREE_OK) && value == i);
        REQUIRE(masstree_held_finish(&held, MASSTREE_ACTION_SET, i + 1, NULL) == MASSTREE_OK);
    }
    masstree_guard_leave(guard);
    return NULL;
}

static void holder_of_the_key_in_the_new_tree_excludes_others(void **state)
{
    struct subject *subject = *state;
    for (size_t i = 0; i < COUNT(actions); i++) {
        struct key key = number_key(numbers[0]);
        masstree_held_t held;
        uint64_t value = 0;
        fill(subject);
        assert_ok(hold_key(subject, &key, 0, &held, &value));
        assert_int_equal(1, value);
        run_in_another_thread(clear_and_count_up, subject);
        assert_status(MASSTREE_CLEARED, masstree_held_finish(&held, actions[i], 50, NULL));
        assert_ok(masstree_get(subject->tree, subject->guard, key.bytes, key.len, &value));
        assert_int_equal(3, value);
        assert_int_equal(1, tree_len(subject->tree));
        assert_consistent(subject->tree);
        masstree_guard_refresh(subject->guard);
        run_in_another_thread(clear, subject->tree);
    }
}

static void *load(void *tree)
{
    static const uint64_t keys[] = {1, 2, 3}, values[] = {4, 5, 6};
    REQUIRE(masstree_clear(tree, NULL) == MASSTREE_OK);
    REQUIRE(masstree_bulk_load_u64(tree, NULL, keys, sizeof keys[0], values, COUNT(keys), NULL) ==
            MASSTREE_OK);
    return NULL;
}

static void keys_loaded_after_a_clear_stay(void **state)
{
    struct subject *subject = *state;
    struct key key = number_key(2);
    masstree_held_t held;
    uint64_t value = 0;
    fill(subject);
    assert_ok(hold_key(subject, &key, 0, &held, NULL));
    run_in_another_thread(load, subject->tree);
    assert_status(MASSTREE_CLEARED, masstree_held_finish(&held, MASSTREE_ACTION_SET, 50, NULL));
    assert_ok(masstree_get_u64(subject->tree, subject->guard, 2, &value));
    assert_int_equal(5, value);
    assert_int_equal(3, tree_len(subject->tree));
    assert_consistent(subject->tree);
}

/* Put back: in Tree::validate, do not check whether the leaf that this thread holds was cleared
   away. */
static void nothing_validates_under_a_hold_from_before_a_clear(void **state)
{
    struct subject *subject = *state;
    struct key key = number_key(numbers[0]);
    masstree_held_t held;
    masstree_observation_t original, now, next;
    bool is_there;
    size_t changed = 77;
    fill(subject);
    masstree_observation_t before = observe_key(subject, number_key(0), &is_there);
    assert_ok(hold_key(subject, &key, 0, &held, NULL));
    assert_ok(masstree_held_observation(&held, &original, &now));
    assert_true(holds(subject->tree, now) && holds(subject->tree, before));
    assert_ok(masstree_validate(subject->tree, NULL, 0, NULL));
    run_in_another_thread(clear, subject->tree);
    masstree_observation_t after = observe_key(subject, number_key(0), &is_there);
    assert_false(is_there);
    assert_ok(masstree_held_observation(&held, &original, &now));
    assert_ok(masstree_held_next(&held, MASSTREE_ACTION_SET, &next));
    assert_false(holds(subject->tree, original) || holds(subject->tree, now) ||
                 holds(subject->tree, next) || holds(subject->tree, before));
    assert_status(MASSTREE_MISMATCH, masstree_validate(subject->tree, &now, 1, &changed));
    assert_int_equal(0, changed);
    assert_status(MASSTREE_MISMATCH, masstree_validate(subject->tree, &after, 1, &changed));
    assert_int_equal(1, changed);
    assert_status(MASSTREE_MISMATCH, masstree_validate(subject->tree, NULL, 0, &changed));
    assert_int_equal(0, changed);
    /* The other tree was not cleared. */
    struct subject other = {.tree = new_tree()};
    masstree_observation_t elsewhere = observe_key(&other, key, &is_there);
    assert_true(holds(other.tree, elsewhere));
    assert_status(MASSTREE_CLEARED, masstree_held_finish(&held, MASSTREE_ACTION_KEEP, 0, NULL));
    assert_true(holds(subject->tree, after));
    assert_false(holds(subject->tree, now) || holds(subject->tree, next));
    end_tree(other.tree);
}

/* Room was made by a split, recorded in a delta, and is freed with the cleared tree. */
static void delta_of_a_cleared_hold_validates_nothing(void **state)
{
    const struct subject *subject = *state;
    for (size_t i = 0; i < COUNT(actions); i++) {
        masstree_observation_t created[8], set[16];
        masstree_delta_t delta = MASSTREE_DELTA_INIT;
        masstree_held_t held;
        struct key key = number_key(ABSENT);
        bool is_there;
        size_t count = 1;
        for (uint64_t number = 0; number < 30; number++) {
            put_key(subject, NULL, number_key(number));
        }
        delta.created = created;
        delta.created_capacity = COUNT(created);
        assert_ok(masstree_guard_record(subject->guard, &delta));
        set[0] = observe_key(subject, key, &is_there);
        assert_status(MASSTREE_NOT_FOUND,
                      hold_key(subject, &key, MASSTREE_HOLD_INSERT, &held, NULL));
        assert_int_equal(1, delta.created_count);
        run_in_another_thread(clear, subject->tree);
        masstree_observation_t after = observe_key(subject, key, &is_there);
        assert_status(MASSTREE_CLEARED, masstree_held_finish(&held, actions[i], 5, NULL));
        int32_t applied = masstree_delta_apply(&delta, set, &count, COUNT(set));
        assert_status(MASSTREE_MISMATCH, masstree_validate(subject->tree, set, count, NULL));
        /* The leaf that was not filled was unlinked again. */
        assert_status(MASSTREE_MISMATCH, applied);
        set[0] = after;
        count = 1;
        assert_ok(masstree_delta_apply(&delta, set, &count, COUNT(set)));
        assert_int_equal(1, count);
        assert_ok(masstree_validate(subject->tree, set, count, NULL));
        assert_ok(masstree_guard_record(subject->guard, NULL));
        assert_consistent(subject->tree);
        masstree_guard_refresh(subject->guard);
    }
}

static void count_destroyed(uint64_t value, void *ctx)
{
    ((uint64_t *)ctx)[value]++;
}

/* Value 1 is stored in every key, 2 is set too late, 3 in time. */
static void value_that_was_not_stored_stays_the_callers(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(numbers); i++) {
        uint64_t destroyed[4] = {0};
        masstree_options_t options = MASSTREE_OPTIONS_INIT;
        struct subject subject = {0};
        struct key key = number_key(numbers[i]);
        masstree_held_t held;
        options.value_destructor = count_destroyed;
        options.value_ctx = destroyed;
        assert_ok(masstree_create(&options, &subject.tree));
        subject.guard = new_guard(subject.tree);
        fill(&subject);
        (void)hold_key(&subject, &key, MASSTREE_HOLD_INSERT, &held, NULL);
        run_in_another_thread(clear, subject.tree);
        assert_status(MASSTREE_CLEARED,
                      masstree_held_finish(&held, MASSTREE_ACTION_SET, 2, NULL));
        (void)hold_key(&subject, &key, MASSTREE_HOLD_INSERT, &held, NULL);
        assert_ok(masstree_held_finish(&held, MASSTREE_ACTION_SET, 3, NULL));
        masstree_guard_leave(subject.guard);
        masstree_destroy(subject.tree);
        assert_int_equal(KEYS, destroyed[1]);
        assert_int_equal(0, destroyed[2]);
        assert_int_equal(1, destroyed[3]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_WORDS(finishing_after_a_clear_reports_it_and_changes_nothing),
        WITH_WORDS(keys_finished_before_a_clear_are_cleared_away),
        WITH_WORDS(holder_of_the_key_in_the_new_tree_excludes_others),
        WITH_WORDS(keys_loaded_after_a_clear_stay),
        WITH_WORDS(nothing_validates_under_a_hold_from_before_a_clear),
        WITH_WORDS(delta_of_a_cleared_hold_validates_nothing),
        cmocka_unit_test(value_that_was_not_stored_stays_the_callers),
    };
    return cmocka_run_group_tests_name("held_clear", tests, NULL, NULL);
}
