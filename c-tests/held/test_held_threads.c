/* Held leaves under threads: which calls wait for a held leaf; no decision between holding and
   finishing is lost. */
#include "observing.h"

#include <sched.h>
#include <stdatomic.h>

/* More than a leaf has, with a key in the first and in the last. */
enum { KEYS = 200, FIRST = 0, LAST = KEYS - 1 };

static void fill(const struct subject *subject)
{
    for (uint64_t i = 0; i < KEYS; i++) {
        put_key(subject, NULL, number_key(i));
    }
}

struct holding {
    struct key key; /* which must not change */
    masstree_held_t held;
};

static void hold_number(const struct subject *subject, masstree_guard_t *guard, uint64_t number,
                        struct holding *holding, uint64_t *value)
{
    holding->key = number_key(number);
    REQUIRE(masstree_hold(subject->tree, guard, holding->key.bytes, holding->key.len,
                          MASSTREE_HOLD_INSERT, &holding->held, value) == MASSTREE_OK);
}

/* Runs while another thread holds the first leaf: none of these calls waits for it. */
static void *read_and_write_elsewhere(void *arg)
{
    const struct subject *subject = arg;
    masstree_range_t all = MASSTREE_RANGE_INIT;
    masstree_guard_t *guard = new_guard(subject->tree);
    masstree_cursor_t *cursor = NULL;
    struct observations *set = calloc(1, sizeof *set);
    masstree_observation_t leaf;
    uint64_t value = 0;
    size_t met = 0;
    REQUIRE(set != NULL);
    REQUIRE(masstree_get_u64(subject->tree, guard, FIRST, &value) == MASSTREE_OK && value == 1);
    REQUIRE(masstree_get_u64_observed(subject->tree, guard, FIRST, &value, &leaf) == MASSTREE_OK);
    for (unsigned reverse = 0; reverse < 2; reverse++) {
        all.flags = reverse ? MASSTREE_SCAN_REVERSE : 0;
        REQUIRE(scan_range(subject, guard, &all, set).keys == KEYS);
    }
    REQUIRE(masstree_cursor_open(subject->tree, guard, &cursor) == MASSTREE_OK);
    for (int32_t status = masstree_cursor_first(cursor); status == MASSTREE_OK; met++) {
        status = masstree_cursor_next(cursor);
    }
    REQUIRE(met == KEYS);
    masstree_cursor_close(cursor);
    REQUIRE(masstree_put_u64(subject->tree, guard, LAST, 2) == MASSTREE_OK);
    REQUIRE(masstree_put_u64(subject->tree, guard, LAST + 1, 2) == MASSTREE_OK);
    REQUIRE(masstree_remove_u64(subject->tree, guard, LAST + 1, NULL) == MASSTREE_OK);
    masstree_guard_leave(guard);
    free(set);
    return NULL;
}

/* If one waited, this test would not end. */
static void readers_and_writers_of_other_leaves_do_not_wait(void **state)
{
    struct subject *subject = *state;
    struct holding holding;
    pthread_t thread;
    fill(subject);
    hold_number(subject, subject->guard, FIRST, &holding, NULL);
    assert_int_equal(0, pthread_create(&thread, NULL, read_and_write_elsewhere, subject));
    assert_int_equal(0, pthread_join(thread, NULL));
    assert_ok(masstree_held_finish(&holding.held, MASSTREE_ACTION_KEEP, 0, NULL));
}

/* A call that must wait until the first leaf is unlocked. */
struct waiter {
    const struct subject *subject;
    void (*run)(struct waiter *);
    masstree_observation_t leaf;
    atomic_bool has_begun;
    atomic_bool has_ended;
};

static void run_put(struct waiter *waiter)
{
    REQUIRE(masstree_put_u64(waiter->subject->tree, NULL, FIRST, 3) == MASSTREE_OK);
}

static int32_t add_one(const uint64_t *present, uint64_t *value, void *ctx)
{
    (void)ctx;
    *value = *present + 1;
    return MASSTREE_ACTION_SET;
}

