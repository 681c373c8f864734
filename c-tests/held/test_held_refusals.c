/* Held leaves: refused invalid uses; forks; displaced values. */
#include "observing.h"

#include <sys/wait.h>
#include <unistd.h>

/* Calls of a thread that does not hold the leaf. */
static void *meddle(void *arg)
{
    masstree_held_t *held = arg;
    masstree_observation_t leaf = {0, 0, 0};
    REQUIRE(masstree_held_observation(held, &leaf, &leaf) == MASSTREE_INVALID);
    REQUIRE(masstree_held_next(held, MASSTREE_ACTION_SET, &leaf) == MASSTREE_INVALID);
    REQUIRE(masstree_held_finish(held, MASSTREE_ACTION_SET, 1, NULL) == MASSTREE_INVALID);
    REQUIRE(leaf.leaf == 0 && leaf.version == 0);
    return NULL;
}

static void wrong_uses_are_refused_and_change_nothing(void **state)
{
    const struct subject *subject = *state;
    masstree_t *other = new_tree();
    masstree_t *bytes = new_bytes_tree();
    masstree_guard_t *other_guard = new_guard(other);
    masstree_guard_t *bytes_guard = new_guard(bytes);
    masstree_observation_t leaf = {0, 0, 0};
    masstree_held_t held, second;
    pthread_t thread;
    uint64_t value = 77;
    memset(&held, 0, sizeof held);
    assert_null(meddle(&held));
    assert_null(meddle(NULL));
    masstree_t *tree = subject->tree;
    masstree_guard_t *guard = subject->guard;
    assert_status(MASSTREE_INVALID, masstree_hold(NULL, NULL, "k", 1, 1, &held, &value));
    assert_status(MASSTREE_INVALID, masstree_hold(tree, guard, "k", 1, 1, NULL, &value));
    assert_status(MASSTREE_INVALID, masstree_hold(tree, guard, "k", 1, 8, &held, &value));
    assert_status(MASSTREE_WRONG_KIND, masstree_hold(bytes, NULL, "k", 1, 1, &held, &value));
    assert_status(MASSTREE_WRONG_TREE, masstree_hold(tree, other_guard, "k", 1, 1, &held, &value));
    assert_status(MASSTREE_WRONG_KIND, masstree_hold(bytes, bytes_guard, "k", 1, 1, &held, &value));
    assert_null(meddle(&held));

    assert_status(MASSTREE_NOT_FOUND, masstree_hold(tree, guard, "k", 1, 0, &held, &value));
    assert_int_equal(0, pthread_create(&thread, NULL, meddle, &held));
    assert_int_equal(0, pthread_join(thread, NULL));
    memcpy(&second, &held, sizeof second);
    assert_null(meddle(&second));
    assert_status(MASSTREE_INVALID, masstree_hold(tree, guard, "k", 1, 1, &held, &value));
    assert_status(MASSTREE_INVALID, masstree_hold(tree, guard, "k", 1, 1, &second, &value));
    assert_status(MASSTREE_INVALID, masstree_hold(other, other_guard, "k", 1, 1, &second, NULL));
    assert_status(MASSTREE_INVALID, masstree_held_next(&held, 99, &leaf));
    assert_status(MASSTREE_INVALID, masstree_held_next(&held, MASSTREE_ACTION_KEEP, NULL));
    assert_status(MASSTREE_INVALID, masstree_held_next(&held, MASSTREE_ACTION_SET, &leaf));
    assert_status(MASSTREE_INVALID, masstree_held_finish(&held, 99, 1, &value));
    assert_status(MASSTREE_INVALID, masstree_held_finish(&held, MASSTREE_ACTION_SET, 1, &value));
    assert_int_equal(77, value);
    assert_ok(masstree_held_observation(&held, NULL, NULL));
    assert_ok(masstree_held_observation(&held, &leaf, NULL));
    assert_true(holds(tree, leaf));
    assert_ok(masstree_held_finish(&held, MASSTREE_ACTION_REMOVE, 1, &value));
    assert_int_equal(77, value);
    assert_status(MASSTREE_INVALID, masstree_held_finish(&held, MASSTREE_ACTION_SET, 1, NULL));
    assert_null(meddle(&second));
    assert_int_equal(0, tree_len(tree));

    /* Meanwhile another tree may be written, and the masstree_held_t reused. */
    assert_status(MASSTREE_NOT_FOUND,
                  masstree_hold(tree, guard, NULL, 0, MASSTREE_HOLD_INSERT, &held, NULL));
    assert_ok(masstree_put(other, other_guard, "k", 1, 1));
    assert_ok(masstree_held_finish(&held, MASSTREE_ACTION_SET, 5, NULL));
    assert_ok(masstree_get(tree, NULL, NULL, 0, &value));
    assert_int_equal(5, value);
    masstree_guard_leave(other_guard);
    masstree_guard_leave(bytes_guard);
    end_tree(other);
    end_tree(bytes);
}

static void forked_child_does_not_touch_leaves_its_parent_holds(void **state)
{
    const struct subject *subject = *state;
    masstree_held_t held;
    int status = -1;
    put_text(subject, "key");
    assert_ok(masstree_hold(subject->tree, subject->guard, "key", 3, MASSTREE_HOLD_DELTA, &held,
                            NULL));
    pid_t child = fork();
    if (child == 0) {
        masstree_observation_t leaf;
        masstree_held_t own_held;
        alarm(WATCHDOG_SECONDS); /* a child that hangs ends by a signal */
        for (unsigned turn = 0; turn < 2; turn++) {
            REQUIRE(masstree_hold(subject->tree, subject->guard, "key", 3, 0, &own_held, NULL) ==
                    MASSTREE_FORKED);
            REQUIRE(masstree_held_observation(&held, &leaf, &leaf) == MASSTREE_FORKED);
            REQUIRE(masstree_held_next(&held, MASSTREE_ACTION_KEEP, &leaf) == MASSTREE_FORKED);
            masstree_delta_t delta = MASSTREE_DELTA_INIT;
            REQUIRE(masstree_held_delta(&held, &delta) == MASSTREE_FORKED);
            REQUIRE(masstree_held_finish(&held, MASSTREE_ACTION_SET, 2, NULL) == MASSTREE_FORKED);
            masstree_guard_leave(subject->guard);
        }
        masstree_t *own = NULL;
        masstree_guard_t *guard = NULL;
        REQUIRE(masstree_create(NULL, &own) == MASSTREE_OK);
        REQUIRE(masstree_guard_enter(own, &guard) == MASSTREE_OK);
        REQUIRE(masstree_hold(own, guard, "key", 3, MASSTREE_HOLD_INSERT, &own_held, NULL) ==
                MASSTREE_NOT_FOUND);
        REQUIRE(masstree_held_finish(&held, MASSTREE_ACTION_SET, 2, NULL) == MASSTREE_FORKED);
        REQUIRE(masstree_held_finish(&own_held, MASSTREE_ACTION_SET, 2, NULL) == MASSTREE_OK);
        REQUIRE(masstree_get(own, guard, "key", 3, NULL) == MASSTREE_OK);
        masstree_guard_leave(guard);
        masstree_destroy(own);
        flush_statuses();
        _exit(0);
    }
    assert_int_equal(child, waitpid(child, &status, 0));
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    uint64_t old = 0;
    assert_ok(masstree_held_finish(&held, MASSTREE_ACTION_SET, 3, &old));
    assert_int_equal(1, old);
}

/* A tree whose destructor records the values that it gets. */
struct destroyed {
    bool is_held; /* a leaf */
    uint64_t values[16];
    size_t count;
};

static void note_destroyed(uint64_t value, void *ctx)
{
    struct destroyed *destroyed = ctx;
    REQUIRE(!destroyed->is_held);
    REQUIRE(destroyed->count < COUNT(destroyed->values));
    destroyed->values[destroyed->count++] = value;
}