static void run_update(struct waiter *waiter)
{
    REQUIRE(masstree_update_u64(waiter->subject->tree, NULL, FIRST, add_one, NULL, NULL) ==
            MASSTREE_OK);
}

static void run_hold(struct waiter *waiter)
{
    const struct subject *subject = waiter->subject;
    masstree_guard_t *guard = new_guard(subject->tree);
    struct holding holding;
    uint64_t value = 0;
    hold_number(subject, guard, FIRST, &holding, &value);
    REQUIRE(masstree_held_finish(&holding.held, MASSTREE_ACTION_SET, value + 1, NULL) == MASSTREE_OK);
    masstree_guard_leave(guard);
}

/* By a thread that holds nothing: a locked leaf may be about to change. */
static void run_validate(struct waiter *waiter)
{
    REQUIRE(holds(waiter->subject->tree, waiter->leaf));
}

static void *run_waiter(void *arg)
{
    struct waiter *waiter = arg;
    atomic_store(&waiter->has_begun, true);
    waiter->run(waiter);
    atomic_store(&waiter->has_ended, true);
    return NULL;
}

static void calls_that_need_the_held_leaf_wait_and_then_continue(void **state)
{
    static const struct {
        void (*run)(struct waiter *);
        uint64_t left; /* 1, and 10 more from the holder */
    } cases[] = {{run_put, 3}, {run_update, 12}, {run_hold, 12}, {run_validate, 11}};
    struct subject *subject = *state;
    fill(subject);
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct waiter waiter = {.subject = subject, .run = cases[i].run};
        struct holding holding;
        pthread_t thread;
        uint64_t value = 0;
        put_key(subject, NULL, number_key(FIRST));
        hold_number(subject, subject->guard, FIRST, &holding, &value);
        assert_ok(masstree_held_observation(&holding.held, &waiter.leaf, NULL));
        assert_int_equal(0, pthread_create(&thread, NULL, run_waiter, &waiter));
        while (!atomic_load(&waiter.has_begun)) {
            sched_yield();
        }
        for (unsigned turn = 0; turn < 1000; turn++) {
            sched_yield(); /* it might finish here, if it did not wait */
        }
        assert_false(atomic_load(&waiter.has_ended));
        assert_ok(masstree_get_u64(subject->tree, subject->guard, FIRST, &value));
        assert_int_equal(1, value);
        assert_ok(masstree_held_finish(&holding.held, MASSTREE_ACTION_SET, value + 10, NULL));
        assert_int_equal(0, pthread_join(thread, NULL));
        assert_true(atomic_load(&waiter.has_ended));
        assert_ok(masstree_get_u64(subject->tree, subject->guard, FIRST, &value));
        assert_int_equal(cases[i].left, value);
    }
}

/* Two transactions that have locked what they write, and validate what they have read. */
struct validator {
    const struct subject *subject;
    uint64_t own;
    masstree_observation_t leaves[2];
    pthread_barrier_t *barrier;
};

static void validate_while_both_hold(void *arg)
{
    struct validator *validator = arg;
    masstree_t *tree = validator->subject->tree;
    masstree_guard_t *guard = new_guard(tree);
    const masstree_observation_t *own = &validator->leaves[validator->own == FIRST ? 0 : 1];
    const masstree_observation_t *other = &validator->leaves[validator->own == FIRST ? 1 : 0];
    masstree_observation_t now;
    struct holding holding;
    size_t changed = SIZE_MAX;
    hold_number(validator->subject, guard, validator->own, &holding, NULL);
    pthread_barrier_wait(validator->barrier);
    REQUIRE(masstree_held_observation(&holding.held, NULL, &now) == MASSTREE_OK);
    REQUIRE(memcmp(&now, own, sizeof now) == 0);
    REQUIRE(masstree_validate(tree, own, 1, &changed) == MASSTREE_OK);
    REQUIRE(masstree_validate(tree, other, 1, &changed) == MASSTREE_MISMATCH && changed == 0);
    REQUIRE(masstree_validate(tree, validator->leaves, 2, &changed) == MASSTREE_MISMATCH);
    REQUIRE(&validator->leaves[changed] == other);
    pthread_barrier_wait(validator->barrier);
    REQUIRE(masstree_held_finish(&holding.held, MASSTREE_ACTION_SET, 7, NULL) == MASSTREE_OK);
    pthread_barrier_wait(validator->barrier);
    REQUIRE(masstree_validate(tree, validator->leaves, 2, NULL) == MASSTREE_OK);
    masstree_guard_leave(guard);
}

static void holders_that_validate_do_not_wait_for_each_other(void **state)
{
    struct subject *subject = *state;
    pthread_barrier_t barrier;
    bool is_there;
    fill(subject);
    assert_int_equal(0, pthread_barrier_init(&barrier, NULL, 2));
    struct validator validators[2];
    validators[0] = (struct validator){
        .subject = subject, .own = FIRST, .barrier = &barrier,
        .leaves = {observe_key(subject, number_key(FIRST), &is_there),
                   observe_key(subject, number_key(LAST), &is_there)}};
    validators[1] = validators[0];
    validators[1].own = LAST;
    void (*const run[])(void *) = {validate_while_both_hold, validate_while_both_hold};
    run_together(2, run, validators, sizeof validators[0]);
    pthread_barrier_destroy(&barrier);
}

/* Counters that several threads increment, each in its own way. */
struct counting {
    const struct subject *subject;
    enum family family;
    uint64_t random;
    size_t steps;
};
enum { COUNTERS = 40 };

static void count_up(void *arg)
{
    struct counting *counting = arg;
    masstree_guard_t *guard = new_guard(counting->subject->tree);
    for (size_t step = 0; step < counting->steps; step++) {
        struct key key;
        masstree_held_t held;
        uint64_t value = 0;
        key.len = family_key(counting->family, random_below(&counting->random, COUNTERS), key.bytes);
        int32_t status = masstree_hold(counting->subject->tree, guard, key.bytes, key.len,
                                       MASSTREE_HOLD_INSERT, &held, &value);
        REQUIRE(status == MASSTREE_OK || (status == MASSTREE_NOT_FOUND && value == 0));
        REQUIRE(masstree_held_finish(&held, MASSTREE_ACTION_SET, value + 1, NULL) == MASSTREE_OK);
        if (step % 64 == 0) {
            masstree_guard_refresh(guard);
        }
    }
    masstree_guard_leave(guard);
}

static int32_t add_value(const void *key, size_t key_len, uint64_t value, void *ctx)
{
    (void)key;
    (void)key_len;
    *(uint64_t *)ctx += value;
    return MASSTREE_VISIT_CONTINUE;
}

static void no_count_is_lost(void **state)
{
    struct subject *subject = *state;
    for (enum family family = 0; family < FAMILIES; family++) {
        struct counting counting[3];
        void (*const run[])(void *) = {count_up, count_up, count_up};
        uint64_t sum = 0;
        for (size_t i = 0; i < COUNT(counting); i++) {
            counting[i] = (struct counting){subject, family, i + 1, scaled(20000)};
        }
        run_together(COUNT(counting), run, counting, sizeof counting[0]);
        assert_ok(masstree_scan(subject->tree, NULL, NULL, add_value, &sum, NULL));
        assert_int_equal(COUNT(counting) * scaled(20000), sum);
        assert_consistent(subject->tree);
        assert_ok(masstree_clear(subject->tree, NULL));
        masstree_guard_refresh(subject->guard);
    }
}

/* A thread holds its own keys, and keeps, inserts and removes them; other threads do the same
   with keys in the same leaves. */
struct keeping {
    const struct subject *subject;
    enum family family;
    uint64_t random;
    unsigned id;
    atomic_bool *done;
    size_t steps;
    uint64_t present[100]; /* 0: absent */
};
enum { KEEPERS = 3 };