static void hold_and_store(masstree_t *tree, struct destroyed *destroyed, int32_t action,
                           uint64_t value, uint64_t *old)
{
    masstree_guard_t *guard = new_guard(tree);
    masstree_held_t held;
    size_t before = destroyed->count;
    int32_t status = masstree_hold(tree, guard, "key", 3, MASSTREE_HOLD_INSERT, &held, NULL);
    assert_in_range(status, MASSTREE_OK, MASSTREE_NOT_FOUND);
    destroyed->is_held = true;
    assert_ok(masstree_get(tree, guard, "other", 5, NULL));
    destroyed->is_held = false;
    assert_ok(masstree_held_finish(&held, action, value, old));
    assert_ok(masstree_flush(tree, guard));
    /* This guard may have read it. */
    assert_int_equal(before, destroyed->count);
    masstree_guard_leave(guard);
}

static void displaced_values_are_destroyed_once_or_returned(void **state)
{
    struct destroyed destroyed = {0};
    masstree_options_t options = MASSTREE_OPTIONS_INIT;
    masstree_t *tree = NULL;
    uint64_t old = 77;
    (void)state;
    options.value_destructor = note_destroyed;
    options.value_ctx = &destroyed;
    assert_ok(masstree_create(&options, &tree));
    assert_ok(masstree_put(tree, NULL, "other", 5, 99));
    hold_and_store(tree, &destroyed, MASSTREE_ACTION_SET, 1, NULL);
    hold_and_store(tree, &destroyed, MASSTREE_ACTION_KEEP, 2, &old);
    hold_and_store(tree, &destroyed, MASSTREE_ACTION_SET, 1, NULL);
    assert_int_equal(0, destroyed.count);
    hold_and_store(tree, &destroyed, MASSTREE_ACTION_SET, 3, NULL);
    assert_int_equal(1, destroyed.count);
    assert_int_equal(1, destroyed.values[0]);
    assert_int_equal(77, old);
    hold_and_store(tree, &destroyed, MASSTREE_ACTION_SET, 4, &old);
    assert_int_equal(3, old);
    hold_and_store(tree, &destroyed, MASSTREE_ACTION_REMOVE, 5, NULL);
    assert_int_equal(2, destroyed.count);
    assert_int_equal(4, destroyed.values[1]);
    hold_and_store(tree, &destroyed, MASSTREE_ACTION_REMOVE, 5, NULL);
    hold_and_store(tree, &destroyed, MASSTREE_ACTION_SET, 6, NULL);
    hold_and_store(tree, &destroyed, MASSTREE_ACTION_REMOVE, 0, &old);
    assert_int_equal(6, old);
    assert_int_equal(2, destroyed.count);
    end_tree(tree);
    assert_int_equal(3, destroyed.count);
    assert_int_equal(99, destroyed.values[2]);
}

/* A hold that is refused memory changes nothing, and holds nothing. */
static void a_hold_without_memory_holds_nothing(void **state)
{
    (void)state;
    struct allocator allocator;
    allocator_start(&allocator);
    masstree_t *tree = new_tree_of(&allocator, MASSTREE_VALUES_WORDS);
    size_t refused = 0;
    for (unsigned char i = 0; i < 100; i++) {
        char key[40];
        memset(key, 'k', sizeof key);
        key[i % 30] = (char)i;
        masstree_held_t held;
        uint64_t value = 77;
        allocator.fail_at = allocator.calls + 1;
        int32_t status =
            masstree_hold(tree, NULL, key, sizeof key, MASSTREE_HOLD_INSERT, &held, &value);
        allocator.fail_at = 0;
        if (status == MASSTREE_NOMEM) {
            refused++;
            assert_int_equal(77, value);
            assert_status(MASSTREE_NOT_FOUND, masstree_contains(tree, NULL, key, sizeof key));
            status = masstree_hold(tree, NULL, key, sizeof key, MASSTREE_HOLD_INSERT, &held, &value);
        }
        assert_status(MASSTREE_NOT_FOUND, status);
        assert_ok(masstree_held_finish(&held, MASSTREE_ACTION_SET, i, NULL));
    }
    assert_true(refused > 1);
    end_tree(tree);
    allocator_end(&allocator);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_WORDS(wrong_uses_are_refused_and_change_nothing),
        WITH_WORDS(forked_child_does_not_touch_leaves_its_parent_holds),
        cmocka_unit_test(a_hold_without_memory_holds_nothing),
        cmocka_unit_test(displaced_values_are_destroyed_once_or_returned),
    };
    return cmocka_run_group_tests_name("held_refusals", tests, NULL, NULL);
}