static void keep_own(void *arg)
{
    static const int32_t actions[] = {MASSTREE_ACTION_SET, MASSTREE_ACTION_KEEP,
                                      MASSTREE_ACTION_REMOVE};
    struct keeping *keeping = arg;
    masstree_guard_t *guard = new_guard(keeping->subject->tree);
    for (size_t step = 1; step <= keeping->steps; step++) {
        size_t own = random_below(&keeping->random, COUNT(keeping->present));
        int32_t action = actions[random_below(&keeping->random, COUNT(actions))];
        struct key key;
        masstree_held_t held;
        uint64_t value = 0;
        uint64_t old = 0;
        key.len = family_key(keeping->family, own * KEEPERS + keeping->id, key.bytes);
        int32_t status = masstree_hold(keeping->subject->tree, guard, key.bytes, key.len,
                                       MASSTREE_HOLD_INSERT, &held, &value);
        REQUIRE(status == (keeping->present[own] != 0 ? MASSTREE_OK : MASSTREE_NOT_FOUND));
        REQUIRE(value == keeping->present[own]);
        REQUIRE(masstree_held_finish(&held, action, step, &old) == MASSTREE_OK);
        REQUIRE(old == (action == MASSTREE_ACTION_KEEP ? 0 : value));
        if (action != MASSTREE_ACTION_KEEP) {
            keeping->present[own] = action == MASSTREE_ACTION_SET ? step : 0;
        }
        if (step % 32 == 0) {
            masstree_guard_refresh(guard);
        }
    }
    masstree_guard_leave(guard);
    atomic_store(keeping->done, true);
}

/* Reads twice: if the observations are valid, both results are equal. Also merges leaves. */
static void reread_and_merge(void *arg)
{
    struct keeping *keeping = arg;
    const struct subject *subject = keeping->subject;
    masstree_range_t all = MASSTREE_RANGE_INIT;
    struct observations *set = calloc(1, sizeof *set);
    REQUIRE(set != NULL);
    while (!atomic_load(keeping->done)) {
        set->count = 0;
        all.flags ^= MASSTREE_SCAN_REVERSE;
        struct met first = scan_range(subject, NULL, &all, set);
        size_t count = set->count;
        struct met second = scan_range(subject, NULL, &all, set);
        set->count = count;
        REQUIRE(!all_hold(subject->tree, set) ||
                (first.keys == second.keys && first.digest == second.digest));
        int32_t status = masstree_maintain(subject->tree, NULL, 8, NULL);
        REQUIRE(status == MASSTREE_OK || status == MASSTREE_END);
    }
    free(set);
}

static void threads_find_the_values_they_left(void **state)
{
    struct subject *subject = *state;
    for (enum family family = 0; family < FAMILIES; family++) {
        static struct keeping keeping[KEEPERS + 1];
        atomic_bool done = false;
        void (*run[KEEPERS + 1])(void *);
        uint64_t expected = 0;
        for (unsigned i = 0; i <= KEEPERS; i++) {
            keeping[i] = (struct keeping){.subject = subject, .family = family, .random = i + 1,
                                          .id = i, .done = &done, .steps = scaled(10000)};
            run[i] = i == KEEPERS ? reread_and_merge : keep_own;
        }
        run_together(COUNT(run), run, keeping, sizeof keeping[0]);
        for (unsigned i = 0; i < KEEPERS; i++) {
            for (size_t own = 0; own < COUNT(keeping[i].present); own++) {
                expected += keeping[i].present[own] != 0 ? 1 : 0;
            }
        }
        assert_int_equal(expected, tree_len(subject->tree));
        assert_consistent(subject->tree);
        assert_ok(masstree_clear(subject->tree, NULL));
        masstree_guard_refresh(subject->guard);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_WORDS(readers_and_writers_of_other_leaves_do_not_wait),
        WITH_WORDS(calls_that_need_the_held_leaf_wait_and_then_continue),
        WITH_WORDS(holders_that_validate_do_not_wait_for_each_other),
        WITH_WORDS(no_count_is_lost),
        WITH_WORDS(threads_find_the_values_they_left),
    };
    return cmocka_run_group_tests_name("held_threads", tests, NULL, NULL);
}
